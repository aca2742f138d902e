"""`cliv op gemm` against NumPy in float64."""

import numpy as np
import pytest
from support import cliv, document, done, refused

UNIT = 2.0**-24


def product(folder, a, b, *options, c=None):
    np.save(folder / "a.npy", a)
    np.save(folder / "b.npy", b)
    if c is not None:
        np.save(folder / "c.npy", c)
        options += ("--c", folder / "c.npy")
    told = document("op", "gemm", *options, folder / "a.npy", folder / "b.npy", "-o", folder / "out.npy")
    return np.load(folder / "out.npy"), told


def agree(got, a, b, alpha=1.0, beta=0.0, c=0.0):
    a, b, c = (np.asarray(x, np.float64) for x in (a, b, c))
    want = alpha * (a @ b) + beta * c
    # A chain of k products and sums, then alpha, beta and the last sum, each rounded.
    limit = UNIT * (a.shape[-1] + 3) * (abs(alpha) * (np.abs(a) @ np.abs(b)) + abs(beta * c))
    assert got.shape == want.shape and (np.abs(got - want) <= limit).all()


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (5, 7, 3), (64, 48, 100), (129, 1, 300), (1, 130, 257)])
def test_exact(tmp_path, m, n, k):
    a, b = normal(m, k), normal(k, n, seed=1)
    got, told = product(tmp_path, a, b, "--provider", "exact")
    assert told["op"] == "exact"
    agree(got, a, b)


@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
def test_transposes_and_factors(tmp_path, ta, tb):
    m, n, k = 33, 65, 40
    a, b, c = normal(m, k), normal(k, n, seed=1), normal(m, n, seed=2)
    options = ["--alpha", "-0.5", "--beta", "1.5"] + ["--ta"] * ta + ["--tb"] * tb
    got, _ = product(tmp_path, a.T if ta else a, b.T if tb else b, *options, c=c)
    agree(got, a, b, -0.5, 1.5, c)


def test_small_integers_are_exact(tmp_path):
    rng = np.random.default_rng(3)
    a, b = (rng.integers(-9, 10, shape).astype(np.float32) for shape in ((40, 50), (50, 30)))
    assert np.array_equal(product(tmp_path, a, b)[0], a @ b)


@pytest.mark.parametrize("a, b, out", [((3, 5, 7), (7, 4), (3, 5, 4)), ((5, 7), (3, 7, 4), (3, 5, 4)),
                                       ((3, 5, 7), (3, 7, 4), (3, 5, 4)), ((1, 5, 7), (3, 7, 4), (3, 5, 4)),
                                       ((0, 5, 7), (1, 7, 4), (0, 5, 4)), ((1, 5, 7), (7, 4), (1, 5, 4))])
def test_batches(tmp_path, a, b, out):
    x, y = normal(*a), normal(*b, seed=1)
    got, told = product(tmp_path, x, y)
    assert told["shape"] == list(out)
    one = out[0] == 1  # which is no batch: it is known who computes it
    assert ("provider" in told) == one and (told["op"] != "auto") == one
    agree(got, x, y)


def test_a_batch_of_transposes_with_c(tmp_path):
    x, y, c = normal(3, 5, 7), normal(3, 4, 7, seed=1), normal(3, 5, 4, seed=2)
    got, _ = product(tmp_path, np.swapaxes(x, 1, 2), y, "--ta", "--tb", "--beta", "-1", c=c)
    agree(got, x, np.swapaxes(y, 1, 2), 1, -1, c)


def relu(x):
    return np.maximum(x, 0)


def silu(x):
    return x / (1 + np.exp(-x))


@pytest.mark.parametrize("rows, name, function", [(False, "none", lambda x: x), (True, "relu", relu),
                                                  (False, "silu", silu)])
def test_bias_and_activation(tmp_path, rows, name, function):
    a, b = normal(6, 9), normal(9, 4, seed=1)
    bias = normal(6 if rows else 4, seed=2)
    np.save(tmp_path / "bias.npy", bias)
    options = ["--bias", tmp_path / "bias.npy", "--activation", name] + ["--bias-rows"] * rows
    got, _ = product(tmp_path, a, b, *options)
    along = bias[:, None] if rows else bias
    want = a.astype(np.float64) @ b + along
    # No activation here has a slope above 1.1; its own error is of a few units.
    limit = 1.1 * UNIT * ((9 + 4) * (np.abs(a) @ np.abs(b) + abs(along)) + 8)
    assert (np.abs(got - function(want)) <= limit).all()


def test_halves(tmp_path):
    a, b = normal(6, 9).astype(np.float16), normal(9, 4, seed=1).astype(np.float16)
    got, told = product(tmp_path, a, b)
    want = a.astype(np.float64) @ b.astype(np.float64)
    assert told["dtype"] == "float16" and (np.abs(got - want) <= 2.0**-11 * abs(want) + 2.0**-20).all()
    np.save(tmp_path / "c.npy", normal(6, 4))
    refused("op", "gemm", tmp_path / "a.npy", tmp_path / "b.npy", "--c", tmp_path / "c.npy", "-o", tmp_path / "no.npy",
            code=1, says=["a.npy", "float16", "c.npy", "float32"], leaves=[tmp_path / "no.npy"])


def test_refused(tmp_path):
    out, vector = tmp_path / "out.npy", tmp_path / "vector.npy"
    for name, array in {"a": normal(3, 4), "b": normal(4, 2), "vector": normal(3), "batch": normal(2, 4, 2)}.items():
        np.save(tmp_path / f"{name}.npy", array)
    call = ["op", "gemm", tmp_path / "a.npy", tmp_path / "b.npy", "-o", out]
    refused(*call, "--bias", vector, code=1, says="each of 2 columns", leaves=[out])
    refused(*call, "--bias", tmp_path / "absent.npy", code=1, says="absent.npy", leaves=[out])
    refused(*call, "--bias-rows", code=2, says="--bias", leaves=[out])
    refused(*call, "--activation", "rely", code=2, says=["rely", "relu"], leaves=[out])
    refused(*call, "--c", vector, code=1, says=["vector.npy", "1 axis"], leaves=[out])
    refused(*call, "--c", vector, "--beta", "half", code=2, says=["--beta", "half"], leaves=[out])
    refused("op", "gemm", tmp_path / "a.npy", tmp_path / "batch.npy", "--c", tmp_path / "a.npy", "-o", out, code=1,
            says="3 × 2", leaves=[out])
    refused("op", "gemm", *[tmp_path / "b.npy"] * 2, "-o", out, code=1, says="op(A) is 4 × 2", leaves=[out])


def test_empty(tmp_path):
    assert np.array_equal(product(tmp_path, normal(3, 0), normal(0, 2))[0], np.zeros((3, 2)))
    assert product(tmp_path, normal(0, 4), normal(4, 2))[0].shape == (0, 2)


def test_clblast(tmp_path):
    """Where CLBlast is built in it computes the same product; elsewhere one is told so."""
    a, b = normal(16, 24), normal(24, 8, seed=1)
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    if "with CLBlast" in done("--version"):
        got, told = product(tmp_path, a, b, "--provider", "clblast")
        assert told["op"] == "clblast"
        agree(got, a, b)
    else:
        run = cliv("op", "gemm", "--provider", "clblast", tmp_path / "a.npy", tmp_path / "b.npy",
                   "-o", tmp_path / "out.npy")
        assert run.returncode == 1 and "CLBlast" in run.stderr
