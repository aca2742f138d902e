"""The GPUs that check_gates.py compiles for: one row of TARGETS each, one class a vendor's compiler.

A target's `uses(work, program)` compiles a program below the folder `work` and gives what each of its kernels uses.
Compilers are found on PATH; what else they need lies in `tools`, a folder that scripts/gates lays out.
"""

import pathlib
import re
import shutil
import struct
import subprocess
from typing import NamedTuple

PATIENCE = 600  # seconds for one compilation


class Refused(Exception):
    """A compiler did not take a program: its words."""


class Use(NamedTuple):
    """What a kernel needs of a compute unit."""
    registers: tuple  # one count for each of the target's `registers`
    local: int        # bytes of local memory
    lost: str = ""    # what lies in memory although it should be in registers, in words; empty: nothing
    wide: bool = True  # whether it has loads of 128 bits from global memory; True, too, where its code is not read


def run(*command):
    """What a command prints, on both outputs."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise Refused(f"{command[0]} took more than {PATIENCE} s") from None
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if re.search("error|fatal", line)]
        raise Refused(f"{command[0]}: {(lines or done.stdout.splitlines() or [f'exit code {done.returncode}'])[0]}")
    return done.stdout


def number(name, text, missing=0):
    found = re.search(rf"\b{name}:\s+(\d+)", text)
    return int(found[1]) if found else missing


class Target:
    float64 = True
    rounds = True  # the usual driver says that it rounds division and square root correctly, when it is told to
    registers = ()
    reads_code = False  # for the widths of loads
    commands = ()
    files = ()  # below `tools`

    def __init__(self, name, device, **differences):
        self.name, self.device = name, device
        self.__dict__.update(differences)

    def missing(self, tools):
        """What is not there of what this target needs."""
        return ([command for command in self.commands if not shutil.which(command)]
                + [file for file in self.files if not (tools / file).exists()])

    def takes(self, program):
        return self.float64 or "-DREAL_F64" not in program.defines

    def options(self, program):
        """The program's options as the library would give them to this target's driver."""
        rounding = ("-cl-fp32-correctly-rounded-divide-sqrt", "-DROUNDS_DIVIDE")
        return [option for option in program.options if self.rounds or option not in rounding]

    def source(self, work, program):
        file = work / "program.cl"
        if not file.exists():
            file.write_text(program.text)
        return file

    def worst(self, uses):
        """Of several kernels' registers what says most about how many of them run at once."""
        return max(use.registers[0] for use in uses)


class AMD(Target):
    """clang with the device libraries of ROCm, as in ROCm's OpenCL. The counts stand in a note of the code object."""
    vendor = "AMD"
    registers = ("VGPR", "SGPR")
    clang = 15
    files = ("bitcode",)

    @property
    def commands(self):
        return f"clang-{self.clang}", "ld.lld", "llvm-readobj-15", "llvm-objdump-15"

    @property
    def reads_code(self):
        return self.clang == 15

    def uses(self, work, program, tools):
        code = work / f"{self.name}.o"
        run(f"clang-{self.clang}", "-x", "cl", "-target", "amdgcn-amd-amdhsa", f"-mcpu={self.name}", "-O3",
            "-Wno-linker-warnings", f"--rocm-device-lib-path={tools / 'bitcode'}", *self.options(program),
            *self.newer(tools), self.source(work, program), "-o", code)
        notes = run("llvm-readobj-15", "--notes", code)
        code = run("llvm-objdump-15", "-d", code) if self.reads_code else ""
        wide = {name for name, body in re.findall(r"<(\S+)>:\n(.*?)(?=\n\n|\Z)", code, re.S)
                if re.search(r"\b(global|flat|buffer)_load_(dwordx4|b128)\b", body)}
        uses = dict(self.kernel(text) for text in re.split(r"\n  - (?=\.agpr_count|\.args)", notes)[1:])
        return {name: use._replace(wide=not self.reads_code or name in wide) for name, use in uses.items()}

    def newer(self, tools):
        """What a newer clang has to be told about libraries that are older than it."""
        if self.clang == 15:
            return []
        return ["-mcode-object-version=5", "-Xclang", "-mlink-builtin-bitcode", "-Xclang",
                tools / "bitcode" / "oclc_daz_opt_off.bc"]

    def kernel(self, text):
        spills = number("vgpr_spill_count", text) + number("sgpr_spill_count", text)
        lost = [f"{spills} registers spilled"] if spills else []
        if private := number("private_segment_fixed_size", text):
            lost.append(f"{private} bytes of scratch memory a work-item")
        return re.search(r"\n    \.name:\s+(\S+)", text)[1], Use(
            (number("vgpr_count", text), number("sgpr_count", text)), number("group_segment_fixed_size", text),
            ", ".join(lost))


