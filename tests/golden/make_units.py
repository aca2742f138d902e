"""Makes units.npz: what packages do to the rows of a gradient before SGD, for tests/python/test_op_step.py.

    python3 -m venv V && V/bin/pip install torch numpy timm pytorch_optimizer optax && V/bin/python make_units.py

initial (12, 5, 3), gradients (20, 12, 5, 3), and the weights after 20 steps with momentum 0.9 and lr 0.1: agc, clipped
by timm's adaptive_clip_grad to 0.05 of the weights (longer rows and shorter ones are among them, and a weight that is
0); centralize, by pytorch_optimizer's centralize_gradient; optax, by optax.centralize; both, centred first.
"""
import os
from importlib.metadata import version

import jax.numpy as jnp
import numpy as np
import optax
import torch
from pytorch_optimizer.optimizer.gradient_centralization import centralize_gradient
from timm.utils.agc import adaptive_clip_grad


def clip(p):
    adaptive_clip_grad(p, clip_factor=0.05)


def centralize(p):
    centralize_gradient(p.grad)


LOOKS = {"agc": [clip], "centralize": [centralize], "both": [centralize, clip]}


def with_optax(initial, gradients):
    p = jnp.asarray(initial)
    optimizer = optax.chain(optax.centralize(), optax.sgd(0.1, momentum=0.9))
    state = optimizer.init(p)
    for g in gradients:
        updates, state = optimizer.update(jnp.asarray(g), state, p)
        p = optax.apply_updates(p, updates)
    return np.asarray(p)


def main():
    rng = np.random.default_rng(6)
    initial = rng.standard_normal((12, 5, 3)).astype(np.float32)
    initial[4] = 0
    gradients = (0.3 + rng.standard_normal((20, 12, 5, 3))) * np.geomspace(0.01, 3, 20)[:, None, None, None]
    gradients = gradients.astype(np.float32)
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "timm", "optax", "pytorch_optimizer"))
    arrays = {"initial": initial, "gradients": gradients, "optax": with_optax(initial, gradients),
              "versions": np.array(versions)}
    for name, looks in LOOKS.items():
        p = torch.tensor(initial.copy(), requires_grad=True)
        optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9, foreach=False)
        for g in gradients:
            p.grad = torch.tensor(g)
            for look in looks:
                look(p)
            optimizer.step()
        arrays[name] = p.detach().numpy()
    np.savez_compressed(os.path.join(os.path.dirname(os.path.abspath(__file__)), "units.npz"), **arrays)


if __name__ == "__main__":
    main()
