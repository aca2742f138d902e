"""check_gates.py --cache FOLDER --operations FILE --tools FOLDER [--target NAME]… [--only TEXT]… [--markdown FILE]:
compiles the programs of the GPU walk that the library has built for every GPU of gate_targets.py, prints what each
kernel uses, and fails where a compiler refuses one or does not keep its values in registers.

check_gates.py --check --tools FOLDER: makes sure that these compilers' failures are seen. Exit code 77 when none of
them is there, or scripts/gates has not been run.

FOLDER is a cache of compiled programs, FILE what `cliv op list --json` says: every row of it has to be in a program.
scripts/gates makes both, and the tools.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import sys
import tempfile
from typing import NamedTuple

from gate_targets import TARGETS, Refused
from programs import Program, kernels, programs, unused

ROOT = pathlib.Path(__file__).resolve().parent.parent
# How a program names the row of a table: kind -> the file of its kernel, the option that names the row, what stands
# before the row's name.
NAMED = {
    "reduce": ("reduce.cl", "OP", "op_"),
    "scan": ("scan.cl", "OP", "scan_"),
    "map": ("map.cl", "OP", "map_"),
    "rows": ("rows.cl", "OP", ""),
    "random": ("random.cl", "DRAW", "draw_"),
    "step": ("optim.cl", "RULE", ""),
    "average": ("optim.cl", "RULE", ""),
    "stats": ("reduce.cl", None, ""),
    "sort": ("sort.cl", None, ""),
    "topk": ("sort.cl", None, ""),
    "quantile": ("quantile.cl", None, ""),
    "compact": ("compact.cl", None, ""),
    "histogram": ("histogram.cl", None, ""),
    "scatter": ("scatter.cl", None, ""),
    "gemm": ("gemm_tile.cl", None, ""),
    "gemv": ("gemv.cl", None, ""),
    "ger": ("blas1.cl", None, ""),
    "axpy": ("blas1.cl", None, ""),
    "syrk": ("triangle.cl", None, ""),
    "symm": ("triangle.cl", None, ""),
    "trmm": ("triangle.cl", None, ""),
    "trsm": ("triangle.cl", None, ""),
    "conv": ("conv.cl", None, ""),
    "factor": ("factor.cl", None, ""),
    "fft": ("fft_group.cl", None, ""),
    "dct": ("fft_dct.cl", None, ""),
    "convolve": ("fft_product.cl", None, ""),
    "smooth": ("fft_smooth.cl", None, ""),
}
ON_THE_HOST = {"schedule"}
SAME_RULE = {"adamw": "adam"}  # they differ in what the host works out
OTHERS = {"clblast", "clfft"}  # their kernels are their own

# Words of the titles of programs whose kernels are to read global memory by 128 bits, where the layout permits; but
# for those that widen what they read (STORED).
WIDE = [{"gemm_tile"}, {"gemv", "A_BY_ROW"}, {"fft_group"}, {"fft_wide"}]

# What is not mended: target, words of the program's title, why.
KNOWN = [
    ("pvc", {"reduce", "KIND_stats", "REAL_F64", "SECOND"},
     "two parts of ten float64 each do not fit what 32 work-items a thread leave to one, and Skylake wants 8, not 16"),
]


def kind(program):
    return program.files[-1].removesuffix(".cl")


def title(program):
    """The program in one line: its kind, then the options that make it one of many."""
    return " ".join([kind(program), *(define[2:] for define in program.defines if define != "-DROUNDS_DIVIDE")])


def words(program):
    return set(re.split("[ =]", title(program)))


def without_rows(found, operations):
    """Rows of the operations' tables that no program has."""
    absent = []
    for name, rows in operations.items():
        if name in ON_THE_HOST:
            continue
        file, option, prefix = NAMED[name]
        for row in (row["name"] for row in rows):
            define = f"-D{option}={prefix}{SAME_RULE.get(row, row)}"
            if row not in OTHERS and not any(
                    file in program.files and (not option or define in program.defines) for program in found):
                absent.append(f"{name} {row}")
    return absent


class Result(NamedTuple):
    uses: dict  # kernel -> Use
    refusal: str = ""


def compile_for(program, targets, tools):
    """target -> result, for those that take such programs."""
    results = {}
    with tempfile.TemporaryDirectory() as work:
        for target in targets:
            if not target.takes(program):
                continue
            try:
                results[target] = Result(target.uses(pathlib.Path(work), program, tools))
            except Refused as refusal:
                results[target] = Result({}, str(refusal).replace(f"{work}/", ""))
    return results


def compile_all(chosen, targets, tools, jobs):
    """(program, results) of all, in the order of their titles, as they get ready."""
    ordered = sorted(chosen, key=title)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        yield from zip(ordered, pool.map(lambda program: compile_for(program, targets, tools), ordered))


def faults(results, wide):
    """What is wrong with a program, which is to have loads of 128 bits or not: target's name, sentence."""
    for target, (uses, refusal) in results.items():
        if refusal:
            yield target.name, refusal
        for kernel, use in uses.items():
            if use.lost:
                yield target.name, f"kernel {kernel}: {use.lost}"
            if wide and not use.wide:
                yield target.name, f"kernel {kernel}: no load of 128 bits"


def verdicts(program, results):
    """The same as lines, marked FAULT or KNOWN."""
    has = words(program)
    for name, sentence in faults(results, "STORED" not in has and any(wide <= has for wide in WIDE)):
        reasons = [why for target, known, why in KNOWN if target == name and known <= has]
        yield f"{'KNOWN' if reasons else 'FAULT'} {name}: {'; '.join([sentence, *reasons])}"


