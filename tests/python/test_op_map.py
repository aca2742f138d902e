"""`cliv op map` against NumPy in float64, for every map there is."""

import math

import numpy as np
import pytest
from support import SMALL, document, done, refused

MAPS = {row["name"]: row for row in document("op", "list", "map")["map"]}
SIZES = [0, 1, 255, 256, 257, 4095, 4096, 4097] + ([] if SMALL else [1000003])


def sigmoid(x):
    # e^-|x| never overflows.
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def truth(condition):
    return condition.astype(np.uint8)


# The value in float64 of float32 arguments; float32 operations that are exact or rounded once are such values rounded.
ONE = {
    "copy": lambda x: x,
    "neg": np.negative,
    "abs": np.abs,
    "sign": lambda x: np.sign(x) + 0.0,
    "square": np.square,
    "reciprocal": np.reciprocal,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "silu": lambda x: np.where(x == -np.inf, -0.0, x * sigmoid(x)),  # the limit; the product has none
    "relu": lambda x: np.where(x <= 0, 0.0, x),
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "trunc": np.trunc,
    "isnan": lambda x: truth(np.isnan(x)),
    "isinf": lambda x: truth(np.isinf(x)),
    "isfinite": lambda x: truth(np.isfinite(x)),
    "logical_not": lambda x: truth(x == 0),
}


def signed(pick):
    """np.minimum and np.maximum leave open which zero they take: -0 is below +0 here."""
    return lambda x, y: np.where((x == 0) & (y == 0), pick(np.copysign(1, x), np.copysign(1, y)) * 0.0, pick(x, y))


TWO = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "min": signed(np.minimum),
    "max": signed(np.maximum),
    "eq": lambda x, y: truth(x == y),
    "ne": lambda x, y: truth(x != y),
    "lt": lambda x, y: truth(x < y),
    "le": lambda x, y: truth(x <= y),
    "gt": lambda x, y: truth(x > y),
    "ge": lambda x, y: truth(x >= y),
    "logical_and": lambda x, y: truth((x != 0) & (y != 0)),
    "logical_or": lambda x, y: truth((x != 0) | (y != 0)),
}
SPECIAL = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 3.4e38, -3.4e38, 2.0**-126, 2.0**-127, 2.0**-149,
                    -2.0**-149, 0.5, 1.5, 2.5, -2.5, 88.7, 88.8, -87.3, -103.9, -104.1, 127.9, 128, -149.5], np.float32)


def test_every_map_has_a_reference():
    assert {name for name, row in MAPS.items() if row["arity"] == 1} == set(ONE)
    assert {name for name, row in MAPS.items() if row["arity"] == 2} == set(TWO)


def ulp(got, want):
    """|got - want| in units of the last place of want as a float32; NaN and infinity must meet their like."""
    with np.errstate(over="ignore"):
        rounded = want.astype(np.float32)
    same = (got == rounded) | (np.isnan(got) & np.isnan(want))
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(got.astype(np.float64) - want) / np.spacing(np.abs(rounded)).astype(np.float64)
    return np.where(same, 0, np.where(np.isfinite(got) & np.isfinite(rounded), error, np.inf))


def mapped(name, folder, x, y=None, *options):
    np.save(folder / "x.npy", x)
    files = [folder / "x.npy"]
    if y is not None:
        np.save(folder / "y.npy", y)
        files.append(folder / "y.npy")
    done("op", "map", "--op", name, *options, *files, "-o", folder / "out.npy")
    return np.load(folder / "out.npy")


def agree(name, got, *operands):
    with np.errstate(all="ignore"):
        want = (ONE | TWO)[name](*(np.asarray(x, np.float64) for x in operands))
    assert got.shape == want.shape
    if want.dtype == np.uint8:
        assert got.dtype == np.uint8 and np.array_equal(got, want)
        return
    error = ulp(got, want)
    worst = int(error.argmax()) if error.size else 0
    assert (error <= 2).all(), f"{error.flat[worst]} ulp at {[x.flat[worst] for x in operands]}: {got.flat[worst]}"
    if MAPS[name]["ulp"] == 0:
        same = (got == want) & (np.signbit(got) == np.signbit(want)) | np.isnan(got) & np.isnan(want)
        assert same.all()


