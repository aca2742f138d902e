"""`cliv selftest`: passes, and names what is wrong when something is."""

import json
import re
import shutil

import pytest
from support import SOURCE, cliv, document, done


def test_passes_and_counts():
    text = done("selftest", "--kind", "gemm")
    assert re.fullmatch(r"gemm +\d+ passed(, \d+ skipped .*)?\n", text)
    told = document("selftest", "--kind", "gemm")
    assert told["failures"] == [] and "error" not in told
    assert told["kinds"]["gemm"]["passed"] > 5 and told["kinds"]["gemm"]["failed"] == 0


@pytest.fixture
def kernels(tmp_path):
    shutil.copytree(f"{SOURCE}/cl", tmp_path / "cl")
    return tmp_path / "cl"


def spoil(path, before, after):
    text = path.read_text()
    assert text.count(before) >= 1, f"{path}: {before!r} is not there any more"
    path.write_text(text.replace(before, after))


def test_a_wrong_kernel_is_named(kernels):
    spoil(kernels / "optim_ops.cl", "direction = h.beta1 * s->exp_avg", "direction = h.beta2 * s->exp_avg")
    run = cliv("selftest", "--kind", "step", env={"CLIV_KERNEL_DIR": str(kernels)})
    assert run.returncode == 1
    failed = re.findall(r"^FAILED  step (\w+), (.*): expected [0-9a-f]{16}, got [0-9a-f]{16}$", run.stdout, re.M)
    assert failed and {operation for operation, _ in failed} == {"lion"}
    assert run.stderr.startswith("cliv selftest: ") and run.stderr.count("\n") == 1
    told = json.loads(cliv("selftest", "--kind", "step", "--json", env={"CLIV_KERNEL_DIR": str(kernels)}).stdout)
    assert told["error"]["status"] == "DRIVER"
    assert {failure["op"] for failure in told["failures"]} == {"lion"}
    assert told["kinds"]["step"]["failed"] == len(told["failures"])


def test_a_kernel_that_does_not_compile_is_named(kernels):
    (kernels / "gemm.cl").write_text("this is no OpenCL C\n")
    run = cliv("selftest", "--kind", "gemm", env={"CLIV_KERNEL_DIR": str(kernels)})
    assert run.returncode == 1
    assert "FAILED  gemm exact" in run.stdout
