# SPDX-License-Identifier: Apache-2.0
"""corpus — what a folder of recorded configuration holds, as cases.

The shape decides, never a name of a file:

    verdicts.tsv     a document a row: valid or not, with warnings or not
    strings.tsv      one text a row, for a check of one value
    expected.json    files of a folder, and the messages of the analysis
    *-in.yaml        policies, and in *-out*.yaml the filters that upstream
                     makes of them
    templates/       policies that the cases beside it call by policyTemplates
    calls:           configuration, calls, and what a proxy did with them
    anything else    *.yaml that is valid as it stands

A folder whose files are of no shape that is known is a part all the same, of
which every file fails: what nobody judges must not look as if it were right.
The folder itself may be such a part, too.
"""

import csv
import dataclasses
import json
import pathlib

import yaml


@dataclasses.dataclass
class Verdict:
    """One row of a verdicts.tsv."""

    path: pathlib.Path
    kind: str
    valid: bool | None  # None: not asserted
    warns: bool | None
    flags: set
    words: str  # upstream's, for people


@dataclasses.dataclass
class Text:
    """One row of a strings.tsv."""

    function: str
    given: dict
    valid: bool


@dataclasses.dataclass
class Analysis:
    """One case of an expected.json."""

    name: str
    analyzer: str
    files: list
    mesh_files: list  # what the mesh itself is told
    expected: list  # (code, origin)


def _rows(path):
    with open(path, encoding="utf-8", newline="") as f:
        yield from csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)


def _three(word, yes, no):
    return {yes: True, no: False}.get(word)


def verdicts(path):
    """Rows name their files below the table's folder or the one above."""
    for row in _rows(path):
        file = path.parent / row["path"]
        if not file.exists():
            file = path.parent.parent / row["path"]
        yield Verdict(
            file, row["kind"], _three(row["verdict"], "valid", "invalid"),
            _three(row["warning"], "warn", "nowarn"),
            set(filter(None, row["flags"].split(","))),
            row["error_substring"] or row["warning_substring"])


def texts(path):
    for row in _rows(path):
        yield Text(row["function"], json.loads(row["input_json"]),
                   row["verdict"] == "valid")


def analyses(path):
    for case in json.loads(path.read_text(encoding="utf-8")):
        mesh = [case.get(k) for k in ("meshConfigFile", "meshNetworksFile")]
        yield Analysis(
            case["name"], case["analyzer"],
            [path.parent / f for f in case["inputFiles"]],
            [path.parent / f for f in mesh if f],
            [(m["code"], m["origin"]) for m in case["expected"]])


def parts(root):
    """(name, kind of part, path) of all there is, in the order of names."""
    tables = {"verdicts.tsv": "verdicts", "strings.tsv": "texts",
              "expected.json": "analyses"}
    taken = set()
    for path in sorted(root.rglob("*")):
        if path.name in tables:
            taken.add(path.parent)
            name = str(path.parent.relative_to(root))
            if path.name == "strings.tsv":
                name += "/strings"
            yield name, tables[path.name], path
    for folder in _folders(root, taken):
        name = folder.name if folder == root else str(
            folder.relative_to(root))
        if list(folder.rglob("*-in.yaml")):
            yield name, "tables", folder
        elif (folder / "templates").is_dir():
            yield name, "behaviours", folder
        elif _holds_calls(folder):
            yield name, "routing", folder
        elif _holds_plain_files(folder):
            yield name, "valid", folder
        elif folder not in taken and yaml_files(folder):
            yield name, "unknown", folder


def _folders(root, taken):
    """Those in it; itself, if files or templates lie in it."""
    if any(p.is_file() for p in root.glob("*.yaml")) and root not in taken:
        return [root]
    return sorted(p for p in root.iterdir()
                  if p.is_dir() and p not in taken)


# Files of another shape: scenarios that hold configuration as text.
SCENARIO = ("call:", "calls:", "cases:", "config:", "policy:", "requests:",
            "result:", "expect:")


def _is_scenario(path):
    if path.stem.endswith(("-in", "-out")) or "-out" in path.stem:
        return True
    head = path.read_text(encoding="utf-8", errors="replace")[:1 << 16]
    return any(line.startswith(SCENARIO) for line in head.splitlines())


def _is_of_calls(path):
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    names = {line.split(":")[0] for line in lines if line[:1].isalpha()}
    return bool(names & {"config", "kubeConfig"}) and bool(
        names & {"calls", "expected"})


def _holds_calls(folder):
    """Configuration as text, and calls or the routes that it makes; one that
    is broken is one of its cases."""
    return any(map(_is_of_calls, yaml_files(folder)))


def _holds_plain_files(folder):
    files = yaml_files(folder)
    return bool(files) and not any(map(_is_scenario, files[:20]))


def yaml_files(folder):
    return sorted(p for p in folder.rglob("*.y*ml") if p.is_file())


def documents(path):
    """The documents of a file, as far as they can be read."""
    try:
        return [d for d in yaml.load_all(path.read_text(encoding="utf-8"),
                                         Loader=yaml.CSafeLoader)
                if d is not None]
    except (yaml.YAMLError, UnicodeDecodeError):
        return []
