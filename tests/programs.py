"""Reads the programs that the library has built out of its cache on disk: each entry holds its options and its whole
source."""

import re
import struct
from typing import NamedTuple

HEADER = struct.Struct("<8sQQ16s")


class Program(NamedTuple):
    options: tuple  # as the library gave them to the compiler, each -D as one word
    text: str

    @property
    def defines(self):
        return tuple(option for option in self.options if option.startswith("-D"))

    @property
    def files(self):
        """The files that it is made of, the kernel's own last."""
        return tuple(re.findall(r'#line 1 "(.*)"\n', self.text))


def kernels(source):
    """The kernels' files of a source tree: name -> text."""
    return {file.name: file.read_text() for file in (source / "cl").glob("*.cl")}


def programs(cache, kernels):
    """The programs in the folder `cache` that were made from the kernels as they are now."""
    for entry in sorted(cache.glob("*.clbin")):
        data = entry.read_bytes()
        magic, key_length, _, _ = HEADER.unpack_from(data)
        assert magic.startswith(b"CLIVBIN"), f"{entry} is no cache entry"
        key = data[HEADER.size:HEADER.size + key_length].decode()
        start = key.find('#line 1 "prelude.cl"')
        if start < 0:  # a test of the cache itself
            continue
        options, text = key[:start].rstrip("\n").rsplit("\n", 1)[1], key[start:]
        parts = re.split(r'#line 1 "(.*)"\n', text)[1:]
        if all(kernels.get(name, body) == body for name, body in zip(parts[::2], parts[1::2])):
            yield Program(tuple(options.replace("-D ", "-D").split()), text)


def unused(kernels, found):
    """The files that are in none of the programs."""
    used = {name for program in found for name in program.files}
    return sorted(set(kernels) - used)
