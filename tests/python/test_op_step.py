"""`cliv op step` against the trajectories of PyTorch and other packages in tests/golden."""

import json
import math
import struct

import numpy as np
import pytest
from support import SOURCE, cliv, document, done, refused


def safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        body = file.read()
    metadata = header.pop("__metadata__")
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32"
        arrays[name] = np.frombuffer(body[begin:end], "<f4").reshape(entry["shape"])
    return metadata, arrays


def cases(*files):
    """One case of every rule, and one of every preset of adam: rule, preset, hyper-parameters, the weights after 20
    steps. The others are tests/test_rules.c's: each is a run of the program here."""
    found = {}
    for metadata, arrays in files:
        for case, text in metadata.items():
            if text.startswith("rule="):
                words = dict(word.split("=") for word in text.split())
                rule, preset = words.pop("rule"), words.pop("preset")
                found[rule, preset] = (words, arrays[f"{case}.p20"])
    last = {rule: (rule, preset) for rule, preset in found}
    return {key: case for key, case in found.items() if key[0] == "adam" or last[key[0]] == key}


TORCH = safetensors(f"{SOURCE}/tests/golden/torch.safetensors")
PACKAGES = safetensors(f"{SOURCE}/tests/golden/packages.safetensors")
NORMS = safetensors(f"{SOURCE}/tests/golden/norms.safetensors")
MATRICES = safetensors(f"{SOURCE}/tests/golden/matrix.safetensors")
SOAP = safetensors(f"{SOURCE}/tests/golden/soap.safetensors")
FACTORS = safetensors(f"{SOURCE}/tests/golden/adafactor.safetensors")
GOLDEN = TORCH[1]
CASES = cases(TORCH, PACKAGES)
FIRST_SHAPES = [(NORMS, (6, 5)), (MATRICES, (4, 6)), (SOAP, (6, 6)), (FACTORS, (3, 3, 2))]
OF_TENSORS = [(arrays, shape, cases((metadata, arrays))) for (metadata, arrays), shape in FIRST_SHAPES]
OF_ALL_TENSORS = {"dog", "dowg", "prodigy", "dadapt_adam"}
KINDS = [name.split(".")[1] for name in GOLDEN if name.startswith("gradients.")]
STEPS = 20


def test_every_rule_has_a_trajectory():
    rules = document("op", "list", "step")["step"]
    assert {row["name"] for row in rules} == {
        rule for found in (CASES, *(found for _, _, found in OF_TENSORS)) for rule, _ in found}
    for row in rules:
        presets = [preset["name"] for preset in row["presets"]]
        assert all(row["name"] != rule or preset in presets for rule, preset in CASES)
        assert row["presets"][0]["values"] == {}
        hypers = {hyper["name"] for hyper in row["hypers"]}
        assert all(set(preset["values"]) <= hypers for preset in row["presets"])


@pytest.mark.parametrize("rule, preset", CASES)
def test_parameter_after_20_steps(rule, preset, tmp_path):
    """All kinds of gradients in one run: one row of the parameter each."""
    settings, want = CASES[rule, preset]
    np.save(tmp_path / "p.npy", np.stack([GOLDEN["initial"]] * len(KINDS)))
    np.save(tmp_path / "g.npy", np.stack([GOLDEN[f"gradients.{kind}"][:STEPS] for kind in KINDS], axis=1))
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    done("op", "step", "--rule", rule, "--preset", preset, *sets, "--param", tmp_path / "p.npy",
         "--grads", tmp_path / "g.npy", "-o", tmp_path / "out.npy")
    got, want = np.load(tmp_path / "out.npy").astype(np.float64), want.astype(np.float64)
    for row, kind in enumerate(KINDS):
        # Relative to the largest weight: where the exact result passes by zero, PyTorch's own forms differ by more than
        # its size.
        assert np.abs(got[row] - want[row]).max() <= 1e-6 * np.abs(want[row]).max(), kind


@pytest.mark.parametrize("rule, preset", [case for _, _, found in OF_TENSORS for case in found
                                          if case[0] not in OF_ALL_TENSORS])
