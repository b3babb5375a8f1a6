#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""resources — meshd-resources(5), from the tables of fields.

    resources.py MESHD          prints the page
    resources.py MESHD --check  compares it with the one that is here

What the page says of a field is what `meshd explain-field` says. A message
that is the same in several places is described once, at the end.
"""

import collections
import json
import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).with_name("meshd-resources.5")

HEAD = r""".\" SPDX-License-Identifier: Apache-2.0
.\" Made by man/resources.py from the tables of fields: do not edit.
.Dd November 24, 2026
.Dt MESHD-RESOURCES 5
.Os
.Sh NAME
.Nm meshd-resources
.Nd kinds of configuration, and their fields
.Sh DESCRIPTION
Configuration of
.Xr meshd 8
is documents of YAML or JSON: Istio's kinds, some of Kubernetes' core, and
those of the group
.Ql meshd.dev .
A document has
.Ic apiVersion ,
which is group and version,
.Ic kind ,
.Ic metadata
with
.Ic name ,
.Ic namespace ,
.Ic labels
and
.Ic annotations ,
and the fields that are listed here.
A kind that is of the whole mesh has no namespace.
.Pp
What holds for the whole mesh may also be written as Istio has it, in a
document without
.Ic apiVersion
and
.Ic kind :
the fields of MeshConfig by themselves, or
.Ic networks
alone, whose members become one Network each.
.Pp
A field is named by its path; behind it stands what it holds.
Of several fields that are marked as alternatives one may be given; if more
are, the last of them here counts.
A duration is written
.Ql 1h2m ,
.Ql 1.5s
or
.Ql 200ms .
.Pp
.Em Not in force
means that the field is read, checked, kept and given back, but that nothing
acts on it yet.
.Em Guards
means the same, and that more is let through without it than the document says.
What lies inside of a field that is not in force is not, either.
.Cm meshd explain-field
says the same of one field, and
.Cm meshd version --fields
lists what is not in force.
"""

TAIL = r""".Sh EXAMPLES
What a field means, and what may be said below it:
.Bd -literal -offset indent
$ meshd explain-field VirtualService.spec.http.retries
.Ed
.Pp
Whether a file is right:
.Bd -literal -offset indent
$ meshd validate -f rate-limit-policy.yaml
1 resource valid, 0 warnings
.Ed
.Pp
.Pa /usr/share/doc/meshd/examples
has a file for each kind of the group
.Ql meshd.dev .
.Sh SEE ALSO
.Xr meshd.conf 5 ,
.Xr meshd 8
"""


class Row:
    """One field, and those inside of it."""

    def __init__(self, item):
        self.item = item
        self.inside = []

    @property
    def name(self):
        return self.item["path"].rpartition(".")[2]

    @property
    def message(self):
        """What its message is called."""
        return self.item["type"].removeprefix("list of ").removeprefix(
            "map of ")

    def facts(self):
        """All that is said of it, but for where it is."""
        said = {k: v for k, v in self.item.items() if k not in (
            "kind", "group", "path", "inForce", "id")}
        return json.dumps([self.name, said], sort_keys=True)

    def signature(self):
        """Of what is inside: equal ones are the same message."""
        return self.message, tuple(
            (row.facts(), row.signature() if row.inside else None)
            for row in self.inside)


def kinds_of(items):
    """[(kind's own item, its first rows)], in the order of the tables."""
    kinds, rows = [], {}
    for item in items:
        if not item["path"]:
            kinds.append((item, []))
            rows = {}
            continue
        row = rows[item["path"]] = Row(item)
        around = rows.get(item["path"].rpartition(".")[0])
        (around.inside if around else kinds[-1][1]).append(row)
    return kinds


def walk(rows):
    for row in rows:
        yield row
        yield from walk(row.inside)


class Messages:
    """Those that are in more than one place, with a name of their own."""

    def __init__(self, kinds):
        places = collections.defaultdict(list)
        for _, rows in kinds:
            for row in walk(rows):
                if row.inside:
                    places[row.signature()].append(row)
        shared = [s for s in places if len(places[s]) > 1]
        names = collections.Counter(s[0] for s in shared)
        self.named = {}
        self.rows = {}
        seen = collections.Counter()
        for signature in sorted(shared, key=lambda s: s[0]):
            name = signature[0]
            seen[name] += 1
            if names[name] > 1:
                name += f" ({seen[name]})"
            self.named[signature] = name
            # Where it is in force tells most of its fields.
            self.rows[name] = max(
                places[signature], key=lambda r: r.item["inForce"])

    def name(self, row):
        return self.named.get(row.signature()) if row.inside else None


# --- mdoc --------------------------------------------------------------------


def text(words):
    """As mdoc wants it; a line may not begin like a request."""
    words = words.replace("\\", "\\e")
    words = "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in words)
    words = words.replace("'", "\\(aq").replace("`", "\\(ga")
    return "\\&" + words if words[:1] in (".", "'") else words


def sentences(words):
    return "\n".join(text(s) for s in words.replace("; ", ";\0").replace(
        ". ", ".\0").replace(";\0", "; ").split("\0"))


def argument(words):
    return '"' + text(words).replace('"', '\\(dq') + '"'


def marks(item, around):
    """What a field has that what is around it has not."""
    if item.get("id") == around.get("id"):
        return None
    return {"MSH0001": "Not in force.", "MSH0002": "Guards."}.get(
        item.get("id"))


def bounds(item, group):
    said = []
    if item.get("words"):
        said.append("One of " + ", ".join(item["words"]) + ".")
    if item.get("inertWords"):
        said.append("Not in force: " + ", ".join(item["inertWords"]) + ".")
    if "most" in item:
        said.append(f"At most {item['most']}.")
    if "longest" in item:
        said.append(f"At most {item['longest']} bytes.")
    if "default" in item:
        said.append(f"Default: {item['default'] or 'nothing'}.")
    if group:
        said.append("Alternative to " + ", ".join(group) + ".")
    if item["deprecated"]:
        said.append("Deprecated.")
    if item["foreign"]:
        said.append("Taken with a warning, and dropped.")
    if item["secret"]:
        said.append("Sealed where it is kept; only an admin is shown it.")
    return said


def alternatives(rows, row):
    number = row.item.get("oneof")
    return [r.name for r in rows if number and r is not row and
            r.item.get("oneof") == number]


def print_rows(out, rows, prefix, around, messages):
    for row in rows:
        item = row.item
        path = prefix + row.name
        what = item["type"] + (", required" if item["required"] else "")
        out.append(f".It Ic {text(path)} Pq {argument(what)}")
        out.append(sentences(item["doc"]))
        out += [text(s) for s in bounds(item, alternatives(rows, row))]
        mark = marks(item, around)
        if mark:
            out.append(f".Em {argument(mark)}")
        if messages.name(row):
            out.append(f"See {text(messages.name(row))} below.")
        else:
            print_rows(out, row.inside, path + ".", item, messages)


def print_list(out, rows, prefix, around, messages):
    out.append(".Bl -tag -width Ds")
    print_rows(out, rows, prefix, around, messages)
    out.append(".El")


def print_kind(out, kind, rows, messages):
    group = kind["group"] + "/" if kind["group"] else ""
    versions = ", ".join(group + v for v in kind["versions"])
    out.append(f".Ss {kind['kind']}")
    out.append(sentences(kind["doc"]))
    out.append(text(f"It is {versions}, and {kind['plural']} or "
                    f"{kind['alias']} for commands."))
    if kind["meshWide"]:
        out.append("It is of the whole mesh.")
    mark = marks(kind, {})
    if mark:
        out.append(f".Em {argument(mark)}")
    prefix = "spec." if rows and rows[0].item["path"].startswith("spec.") \
        else ""
    print_list(out, rows, prefix, kind, messages)


def page(items):
    kinds = kinds_of(items)
    messages = Messages(kinds)
    out = [HEAD.rstrip("\n"), ".Sh KINDS"]
    for kind, rows in kinds:
        print_kind(out, kind, rows, messages)
    out.append(".Sh MESSAGES")
    out.append("Each of these is in several places.")
    for name, row in messages.rows.items():
        out.append(f".Ss {text(name)}")
        print_list(out, row.inside, "", row.item, messages)
    return "\n".join(out) + "\n" + TAIL


def main():
    told = subprocess.run([sys.argv[1], "explain-field", "-o", "json"],
                          capture_output=True, text=True, timeout=60,
                          check=True).stdout
    made = page(json.loads(told)["items"])
    if sys.argv[2:] != ["--check"]:
        sys.stdout.write(made)
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != made:
        sys.exit(f"{PAGE.name} is not what the tables say: "
                 "`make man-resources` writes it")


if __name__ == "__main__":
    main()
