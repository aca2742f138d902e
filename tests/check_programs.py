"""check_programs.py CACHE SOURCE CLANG: compiles programs that the tests have built with a plain OpenCL 1.2 front
end, without extensions, for 32 and 64 bits, all warnings as errors. The drivers of the test stacks accept more than the
standard does; others may not.

CACHE is a folder of compiled programs: its entries tell options and source. Those of sources that have changed since
are passed over.
"""

import concurrent.futures
import pathlib
import shlex
import subprocess
import sys

from programs import kernels, programs, unused

# Unused is what a program's shape of a shared file does not need: another walk's function, an argument of the common
# list.
FLAGS = ["-x", "cl", "-cl-std=CL1.2", "-Xclang", "-finclude-default-header", "-fsyntax-only", "-Werror", "-Wall",
         "-Wextra",
         "-Wconversion", "-Wdouble-promotion", "-Wno-unused-function", "-Wno-unused-parameter", "-Wno-unused-variable"]


def few(found):
    """Enough of them that every option of every list of files, in each walk, is in one: what an operation does and how
    an element is stored do not meet in the compiler's front end."""
    seen, kept = set(), []
    for program in sorted(found):
        files, walk = program.files, "-DWALK_CPU" in program.defines
        new = {(files, walk, define) for define in program.defines} - seen
        if new or not program.defines:
            kept.append(program)
        seen |= new
    return kept


def check(clang, program):
    """The compiler's complaints."""
    fp64 = ",+cl_khr_fp64" if "-DREAL_F64" in program.defines else ""
    said = ""
    # Where addresses have 32 bits no index is longer, so that one that is kept in 64 loses nothing by it.
    for target in ["spir", "-Wno-shorten-64-to-32"], ["spir64"]:
        command = [clang, *FLAGS, "-target", *target, "-Xclang", f"-cl-ext=-all{fp64}", *program.defines, "-"]
        run = subprocess.run(command, input=program.text, capture_output=True, text=True)
        if run.returncode:
            said += f"{shlex.join(command)}\n{run.stderr}\n"
    return said


def main():
    cache, source, clang = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    files = kernels(source)
    found = set(programs(cache, files))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        complaints = [said for said in pool.map(lambda program: check(clang, program), few(found)) if said]
    for said in complaints[:5]:
        print(said)
    print(f"{len(few(found))} of {len(found)} programs checked, {len(complaints)} refused")
    if absent := unused(files, found):
        print(f"In none of them, as it is now: {', '.join(absent)}. The tests that build it have not run.")
    sys.exit(0 if found and not complaints else 1)


if __name__ == "__main__":
    main()
