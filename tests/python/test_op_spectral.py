"""`cliv op convolve` and `cliv op smooth` against NumPy in float64."""

import numpy as np
import pytest
from support import document, done, refused


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def run(folder, kind, *operands, options=()):
    files = []
    for i, x in enumerate(operands):
        files.append(folder / f"{i}.npy")
        np.save(files[-1], x)
    told = document("op", kind, *options, *files, "-o", folder / "out.npy")
    got = np.load(folder / "out.npy")
    assert told["kind"] == kind and told["shape"] == list(got.shape) and told["dtype"] == str(operands[0].dtype)
    return got, told


def cut(whole, n, m, mode):
    """The part of a whole convolution along its last axis."""
    first, count = {"full": (0, n + m - 1), "same": ((m - 1) // 2, n), "valid": (m - 1, n - m + 1)}[mode]
    return whole[..., first:first + count]


def near(got, want, x, y, unit=1e-6):
    assert got.shape == want.shape
    assert np.abs(got - want).max(initial=0) <= unit * np.linalg.norm(x) * np.linalg.norm(y)


@pytest.mark.parametrize("n, m, mode, correlate", [(1, 1, "full", False), (97, 20, "full", False),
                                                   (97, 20, "same", True), (300, 300, "valid", False)])
def test_lines(tmp_path, n, m, mode, correlate):
    x, y = normal(n), normal(m, seed=1)
    got, told = run(tmp_path, "convolve", x, y, options=["--mode", mode] + ["--correlate"] * correlate)
    assert told["op"] == ("correlate" if correlate else "convolve")
    whole = np.convolve(x.astype(float), y[::-1].astype(float) if correlate else y)
    near(got, cut(whole, n, m, mode), x, y)


def test_every_row_with_one(tmp_path):
    x, y = normal(5, 30), normal(1, 8)
    got, _ = run(tmp_path, "convolve", x, y)
    near(got, np.stack([np.convolve(row.astype(float), y[0]) for row in x]), x, y)


def test_plane(tmp_path):
    x, y = normal(2, 13, 9), normal(2, 4, 5, seed=1)
    got, _ = run(tmp_path, "convolve", x, y, options=["--axes=-2,-1", "--mode", "same"])
    sides = (16, 13)
    whole = np.fft.irfftn(np.fft.rfftn(x.astype(float), sides, (1, 2)) * np.fft.rfftn(y.astype(float), sides, (1, 2)),
                          sides, (1, 2))
    near(got, whole[:, 1:14, 2:11], x, y)


def test_doubles(tmp_path):
    x, y = normal(40).astype(float), normal(7).astype(float)
    near(run(tmp_path, "convolve", x, y)[0], np.convolve(x, y), x, y, 1e-15)
    near(run(tmp_path, "smooth", x, options=["--strength", "2"])[0], smoothed(40, 2) @ x, x, 1, 1e-15)


def smoothed(n, strength):
    """What a line of n elements that goes round is multiplied with."""
    turn = np.roll(np.eye(n), 1, 0)
    return np.linalg.inv(np.eye(n) - strength * (turn + turn.T - 2 * np.eye(n)))


@pytest.mark.parametrize("n, strength", [(1, 3), (60, 0.5), (97, 100)])
def test_smoothed_lines(tmp_path, n, strength):
    x = normal(3, n)
    got, _ = run(tmp_path, "smooth", x, options=["--strength", strength])
    near(got, x @ smoothed(n, strength), x, 1)


def test_smoothed_plane(tmp_path):
    x = normal(6, 2, 10)
    got, _ = run(tmp_path, "smooth", x, options=["--strength", "0.7", "--axes", "0,2"])
    k, l = (4 * np.sin(np.pi * np.arange(n) / n)**2 for n in (6, 10))
    sums = 1 + 0.7 * (k[:, None, None] + l)
    near(got, np.fft.ifftn(np.fft.fftn(x.astype(float), axes=(0, 2)) / sums, axes=(0, 2)).real, x, 1)


def test_refused(tmp_path):
    out = tmp_path / "out.npy"
    arrays = {"x": normal(3, 9), "y": normal(3, 4), "line": normal(4), "rows": normal(2, 4), "wide": np.zeros((3, 4)),
              "empty": np.zeros((3, 0), np.float32), "halves": np.zeros(4, np.float16), "deep": normal(2, 2, 2, 2)}
    file = {}
    for name, array in arrays.items():
        file[name] = tmp_path / f"{name}.npy"
        np.save(file[name], array)

    def fails(kind, *operands, code=1, says=(), options=()):
        refused("op", kind, *options, *(file.get(x, x) for x in operands), "-o", out, code=code, says=says,
                leaves=[out])

    fails("convolve", "x", code=2, says="missing")
    fails("convolve", "x", "absent.npy", says="absent.npy")
    fails("convolve", "x", "wide", says=["x.npy", "wide.npy", "float64"])
    fails("convolve", "halves", "halves", says="float16")
    fails("convolve", "x", "line", says="equally many axes")
    fails("convolve", "x", "rows", says="axis 0")
    fails("convolve", "x", "empty", says="length 0")
    fails("convolve", "y", "x", options=["--mode", "valid"], says="no longer than x")
    fails("convolve", "x", "y", code=2, options=["--mode", "half"], says=["half", "valid"])
    fails("convolve", "x", "y", code=2, options=["--axes", "2"], says=["--axes", "x.npy", "2 axes"])
    fails("convolve", "deep", "deep", code=2, options=["--axes", "all"], says="3 at most")
    refused("op", "convolve", file["x"], file["y"], code=2, says="-o")
    fails("smooth", "x", code=2, says="--strength")
    fails("smooth", "x", code=2, options=["--strength", "much"], says="much")
    fails("smooth", "x", code=2, options=["--strength=-1"], says="from 0 to 1e6")
    fails("smooth", "empty", options=["--strength", "1"], says="length 0")
    fails("smooth", "halves", options=["--strength", "1"], says="float16")
    fails("smooth", "x", code=2, options=["--strength", "1", "--axes", "near"], says="near")


def test_list(tmp_path):
    assert [o["name"] for o in document("op", "list", "convolve")["convolve"]] == ["convolve", "correlate"]
    assert "smooth" in done("op", "list", "smooth")
