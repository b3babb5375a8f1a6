# SPDX-License-Identifier: Apache-2.0
"""mutate — one thing of a document changed, that need not be valid then.

Each mutation is told a place, and says whether it had anything to do there.
"""

import copy
import dataclasses
import json
import re

TEXTS = [
    "", " ", "a", "A", "a.b", "a.b.c", "*", "*.b", "*.a.b", "*-x.b", "a_b",
    "-a", "a-", "a.", ".a", "a..b", "1", "10.0.0.1", "::1", "10.0.0.0/8",
    "10.0.0.0/33", "1.2.3.4.5", "x" * 63, "x" * 64, "x" * 260, "ns/gw",
    "a/b/c", "/", "/x", "mesh", "~", ".", "GET", "%", "%%", "%REQ(X)%",
    "%REQ(", "é", "host", ":path", ":authority", "503", "5xx", "5xx,503",
    "0s", "1ms", "-1s", "1h", "5", "5.0", "NaN", "region", "a/*", "*/x",
    "CONNECT", "http", "https://a/b", "ftp://x", "OK", "^a$", "(a", "a{2,1}",
    "unix:///a", "unix://a", "unix:@a", "127.0.0.1:80", "./*", "*/*", "~/*",
    "ns1/*", "/{*}/a", "/{**}/{*}", "{", "source.ip", "request.headers[a]",
    "request.headers[", "a b", "a:b", "a\tb", "null", "true", "@request.auth",
    "@request.auth.claims.a", "a*b", "**", "a=b", "a=", "=b",
]
HOSTS = ["", "*", "a b", "a_b.c", "-a.b", "a..b", "*a.b", "a.*", "*.*", "A.B",
         "10.0.0.1", "::1", "a/b", "./a", "x" * 64 + ".b", "a.b:80", "*.",
         "~", "a.1", "1.a", "é.b", "*.10.0.0.1", "a.b."]
DURATIONS = ["", "0s", "-1s", "1", "1sec", "1d", "1s1ms", "0.5ms", "1us",
             "315576000001s", "1e3s", "1.0000000001s", "1.5", "s", "1m30s",
             "+1s", " 1s", "99999h", "0", 1, "1h0.001s", ".5s", "1.s"]
NUMBERS = [
    0, 1, -1, 2, 3, 77, 80, 99, 100, 101, 199, 200, 399, 503, 599, 600, 65535,
    65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 1.5, 0.5, 0.0001, 100.5,
    -0.5, 1e30,
]
OTHERS = [True, False, [], {}, [None], [{}], [[]], {"a": "b"}, {"a": None},
          ["x"], [1], "text", 7, "7", "", {"": ""}]


@dataclasses.dataclass
class Place:
    """Somewhere below a document."""

    holder: object
    step: object
    field: object  # the row, or None
    item: bool  # one of a list or map

    @property
    def value(self):
        return self.holder[self.step]

    @value.setter
    def value(self, new):
        self.holder[self.step] = new

    @property
    def message(self):
        """The rows inside, if this is one message."""
        known = self.field is not None and self.field.inside
        is_one = self.item or not (self.field and self.field.is_many)
        return known if known and is_one and isinstance(self.value, dict) \
            else None


def places(value, field, item=False):
    """Every place below a value."""
    if isinstance(value, list):
        steps = [(i, field, True) for i in range(len(value))]
    elif isinstance(value, dict):
        is_map = field is not None and field.is_map and not item
        steps = [(k, field if is_map else field and field.inside.get(k),
                  is_map) for k in value]
    else:
        return
    for step, known, inner_item in steps:
        yield Place(value, step, known, inner_item)
        yield from places(value[step], known, inner_item)


# --- mutations ---------------------------------------------------------------


def missing(_, place):
    del place.holder[place.step]
    return True


def twice(_, place):
    if not isinstance(place.holder, list):
        return False
    place.holder.insert(place.step, copy.deepcopy(place.value))
    return True


