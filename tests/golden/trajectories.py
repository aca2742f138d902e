"""What the makers of trajectories share: where all cases start, which gradients they see, and the file.

All cases start from the same 40 weights and take 50 steps, in float32 on a CPU. The rules go element by element, so the
six kinds of gradients are the rows of one parameter. A file holds

    initial          (40)         the weights before the first step
    gradients.KIND   (50, 40)     one gradient a step; kinds: random, constant, zero, tiny, huge, sparse
    CASE.p20, .p50   (6, 40)      the weights after 20 and after 50 steps, a row for each kind
    CASE.STATE       (6, 40)      a state after 50 steps

and for each CASE the metadata "rule=NAME preset=NAME hyper=value …", with hyper-parameters as Cliv names them.

Rules that do not go element by element take the 40 weights as several tensors, and each kind of gradients is a run of
its own: class Runs. Of such runs "tiny" gradients are 1e-15 of the random ones, not 1e-20: their squares would be below
the normal range, where packages take them for 0.
"""
import json
import os
import struct
from importlib.metadata import version

import numpy as np

N, STEPS, MIDDLE = 40, 50, 20


def initial():
    return np.random.default_rng(1).standard_normal(N).astype(np.float32)


def gradients():
    rng = np.random.default_rng(2)
    normal = rng.standard_normal((STEPS, N))
    kinds = {
        "random": normal,
        "constant": np.broadcast_to(normal[0], (STEPS, N)),
        "zero": np.zeros((STEPS, N)),
        "tiny": normal * 1e-20,
        "huge": normal * 1e15,
        "sparse": np.where(rng.random((STEPS, N)) < 0.1, normal, 0.0),
    }
    return {kind: np.ascontiguousarray(g, np.float32) for kind, g in kinds.items()}


KINDS = gradients()


def start():
    """The weights of all kinds."""
    return np.stack([initial()] * len(KINDS))


def steps():
    """The gradients of all kinds, step by step."""
    return np.stack(list(KINDS.values()), axis=1)


def follow(step):
    """The weights after 20 and after 50 steps; step(gradient) gives them after each."""
    out = {}
    for t, gradient in enumerate(steps(), 1):
        weights = step(gradient)
        if t in (MIDDLE, STEPS):
            out[f"p{t}"] = np.array(weights, np.float32)
    return out


class Runs:
    """Runs over tensors of these shapes. make(), below, gives step(gradients), which gives the weights after a step; a
    maker of these takes hyper-parameters under Cliv's names and renames them."""

    def __init__(self, shapes, start=None, kinds=None):
        self.shapes = shapes
        self.initial = initial() if start is None else start
        self.kinds = kinds or KINDS | {"tiny": (KINDS["random"] * 1e-15).astype(np.float32)}

    def split(self, flat):
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])[:-1]
        return [np.array(part).reshape(shape) for part, shape in zip(np.split(flat, ends), self.shapes)]

    def start(self):
        return self.split(self.initial)

    def follow(self, make):
        """The weights of each kind after 20 and after 50 steps."""
        out = {f"p{t}": [] for t in (MIDDLE, STEPS)}
        for gradients in self.kinds.values():
            step = make()
            for t, gradient in enumerate(gradients, 1):
                weights = step(self.split(gradient))
                if t in (MIDDLE, STEPS):
                    out[f"p{t}"].append(np.concatenate([np.asarray(w, np.float32).reshape(-1) for w in weights]))
        return {name: np.stack(rows) for name, rows in out.items()}

    def write(self, name, cases, packages):
        """cases: rule, preset, maker, a list of hyper-parameters."""
        arrays = {"initial": self.initial} | {f"gradients.{kind}": g for kind, g in self.kinds.items()}
        metadata = {package: version(package) for package in packages}
        for rule, preset, maker, variants in cases:
            for number, hyper in enumerate(variants):
                key = f"{rule}.{preset}.{number}"
                metadata[key] = describe(rule, preset, hyper)
                arrays |= {f"{key}.{what}": array for what, array in self.follow(maker(hyper)).items()}
        write(name, arrays, metadata)

    def of_keras(self, cls, dtype=None, **names):
        import keras
        names = dict(lr="learning_rate", beta1="beta_1", beta2="beta_2", eps="epsilon") | names

        def make(h):
            weights = [keras.Variable(w, dtype=dtype) for w in self.start()]
            optimizer = cls(**renamed(h, names))
            optimizer.build(weights)

            def step(gradients):
                optimizer.apply([keras.ops.convert_to_tensor(g, dtype=dtype) for g in gradients], weights)
                return [keras.ops.convert_to_numpy(w) for w in weights]
            return step
        return lambda h: lambda: make(h)

    def of_optax(self, cls, lr=None, dtype=np.float32, jit=False, **names):
        """lr: the default, where the package has none. jit: compiled, which has other bits."""
        import jax
        import jax.numpy as jnp
        import optax
        names = dict(lr="learning_rate", beta1="b1", beta2="b2") | names

        def make(h):
            optimizer = cls(**renamed(({"lr": lr} if lr else {}) | h, names))
            update = jax.jit(optimizer.update) if jit else optimizer.update
            with jax.enable_x64(dtype == np.float64):
                at = {"weights": [jnp.asarray(w, dtype) for w in self.start()]}
                at["state"] = optimizer.init(at["weights"])

            def step(gradients):
                with jax.enable_x64(dtype == np.float64):
                    gradients = [jnp.asarray(g, dtype) for g in gradients]
                    updates, at["state"] = update(gradients, at["state"], at["weights"])
                    at["weights"] = optax.apply_updates(at["weights"], updates)
                    return at["weights"]
            return step
        return lambda h: lambda: make(h)

    def of_torch(self, cls, betas=(), fixed=None, dtype=None, second=None, **names):
        """betas: the package's defaults of beta1, beta2, …, which it takes in one. second(weight, gradient): the
        gradient of a second step (SAM)."""
        import torch

        def make(h):
            h = dict(h)
            apart = {f"beta{k}": h.pop(f"beta{k}", beta) for k, beta in enumerate(betas, 1)}
            options = renamed(h, names) | (fixed or {}) | ({"betas": tuple(apart.values())} if apart else {})
            weights = [torch.tensor(w, dtype=dtype or torch.float32, requires_grad=True) for w in self.start()]
            optimizer = cls(weights, **options)

            def step(gradients):
                for w, g in zip(weights, gradients):
                    w.grad = torch.tensor(g, dtype=w.dtype)
                if second:
                    optimizer.first_step()
                    for w, g in zip(weights, gradients):
                        w.grad = second(w.detach(), torch.tensor(g))
                    optimizer.second_step()
                else:
                    optimizer.step()
                return [w.detach().numpy() for w in weights]
            return step
        return lambda h: lambda: make(h)


def renamed(h, names):
    return {names.get(key, key): value for key, value in h.items()}


def describe(rule, preset, hyper):
    values = [f"{name}={int(value) if isinstance(value, bool) else value!r}" for name, value in hyper.items()]
    return " ".join([f"{'wrapper' if rule == 'sam' else 'rule'}={rule}", f"preset={preset}", *values])


def write(name, arrays, metadata):
    header, offset = {"__metadata__": metadata}, 0
    for key, array in arrays.items():
        header[key] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(array.astype("<f4").tobytes())
