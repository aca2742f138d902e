"""Makes muon.safetensors: orthogonalisations by PyTorch's Muon (bfloat16) and by Keras's (float32), for
tests/test_factor.c.

    python3 -m venv V && V/bin/pip install torch numpy safetensors && V/bin/python make_muon.py torch
    python3 -m venv K && K/bin/pip install keras jax safetensors && KERAS_BACKEND=jax K/bin/python make_muon.py keras

Each call writes its own package's results and keeps the other's.
"""
import pathlib
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

FILE = pathlib.Path(__file__).with_name("muon.safetensors")
SHAPES = [(1, 1), (3, 5), (16, 16), (24, 7), (20, 64)]
STEPS = 5


def matrices():
    rng = np.random.default_rng(20)
    for rows, columns in SHAPES:
        yield f"{rows}x{columns}", rng.standard_normal((rows, columns)).astype(np.float32)


def by_torch(x):
    import torch
    from torch.optim._muon import _zeropower_via_newtonschulz
    with torch.no_grad():
        return _zeropower_via_newtonschulz(torch.from_numpy(x), (3.4445, -4.7750, 2.0315), STEPS, 1e-7).float().numpy()


def by_keras(x):
    import keras
    return np.array(keras.optimizers.Muon().zeropower_via_newtonschulz5(x, STEPS))


def main():
    made = {}
    if FILE.exists():
        with safe_open(FILE, "numpy") as old:
            made = {name: old.get_tensor(name) for name in old.keys()}
    package = sys.argv[1]
    for name, x in matrices():
        made[f"{name}.x"] = x
        made[f"{name}.{package}"] = np.ascontiguousarray({"torch": by_torch, "keras": by_keras}[package](x))
    save_file(made, FILE)


if __name__ == "__main__":
    main()
