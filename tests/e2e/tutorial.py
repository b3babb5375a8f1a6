# SPDX-License-Identifier: Apache-2.0
"""tutorial — what pages tell their reader to type, and what he is shown then.

A line `web# meshd members` is typed on the machine web; what follows it is what
is printed. Of that `…` stands for anything, a number for any number, and blanks
between words for any. A command in the background prints elsewhere. `mj1.…` is
the token that was printed last, `curl -fsSLk … --join mj1.…` the line.
"""

import contextlib
import os
import re
import select
import subprocess
import time

from mesh import DEADLINE, MESHD, wait_for

PROMPT = re.compile(r"(\w+)# (.*)")
END = "end-of-command"
# What changes nothing may be typed again until it is as it is shown.
LOOKS = re.compile(
    r"(meshd (members|services|endpoints|exposed|explain|status|dns query|"
    r"capture status|proxy config|get|why|doctor)|curl|for|dig|cat)\b")
# A machine has the files of this one, and above them its own, which go with it.
OWN = """set -e
hostname "$2"
mount -t tmpfs own "$1"
mkdir -p "$1/home" "$1/bin" "$1/up" "$1/work"
ln -s "$3" "$1/bin/meshd"
mount -t proc proc /proc
mount -t overlay own -o "lowerdir=/etc,upperdir=$1/up,workdir=$1/work" /etc
for folder in run usr/local var/lib var/log; do
    mkdir -p "$1/$folder"
    mount --bind "$1/$folder" "/$folder"
done
cd "$1/home"
exec bash
"""


class Line:
    """A command, on which machine, and what is shown of it."""

    def __init__(self, machine, command):
        self.machine = machine
        self.command = command
        self.shown = []

    @property
    def is_whole(self):
        here = re.search(r"<<(\w+)", self.command)
        if here:
            return self.command.endswith(f"\n{here[1]}")
        return not self.command.endswith("\\")

    @property
    def fails(self):
        """What is refused is shown to be."""
        return any(line.startswith("meshd: ") for line in self.shown)

    def __str__(self):
        return f"{self.machine}# {self.command}"


def lines_of(text):
    """Of one block: each command with what it is said to print."""
    lines = []
    for text_line in text.rstrip().split("\n"):
        prompt = PROMPT.fullmatch(text_line)
        if lines and not lines[-1].is_whole:
            lines[-1].command += f"\n{text_line}"
        elif prompt:
            lines.append(Line(*prompt.groups()))
        elif lines:
            lines[-1].shown.append(text_line)
    return lines


def markdown_blocks(text, heading):
    part = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```\n(.*?)^```$", part, re.S | re.M)


def mdoc_blocks(text, section=None):
    if section:
        text = text.partition(f"\n.Sh {section}\n")[2].partition("\n.Sh ")[0]
    for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", text,
                            re.S | re.M):
        yield block.replace(r"\e", "\\").replace(r"\&", "")


def squeeze(text):
    return [" ".join(line.split()) for line in text.rstrip().split("\n")]


def pattern_of(shown):
    """A regular expression of the words of a line."""
    words = [r"\d+" if word.isdigit() else
             ".*".join(map(re.escape, word.split("…")))
             for word in shown.split()]
    return " ".join(words)


def is_as_shown(shown, told):
    """A line that is nothing but `…` stands for any number of them."""
    whole = "".join(r"(?:.*\n)*" if line.strip() == "…" else
                    pattern_of(line) + "\n" for line in shown)
    return re.fullmatch(whole, "\n".join(squeeze(told)) + "\n") is not None


class Terminal:
    """root's shell on a machine that has nothing of meshd but the program."""

    def __init__(self, machine, name, folder):
        self.name = name
        own = folder / name
        own.mkdir()
        self.log = folder / f"{name}.log"
        self.process = subprocess.Popen(
            [*machine.enter, "unshare", "--mount", "--uts", "--pid", "--fork",
             "--kill-child", "bash", "-c", OWN, "bash", own, name,
             os.path.abspath(MESHD)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={
                "HOME": own / "home", "LC_ALL": "C.UTF-8",
                "PATH": f"{own}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"})
        self.type("true")

    def read(self):
        """All until a command's end is told."""
        told, deadline = b"", time.monotonic() + DEADLINE
        while not re.search(rb"\n%s \d+\n$" % END.encode(), told):
            left = deadline - time.monotonic()
            if left < 0 or not select.select(
                    [self.process.stdout], [], [], left)[0]:
                raise TimeoutError(told)
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise EOFError(told)
            told += more
        return told.decode()

    def type(self, command):
        """The status, and what it printed."""
        if command.endswith("&"):
            command = f"{command[:-1]} >>{self.log} 2>&1 &"
        self.process.stdin.write(
            f"{{ {command}\n}} </dev/null 2>&1; printf '\\n%s %d\\n' {END} $?\n"
            .encode())
        self.process.stdin.flush()
        told, _, status = self.read().rstrip("\n").rpartition(f"\n{END} ")
        return int(status), told

    def close(self):
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Reader:
    """Follows a page, line by line; a machine is made when it is named."""

    def __init__(self, net, folder):
        self.machines = iter(net.machines)
        self.folder = folder
        self.terminals = {}
        self.token = self.paste = ""

    def terminal(self, name):
        if name not in self.terminals:
            self.terminals[name] = Terminal(
                next(self.machines), name, self.folder)
        return self.terminals[name]

    def follow(self, blocks):
        for block in blocks:
            for line in lines_of(block):
                self.do(line)

    def with_token(self, command):
        """As it is typed: with the token and the line that were printed."""
        return command.replace(
            "curl -fsSLk … --join", self.paste.partition(" mj1.")[0]).replace(
                "curl -fsSLk …", self.paste.partition(" | ")[0]).replace(
                    "mj1.…", self.token)

    def remember(self, told):
        paste = re.search(r"^curl -fsSLk .* mj1\.\S+", told, re.M)
        token = re.search(r"mj1\.\S+", told)
        self.paste = paste[0] if paste else self.paste
        self.token = token[0] if token else self.token

    def do(self, line):
        terminal = self.terminal(line.machine)
        command = self.with_token(line.command)
        told = []

        def goes():
            told[:] = terminal.type(command)
            return (told[0] != 0) == line.fails and (
                not line.shown or is_as_shown(line.shown, told[1]))

        def why():
            return f"{line}\nends with {told[0]} and prints\n{told[1]}"
        if LOOKS.match(command):
            wait_for(goes, why)
        else:
            assert goes(), why()
        self.remember(told[1])
        if re.match(r"meshd (server run|agent)\b", command):
            wait_for(lambda: terminal.type("meshd status")[0] == 0,
                     lambda: terminal.log.read_text())

    def close(self):
        for terminal in self.terminals.values():
            terminal.close()
