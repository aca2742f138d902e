"""The program's frame: help, version, wrong usage, errors as JSON."""

import json
import re

import pytest
from support import SOURCE, cliv, document, done, refused


def verbs(*group):
    """Names in the table that --help prints."""
    return re.findall(r"^  ([a-z]+)  ", done(*group, "--help"), re.M)


def test_help_names_every_verb():
    assert {"cache"} <= set(verbs())
    assert ", ".join(verbs("op")) == KINDS


KINDS = ("reduce, stats, scan, sort, topk, quantile, compact, histogram, scatter, map, rows, random, step, schedule, "
         "gemm, gemv, ger, axpy, syrk, symm, trmm, trsm, conv, fft, dct, convolve, smooth, "
         "factor, list")


@pytest.mark.parametrize("verb", verbs() + [f"op {kind}" for kind in verbs("op")])
def test_every_verb_has_help_with_an_example(verb):
    text = done(*verb.split(), "--help")
    assert text.startswith(f"cliv {verb}: ")
    assert "Usage: cliv " + verb in text
    manual, example = text.split("Example:\n")
    assert example.startswith(f"  cliv {verb}")
    assert max(map(len, manual.splitlines())) <= 120


def test_version():
    version = re.search(r"VERSION ([0-9.]+)", open(f"{SOURCE}/CMakeLists.txt").read().split("project(")[1])[1]
    assert done("--version").startswith(f"cliv {version} (with")


def test_wrong_usage():
    refused(code=2, says=["verb missing", "cache"])
    refused("trian", code=2, says=["unknown verb 'trian'", "did you mean train"])
    refused("--verbose", code=2, says="unknown verb '--verbose'")
    refused("cache", "--jsn", code=2, says=["unknown option '--jsn'", "did you mean --json"])
    for verb in ("train",), ("op", "step"):
        for option in "--lr", "--weight-decay=0.1", "--beta1":
            refused(*verb, option, "0.1", code=2, says=[f"unknown option '{option}'", "--set NAME=NUMBER"])
        refused(*verb, "--preste", "torch", code=2, says="did you mean --preset")
    refused("cache", "--lr", code=2, says=["unknown option '--lr'", "cliv cache --help"])
    refused("cache", "-x", code=2, says=["unknown option '-x'", "cliv cache --help"])
    refused("cache", "--json=1", code=2, says=["'--json=1'", "takes no value"])
    refused("cache", "info", "more", code=2, says="unexpected argument 'more'")
    refused("cache", "empty", code=2, says=["unknown action 'empty'", "info, clear, path"])
    refused("op", code=2, says=["operation kind missing", KINDS])
    refused("op", "wavelet", "x.npy", code=2, says=["unknown operation kind 'wavelet'", KINDS])
    refused("op", "reduce", "--op", code=2, says=["'--op'", "needs a value"])
    refused("op", "reduce", "--op", "sum", "--op", "max", "x.npy", code=2, says=["'--op'", "given twice"])
    refused("op", "gemm", "a.npy", "b.npy", "--alpha", "two", "-o", "c.npy", code=2,
            says=["--alpha", "number", "'two'"])
    refused("op", "reduce", "x.npy", "--walk", "tpu", code=2, says=["--walk", "auto, cpu or gpu"])


def test_json_may_come_first(tmp_path):
    env = {"XDG_CACHE_HOME": str(tmp_path)}
    assert json.loads(done("--json", "cache", "path", env=env)) == {"dir": f"{tmp_path}/cliv"}
    assert json.loads(done("--json", "op", "list", "gemm")) == document("op", "list", "gemm")
    assert done("--json", "--help") == done("--help")
    refused("--json", "trian", code=2, says="did you mean train")


def test_empty_and_contradicting_options():
    refused("selftest", "--device", "", code=2, says="'--device' is empty")
    refused("devices", "--device", "", code=2, says="selector is empty")
    refused("devices", "--why", "", "--json", code=2, says="selector is empty")
    refused("devices", "--timeout", "0", code=2, says="1 to 3600")
    refused("selftest", "--answers", "--json", code=2, says=["--answers", "--json"])


def test_errors_are_json_too():
    refused("--json", code=2)
    refused("trian", "--json", code=2)
    refused("cache", "--json", "--jsn", code=2)
    refused("op", "reduce", "--op", "sum", "absent.npy", "-o", "y.npy", "--json", code=1, says="absent.npy")


def test_full_disk_on_standard_output():
    with open("/dev/full", "w") as full:
        import subprocess
        from support import PROGRAM

        run = subprocess.run([PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 1
    assert "standard output" in run.stderr and run.stderr.count("\n") == 1


def test_cache_is_a_folder_of_ones_own(tmp_path):
    env = {"XDG_CACHE_HOME": str(tmp_path)}
    assert document("cache", "path", env=env) == {"dir": f"{tmp_path}/cliv"}
    info = document("cache", env=env)
    assert (info["dir"], info["entries"], info["bytes"], info["damaged"]) == (f"{tmp_path}/cliv", 0, 0, 0)
    assert info["cap"] >= 2**20
    assert done("cache", "path", env=env) == f"{tmp_path}/cliv\n"
    assert document("cache", "clear", env=env)["removed"] == 0
    notes = document("cache", "--notes", env=env)
    assert (notes["dir"], notes["entries"]) == (f"{tmp_path}/cliv/notes", 0)
    assert document("cache", "--notes", "clear", env=env)["removed"] == 0
