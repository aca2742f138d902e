"""`cliv train` from end to end: what it learns, what it leaves, that it is the same everywhere, what it refuses."""

import hashlib
import html.parser
import json
import os
import resource
import signal
import struct
import subprocess
import time

import numpy as np
import pytest
from support import PROGRAM, SMALL, SOURCE, cliv, document, done, refused

DATA = os.path.join(SOURCE, "examples", "data")
DIGITS = os.path.join(DATA, "digits.csv")
FILES = {"model.safetensors", "checkpoint.safetensors", "metrics.jsonl", "config.json", "report.html"}
FULL_BATCHES = ["--optimizer", "sgd", "--set", "lr=0.1", "--set", "momentum=0.9", "--batch", "all"]

# Of model.safetensors, on every device and in both walks.
TWO_EPOCHS = "c8952ad8b8c90eb7ffd44b817baacb4965ebe2708baeffcd70f185a6ea924841"
HUNDRED_EPOCHS = "13219dc7a97e7b7adfd0fa9a6c98648e4801d8c978c76a49d407415855ce020c"


def softmax(*arguments, data=DIGITS, **options):
    return document("train", data, "--target", "digit", "--model", "softmax", *arguments, **options)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The first 60 digits."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.csv"
    with open(DIGITS) as file:
        path.write_text("".join(file.readline() for _ in range(61)))
    return path


@pytest.fixture(scope="module")
def slow(tiny, tmp_path_factory):
    """True on devices that emulate fma, which take a hundred times as long."""
    device = softmax("--epochs", 1, "--out", tmp_path_factory.mktemp("slow"), data=tiny)["device"]
    return SMALL or "llvmpipe" in device


def digest(folder):
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def safetensors(path):
    """Arrays and metadata, by the letter of the format."""
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    metadata = header.pop("__metadata__")
    types = {"F32": np.float32, "F64": np.float64}
    arrays = {
        name: np.frombuffer(body[slice(*row["data_offsets"])], types[row["dtype"]]).reshape(row["shape"])
        for name, row in header.items()
    }
    return arrays, metadata


def table(path):
    return np.genfromtxt(path, delimiter=",", skip_header=1)


# ---- what it learns ----


def test_digits_out_of_the_box(tmp_path, slow):
    if slow:
        pytest.skip("the two epochs of the next tests are all that this device does in time")
    began = time.monotonic()
    result = softmax("--out", tmp_path / "run")
    assert result["test"]["accuracy"] >= 0.95 and result["test"]["rows"] == 359
    assert result["epochs"] == 100 and result["steps"] == 4500
    assert digest(tmp_path / "run") == HUNDRED_EPOCHS
    assert time.monotonic() - began < 100


def test_biases_beside_matrices(tmp_path, slow):
    """Rules that take matrices leave biases to adamw, or to whom is asked for."""
    if slow:
        pytest.skip("on this device it takes minutes")
    result = softmax("--optimizer", "muon", "--set", "lr=0.02", "--epochs", 20, "--out", tmp_path / "run")
    assert result["test"]["accuracy"] >= 0.95
    training = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert training["rest_optimizer"] == "adamw" and training["rest_hyper_parameters"]["lr"] == 1e-3
    arrays, metadata = safetensors(tmp_path / "run" / "checkpoint.safetensors")
    assert metadata["optimizer.rule"] == "muon" and metadata["rest_optimizer.rule"] == "adamw"
    assert arrays["rest_optimizer.state.0.exp_avg"].shape == arrays["0.bias"].shape
    result = softmax("--optimizer", "soap", "--rest-optimizer", "sgd", "--rest-set", "lr=0.1", "--rest-set",
                     "momentum=0.9", "--epochs", 20, "--out", tmp_path / "soap")
    assert result["test"]["accuracy"] >= 0.95
    assert "momentum 0.9" in (tmp_path / "soap" / "report.html").read_text()


@pytest.mark.skipif(SMALL, reason="too large for a checked device")
def test_model_is_the_same_in_both_walks(tmp_path):
    for walk in "cpu", "gpu":
        result = softmax("--epochs", 2, "--walk", walk, "--out", tmp_path / walk)
        assert result["test"]["accuracy"] > 0.8
        assert digest(tmp_path / walk) == TWO_EPOCHS


