"""cliv tune: what the command line refuses, files out and in. Nothing is compiled here; searches are test_tune's."""

import json

import pytest
from support import document, done, refused

pytestmark = pytest.mark.skipif("with CLBlast" not in done("--version"), reason="built without CLBlast")


def test_wrong_usage():
    refused("tune", "--seconds", "-1", code=2, says=["--seconds", "-1"])
    refused("tune", "--dtype", "float16", code=2, says=["--dtype", "float16"])
    refused("tune", "--dtype", "float7", code=2, says="float7")
    refused("tune", "--no-cache", code=2, says=["--no-cache", "kept in the cache folder"])
    refused("tune", "--routine", "gemm,trsv", code=2, says=["trsv", "gemm, gemv, ger, axpy"])


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
