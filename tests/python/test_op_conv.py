"""`cliv op conv` against PyTorch's convolutions and gradients in float64 (tests/golden/make_conv.py)."""

import numpy as np
import pytest
from support import SOURCE, document, refused

GOLDEN = np.load(f"{SOURCE}/tests/golden/conv.npz")
NAMES = sorted({name.split(".")[0] for name in GOLDEN.files if "." in name})


def options(name):
    values = list(map(int, GOLDEN[f"{name}.options"]))
    axes = len(values) // 3
    lists = (",".join(map(str, values[at * axes:(at + 1) * axes])) for at in range(3))
    return [word for pair in zip(("--stride", "--padding", "--dilation"), lists) for word in pair] + [
        "--groups", values[-1]]


def run(folder, name, operands, *more):
    paths = [folder / f"{key}.npy" for key in operands]
    for key, path in zip(operands, paths):
        np.save(path, GOLDEN[f"{name}.{key}"])
    told = document("op", "conv", *options(name), *more, *paths, "-o", folder / "out.npy")
    return np.load(folder / "out.npy"), told


def sides(name, key):
    return ["--size", ",".join(map(str, GOLDEN[f"{name}.{key}"].shape[2:]))]


def agree(got, name, key, terms):
    """Sums of numbers of size 1 in chains of so many terms."""
    want = GOLDEN[f"{name}.{key}"]
    assert got.shape == want.shape and got.dtype == np.float32
    assert np.abs(got - want).max() <= 4 * np.sqrt(terms) * 2.0**-24 * 4 * np.sqrt(terms)


@pytest.mark.parametrize("name", NAMES)
def test_convolution_and_gradients(tmp_path, name):
    x, w, y = (GOLDEN[f"{name}.{key}"].shape for key in "xwy")
    np.save(tmp_path / "bias.npy", GOLDEN[f"{name}.b"])
    got, told = run(tmp_path, name, "xw", "--bias", tmp_path / "bias.npy")
    assert (told["kind"], told["op"], told["provider"]) == ("conv", "forward", "exact")
    agree(got, name, "y", np.prod(w[1:]))
    got, told = run(tmp_path, name, ("dy", "w"), "--backward", "data", *sides(name, "x"))
    assert told["op"] == "data"
    agree(got, name, "dx", np.prod(w))
    got, told = run(tmp_path, name, ("x", "dy"), "--backward", "weight", *sides(name, "w"))
    assert told["op"] == "weight"
    agree(got, name, "dw", x[0] * np.prod(y[2:]))


def test_halves(tmp_path):
    for key in "xw":
        np.save(tmp_path / f"{key}.npy", GOLDEN[f"plain.{key}"].astype(np.float16))
    document("op", "conv", *options("plain"), tmp_path / "x.npy", tmp_path / "w.npy", "-o", tmp_path / "out.npy")
    got, want = np.load(tmp_path / "out.npy"), GOLDEN["plain.y"]
    terms = np.prod(GOLDEN["plain.w"].shape[1:])
    assert got.dtype == np.float16 and got.shape == want.shape
    bias = GOLDEN["plain.b"].reshape(-1, *[1] * (want.ndim - 2))
    assert np.abs(got + bias - want).max() <= 4 * np.sqrt(terms) * 2.0**-10  # of the operands, rounded too


def test_sides_that_nobody_names(tmp_path):
    assert run(tmp_path, "plain", ("dy", "w"), "--backward", "data")[0].shape == GOLDEN["plain.x"].shape
    assert run(tmp_path, "plain", ("x", "dy"), "--backward", "weight")[0].shape == GOLDEN["plain.w"].shape


def test_refusals(tmp_path):
    for key in "xw":
        np.save(tmp_path / f"{key}.npy", GOLDEN[f"plain.{key}"])
    np.save(tmp_path / "flat.npy", np.zeros((3, 3), np.float32))
    np.save(tmp_path / "wide.npy", GOLDEN["plain.w"].astype(float))
    x, w, out = tmp_path / "x.npy", tmp_path / "w.npy", tmp_path / "out.npy"
    conv = ["op", "conv", x, w, "-o", out]
    refused("op", "conv", x, w, code=2, says="-o")
    refused(*conv, "--dilation", "0", code=2, says=["--dilation", "'0'", "at least 1"], leaves=[out])
    refused(*conv, "--padding=-1", code=2, says=["--padding", "'-1'", "at least 0"], leaves=[out])
    refused(*conv, "--stride", "1,x", code=2, says=["--stride", "'1,x'"], leaves=[out])
    refused(*conv, "--groups", "0", code=2, says="--groups", leaves=[out])
    refused(*conv, "--groups", "2", code=1, says="2 groups do not divide", leaves=[out])
    refused(*conv, "--backward", "bias", code=2, says=["bias", "data or weight"], leaves=[out])
    refused(*conv, "--backward", "data", "--bias", w, code=2, says="--bias", leaves=[out])
    refused(*conv, "--size", "3", code=2, says=["--size", "--backward"], leaves=[out])
    refused(*conv, "--provider", "mkl", code=2, says="mkl", leaves=[out])
    refused(*conv, "--dilation", "9", code=1, says="no length", leaves=[out])
    refused("op", "conv", x, tmp_path / "flat.npy", "-o", out, code=1, says=["flat.npy", "2 axes"], leaves=[out])
    refused("op", "conv", x, tmp_path / "wide.npy", "-o", out, code=1, says=["wide.npy", "float64"], leaves=[out])
    refused("op", "conv", w, x, "-o", out, code=1, says=["no length"], leaves=[out])
