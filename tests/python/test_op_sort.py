"""`cliv op sort`, `topk` and `quantile` against NumPy."""

import numpy as np
import pytest
from support import done, refused


def run(folder, x, *arguments):
    np.save(folder / "x.npy", x)
    done("op", *arguments, folder / "x.npy", "-o", folder / "out.npy")
    return np.load(folder / "out.npy")


def data(dtype, shape, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape) * 50
    if np.dtype(dtype).kind == "f":
        x[0, 1] = np.nan
    return (abs(x) if dtype == "uint8" else x).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "int64", "uint8"])
def test_sort(dtype, tmp_path):
    x = data(dtype, (5, 700))
    assert np.array_equal(run(tmp_path, x, "sort", "--axis", "last"), np.sort(x, axis=-1), equal_nan=dtype[0] == "f")
    assert np.array_equal(run(tmp_path, x, "sort").ravel(), np.sort(x.ravel()), equal_nan=dtype[0] == "f")
    places = run(tmp_path, x, "sort", "--argsort", "--axis", "last")
    assert places.dtype == np.int64 and np.array_equal(places, np.argsort(x, axis=-1, kind="stable"))


def test_descending(tmp_path):
    x = data("float32", (2, 50))
    got = run(tmp_path, x, "sort", "--descending", "--axis", "last")
    want = -np.sort(-x, axis=-1)
    assert np.array_equal(got, want, equal_nan=True) and np.isnan(got[0, -1])


def test_topk(tmp_path):
    x = data("int32", (4, 300))
    got = run(tmp_path, x, "topk", "-k", 9, "--axis", "last", "--places", tmp_path / "p.npy")
    places = np.argsort(-x, axis=-1, kind="stable")[:, :9]
    assert np.array_equal(np.load(tmp_path / "p.npy"), places)
    assert np.array_equal(got, np.take_along_axis(x, places, -1))
    assert np.array_equal(run(tmp_path, x, "topk", "-k", 3, "--smallest"), np.sort(x.ravel())[:3])


def test_quantile(tmp_path):
    x = data("float32", (3, 1001))
    q = [0, 0.1, 0.5, 0.77, 1]
    got = run(tmp_path, x, "quantile", "--q", ",".join(map(str, q)), "--axis", "last")
    want = np.quantile(x.astype(np.float64), q, axis=-1).T
    assert got.shape == (3, 5) and np.isnan(got[0]).all()
    assert np.allclose(got[1:], want[1:], rtol=1e-6, atol=0)
    assert run(tmp_path, x[1:], "quantile", "--q", "0.5") == np.median(x[1:])


def test_refusals(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 3), np.float32))
    to = [tmp_path / "x.npy", "-o", tmp_path / "y.npy"]
    refused("op", "sort", "--axis", "first", *to, code=2, says=["first", "all or last"])
    refused("op", "topk", *to, code=2, says="-k")
    refused("op", "topk", "-k", "many", *to, code=2, says="many")
    refused("op", "topk", "-k", "4", "--axis", "last", *to, code=2, says="first 4 of 3", leaves=[tmp_path / "y.npy"])
    refused("op", "quantile", "--q", "0.5,2", *to, code=2, says="2")
    refused("op", "quantile", *to, code=2, says="--q")
