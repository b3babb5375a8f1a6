# SPDX-License-Identifier: Apache-2.0
"""generate — documents of every kind, out of the tables of fields.

A document begins as a small valid one and gets fields that the tables have,
near the top and at any depth, with values that fit them; then, of most, one
to three things are changed that need not fit. What is random comes from one
seed.
"""

import collections
import copy
import dataclasses
import json
import random
import subprocess

import fitting
import mutate
import smallest


@dataclasses.dataclass(eq=False)
class Field:
    """A row of the tables, with the rows inside of it."""

    row: dict
    inside: dict = dataclasses.field(default_factory=dict)

    @property
    def type(self):
        text = self.row.get("type", "")
        return text.removeprefix("list of ") if self.is_list else text

    @property
    def path(self):
        return self.row.get("path", "spec")

    @property
    def is_list(self):
        return self.row.get("list", False)

    @property
    def is_map(self):
        return self.type.startswith("map of ")

    @property
    def is_many(self):
        return self.is_list or self.is_map

    def below(self):
        """The steps to every field inside, at any depth."""
        for name, inner in self.inside.items():
            yield (name,)
            for steps in inner.below():
                yield (name, *steps)


@dataclasses.dataclass
class Kind:
    """A kind's versions, and the fields of its spec."""

    group: str
    versions: list
    spec: Field

    def __post_init__(self):
        self.paths = []


def tables(meshd):
    """kind -> Kind."""
    told = json.loads(subprocess.run(
        [meshd, "explain-field", "-o", "json"], capture_output=True,
        text=True, timeout=60, check=True).stdout)["items"]
    kinds = {}
    for row in told:
        if row["path"] == "":
            kinds[row["kind"]] = Kind(row["group"], row["versions"], Field({}))
        elif row["path"].startswith("spec."):
            at = kinds[row["kind"]].spec
            for step in row["path"].split(".")[1:]:
                at = at.inside.setdefault(step, Field(row))
    for kind in kinds.values():
        kind.paths = list(kind.spec.below())
    return kinds


class Generator:
    """Documents, one after another, from a seed."""

    def __init__(self, meshd, seed):
        self.kinds = {k: v for k, v in tables(meshd).items()
                      if k in smallest.DOCUMENTS}
        self.names = sorted(self.kinds)
        self.weights = [len(smallest.DOCUMENTS[n]) * 8 +
                        len(self.kinds[n].paths) ** 0.9 for n in self.names]
        self.random = random.Random(seed)
        self.all_places = []
        self.reached = collections.Counter()
        self.mutated = collections.Counter()

    def document(self, name):
        r = self.random
        kind = r.choices(self.names, self.weights)[0]
        of = self.kinds[kind]
        spec = copy.deepcopy(r.choice(smallest.DOCUMENTS[kind]))
        for _ in range(r.randrange(4)):
            self.add(spec, of)
        for _ in range(r.choice([0, 0, 0, 1, 1, 2, 3])):
            self.mutate(spec, of)
        return {"apiVersion": f"{of.group}/{r.choice(of.versions)}",
                "kind": kind,
                "metadata": {"name": name, "namespace": r.choice(
                    ["ns1", "istio-system"]), **self.notes()},
                "spec": spec}

    def notes(self):
        """Labels and annotations that a verdict may depend on; seldom any."""
        r = self.random
        if r.random() < 0.9:
            return {}
        of, name, values = r.choice(smallest.NOTES)
        return {of: {name: r.choice(values)}}

    # --- which fields came ---

    def note(self, document, verdict):
        of = self.kinds[document["kind"]]
        rows = {p.field.path for p in mutate.places(document["spec"], of.spec)
                if p.field is not None and p.value not in (None, "", [], {})}
        for path in rows:
            self.reached[verdict, document["kind"], path] += 1

    def unreached(self, verdict):
        """Fields that no document had, as kind and path."""
        return [f"{name} spec.{'.'.join(steps)}"
                for name, of in sorted(self.kinds.items())
                for steps in of.paths
                if (verdict, name, f"spec.{'.'.join(steps)}")
                not in self.reached]

    # --- what fits ---

    def one(self, field, depth):
        r = self.random
        row, kind = field.row, field.type
        if row.get("words"):
            return r.choice(row["words"])
        if field.is_map:
            return self.map(field, depth)
        if "number" in kind:
            return fitting.number(r, row)
        if kind == "duration":
            return r.choice(fitting.DURATIONS)
        if kind == "true or false":
            return r.random() < 0.5
        if field.inside:
            return self.message(field, depth)
        return fitting.text(r, field.path)

    def map(self, field, depth):
        if not field.inside:
            return fitting.plain_map(field.path, field.type)
        return {fitting.map_key(self.random, field.path):
                self.message(field, depth)}

    def value(self, field, depth):
        if field.is_list:
            return [self.one(field, depth)
                    for _ in range(self.random.choice([1, 1, 2]))]
        return self.one(field, depth)

    def message(self, field, depth):
        r = self.random
        out = copy.deepcopy(smallest.of_message(field.path))
        taken = {field.inside[k].row.get("oneof") for k in out}
        names = list(field.inside)
        r.shuffle(names)
        for name in names:
            inner = field.inside[name]
            needed = inner.row.get("required")
            group = inner.row.get("oneof")
            if not needed and (depth <= 0 or r.random() > 0.2):
                continue
            if name in out or (group and group in taken):
                continue
            taken.add(group)
            out[name] = self.value(inner, depth - 1)
        return out

    def add(self, spec, of):
        """A field of the spec itself, or one at any depth."""
        r = self.random
        if not of.paths:
            return
        if r.random() < 0.4:
            name = r.choice(sorted(of.spec.inside))
            spec[name] = self.value(of.spec.inside[name], 3)
        else:
            self.reach(spec, of.spec, r.choice(of.paths))

    def reach(self, message, of, steps):
        """A field, with what has to be there around it."""
        field = of.inside[steps[0]]
        group = field.row.get("oneof")
        for name, other in of.inside.items():
            if group and other.row.get("oneof") == group and other != field:
                message.pop(name, None)
        if len(steps) == 1:
            message[steps[0]] = self.value(field, 1)
            return
        if not message.get(steps[0]):
            message[steps[0]] = self.value(field, 0)
        inner = message[steps[0]]
        if field.is_many:
            inner = inner[0] if field.is_list else next(iter(inner.values()))
        self.reach(inner, field, steps[1:])

    # --- what need not ---

    def mutate(self, spec, of):
        r = self.random
        top = {"spec": spec}
        self.all_places = list(mutate.places(spec, of.spec)) + \
            [mutate.Place(top, "spec", of.spec, False)]
        changes = r.sample(mutate.ALL, len(mutate.ALL))
        r.shuffle(self.all_places)
        for change in changes:
            for place in self.all_places:
                if place.holder is top and change not in mutate.OF_SPEC:
                    continue
                if change(self, place):
                    self.mutated[change.__name__] += 1
                    return
