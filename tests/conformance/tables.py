# SPDX-License-Identifier: Apache-2.0
"""tables — policies beside the filters that upstream makes of them.

Both sides are asked about the same calls, made of the values that the
filters compare with and of their neighbours: near misses, other cases, one
byte more or less. A file of filters is a case; equal is which rules take
which call, and what becomes of it.
"""

import dataclasses
import functools
import pathlib
import random
import re

import access
import corpus
import rbac

import yaml

CALLS = 400  # of each case
ROOT = "istio-system"  # its policies are for all namespaces
JWT = "envoy.filters.http.jwt_authn"
NAME = re.compile(r"(?:istio-ext-authz-(?P<provider>.*)-)?"
                  r"ns\[(?P<ns>.*)\]-policy\[(?P<name>.*)\]"
                  r"-rule\[(?P<rule>\d+)\]"
                  r"(?P<bad>-deny-due-to-bad-CUSTOM-action)?")


@dataclasses.dataclass
class Case:
    path: pathlib.Path  # of the filter, or of policies that make none
    given: pathlib.Path | None
    filter: dict | None


# --- which file belongs to which ---------------------------------------------


def policies_of(path):
    return [d for d in corpus.documents(path)
            if isinstance(d, dict) and d.get("kind") == "AuthorizationPolicy"]


def rules_of(config):
    typed = config["typedConfig"]
    return typed.get("rules"), typed.get("shadowRules")


def names_in(config):
    """(namespace, name, provider or None) of the policies in a filter."""
    found = set()
    for rules in filter(None, rules_of(config)):
        for name in rules.get("policies") or {}:
            m = NAME.fullmatch(name)
            found.add((m["ns"], m["name"], m["provider"]))
    return found


def _has_all(path, wanted):
    there = {(p["metadata"].get("namespace", "default"),
              p["metadata"]["name"],
              (p["spec"].get("provider") or {}).get("name"))
             for p in policies_of(path)}
    return wanted and wanted <= there


def given_for(out, config, folder):
    """The policies of the same name, else some that have the same ones."""
    stem = re.sub(r"-out\d*$", "", out.stem).removeprefix("extended-")
    beside = out.with_name(f"{stem}-in.yaml")
    if beside.exists():
        return beside
    wanted = names_in(config)
    return next((p for p in sorted(folder.rglob("*-in.yaml"))
                 if _has_all(p, wanted)), None)


def cases(folder):
    used = set()
    for out in sorted(folder.rglob("*-out*.yaml")):
        config = corpus.documents(out)[0]
        given = None
        if "rbac" in config["name"]:
            given = given_for(out, config, folder)
            used.add((given, "network" in config["name"]))
        yield Case(out, given, config)
    for path in sorted(folder.rglob("*-in.yaml")):
        if (path, path.parent.name == "tcp") not in used:
            yield Case(path, path, None)


# --- what meshd is given -----------------------------------------------------

# Any token is taken, so that claims reach the policies.
TOKENS = """
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: any-token, namespace: NAMESPACE}
spec: {jwtRules: [{jwksUri: "https://keys.example.com"}]}
"""

SERVICE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: my-custom-ext-authz, namespace: NAMESPACE}
spec:
  hosts: [my-custom-ext-authz.example.com]
  ports: [{number: 9000, name: http, protocol: HTTP}]
  resolution: DNS
