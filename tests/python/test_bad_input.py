"""Bad input: one sentence that names what is wrong, exit code 1 or 2, and nothing half-written. Registered once, not
on every stack."""

import resource
import struct

import numpy as np
import pytest
from support import cliv, done, refused


def npy(shape="(3,)", descr="'<f4'", order="False", data=b"\0" * 12, header=None, version=(1, 0), length=None,
        magic=b"\x93NUMPY"):
    """A .npy file, or what claims to be one."""
    text = header if header is not None else f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    text = text.encode("latin1") + b" " * (-(len(text) + 11) % 64) + b"\n"
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text) if length is None else length)
    return magic + bytes(version) + size + text + data


BAD_NPY = {
    "empty": b"",
    "no magic": b"NUMPY is not what this is, but long enough to be it, surely",
    "magic only": b"\x93NUMPY",
    "an archive": b"PK\3\4" + bytes(60),
    "header cut off": npy()[:40],
    "header longer than the file": npy(length=60000),
    "header of 4 GiB": npy(version=(2, 0), length=2**32 - 1),
    "header is no dictionary": npy(header="[1, 2, 3]"),
    "header without shape": npy(header="{'descr': '<f4', 'fortran_order': False}"),
    "unknown version": npy(version=(9, 0)),
    "negative shape": npy(shape="(-1,)"),
    "shape of 2**60 elements": npy(shape=f"({2**60},)"),
    "shape that overflows": npy(shape=f"({2**33}, {2**33})"),
    "shape beyond 64 bits": npy(shape=f"({10**30},)"),
    "shape of text": npy(shape="('3',)"),
    "too many axes": npy(shape="(" + "1, " * 40 + ")", data=b"\0" * 4),
    "data cut off": npy(data=b"\0" * 11),
    "more data than announced": npy(data=b"\0" * 13),
    "complex": npy(descr="'<c8'", data=b"\0" * 24),
    "text": npy(descr="'<U4'", data=b"\0" * 48),
    "objects": npy(descr="'|O'", data=b"\0" * 24),
    "a structure": npy(descr="[('a', '<f4')]"),
}


@pytest.mark.parametrize("name", BAD_NPY)
def test_npy(tmp_path, name):
    bad, out = tmp_path / "bad.npy", tmp_path / "y.npy"
    bad.write_bytes(BAD_NPY[name])
    refused("op", "reduce", "--op", "sum", bad, "-o", out, code=1, says="bad.npy", leaves=[out])


@pytest.fixture
def vector(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.arange(6, dtype=np.float32))
    return path


def test_good_npy(tmp_path):
    """What the bad ones are variations of."""
    good, out = tmp_path / "good.npy", tmp_path / "y.npy"
    good.write_bytes(npy(data=np.float32([1, 2, 4]).tobytes()))
    done("op", "reduce", "--op", "sum", good, "-o", out)
    assert np.load(out) == 7


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_files(tmp_path, vector, json):
    out = tmp_path / "y.npy"
    refused("op", "reduce", "--op", "sum", tmp_path / "absent.npy", "-o", out, *json, code=1, says="absent.npy",
            leaves=[out])
    refused("op", "reduce", "--op", "sum", tmp_path, "-o", out, *json, code=1, says=str(tmp_path), leaves=[out])
    nowhere = tmp_path / "nowhere" / "y.npy"
    refused("op", "reduce", "--op", "sum", vector, "-o", nowhere, *json, code=1, says="nowhere", leaves=[nowhere])
    refused("op", "reduce", "--op", "sum", vector, "-o", tmp_path, *json, code=1, says=str(tmp_path))


def test_file_that_may_not_be_read(tmp_path, vector):
    secret = tmp_path / "secret.npy"
    secret.symlink_to(secret)  # a loop: refused for root as well
    refused("op", "reduce", "--op", "sum", secret, "-o", tmp_path / "y.npy", code=1, says="secret.npy",
            leaves=[tmp_path / "y.npy"])


def test_an_older_file_stays_when_the_work_fails(tmp_path, vector):
    out = tmp_path / "y.npy"
    out.write_text("what was here before")
    refused("op", "reduce", "--op", "nosuch", vector, "-o", out, code=2)
    assert out.read_text() == "what was here before"


def test_full_disk(tmp_path):
    """Files may not grow beyond 2 MiB here; the result has 4."""
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, np.zeros(1 << 20, np.float32))
    command = ["op", "map", "--op", "neg", x, "-o", y]
    done(*command)  # so that drivers have cached what they compile
    y.unlink()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
    refused(*command, code=1, says="y.npy", leaves=[y], preexec_fn=limit, restore_signals=False)
    refused("op", "reduce", "--op", "sum", x, "-o", "/dev/full", code=1, says="/dev/full")


def test_names(tmp_path, vector):
    out = tmp_path / "y.npy"
    to = ["-o", out]
    refused("op", "reduce", "--op", "summ", vector, *to, code=2, says=["summ", "sum"], leaves=[out])
    refused("op", "map", "--op", "expp", vector, *to, code=2, says=["expp", "exp"], leaves=[out])
    step = ["op", "step", "--param", vector, "--grads", vector, *to]
    refused(*step, "--rule", "adamx", code=2, says=["adamx", "adam"], leaves=[out])
    refused(*step, "--rule", "adam", "--preset", "chainer", code=2, says=["chainer", "torch, keras"], leaves=[out])
    refused(*step, "--rule", "radam", "--preset", "keras", code=2, says=["keras", "torch, optax"], leaves=[out])
    gemm = ["op", "gemm", vector, vector, *to]
    refused(*gemm, "--provider", "mkl", code=2, says=["mkl", "exact"], leaves=[out])
    refused("op", "reduce", "--op", "sum", "--axis", "first", vector, *to, code=2, says=["first", "all", "last"],
            leaves=[out])


