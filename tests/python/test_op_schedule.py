"""`cliv op schedule` against PyTorch's schedulers in tests/golden, and its command line."""

import numpy as np
import pytest
from support import SOURCE, document, done, refused

GOLDEN = np.load(f"{SOURCE}/tests/golden/schedules.npz")
TEXTS = [name for name in GOLDEN if not name.startswith("plateau.") and name != "versions"]


def factors(folder, text, steps, *options):
    path = folder / "factors.npy"
    done("op", "schedule", "--schedule", text, "--steps", steps, *options, "-o", path)
    got = np.load(path)
    assert got.dtype == np.float64 and got.shape == (steps,)
    return got


@pytest.mark.parametrize("text", TEXTS)
def test_as_in_pytorch(text, tmp_path):
    want = GOLDEN[text]
    # PyTorch goes on from the value of the step before, so that its rounding grows along the way.
    np.testing.assert_allclose(factors(tmp_path, text, len(want)), want, rtol=1e-11, atol=1e-14)


def test_plateau(tmp_path):
    np.save(tmp_path / "reports.npy", GOLDEN["plateau.metrics"])
    got = factors(tmp_path, "plateau(2, gamma=0.5, threshold=0.01, cooldown=1, end=0.05)",
                  len(GOLDEN["plateau.metrics"]) + 1, "--reports", tmp_path / "reports.npy")
    assert got[0] == 1 and np.array_equal(got[1:], GOLDEN["plateau.factors"])


def test_every_shape_is_listed():
    names = {row["name"] for row in document("op", "list", "schedule")["schedule"]}
    own = {"cooldown", "wsd", "noam", "rsqrt", "rex", "range", "plateau"}  # tests/test_schedule.c has their formulas
    assert names - own == {text.split("(")[0] for text in TEXTS}
    assert own <= names


def test_lines_and_documents():
    lines = done("op", "schedule", "--schedule", "linear(4)", "--steps", 6).splitlines()
    assert lines == ["0 1", "1 0.75", "2 0.5", "3 0.25", "4 0", "5 0"]
    assert document("op", "schedule", "--schedule", "linear(4)", "--steps", 3) == {"factors": [1, 0.75, 0.5]}


def test_epochs(tmp_path):
    text = "step(3epochs, 0.5) * warmup(0.5 epochs)"
    same = factors(tmp_path, "step(30, 0.5) * warmup(5)", 100)
    assert np.array_equal(factors(tmp_path, text, 100, "--epoch-steps", 10), same)
    refused("op", "schedule", "--schedule", text, code=2, says=["character 6", "epoch"])


@pytest.mark.parametrize("text, says", [
    ("", "character 1"),
    ("sine(3)", "cosine"),
    ("cosine", "parentheses"),
    ("cosine()", "needs its argument steps"),
    ("cosine(0)", "from 1 to"),
    ("cosine(1.5)", "counts steps"),
    ("cosine(10, 2)", "from 0 to 1"),
    ("cosine(10, top=1)", "no argument 'top'"),
    ("cosine(10, 0, 0)", "2 arguments"),
    ("cosine(end=0, 10)", "without a name first"),
    ("cosine(10", "closing parenthesis"),
    ("cosine(x)", "'x'"),
    ("cosine(nan)", "'nan'"),
    ("cosine(10))", "shape is expected"),
    ("cosine(10) *", "shape is expected"),
    ("cosine(10, 1epochs)", "counts no steps"),
    ("exponential(0.9) cosine(10)", "steps=N"),
    ("multistep(gamma=0.1)", "list of steps"),
    ("wsd(10, 6, 5)", "do not fit"),
    ("wsd(10, 2, 0)", "decay is 0"),
    ("restarts(9, 1.5)", "whole number"),
])  # fmt: skip
def test_wrong_texts(text, says):
    refused("op", "schedule", "--schedule", text, code=2, says=[says])


def test_wrong_usage(tmp_path):
    refused("op", "schedule", code=2, says=["--schedule"])
    refused("op", "schedule", "--schedule", "linear(3)", "--steps", 0, code=2, says=["--steps"])
    np.save(tmp_path / "reports.npy", np.zeros(3, "f4"))
    reports = ["--reports", tmp_path / "reports.npy"]
    refused("op", "schedule", "--schedule", "plateau()", *reports, code=1, says=["float64"])
    path = tmp_path / "no" / "x.npy"
    refused("op", "schedule", "--schedule", "linear(3)", "-o", path, code=1, says=["x.npy"], leaves=[path])
