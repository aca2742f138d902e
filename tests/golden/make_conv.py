"""Makes conv.npz: PyTorch's convolutions and their gradients, for tests/python/test_op_conv.py.

    python3 -m venv V && V/bin/pip install torch numpy && V/bin/python make_conv.py

Computed on a CPU in float64 from inputs that are float32, so that what is stored is the truth to a float32 result. For
every case NAME of CASES: NAME.x, NAME.w, NAME.b (float32), NAME.options (stride, padding, dilation, groups), and by
torch.nn.functional.conv1d or conv2d NAME.y; dy (float32) of y's shape, and by torch.nn.grad NAME.dx and NAME.dw.
"""

import os

import numpy as np
import torch

# data, weights, stride, padding, dilation, groups
CASES = {
    "plain": ((2, 3, 8, 9), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "uneven": ((1, 4, 11, 14), (6, 2, 2, 3), (3, 2), (2, 4), (2, 3), 2),
    "depthwise": ((2, 3, 7, 10), (6, 1, 3, 5), (2, 1), (1, 2), (1, 1), 3),
    "point": ((3, 5, 4, 6), (2, 5, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    "line": ((2, 3, 40), (4, 3, 5), (1,), (2,), (1,), 1),
    "steps": ((2, 4, 33), (6, 2, 4), (3,), (4,), (2,), 2),
}


def main():
    rng = np.random.default_rng(11)
    arrays = {"versions": np.array(f"torch {torch.__version__}")}
    for name, (data, weights, stride, padding, dilation, groups) in CASES.items():
        functional = getattr(torch.nn.functional, f"conv{len(data) - 2}d")
        x, w, b = (rng.standard_normal(shape).astype(np.float32) for shape in (data, weights, weights[:1]))
        tx, tw, tb = (torch.tensor(array, dtype=torch.float64) for array in (x, w, b))
        how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        y = functional(tx, tw, tb, **how)
        dy = rng.standard_normal(y.shape).astype(np.float32)
        tdy = torch.tensor(dy, dtype=torch.float64)
        by = {key: getattr(torch.nn.grad, f"conv{len(data) - 2}d_{key}") for key in ("input", "weight")}
        arrays.update({
            f"{name}.x": x, f"{name}.w": w, f"{name}.b": b, f"{name}.y": y.numpy(), f"{name}.dy": dy,
            f"{name}.options": np.array([*stride, *padding, *dilation, groups]),
            f"{name}.dx": by["input"](data, tw, tdy, **how).numpy(),
            f"{name}.dw": by["weight"](tx, weights, tdy, **how).numpy(),
        })
    folder = os.path.dirname(os.path.abspath(__file__))
    np.savez_compressed(os.path.join(folder, "conv.npz"), **arrays)


if __name__ == "__main__":
    main()
