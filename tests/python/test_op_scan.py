"""`cliv op scan` against NumPy in float64, for every scan there is."""

import numpy as np
import pytest
from support import SMALL, document, done, refused

SCANS = [row["name"] for row in document("op", "list", "scan")["scan"]]
REFERENCE = {
    "sum": np.add.accumulate,
    "prod": np.multiply.accumulate,
    "max": np.maximum.accumulate,
    "min": np.minimum.accumulate,
}
NOTHING = {"sum": 0, "prod": 1, "max": -np.inf, "min": np.inf}


def test_every_scan_has_a_reference():
    assert set(SCANS) == set(REFERENCE)


def data(name, shape):
    rng = np.random.default_rng([len(name), *shape])
    x = rng.standard_normal(shape)
    return (1 + x / 256 if name == "prod" else x * 8 + 1).astype(np.float32)


def scanned(name, x, folder, *options):
    np.save(folder / "x.npy", x)
    done("op", "scan", "--op", name, *options, folder / "x.npy", "-o", folder / "out.npy")
    return np.load(folder / "out.npy")


def agree(name, got, x, axis):
    wide = x.astype(np.float64)
    want = REFERENCE[name](wide, axis=axis)
    assert got.shape == want.shape and got.dtype == np.float32
    if name in ("max", "min"):
        assert np.array_equal(got, want)
        return
    along = np.arange(2, x.shape[axis] + 2).reshape([-1 if d == axis else 1 for d in range(x.ndim)])
    steps = 2 * np.log2(along)
    terms = np.add.accumulate(np.abs(wide), axis=axis)
    bound = terms if name == "sum" else np.abs(want) * along
    assert (np.abs(got - want) <= (steps if name == "sum" else 1) * 2.0**-24 * bound).all()


@pytest.mark.parametrize("name", SCANS)
def test_all_elements(name, tmp_path):
    n = 4999 if SMALL else 1000003 if name != "prod" else 20011
    x = data(name, (n,))
    got = scanned(name, x, tmp_path)
    agree(name, got, x, 0)
    exclusive = scanned(name, x, tmp_path, "--exclusive")
    assert exclusive[0] == NOTHING[name] and np.array_equal(exclusive[1:], got[:-1])


@pytest.mark.parametrize("name", SCANS)
def test_last_axis(name, tmp_path):
    x = data(name, (3, 2, 257))
    agree(name, scanned(name, x, tmp_path, "--axis", "last"), x, 2)


@pytest.mark.parametrize("axis", [0, 1, -2])
def test_any_axis(axis, tmp_path):
    x = data("sum", (17, 300, 5))
    got = scanned("sum", x, tmp_path, "--axis", str(axis))
    agree("sum", got, x, axis % 3)
    assert np.allclose(got, np.cumsum(x, axis=axis, dtype=np.float64), rtol=1e-5, atol=1e-3)
    row = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    assert np.array_equal(np.moveaxis(got, axis, -1), scanned("sum", row, tmp_path, "--axis", "last"))


def test_segments(tmp_path):
    x, offsets = data("sum", (1000,)), np.array([0, 10, 10, 700, 990], np.int64)
    np.save(tmp_path / "offsets.npy", offsets)
    got = scanned("sum", x, tmp_path, "--segments", tmp_path / "offsets.npy")
    for low, high in zip(offsets[:-1], offsets[1:]):
        assert np.array_equal(got[low:high], scanned("sum", x[low:high], tmp_path)) or low == high
    assert not got[990:].any()


def test_integers(tmp_path):
    whole = np.arange(-500, 4500, dtype=np.int32)
    got = scanned("sum", whole, tmp_path)
    assert got.dtype == np.int64 and np.array_equal(got, whole.cumsum(dtype=np.int64))
    got = scanned("min", whole[::-1].copy(), tmp_path, "--exclusive")
    assert got.dtype == np.int32 and got[0] == 2**31 - 1 and got[1] == 4499 and got[-1] == -499


def test_refusals(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(3, np.float32))
    to = [tmp_path / "x.npy", "-o", tmp_path / "y.npy"]
    refused("op", "scan", "--op", "median", *to, code=2, says=["median", "cliv op list scan"])
    refused("op", "scan", "--op", "sum", "--axis", "first", *to, code=2, says=["first", "all, last"])
    refused("op", "scan", "--op", "sum", "--axis", "0,1", *to, code=2, says=["one axis", "2 axes"])
    refused("op", "scan", "--op", "sum", "--axis", "last", "--segments", "o.npy", *to, code=2, says="--segments")
    for offsets, code, says in [
        (np.zeros(3, np.float32), 1, "int32 or int64"),
        (np.int32([0, 2, 1]), 2, ["segment 1", "go down"]),
        (np.int64([0, 2, 9]), 1, "element 9"),
        (np.int64([-1, 2]), 1, "-1"),
    ]:
        np.save(tmp_path / "o.npy", offsets)
        refused("op", "scan", "--op", "sum", "--segments", tmp_path / "o.npy", *to, code=code, says=says,
                leaves=[tmp_path / "y.npy"])


def test_functions_of_ones_own(tmp_path):
    (tmp_path / "own.cl").write_text("""
real far_init(void) { return (real)0; }
real far_join(real a, real b) { return choose(fabs(b) > fabs(a), b, a); }
""")
    x = np.random.default_rng(9).standard_normal(5000).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    files = [tmp_path / "x.npy", "-o", tmp_path / "y.npy"]
    command = ["op", "scan", "--source", tmp_path / "own.cl", "--op", "far", *files]
    done(*command)
    assert np.array_equal(np.abs(np.load(tmp_path / "y.npy")), np.maximum.accumulate(np.abs(x)))
    np.save(tmp_path / "o.npy", np.int32([0, 3000, 5000]))
    done(*command, "--segments", tmp_path / "o.npy")
    pieces = [np.maximum.accumulate(np.abs(x[a:b])) for a, b in [(0, 3000), (3000, 5000)]]
    assert np.array_equal(np.abs(np.load(tmp_path / "y.npy")), np.concatenate(pieces))
