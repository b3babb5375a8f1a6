# SPDX-License-Identifier: Apache-2.0
"""rbac — what a configuration of Envoy's RBAC filters says of a call.

A call is a map: principal (None: no certificate), direct, remote,
destination, port, sni, headers (names in lower case, ":method" and its kin
among them), metadata. None in place of headers: a connection of bytes.
"""

import ipaddress
import re

SEGMENT = r"[a-zA-Z0-9\-._~%!$&'()+,;:@=]"


def text_matches(matcher, text):
    """StringMatcher."""
    if text is None:
        return False
    fold = matcher.get("ignoreCase", False)

    def same(value):
        return value.lower() if fold else value

    text = same(text)
    if "exact" in matcher:
        return text == same(matcher["exact"])
    if "prefix" in matcher:
        return text.startswith(same(matcher["prefix"]))
    if "suffix" in matcher:
        return text.endswith(same(matcher["suffix"]))
    if "contains" in matcher:
        return same(matcher["contains"]) in text
    if "safeRegex" in matcher:
        return re.fullmatch(matcher["safeRegex"]["regex"], text) is not None
    raise AssertionError(f"a matcher that nobody knows: {matcher}")


def header_matches(matcher, headers):
    value = headers.get(matcher["name"].lower())
    if "presentMatch" in matcher:
        return (value is not None) == matcher["presentMatch"]
    if "stringMatch" in matcher:
        return text_matches(matcher["stringMatch"], value)
    if "safeRegexMatch" in matcher:
        return text_matches({"safeRegex": matcher["safeRegexMatch"]}, value)
    short = {"exactMatch": "exact", "prefixMatch": "prefix",
             "suffixMatch": "suffix"}
    for key, name in short.items():
        if key in matcher:
            return text_matches({name: matcher[key]}, value)
    raise AssertionError(f"a matcher that nobody knows: {matcher}")


def path_of(call):
    return re.split("[?#]", call["headers"][":path"])[0]


def template_matches(template, path):
    """UriTemplateMatchConfig: * is a segment, ** any text."""
    parts = re.split(r"(\*\*|\*)", template)
    words = {"*": SEGMENT + "+", "**": SEGMENT[:-1] + "/]*"}
    pattern = "".join(words.get(p, re.escape(p)) for p in parts)
    return re.fullmatch(pattern, path) is not None


def value_matches(matcher, value):
    """ValueMatcher on a value of metadata; None is none."""
    if "orMatch" in matcher:
        return any(value_matches(m, value)
                   for m in matcher["orMatch"]["valueMatchers"])
    if "listMatch" in matcher:
        return isinstance(value, list) and any(
            value_matches(matcher["listMatch"]["oneOf"], v) for v in value)
    if "stringMatch" in matcher:
        return isinstance(value, str) and text_matches(
            matcher["stringMatch"], value)
    raise AssertionError(f"a matcher that nobody knows: {matcher}")


def metadata_matches(matcher, metadata):
    value = metadata.get(matcher["filter"])
    for step in matcher["path"]:
        value = value.get(step["key"]) if isinstance(value, dict) else None
    return value_matches(matcher["value"], value)


def within(block, address):
    if address is None:
        return False
    network = ipaddress.ip_network(
        f"{block['addressPrefix']}/{block.get('prefixLen', 0)}", strict=False)
    return ipaddress.ip_address(address) in network


def matches(rule, call):
    """A Permission or a Principal."""
    (kind, what), = rule.items()
    headers = call["headers"]
    if kind in ("andRules", "andIds"):
        return all(matches(r, call) for r in what.get("rules")
                   or what.get("ids"))
    if kind in ("orRules", "orIds"):
        return any(matches(r, call) for r in what.get("rules")
                   or what.get("ids"))
    if kind in ("notRule", "notId"):
        return not matches(what, call)
    if kind == "any":
        return what
    if kind == "header":
        return header_matches(what, headers)
    if kind == "urlPath":
        return text_matches(what["path"], path_of(call))
    if kind == "uriTemplate":
        return template_matches(what["typedConfig"]["pathTemplate"],
                                path_of(call))
    if kind == "destinationPort":
        return call["port"] == what
    if kind == "destinationIp":
        return within(what, call["destination"])
    if kind == "directRemoteIp":
        return within(what, call["direct"])
    if kind == "remoteIp":
        return within(what, call["remote"] or call["direct"])
    if kind == "requestedServerName":
        return text_matches(what, call["sni"] or "")
    if kind == "authenticated":
        return text_matches(what["principalName"], call["principal"])
    if kind == "filterState":
        return text_matches(what["stringMatch"], call["principal"])
    if kind == "metadata":
        return metadata_matches(what, call["metadata"])
    raise AssertionError(f"a rule that nobody knows: {kind}")


def policy_matches(policy, call):
    return any(matches(p, call) for p in policy["permissions"]) and any(
        matches(p, call) for p in policy["principals"])


def matching(rules, call):
    """The names of the policies of a filter's rules that match."""
    return {name for name, policy in (rules.get("policies") or {}).items()
            if policy_matches(policy, call)}
