"""`cliv op factor` against NumPy in float64."""

import numpy as np
import pytest
from support import cliv, document, done, refused

UNIT = 2.0**-24


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def definite(n):
    x = normal(n, 2 * n).astype(np.float64)
    return (x @ x.T / n).astype(np.float32)


def run(folder, op, a, *options, b=None, second=True):
    np.save(folder / "a.npy", a)
    files = [folder / "a.npy"]
    if b is not None:
        np.save(folder / "b.npy", b)
        files.append(folder / "b.npy")
    if second:
        options += ("--second", folder / "second.npy")
    told = document("op", "factor", "--op", op, *options, *files, "-o", folder / "out.npy")
    assert told["kind"] == "factor" and told["op"] == op
    return np.load(folder / "out.npy").astype(np.float64), np.load(folder / "second.npy") if second else None


def near(got, want, units):
    assert got.shape == want.shape and np.abs(got - want).max() <= units * UNIT * np.abs(want).max()


@pytest.mark.parametrize("shape", [(40, 33), (2, 9, 5)])
def test_qr(tmp_path, shape):
    a = normal(*shape)
    q, r = run(tmp_path, "qr", a)
    near(np.swapaxes(q, -1, -2) @ q, np.broadcast_to(np.eye(shape[-1]), r.shape), 32)
    near(q @ r, a, 64)
    assert (np.tril(r, -1) == 0).all() and (np.diagonal(r, axis1=-2, axis2=-1) > 0).all()


def test_eigen(tmp_path):
    a = definite(20) - 2 * np.eye(20, dtype=np.float32)
    v, values = run(tmp_path, "eigen", a)
    near(values, np.linalg.eigvalsh(a.astype(np.float64)), 32)
    near(v * values @ v.T, a.astype(np.float64), 128)
    once, _ = run(tmp_path, "eigen", a, "--sweeps", 1)
    assert not np.array_equal(once, v)  # not done by then


@pytest.mark.parametrize("p", [1, 2, 4])
def test_inverse_root(tmp_path, p):
    a = definite(20)
    got, _ = run(tmp_path, "inverse_root", a, "--p", p, "--ridge", "1e-7", second=False)
    values, v = np.linalg.eigh(a.astype(np.float64))
    near(got, v * (values + 1e-7 * values.max())**(-1 / p) @ v.T, 64 + values.max() / values.min())


def test_orthogonalize(tmp_path):
    a = normal(7, 12)
    got, _ = run(tmp_path, "orthogonalize", a, "--steps", "20", "--coefficients", "2,-1.5,0.5", second=False)
    u, _, v = np.linalg.svd(a.astype(np.float64), full_matrices=False)
    near(got, u @ v, 256)
    narrow, _ = run(tmp_path, "orthogonalize", a, "--bfloat16", second=False)
    assert (narrow.astype(np.float32).view(np.uint32) & 0xFFFF == 0).all()


def test_equations(tmp_path):
    a, b = definite(40), normal(40, 3)
    wide = a.astype(np.float64)
    lower, info = run(tmp_path, "cholesky", a)
    near(lower, np.linalg.cholesky(wide), 256 * np.linalg.cond(wide))
    assert info.shape == () and info == 0
    bound = 64 * np.linalg.cond(wide)
    got, info = run(tmp_path, "solve", a, b=b)
    near(got, np.linalg.solve(wide, b), bound)
    lower = lower.astype(np.float32)
    for options in [], ["--trans"], ["--upper"], ["--upper", "--trans"]:
        given = lower.T if "--upper" in options else lower
        triangle = given.T if "--trans" in options else given
        got, _ = run(tmp_path, "solve_triangular", given, *options, b=b, second=False)
        near(got, np.linalg.solve(triangle.astype(np.float64), b), bound)
    tall = normal(50, 20)
    got, _ = run(tmp_path, "least_squares", tall, b=normal(50, 2), second=False)
    near(got, np.linalg.lstsq(tall.astype(np.float64), normal(50, 2).astype(np.float64), rcond=None)[0], 1024)