def test_missing_options(vector):
    refused("op", "reduce", vector, "-o", "y.npy", code=2, says="--op")
    refused("op", "reduce", "--op", "sum", vector, code=2, says="-o")
    refused("op", "map", "--op", "exp", vector, code=2, says="-o")
    refused("op", "step", "--rule", "adam", "--param", vector, "-o", "y.npy", code=2, says="--grads")
    refused("op", "gemm", vector, vector, code=2, says="-o")
    refused("op", "gemm", vector, "-o", "y.npy", code=2, says="missing")
    refused("op", "gemm", vector, vector, "--beta", "1", "-o", "y.npy", code=2, says="--c")


@pytest.mark.parametrize("setting, says", [
    ("lr=-1", ["lr", "-1"]),
    ("lr=nan", ["lr", "nan"]),
    ("lr=inf", ["lr", "inf"]),
    ("lr=fast", ["lr=fast", "NAME=NUMBER"]),
    ("lr", ["'lr'", "NAME=NUMBER"]),
    ("=1", ["=1", "NAME=NUMBER"]),
    ("beta1=1", ["beta1", "1"]),
    ("rho=0.9", ["rho", "beta1"]),
])
def test_hyper_parameters(tmp_path, vector, setting, says):
    grads, out = tmp_path / "g.npy", tmp_path / "y.npy"
    np.save(grads, np.ones((2, 6), np.float32))
    refused("op", "step", "--rule", "adam", "--set", setting, "--param", vector, "--grads", grads, "-o", out,
            code=2, says=says, leaves=[out])


def test_shapes(tmp_path, vector):
    out, other, matrix = tmp_path / "out.npy", tmp_path / "other.npy", tmp_path / "matrix.npy"
    np.save(other, np.ones(5, np.float32))
    np.save(matrix, np.ones((2, 5), np.float32))
    to = ["-o", out]
    refused("op", "reduce", "--op", "dot", vector, other, *to, code=1, says=["6", "5"], leaves=[out])
    refused("op", "map", "--op", "add", vector, other, *to, code=1, says=["6", "5"], leaves=[out])
    refused("op", "step", "--rule", "sgd", "--param", vector, "--grads", matrix, *to, code=1, leaves=[out])
    refused("op", "gemm", matrix, matrix, *to, code=1, leaves=[out])
    refused("op", "gemm", vector, matrix, *to, code=1, leaves=[out])


def test_numbers_of_files(tmp_path, vector):
    out = tmp_path / "out.npy"
    to = ["-o", out]
    refused("op", "reduce", "--op", "dot", vector, *to, code=2, says="dot", leaves=[out])
    refused("op", "reduce", "--op", "sum", vector, vector, *to, code=2, says="sum", leaves=[out])
    refused("op", "map", "--op", "add", vector, *to, code=2, says="add", leaves=[out])
    refused("op", "map", "--op", "exp", vector, vector, *to, code=2, says="exp", leaves=[out])
    refused("op", "map", "--op", "exp", "--scalar", "2", vector, *to, code=2, says="exp", leaves=[out])
    refused("op", "map", "--op", "add", "--scalar", "2", vector, vector, *to, code=2, says="--scalar", leaves=[out])


def test_selectors(tmp_path, vector):
    out = tmp_path / "y.npy"
    reduce = ["op", "reduce", "--op", "sum", vector, "-o", out, "--device"]
    refused(*reduce, '"no device is called so"', code=1, says="no device is called so", leaves=[out])
    refused(*reduce, "cpu,!cpu", code=1, says="cpu,!cpu", leaves=[out])
    refused(*reduce, "gpu:", code=2, says="gpu:", leaves=[out])
    refused(*reduce, "mem>=lots", code=2, says="mem>=lots", leaves=[out])
    refused("selftest", "--device", "nvidiaa", code=2, says="nvidiaa")
    refused("selftest", "--kind", "wavelet", code=2,
            says=["wavelet", "map, reduce, scan, sort, rows, random, step, average, gemm, triangle, conv, minimize, "
                  "fft and factor"])


def test_selector_in_the_environment(tmp_path, vector):
    out = tmp_path / "y.npy"
    refused("op", "reduce", "--op", "sum", vector, "-o", out, code=1, says="CLIV_DEVICE", leaves=[out],
            env={"CLIV_DEVICE": '"no device is called so"'})


@pytest.mark.parametrize("json", [(), ("--json",)])
def test_no_driver_at_all(tmp_path, vector, json):
    vendors, out = tmp_path / "vendors", tmp_path / "y.npy"
    vendors.mkdir()
    env = {"OCL_ICD_VENDORS": str(vendors)}
    refused("op", "reduce", "--op", "sum", vector, "-o", out, *json, code=1, says=["driver", "pocl-opencl-icd"],
            leaves=[out], env=env)
    refused("selftest", *json, code=1, says="pocl-opencl-icd", env=env)


def test_what_needs_no_driver_works_without_one(tmp_path):
    (tmp_path / "vendors").mkdir()
    env = {"OCL_ICD_VENDORS": str(tmp_path / "vendors")}
    assert "adamw" in done("op", "list", env=env)
    done("cache", env=env)
    done("--version", env=env)
