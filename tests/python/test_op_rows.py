"""`cliv op rows` against NumPy in float64, for every operation there is, and against PyTorch."""

import os

import numpy as np
import pytest
from support import SMALL, SOURCE, document, done, refused

ROWS = {row["name"]: row for row in document("op", "list", "rows")["rows"]}
ROUNDING = 2.0**-24


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(x):
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def total(x):
    return x.sum(-1, keepdims=True)


def normed(x, centre, eps):
    x = x - centre * x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)


def statistics(x):
    """mean and rstd, or only rstd, as the program writes them."""
    return x.mean(-1), 1 / np.sqrt(x.var(-1) + 1e-5)


def norm_terms(h, y):
    """What a norm's gradient is made of, and the sum of the magnitudes."""
    n = h.shape[-1]
    return y - h * total(y * h) / n, np.abs(y) + np.abs(h) * total(np.abs(y * h)) / n + total(np.abs(y)) / n


def layer_norm_backward(x, y):
    mean, rstd = (s[..., None] for s in statistics(x))
    value, bound = norm_terms((x - mean) * rstd, y)
    return (value - total(y) / x.shape[-1]) * rstd, bound * rstd


def rms_norm_backward(x, y):
    rstd = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 2.0**-23)
    value, bound = norm_terms(x * rstd, y)
    return value * rstd, bound * rstd


# name: (the value, in float64; what its error is bounded by, as multiples of 2^-24)
REFERENCE = {
    "softmax": (softmax, lambda x: (96 + x.max(-1, keepdims=True) - x) * softmax(x)),
    "log_softmax": (log_softmax, lambda x: 96 + 4 * np.abs(log_softmax(x))),
    "softmax_backward": (
        lambda x, y: x * (y - total(x * y)),
        lambda x, y: np.abs(x) * (64 * total(np.abs(x * y)) + 4 * np.abs(y)),
    ),
    "log_softmax_backward": (
        lambda x, y: y - np.exp(x) * total(y),
        lambda x, y: 64 * np.exp(x) * total(np.abs(y)) + 4 * np.abs(y),
    ),
    "layer_norm": (lambda x: normed(x, 1, 1e-5), lambda x: 82 * (np.abs(normed(x, 1, 1e-5)) + 1)),
    "rms_norm": (lambda x: normed(x, 0, 2.0**-23), lambda x: 82 * (np.abs(normed(x, 0, 2.0**-23)) + 1)),
    # The statistics that are given are float32: twice the bound, for x is no further from 0 than it spreads.
    "layer_norm_backward": (lambda x, y: layer_norm_backward(x, y)[0], lambda x, y: 192 * layer_norm_backward(x, y)[1]),
    "rms_norm_backward": (lambda x, y: rms_norm_backward(x, y)[0], lambda x, y: 192 * rms_norm_backward(x, y)[1]),
}


def test_every_operation_has_a_reference():
    assert set(ROWS) == set(REFERENCE)


def inputs(name, shape):
    """Logits, or what softmax made of them, and gradients."""
    rng = np.random.default_rng([len(name), *shape])
    x = rng.standard_normal(shape) * 5
    before = {"softmax_backward": softmax, "log_softmax_backward": log_softmax}
    made = before.get(name, lambda x: x)(x).astype(np.float32)
    return [made, rng.standard_normal(shape).astype(np.float32)][: ROWS[name]["inputs"]]


def worked(name, arrays, folder, **options):
    """The result; options: arrays are inputs, names of files results, which are given as a second value."""
    files = [folder / f"in{i}.npy" for i in range(len(arrays))]
    for file, array in zip(files, arrays):
        np.save(file, array)
    command, results = ["op", "rows", "--op", name, *files, "-o", folder / "out.npy"], {}
    for option, value in options.items():
        file = folder / f"{option}.npy"
        if isinstance(value, float):
            command += [f"--{option}", value]
            continue
        if value is None:
            results[option] = file
        else:
            np.save(file, value)
        command += [f"--{option.replace('_', '-')}", file]
    done(*command)
    out = np.load(folder / "out.npy")
    return (out, {option: np.load(file) for option, file in results.items()}) if results else out


def given(name, x):
    """The statistics that a norm's gradient needs."""
    wide = x.astype(np.float64)
    if name == "layer_norm_backward":
        return dict(zip(("mean", "rstd"), (s.astype(np.float32) for s in statistics(wide))))
    if name == "rms_norm_backward":
        return {"rstd": (1 / np.sqrt((wide * wide).mean(-1) + 2.0**-23)).astype(np.float32)}
    return {}


SHAPES = [(7,), (3, 5, 10), (20, 16), (4, 1000)] + ([] if SMALL else [(3, 20000), (200003,)])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_rows(name, shape, tmp_path):
    arrays = inputs(name, shape)
    got = worked(name, arrays, tmp_path, **given(name, arrays[0]))
    value, bound = REFERENCE[name]
    wide = [array.astype(np.float64) for array in arrays]
    assert got.shape == shape and got.dtype == np.float32
    assert (np.abs(got - value(*wide)) <= ROUNDING * bound(*wide) + 2.0**-149).all()


