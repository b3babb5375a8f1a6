#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""agreement — the option tables, --help, the pages and the sample agree, the
codes of the analysis with their page, and what any page says of a command with
that command.

    agreement.py MESHD

--help is printed from the tables in modules/7-face/cli; that each option of a
table is printed is asked of the sources, what the pages say of it is asked of
--help. What one side has and another lacks is an error, both ways.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = ROOT / "modules/7-face/cli"
PAGES = {"server init": "meshd-server.8", "server run": "meshd-server.8",
         "server backup": "meshd-server.8", "server restore": "meshd-server.8",
         "agent": "meshd-agent.8", "gateway": "meshd-agent.8"}
SECTIONS = {"server": ("server init", "server run"),
            "agent": ("agent", "gateway")}
# The rest of the commands ask somebody, and share the settings of whom.
CLI_SETTINGS = {"socket", "token"}


def told(meshd, *words):
    return subprocess.run([meshd, *words], capture_output=True, text=True,
                          timeout=60, check=True).stdout


def helped(meshd):
    """What --help says: command -> its options."""
    names = [line[2:18].rstrip() for line in told(meshd, "help").split("\n")
             if line.startswith("  ")]
    return {name: set(re.findall(
        r"^ {2}(?:-\w, | {4})--([\w-]+)",
        told(meshd, *name.split(), "--help"), re.M)) for name in names}


def tabled():
    """The options of the tables in C, in any command."""
    text = "".join(p.read_text() for p in sorted(CLI.glob("*.[ch]")))
    return set(re.findall(
        r'\{[\s\\]*"([a-z][\w-]*)",\s*(?:0|\'\w\'),\s*OPTION_', text))


def page(name):
    return (ROOT / "man" / name).read_text()


def options_of(text):
    """-name in mdoc is Fl -name, in the heads of lists."""
    heads = re.findall(r"^\.It (?:Fl|Cm) .*$", text, re.M)
    return {o for head in heads
            for o in re.findall(r"Fl (?:\w , )?-([\w-]+)", head)}


def conf_page():
    """meshd.conf(5): section -> its settings."""
    parts = re.split(r"^\.Ss \[(\w+)\]$", page("meshd.conf.5"), flags=re.M)
    return {name: set(re.findall(r"^\.It ([a-z][\w-]*) Ta ", body, re.M))
            for name, body in zip(parts[1::2], parts[2::2])}


def sample():
    """config/meshd.conf: section -> its settings, set or as a remark."""
    found, section = {}, None
    for line in (ROOT / "config/meshd.conf").read_text().split("\n"):
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = found.setdefault(match[1], set())
        elif match := re.match(r"(?:# )?([a-z][\w-]*) = ", line):
            section.add(match[1])
    return found


def refused(meshd):
    """The sample with every remark made a setting has to be read."""
    text = re.sub(r"^# ([a-z][\w-]* = )", r"\1", (
        ROOT / "config/meshd.conf").read_text(), flags=re.M)
    with tempfile.TemporaryDirectory() as folder:
        conf = pathlib.Path(folder) / "meshd.conf"
        conf.write_text(text)
        # No mesh is there: that is told after the settings were read.
        done = subprocess.run(
            [meshd, "server", "run", "--state", folder + "/none"],
            env={"MESHD_CONF": str(conf)}, capture_output=True, text=True,
            timeout=60, check=False)
    read = done.returncode == 1 and "holds no mesh" in done.stderr
    return [] if read else [f"config/meshd.conf: {done.stderr.strip()}"]


def differences(what, ours, theirs, other):
    return [f"{what}: {name} is missing from {other}"
            for name in sorted(ours - theirs)] + \
        [f"{other}: {name} is unknown to {what}"
         for name in sorted(theirs - ours)]


def codes(meshd):
    """What is wrong between the table of codes and meshd-analysis(7)."""
    table = {(i["id"], i["title"], i["level"]) for i in json.loads(
        told(meshd, "analyze", "--list", "-o", "json"))["items"]}
    described = re.findall(r"^\.It Cm (\w+) (\w+) Pq (\w+)$",
                           page("meshd-analysis.7"), re.M)
    if described != sorted(described):
        return ["meshd-analysis.7: the codes are not in their order"]
    return differences("the table of codes", table, set(described),
                       "meshd-analysis.7")


def lines_typed():
    """(page, line) of commands that pages and README name, or show typed."""
    pages = sorted((ROOT / "man").glob("*.[1-9]"))
    for path in (*pages, ROOT / "README.md"):
        text = re.sub(r"\\e?\n *", "", path.read_text())
        for line in re.findall(r"^\.Ic meshd (.*)$", text, re.M):
            yield path.name, line.replace("Fl -", "--")
        for line in re.findall(r"^(?:\w*[#$] |\.Dl .. )meshd (.*)$", text, re.M):
            yield path.name, line.partition(" -- ")[0]


def unknown_lines(commands):
    """Those whose command or option there is not."""
    for name, line in lines_typed():
        words = line.replace("help ", "").split()
        own = next((" ".join(words[:n]) for n in (2, 1)
                    if " ".join(words[:n]) in commands), None)
        if own is None:
            yield f"{name}: there is no command: meshd {line}"
            continue
        for option in re.findall(r"(?:^|\s)--([\w-]+)", line):
            if option not in commands[own]:
                yield f"{name}: meshd {own} has no option --{option}"


def check(meshd):
    commands = helped(meshd)
    wrong = differences("the tables", tabled(), set().union(
        *commands.values()), "--help")
    for name in ("meshd-server.8", "meshd-agent.8"):
        ours = set().union(*(commands[c] for c in PAGES if PAGES[c] == name))
        wrong += differences("--help", ours, options_of(page(name)), name)
    text = page("meshd.8")
    rest = {c: o for c, o in commands.items() if c not in PAGES}
    wrong += differences("--help", set().union(*rest.values()),
                         options_of(text), "meshd.8")
    heads = re.findall(r"^\.It Cm (.*)$", text, re.M)
    named = [words.strip() for head in heads for words in head.split(" , ")]
    wrong += [f"meshd.8: the command {c} is missing" for c in commands
              if not any(n == c or n.startswith(c + " ") for n in named)]
    settings = {s: set().union(*(commands[c] for c in of))
                for s, of in SECTIONS.items()} | {"cli": CLI_SETTINGS}
    for other, has in (("meshd.conf.5", conf_page()),
                       ("config/meshd.conf", sample())):
        wrong += differences("sections", set(settings), set(has), other)
        for section in settings.keys() & has.keys():
            wrong += differences(f"[{section}]", settings[section],
                                 has[section], other)
    wrong += unknown_lines(commands)
    return wrong + codes(meshd) + refused(meshd)


if __name__ == "__main__":
    found = check(sys.argv[1])
    print("\n".join(found) or "agreement: tables, help, pages and sample agree")
    sys.exit(bool(found))
