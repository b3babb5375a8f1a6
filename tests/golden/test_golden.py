# SPDX-License-Identifier: Apache-2.0
"""golden — what the commands print, byte for byte.

A case is a transcript in cases/*.golden, run in the folder files/:

    # a remark
    $ meshd validate -f wrong.yaml
    | a line of standard output
    ! a line of standard error
    = 3

"|" and "!" are followed by a space and the line, "= N" is the exit status if
it is not 0. "~" in place of the space makes the rest a regular expression
that the whole line has to match. A command may begin with NAME=VALUE and end
with "< FILE"; it sees no other setting. UPDATE=1 writes the transcripts
anew from what is printed now, and keeps the expressions that still match.
"""

import os
import pathlib
import re
import shlex
import subprocess

import pytest

MESHD = os.environ["MESHD"]
HERE = pathlib.Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.golden"))
MARKS = {"|": "stdout", "!": "stderr"}


class Step:
    """One command of a transcript, and what is to come of it."""

    def __init__(self, number, line):
        self.number = number
        self.line = line
        self.expected = []
        self.remarks = []

    def run(self):
        words = shlex.split(self.line[2:])
        # Only files/ and what the case says: no settings of this machine.
        env = {"PATH": os.environ["PATH"], "MESHD_CONF": "empty.conf"}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            env[name] = value
        assert words.pop(0) == "meshd", f"line {self.number}: {self.line}"
        stdin = None
        if len(words) > 1 and words[-2] == "<":
            stdin = (HERE / "files" / words[-1]).read_bytes()
            words = words[:-2]
        return subprocess.run(
            [MESHD, *words], input=stdin, capture_output=True, timeout=60,
            check=False, cwd=HERE / "files", env=env,
            stdin=subprocess.DEVNULL if stdin is None else None)


def printed(done):
    """The process's output in the words of a transcript."""
    lines = []
    for mark, name in MARKS.items():
        text = getattr(done, name).decode()
        for line in text.split("\n")[:-1]:
            lines.append(f"{mark} {line}" if line else mark)
        if text and not text.endswith("\n"):
            lines.append(f"{mark} {text.split(chr(10))[-1]}\\no newline")
    if done.returncode != 0:
        lines.append(f"= {done.returncode}")
    return lines


def matches(wanted, got):
    if wanted[1:2] != "~":
        return wanted == got
    return wanted[0] == got[0] and \
        re.fullmatch(wanted[2:].strip(), got[2:]) is not None


def is_same(wanted, got):
    return len(wanted) == len(got) and all(map(matches, wanted, got))


def renewed(wanted, got):
    """What is printed now, with the expressions that still hold."""
    keep = [w for w in wanted if w[1:2] == "~"]
    return [next((k for k in keep if matches(k, line)), line) for line in got]


def read(path):
    head, steps = [], []
    for number, line in enumerate(path.read_text().split("\n")[:-1], 1):
        if line.startswith("$ "):
            steps.append(Step(number, line))
        elif line[:1] in ("|", "!", "="):
            steps[-1].expected.append(line)
        else:
            assert line[:1] in ("", "#"), f"{path.name}:{number}: {line}"
            (steps[-1].remarks if steps else head).append(line)
    return head, steps


def write(path, head, steps):
    lines = list(head)
    for step in steps:
        lines += [step.line, *step.expected, *step.remarks]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_commands_print_what_they_printed(path):
    head, steps = read(path)
    assert steps, f"{path.name} runs nothing"
    differences = []
    for step in steps:
        got = printed(step.run())
        if os.environ.get("UPDATE"):
            step.expected = renewed(step.expected, got)
        elif not is_same(step.expected, got):
            differences.append("\n".join([
                f"{path.name}:{step.number}: {step.line}", "wanted:",
                *step.expected, "printed:", *got]))
    if os.environ.get("UPDATE"):
        write(path, head, steps)
    assert not differences, "\n\n".join(differences)


def test_the_help_of_every_command_is_a_case():
    listed = subprocess.run([MESHD, "help"], capture_output=True, text=True,
                            timeout=60, check=True).stdout
    commands = re.findall(r"^  (\w+(?: \w+)?) {2,}\S", listed, re.M)
    assert "server run" in commands
    _, steps = read(HERE / "cases" / "help.golden")
    shown = {step.line for step in steps}
    missing = [f"$ meshd {c} --help" for c in commands
               if f"$ meshd {c} --help" not in shown]
    assert not missing, "add to cases/help.golden and run with UPDATE=1"


def test_the_runner_sees_every_difference():
    """A runner that finds all the same would let anything pass."""
    got = ["| a", "| meshd 1.2.3", "! b", "= 2"]
    assert is_same(["| a", "|~ meshd [0-9.]+", "! b", "= 2"], got)
    for wanted in (["| a", "| meshd 1.2.4", "! b", "= 2"], got[:-1],
                   ["| a", "|~ meshd [a-z]", "! b", "= 2"],
                   ["| a", "!~ meshd [0-9.]+", "! b", "= 2"],
                   [*got, "! more"], ["| a ", *got[1:]]):
        assert not is_same(wanted, got), wanted
