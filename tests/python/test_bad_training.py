"""Bad input of `cliv train`: one sentence, exit code 1 or 2, no run folder. Registered once, not on every stack."""

import resource
import struct

import pytest
from support import SOURCE, cliv, done, refused

GOOD = "a,b,y\n" + "".join(f"{i},{i * i % 7},{i % 2}\n" for i in range(20))

# name: the table, what is added to the command line, exit code, what the sentence names.
TABLES = {
    "empty": ("", [], 1, ["data.csv", "empty"]),
    "header only": ("a,b,y\n", [], 1, ["data.csv"]),
    "ragged row": ("a,b,y\n1,2,0\n3,4\n5,6,1\n", [], 1, ["data.csv", "line 3"]),
    "text in a number column": ("a,b,y\n1,2,0\n3,red,1\n", [], 1, ["data.csv", "red", "line 3"]),
    "NaN": ("a,b,y\n1,2,0\n3,nan,1\n", [], 1, ["data.csv", "line 3", "'missing' to drop"]),
    "missing cell": ("a,b,y\n1,2,0\n,4,1\n", [], 1, ["data.csv", "line 3", "'missing' to drop"]),
    "one class": ("a,b,y\n1,2,0\n3,4,0\n5,6,0\n", [], 1, ["class"]),
    "quote left open": ('a,b,y\n1,"2,0\n3,4,1\n', [], 1, ["data.csv"]),
    "unknown column": (GOOD, ["--target", "z"], 2, ["'z'", "a, b, y"]),
    "unknown model": (GOOD, ["--model", "forest"], 2, ["forest", "linear"]),
    "unknown rule": (GOOD, ["--optimizer", "adamx"], 2, ["adamx", "adam"]),
    "unknown hyper-parameter": (GOOD, ["--set", "lrr=1"], 2, ["lrr", "lr"]),
    "learning rate -1": (GOOD, ["--set", "lr=-1"], 2, ["lr", "-1"]),
    "learning rate NaN": (GOOD, ["--set", "lr=nan"], 2, ["lr", "nan"]),
    "no epochs": (GOOD, ["--epochs", "-3"], 2, ["--epochs", "at least 1"]),
    "validation of all": (GOOD, ["--validation", "1.5"], 2, ["--validation", "below 1"]),
    "unknown treatment of missing values": (GOOD, ["--missing", "guess"], 2, ["guess", "drop"]),
}


def command(folder, more):
    defaults = {"--target": "y", "--model": "logistic", "--epochs": "2"}
    for option in more[::2]:
        defaults.pop(option, None)
    options = [word for pair in defaults.items() for word in pair]
    return ["train", folder / "data.csv", *options, *more, "--out", folder / "run"]


@pytest.mark.parametrize("name", TABLES)
def test_table_or_option(name, tmp_path):
    text, more, code, says = TABLES[name]
    (tmp_path / "data.csv").write_text(text)
    refused(*command(tmp_path, more), code=code, says=says, leaves=[tmp_path / "run"])


def test_missing_file(tmp_path):
    refused(*command(tmp_path, []), code=1, says="data.csv", leaves=[tmp_path / "run"])
    refused(*command(tmp_path, []), "--json", code=1, says="data.csv", leaves=[tmp_path / "run"])


def test_missing_arguments(tmp_path):
    refused("train", code=2)
    refused("train", f"{SOURCE}/examples/data/diabetes.csv", code=2, says="--target")


@pytest.fixture
def run(tmp_path):
    (tmp_path / "data.csv").write_text(GOOD)
    done(*command(tmp_path, []))
    return tmp_path / "run"


def test_checkpoint_whose_header_is_longer_than_the_file(tmp_path, run):
    checkpoint = run / "checkpoint.safetensors"
    body = checkpoint.read_bytes()
    checkpoint.write_bytes(struct.pack("<Q", len(body) + 1000) + body[8:])
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    refused(*command(tmp_path, ["--epochs", "4"]), "--resume", "--quiet", code=1, says="checkpoint.safetensors")
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_full_disk(tmp_path, run):
    """Files may not grow beyond 300 bytes: the run ends with a sentence, and what is in the folder is whole."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
    again = [*command(tmp_path, [])[:-1], tmp_path / "full"]
    refused(*again, "--quiet", code=1, says="full", preexec_fn=limit, restore_signals=False)
    for path in (tmp_path / "full").rglob("*"):
        assert path.suffix in (".json", ".jsonl", ".html", ".safetensors") and not path.name.startswith("."), path
