"""`cliv op rows` against NumPy in float64, for every operation there is."""

import numpy as np
import pytest
from support import SMALL, document, done, refused

ROWS = {row["name"]: row for row in document("op", "list", "rows")["rows"]}
ROUNDING = 2.0**-24


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x):
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def total(x):
    return x.sum(-1, keepdims=True)


# name: (the value, in float64; what its error is bounded by, as multiples of 2^-24)
REFERENCE = {
    "softmax": (softmax, lambda x: (96 + x.max(-1, keepdims=True) - x) * softmax(x)),
    "log_softmax": (log_softmax, lambda x: 96 + 4 * np.abs(log_softmax(x))),
    "softmax_backward": (
        lambda x, y: x * (y - total(x * y)),
        lambda x, y: np.abs(x) * (64 * total(np.abs(x * y)) + 4 * np.abs(y)),
    ),
    "log_softmax_backward": (
        lambda x, y: y - np.exp(x) * total(y),
        lambda x, y: 64 * np.exp(x) * total(np.abs(y)) + 4 * np.abs(y),
    ),
}


def test_every_operation_has_a_reference():
    assert set(ROWS) == set(REFERENCE)


def inputs(name, shape):
    """Logits, or what softmax made of them, and gradients."""
    rng = np.random.default_rng([len(name), *shape])
    x = rng.standard_normal(shape) * 5
    before = {"softmax_backward": softmax, "log_softmax_backward": log_softmax}
    made = before.get(name, lambda x: x)(x).astype(np.float32)
    return [made, rng.standard_normal(shape).astype(np.float32)][: ROWS[name]["inputs"]]


def worked(name, arrays, folder):
    files = [folder / f"in{i}.npy" for i in range(len(arrays))]
    for file, array in zip(files, arrays):
        np.save(file, array)
    done("op", "rows", "--op", name, *files, "-o", folder / "out.npy")
    return np.load(folder / "out.npy")


SHAPES = [(7,), (3, 5, 10), (20, 16), (4, 1000)] + ([] if SMALL else [(3, 20000), (200003,)])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_rows(name, shape, tmp_path):
    arrays = inputs(name, shape)
    got = worked(name, arrays, tmp_path)
    value, bound = REFERENCE[name]
    wide = [array.astype(np.float64) for array in arrays]
    assert got.shape == shape and got.dtype == np.float32
    assert (np.abs(got - value(*wide)) <= ROUNDING * bound(*wide) + 2.0**-149).all()


def test_half(tmp_path):
    x = inputs("softmax", (6, 50))[0].astype(np.float16)
    got = worked("softmax", [x], tmp_path)
    assert got.dtype == np.float16
    assert np.allclose(got, softmax(x.astype(np.float64)), rtol=2.0**-10, atol=2.0**-24)


def test_special_values(tmp_path):
    inf = np.inf
    got = worked("softmax", [np.float32([[-inf, 0, 0], [-inf, -inf, -inf], [inf, 0, 1], [np.nan, 0, 1]])], tmp_path)
    assert got[0].tolist() == [0, 0.5, 0.5] and np.isnan(got[1:]).all()


def test_what_is_printed(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 4), np.float32))
    command = ["op", "rows", "--op", "softmax", tmp_path / "x.npy", "-o", tmp_path / "y.npy"]
    assert done(*command) == f"{tmp_path}/y.npy: float32 [2, 4]\n"
    told = document(*command)
    assert told["kind"] == "rows" and told["op"] == "softmax" and told["shape"] == [2, 4]


def test_refusals(tmp_path):
    x, out = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, np.zeros((2, 4), np.int32))
    rows = ["op", "rows", x, "-o", out]
    refused(*rows, code=2, says="--op")
    refused(*rows, "--op", "softmin", code=2, says=["softmin", "cliv op list rows"], leaves=[out])
    refused(*rows, "--op", "softmax_backward", code=2, says="takes two files", leaves=[out])
    refused(*rows, x, "--op", "softmax", code=2, says="takes one file", leaves=[out])
    refused(*rows, "--op", "softmax", code=1, says=["softmax", "int32"], leaves=[out])