@pytest.mark.skipif(SMALL, reason="too large for a checked device")
def test_diabetes_reaches_least_squares(tmp_path):
    path = os.path.join(DATA, "diabetes.csv")
    result = document("train", path, "--target", "progression", "--model", "linear", *FULL_BATCHES, "--epochs", 500,
                      "--validation", 0, "--out", tmp_path / "run")
    numbers = table(path)
    x, y = np.column_stack([numbers[:, :-1], np.ones(len(numbers))]), numbers[:, -1]
    best = np.mean((x @ np.linalg.lstsq(x, y, rcond=None)[0] - y) ** 2)
    assert result["test"] is None and result["training"]["rows"] == 442
    assert abs(result["training"]["rmse"] ** 2 - best) <= 1e-4 * best
    assert abs(result["training"]["r2"] - (1 - best / y.var())) <= 1e-4

    # The file is all that is needed to predict.
    arrays, metadata = safetensors(tmp_path / "run" / "model.safetensors")
    assert json.loads(metadata["targets"]) == ["progression"]
    inputs = (numbers[:, :-1] - arrays["input.mean"]) / arrays["input.std"]
    predicted = (inputs @ arrays["0.weight"].T + arrays["0.bias"]) * arrays["output.std"] + arrays["output.mean"]
    assert abs(np.mean((predicted[:, 0] - y) ** 2) - result["training"]["rmse"] ** 2) < 1e-4 * best


def test_two_classes_in_words(tmp_path, slow):
    epochs = 1 if SMALL else 5 if slow else 30
    if SMALL:
        path = tmp_path / "few.csv"
        with open(os.path.join(DATA, "breast_cancer.csv")) as file:
            path.write_text("".join(file.readline() for _ in range(80)))
    else:
        path = os.path.join(DATA, "breast_cancer.csv")
    result = document("train", path, "--target", "diagnosis", "--model", "logistic", "--epochs", epochs,
                      "--set", "lr=0.01", "--out", tmp_path / "run")
    assert result["test"]["accuracy"] > (0.7 if SMALL else 0.93)
    arrays, metadata = safetensors(tmp_path / "run" / "model.safetensors")
    assert json.loads(metadata["classes"]) == ["benign", "malignant"]
    assert arrays["0.weight"].shape == (1, 30)


def test_several_targets(tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 3))
    y = x @ rng.normal(size=(3, 2)) * [1, 100] + [5, -300]
    np.savetxt(tmp_path / "two.csv", np.column_stack([x, y]), delimiter=",")
    result = document("train", tmp_path / "two.csv", "--no-header", "--target", "3", "--target", "4",
                      "--model", "linear", *FULL_BATCHES, "--epochs", 100, "--out", tmp_path / "run")
    assert result["features"] == 3 and result["test"]["r2"] > 0.999
    assert safetensors(tmp_path / "run" / "model.safetensors")[0]["0.weight"].shape == (2, 3)


# ---- what it leaves ----