def test_matrix_after_20_steps(rule, preset, tmp_path):
    """Rules with norms, and those that take matrices: the first of the trajectory's tensors by itself."""
    arrays, shape, found = next(row for row in OF_TENSORS if (rule, preset) in row[2])
    settings, want = found[rule, preset]
    n = math.prod(shape)
    np.save(tmp_path / "p.npy", arrays["initial"][:n].reshape(shape))
    np.save(tmp_path / "g.npy", arrays["gradients.random"][:STEPS, :n].reshape(-1, *shape))
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    done("op", "step", "--rule", rule, "--preset", preset, *sets, "--param", tmp_path / "p.npy",
         "--grads", tmp_path / "g.npy", "-o", tmp_path / "out.npy")
    got, want = np.load(tmp_path / "out.npy").astype(np.float64).ravel(), want[0, :n].astype(np.float64)
    assert np.abs(got - want).max() <= 2e-6 * np.abs(want).max()


def test_state_of_a_tensor(tmp_path):
    """One number: the square of the gradient's length."""
    p, g = np.ones((2, 3), np.float32), np.full((1, 2, 3), 2, np.float32)
    np.save(tmp_path / "p.npy", p)
    np.save(tmp_path / "g.npy", g)
    done("op", "step", "--rule", "novograd", "--param", tmp_path / "p.npy", "--grads", tmp_path / "g.npy",
         "-o", tmp_path / "out.npy", "--states", tmp_path / "states")
    square = np.load(tmp_path / "states" / "exp_avg_sq.npy")
    assert square.shape == () and square == 24


def test_accumulated(tmp_path):
    """Four gradients in two steps, by their means; a count that leaves a rest is refused."""
    np.save(tmp_path / "p.npy", np.zeros(3, np.float32))
    np.save(tmp_path / "g.npy", np.array([[1, 2, 3], [3, 2, 1], [8, 0, 0], [0, 8, 0]], np.float32))
    arguments = ("op", "step", "--rule", "sgd", "--set", "lr=1", "--param", tmp_path / "p.npy",
                 "--grads", tmp_path / "g.npy", "-o", tmp_path / "out.npy", "--accumulate")
    done(*arguments, "2")
    assert np.load(tmp_path / "out.npy").tolist() == [-6, -6, -2]
    failed = cliv(*arguments, "3")
    assert failed.returncode == 2 and "--accumulate" in failed.stderr


def test_shared_virtual_memory(tmp_path):
    """The same bits; where the device has none, that is said."""
    rng = np.random.default_rng(2)
    np.save(tmp_path / "p.npy", rng.standard_normal((3, 4)).astype(np.float32))
    np.save(tmp_path / "g.npy", rng.standard_normal((2, 3, 4)).astype(np.float32))
    arguments = ("op", "step", "--rule", "adamw", "--param", tmp_path / "p.npy", "--grads", tmp_path / "g.npy", "-o")
    found = document("devices")
    if found["devices"][found["taken"]["index"]]["svm"]:
        done(*arguments, tmp_path / "svm.npy", "--svm")
        done(*arguments, tmp_path / "out.npy")
        assert (tmp_path / "svm.npy").read_bytes() == (tmp_path / "out.npy").read_bytes()
    else:
        failed = cliv(*arguments, tmp_path / "svm.npy", "--svm")
        assert failed.returncode == 1 and "shared virtual memory" in failed.stderr
        assert not (tmp_path / "svm.npy").exists()


@pytest.mark.parametrize("adaptive", [False, True])
def test_perturbed(adaptive, tmp_path):
    """Where SAM looks: lr 0 leaves the weights where they were before."""
    rng = np.random.default_rng(1)
    p, g = rng.standard_normal((3, 4)).astype(np.float32), rng.standard_normal((2, 3, 4)).astype(np.float32)
    np.save(tmp_path / "p.npy", p)
    np.save(tmp_path / "g.npy", g)
    done("op", "step", "--rule", "sgd", "--set", "lr=0", "--perturb", "0.1", *["--adaptive"] * adaptive,
         "--param", tmp_path / "p.npy", "--grads", tmp_path / "g.npy", "-o", tmp_path / "out.npy")
    w, g = p.astype(np.float64), g[1].astype(np.float64)
    scale = 0.1 / np.sqrt(((w * g if adaptive else g) ** 2).sum())
    want = w + (w * w * g if adaptive else g) * scale
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), want, rtol=1e-6, atol=1e-7)


