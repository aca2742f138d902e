#!/usr/bin/env python3
"""generate_layer.py INCLUDE_DIR > wrappers.inc

From the installed OpenCL headers, the uniform part of the fault layer: for every function of the loader's dispatch
table that cl.h declares a wrapper that may fail instead of calling on, and that counts objects made, retained and
released; and the list LAYER_FUNCTIONS(X) of them all. layer.c has the rest, among it the functions named in BY_HAND."""

import pathlib
import re
import sys

# What cl_* type is counted under which name.
KINDS = {
    "cl_context": "CONTEXT", "cl_command_queue": "QUEUE", "cl_mem": "MEM", "cl_program": "PROGRAM",
    "cl_kernel": "KERNEL", "cl_event": "EVENT", "cl_sampler": "SAMPLER",
}
BY_HAND = {
    "clGetDeviceInfo", "clEnqueueNDRangeKernel", "clCreateBuffer", "clCreateKernelsInProgram",
    "clCreateSubDevices", "clRetainDevice", "clReleaseDevice", "clFinish", "clWaitForEvents",
}


def without_comments(text):
    return re.sub(r"//.*", "", re.sub(r"/\*.*?\*/", "", text, flags=re.S))


def split_parameters(text):
    """At the commas that are not within a function pointer's own parameters."""
    parts, depth = [""], 0
    for c in " ".join(text.split()):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [] if parts == ["void"] else [part.strip() for part in parts]


def parameter_name(parameter):
    callback = re.search(r"\(\s*CL_CALLBACK\s*\*\s*(\w+)\s*\)", parameter)
    return callback[1] if callback else re.search(r"(\w+)\s*(\[\s*\w*\s*\])?$", parameter)[1]


def body(result, name, parameters):
    names = [parameter_name(p) for p in parameters]
    call = f"next->{name}({', '.join(names)})"
    if result == "void":
        return f"{call};"
    counted = re.match(r"cl(Retain|Release)", name)
    if counted:
        kind = KINDS[parameters[0].split()[0]]
        change = 1 if counted[1] == "Retain" else -1
        return f"const cl_int code = {call}; if (code == CL_SUCCESS) object({kind}, {change}); return code;"
    event = " if (event && *event) object(EVENT, 1);" if name.startswith("clEnqueue") and "event" in names else ""
    if result == "cl_int":
        done = f" if (code == CL_SUCCESS) {{{event} }}" if event else ""
        return f"FAIL_WITH_CODE({name}); const cl_int code = {call};{done} return code;"
    if "errcode_ret" in names:
        made = f" if (made) {{{event} }}" if event else ""
        if result in KINDS:
            made = f" if (made) object({KINDS[result]}, 1);"
        return f"FAIL_WITH_NULL({name}); {result} made = {call};{made} return made;"
    return f"FAIL_WITH_NOTHING({name}); return {call};"


def main(include):
    table = (include / "cl_icd.h").read_text().split("struct _cl_icd_dispatch {")[1]
    entries = set(re.findall(r"\b(cl\w+);", table))
    declaration = re.compile(
        r"extern\s+CL_API_ENTRY\s+(?:CL_API_PREFIX__\w+\s+)?([\w\s*]+?)\s*"
        r"CL_API_CALL\s+(cl\w+)\s*\((.*?)\)\s*CL_API_SUFFIX__\w+\s*;",
        re.S,
    )
    found = []
    for result, name, parameters in declaration.findall(without_comments((include / "cl.h").read_text())):
        if name not in entries:
            continue
        found.append(name)
        if name in BY_HAND:
            continue
        parameters = split_parameters(parameters)
        result = " ".join(result.split())
        head = f"static {result} CL_API_CALL layer_{name}({', '.join(parameters) or 'void'})"
        print(head, "{", body(result, name, parameters), "}")
    if len(found) < 80 or not BY_HAND <= set(found):
        sys.exit(f"{include}: only {len(found)} functions understood")
    print("#define LAYER_FUNCTIONS(X) \\\n" + " \\\n".join(f"  X({name})" for name in found))


main(pathlib.Path(sys.argv[1]))
