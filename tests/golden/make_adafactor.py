"""Makes adafactor.safetensors: trajectories of adafactor, for tests/test_factors.c; see trajectories.py.

    python3 -m venv V && V/bin/pip install torch numpy keras 'jax[cpu]' optax transformers
    V/bin/python make_adafactor.py

The 40 weights are 3 x 3 x 2, whose two largest axes are the first two, 3 x 2 x 3, whose largest ones lie apart, and a
vector of 4, which begins at 0.

PyTorch multiplies rows with columns before it divides by their mean: of "huge" gradients that is beyond float32, and
its weights stay where they are. So it runs in float64 here, with the eps1 that it has for float32. So does Keras, for
whose product 0 is below float32 where a row and a column have had no gradients: its weights become NaN there.
"""
import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import optax
import torch
import trajectories
import transformers.optimization
from trajectories import Runs


def start():
    weights = trajectories.initial()
    weights[-4:] = 0
    return weights


RUNS = Runs([(3, 3, 2), (3, 2, 3), (4,)], start())


def of_torch(weights, eps1=2.0**-23, eps2=1e-3, **options):
    return torch.optim.Adafactor(weights, eps=(eps1, eps2), foreach=False, **options)


def of_optax(beta2_decay=-0.8, d=1.0, **options):
    return optax.adafactor(decay_rate=-beta2_decay, clipping_threshold=d or None, **options)


def of_transformers(weights, eps1=1e-30, eps2=1e-3, **options):
    if options.get("relative_step", True):
        options["lr"] = None
    return transformers.optimization.Adafactor(weights, eps=(eps1, eps2), **options)


CASES = [
    # rule, preset, optimizer, hyper-parameters
    ("adafactor", "torch", RUNS.of_torch(of_torch, dtype=torch.float64), [
        {}, dict(lr=0.3, weight_decay=0.1, d=1.5, beta2_decay=-0.5),
        dict(lr=0.05, eps1=1e-3, eps2=0.5, maximize=True)]),
    ("adafactor", "keras", RUNS.of_keras(keras.optimizers.Adafactor, dtype="float64", beta2_decay="beta_2_decay",
                                         eps1="epsilon_1", eps2="epsilon_2", d="clip_threshold"), [
        {}, dict(lr=0.3, weight_decay=0.1, d=0.5, beta2_decay=-0.5), dict(lr=0.05, eps1=1e-6, eps2=0.5)]),
    ("adafactor", "optax", RUNS.of_optax(of_optax, beta1="momentum", eps1="eps", weight_decay="weight_decay_rate",
                                         scale_parameter="multiply_by_parameter_scale"), [
        dict(lr=0.1, min_dim_size_to_factor=2), dict(lr=0.01),
        dict(lr=0.1, min_dim_size_to_factor=3, beta1=0.9, weight_decay=0.01, d=0.5, beta2_decay=-0.6),
        dict(lr=0.01, min_dim_size_to_factor=2, scale_parameter=False, d=0.0),
        dict(min_dim_size_to_factor=2, d=2.0)]),
    ("adafactor", "transformers", RUNS.of_torch(of_transformers, beta2_decay="decay_rate", d="clip_threshold"), [
        {}, dict(warmup_init=True), dict(lr=0.02, relative_step=False, scale_parameter=False, weight_decay=0.1),
        dict(lr=0.05, relative_step=False, beta1=0.8, weight_decay=0.1, eps1=1e-6, eps2=0.5, d=0.5)]),
]


def main():
    RUNS.write("adafactor.safetensors", CASES, ("torch", "keras", "jax", "optax", "transformers"))


if __name__ == "__main__":
    main()