def test_what_is_not_definite_is_told(tmp_path):
    files = [tmp_path / name for name in ("a.npy", "b.npy", "out.npy", "info.npy")]
    np.save(files[1], normal(4, 2))
    for op, given in ("cholesky", files[:1]), ("solve", files[:2]):
        np.save(files[0], np.diag([1, 2, -1, 4]).astype(np.float32))
        refused("op", "factor", "--op", op, "--second", files[3], *given, "-o", files[2], code=1,
                says="info is 3", leaves=files[2:])
    np.save(files[0], np.stack([np.eye(4), np.diag([1, -1, 1, 1])]).astype(np.float32))
    refused("op", "factor", "--op", "cholesky", files[0], "-o", files[2], code=1,
            says=("matrix 1 of the batch", "info is 2"), leaves=files[2:])


@pytest.mark.parametrize("op, a, b, out, second", [
    ("qr", (0, 0), None, (0, 0), (0, 0)),
    ("qr", (7, 0), None, (7, 0), (0, 0)),
    ("qr", (2, 7, 0), None, (2, 7, 0), (2, 0, 0)),
    ("qr", (0, 7, 3), None, (0, 7, 3), (0, 3, 3)),
    ("eigen", (0, 0), None, (0, 0), (0,)),
    ("eigen", (3, 0, 0), None, (3, 0, 0), (3, 0)),
    ("cholesky", (0, 0), None, (0, 0), ()),
    ("cholesky", (0, 2, 2), None, (0, 2, 2), (0,)),
    ("solve", (4, 4), (4, 0), (4, 0), ()),
    ("solve_triangular", (0, 0), (0, 3), (0, 3), None),
    ("least_squares", (5, 4), (5, 0), (4, 0), None),
    ("orthogonalize", (0, 5), None, (0, 5), None),
    ("orthogonalize", (5, 0), None, (5, 0), None),
    ("inverse_root", (0, 0), None, (0, 0), None),
])
def test_no_elements(tmp_path, op, a, b, out, second):
    given = np.broadcast_to(np.eye(*a[-2:], dtype=np.float32), a)
    got, other = run(tmp_path, op, given, b=None if b is None else np.ones(b, np.float32), second=second is not None)
    assert got.shape == out and (second is None or other.shape == second)


def test_files_appear_together(tmp_path):
    for name in "a.npy", "second.npy":
        np.save(tmp_path / name, normal(4, 3))
    before = (tmp_path / "second.npy").read_bytes()
    call = ["op", "factor", "--op", "qr", tmp_path / "a.npy", "--second", tmp_path / "second.npy"]
    refused(*call, "-o", tmp_path / "nowhere" / "out.npy", code=1, says="out.npy", leaves=[tmp_path / "nowhere"])
    refused(*call, "-o", tmp_path / "second.npy", code=2, says="same file")
    assert (tmp_path / "second.npy").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npy", "second.npy"]
    refused(*call[:-1], tmp_path / "nowhere" / "r.npy", "-o", tmp_path / "out.npy", code=1, says="r.npy",
            leaves=[tmp_path / "out.npy"])


def test_wrong_usage(tmp_path):
    np.save(tmp_path / "a.npy", normal(3, 4))
    files = [tmp_path / "a.npy", "-o", tmp_path / "out.npy"]

    def fails(*options, code, says):
        got = cliv("op", "factor", *options, *files)
        assert got.returncode == code and says in got.stderr and not (tmp_path / "out.npy").exists()

    fails(code=2, says="--op")
    fails("--op", "lu", code=2, says="op list factor")
    fails("--op", "solve", code=2, says="takes 2 files")
    fails("--op", "orthogonalize", "--second", "s.npy", code=2, says="no second result")
    fails("--op", "orthogonalize", "--coefficients", "1,2", code=2, says="triples")
    fails("--op", "orthogonalize", "--eps", "much", code=2, says="--eps")
    fails("--op", "eigen", "--sweeps=-1", code=2, says="--sweeps")
    fails("--op", "cholesky", code=1, says="square")
    fails("--op", "qr", code=1, says="more columns than rows")
    assert "least_squares" in done("op", "list", "factor")
    assert {f["name"] for f in document("op", "list", "factor")["factor"]} >= {"qr", "eigen", "solve"}
