"""What the makers of trajectories share: where all cases start, which gradients they see, and the file.

All cases start from the same 40 weights and take 50 steps, in float32 on a CPU. The rules go element by element, so the
six kinds of gradients are the rows of one parameter. A file holds

    initial          (40)         the weights before the first step
    gradients.KIND   (50, 40)     one gradient a step; kinds: random, constant, zero, tiny, huge, sparse
    CASE.p20, .p50   (6, 40)      the weights after 20 and after 50 steps, a row for each kind
    CASE.STATE       (6, 40)      a state after 50 steps

and for each CASE the metadata "rule=NAME preset=NAME hyper=value …", with hyper-parameters as Cliv names them.
"""
import json
import os
import struct

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


def describe(rule, preset, hyper):
    values = [f"{name}={int(value) if isinstance(value, bool) else value!r}" for name, value in hyper.items()]
    return " ".join([f"rule={rule}", f"preset={preset}", *values])


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