def test_first_preset_is_the_default(tmp_path):
    np.save(tmp_path / "p.npy", GOLDEN["initial"])
    np.save(tmp_path / "g.npy", GOLDEN["gradients.random"][:3])
    out = {}
    for preset in ([], ["--preset", "torch"], ["--preset", "keras"]):
        done("op", "step", "--rule", "adam", *preset, "--param", tmp_path / "p.npy", "--grads", tmp_path / "g.npy",
             "-o", tmp_path / "out.npy")
        out["".join(preset[1:])] = (tmp_path / "out.npy").read_bytes()
    assert out[""] == out["torch"] != out["keras"]


def test_states(tmp_path):
    """The states after 50 steps, each in a file of its own."""
    states = tmp_path / "states"
    np.save(tmp_path / "p.npy", GOLDEN["initial"])
    np.save(tmp_path / "g.npy", GOLDEN["gradients.random"])
    done("op", "step", "--rule", "adamw", "--param", tmp_path / "p.npy",
         "--grads", tmp_path / "g.npy", "-o", tmp_path / "out.npy",
         "--states", states)
    assert {path.name for path in states.iterdir()} == {"exp_avg.npy", "exp_avg_sq.npy"}
    for name in ("exp_avg", "exp_avg_sq"):
        want = GOLDEN[f"adamw-0.{name}"][KINDS.index("random")]
        np.testing.assert_allclose(np.load(states / f"{name}.npy"), want, rtol=1e-6, atol=1e-7 * np.abs(want).max())


def test_shapes(tmp_path):
    """Any shape of the parameter, one without axes too; no steps leave it as it is."""
    out = tmp_path / "out.npy"
    for shape in [(), (1,), (2, 3, 4), (0, 3)]:
        p = np.full(shape, 3, np.float32)
        np.save(tmp_path / "p.npy", p)
        for steps in (0, 2):
            np.save(tmp_path / "g.npy", np.ones((steps, *shape), np.float32))
            done("op", "step", "--rule", "sgd", "--set", "lr=0.5", "--param", tmp_path / "p.npy",
                 "--grads", tmp_path / "g.npy", "-o", out)
            assert np.array_equal(np.load(out), p - np.float32(0.5 * steps))


def test_schedule(tmp_path):
    np.save(tmp_path / "p.npy", np.full(3, 8, "f4"))
    np.save(tmp_path / "g.npy", np.ones((4, 3), "f4"))
    step = ["op", "step", "--rule", "sgd", "--set", "lr=1", "--param", tmp_path / "p.npy", "--grads",
            tmp_path / "g.npy", "-o", tmp_path / "out.npy"]
    done(*step, "--schedule", "step(2, 0.5)")
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.full(3, 5))
    refused(*step, "--schedule", "steps(2)", code=2, says=["character 1", "multistep"])


