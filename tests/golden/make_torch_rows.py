"""Makes torch_rows.npz: PyTorch's softmax and norms and their gradients, for tests/python/test_op_rows.py.

    python3 -m venv V && V/bin/pip install torch numpy && V/bin/python make_torch_rows.py

Computed on a CPU in float64 from inputs that are float32, so that what is stored is the truth to a float32 result.
Every row of x is of another magnitude. The file holds x, weight, bias, gradient (of the result), and for every
operation OP: OP, with OP.dx, OP.dweight and OP.dbias where it has them; and in float32 special, whose rows have
infinities and a NaN, special.softmax and special.log_softmax.
"""

import os

import numpy as np
import torch

ROWS, COLUMNS = 9, 37


def with_gradients(name, function, x, gradient, **parameters):
    """function(x, …) and what `gradient` of its result is to each of its inputs."""
    leaves = {key: torch.tensor(value, dtype=torch.float64, requires_grad=True) for key, value in parameters.items()}
    leaf = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    result = function(leaf, **leaves)
    result.backward(torch.tensor(gradient, dtype=torch.float64))
    made = {name: result.detach().numpy(), f"{name}.dx": leaf.grad.numpy()}
    made.update({f"{name}.d{key}": value.grad.numpy() for key, value in leaves.items()})
    return made


def main():
    rng = np.random.default_rng(7)
    magnitudes = np.logspace(-2, 1.5, ROWS)[:, None]
    x = (rng.standard_normal((ROWS, COLUMNS)) * magnitudes + rng.standard_normal((ROWS, 1))).astype(np.float32)
    shapes = ((ROWS, COLUMNS), COLUMNS, COLUMNS)
    gradient, weight, bias = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    inf, nan = np.inf, np.nan
    special = [[-inf, 1, 2], [-inf, -inf, -inf], [inf, 1, -inf], [1, nan, 2], [88, -88, 0], [3e38, -3e38, 3e38]]
    special = np.float32(special)
    functional = torch.nn.functional
    shape = (COLUMNS,)
    arrays = {"x": x, "gradient": gradient, "weight": weight, "bias": bias, "special": special}
    arrays.update(with_gradients("softmax", lambda x: torch.softmax(x, -1), x, gradient))
    arrays.update(with_gradients("log_softmax", lambda x: torch.log_softmax(x, -1), x, gradient))
    arrays.update(
        with_gradients(
            "layer_norm",
            lambda x, weight, bias: functional.layer_norm(x, shape, weight, bias, 1e-5),
            x, gradient, weight=weight, bias=bias,
        )
    )
    arrays.update(
        with_gradients(
            "rms_norm", lambda x, weight: functional.rms_norm(x, shape, weight, 2.0**-23), x, gradient, weight=weight
        )
    )
    for name in ("softmax", "log_softmax"):
        arrays[f"special.{name}"] = getattr(torch, name)(torch.tensor(special), -1).numpy()
    folder = os.path.dirname(os.path.abspath(__file__))
    np.savez_compressed(os.path.join(folder, "torch_rows.npz"), **arrays)


main()
