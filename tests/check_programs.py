"""check_programs.py CACHE SOURCE CLANG: compiles programs that the tests have built with a plain OpenCL 1.2 front
end, without extensions, for 32 and 64 bits, all warnings as errors. The drivers of the test stacks accept more than the
standard does; others may not.

CACHE is a folder of compiled programs: its entries tell options and source. Those of sources that have changed since
are passed over.
"""

import concurrent.futures
import pathlib
import re
import shlex
import struct
import subprocess
import sys

HEADER = struct.Struct("<8sQQ16s")
# Unused is what a program's shape of a shared file does not need: another walk's function, an argument of the common
# list.
FLAGS = ["-x", "cl", "-cl-std=CL1.2", "-Xclang", "-finclude-default-header", "-fsyntax-only", "-Werror", "-Wall",
         "-Wextra",
         "-Wconversion", "-Wdouble-promotion", "-Wno-unused-function", "-Wno-unused-parameter", "-Wno-unused-variable"]


def programs(cache, kernels):
    """(-D options, program text) of the entries made from the kernels as they are now."""
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
            defines = re.findall(r"-D ?\S+", options)
            yield tuple(d.replace("-D ", "-D") for d in defines), text


def few(found):
    """Enough of them that every option of every list of files, in each walk, is in one: what an operation does and how
    an element is stored do not meet in the compiler's front end."""
    seen, kept = set(), []
    for defines, text in sorted(found):
        files = tuple(re.findall(r'#line 1 "(.*)"\n', text))
        walk = "-DWALK_CPU" in defines
        new = {(files, walk, define) for define in defines} - seen
        if new or not defines:
            kept.append((defines, text))
        seen |= new
    return kept


def check(clang, defines, text):
    """The compiler's complaints."""
    fp64 = ",+cl_khr_fp64" if "-DREAL_F64" in defines else ""
    said = ""
    # Where addresses have 32 bits no index is longer, so that one that is kept in 64 loses nothing by it.
    for target in ["spir", "-Wno-shorten-64-to-32"], ["spir64"]:
        command = [clang, *FLAGS, "-target", *target, "-Xclang", f"-cl-ext=-all{fp64}", *defines, "-"]
        run = subprocess.run(command, input=text, capture_output=True, text=True)
        if run.returncode:
            said += f"{shlex.join(command)}\n{run.stderr}\n"
    return said


def main():
    cache, source, clang = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    kernels = {file.name: file.read_text() for file in (source / "cl").glob("*.cl")}
    found = set(programs(cache, kernels))
    unused = sorted(name for name in kernels if not any(f'#line 1 "{name}"' in text for _, text in found))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        complaints = [said for said in pool.map(lambda p: check(clang, *p), few(found)) if said]
    for said in complaints[:5]:
        print(said)
    print(f"{len(few(found))} of {len(found)} programs checked, {len(complaints)} refused")
    if unused:
        print(f"In none of them, as it is now: {', '.join(unused)}. The tests that build it have not run.")
    sys.exit(0 if found and not complaints else 1)


if __name__ == "__main__":
    main()
