"""Running the `cliv` program and judging what it did."""

import json
import os
import subprocess

PROGRAM = os.environ["CLIV_TEST_PROGRAM"]
SOURCE = os.environ["CLIV_TEST_SOURCE"]
# Checked devices and sanitizers are slow: sizes above about 5000 are left out.
SMALL = os.environ.get("CLIV_TEST_SMALL", "0") not in ("", "0")


def cliv(*arguments, env=None, **options):
    """Runs the program; gives the CompletedProcess, with text streams."""
    environment = dict(os.environ, **(env or {}))
    command = [PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, **options)


def done(*arguments, **options):
    """Runs the program, which must succeed; gives its standard output."""
    run = cliv(*arguments, **options)
    assert run.returncode == 0, f"{run.args}: exit {run.returncode}\n{run.stderr}"
    return run.stdout


def document(*arguments, **options):
    """Runs the program with --json, which must succeed; gives the document."""
    return json.loads(done(*arguments, "--json", **options))


def refused(*arguments, code, says=(), leaves=(), **options):
    """Runs the program, which must fail as every failure has to: this exit code; exactly one line `cliv VERB: sentence`
    on standard error, which contains every text of `says`; nothing on standard output, or with --json one document with
    the same sentence; and none of the files `leaves`, nor a temporary one beside them. Gives the sentence."""
    run = cliv(*arguments, **options)
    told = f"{run.args}: exit {run.returncode}\nstdout: {run.stdout}\nstderr: {run.stderr}"
    assert run.returncode == code, told
    lines = run.stderr.splitlines()
    assert len(lines) == 1 and run.stderr.endswith("\n"), told
    sentence = lines[0]
    assert sentence.startswith("cliv") and ": " in sentence, told
    assert len(sentence.split(": ", 1)[1].split()) >= 3, told
    for text in [says] if isinstance(says, str) else says:
        assert text in sentence, f"{text!r} is missing\n{told}"
    if "--json" in map(str, arguments):
        error = json.loads(run.stdout)["error"]
        assert set(error) == {"status", "code", "message"} and error["code"] >= 100, told
        assert error["message"] == sentence.split(": ", 1)[1], told
    else:
        assert run.stdout == "", told
    for path in map(str, leaves):
        folder = os.path.dirname(path)
        names = os.listdir(folder) if os.path.isdir(folder) else []
        beside = [name for name in names if os.path.basename(path) in name]
        assert not beside, f"left behind: {beside}\n{told}"
    return sentence
