"""Files of NumPy read by the library, and the library's read by NumPy; safetensors by the letter of the format."""

import json
import os
import struct
import subprocess

import numpy as np
import pytest

CONVERT = os.path.join(os.environ["CLIV_TEST_BUILD"], "tests", "convert")

# What is in the file -> what the library makes of it.
READ_AS = {
    "f2": "f2", "f4": "f4", "f8": "f8", "i4": "i4", "i8": "i8", "u1": "u1",
    "b1": "u1", "i1": "i4", "i2": "i4", "u2": "i4", "u4": "i8",
}
CODES = {"f2": "F16", "f4": "F32", "f8": "F64", "i4": "I32", "i8": "I64", "u1": "U8"}
SHAPES = [(), (0,), (1,), (7,), (3, 4), (2, 0, 5), (2, 3, 4), (5, 1, 2, 3)]


def convert(source, target, name="x", fails=None):
    return convert_all([(source, target, name)], fails)


def convert_all(triples, fails=None):
    words = [str(word) for triple in triples for word in triple]
    done = subprocess.run([CONVERT, *words], capture_output=True, text=True)
    assert done.returncode == (1 if fails else 0), done.stdout + done.stderr
    assert (fails or "") in done.stdout
    return done.stdout


def some(kind, shape, seed=1):
    """Any bits at all, so that NaNs, subnormals and extremes are among them; truth values are 0 and 1."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(kind)
    if kind == "b1":
        return rng.integers(0, 2, shape).astype("b1")
    return np.frombuffer(rng.bytes(int(np.prod(shape)) * dtype.itemsize), dtype).reshape(shape)


def same_bits(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape
    assert np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


@pytest.mark.parametrize("kind", READ_AS)
def test_npy_of_numpy(tmp_path, kind):
    triples, wanted = [], []
    for shape in SHAPES:
        for order in "CF":
            for mark in "<>":
                array = some(kind, shape, len(wanted))
                name = str(len(wanted))
                np.save(tmp_path / (name + ".npy"), array.astype(array.dtype.newbyteorder(mark), order=order))
                triples.append((tmp_path / (name + ".npy"), tmp_path / (name + "_out.npy"), "x"))
                wanted.append(array.astype(READ_AS[kind]))
    convert_all(triples)
    for (_, target, _), want in zip(triples, wanted):
        same_bits(np.load(target), want)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)], ids=str)
def test_npy_versions(tmp_path, version):
    array = some("f4", (3, 5))
    with open(tmp_path / "in.npy", "wb") as f:
        np.lib.format.write_array(f, array, version=version)
    convert(str(tmp_path / "in.npy"), str(tmp_path / "out.npy"))
    same_bits(np.load(tmp_path / "out.npy"), array)


def test_npy_bfloat16(tmp_path):
    array = some("u2", (4, 3))
    np.save(tmp_path / "in.npy", array.view("V2"))
    convert(str(tmp_path / "in.npy"), str(tmp_path / "out.npy"))
    with open(tmp_path / "out.npy", "rb") as f:
        assert b"'descr': '<V2'" in f.read(128)
    same_bits(np.load(tmp_path / "out.npy").view("u2"), array)


@pytest.mark.parametrize("kind", ["c8", "U3", "u8", "M8[s]", "f4,i4"])
def test_npy_of_other_types(tmp_path, kind):
    np.save(tmp_path / "in.npy", np.zeros(3, kind))
    convert(str(tmp_path / "in.npy"), str(tmp_path / "out.npy"), fails="DTYPE: ")
    assert not (tmp_path / "out.npy").exists()


def read_safetensors(path):
    """By the letter: nothing may be there that the format does not have."""
    with open(path, "rb") as f:
        content = f.read()
    (n,) = struct.unpack("<Q", content[:8])
    head = content[8 : 8 + n]
    assert n % 8 == 0 and head.startswith(b"{") and head.rstrip(b" ").endswith(b"}")

    def once(pairs):
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    header = json.loads(head.decode(), object_pairs_hook=once)
    metadata = header.pop("__metadata__", {})
    assert all(isinstance(value, str) for value in metadata.values())
    at, arrays = 0, {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        assert set(entry) == {"dtype", "shape", "data_offsets"}
        begin, end = entry["data_offsets"]
        assert begin == at
        at = end
        arrays[name] = (entry["dtype"], tuple(entry["shape"]), content[8 + n + begin : 8 + n + end])
    assert 8 + n + at == len(content)
    return metadata, arrays


@pytest.mark.parametrize("kind", CODES)
def test_safetensors_written(tmp_path, kind):
    arrays = [some(kind, shape) for shape in SHAPES]
    triples = [(tmp_path / f"{i}.npy", tmp_path / f"{i}.safetensors", 'a/ä "b"') for i in range(len(arrays))]
    for (source, _, _), array in zip(triples, arrays):
        np.save(source, array)
    convert_all(triples)
    for (_, target, name), array in zip(triples, arrays):
        metadata, found = read_safetensors(target)
        assert metadata == {"format": "cliv"}
        assert found == {name: (CODES[kind], array.shape, array.tobytes())}


def make_safetensors(path, arrays, metadata=None, indent=None):
    header, data = {}, b""
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, (code, shape, content) in arrays.items():
        header[name] = {"dtype": code, "shape": list(shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    head = json.dumps(header, indent=indent).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + data)


def test_safetensors_read(tmp_path):
    arrays = {code + "/é": (code, (2, 3), some(kind, (2, 3)).tobytes()) for kind, code in CODES.items()}
    make_safetensors(tmp_path / "in.safetensors", arrays, {"k": "v"}, indent=1)
    convert_all((tmp_path / "in.safetensors", tmp_path / (code + ".npy"), code + "/é") for code in CODES.values())
    for kind, code in CODES.items():
        same_bits(np.load(tmp_path / (code + ".npy")), some(kind, (2, 3)))
    arrays = {"x": ("BF16", (3,), b"\x80\x3f\0\0\xff\xff"), "t": ("BOOL", (2,), b"\0\1")}
    make_safetensors(tmp_path / "b.safetensors", arrays)
    convert(str(tmp_path / "b.safetensors"), str(tmp_path / "out.npy"))
    assert np.load(tmp_path / "out.npy").tobytes() == b"\x80\x3f\0\0\xff\xff"
    convert(str(tmp_path / "b.safetensors"), str(tmp_path / "out.npy"), "t")
    same_bits(np.load(tmp_path / "out.npy"), np.array([0, 1], "u1"))


def test_safetensors_refused(tmp_path):
    path, out = str(tmp_path / "in.safetensors"), str(tmp_path / "out.npy")
    make_safetensors(path, {"x": ("F8_E5M2", (2,), b"ab")})
    assert "'F8_E5M2'" in convert(path, out, fails="DTYPE: ")
    make_safetensors(path, {"y": ("U8", (2,), b"ab")})
    convert(path, out, fails="NAME: ")
    for length in (1, 2**20, 2**63, 2**64 - 1):
        with open(path, "wb") as f:
            f.write(struct.pack("<Q", length) + b"{")
        convert(path, out, fails="FORMAT: " + path)
    assert not os.path.exists(out)
