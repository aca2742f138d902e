"""cliv tune: what the command line refuses, files out and in, and a search whose child dies. What searches find is
test_tune's."""

import json
import os
import signal
import subprocess
import time

import pytest
from support import PROGRAM, SMALL, document, done, refused

pytestmark = pytest.mark.skipif("with CLBlast" not in done("--version"), reason="built without CLBlast")


def test_wrong_usage():
    refused("tune", "--seconds", "-1", code=2, says=["--seconds", "-1"])
    refused("tune", "--seconds", "0", code=2, says=["--seconds", "above 0"])
    refused("tune", "--seconds", "long", code=2, says=["--seconds", "is long", "a number"])
    refused("tune", "--dtype", "float16", code=2, says=["--dtype", "float16"])
    refused("tune", "--dtype", "float7", code=2, says="float7")
    refused("tune", "--no-cache", code=2, says=["--no-cache", "kept in the cache folder"])
    refused("tune", "--routine", "gemm,trsv", code=2, says=["trsv", "gemm, gemv, ger, axpy"])


def test_what_no_child_could_do_is_said_once(tmp_path):
    env = {"OCL_ICD_VENDORS": str(tmp_path / "vendors"), "XDG_CACHE_HOME": str(tmp_path)}
    refused("tune", "--seconds", "3", "--routine", "axpy", code=1, says="no OpenCL driver", env=env)


def test_files_out_and_in(tmp_path):
    env = {"XDG_CACHE_HOME": str(tmp_path)}
    path = tmp_path / "tuned.json"
    assert done("tune", "--export", path, env=env) == ""
    tuned = json.loads(path.read_text())
    assert (tuned["format"], tuned["version"], tuned["rows"]) == ("cliv tuning", 1, [])
    assert set(tuned["device"]) == {"name", "vendor", "platform", "driver", "compute_units"}
    result = document("tune", "--import", path, env=env)
    assert (result["kernels"], result["lost"], result["device"]) == ([], 0, tuned["device"]["name"])
    tuned["device"]["name"] = "another"
    path.write_text(json.dumps(tuned))
    refused("tune", "--import", path, code=1, says=["another", "cliv tune"], env=env)
    path.write_text("{")
    refused("tune", "--import", path, code=1, says=["no JSON", "line 1"], env=env)
    refused("tune", "--import", tmp_path / "none.json", code=1, says="none.json", env=env)
    refused("tune", "--export", tmp_path / "no" / "where.json", code=1, says="where.json", env=env)


@pytest.mark.skipif(SMALL, reason="CLBlast compiles")
def test_a_search_outlives_its_child(tmp_path):
    """What a driver that crashes on a candidate does to the process, done to it from outside."""
    env = dict(os.environ, XDG_CACHE_HOME=str(tmp_path))
    document("devices", env=env)  # so that drivers have been tried, by children of their own
    command = [PROGRAM, "tune", "--routine", "axpy", "--seconds", "5", "--json"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    children = []
    while not children and run.poll() is None:
        with open(f"/proc/{run.pid}/task/{run.pid}/children") as listing:
            children = listing.read().split()
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(int(children[0]), signal.SIGKILL)
    out, told = run.communicate(timeout=120)
    assert run.returncode == 0, told
    result = json.loads(out)
    assert result["lost"] == 1
    assert [kernel["kernel"] for kernel in result["kernels"]] == ["Xaxpy"]
    kernel = result["kernels"][0]
    assert kernel["before"] > 0 and kernel["after"] > 0 and kernel["size"][0] == 2**20
    assert [part.split("=")[0] for part in kernel["parameters"].split()] == ["VW", "WGS", "WPT"]
