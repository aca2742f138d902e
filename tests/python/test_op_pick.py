"""`cliv op compact`, `histogram` and `scatter` against NumPy."""

import numpy as np
import pytest
from support import done, refused


def run(folder, verb, *inputs, options=()):
    files = [folder / f"{i}.npy" for i in range(len(inputs))]
    for file, x in zip(files, inputs):
        np.save(file, x)
    done("op", verb, *options, *files, "-o", folder / "out.npy")
    return np.load(folder / "out.npy")


def test_compact(tmp_path):
    rng = np.random.default_rng(1)
    x, mask = rng.standard_normal((30, 40)).astype(np.float16), rng.integers(0, 3, (30, 40)).astype(np.uint8)
    assert np.array_equal(run(tmp_path, "compact", x, mask), x[mask != 0])
    assert run(tmp_path, "compact", x, np.zeros_like(mask)).shape == (0,)


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
def test_histogram(dtype, tmp_path):
    x = (np.random.default_rng(2).standard_normal(5000) * 30 + 40).astype(dtype)
    got = run(tmp_path, "histogram", x, options=["--bins", 17, "--range", "0.5,99"])
    assert got.dtype == np.int64 and np.array_equal(got, np.histogram(x.astype(np.float64), 17, (0.5, 99))[0])


def test_scatter(tmp_path):
    rng = np.random.default_rng(3)
    x, indices = rng.integers(-9, 9, (500, 3)).astype(np.float32), rng.integers(0, 20, 500)
    want = np.ones((20, 3), np.float32)
    got = run(tmp_path, "scatter", x, indices, want)
    np.add.at(want, indices, x)
    assert np.array_equal(got, want)


def test_refusals(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(3, np.float32))
    x, to = tmp_path / "x.npy", ["-o", tmp_path / "y.npy"]
    refused("op", "compact", x, x, *to, code=1, says="uint8", leaves=[tmp_path / "y.npy"])
    refused("op", "compact", x, *to, code=2)
    refused("op", "histogram", "--bins", "0", "--range", "0,1", x, *to, code=2, says="0")
    refused("op", "histogram", "--bins", "3", "--range", "0", x, *to, code=2, says="LOW,HIGH")
    refused("op", "histogram", "--bins", "3", "--range", "1,1", x, *to, code=2, says="from 1 to 1")
    refused("op", "scatter", x, x, x, *to, code=1, says="int32 or int64", leaves=[tmp_path / "y.npy"])
