# SPDX-License-Identifier: Apache-2.0
"""fields — those of a document, by the paths that the tables have for them,
and documents that differ by one of them alone.
"""

# Whose members are messages by name; elsewhere `headers` is of two ways.
MAPS = ("headers", "queryParams", "withoutHeaders")
WAYS = ("request", "response")
DURATIONS = ("9s", "7ms")


def places(value, path):
    """The fields of a document, as the tables write them."""
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            continue
        if path in ("spec.http.match.headers", "spec.http.match.queryParams",
                    "spec.http.match.withoutHeaders"):
            one = {name: test for tests in one.values()
                   for name, test in tests.items()}
        for name, inner in one.items():
            yield f"{path}.{name}"
            yield from places(inner, f"{path}.{name}")


def below(field):
    """All rows of the tables inside of it."""
    for inner in field.inside.values():
        yield inner
        yield from below(inner)


def replaced(value, steps, new, inside=""):
    """A copy, with new(value) at each place of the path; None: nothing."""
    if isinstance(value, list):
        return [replaced(one, steps, new, inside) for one in value]
    if not isinstance(value, dict):
        return value
    if inside in MAPS and steps[0] not in WAYS:
        return {k: replaced(v, steps, new) for k, v in value.items()}
    out = dict(value)
    if steps[0] in value and len(steps) > 1:
        out[steps[0]] = replaced(value[steps[0]], steps[1:], new, steps[0])
    elif steps[0] in value:
        out[steps[0]] = new(value[steps[0]])
        if out[steps[0]] is None:
            del out[steps[0]]
    return out


def others(value, row):
    """Values of the same type, of which one may fit."""
    if isinstance(value, list):
        return [[o] for o in others(value[0], row)]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1, value - 1]
    if isinstance(value, str):
        return [*row.get("words", []), *DURATIONS, value + "x", "z" + value,
                "d29ybGQ="]
    return []


def first_value(value, steps, inside=""):
    """What the document has there; None if it has nothing."""
    if not steps:
        return value
    if isinstance(value, list):
        found = (first_value(one, steps, inside) for one in value)
        return next((f for f in found if f is not None), None)
    if inside in MAPS and steps[0] not in WAYS:
        return first_value([*value.values()], steps)
    if not isinstance(value, dict) or steps[0] not in value:
        return None
    return first_value(value[steps[0]], steps[1:], steps[0])


def variants(subject, field):
    """Specs that differ by this field alone: without it, and with others."""
    steps = field.path.split(".")[1:]
    value = first_value(subject, steps)
    yield replaced(subject, steps, lambda _: None)
    for other in others(value, field.row):
        if other != value:
            yield replaced(subject, steps, lambda _, o=other: o)
