"""`cliv op fft` against NumPy in float64."""

import numpy as np
import pytest
from support import document, done, refused


def transform(folder, x, *options):
    """By the provider whose bounds are checked, unless another is asked for."""
    np.save(folder / "x.npy", x)
    options = options if "--provider" in options else [*options, "--provider", "exact"]
    told = document("op", "fft", *options, folder / "x.npy", "-o", folder / "y.npy")
    return np.load(folder / "y.npy"), told


def normal(*shape):
    rng = np.random.default_rng(list(shape))
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def agree(got, want, bound, dtype=np.complex64):
    assert got.dtype == dtype and got.shape == want.shape
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
    """By whichever provider is taken for them."""
    x = normal(20).real.copy()
    got, told = transform(tmp_path, x, "--provider", "auto")
    assert told["provider"] in ("exact", "clfft")
    agree(got, np.fft.fft(x.astype(complex)), 2e-7 if told["provider"] == "exact" else 1e-6)


@pytest.mark.parametrize("axes", ["0", "0,2", "-1,0,1"])
def test_axes(tmp_path, axes):
    x = normal(6, 10, 7)
    got, told = transform(tmp_path, x, "--axes", axes)
    assert told["provider"] == "exact"
    agree(got, np.fft.fftn(x.astype(complex), axes=list(map(int, axes.split(",")))), 4e-7)


@pytest.mark.parametrize("shape, axes", [((20,), "last"), ((3, 17), "all"), ((4, 6, 10), "all"), ((4, 6, 10), "2,0"),
                                         ((5, 7), "0")])
def test_half_of_real_numbers_and_back(tmp_path, shape, axes):
    x = normal(*shape).real.copy()
    named = {"last": [-1], "all": range(len(shape))}.get(axes) or list(map(int, axes.split(",")))
    want = np.fft.rfftn(x.astype(float), axes=named)
    got, told = transform(tmp_path, x, "--real", "--axes", axes)
    assert told["op"] == "real" and told["dtype"] == "complex64" and told["shape"] == list(want.shape)
    agree(got, want, 4e-7)
    n = shape[named[-1]]
    back, told = transform(tmp_path, got, "--real", "--inverse", "--axes", axes, *["--length", n] * (n % 2))
    assert told["op"] == "real_inverse" and told["dtype"] == "float32"
    agree(back, x, 8e-7, np.float32)


def test_doubles(tmp_path):
    x = normal(3, 30).astype(complex)
    got, told = transform(tmp_path, x, "--norm", "ortho")
    assert told["dtype"] == "complex128"
    agree(got, np.fft.fft(x, norm="ortho"), 2e-15, complex)
    agree(transform(tmp_path, x.real.copy())[0], np.fft.fft(x.real), 2e-15, complex)
    half, _ = transform(tmp_path, x.real.copy(), "--real")
    agree(half, np.fft.rfft(x.real), 2e-15, complex)
    agree(transform(tmp_path, half, "--real", "--inverse")[0], x.real, 4e-15, float)


def test_clfft(tmp_path):
    """Where clFFT is built in it computes the same transform; elsewhere one is told so."""
    x = normal(3, 8)
    if "with clFFT" in done("--version"):
        got, told = transform(tmp_path, x, "--provider", "clfft")
        assert told["provider"] == "clfft"
        agree(got, np.fft.fft(x.astype(complex)), 1e-6)
        np.save(tmp_path / "x.npy", normal(3, 17))
        refused("op", "fft", "--provider", "clfft", tmp_path / "x.npy", "-o", tmp_path / "out.npy", code=1,
                says="which 17 along axis 1 is not", leaves=[tmp_path / "out.npy"])
    else:
        np.save(tmp_path / "x.npy", x)
        refused("op", "fft", "--provider", "clfft", tmp_path / "x.npy", "-o", tmp_path / "out.npy", code=1,
                says="CLIV_CLFFT=ON", leaves=[tmp_path / "out.npy"])


def test_refused(tmp_path):
    out = tmp_path / "out.npy"
    files = {"halves": np.zeros(4, np.float16), "empty": np.zeros((3, 0), np.complex64), "scalar": np.complex64(1),
             "pairs": np.zeros((3, 4), np.complex64), "deep": np.zeros([1] * 8, np.float32)}
    for name, x in files.items():
        np.save(tmp_path / f"{name}.npy", x)

    def fails(name, *options, code, says):
        refused("op", "fft", *options, tmp_path / f"{name}.npy", "-o", out, code=code, says=says, leaves=[out])

    fails("absent", code=1, says="absent.npy")
    fails("halves", code=1, says=["float16", "complex128"])
    fails("deep", code=1, says=["8 axes", "7 at most"])
    fails("empty", code=1, says="length 0")
    fails("scalar", code=1, says="another before it")
    fails("empty", "--axes", "some", code=2, says=["--axes", "'some'"])
    fails("empty", "--axes", "0,", code=2, says=["--axes", "'0,'"])
    fails("pairs", "--axes", "2", code=2, says=["--axes", "pairs.npy", "2 axes"])
    fails("pairs", "--axes", "0,-2", code=2, says="named twice")
    fails("empty", "--norm", "unit", code=2, says="unit")
    fails("empty", "--provider", "fftw", code=2, says="fftw")
    fails("scalar", "--real", "--inverse", code=2, says=["--real", "a single number"])
    fails("pairs", "--real", code=2, says=["--real", "complex", "--inverse"])
    fails("pairs", "--length", "4", code=2, says="--length")
    fails("pairs", "--real", "--inverse", "--length", "0", code=2, says=["--length", "'0'"])
    fails("pairs", "--real", "--inverse", "--length", "9", code=1, says="9")
    refused("op", "fft", tmp_path / "empty.npy", code=2, says="-o")


def test_list(tmp_path):
    assert "inverse" in done("op", "list", "fft")
