"""`cliv op gemm` against NumPy in float64."""

import numpy as np
import pytest
from support import cliv, document, done

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
    limit = UNIT * (a.shape[1] + 3) * (abs(alpha) * (np.abs(a) @ np.abs(b)) + abs(beta * c))
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
