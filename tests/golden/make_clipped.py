"""Makes clipped.npz: PyTorch's gradient clipping before its SGD, for tests/python/test_op_step.py.

    python3 -m venv V && V/bin/pip install torch numpy && V/bin/python make_clipped.py

initial (200), gradients (20, 200), and the weights after 20 steps with momentum 0.9 and lr 0.1: norm, clipped by
clip_grad_norm_ to 1.5 (longer ones and shorter ones are among them); value, by clip_grad_value_ to 0.25.
"""
import os

import numpy as np
import torch

CLIPS = {
    "norm": lambda p: torch.nn.utils.clip_grad_norm_([p], 1.5),
    "value": lambda p: torch.nn.utils.clip_grad_value_([p], 0.25),
}


def main():
    rng = np.random.default_rng(5)
    initial = rng.standard_normal(200).astype(np.float32)
    gradients = (rng.standard_normal((20, 200)) * np.geomspace(0.01, 10, 20)[:, None]).astype(np.float32)
    arrays = {"initial": initial, "gradients": gradients, "versions": np.array(f"torch {torch.__version__}")}
    for name, clip in CLIPS.items():
        p = torch.tensor(initial.copy(), requires_grad=True)
        optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9, foreach=False)
        for g in gradients:
            p.grad = torch.tensor(g)
            clip(p)
            optimizer.step()
        arrays[name] = p.detach().numpy()
    np.savez_compressed(os.path.join(os.path.dirname(os.path.abspath(__file__)), "clipped.npz"), **arrays)


if __name__ == "__main__":
    main()