def test_a_rule_of_ones_own(tmp_path):
    """Heavy ball with a warm-up by formula, against NumPy; and the mistakes that its options can hold."""
    rule, p, g = tmp_path / "mine.cl", np.linspace(-2, 2, 5000, dtype="f4"), np.ones((4, 5000), "f4")
    rule.write_text("static void mine(real *w, real g, mine_state *s, mine_scalars h) {\n"
                    "  s->velocity = h.beta * s->velocity + g;\n  *w = *w - h.rate * s->velocity;\n}\n")
    np.save(tmp_path / "p.npy", p)
    np.save(tmp_path / "g.npy", g)
    files = ["--param", tmp_path / "p.npy", "--grads", tmp_path / "g.npy", "-o", tmp_path / "out.npy"]
    step = ["op", "step", "--rule", "mine", *files]
    own = [*step, "--source", rule, "--hyper", "lr=1", "--hyper", "beta=0.5"]
    rate = ["--scalar", "rate=lr * min(step / 4, 1)"]
    done(*own, "--state", "velocity", *rate, "--states", tmp_path / "s", "--set", "lr=0.5")
    velocity = np.float32(0)
    for t in range(4):
        velocity = np.float32(0.5) * velocity + g[t]
        p = p - np.float32(0.125 * (t + 1)) * velocity
    assert np.array_equal(np.load(tmp_path / "out.npy"), p)
    assert np.array_equal(np.load(tmp_path / "s" / "velocity.npy"), velocity)
    refused(*step, *rate, code=2, says="--source")
    refused(*own, *rate, "--state", "v", "--hyper", "eps", code=2, says=["--hyper", "NAME=NUMBER"])
    refused(*own, "--scalar", "rate", code=2, says=["--scalar", "NAME=FORMULA"])
    refused(*own, "--scalar", "rate=lr * gamma", code=2, says=["'gamma' is unknown", "lr, beta, step"])
    refused(*own, "--state", "velocity=start", *rate, code=2, says=["velocity", "start"])
    rule.write_text(rule.read_text().replace("velocity", "average"))
    refused(*own, *rate, "--state", "average", "--average", "ema", "--states", tmp_path / "a", code=2, says="--average")
    done(*own, *rate, "--state", "average", "--states", tmp_path / "a")
    assert np.array_equal(np.load(tmp_path / "a" / "average.npy"), velocity)
    assert cliv(*own, *rate).returncode == 1  # no such state: the compiler's words


def test_an_average(tmp_path):
    p, g, out = np.ones(3000, "f4"), np.ones((8, 3000), "f4"), tmp_path / "out.npy"
    np.save(tmp_path / "p.npy", p)
    np.save(tmp_path / "g.npy", g)
    step = ["op", "step", "--rule", "sgd", "--set", "lr=0.5", "--param", tmp_path / "p.npy", "--grads",
            tmp_path / "g.npy", "-o", out]
    weights = 1 - 0.5 * np.arange(1, 9)
    average = weights[0]
    for w in weights[1:]:
        average += 0.25 * (w - average)
    done(*step, "--states", tmp_path / "s", "--average", "ema decay=0.75")
    assert np.array_equal(np.load(tmp_path / "s" / "average.npy"), np.full(3000, average, "f4"))
    done(*step, "--states", tmp_path / "s", "--average", "swa interval=2")
    assert np.array_equal(np.load(tmp_path / "s" / "average.npy"), np.full(3000, weights[1::2].mean(), "f4"))
    assert np.array_equal(np.load(out), np.full(3000, weights[-1], "f4"))
    done(*step, "--states", tmp_path / "s", "--average", "lookahead preset=timm interval=4")
    assert np.array_equal(np.load(out), np.full(3000, -2, "f4"))  # late: -1 at the first, then half way to -3
    refused(*step, "--average", "ema", code=2, says="--states")
    refused(*step, "--states", tmp_path / "s", "--average", "mean", code=2, says=["mean", "ema, swa, lookahead"])
    refused(*step, "--states", tmp_path / "s", "--average", "ema decay", code=2, says=["NAME=NUMBER", "'decay'"])
    refused(*step, "--states", tmp_path / "s", "--average", "ema decay=2", code=2, says="decay")


def test_evaluate(tmp_path):
    """What a schedule-free rule evaluates is further from its iterate than what it trains."""
    np.save(tmp_path / "p.npy", GOLDEN["initial"])
    np.save(tmp_path / "g.npy", GOLDEN["gradients.random"])
    step = ["op", "step", "--rule", "schedule_free_sgd", "--set", "lr=0.1", "--set", "momentum=0.8", "--param",
            tmp_path / "p.npy", "--grads", tmp_path / "g.npy", "--states", tmp_path / "s", "-o"]
    done(*step, tmp_path / "y.npy")
    done(*step, tmp_path / "x.npy", "--evaluate")
    x, y, z = (np.load(tmp_path / name).astype("f8") for name in ("x.npy", "y.npy", "s/z.npy"))
    np.testing.assert_allclose(x, (y - 0.2 * z) / 0.8, rtol=0, atol=1e-6)
    assert np.abs(x - y).max() > 1e-3


CLIPPED = np.load(f"{SOURCE}/tests/golden/clipped.npz")