def test_half(tmp_path):
    x = inputs("softmax", (6, 50))[0].astype(np.float16)
    got = worked("softmax", [x], tmp_path)
    assert got.dtype == np.float16
    assert np.allclose(got, softmax(x.astype(np.float64)), rtol=2.0**-10, atol=2.0**-24)


def test_special_values(tmp_path):
    inf = np.inf
    got = worked("softmax", [np.float32([[-inf, 0, 0], [-inf, -inf, -inf], [inf, 0, 1], [np.nan, 0, 1]])], tmp_path)
    assert got[0].tolist() == [0, 0.5, 0.5] and np.isnan(got[1:]).all()


TORCH = dict(np.load(os.path.join(SOURCE, "tests", "golden", "torch_rows.npz")))


def near(got, want, units, terms=None):
    """Within so many 2^-24 of the greatest magnitude in the row (of one axis: in all), or in `terms`, which it sums."""
    scale = np.abs(want if terms is None else terms).max(-1, keepdims=True)
    off = np.abs(got - want) / (ROUNDING * scale)
    assert got.shape == want.shape and (off <= units).all(), off.max()


# Each operation rounds to float32 what the next one gets, which costs a gradient more than its own bound.
def test_softmax_is_torchs(tmp_path):
    for name in ("softmax", "log_softmax"):
        result = worked(name, [TORCH["x"]], tmp_path)
        near(result, TORCH[name], 100)
        terms = TORCH["gradient"] * (TORCH[name] if name == "softmax" else 1)
        near(worked(f"{name}_backward", [result, TORCH["gradient"]], tmp_path), TORCH[f"{name}.dx"], 1000, terms)


def test_norms_are_torchs(tmp_path):
    x, gradient, weight = TORCH["x"], TORCH["gradient"], TORCH["weight"]
    given = {"weight": weight, "bias": TORCH["bias"], "eps": 1e-5}
    result, told = worked("layer_norm", [x], tmp_path, **given, mean=None, rstd=None)
    near(result, TORCH["layer_norm"], 200)
    made = worked(
        "layer_norm_backward", [x, gradient], tmp_path, weight=weight, **told, weight_gradient=None, bias_gradient=None
    )
    near(made[0], TORCH["layer_norm.dx"], 1000)
    near(made[1]["weight_gradient"], TORCH["layer_norm.dweight"], 1000)
    near(made[1]["bias_gradient"], TORCH["layer_norm.dbias"], 100)
    result, told = worked("rms_norm", [x], tmp_path, weight=weight, rstd=None)
    near(result, TORCH["rms_norm"], 200)
    made = worked("rms_norm_backward", [x, gradient], tmp_path, weight=weight, **told, weight_gradient=None)
    near(made[0], TORCH["rms_norm.dx"], 1000)
    near(made[1]["weight_gradient"], TORCH["rms_norm.dweight"], 1000)


def test_special_values_are_torchs(tmp_path):
    for name in ("softmax", "log_softmax"):
        got, want = worked(name, [TORCH["special"]], tmp_path), TORCH[f"special.{name}"]
        assert (np.isnan(got) == np.isnan(want)).all() and (np.isinf(got) == np.isinf(want)).all()
        assert np.allclose(got, want, rtol=2.0**-20, atol=2.0**-140, equal_nan=True)


def test_what_is_printed(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 4), np.float32))
    command = ["op", "rows", "--op", "softmax", tmp_path / "x.npy", "-o", tmp_path / "y.npy"]
    assert done(*command) == f"{tmp_path}/y.npy: float32 [2, 4]\n"
    told = document(*command)
    assert told["kind"] == "rows" and told["op"] == "softmax" and told["shape"] == [2, 4]


def test_refusals(tmp_path):
    x, out = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, np.zeros((2, 4), np.int32))
    rows = ["op", "rows", x, "-o", out]
    refused(*rows, code=2, says="--op")
    refused(*rows, "--op", "softmin", code=2, says=["softmin", "cliv op list rows"], leaves=[out])
    refused(*rows, "--op", "softmax_backward", code=2, says="takes two files", leaves=[out])
    refused(*rows, x, "--op", "softmax", code=2, says="takes one file", leaves=[out])
    refused(*rows, "--op", "softmax", code=1, says=["softmax", "int32"], leaves=[out])
    np.save(x, np.zeros((2, 4), np.float32))
    refused(*rows, "--op", "softmax", "--eps", "a", code=2, says=["--eps", "'a'"], leaves=[out])
    refused(*rows, "--op", "layer_norm", "--eps", "-1", code=2, says="eps", leaves=[out])
    refused(*rows, x, "--op", "rms_norm_backward", code=1, says="needs rstd", leaves=[out])
    refused(*rows, "--op", "layer_norm", "--weight", tmp_path / "none.npy", code=1, says="none.npy", leaves=[out])