def empty(_, place):
    if not isinstance(place.value, (dict, list, str)):
        return False
    place.value = type(place.value)()
    return True


def null(_, place):
    place.value = None
    return True


def null_element(make, place):
    if not isinstance(place.value, list):
        return False
    place.value.insert(make.random.randrange(len(place.value) + 1), None)
    return True


def wrong_type(make, place):
    place.value = copy.deepcopy(make.random.choice(
        [o for o in OTHERS if not isinstance(o, type(place.value))]))
    return True


def spelt_otherwise(make, place):
    """A number in quotes, and a text that is one without; and the like."""
    if isinstance(place.value, str):
        if not re.fullmatch(r"-?[0-9]+|true|false", place.value):
            return False
        place.value = json.loads(place.value)
    elif isinstance(place.value, (int, float)):
        place.value = make.random.choice([
            str(place.value).lower(), float(place.value),
            f" {place.value}", f"{place.value}.0"])
    else:
        return False
    return True


def unknown_field(make, place):
    if not place.message:
        return False
    r = make.random
    name = r.choice(sorted(place.message))
    odd = r.choice(["nonsense", name + "s", name.capitalize(), name[:-1],
                    re.sub("([A-Z])", r"_\1", name).lower()])
    place.value[odd] = make.value(place.message[name], 1)
    return True


def number(make, place):
    if not isinstance(place.value, (int, float)) or \
            isinstance(place.value, bool):
        return False
    row = place.field.row if place.field else {}
    ends = [row["min"] - 1, row["min"], row["max"], row["max"] + 1] \
        if "max" in row else []
    place.value = make.random.choice(NUMBERS + ends * 3)
    return True


def word(make, place):
    words = place.field and place.field.row.get("words")
    if not words or isinstance(place.value, (dict, list)):
        return False
    one = make.random.choice(words)
    place.value = make.random.choice(
        [one, one.lower(), one + "X", 0, 1, len(words), 99, -1, "NONSENSE"])
    return True


def duration(make, place):
    if not place.field or place.field.type != "duration":
        return False
    place.value = make.random.choice(DURATIONS)
    return True


def host(make, place):
    if not isinstance(place.value, str) or not place.field or "host" not in \
            place.field.row.get("path", "").rpartition(".")[2].lower():
        return False
    place.value = make.random.choice(HOSTS)
    return True


def text(make, place):
    if not isinstance(place.value, str):
        return False
    place.value = make.random.choice(TEXTS)
    return True


def another_member(make, place):
    if not place.message:
        return False
    name = make.random.choice(sorted(place.message))
    place.value[name] = make.value(place.message[name], 2)
    return True


def both_of_one(make, place):
    """Another member of a group of which one may be there."""
    rows = place.message or {}
    groups = {rows[k].row.get("oneof") for k in place.value if k in rows} \
        if rows else set()
    others = [k for k in sorted(rows) if k not in place.value and
              rows[k].row.get("oneof") and rows[k].row["oneof"] in groups]
    if not others:
        return False
    name = make.random.choice(others)
    place.value[name] = make.value(rows[name], 1)
    return True


def other_key(make, place):
    if not (place.item and isinstance(place.holder, dict)):
        return False
    place.holder[make.random.choice(TEXTS)] = place.holder.pop(place.step)
    return True


def like_another(make, place):
    """The value of another place of this type, as names may not be."""
    others = [p.value for p in make.all_places
              if isinstance(p.value, type(place.value))
              and not isinstance(p.value, (dict, list))]
    if not others or isinstance(place.value, (dict, list)):
        return False
    place.value = make.random.choice(others)
    return True


ALL = [missing, twice, empty, null, null_element, wrong_type, spelt_otherwise,
       unknown_field, number, word, duration, host, text, another_member,
       both_of_one, other_key, like_another]
OF_SPEC = (unknown_field, another_member, both_of_one)