@pytest.mark.parametrize("case, options", [
    ("norm", ["--clip-norm", 1.5]),
    ("value", ["--clip-value", 0.25]),
    ("each", ["--clip-each", 1.5]),
    ("scaled", ["--scale", 1024, "--clip-norm", 1.5]),
])  # fmt: skip
def test_clipping(case, options, tmp_path):
    np.save(tmp_path / "p.npy", CLIPPED["initial"])
    np.save(tmp_path / "g.npy", CLIPPED["gradients"] * np.float32(1024 if case == "scaled" else 1))
    done("op", "step", "--rule", "sgd", "--set", "lr=0.1", "--set", "momentum=0.9", "--param", tmp_path / "p.npy",
         "--grads", tmp_path / "g.npy", *options, "-o", tmp_path / "out.npy")
    want = CLIPPED["value" if case == "value" else "norm"]
    assert np.abs(np.load(tmp_path / "out.npy") - want).max() <= 1e-6 * np.abs(want).max()


UNITS = np.load(f"{SOURCE}/tests/golden/units.npz")


@pytest.mark.parametrize("case, options", [
    ("agc", ["--agc", 0.05]),
    ("centralize", ["--centralize"]),
    ("optax", ["--centralize"]),
    ("both", ["--agc", 0.05, "--centralize"]),
])  # fmt: skip
def test_rows(case, options, tmp_path):
    np.save(tmp_path / "p.npy", UNITS["initial"])
    np.save(tmp_path / "g.npy", UNITS["gradients"])
    done("op", "step", "--rule", "sgd", "--set", "lr=0.1", "--set", "momentum=0.9", "--param", tmp_path / "p.npy",
         "--grads", tmp_path / "g.npy", *options, "-o", tmp_path / "out.npy")
    assert np.abs(np.load(tmp_path / "out.npy") - UNITS[case]).max() <= 1e-6 * np.abs(UNITS[case]).max()


@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_smoothing(strength, tmp_path):
    """The formula of Laplacian smoothing's authors, by FFT over the flattened gradient."""
    rng = np.random.default_rng(8)
    shape = (4, 31, 11)
    p, g = rng.standard_normal(shape).astype("f4"), rng.standard_normal((1, *shape)).astype("f4")
    np.save(tmp_path / "p.npy", p)
    np.save(tmp_path / "g.npy", g)
    done("op", "step", "--rule", "sgd", "--set", "lr=1", "--param", tmp_path / "p.npy", "--grads", tmp_path / "g.npy",
         "--smooth", strength, "-o", tmp_path / "out.npy")
    difference = np.zeros(p.size)
    difference[[0, 1, -1]] = -2, 1, 1
    smooth = np.fft.ifft(np.fft.fft(g.ravel().astype("f8")) / (1 - strength * np.fft.fft(difference))).real
    assert np.abs(np.load(tmp_path / "out.npy") - (p - smooth.reshape(shape))).max() <= 1e-6


def test_nonfinite(tmp_path):
    out = tmp_path / "out.npy"
    np.save(tmp_path / "p.npy", np.full(3, 4, "f4"))
    np.save(tmp_path / "g.npy", np.array([[1, 1, 1], [np.inf, 1, 1], [1, 1, 1]], "f4"))
    step = ["op", "step", "--rule", "sgd", "--set", "lr=1", "--param", tmp_path / "p.npy", "--grads",
            tmp_path / "g.npy", "-o", out]
    done(*step, "--nonfinite", "skip")
    assert np.array_equal(np.load(out), np.full(3, 2))
    out.unlink()
    refused(*step, "--nonfinite", "fail", code=1, says="step 2 are not finite", leaves=[out])
    refused(*step, "--nonfinite", "drop", code=2, says="--nonfinite")
    refused(*step, "--clip-norm", "-1", code=2, says="clip_norm -1")


