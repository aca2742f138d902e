"""`cliv op gemv`, `ger`, `axpy`, `syrk`, `symm`, `trmm` and `trsm` against NumPy in float64."""

import numpy as np
import pytest
from support import document, done, refused

UNIT = 2.0**-24


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def triangular(*shape, upper=False):
    """A triangle that solves well, with numbers in the other one that must not matter."""
    x = normal(*shape) / 4 + 2 * np.eye(shape[-1], dtype=np.float32)
    other = np.tril(np.full(shape, np.nan, np.float32), -1)
    return (np.triu(x) if upper else np.tril(x)) + (other if upper else np.swapaxes(other, -1, -2))


def run(folder, kind, *operands, options=(), **named):
    """Operands in order, named ones by their options; arrays become files."""
    files = []
    for i, x in enumerate(operands):
        files.append(folder / f"{i}.npy")
        np.save(files[-1], x)
    for name, x in named.items():
        np.save(folder / f"{name}.npy", x)
        options = [*options, f"--{name}", folder / f"{name}.npy"]
    told = document("op", kind, *options, *files, "-o", folder / "out.npy")
    assert told["kind"] == told["op"] == kind and told["provider"] in ("exact", "clblast")
    got = np.load(folder / "out.npy")
    assert told["shape"] == list(got.shape)
    return got


def near(got, want, terms):
    """terms: of the sum of magnitudes, as many as are added."""
    want, magnitude, count = want, *terms
    assert got.shape == want.shape and (np.abs(got - want) <= UNIT * (count + 3) * magnitude).all()


def wide(*arrays):
    return [x.astype(np.float64) for x in arrays]


@pytest.mark.parametrize("shape", [(40,), (40, 1), (1, 40)])
def test_gemv(tmp_path, shape):
    a, x = normal(33, 40), normal(*shape)
    got = run(tmp_path, "gemv", a, x)
    want, magnitude = wide(a)[0] @ x.ravel(), np.abs(a) @ np.abs(x.ravel())
    near(got, want.reshape([33 if n == 40 else n for n in shape]), (magnitude.reshape(got.shape), 40))


def test_gemv_of_the_transposed(tmp_path):
    a, x, y = normal(33, 40), normal(33), normal(40)
    got = run(tmp_path, "gemv", a, x, options=["--trans", "--alpha", "-0.5", "--beta", "2"], y=y)
    wa, wx, wy = wide(a, x, y)
    near(got, -0.5 * wa.T @ wx + 2 * wy, (0.5 * abs(wa).T @ abs(wx) + 2 * abs(wy), 33))
    assert np.array_equal(run(tmp_path, "gemv", a[:0], x[:0], options=["--trans"], y=y), y)


def test_ger_and_axpy(tmp_path):
    a, x, y = normal(33, 17), normal(33), normal(17)
    wa, wx, wy = wide(a, x, y)
    got = run(tmp_path, "ger", x, y, a, options=["--alpha", "0.5"])
    near(got, wa + 0.5 * np.outer(wx, wy), (abs(wa) + 0.5 * abs(np.outer(wx, wy)), 1))
    b = normal(3, 33, 17)
    got = run(tmp_path, "axpy", np.stack([a] * 3), b, options=["--alpha", "-3"])
    near(got, b - 3 * wa, (abs(b) + 3 * abs(wa), 1))
    assert np.array_equal(run(tmp_path, "axpy", np.float32(2), np.float32(3)), np.float32(5))


@pytest.mark.parametrize("shape, upper", [((20, 33), False), ((3, 20, 9), True)])
def test_syrk(tmp_path, shape, upper):
    a, part = normal(*shape), np.triu if upper else np.tril
    wa = wide(a)[0]
    flags = ["--upper"] * upper
    got = run(tmp_path, "syrk", a, options=flags)
    want, magnitude = wa @ np.swapaxes(wa, -1, -2), abs(wa) @ np.swapaxes(abs(wa), -1, -2)
    near(got, part(want), (part(magnitude), shape[-1]))
    c = normal(*shape[:-2], 20, 20, seed=1)
    got = run(tmp_path, "syrk", np.swapaxes(a, -1, -2), options=[*flags, "--trans", "--beta", "-1"], c=c)
    near(part(got), part(want - c), (part(magnitude + abs(c)), shape[-1]))
    assert np.array_equal(got - part(got), c - part(c))


@pytest.mark.parametrize("right, upper", [(False, True), (True, False)])
def test_symm(tmp_path, right, upper):
    b = normal(20, 33)
    n = 33 if right else 20
    a = triangular(n, n, upper=upper)
    whole = wide(np.where(np.isnan(a), a.T, a))[0]
    sides = (b, whole) if right else (whole, b)
    got = run(tmp_path, "symm", a, b, options=["--right"] * right + ["--upper"] * upper, c=b)
    near(got, sides[0] @ sides[1] + b, (abs(sides[0]) @ abs(sides[1]) + abs(b), n))