"""


def _principals(node):
    if isinstance(node, str):
        if node.count("/") == 4:
            yield node.split("/", 1)
    elif isinstance(node, (list, dict)):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _principals(item)


def domains_of(policies, config):
    """The mesh's trust domain and its aliases are told by nothing but what
    became of the principals; what matches a wildcard is made up. Where all
    of them are as they were written there are no aliases."""
    found, written = [], list(_principals([p["spec"] for p in policies]))
    for domain, rest in written:
        if domain.startswith("*") and domain != "*":
            found.append("mesh" + domain[1:])
        if domain == "*":
            continue
        made = re.findall(
            r"'spiffe://([^/'*]+)/" + re.escape(rest) + "'", str(config))
        if any([other, rest] not in written for other in made):
            found += made
    usual = ["cluster.local"] if any(d == "cluster.local"
                                     for d, _ in written) else []
    return list(dict.fromkeys(found)) or usual


def mesh_of(policies, config):
    """Trust domains; providers for CUSTOM, but where the filter says that
    there is none."""
    bad = config is not None and "deny-due-to-bad" in str(config)
    mesh = {}
    domains = domains_of(policies, config)
    if domains:
        mesh |= {"trustDomain": domains[0], "trustDomainAliases": domains[1:]}
    providers = sorted({p["spec"]["provider"]["name"] for p in policies
                        if p["spec"].get("action") == "CUSTOM"})
    tcp = config is not None and "network" in config["name"]
    kind = "envoyExtAuthzGrpc" if tcp else "envoyExtAuthzHttp"
    if providers and not bad:
        mesh["extensionProviders"] = [
            {"name": name, kind: {"service": "my-custom-ext-authz.example.com",
                                  "port": 9000}} for name in providers]
    return yaml.safe_dump(mesh) if mesh else ""


# --- calls -------------------------------------------------------------------


def _near(text):
    """The text itself, and what it may be taken for."""
    near = {text, text + "x", "x" + text, text.upper(), text.swapcase()}
    if len(text) > 1:
        near |= {text[:-1], text[1:], text + "/x", text + "/"}
    return near


def _texts_of(matcher):
    if "safeRegex" in matcher:
        pattern = matcher["safeRegex"]["regex"]
        plain = pattern.replace("\\", "")
        return {re.sub(r"\[\^/\]\*|\(\.\+/\|\)|\(/\.\+\)\?|\.[*+]",
                       fill, plain) for fill in ("", "q", "q/r")}
    (_, value), = [(k, v) for k, v in matcher.items() if k != "ignoreCase"]
    if "prefix" in matcher:
        return {value, value + "q", value + "q/r"}
    if "suffix" in matcher:
        return {value, "q" + value, "q/r" + value}
    return {value}


def _addresses_of(block):
    import ipaddress
    network = ipaddress.ip_network(
        f"{block['addressPrefix']}/{block.get('prefixLen', 0)}", strict=False)
    first, last = network.network_address, network.broadcast_address
    return {str(a) for a in (first, last, first - 1, last + 1)}


class Values:
    """What each part of a call may be."""

    def __init__(self):
        self.principal = {None, "spiffe://mesh.internal/ns/other/sa/other"}
        self.path = {"/", "/other?x=/y"}
        self.method = {"GET", "POST"}
        self.host = {"web", "other.com"}
        self.port = {80, 8080}
        self.direct = {"10.9.8.7"}
        self.remote = {None, "10.9.8.7"}
        self.destination = {"10.0.0.1"}
        self.sni = {None}
        self.headers = {}
        self.claims = {}
        self.metadata = {}

    def add(self, rule):
        (kind, what), = rule.items()
        if kind in ("andRules", "andIds", "orRules", "orIds"):
            for r in what.get("rules") or what.get("ids"):
                self.add(r)
        elif kind in ("notRule", "notId"):
            self.add(what)
        elif kind == "header":
            self.add_header(what)
        elif kind == "urlPath":
            for t in _texts_of(what["path"]):
                self.path |= _near(t)
                self.path |= {t + "?q=1", t + "#f"}
        elif kind == "uriTemplate":
            self.add_template(what["typedConfig"]["pathTemplate"])
        elif kind == "destinationPort":
            self.port |= {what, min(what + 1, 65535)}
        elif kind == "destinationIp":
            self.destination |= _addresses_of(what)
        elif kind == "directRemoteIp":
            self.direct |= _addresses_of(what)
        elif kind == "remoteIp":
            self.remote |= _addresses_of(what)
        elif kind == "requestedServerName":
            for t in _texts_of(what):
                self.sni |= _near(t)
        elif kind in ("authenticated", "filterState"):
            texts = what.get("principalName") or what.get("stringMatch")
            for t in _texts_of(texts):
                self.principal |= _identities(t)
        elif kind == "metadata":
            self.add_metadata(what)

    def add_header(self, what):
        name = what["name"].lower()
        near = {"q"}
        if "stringMatch" in what:
            for t in _texts_of(what["stringMatch"]):
                near |= _near(t)
        if name == ":method":
            self.method |= near
        elif name == ":authority":
            self.host |= near
        else:
            self.headers.setdefault(name, {None}).update(near)

    def add_template(self, template):
        for one, rest in (("a", "b"), ("a.b", "b/c"), ("", ""), ("a/b", "/"),
                          ("a=b", "{")):
            path = template.replace("**", "\0").replace("*", one)
            self.path |= {path.replace("\0", rest),
                          path.replace("\0", rest).rstrip("/")}

    def add_metadata(self, what):
        keys = tuple(step["key"] for step in what["path"])
        found = {None}
        for matcher in _matchers(what["value"]):
            for t in _texts_of(matcher):
                found |= _near(t)
        if what["filter"] == JWT:
            self.claims.setdefault(keys[1:], set()).update(found)
        else:
            self.metadata.setdefault((what["filter"], *keys),
                                     set()).update(found)


def _matchers(value):
    if "orMatch" in value:
        for v in value["orMatch"]["valueMatchers"]:
            yield from _matchers(v)
    elif "listMatch" in value:
        yield from _matchers(value["listMatch"]["oneOf"])
    else:
        yield value["stringMatch"]


def _identities(text):
    """Identities that begin, end or go on so; a part of one gets a rest."""
    found = set()
    for t in _near(text):
        whole = t if t.startswith("spiffe://") else f"spiffe://td{t}"
        found |= {whole, f"{whole}ns/n/sa/a", f"{whole}sa/a"}
    return {i for i in found if i.startswith("spiffe://")
            and i.isascii() and " " not in i}


def _pick(rng, values):
    return rng.choice(sorted(values, key=str))


PARTS = ("principal", "path", "method", "host", "port", "direct", "remote",
         "destination", "sni", "headers", "claims", "metadata")


def _part(rng, values, part):
    there = getattr(values, part)
    if not isinstance(there, dict):
        return _pick(rng, there)
    return {key: _listed(rng, _pick(rng, of), part)
            for key, of in there.items()}


def _listed(rng, value, part):
    """Claims and metadata may be lists of texts."""
    if part == "headers" or value is None or rng.random() < 0.6:
        return value
    return [value, "other"]


def random_calls(seed, values, policies, count):
    """Some at random; the others climb towards what a policy takes, a part
    at a time, and each step is a call."""
    rng = random.Random(seed)
    while count > 0:
        parts = {p: _part(rng, values, p) for p in PARTS}
        yield parts
        count -= 1
        if not policies or rng.random() < 0.3:
            continue
        policy = rng.choice(policies)
        for part in rng.sample(PARTS, len(PARTS)):
            best = max((dict(parts, **{part: _part(rng, values, part)})
                        for _ in range(12)),
                       key=functools.partial(_fit, policy))
            if _fit(policy, best) >= _fit(policy, parts):
                parts = best
        for part in PARTS:
            yield parts
            yield dict(parts, **{part: _part(rng, values, part)})
            count -= 2


def _fit(policy, parts):
    call = as_envoy(parts, tcp=False)
    return max(map(functools.partial(_score, call), policy["permissions"])) \
        + max(map(functools.partial(_score, call), policy["principals"]))


def _score(call, rule):
    (kind, what), = rule.items()
    if kind in ("andRules", "andIds"):
        terms = what.get("rules") or what.get("ids")
        return sum(rbac.matches(t, call) for t in terms) / len(terms)
    return float(rbac.matches(rule, call))


def _put(tree, keys, value):
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
    if isinstance(tree, dict) and not isinstance(tree.get(keys[-1]), dict):
        tree[keys[-1]] = value


def _tree(found):
    tree = {}
    for keys, value in sorted(found.items()):
        if value is not None:
            _put(tree, keys, value)
    return tree


def as_envoy(parts, tcp):
    claims = _tree(parts["claims"])
    for name in ("scope", "permission"):
        if isinstance(claims.get(name), str):
            claims[name] = claims[name].split()
    metadata = _tree(parts["metadata"])
    if claims and not tcp:
        metadata[JWT] = {"payload": claims}
    headers = {k: v for k, v in parts["headers"].items() if v is not None}
    headers |= {":path": parts["path"], ":method": parts["method"],
                ":authority": parts["host"]}
    return dict(
        {k: parts[k] for k in ("principal", "direct", "remote",
                               "destination", "port", "sni")},
        headers=headers, metadata=metadata)


def as_question(parts, workload, tcp):
    question = {"to": workload["to"], "labels": workload["labels"],
                "port": parts["port"], "sourceIp": parts["direct"],
                "workloadIp": parts["destination"], "tcp": tcp}
    optional = {"from": parts["principal"], "remoteIp": parts["remote"],
                "sni": parts["sni"]}
    metadata = _tree(parts["metadata"])
    if metadata:
        question["metadata"] = metadata
    if not tcp:
        optional["jwt"] = _tree(parts["claims"]) or None
        question |= {"method": parts["method"], "path": parts["path"],
                     "headers": dict(
                         {k: v for k, v in parts["headers"].items()
                          if v is not None}, host=parts["host"])}
    return question | {k: v for k, v in optional.items() if v is not None}


# --- judging -----------------------------------------------------------------

STAGES = {("ALLOW", False): "ALLOW", ("DENY", False): "DENY",
          ("LOG", False): "AUDIT", ("ALLOW", True): "ALLOW (dry run)",
          ("DENY", True): "DENY (dry run)"}


def expected_of(config, call):
    """[(stage, names of the rules that take it)]."""
    found = []
    for shadow, rules in zip((False, True), rules_of(config)):
        if rules is None:
            continue
        names = rbac.matching(rules, call)
        if any(NAME.fullmatch(n)["provider"] or NAME.fullmatch(n)["bad"]
               for n in rules.get("policies") or {}):
            found.append(("CUSTOM", names))
        else:
            found.append(
                (STAGES[rules.get("action", "ALLOW"), shadow], names))
    return found


def differs(stage, names, answer):
    """Words, or None. What came after the rule that decided is not asked."""
    told = [r for r in answer.get("rules", []) if r["stage"] == stage]
    taken = [r for r in told if r["matched"]]
    if not told and names and not answer["outcome"]["allowed"]:
        return None
    if bool(taken) != bool(names):
        return f"{stage}: {len(taken)} of ours against {sorted(names)}"
    for rule in taken:
        ns, _, name = rule["policy"].partition("/")
        wanted = f"ns[{ns}]-policy[{name}]-rule[{rule['rule'] - 1}]"
        if not any(wanted in n for n in names):
            return f"{stage}: {wanted} is none of {sorted(names)}"
    return None


def outcome_differs(stage, names, config, answer):
    """What a filter alone makes of the call, where it is the only one."""
    allowed = answer["outcome"]["allowed"]
    if stage == "DENY" and names and allowed:
        return "denied by upstream's filter, allowed here"
    if stage == "ALLOW" and not names and allowed:
        return "not allowed by upstream's filter, allowed here"
    if stage == "CUSTOM":
        asked = "ask" in answer
        bad = "deny-due-to-bad" in str(config)
        if bad and names and allowed:
            return "CUSTOM cannot ask: denied upstream, allowed here"
        if not bad and asked != bool(names):
            return f"asked here: {asked}; upstream: {sorted(names)}"
    return None


def _workload(policies):
    """One that all of the policies select."""
    labels = {}
    for policy in policies:
        labels |= ((policy.get("spec") or {}).get("selector")
                   or {}).get("matchLabels") or {}
    spaces = [p["metadata"].get("namespace", "default") for p in policies]
    ns = next((s for s in spaces if s != ROOT), ROOT)
    return {"to": f"httpbin.{ns}", "labels": labels, "ns": ns}


def _values_of(config):
    values = Values()
    for rules in filter(None, rules_of(config)):
        for policy in (rules.get("policies") or {}).values():
            for rule in policy["permissions"] + policy["principals"]:
                values.add(rule)
    return values


def _readable(parts):
    """A metadata key of upstream's filters, or a header, that a call has."""
    return all(isinstance(h, (str, type(None)))
               for h in parts["headers"].values())


