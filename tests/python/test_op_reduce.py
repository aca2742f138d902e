"""`cliv op reduce` against NumPy in float64, for every reduction there is."""

import numpy as np
import pytest
from support import SMALL, document, done, refused

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


def rounded(pair):
    """The same value, but for its last rounding and 2^-38 of the terms."""
    value, bound = pair
    return value, lambda *inputs: np.abs(value(*inputs)) / 32 + bound(*inputs) * 2.0**-20


REFERENCE.update({f"{name}_compensated": rounded(REFERENCE[name]) for name in ("sum", "mean", "sumsq", "nrm2")})
TWO["dot_compensated"] = rounded(TWO["dot"])


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


@pytest.mark.parametrize("axes", ["0", "1", "-2", "0,1", "0,2", "2,1,0"])
def test_axes(axes, tmp_path):
    x = data("sum", (5, 18, 33))
    numbers = tuple(int(a) for a in axes.split(","))
    agree("sum", reduced("sum", x, tmp_path, axis=axes), x, numbers)
    if len(numbers) == 1:
        agree("argmax", reduced("argmax", x, tmp_path, axis=axes), x, numbers[0])


def test_segments(tmp_path):
    x = data("sum", (50, 100))
    offsets = [0, 7, 7, 300, 4999]
    np.save(tmp_path / "x.npy", x)
    for dtype in np.int32, np.int64:
        np.save(tmp_path / "offsets.npy", np.array(offsets, dtype))
        files = [tmp_path / "offsets.npy", tmp_path / "x.npy", "-o", tmp_path / "y.npy"]
        done("op", "reduce", "--op", "asum", "--segments", *files)
        got = np.load(tmp_path / "y.npy")
        want = [np.abs(x.ravel()[a:b].astype(np.float64)).sum() for a, b in zip(offsets, offsets[1:])]
        assert got.shape == (4,) and np.allclose(got, want, rtol=1e-6, atol=0)


def test_stats(tmp_path):
    x = data("sum", (40, 123))
    x[3, 5] = np.inf
    np.save(tmp_path / "x.npy", x)
    done("op", "stats", "--axis", "0", "--counts", tmp_path / "n.npy", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    got, wide = np.load(tmp_path / "y.npy"), np.delete(x, 5, 1).astype(np.float64)
    norms = [np.abs(wide).sum(0), np.linalg.norm(wide, axis=0)]
    want = np.stack([wide.min(0), wide.max(0), wide.mean(0), wide.var(0), *norms], -1)
    assert np.allclose(np.delete(got, 5, 0), want, rtol=1e-5, atol=1e-6)
    assert got[5, 1] == np.inf and np.isnan(got[5, 3])
    assert np.load(tmp_path / "n.npy").tolist() == [[40, int(c == 5)] for c in range(123)]


def test_functions_of_ones_own(tmp_path):
    (tmp_path / "own.cl").write_text("""
real far_init(void) { return (real)0; }
real far_map(real x, real y) { return fabs(x - y); }
real far_join(real a, real b) { return choose(a > b, a, b); }
real far_done(real v, ulong n) { return v; }
""")
    x, y = data("sum", (5000,)), data("sum", (5000,), 1)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    files = [tmp_path / "x.npy", tmp_path / "y.npy", "-o", tmp_path / "z.npy"]
    command = ["op", "reduce", "--source", tmp_path / "own.cl", *files]
    done(*command, "--op", "far")
    assert np.load(tmp_path / "z.npy") == np.abs(x - y).max()
    refused(*command, "--op", "near", code=2, says=["near_init"])


def test_what_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 4), np.float32))
    np.save(tmp_path / "down.npy", np.int32([0, 5, 4]))
    np.save(tmp_path / "far.npy", np.int32([0, 5, 14]))
    np.save(tmp_path / "negative.npy", np.int32([-1, 5]))
    np.save(tmp_path / "hole.npy", np.int32([0, 5, 5, 6]))
    out = tmp_path / "y.npy"

    def bad(*options, code=1, says):
        refused("op", "reduce", *options, tmp_path / "x.npy", "-o", out, code=code, says=says, leaves=[out])

    bad("--op", "sum", "--axis", "2", code=2, says=["axis 2", "2 axes"])
    bad("--op", "sum", "--axis", "0,0", code=2, says=["twice"])
    bad("--op", "sum", "--axis", "first", code=2, says=["--axis"])
    bad("--op", "sum", "--axis", "0,", code=2, says=["--axis"])
    bad("--op", "sum", "--axis", "0", "--segments", tmp_path / "far.npy", code=2, says=["exclude"])
    bad("--op", "sum", "--segments", tmp_path / "down.npy", code=2, says=["segment 1", "go down"])
    bad("--op", "sum", "--segments", tmp_path / "far.npy", says=["element 14"])
    bad("--op", "sum", "--segments", tmp_path / "negative.npy", says=["-1"])
    bad("--op", "sum", "--segments", tmp_path / "x.npy", says=["no list of offsets"])
    bad("--op", "max", "--segments", tmp_path / "hole.npy", says=["no elements"])


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
