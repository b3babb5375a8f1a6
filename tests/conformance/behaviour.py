# SPDX-License-Identifier: Apache-2.0
"""behaviour — requests and what upstream's tests expect of them.

A file names templates of policies and has cases: a request and whether it is
allowed. What stands in ${…} is Go of upstream's tests; SYMBOLS and
upstream_calls.py say what it means for the one mesh that is made here: a, b
and c in two namespaces, b is called by a.
"""

import base64
import dataclasses
import json
import pathlib
import re

import access
import gotmpl
import judge
import upstream_calls

import yaml

# --- the mesh ----------------------------------------------------------------

SYSTEM = "istio-system"
PORTS = {"http": (80, 18080), "http2": (85, 18085), "grpc": (7070, 17070),
         "tcp": (9090, 19090), "https": (443, 18443)}


class Namespace:
    """As templates see one: upstream puts a number behind the prefix."""

    def __init__(self, prefix, number):
        self.Prefix = prefix
        self.Name = f"{prefix}-{number}" if number else prefix


class Port:
    def __init__(self, name):
        self.ServicePort, self.WorkloadPort = PORTS[name]


class Config:
    def __init__(self, namespace):
        self.Namespace = namespace


class Service:
    def __init__(self, name, namespace):
        self.ServiceName = name
        self.NamespaceName = namespace.Name
        self.Config = Config(namespace)
        self.ClusterLocalFQDN = f"{name}.{namespace.Name}.svc.cluster.local"
        self.SpiffeIdentity = f"cluster.local/ns/{namespace.Name}/sa/{name}"

    @staticmethod
    def PortForName(name):
        return Port(name)

    @property
    def called(self):
        return f"{self.ServiceName}.{self.NamespaceName}"


NS1, NS2 = Namespace("echo1", 101), Namespace("echo2", 102)
A, B, C = (Service(name, NS1) for name in "abc")
OTHER = Service("b", NS2)
SYSTEM_NS = Namespace(SYSTEM, 0)

CONTEXT = {
    "To": B, "From": A, "Allowed": A, "Denied": OTHER,
    "SystemNamespace": SYSTEM_NS, "Services": [A, B], "Namespace": NS1,
    "JWTServer": {"JwksURI": "https://jwt-server.example.com/jwks"},
    "Provider": {"Name": "ext-authz"}, "Provider1": {"Name": "ext-authz"},
    "Provider2": {"Name": "ext-authz-2"},
    "TLSMode": "ISTIO_MUTUAL", "MTLSMode": "STRICT",
}

MESH = {"trustDomain": "cluster.local", "rootNamespace": SYSTEM,
        "extensionProviders": [
            {"name": n, "envoyExtAuthzGrpc": {
                "service": f"{n}.{SYSTEM}.svc.cluster.local", "port": 9000}}
            for n in ("ext-authz", "ext-authz-2")]}


def _service(name, namespace, ports):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"app": name}, "ports": ports}}


def _mesh_text():
    echo = [{"name": n, "port": p, "targetPort": t}
            for n, (p, t) in PORTS.items()]
    authz = [{"name": "grpc", "port": 9000}]
    return yaml.safe_dump_all(
        [MESH]
        + [_service(s.ServiceName, s.NamespaceName, echo)
           for s in (A, B, C, OTHER)]
        + [_service(n, SYSTEM, authz) for n in ("ext-authz", "ext-authz-2")])


# --- tokens ------------------------------------------------------------------


