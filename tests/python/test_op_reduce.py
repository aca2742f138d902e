"""`cliv op reduce` against NumPy in float64, for every reduction there is."""

import numpy as np
import pytest
from support import SMALL, document, done

REDUCTIONS = {row["name"]: row for row in document("op", "list", "reduce")["reduce"]}
SIZES = [0, 1, 255, 256, 257, 4095, 4096, 4097] + ([] if SMALL else [1000003])
ROUNDING = 64 * 2.0**-24


def logsumexp(x, axis):
    top = x.max(axis=axis, keepdims=True, initial=-np.inf)
    with np.errstate(divide="ignore"):
        terms = np.exp(x - np.where(np.isfinite(top), top, 0))
        return (np.log(terms.sum(axis=axis, keepdims=True)) + top).squeeze(axis)


# name: the value, in float64, and what the error is bounded by, as multiples of 64 * 2^-24: the sum of the absolute
# terms. None: the result is exact.
def terms(x, axis):
    return np.abs(x).sum(axis=axis)


def squares(x, axis):
    return (x * x).sum(axis=axis)


def count(x, axis):
    return x.size if axis is None else x.shape[axis]


REFERENCE = {
    "sum": (lambda x, axis: x.sum(axis=axis), terms),
    "mean": (lambda x, axis: x.mean(axis=axis), lambda x, axis: terms(x, axis) / count(x, axis)),
    "prod": (lambda x, axis: x.prod(axis=axis), lambda x, axis: np.abs(x).prod(axis=axis)),
    "sumsq": (squares, squares),
    "nrm2": (lambda x, axis: np.sqrt(squares(x, axis)), lambda x, axis: np.sqrt(squares(x, axis))),
    "asum": (terms, terms),
    "min": (lambda x, axis: x.min(axis=axis), None),
    "max": (lambda x, axis: x.max(axis=axis), None),
    "amin": (lambda x, axis: np.abs(x).min(axis=axis), None),
    "amax": (lambda x, axis: np.abs(x).max(axis=axis), None),
    "argmin": (lambda x, axis: x.argmin(axis=axis), None),
    "argmax": (lambda x, axis: x.argmax(axis=axis), None),
    "var": (lambda x, axis: x.var(axis=axis), lambda x, axis: x.var(axis=axis)),
    "std": (lambda x, axis: x.std(axis=axis), lambda x, axis: x.std(axis=axis)),
    "logsumexp": (logsumexp, lambda x, axis: np.maximum(np.abs(logsumexp(x, axis)), 1)),
    "count_nonzero": (lambda x, axis: np.count_nonzero(x, axis=axis), None),
    "count_nonfinite": (lambda x, axis: (~np.isfinite(x)).sum(axis=axis), None),
    "all_finite": (lambda x, axis: np.isfinite(x).all(axis=axis), None),
    "any": (lambda x, axis: (x != 0).any(axis=axis), None),
}
TWO = {"dot": (lambda x, y, axis: (x * y).sum(axis=axis), lambda x, y, axis: np.abs(x * y).sum(axis=axis))}


def test_every_reduction_has_a_reference():
    assert set(REDUCTIONS) == set(REFERENCE) | set(TWO)
    assert {name for name, row in REDUCTIONS.items() if row["inputs"] == 2} == set(TWO)


def data(name, shape, seed=0):
    """Float32 values that suit the operation: some repeated and some zero; near 1 for products."""
    rng = np.random.default_rng([seed, len(name), *shape])
    x = rng.standard_normal(shape)
    if name == "prod":
        return (1 + x / 64).astype(np.float32)
    x = np.round(x, 3) * 8 if name in ("argmin", "argmax", "min", "max", "amin", "amax") else x * 8 + 1
    x[rng.random(shape) < 0.1] = 0
    return x.astype(np.float32)


def reduced(name, x, folder, axis="all", y=None):
    np.save(folder / "x.npy", x)
    files = [folder / "x.npy"]
    if y is not None:
        np.save(folder / "y.npy", y)
        files.append(folder / "y.npy")
    done("op", "reduce", "--op", name, "--axis", axis, *files, "-o", folder / "out.npy")
    return np.load(folder / "out.npy")


def agree(name, got, x, axis, y=None):
    wide = x.astype(np.float64)
    value, bound = TWO[name] if y is not None else REFERENCE[name]
    inputs = (wide, y.astype(np.float64)) if y is not None else (wide,)
    want = np.asarray(value(*inputs, axis))
    assert got.shape == want.shape
    if bound is None:
        assert np.array_equal(got, want)
        return
    limit = ROUNDING * bound(*inputs, axis)
    assert np.isfinite(want).all() and (np.abs(got - want) <= limit).all(), np.abs(got - want).max() / ROUNDING


@pytest.mark.parametrize("name", sorted(REDUCTIONS))
def test_all_elements(name, tmp_path):
    n = 4999 if SMALL else 1000003 if name != "prod" else 20011
    x, y = data(name, (n,)), data(name, (n,), 1) if name in TWO else None
    agree(name, reduced(name, x, tmp_path, y=y), x, None, y)


@pytest.mark.parametrize("name", sorted(REDUCTIONS))
def test_last_axis(name, tmp_path):
    x, y = data(name, (3, 2, 257)), data(name, (3, 2, 257), 1) if name in TWO else None
    agree(name, reduced(name, x, tmp_path, axis="last", y=y), x, -1, y)


@pytest.mark.parametrize("n", SIZES)
def test_sizes(n, tmp_path):
    for name in ("sum", "argmax") if n else ("sum",):
        x = data(name, (n,))
        agree(name, reduced(name, x, tmp_path), x, None)


@pytest.mark.parametrize("columns", [1, 4097])
def test_rows(columns, tmp_path):
    for name in ("sum", "logsumexp"):
        x = data(name, (5, columns))
        agree(name, reduced(name, x, tmp_path, axis="last"), x, -1)


def test_result_types(tmp_path):
    x = data("sum", (100,))
    kinds = {name: str(reduced(name, x, tmp_path, y=x if name in TWO else None).dtype)
             for name in ("sum", "argmax", "any", "dot")}
    assert kinds == {"sum": "float32", "argmax": "int64", "any": "uint8", "dot": "float32"}
    whole = np.arange(-5, 100, dtype=np.int32)
    assert reduced("sum", whole, tmp_path) == whole.sum()
    half = x.astype(np.float16)
    assert abs(float(reduced("mean", half, tmp_path)) - half.astype(np.float64).mean()) < 1e-3


def test_no_elements(tmp_path):
    empty = np.zeros((0,), np.float32)
    assert reduced("prod", empty, tmp_path) == 1
    assert reduced("logsumexp", empty, tmp_path) == -np.inf
    assert np.isnan(reduced("mean", empty, tmp_path))
    assert reduced("sum", np.zeros((3, 0), np.float32), tmp_path, axis="last").tolist() == [0, 0, 0]
    assert reduced("max", np.zeros((0, 3), np.float32), tmp_path, axis="last").shape == (0,)


def test_what_is_printed(tmp_path):
    np.save(tmp_path / "x.npy", np.float32([1, 2, 4]))
    command = ["op", "reduce", "--op", "sum", tmp_path / "x.npy", "-o", tmp_path / "y.npy"]
    assert done(*command) == f"{tmp_path}/y.npy: float32 [] = 7\n"
    told = document(*command)
    assert told["value"] == 7 and told["shape"] == [] and told["dtype"] == "float32" and told["op"] == "sum"
    np.save(tmp_path / "x.npy", np.float32([1, np.nan]))
    assert document(*command)["value"] is None