class Page(html.parser.HTMLParser):
    """Counts elements; a report refers to nothing outside itself."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def handle_starttag(self, tag, attributes):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        assert not {"src", "href"} & {name for name, _ in attributes}


def test_run_folder(tmp_path, tiny):
    result = softmax("--epochs", 3, "--seed", 7, "--l2", 0.01, "--out", tmp_path / "a" / "b", data=tiny)
    folder = tmp_path / "a" / "b"
    assert set(os.listdir(folder)) == FILES
    assert result["folder"] == str(folder) and result["report"] == str(folder / "report.html")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3] and [line["steps"] for line in lines] == [2, 4, 6]
    assert lines[-1]["validation_loss"] == result["test"]["loss"]
    assert lines[-1]["validation_accuracy"] == result["test"]["accuracy"]
    assert all(line["lr"] == 1e-3 and line["seconds"] > 0 and line["rows_per_second"] > 0 for line in lines)
    config = json.loads((folder / "config.json").read_text())
    assert config["training"]["seed"] == 7 and config["training"]["l2"] == 0.01 and config["epochs"] == 3
    assert config["training"]["hyper_parameters"]["weight_decay"] == 0.01
    assert config["device"]["name"] == result["device"]
    page = Page()
    page.feed((folder / "report.html").read_text())
    assert page.seen["svg"] == 2 and page.seen["polyline"] == 3

    arrays, metadata = safetensors(folder / "checkpoint.safetensors")
    assert metadata["optimizer.steps"] == "[6,6]" and metadata["epochs"] == "3"
    assert arrays["optimizer.state.0.exp_avg"].shape == arrays["0.weight"].shape == (10, 64)


def test_resume_is_as_if_never_stopped(tmp_path, tiny):
    softmax("--epochs", 4, "--out", tmp_path / "straight", data=tiny)
    softmax("--epochs", 1, "--out", tmp_path / "parts", data=tiny)
    result = softmax("--epochs", 4, "--out", tmp_path / "parts", "--resume", data=tiny)
    assert result["epochs"] == 4
    for name in "model.safetensors", "checkpoint.safetensors":
        assert (tmp_path / "straight" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    refused("train", tiny, "--target", "digit", "--model", "softmax", "--epochs", 4, "--batch", 5,
            "--out", tmp_path / "parts", "--resume", code=1, says="'batch'")


def test_streams(tmp_path, tiny):
    """Results on standard output; progress on standard error, no bar where there is no terminal; default folders."""
    run = cliv("train", tiny, "--target", "digit", "--model", "softmax", "--epochs", 2, cwd=tmp_path)
    assert run.returncode == 0 and len(run.stdout.splitlines()) == 2
    assert "test accuracy" in run.stdout and "runs/tiny-softmax-1/report.html" in run.stdout
    assert "48 rows to train on, 12 held out, 64 features" in run.stderr and "epoch 2/2" in run.stderr
    assert "\r" not in run.stderr and "\033" not in run.stderr
    run = cliv("train", tiny, "--target", "digit", "--model", "softmax", "--epochs", 2, "--quiet", cwd=tmp_path)
    assert run.stderr == "" and "runs/tiny-softmax-2/report.html" in run.stdout


def test_interrupt_keeps_what_there_is(tmp_path, tiny):
    command = [PROGRAM, "train", str(tiny), "--target", "digit", "--model", "softmax", "--epochs", "1000000",
               "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    assert "stopped after epoch" in out and set(os.listdir(tmp_path / "run")) == FILES


def test_failed_run_leaves_no_folders(tmp_path):
    (tmp_path / "rows.csv").write_text(SMALL_TABLE)
    (tmp_path / "a").mkdir()
    wrong = ["train", tmp_path / "rows.csv", "--target", "y", "--model", "linear", "--optimizer", "sgd",
             "--set", "lr=1e30", "--epochs", 5, "--quiet"]
    refused(*wrong, "--out", tmp_path / "a" / "b" / "c", code=1, says="diverged")
    assert os.listdir(tmp_path / "a") == []
    refused(*wrong, "--out", f"{tmp_path}/x//y/", code=1, says="diverged")
    refused(*wrong, code=1, says="diverged", cwd=tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a", "rows.csv"]
    (tmp_path / "runs").mkdir()
    refused(*wrong, code=1, says="diverged", cwd=tmp_path)
    assert os.listdir(tmp_path / "runs") == []


# ---- what it refuses ----

SMALL_TABLE = "a,b,y\n1,2,3\n2,5,1\n3,1,4\n4,4,2\n5,9,6\n"
BAD_FILES = [
    ("", "softmax", 1, "empty"),
    ("a,b,y\n", "softmax", 1, "no rows"),
    ("a,b,y\n1,2,3\n4,5\n", "linear", 1, "line 3"),
    ("a,b,y\n1,2,3\n4,oak,6\n7,8,9\n", "linear", 1, ["line 3", "'oak'"]),
    ("a,b,y\n1,2,3\n4,nan,6\n7,8,9\n", "linear", 1, ["line 3", "missing"]),
    ("a,b,y\n1,2,3\n4,,6\n7,8,9\n", "linear", 1, ["line 3", "missing"]),
    ("a,b,q\n1,2,3\n4,1,6\n7,8,9\n", "linear", 2, "'y'"),
    ("a,b,y\n1,2,3\n4,1,3\n7,8,3\n", "softmax", 1, "one class"),
    ("a,b,y\n1,2,3\n4,1,3\n7,8,3\n", "linear", 1, "nothing to learn"),
    ("a,b,y\n1,2,3\n4,1,2\n7,8,1\n", "logistic", 2, "2 classes"),
    ("a,b,y\n1,2,3\n4,1,2\n", "linear", 1, "too few"),
    ("y\n3\n2\n4\n", "linear", 1, "nothing is left"),
]


@pytest.mark.parametrize("text,model,code,says", BAD_FILES)
def test_bad_files(tmp_path, text, model, code, says):
    (tmp_path / "bad.csv").write_text(text)
    refused("train", tmp_path / "bad.csv", "--target", "y", "--model", model, "--out", tmp_path / "run",
            code=code, says=says, leaves=[tmp_path / "run"])


BAD_OPTIONS = [
    (["--model", "forest"], 2, "linear, logistic, softmax"),
    (["--model", "linear", "--optimizer", "fast"], 2, "'fast'"),
    (["--model", "linear", "--optimizer", "adamw", "--preset", "jax"], 2, ["'jax'", "torch, keras, optax"]),
    (["--model", "linear", "--set", "speed=3"], 2, "'speed'"),
    (["--model", "linear", "--set", "lr=-1"], 2, "-1"),
    (["--model", "linear", "--set", "lr=nan"], 2, "nan"),
    (["--model", "linear", "--set", "lr"], 2, "NAME=NUMBER"),
    (["--model", "linear", "--set", "lr=3x"], 2, "NAME=NUMBER"),
    (["--model", "linear", "--rest-set", "lr"], 2, "'--rest-set' takes NAME=NUMBER"),
    (["--model", "linear", "--rest-optimizer", "sgd"], 2, "adamw takes all parameters"),
    (["--model", "linear", "--optimizer", "muon", "--rest-optimizer", "fast"], 2, "'fast'"),
    (["--model", "linear", "--epochs", "0"], 2, "--epochs"),
    (["--model", "linear", "--batch", "0"], 2, "--batch"),
    (["--model", "linear", "--batch", "some"], 2, "--batch"),
    (["--model", "linear", "--seed", "-1"], 2, "--seed"),
    (["--model", "linear", "--validation", "1"], 2, "--validation"),
    (["--model", "linear", "--validation", "nan"], 2, "--validation"),
    (["--model", "linear", "--l2", "-1"], 2, "--l2"),
    (["--model", "linear", "--missing", "zero"], 2, "--missing"),
    (["--model", "linear", "--resume"], 2, "--out"),
    ([], 2, "--model"),
    (["--model", "linear", "--target", "y"], 2, "twice"),
    (["--model", "softmax", "--target", "a"], 2, "one target"),
]


@pytest.mark.parametrize("arguments,code,says", BAD_OPTIONS)
@pytest.mark.parametrize("as_json", [False, True])
def test_bad_options(tmp_path, arguments, code, says, as_json):
    (tmp_path / "good.csv").write_text(SMALL_TABLE)
    refused("train", tmp_path / "good.csv", "--target", "y", *arguments, *(["--json"] if as_json else []),
            code=code, says=says, leaves=[tmp_path / "runs"], cwd=tmp_path)


def test_bad_places(tmp_path):
    (tmp_path / "good.csv").write_text(SMALL_TABLE)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "precious.txt").write_text("dear")
    train = ["train", tmp_path / "good.csv", "--target", "y", "--model", "linear", "--epochs", 2, "--quiet"]
    refused("train", tmp_path / "none.csv", "--target", "y", "--model", "linear", code=1, says="none.csv")
    refused("train", tmp_path / "good.csv", "--model", "linear", code=2, says="--target")
    refused(*train, "--out", tmp_path / "taken", code=1, says="no run folder")
    refused(*train, "--out", tmp_path / "good.csv", code=1, says="no folder")
    refused(*train, "--out", tmp_path / "new", "--resume", code=1, says="go on with", leaves=[tmp_path / "new"])
    assert os.listdir(tmp_path / "taken") == ["precious.txt"]


def full_disk():
    """No file of the process grows beyond 300 bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))