def values(n, seed=0):
    """Half of them ordinary, half of any size; special ones come first."""
    rng = np.random.default_rng([seed, n])
    half, ordinary = rng.random(n) < 0.5, rng.standard_normal(n) * 8
    x = np.where(half, ordinary, rng.standard_normal(n) * 2.0 ** rng.integers(-148, 127, n))
    x = x.astype(np.float32)
    k = min(n, SPECIAL.size)
    x[:k] = SPECIAL[:k]
    return x


@pytest.mark.parametrize("name", sorted(ONE))
def test_one(name, tmp_path):
    x = values(4999)
    agree(name, mapped(name, tmp_path, x), x)


@pytest.mark.parametrize("name", sorted(TWO))
def test_two(name, tmp_path):
    """Every special value with every other, and a thousand more."""
    pairs = np.array(np.meshgrid(SPECIAL, SPECIAL), np.float32).reshape(2, -1)
    x, y = np.concatenate([pairs[0], values(1001, 1)]), np.concatenate([pairs[1], values(1001, 2)])
    x[-100:] = y[-100:]
    agree(name, mapped(name, tmp_path, x, y), x, y)


@pytest.mark.parametrize("n", SIZES)
def test_sizes(n, tmp_path):
    x, y = values(n), values(n, 1)
    agree("exp", mapped("exp", tmp_path, x), x)
    agree("mul", mapped("mul", tmp_path, x, y), x, y)


def test_scalar_row_and_one(tmp_path):
    x = values(24).reshape(2, 3, 4)
    row, one = values(4, 1), np.float32(-2.5)
    agree("div", mapped("div", tmp_path, x, None, "--scalar", "-2.5"), x, np.full_like(x, -2.5))
    agree("div", mapped("div", tmp_path, x, one), x, np.full_like(x, one))
    agree("div", mapped("div", tmp_path, x, row), x, np.broadcast_to(row, x.shape))
    agree("exp", mapped("exp", tmp_path, x), x)
    agree("neg", mapped("neg", tmp_path, np.float32(3)), np.array(np.float32(3)))


@pytest.mark.parametrize("to", ["float16", "int32", "int64", "uint8"])
def test_conversions(to, tmp_path):
    corners = np.float32([-1.5, 0.5, 255.5, 256, 65504, 65519, 65520, 1e-8, np.inf, -np.inf])
    x = np.concatenate([values(300)[SPECIAL.size:], corners])
    got = mapped("copy", tmp_path, x, None, "--dtype", to)
    if to == "float16":
        with np.errstate(over="ignore"):
            want = x.astype(np.float16)
    else:
        # Towards 0, and no further than the type reaches.
        info = np.iinfo(to)
        whole = [math.trunc(v) if math.isfinite(v) else info.max if v > 0 else info.min for v in x.tolist()]
        want = np.array([min(max(v, info.min), info.max) for v in whole], to)
    assert got.dtype == np.dtype(to) and np.array_equal(got, want)


def test_half(tmp_path):
    """Computed in float32, rounded once."""
    x = values(4999).astype(np.float16)
    with np.errstate(all="ignore"):
        want = np.exp(x.astype(np.float64))
        got = mapped("exp", tmp_path, x)
        near = want.astype(np.float16)
    assert got.dtype == np.float16
    same = (got == near) | (np.isnan(got) & np.isnan(near))
    assert (~same).sum() <= 5 and ulp(got.astype(np.float32)[same], near.astype(np.float64)[same]).max() == 0


def test_a_function_of_ones_own(tmp_path):
    (tmp_path / "own.cl").write_text("real leaky(real x) { return choose(x > (real)0, x, (real)0.125f * x); }\n")
    x = np.random.default_rng(5).standard_normal((7, 33)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    command = ["op", "map", "--source", tmp_path / "own.cl", tmp_path / "x.npy", "-o", tmp_path / "y.npy"]
    done(*command, "--op", "leaky")
    assert np.array_equal(np.load(tmp_path / "y.npy"), np.where(x > 0, x, np.float32(0.125) * x))
    refused(*command, "--op", "relu", code=2, says=["'relu'"])
    refused(*command, "--op", "leaky", "--scalar", "2", code=2, says=["--scalar"])