class NVIDIA(Target):
    """clang with libclc to PTX, ptxas of the CUDA toolkit from there. It prints what it has used."""
    vendor = "NVIDIA"
    registers = ("registers",)
    reads_code = True
    ptx = "sm_80"  # clang-15 knows no newer one; ptxas makes code for any newer one of it
    library = pathlib.Path("/usr/lib/clc/nvptx64--nvidiacl.bc")
    commands = "clang-15", "ptxas"
    files = (library,)

    def uses(self, work, program, tools):
        ptx = work / f"{self.ptx}.{self.rounds}.ptx"
        if not ptx.exists():
            run("clang-15", "-x", "cl", "-target", "nvptx64--nvidiacl", f"-march={self.ptx}", "-S", "-O3",
                "-Xclang", "-mlink-builtin-bitcode", "-Xclang", self.library, *self.options(program),
                self.source(work, program), "-o", ptx)
        said = run("ptxas", f"-arch={self.name}", "-v", ptx, "-o", work / "cubin")
        wide = {name for name, body in re.findall(r"\.entry (\w+)\((.*?)(?=\.entry |\Z)", ptx.read_text(), re.S)
                if re.search(r"\bld\.global\S*\.(v4\.\w32|v2\.\w64)\b", body)}
        uses = dict(self.kernel(text) for text in said.split("Compiling entry function ")[1:])
        return {name: use._replace(wide=name in wide) for name, use in uses.items()}

    def kernel(self, text):
        found = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", text)
        frame, stores, loads = (int(count) for count in found.groups())
        lost = [f"{stores} bytes spilled, {loads} read again"] if stores or loads else []
        if frame:
            lost.append(f"{frame} bytes of stack a work-item")
        local = re.search(r"(\d+) bytes smem", text)
        return re.match(r"'(.*?)'", text)[1], Use(
            (int(re.search(r"Used (\d+) registers", text)[1]),), int(local[1]) if local else 0, ", ".join(lost))


class Intel(Target):
    """ocloc, the offline face of the driver's own compiler. It writes what a kernel needs into its code object; how
    many registers were spilled it says only while it compiles. All kernels have 128 registers of 32 or 64 bytes each;
    where they would not do it compiles for fewer work-items a thread: the SIMD width is what tells."""
    vendor = "Intel"
    registers = ("SIMD",)
    commands = ("ocloc",)

    def takes(self, program):
        return super().takes(program) and "-DFOURS_M=2" not in program.defines  # the quirk few-registers

    def uses(self, work, program, tools):
        folder = work / self.name
        said = run("ocloc", "compile", "-file", self.source(work, program), "-device", self.name, "--format", "zebin",
                   "-options", " ".join(self.options(program)), "-out_dir", folder)
        spilled = dict(re.findall(r"kernel (\S+)\s.* spilled around (\d+)", said))
        text = section(next(folder.glob("*.bin")).read_bytes(), ".ze_info").split("\nkernels_misc_info")[0]
        return {name: self.kernel(body, spilled.get(name))
                for name, body in re.findall(r"\n  - name: +(\S+)\n(.*?)(?=\n  - name:|\Z)", text, re.S)
                if not name.startswith("Intel_")}  # the compiler's own, for functions that are not static

    def kernel(self, text, spilled):
        lost = [f"{spilled} registers spilled"] if spilled else []
        memory = text.partition("per_thread_memory_buffers:")[2]
        if size := sum(int(size) for size in re.findall(r"\bsize: +(\d+)", memory)):
            lost.append(f"{size} bytes of scratch memory a thread")
        return Use((number("simd_size", text),), number("slm_size", text), ", ".join(lost))

    def worst(self, uses):
        return min(use.registers[0] for use in uses)


def section(elf, name):
    """The text of one section of a 64-bit ELF file; no tool of binutils reads those of Intel's."""
    table, = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    rows = [struct.unpack_from("<IIQQQQ", elf, table + i * size) for i in range(count)]
    for row in rows:
        start = rows[names][4] + row[0]
        if elf[start:elf.index(b"\0", start)].decode() == name:
            return elf[row[4]:row[4] + row[5]].decode().rstrip("\0")
    raise Refused(f"a code object has no section {name}")


class SPIRV(Target):
    """What clang hands to drivers that compile SPIR-V. Nothing is counted: it is valid, or not. Not optimised, since
    the translator does not take all that clang's optimiser makes."""
    vendor = "SPIR-V"
    commands = "clang-15", "llvm-spirv-15", "spirv-val"

    def uses(self, work, program, tools):
        bitcode, words = work / "program.bc", work / "program.spv"
        run("clang-15", "-x", "cl", "-target", "spir64", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c",
            *self.options(program), self.source(work, program), "-o", bitcode)
        run("llvm-spirv-15", "--spirv-max-version=1.1", bitcode, "-o", words)
        run("spirv-val", "--target-env", "opencl2.1", words)
        return {}


# Where a driver of Mesa's is usual too, which promises no rounding, the target stands for that driver.
TARGETS = [
    AMD("gfx906", "Radeon VII, Instinct MI50"),
    AMD("gfx90a", "Instinct MI200"),
    AMD("gfx942", "Instinct MI300", clang=22),
    AMD("gfx1030", "Radeon RX 6000", rounds=False),
    AMD("gfx1100", "Radeon RX 7000"),
    AMD("gfx1200", "Radeon RX 9000", clang=22),
    NVIDIA("sm_75", "GeForce RTX 20, T4", ptx="sm_75", rounds=False),
    NVIDIA("sm_80", "A100"),
    NVIDIA("sm_90", "H100, H200"),
    NVIDIA("sm_120", "GeForce RTX 50"),
    Intel("skl", "Skylake, HD Graphics 500"),
    Intel("tgllp", "Tiger Lake, Iris Xe", float64=False, rounds=False),
    Intel("dg2-g10", "Arc A-series", float64=False),
    Intel("pvc", "Data Center GPU Max"),
    SPIRV("spir64", "any driver that reads SPIR-V"),
]