def test_full_disk(tmp_path):
    (tmp_path / "good.csv").write_text(SMALL_TABLE)
    run = tmp_path / "run"
    train = ["train", tmp_path / "good.csv", "--target", "y", "--model", "linear", "--epochs", 2, "--quiet"]
    train += ["--out", run]
    done(*train)  # so that drivers have compiled what they keep in files of their own
    before = {name: (run / name).read_bytes() for name in FILES}

    def fails(*arguments):
        ended = cliv(*train, *arguments, preexec_fn=full_disk)
        # Intel's runtime says something of its own before.
        assert ended.returncode == 1 and ended.stdout == "", ended.stderr
        assert "config.json" in ended.stderr.splitlines()[-1], ended.stderr

    fails("--seed", 3)
    assert {name: (run / name).read_bytes() for name in os.listdir(run)} == before
    for name in FILES:
        os.remove(run / name)
    os.rmdir(run)
    fails()
    assert not run.exists()


def test_divergence(tmp_path):
    (tmp_path / "good.csv").write_text(SMALL_TABLE)
    refused("train", tmp_path / "good.csv", "--target", "y", "--model", "linear", "--optimizer", "sgd",
            "--set", "lr=1e30", "--quiet", "--out", tmp_path / "run", code=1, says="diverged",
            leaves=[tmp_path / "run"])
