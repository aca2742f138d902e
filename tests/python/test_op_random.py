"""`cliv op random`: distributions against their definition in float64, places in a stream, options."""

import math

import numpy as np
import pytest
from support import SMALL, document, done, refused

DISTRIBUTIONS = {row["name"]: row for row in document("op", "list", "random")["random"]}
MANY = 5000 if SMALL else 100003


def drawn(folder, name, *options, shape=MANY, seed=1):
    done("op", "random", "--dist", name, "--shape", shape, "--seed", seed, *options, "-o", folder / "x.npy")
    return np.load(folder / "x.npy")


def bits(folder, **options):
    return drawn(folder, "bits", **options).view(np.uint32).astype(np.float64)


def below(x):
    """Probability that a standard normal number is below x."""
    return np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in np.ravel(x)])


def test_every_distribution_is_tried_here():
    assert set(DISTRIBUTIONS) == {"bits", "uniform", "normal", "truncated_normal", "bernoulli"}


def test_uniform(tmp_path):
    r = bits(tmp_path)
    assert np.array_equal(drawn(tmp_path, "uniform"), (r // 256 / 2**24).astype(np.float32))
    x = drawn(tmp_path, "uniform", "--set", "low=-2", "--set", "high=6")
    assert np.array_equal(x, (r // 256 / 2**24).astype(np.float32) * np.float32(8) - np.float32(2))


def test_normal(tmp_path):
    p = (bits(tmp_path) + 0.5) / 2**32
    z = drawn(tmp_path, "normal").astype(np.float64)
    # The slope of the distribution turns the error of z into one of p.
    assert np.all(np.abs(below(z) - p) <= np.minimum(p, 1 - p) * (1 + z * z) * 2.0**-19)
    x = drawn(tmp_path, "normal", "--set", "mean=3", "--set", "std=0.5")
    assert np.array_equal(x, z.astype(np.float32) * np.float32(0.5) + np.float32(3))


def test_truncated_normal(tmp_path):
    u = (bits(tmp_path) // 2 + 0.5) / 2**31
    z = drawn(tmp_path, "truncated_normal", "--set", "lower=-1", "--set", "upper=2.5").astype(np.float64)
    low, high = below([-1, 2.5])
    assert z.min() >= -1 and z.max() <= 2.5
    assert np.abs(below(z) - (low + u * (high - low))).max() < 2.0**-20


def test_bernoulli(tmp_path):
    ones = drawn(tmp_path, "bernoulli", "--set", "p=0.25")
    assert ones.dtype == np.uint8
    assert np.array_equal(ones, bits(tmp_path) // 2 < 2**29)


def test_a_place_in_the_stream(tmp_path):
    whole = drawn(tmp_path, "normal", shape="10,30")
    part = drawn(tmp_path, "normal", "--first", 37, shape=100)
    assert whole.shape == (10, 30) and np.array_equal(part, whole.ravel()[37:137])
    assert not np.array_equal(whole, drawn(tmp_path, "normal", "--stream", 1, shape="10,30"))
    assert not np.array_equal(whole, drawn(tmp_path, "normal", shape="10,30", seed=2))
    assert drawn(tmp_path, "uniform", "--dtype", "float16", shape=0).dtype == np.float16


@pytest.mark.parametrize("options, says", [
    (["--shape", "3"], "--dist"),
    (["--dist", "normal"], "--shape"),
    (["--dist", "normal", "--shape", "3,"], "--shape"),
    (["--dist", "normal", "--shape", "-3"], "--shape"),
    (["--dist", "normal", "--shape", "3", "--seed", "-1"], "--seed"),
    (["--dist", "normal", "--shape", "3", "--set", "sd=1"], "sd=1"),
    (["--dist", "normal", "--shape", "3", "--set", "std=x"], "std=x"),
    (["--dist", "gauss", "--shape", "3"], "gauss"),
    (["--dist", "normal", "--shape", "3", "--set", "std=-1"], "std from 0 on"),
])  # fmt: skip
def test_wrong_usage(options, says, tmp_path):
    refused("op", "random", *options, "-o", tmp_path / "x.npy", code=2, says=[says])


def test_what_the_library_refuses(tmp_path):
    path = tmp_path / "x.npy"
    options = ["--dist", "bits", "--shape", 3, "--dtype", "float32"]
    refused("op", "random", *options, "-o", path, code=1, says="bits", leaves=[path])
