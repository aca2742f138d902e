"""Makes matrix.safetensors and soap.safetensors: trajectories of rules that take parameters as matrices, for
tests/test_matrix_rules.c; see trajectories.py.

    python3 -m venv V && V/bin/pip install torch numpy keras 'jax[cpu]' optax pytorch_optimizer
    V/bin/python make_matrix.py

The 40 weights are a wide matrix of 4 x 6 and a tall one of 8 x 2.

Shampoo's momentum gives the step before back to the roots, which multiply it by up to 1/sqrt(matrix_eps): with a
matrix_eps well below 1 rounding grows from step to step, in the package as well.

SOAP's steps depend on which eigenvectors the first gradient has; where eigenvalues are 0 or equal any will do, and
packages differ. So its matrices are square, 6 x 6 and 2 x 2, and its gradients have singular values well apart.
"""
import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import numpy as np
import optax.contrib
import pytorch_optimizer
import torch
from trajectories import STEPS, Runs


def soap_gradients():
    rng = np.random.default_rng(3)

    def matrix(n):
        return np.diag(np.arange(1.0, n + 1)) @ (np.eye(n) + 0.2 * rng.standard_normal((n, n)))
    normal = np.stack([np.concatenate([matrix(n).ravel() for n in (6, 2)]) for _ in range(STEPS)])
    kinds = {"random": normal, "constant": np.broadcast_to(normal[0], normal.shape), "zero": 0 * normal,
             "tiny": normal * 1e-15, "huge": normal * 1e15,
             "sparse": normal * (np.arange(STEPS) % 3 == 0)[:, None]}
    return {kind: np.ascontiguousarray(g, np.float32) for kind, g in kinds.items()}


MATRICES = Runs([(4, 6), (8, 2)])
SQUARES = Runs([(6, 6), (2, 2)], kinds=soap_gradients())

CASES = [
    # rule, preset, optimizer, hyper-parameters
    ("muon", "torch", MATRICES.of_torch(torch.optim.Muon), [
        {}, dict(lr=0.02, momentum=0.9, nesterov=False, weight_decay=0.0)]),
    ("muon", "keras", MATRICES.of_keras(keras.optimizers.Muon, ns_a="muon_a", ns_b="muon_b", ns_c="muon_c"), [
        {}, dict(lr=0.02, nesterov=False, ns_steps=3, momentum=0.5)]),
    ("muon", "optax", MATRICES.of_optax(optax.contrib.muon, 1e-3, jit=True, momentum="beta",
                                        rms_rate="consistent_rms"), [
        {}, dict(lr=0.02, weight_decay=0.1, rms_rate=0.2), dict(nesterov=False)]),
    ("shampoo", "pytorch_optimizer", MATRICES.of_torch(pytorch_optimizer.Shampoo,
                                                       decoupled_weight_decay="weight_decouple"), [
        dict(lr=0.01), dict(lr=0.01, matrix_eps=1.0, weight_decay=0.1, momentum=0.5),
        dict(lr=0.01, matrix_eps=1e-2, weight_decay=0.1, decoupled_weight_decay=True)]),
]

SOAP_CASES = [
    ("soap", "pytorch_optimizer", SQUARES.of_torch(pytorch_optimizer.SOAP, betas=(0.95, 0.95),
                                                   bias_correction="correct_bias"), [
        {}, dict(lr=0.01, precondition_frequency=1, shampoo_beta=0.9, beta2=0.9, weight_decay=0.1),
        dict(lr=0.01, bias_correction=False, precondition_frequency=3)]),
]


def main():
    packages = ("torch", "keras", "jax", "optax", "pytorch_optimizer")
    MATRICES.write("matrix.safetensors", CASES, packages)
    SQUARES.write("soap.safetensors", SOAP_CASES, packages)


if __name__ == "__main__":
    main()
