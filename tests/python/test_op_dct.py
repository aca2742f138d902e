"""`cliv op dct` against the sums in float64."""

import numpy as np
import pytest
from support import document, done, refused


def transform(folder, x, *options):
    np.save(folder / "x.npy", x)
    told = document("op", "dct", *options, folder / "x.npy", "-o", folder / "y.npy")
    return np.load(folder / "y.npy"), told


def matrix(n, third=False, sine=False, ortho=False):
    """What a line is multiplied with, from the left."""
    k, j = np.arange(n)[:, None], np.arange(n)[None, :]
    angle = np.pi * (k + sine) * (2 * j + 1) / (2 * n)
    sums = 2 * (np.sin(angle) if sine else np.cos(angle))
    lone = n - 1 if sine else 0
    if ortho:
        sums[lone] *= np.sqrt(0.5)
        sums /= np.sqrt(2 * n)
    elif third:
        sums[lone] *= 0.5
    return sums.T if third else sums


def normal(*shape):
    return np.random.default_rng(list(shape)).standard_normal(shape).astype(np.float32)


def agree(got, want, bound=5e-7):
    assert got.shape == want.shape
    assert np.linalg.norm(got - want) <= bound * np.linalg.norm(want)


@pytest.mark.parametrize("sine", [False, True])
@pytest.mark.parametrize("third", [False, True])
@pytest.mark.parametrize("n", [1, 12, 97])
def test_lines(tmp_path, n, third, sine):
    x = normal(3, n)
    got, told = transform(tmp_path, x, "--type", 2 + third, *["--sine"] * sine)
    assert told["kind"] == "dct" and told["op"] == f"d{'cs'[sine]}t{2 + third}" and told["dtype"] == "float32"
    agree(got, x @ matrix(n, third, sine).T)


def test_all_axes_there_and_back(tmp_path):
    x = normal(6, 10, 7)
    got, _ = transform(tmp_path, x, "--axes", "all", "--norm", "ortho")
    agree(got, np.einsum("abc,ia,jb,kc", x, *(matrix(n, ortho=True) for n in x.shape)))
    agree(transform(tmp_path, got, "--axes", "2,0,-2", "--norm", "ortho", "--inverse")[0], x, 1e-6)


def test_doubles(tmp_path):
    x = normal(2, 30).astype(float)
    got, told = transform(tmp_path, x)
    assert told["dtype"] == "float64"
    agree(got, x @ matrix(30).T, 1e-14)


def test_refused(tmp_path):
    out = tmp_path / "out.npy"
    files = {"some": np.zeros(4, np.float32), "empty": np.zeros((3, 0), np.float32), "halves": np.zeros(4, np.float16),
             "one": np.float32(1)}
    for name, x in files.items():
        np.save(tmp_path / f"{name}.npy", x)
    refused("op", "dct", tmp_path / "halves.npy", "-o", out, code=1, says="float16", leaves=[out])
    refused("op", "dct", tmp_path / "empty.npy", "-o", out, code=1, says="length 0", leaves=[out])
    refused("op", "dct", tmp_path / "one.npy", "-o", out, code=1, says="no axis", leaves=[out])
    refused("op", "dct", "--type", "4", tmp_path / "some.npy", "-o", out, code=2, says="types 2 and 3", leaves=[out])
    refused("op", "dct", "--axes", "some", tmp_path / "some.npy", "-o", out, code=2, says="--axes", leaves=[out])
    refused("op", "dct", "--norm", "unit", tmp_path / "some.npy", "-o", out, code=2, says="unit", leaves=[out])
    refused("op", "dct", tmp_path / "some.npy", code=2, says="-o")


def test_list(tmp_path):
    assert "dst3" in done("op", "list", "dct")
