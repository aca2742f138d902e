"""Makes matrix.safetensors and soap.safetensors: trajectories of rules that take parameters as matrices, for
tests/test_matrix_rules.c; see trajectories.py.

    python3 -m venv V && V/bin/pip install torch numpy keras 'jax[cpu]' optax pytorch_optimizer
    V/bin/python make_matrix.py

Each kind of gradients is a run of its own over two tensors: the 40 weights are a wide matrix of 4 x 6 and a tall one of
8 x 2. "tiny" gradients are 1e-15 of the random ones, not 1e-20: their squares would be below the normal range.

Shampoo's momentum gives the step before back to the roots, which multiply it by up to 1/sqrt(matrix_eps): with a
matrix_eps well below 1 rounding grows from step to step, in the package as well.

SOAP's steps depend on which eigenvectors the first gradient has; where eigenvalues are 0 or equal any will do, and
packages differ. So its matrices are square, 6 x 6 and 2 x 2, and its gradients have singular values well apart.
"""
import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["JAX_PLATFORMS"] = "cpu"

from importlib.metadata import version

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import optax.contrib
import pytorch_optimizer
import torch
import trajectories
from trajectories import MIDDLE, STEPS, describe, write

SHAPES = [(4, 6), (8, 2)]
SOAP_SHAPES = [(6, 6), (2, 2)]
KINDS = dict(trajectories.KINDS)
KINDS["tiny"] = (KINDS["random"] * 1e-15).astype(np.float32)


def soap_gradients():
    rng = np.random.default_rng(3)

    def matrix(n):
        return np.diag(np.arange(1.0, n + 1)) @ (np.eye(n) + 0.2 * rng.standard_normal((n, n)))
    normal = np.stack([np.concatenate([matrix(n).ravel() for n, _ in SOAP_SHAPES]) for _ in range(STEPS)])
    kinds = {"random": normal, "constant": np.broadcast_to(normal[0], normal.shape), "zero": 0 * normal,
             "tiny": normal * 1e-15, "huge": normal * 1e15,
             "sparse": normal * (np.arange(STEPS) % 3 == 0)[:, None]}
    return {kind: np.ascontiguousarray(g, np.float32) for kind, g in kinds.items()}


def split(flat):
    at, out = 0, []
    for shape in SHAPES:
        n = int(np.prod(shape))
        out.append(np.array(flat[at:at + n]).reshape(shape))
        at += n
    return out


def join(tensors):
    return np.concatenate([np.asarray(t, np.float32).reshape(-1) for t in tensors])


def follow(make):
    """The weights of each kind after 20 and after 50 steps; make() gives step(gradients), which gives the weights."""
    out = {f"p{t}": [] for t in (MIDDLE, STEPS)}
    for gradients in KINDS.values():
        step = make()
        for t, gradient in enumerate(gradients, 1):
            weights = step(split(gradient))
            if t in (MIDDLE, STEPS):
                out[f"p{t}"].append(join(weights))
    return {name: np.stack(rows) for name, rows in out.items()}


def keras_muon(h):
    names = {"lr": "learning_rate", "ns_a": "muon_a", "ns_b": "muon_b", "ns_c": "muon_c"}

    def make():
        weights = [keras.Variable(w) for w in split(trajectories.initial())]
        optimizer = keras.optimizers.Muon(**{names.get(key, key): value for key, value in h.items()})
        optimizer.build(weights)

        def step(gradients):
            optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], weights)
            return [keras.ops.convert_to_numpy(w) for w in weights]
        return step
    return make


def optax_muon(h):
    names = {"momentum": "beta", "lr": "learning_rate", "rms_rate": "consistent_rms"}
    options = {"learning_rate": 1e-3} | {names.get(key, key): value for key, value in h.items()}

    def make():
        optimizer = optax.contrib.muon(**options)
        at = {"weights": {str(k): jnp.asarray(w) for k, w in enumerate(split(trajectories.initial()))}}
        at["state"] = optimizer.init(at["weights"])
        update = jax.jit(optimizer.update)

        def step(gradients):
            gradients = {str(k): jnp.asarray(g) for k, g in enumerate(gradients)}
            updates, at["state"] = update(gradients, at["state"], at["weights"])
            at["weights"] = optax.apply_updates(at["weights"], updates)
            return at["weights"].values()
        return step
    return make


def torch_of(cls, fixed=None, betas=(), **names):
    def make_of(h):
        h = dict(h)
        apart = {f"beta{k}": h.pop(f"beta{k}", beta) for k, beta in enumerate(betas, 1)}
        options = {names.get(key, key): value for key, value in h.items()} | (fixed or {})
        options |= {"betas": tuple(apart.values())} if apart else {}

        def make():
            weights = [torch.tensor(w, requires_grad=True) for w in split(trajectories.initial())]
            optimizer = cls(weights, **options)

            def step(gradients):
                for w, g in zip(weights, gradients):
                    w.grad = torch.tensor(g)
                optimizer.step()
                return [w.detach().numpy() for w in weights]
            return step
        return make
    return make_of


CASES = [
    # rule, preset, optimizer, hyper-parameters
    ("muon", "torch", torch_of(torch.optim.Muon), [
        {}, dict(lr=0.02, momentum=0.9, nesterov=False, weight_decay=0.0)]),
    ("muon", "keras", keras_muon, [{}, dict(lr=0.02, nesterov=False, ns_steps=3, momentum=0.5)]),
    ("muon", "optax", optax_muon, [{}, dict(lr=0.02, weight_decay=0.1, rms_rate=0.2), dict(nesterov=False)]),
    ("shampoo", "pytorch_optimizer", torch_of(pytorch_optimizer.Shampoo, decoupled_weight_decay="weight_decouple"), [
        dict(lr=0.01), dict(lr=0.01, matrix_eps=1.0, weight_decay=0.1, momentum=0.5),
        dict(lr=0.01, matrix_eps=1e-2, weight_decay=0.1, decoupled_weight_decay=True)]),
]


SOAP_CASES = [
    ("soap", "pytorch_optimizer", torch_of(pytorch_optimizer.SOAP, betas=(0.95, 0.95),
                                           bias_correction="correct_bias"), [
        {}, dict(lr=0.01, precondition_frequency=1, shampoo_beta=0.9, beta2=0.9, weight_decay=0.1),
        dict(lr=0.01, bias_correction=False, precondition_frequency=3)]),
]


def run(name, cases):
    arrays = {"initial": trajectories.initial()} | {f"gradients.{kind}": g for kind, g in KINDS.items()}
    metadata = {name: version(name) for name in ("torch", "keras", "jax", "optax", "pytorch_optimizer")}
    for rule, preset, optimizer, variants in cases:
        for number, hyper in enumerate(variants):
            key = f"{rule}.{preset}.{number}"
            metadata[key] = describe(rule, preset, hyper)
            for what, array in follow(optimizer(hyper)).items():
                arrays[f"{key}.{what}"] = array
    write(name, arrays, metadata)


def main():
    global SHAPES, KINDS
    run("matrix.safetensors", CASES)
    SHAPES, KINDS = SOAP_SHAPES, soap_gradients()
    run("soap.safetensors", SOAP_CASES)


if __name__ == "__main__":
    main()
