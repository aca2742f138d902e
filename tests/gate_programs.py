"""gate_programs.py CLIV: calls `cliv op` for what takes registers in another way than what the self-test and the tests
build: every kind of accumulation of every type that is computed in, along rows, axes and segments. The programs are
left in the cache that the environment names."""

import array
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

TYPES = {"float32": ("<f4", "f"), "float64": ("<f8", "d"), "integers": ("<i8", "q")}
SHAPE = (5000, 3)  # longer than a block along the first axis and in all, so that blocks are joined
# One of each kind of cl/reduce_ops.cl and of cl/scan_ops.cl.
REDUCTIONS = ["sum", "max", "argmax", "count_nonzero", "var", "logsumexp", "sum_compensated", "dot"]
SCANS = ["sum", "max"]
LAYOUTS = [[], ["--axis", "0"], ["--segments", "offsets.npy"]]


def write(path, descr, values):
    """A .npy file of the rows `values`."""
    code = {descr: code for descr, code in TYPES.values()}[descr]
    shape = (len(values), len(values[0])) if isinstance(values[0], tuple) else (len(values),)
    flat = itertools.chain.from_iterable(values) if len(shape) == 2 else values
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
                     + array.array(code, flat).tobytes())


def write_inputs(folder):
    for name, (descr, _) in TYPES.items():
        write(folder / f"{name}.npy", descr, [(1,) * SHAPE[1]] * SHAPE[0])
    write(folder / "offsets.npy", "<i8", [0, 5000, 15000])
    write(folder / "rows.npy", "<i8", [0] * SHAPE[0])


def calls(operations):
    rows = {row["name"]: row for row in operations["reduce"]}
    for name, kind in itertools.product(REDUCTIONS, TYPES):
        if kind == "float32" or rows[name][kind]:
            for layout in LAYOUTS:
                yield ["reduce", "--op", name, *layout, *[f"{kind}.npy"] * rows[name]["inputs"]]
    for name, kind, layout in itertools.product(SCANS, TYPES, LAYOUTS):
        yield ["scan", "--op", name, *layout, f"{kind}.npy"]
    for kind, layout in itertools.product(["float32", "float64"], LAYOUTS):
        yield ["stats", *layout, f"{kind}.npy"]
    for kind in TYPES:
        yield ["histogram", "--bins", "9", "--range", "0,9", f"{kind}.npy"]
        yield ["scatter", f"{kind}.npy", "rows.npy", f"{kind}.npy"]
    yield ["quantile", "--q", "0.5", "float64.npy"]


def main():
    cliv = pathlib.Path(sys.argv[1]).resolve()
    operations = json.loads(subprocess.run([cliv, "op", "list", "--json"], check=True, capture_output=True).stdout)
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(pathlib.Path(folder))
        for call in calls(operations):
            command = [cliv, "op", call[0], "--walk", "gpu", *call[1:], "-o", "out.npy"]
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if run.returncode:
                sys.exit(f"cliv op {' '.join(call)}: {run.stderr}")


if __name__ == "__main__":
    main()
