# SPDX-License-Identifier: Apache-2.0
"""gotmpl — Go's text/template, as far as recorded templates use it: members
of a context by dots, methods with one text, `| default`, `range` and
`if ne`. Unknown members are empty."""

import re

ACTION = re.compile(r"(\s*)\{\{(-?)\s*(.*?)\s*(-?)\}\}(\s*)", re.S)
CALL = re.compile(r'\((.+?)\s+[`"](.+?)[`"]\)(.*)', re.S)


def _member(value, name):
    if isinstance(value, dict):
        return value.get(name, "")
    return getattr(value, name, "")


def _path(value, path):
    for name in filter(None, path.split(".")):
        value = _member(value, name)
    return value


def _operand(text, scope):
    text = text.strip()
    if text[:1] in ('"', "`"):
        return text[1:-1]
    call = CALL.fullmatch(text)
    if call:
        method = _operand(call[1], scope)
        return _path(method(call[2]), call[3])
    if text.startswith("$"):
        name, _, rest = text.partition(".")
        return _path(scope[name], rest)
    return _path(scope["."], text)


def _value(text, scope):
    first, _, rest = text.partition("|")
    found = _operand(first, scope)
    words = rest.split(None, 1)
    if words and words[0] == "default":
        return found or _operand(words[1], scope)
    return found


def _pieces(text):
    """Texts and actions, with the white space that `-` takes away gone."""
    at = 0
    for m in ACTION.finditer(text):
        yield "text", text[at:m.start()] + ("" if m[2] else m[1])
        yield "action", m[3]
        at = m.end() if m[4] else m.end() - len(m[5])
    yield "text", text[at:]


def _block(pieces):
    """Everything up to the `end` that belongs to it."""
    depth, found = 0, []
    for piece in pieces:
        if piece == ("action", "end"):
            if depth == 0:
                return found
            depth -= 1
        elif piece[0] == "action" and piece[1].split()[0] in ("range", "if"):
            depth += 1
        found.append(piece)
    raise ValueError("a block of the template has no end")


def _render(pieces, scope):
    pieces = iter(pieces)
    out = []
    for kind, text in pieces:
        if kind == "text":
            out.append(text)
            continue
        words = text.split()
        if words[0] == "range":
            block = _block(pieces)
            for item in _value(words[-1], scope):
                out += _render(block, {**scope, words[1]: item})
        elif words[0] == "if":
            block = _block(pieces)
            if words[1] != "ne":
                raise ValueError(f"a condition that nobody knows: {text}")
            if _operand(words[2], scope) != _operand(words[3], scope):
                out += _render(block, scope)
        else:
            out.append(str(_value(text, scope)))
    return out


def render(text, context):
    return "".join(_render(_pieces(text), {".": context}))
