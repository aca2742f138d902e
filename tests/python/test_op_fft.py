"""`cliv op fft` against NumPy in float64."""

import numpy as np
import pytest
from support import document, done, refused


def transform(folder, x, *options):
    np.save(folder / "x.npy", x)
    told = document("op", "fft", *options, folder / "x.npy", "-o", folder / "y.npy")
    return np.load(folder / "y.npy"), told


def normal(*shape):
    rng = np.random.default_rng(list(shape))
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def agree(got, want, bound):
    assert got.dtype == np.complex64 and got.shape == want.shape
    assert np.linalg.norm(got - want) <= bound * np.linalg.norm(want)


@pytest.mark.parametrize("n, bound", [(1, 2e-7), (60, 2e-7), (1000, 2e-7), (97, 4e-7), (4097, 4e-7)])
def test_lines(tmp_path, n, bound):
    x = normal(3, n)
    got, told = transform(tmp_path, x)
    assert told["kind"] == "fft" and told["op"] == "forward"
    assert told["dtype"] == "complex64" and told["shape"] == [3, n]
    agree(got, np.fft.fft(x.astype(complex)), bound)


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_inverse_of_all_axes(tmp_path, norm):
    x = normal(6, 10, 16)
    got, told = transform(tmp_path, x, "--inverse", "--axes", "all", "--norm", norm)
    assert told["op"] == "inverse"
    agree(got, np.fft.ifftn(x.astype(complex), norm=norm), 2e-7)


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda x: x.astype(">c8")])
def test_files_of_other_order(tmp_path, layout):
    x = normal(4, 12)
    agree(transform(tmp_path, layout(x))[0], np.fft.fft(x.astype(complex)), 2e-7)


def test_real_numbers(tmp_path):
    x = normal(20).real.copy()
    agree(transform(tmp_path, x)[0], np.fft.fft(x.astype(complex)), 2e-7)


@pytest.mark.parametrize("shape", [(20,), (3, 17), (4, 6, 10)])
def test_half_of_real_numbers(tmp_path, shape):
    x = normal(*shape).real.copy()
    got, told = transform(tmp_path, x, "--real", "--axes", "all")
    assert told["op"] == "real" and told["shape"] == list(np.fft.rfftn(x).shape)
    agree(got, np.fft.rfftn(x.astype(float)), 4e-7)


def test_clfft(tmp_path):
    """Where clFFT is built in it computes the same transform; elsewhere one is told so."""
    x = normal(3, 8)
    if "with clFFT" in done("--version"):
        agree(transform(tmp_path, x, "--provider", "clfft")[0], np.fft.fft(x.astype(complex)), 1e-6)
        np.save(tmp_path / "x.npy", normal(3, 17))
        refused("op", "fft", "--provider", "clfft", tmp_path / "x.npy", "-o", tmp_path / "out.npy", code=1,
                says="which 17 along axis 1 is not", leaves=[tmp_path / "out.npy"])
    else:
        np.save(tmp_path / "x.npy", x)
        refused("op", "fft", "--provider", "clfft", tmp_path / "x.npy", "-o", tmp_path / "out.npy", code=1,
                says="CLIV_CLFFT=ON", leaves=[tmp_path / "out.npy"])


def test_refused(tmp_path):
    out = tmp_path / "out.npy"
    files = {"doubles": np.zeros(4), "empty": np.zeros((3, 0), np.complex64), "scalar": np.complex64(1)}
    for name, x in files.items():
        np.save(tmp_path / f"{name}.npy", x)
    refused("op", "fft", tmp_path / "doubles.npy", "-o", out, code=1, says="float64", leaves=[out])
    refused("op", "fft", tmp_path / "empty.npy", "-o", out, code=1, says="length 0", leaves=[out])
    refused("op", "fft", tmp_path / "scalar.npy", "-o", out, code=1, says="another before it", leaves=[out])
    refused("op", "fft", "--axes", "some", tmp_path / "empty.npy", "-o", out, code=2, says="--axes", leaves=[out])
    refused("op", "fft", "--norm", "unit", tmp_path / "empty.npy", "-o", out, code=2, says="unit", leaves=[out])
    refused("op", "fft", "--provider", "fftw", tmp_path / "empty.npy", "-o", out, code=2, says="fftw", leaves=[out])
    refused("op", "fft", "--real", tmp_path / "scalar.npy", "-o", out, code=2, says="--real", leaves=[out])
    refused("op", "fft", tmp_path / "empty.npy", code=2, says="-o")


def test_list(tmp_path):
    assert "inverse" in done("op", "list", "fft")