def judge_case(case):
    config = case.filter
    if config is not None and "rbac" not in config["name"]:
        return ("how an external authorizer is asked: the proxy's own part",)
    if case.given is None:
        return ("the policies that it was made from are not there",)
    policies = policies_of(case.given)
    workload = _workload(policies)
    tcp = "network" in config["name"] if config else \
        case.path.parent.name == "tcp"
    text = "\n---\n".join([
        case.given.read_text(encoding="utf-8"), mesh_of(policies, config),
        TOKENS.replace("NAMESPACE", workload["ns"]),
        SERVICE.replace("NAMESPACE", workload["ns"])])
    values = _values_of(config) if config else Values()
    known = [p for rules in filter(None, rules_of(config) if config else ())
             for p in (rules.get("policies") or {}).values()]
    calls = [p for p in random_calls(case.path.name, values, known, CALLS)
             if _readable(p)]
    answers = access.ask(
        text, [as_question(p, workload, tcp) for p in calls])
    for parts, answer in zip(calls, answers):
        found = expected_of(config, as_envoy(parts, tcp)) if config else \
            [("CUSTOM", set())]
        for stage, names in found:
            words = differs(stage, names, answer) or \
                outcome_differs(stage, names, config, answer)
            if words:
                return f"{case.path.name}: {words}; asked about {parts}"
    return None