@pytest.mark.parametrize("flags", [(), ("--upper", "--trans"), ("--right", "--upper", "--unit")])
def test_triangles(tmp_path, flags):
    batch = () if "--right" in flags else (2,)
    b = normal(*batch, 20, 33)
    n = 33 if "--right" in flags else 20
    a = triangular(*batch, n, n, upper="--upper" in flags)
    if "--unit" in flags:
        a /= 8
    whole = wide(np.where(np.isnan(a), 0, a))[0]
    if "--unit" in flags:
        whole += np.eye(n) * (1 - whole)
    whole = np.swapaxes(whole, -1, -2) if "--trans" in flags else whole
    product = (lambda x, y: y @ x) if "--right" in flags else (lambda x, y: x @ y)
    options = [*flags, "--alpha", "0.5"]
    got = run(tmp_path, "trmm", a, b, options=options)
    near(got, 0.5 * product(whole, b), (0.5 * product(abs(whole), abs(b)), n))
    x = run(tmp_path, "trsm", a, b, options=options).astype(np.float64)
    # The residual of a substitution: each row's sum is rounded once a term.
    near(product(whole, x), 0.5 * b.astype(np.float64), (product(abs(whole), abs(x)), n))


def test_halves(tmp_path):
    """Rounded once, to nearest even."""
    a, x = (np.round(4 * normal(*shape)).astype(np.float16) for shape in ((33, 40), (40,)))
    sums = a.astype(np.float64) @ x / 3
    got = run(tmp_path, "gemv", a, x, options=["--alpha", str(1 / 3)])
    assert got.dtype == np.float16 and (np.abs(got - sums) <= np.abs(sums) * 2.0**-10.9).all()
    whole = a.astype(np.float64) @ a.T
    got = run(tmp_path, "syrk", a)
    assert got.dtype == np.float16 and np.array_equal(got, np.tril(whole).astype(np.float16))


def test_doubles(tmp_path):
    a, x = wide(normal(9, 7), normal(7))
    got = run(tmp_path, "gemv", a, x)
    assert got.dtype == np.float64 and np.allclose(got, a @ x, rtol=0, atol=1e-13)


def test_refused(tmp_path):
    out = tmp_path / "out.npy"
    arrays = {"a": normal(3, 4), "s": normal(3, 3), "x": normal(4), "y": normal(3), "wide": normal(4).astype(float),
              "cube": normal(2, 3, 3), "one": np.float32(1)}
    file = {}
    for name, array in arrays.items():
        file[name] = tmp_path / f"{name}.npy"
        np.save(file[name], array)

    def fails(kind, *operands, code=1, says=(), options=()):
        refused("op", kind, *options, *(file.get(x, x) for x in operands), "-o", out, code=code, says=says,
                leaves=[out])

    refused("op", "gemv", file["a"], file["x"], code=2, says="-o")
    fails("gemv", "a", code=2, says="missing")
    fails("gemv", "a", "absent.npy", says="absent.npy")
    fails("gemv", "x", "x", says=["x.npy", "1 axis", "a matrix has two"])
    fails("gemv", "a", "s", says=["s.npy", "3 and 3 long"])
    fails("gemv", "a", "y", says="x has 3 elements")
    fails("gemv", "a", "wide", says=["a.npy", "float32", "wide.npy", "float64"])
    fails("gemv", "a", "x", code=2, options=["--beta", "2"], says="--y")
    fails("gemv", "a", "x", code=2, options=["--beta", "two", "--y", file["y"]], says="'two'")
    fails("gemv", "a", "x", code=2, options=["--unit"], says="--unit")
    fails("gemv", "a", "x", code=2, options=["--provider", "mkl"], says="mkl")
    fails("ger", "x", "y", "a", says="x has 4 elements and y has 3")
    fails("axpy", "x", "y", says="shapes must be equal")
    fails("syrk", "x", says=["x.npy", "a batch of matrices three"])
    fails("syrk", "a", options=["--c", file["a"]], says="3 × 3")
    fails("symm", "a", "a", says="A must be square")
    fails("symm", "s", "a", options=["--right"], says="with A on the right")
    fails("trmm", "cube", "a", says="as many matrices")
    fails("trsm", "s", "x", says=["x.npy", "1 axis"])
    fails("trsm", "one", "a", says=["one.npy", "0 axes"])


def test_list(tmp_path):
    told = document("op", "list")
    for kind in "gemv", "ger", "axpy", "syrk", "symm", "trmm", "trsm", "sort":
        assert [o["name"] for o in told[kind]] == [kind]
        assert kind in done("op", "list", kind)
    refused("op", "list", "wavelet", code=2, says=["wavelet", "trsm"])