def token(claims):
    """As upstream's, but that nobody signed it."""
    def part(value):
        text = json.dumps(value, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(text).decode().rstrip("=")
    return f"{part({'alg': 'RS256', 'kid': 'k'})}.{part(claims)}.c2ln"


TOKENS = {name: token(claims)
          for name, claims in upstream_calls.CLAIMS.items()}

# --- what is between the braces ----------------------------------------------

# Go, without its white space, to what it is here; of the called service b.
SYMBOLS = {
    "ns.Prefix()": NS1.Prefix,
    "to.Config().Namespace.Prefix()": NS1.Prefix,
    "to.Config().Namespace.Name()": NS1.Name,
    "to.Config().Service": B.ServiceName,
    "svc.Config().Namespace.Prefix()": NS1.Prefix,
    "svc.Config().Service": C.ServiceName,
    "allowed.Config().Service": A.ServiceName,
    "allowed.Config().Namespace.Name()": NS1.Name,
    "ns.Name()==to.Config().Namespace.Name()": True,
    "allowValue(from.NamespacedName()==allowed.Config().NamespacedName())":
        True,
    "allowValue(fromAllowed)": True,
    "!fromAllowed": False,
}
SPRINTF = re.compile(r'fmt\.Sprintf\((?:"([^"]*)"|fmtStr),(.*)\)')


class Unknown(Exception):
    """A symbol that nobody knows here."""


def resolve(value, formats):
    """`formats` gives, one after the other, what fmtStr was."""
    if not isinstance(value, str) or not value.startswith("${"):
        return value
    go = re.sub(r"\s+", "", value[2:-1])
    if go in SYMBOLS:
        return SYMBOLS[go]
    if go.startswith("jwt."):
        return TOKENS[go[4:]]
    if go.startswith("ports."):
        return go[6:].lower()
    m = SPRINTF.fullmatch(go)
    if m:
        arguments = tuple(SYMBOLS[a] for a in m[2].split(","))
        return (m[1] or next(formats)) % arguments
    raise Unknown(value)


# --- cases -------------------------------------------------------------------


@dataclasses.dataclass
class Case:
    path: pathlib.Path
    number: int
    folder: pathlib.Path
    test: dict
    case: dict
    call: dict | None  # of upstream_calls, for what is ${func}
    formats: object


def cases(folder):
    for path in sorted(folder.glob("*.yaml")):
        test = yaml.safe_load(path.read_text(encoding="utf-8"))
        formats = iter(upstream_calls.FORMATS.get(test["test"], ()))
        calls = list(upstream_calls.CALLS.get(test["test"], ()))
        for number, case in enumerate(test["cases"]):
            call = None
            if case.get("customizeCall") == "${func}":
                call = next((c for c in calls
                             if c["name"] == case["name"]), None)
                if call is not None:
                    calls.remove(call)
            case = {k: _resolved(v, formats) for k, v in case.items()}
            yield Case(path, number, folder, test, case, call, None)
    for path in sorted(folder.rglob("*.tmpl")):
        yield Case(path, 0, folder, None, None, None, None)


def _resolved(value, formats):
    try:
        if isinstance(value, list):
            return [resolve(v, formats) for v in value]
        return resolve(value, formats)
    except Unknown as why:
        return why


def render(folder, template, namespace):
    text = gotmpl.render(
        (folder / "templates" / template).read_text(encoding="utf-8"),
        {**CONTEXT, "Namespace": namespace})
    documents = [d for d in yaml.safe_load_all(text) if d]
    for d in documents:
        d.setdefault("metadata", {}).setdefault("namespace", namespace.Name)
    return documents


def rendered(folder, templates):
    """A template that comes again is of the next namespace."""
    documents, seen = [], {}
    for template in templates:
        namespace = (NS1, NS2)[seen.get(template, 0)]
        seen[template] = seen.get(template, 0) + 1
        if "system" in pathlib.Path(template).stem:
            namespace = SYSTEM_NS
        documents += render(folder, template, namespace)
    return documents


def configuration(folder, templates):
    """What meshd has a kind for; routes to a gateway are not asked here."""
    kept = [d for d in rendered(folder, templates)
            if judge.kind_of(d) not in judge.LEFT_OUT]
    return _mesh_text() + "---\n" + yaml.safe_dump_all(kept)


# --- judging -----------------------------------------------------------------


def question_of(case, workload, port):
    """From a, unless the workload is a gateway at the edge."""
    service, _ = PORTS[port]
    question = {"to": workload["to"], "labels": workload["labels"],
                "port": service, "sourceIp": "10.9.8.7"}
    if workload["from"]:
        question["from"] = f"spiffe://{A.SpiffeIdentity}"
    if port == "tcp":
        return question | {"tcp": True}
    headers = dict(case.get("headers") or {})
    if case.get("host"):
        headers["host"] = case["host"]
    question |= {"method": "POST" if port == "grpc"
                 else case.get("method", "GET"),
                 "path": "/proto.EchoTestService/Echo" if port == "grpc"
                 else case.get("path") or "/", "headers": headers}
    if case.get("ip"):
        question["remoteIp"] = case["ip"]
    bearer = case.get("token") or case.get("jwt")
    if bearer:
        question["jwt"] = bearer
    return question


EDGES = {
    "ingress-gateway": {"to": f"istio-ingressgateway.{SYSTEM}",
                        "labels": {"app": "istio-ingressgateway",
                                   "istio": "ingressgateway"}, "from": False},
    "egress-gateway": {"to": f"istio-egressgateway.{SYSTEM}",
                       "labels": {"app": "istio-egressgateway",
                                  "istio": "egressgateway"}, "from": True},
    "gateway-jwt": {"to": f"b-gateway-istio.{NS1.Name}",
                    "labels": {"gateway.networking.k8s.io/gateway-name":
                               "b-gateway"}, "from": False},
}


def workload_of(templates, case):
    for template in templates:
        edge = EDGES.get(pathlib.Path(template).name.split(".")[0])
        if edge:
            return edge
    labels = {"app": "b"} | ({"foo": "bla"} if case.get("updateLabel") else {})
    return {"to": B.called, "labels": labels, "from": True}


def judge_template(case):
    """Without cases of its own it still has to be valid."""
    name = str(case.path.relative_to(case.folder / "templates"))
    documents = render(case.folder, name, NS1)
    reasons = {judge.LEFT_OUT.get(judge.kind_of(d)) for d in documents}
    if None not in reasons:
        return (sorted(reasons)[0],)
    told = judge.validate_text(yaml.safe_dump_all(
        d for d in documents if judge.kind_of(d) not in judge.LEFT_OUT))
    return None if told.valid else f"{name}: known to be valid; {told}"


def judge_answer(label, expected, answer):
    outcome = answer["outcome"]
    status = outcome["status"]
    if isinstance(expected, bool):
        ok = outcome["allowed"] == expected
    else:
        ok = (status or 200) == expected
    return None if ok else \
        f"{label}: known to be {expected}; meshd: {outcome}"


def judge_func(case, label):
    call = case.call
    if call is None:
        return ("the request is code of upstream's tests, nowhere written",)
    if "left out" in call:
        return (call["left out"],)
    templates = call.get("templates", case.test["policyTemplates"])
    workload = workload_of(templates, {})
    fill = {**TOKENS, "to": B.ServiceName}
    filled = {"method": call.get("method", "GET"),
              "path": call.get("path", "/").format(**fill),
              "host": call.get("host", "").format(**fill),
              "headers": {k: v.format(**fill)
                          for k, v in call.get("headers", {}).items()}}
    answer, = access.ask(configuration(case.folder, templates),
                         [question_of(filled, workload, "http")])
    return judge_answer(label, call["status"], answer)


# What a case may say; another word would be looked at by nobody.
WORDS = {"allow", "path", "name", "customizeCall", "prefix", "jwt", "host",
         "ip", "ports", "headers", "skip", "token", "method", "updateLabel"}


def judge_case(case):
    if case.test is None:
        return judge_template(case)
    what = case.case
    label = f"{case.path.stem} {case.number}"
    odd = sorted(set(what) - WORDS)
    if odd:
        return f"{label}: nobody knows what {odd[0]} is"
    if "customizeCall" in what:
        return judge_func(case, label)
    if "allow" not in what:
        return ("a case without a request or a verdict",)
    templates = case.test["policyTemplates"]
    unknown = [v for k, v in what.items()
               if isinstance(v, Unknown) and k != "headers"]
    if unknown:
        return f"{label}: nobody knows what {unknown[0]} is"
    asks = "custom-provider" in str(templates)
    if isinstance(what.get("headers"), Unknown):
        what = dict(what, headers={})
    workload = workload_of(templates, what)
    ports = what.get("ports") or ["http", "http2"]
    if asks and what.get("path") == "/custom":
        ports = [p for p in ports if p != "grpc"]
    answers = access.ask(configuration(case.folder, templates),
                         [question_of(what, workload, p) for p in ports])
    for port, answer in zip(ports, answers):
        asked = asks and what.get("path") != "/health"
        if asked != ("ask" in answer):
            return f"{label} {port}: asked: {'ask' in answer}, not {asked}"
        words = judge_answer(f"{label} {port}", what["allow"] or asked,
                             answer)
        if words:
            return words
    return None