def test_going_on(tmp_path):
    """Twenty steps in one go, and in two with the states in a file between them."""
    grads = GOLDEN["gradients.random"]
    np.save(tmp_path / "p.npy", GOLDEN["initial"])
    step = ["op", "step", "--rule", "adamw", "--param", tmp_path / "p.npy", "--grads", tmp_path / "g.npy"]
    state = tmp_path / "state.safetensors"
    np.save(tmp_path / "g.npy", grads[:20])
    done(*step, "--set", "lr=0.02", "-o", tmp_path / "whole.npy")
    np.save(tmp_path / "g.npy", grads[:7])
    refused(*step, "--save", state, "-o", tmp_path / "no" / "p.npy", code=1, says="p.npy", leaves=[state])
    done(*step, "--set", "lr=0.02", "--save", state, "-o", tmp_path / "p.npy")
    np.save(tmp_path / "g.npy", grads[7:20])
    done(*step, "--load", state, "-o", tmp_path / "parts.npy")
    assert (tmp_path / "parts.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    step[step.index("adamw")] = "lion"
    refused(*step, "--load", state, "-o", tmp_path / "x.npy", code=1, says="adamw", leaves=[tmp_path / "x.npy"])


def test_states_come_with_the_output_or_not_at_all(tmp_path):
    np.save(tmp_path / "p.npy", np.ones(3, "f4"))
    np.save(tmp_path / "g.npy", np.ones((2, 3), "f4"))
    step = ["op", "step", "--rule", "adam", "--param", tmp_path / "p.npy", "--grads", tmp_path / "g.npy"]
    refused(*step, "-o", tmp_path / "no" / "out.npy", "--states", tmp_path / "s", code=1, says="out.npy",
            leaves=[tmp_path / "s"])
    done(*step, "-o", tmp_path / "out.npy", "--states", tmp_path / "s")
    names = {"exp_avg.npy", "exp_avg_sq.npy"}
    assert {path.name for path in (tmp_path / "s").iterdir()} == names
    before = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    np.save(tmp_path / "g.npy", np.ones((4, 3), "f4"))
    refused(*step, "-o", tmp_path / "no" / "out.npy", "--states", tmp_path / "s", code=1, says="out.npy")
    assert {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()} == before


def test_narrow_states(tmp_path):
    """States in bfloat16 are float32's, rounded; in 8 bits, codes and greatest magnitudes; half a run goes on."""
    rng = np.random.default_rng(5)
    np.save(tmp_path / "p.npy", rng.standard_normal(5000).astype("f4"))
    grads = rng.standard_normal((2, 5000)).astype("f4")
    np.save(tmp_path / "g.npy", grads[:1])
    step = ["op", "step", "--rule", "adamw", "--grads", tmp_path / "g.npy", "-o", tmp_path / "out.npy"]
    param = ["--param", tmp_path / "p.npy"]
    done(*step, *param, "--store", "8bit", "--states", tmp_path / "s")
    absmax = np.load(tmp_path / "s" / "exp_avg_absmax.npy")
    codes = np.load(tmp_path / "s" / "exp_avg.npy")
    assert codes.dtype == np.uint8 and codes.shape == (5000,) and absmax.shape == (20,)
    mean = np.float32(1 - 0.9) * grads[0]
    assert np.allclose(absmax, [np.abs(mean[i:i + 256]).max() for i in range(0, 5000, 256)], rtol=1e-6)
    assert np.array_equal(codes > 127, mean * (np.abs(mean) > 1e-6) > 0)
    saved = tmp_path / "state"
    done(*step, *param, "--store", "8bit", "--save", saved)
    refused(*step, *param, "--load", saved, code=1, says="this optimizer stores")
    refused(*step, *param, "--store", "4bit", code=2, says="float32, bfloat16, 8bit")


@pytest.mark.parametrize("weights", ["nearest", "master", "kahan", "stochastic"])
def test_narrow_weights(weights, tmp_path):
    """A hundred steps of a tenth of a unit."""
    np.save(tmp_path / "p.npy", np.ones(4096, "f2"))
    np.save(tmp_path / "g.npy", np.full((100, 4096), -1, "f4"))
    done("op", "step", "--rule", "sgd", "--set", f"lr={2 ** -10 / 10}", "--weights", weights, "--seed", "3",
         "--param", tmp_path / "p.npy", "--grads", tmp_path / "g.npy", "-o", tmp_path / "out.npy")
    out = np.load(tmp_path / "out.npy").astype("f8")
    moved = (out.mean() - 1) * 2 ** 10
    assert moved == 0 if weights == "nearest" else abs(moved - 10) < 0.6
    assert (out.std() > 0) == (weights == "stochastic")