def between(values):
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low}–{high}"


def print_kernel(kernel, used):
    """A kernel's line, and one for each vendor. used: target -> use."""
    print(f"    {kernel}: {between([use.local for use in used.values()])} bytes of local memory")
    vendors = collections.defaultdict(list)
    for target, use in used.items():
        vendors[target.vendor, target.registers].append(
            f"{target.name} {'/'.join(map(str, use.registers))}{' !' if use.lost else ''}")
    for (vendor, registers), cells in vendors.items():
        print(f"      {vendor}, {'/'.join(registers)}: {', '.join(cells)}")


def print_program(program, results):
    print(f"  {title(program).partition(' ')[2] or '(no options)'}")
    used = collections.defaultdict(dict)
    for target, result in results.items():
        for kernel, use in result.uses.items():
            used[kernel][target] = use
    for kernel in sorted(used):
        print_kernel(kernel, used[kernel])
    for verdict in verdicts(program, results):
        print(f"    {verdict}")


def print_tree(compiled):
    """Prints as they come, and gives them as a list."""
    done = []
    for program, results in compiled:
        if not done or kind(program) != kind(done[-1][0]):
            print(kind(program))
        print_program(program, results)
        sys.stdout.flush()
        done.append((program, results))
    return done


def tables(compiled, targets):
    """Markdown: for each vendor, the most that a kernel of each kind uses on each target."""
    worst = collections.defaultdict(list)  # (kind, target) -> uses
    for program, results in compiled:
        for target, result in results.items():
            worst[kind(program), target].extend(result.uses.values())
    kinds = sorted({kind(program) for program, _ in compiled})
    for vendor in dict.fromkeys(target.vendor for target in targets if target.registers):
        mine = [target for target in targets if target.vendor == vendor]
        yield f"| {vendor}: {mine[0].registers[0]} | local memory | {' | '.join(t.name for t in mine)} |"
        yield "|---|" + "---:|" * (len(mine) + 1)
        for name in kinds:
            cells = [str(t.worst(worst[name, t])) if worst[name, t] else "" for t in mine]
            local = max((use.local for t in mine for use in worst[name, t]), default=0)
            yield f"| {name} | {local or ''} | {' | '.join(cells)} |"
        yield ""


def judge(options, targets):
    """The exit code."""
    files = kernels(ROOT)
    built = set(programs(options.cache, files))
    found = {program for program in built if "-DWALK_CPU" not in program.defines}
    missing = [f"the file {name}" for name in unused(files, built)]
    missing += without_rows(found, json.loads(options.operations.read_text()))
    chosen = [program for program in found if all(text in title(program) for text in options.only)]
    compiled = print_tree(compile_all(chosen, targets, options.tools, options.jobs))
    if options.markdown:
        options.markdown.write_text("\n".join(tables(compiled, targets)))
    said = [f"{verdict} ({title(program)})" for program, results in compiled for verdict in verdicts(program, results)]
    wrong = sum(verdict.startswith("FAULT") for verdict in said)
    print("", *said, sep="\n")
    for what in missing:
        print(f"MISSING {what} is in no program")
    if cpu := unused(files, found):
        print(f"In programs of the CPU walk alone: {', '.join(cpu)}")
    print(f"{len(compiled)} programs, {len(targets)} targets, "
          + (f"{wrong} faults" if wrong else f"no spill but {len(said)} that are known" if said else "no spill"))
    return 0 if compiled and targets and not wrong and not missing else 1


# What is said of each file of tests/gates on a target that has this, and on one that does not.
PLANTED = {
    "plain": ("registers", "no fault", "no fault"),
    "spills": ("registers", "spilled", "no fault"),
    "private": ("registers", "stack|scratch", "no fault"),
    "refused": ("registers", "nowhere_declared", "nowhere_declared"),
    "narrow": ("reads_code", "128 bits", "no fault"),
}


def check(options, targets):
    """Each planted fault has to be seen on every target, and none where there is none. The exit code."""
    failed = 0
    for name, (ability, there, elsewhere) in PLANTED.items():
        program = Program(("-cl-std=CL1.2",), (ROOT / "tests/gates" / f"{name}.cl").read_text())
        for target, result in compile_for(program, targets, options.tools).items():
            said = " ".join(": ".join(fault) for fault in faults({target: result}, name == "narrow")) or "no fault"
            right = re.search(there if getattr(target, ability) else elsewhere, said)
            failed += not right
            print(f"{name}: {said}{'' if right else f'   <-- WRONG on {target.name}'}")
    return 1 if failed or not targets else 0


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in "--cache", "--operations", "--tools", "--markdown":
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("--target", action="append", default=[])
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    names = [target.name for target in TARGETS]
    if unknown := set(options.target) - set(names):
        sys.exit(f"No target '{unknown.pop()}': there are {', '.join(names)}.")
    return options


def main():
    options = arguments()
    os.environ["PATH"] = f"{options.tools / 'bin'}{os.pathsep}{os.environ['PATH']}"
    wanted = [target for target in TARGETS if not options.target or target.name in options.target]
    targets = [target for target in wanted if not target.missing(options.tools)]
    if options.check and not (targets and options.tools.is_dir()):
        print("Nothing was checked: scripts/gates, which installs the compilers, has not been run here.")
        sys.exit(77)
    code = (check if options.check else judge)(options, targets)
    for target in wanted:
        if missing := target.missing(options.tools):
            print(f"ABSENT {target.name}: there is no {', no '.join(map(str, missing))}")
    sys.exit(code)


if __name__ == "__main__":
    main()
