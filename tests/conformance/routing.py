# SPDX-License-Identifier: Apache-2.0
"""routing — recorded calls and what a proxy did with them, asked of meshd.

A file is configuration, the proxy whose place it is, and calls, each with its
result: the listener, chain, routes, virtual host, route and cluster that it
met, or an error; then the route's action, and the settings of the clusters
that were reached. One `meshd explain --questions` answers all of a file.
"""

import json
import os
import re
import subprocess
import tempfile

import yaml

MESHD = os.environ.get("MESHD", "build/meshd")
FIELDS = ("listenerMatched", "filterChainMatched", "routeConfigMatched",
          "virtualHostMatched", "routeMatched", "clusterMatched")
SOMEWHERE = "1.3.3.7"  # what upstream calls if a call names no address
USUAL_IP = "1.1.1.1"  # of a proxy of its tests, if nothing is said

NO_INGRESS = ("Kubernetes' Ingress is no kind here",)
NOTHING = ("nothing is asserted",)

# In the recorded set-up a mesh has no domain: a host of one label in a
# VirtualService or DestinationRule of the namespace shop becomes orders.shop,
# which no service is called, so that the rule or the destination leads
# nowhere. And orders.shop means that name and never the service, which here it
# means. This ending says the same in a way that is nobody's; it is taken off
# the answers.
OUTSIDE = ".corpus-outside"


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Times stay texts."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in rows
            if tag != "tag:yaml.org,2002:timestamp"]
    for first, rows in Loader.yaml_implicit_resolvers.items()}


def documents(text):
    return [d for d in yaml.load_all(text or "", Loader) if d]


# What the proxy of one of upstream's tests says of itself, beside its address.
SET_UPS = {"TestServiceEntryDuplicatedHostname": {
    "defaultConfig": {"proxyMetadata": {"ISTIO_META_DNS_CAPTURE": "true"}}}}


def mesh_of(case):
    """MeshConfig, as a text; empty: the defaults."""
    test = re.search(r"\((Test\w+)\)", case.get("origin", ""))
    if test and test[1] in SET_UPS:
        return json.dumps(SET_UPS[test[1]])
    return case.get("mesh", "")


# --- configuration -----------------------------------------------------------


def namespace_of(document):
    return document.get("metadata", {}).get("namespace", "default")


def short_hosts(docs):
    """Services by name and namespace, as two labels."""
    found = set()
    for d in docs:
        if d.get("kind") == "Service":
            found.add(f"{d['metadata']['name']}.{namespace_of(d)}")
        if d.get("kind") == "ServiceEntry":
            found |= {host.removesuffix(".svc.cluster.local")
                      for host in d["spec"].get("hosts", [])
                      if host.endswith(".svc.cluster.local")}
    return found


def respelled(host, namespace, services):
    if "*" in host or host.count(".") > 1:
        return host
    if "." not in host:
        return f"{host}.{namespace}{OUTSIDE}"
    return host + OUTSIDE if host in services else host


def respell(node, namespace, services):
    """Every host of a rule, in place."""
    if isinstance(node, list):
        for item in node:
            respell(item, namespace, services)
        return
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "host" and isinstance(value, str):
            node[key] = respelled(value, namespace, services)
        elif key == "hosts":
            node[key] = [respelled(h, namespace, services) for h in value]
        elif key not in ("match", "headers"):
            respell(value, namespace, services)


def name_ports_apart(document):
    """An API server refuses a name that is there twice; there was none."""
    names = set()
    for port in document["spec"].get("ports", []):
        if port.get("name") in names:
            port["name"] += f"-{port['port']}"
        names.add(port.get("name"))


def written(case):
    return [d for key in ("config", "kubeConfig", "services")
            for d in documents(case.get(key))]


def outsiders(case):
    """Names of two labels that a VirtualService has there, and here never."""
    docs = written(case)
    services = short_hosts(docs)
    spelled = {respelled(host, namespace_of(d), services)
               for d in docs if d.get("kind") == "VirtualService"
               for host in d["spec"].get("hosts", [])}
    return {s.removesuffix(OUTSIDE) for s in spelled if s.endswith(OUTSIDE)}


def configuration(case):
    docs = written(case)
    services = short_hosts(docs)
    for d in docs:
        if d.get("kind") in ("VirtualService", "DestinationRule"):
            respell(d.get("spec"), namespace_of(d), services)
        if d.get("kind") == "Service":
            name_ports_apart(d)
    return docs


# --- questions ---------------------------------------------------------------


def place_of(case):
    """Whose proxy it is; a text of upstream's tests, or a map."""
    proxy = case.get("proxy", "")
    if isinstance(proxy, dict):
        place = {k: proxy[k] for k in ("namespace", "labels", "ip")
                 if proxy.get(k)}
        if proxy.get("type") == "gateway":
            place["proxy"] = "gateway"
        return place
    place = {"namespace": case.get("proxyNamespace", "default"),
             "ip": USUAL_IP}
    if "gateway" in proxy:
        place["proxy"] = "gateway"
    named = re.search(r"namespace ([a-z-]+)", proxy)
    address = re.search(r"IP ([0-9.]+)", proxy)
    labels = re.search(r"labels \{([^}]*)\}", proxy)
    if named:
        place["namespace"] = named[1]
    if address:
        place["ip"] = address[1]
    if labels:
        place["labels"] = dict(
            pair.split(": ") for pair in labels[1].split(", "))
    return place


def question(case, call):
    asked = place_of(case)
    protocol = call.get("protocol", "tcp")
    tls = call.get("tls", "plaintext")
    usual = "gateway" if asked.get("proxy") else "outbound"
    asked.update(
        direction=call.get("callMode", usual), port=call["port"],
        address=call.get("address", SOMEWHERE), protocol=protocol, tls=tls,
        path=call.get("path", "/"), authority=call.get("hostHeader", ""),
        headers=call.get("headers", {}), method=call.get("method", "GET"))
    sni = call.get("sni", call.get("hostHeader", "") if tls == "tls" else "")
    if sni:  # which is in no connection but a TLS one
        asked.update(sni=sni, tls="tls" if tls == "plaintext" else tls)
    if call.get("mtlsSecretConfigName"):
        asked["secret"] = call["mtlsSecretConfigName"]
    if call.get("alpn"):
        asked["alpn"] = [call["alpn"]]
    return asked


def answers(case, questions):
    """In their order. Whom an authority of two labels calls the answer says:
    a VirtualService of that name if one is in force, or else a service."""
    names = outsiders(case)
    twice = [i for i, q in enumerate(questions)
             if host_of(q.get("authority", "")) in names]
    told = raw_answers(case, questions + [outside(questions[i])
                                          for i in twice])
    for i, answer in zip(twice, told[len(questions):]):
        matched = answer.get("virtualHostMatched", "").rpartition(":")[0]
        if matched == host_of(questions[i]["authority"]):
            told[i] = answer
    return told[:len(questions)]


def host_of(authority):
    return authority.partition(":")[0].lower()


def outside(question_):
    name, colon, port = question_["authority"].partition(":")
    return {**question_, "authority": name + OUTSIDE + colon + port}


def raw_answers(case, questions):
    with tempfile.TemporaryDirectory(prefix="routing-") as folder:
        with open(f"{folder}/all.json", "w", encoding="utf-8") as f:
            json.dump({"apiVersion": "v1", "kind": "List",
                       "items": configuration(case)}, f)
        if mesh_of(case):
            with open(f"{folder}/mesh.yaml", "w", encoding="utf-8") as f:
                f.write(mesh_of(case))
        done = subprocess.run(
            [MESHD, "explain", "--files", folder, "--questions", "-"],
            input="".join(json.dumps(q) + "\n" for q in questions),
            capture_output=True, text=True, check=False)
    lines = done.stdout.replace(OUTSIDE, "").splitlines()
    if len(lines) != len(questions):
        raise ValueError(done.stderr.strip() or "no answer")
    return [json.loads(line) for line in lines]


# --- judging -----------------------------------------------------------------


def differs(known, told):
    """Field by field: (field, what is known, what meshd says)."""
    strict = known.get("strictMatch")
    for field in ("error", *FIELDS):
        wanted = known.get(field)
        if wanted is None and not strict and field != "error":
            continue
        if wanted != told.get(field):
            yield field, wanted, told.get(field)


def words(case, name, asked, differences):
    """One of a few lines, for people."""
    call = " ".join(f"{k}={v}" for k, v in asked.items()
                    if k not in ("namespace", "labels", "ip", "proxy")
                    and v not in ("", {}))
    told = "; ".join(f"{field}: known {json.dumps(a, sort_keys=True)}, "
                     f"meshd {json.dumps(b, sort_keys=True)}"
                     for field, a, b in differences)
    return f"{case['file']} {name} ({call}): {told}"


def category(case):
    """The kind of a made case is in its name; of others by their proxy."""
    made = re.fullmatch(r"([a-z-]+) \d+", case["name"])
    if made:
        return made[1]
    if "expected" in case:
        return "routes"
    return "gateway" if "proxy" in place_of(case) else "sidecar"


def judge_calls(case):
    kind = category(case)
    calls = case.get("calls") or []
    asked = [question(case, c["call"]) for c in calls]
    known = case.get("clusters") or {}
    place = place_of(case)
    told = answers(case, asked + [{**place, "cluster": c} for c in known])
    for call, ask, answer in zip(calls, asked, told):
        different = list(differs(call["result"], answer))
        yield f"{kind} results", words(
            case, call["name"], ask, different) if different else None
        if "action" in call:
            different = differing(
                plain_headers(call["action"]),
                plain_headers(answer.get("action")))
            yield f"{kind} actions", words(
                case, call["name"], ask, different) if different else None
    for (name, wanted), answer in zip(known.items(), told[len(asked):]):
        if "endpoints" in wanted:
            wanted["endpoints"] = sorted(wanted["endpoints"])
        different = differing(wanted, answer.get("settings", "absent"))
        yield f"{kind} clusters", words(
            case, name, {}, different) if different else None


def plain_headers(node, within=None):
    """Names of headers have no case, and those to remove no order."""
    if isinstance(node, list):
        made = [plain_headers(item, within) for item in node]
        return sorted(made) if within == "remove" else made
    if not isinstance(node, dict):
        return node.lower() if within == "remove" else node
    made = {}
    for key, value in node.items():
        if key.endswith("Headers") or (key == "remove" and within):
            made[key] = plain_headers(value, key)
        else:
            made[key] = value.lower() if key == "name" and within else \
                plain_headers(value, within)
    return made


def differing(known, told):
    """The members of two maps that are not the same."""
    if known == told:
        return []
    if not isinstance(known, dict) or not isinstance(told, dict):
        return [("all", known, told)]
    return [(k, known.get(k), told.get(k)) for k in sorted({*known, *told})
            if known.get(k) != told.get(k)]


def targets(answer):
    action = answer.get("action", {})
    if "cluster" in action:
        return [action["cluster"]]
    return [w["cluster"] for w in action.get("weightedClusters", [])]


def judge_routes(case):
    """Where requests go by virtual host; null: it has none of its own."""
    known = case["expected"]
    if not known:
        yield "routes results", NOTHING
        return
    asked = [question(case, {
        "port": int(case["routeName"]), "protocol": "http",
        "hostHeader": host.replace("*", "any")}) for host in known]
    for (host, wanted), ask, answer in zip(
            known.items(), asked, answers(case, asked)):
        name = answer.get("virtualHostMatched", "")
        got = targets(answer) if name.startswith(f"{host}:") else None
        if "listenerMatched" not in answer:
            got = answer.get("error")
        yield "routes results", None if wanted == got else words(
            case, host, ask, [("clusters", wanted, got)])


# What a case may have; a word that nobody looks at would assert nothing.
KNOWN = {
    "case": {"name", "origin", "proxy", "proxyNamespace", "mesh", "config",
             "kubeConfig", "services", "calls", "clusters", "expected",
             "routeName", "file"},
    "call": {"name", "call", "result", "action", "simulation"},
    "question": {"port", "protocol", "tls", "callMode", "address", "path",
                 "hostHeader", "headers", "method", "sni", "alpn",
                 "mtlsSecretConfigName"},
    "result": {"error", "strictMatch", *FIELDS},
}


def check_words(what, node):
    odd = sorted(set(node) - KNOWN[what])
    if odd:
        raise ValueError(f"nobody knows what {odd[0]} of a {what} is")


def check_case(case):
    if not isinstance(case, dict):
        raise ValueError("this is no case")
    check_words("case", case)
    if not {"calls", "expected"} & set(case):
        raise ValueError("it has neither calls nor what is expected")
    for call in case.get("calls") or []:
        check_words("call", call)
        check_words("question", call["call"])
        check_words("result", call["result"])


def judge_file(path):
    """[(part, outcome)] of all that a file asserts."""
    with open(path, encoding="utf-8") as f:
        case = yaml.load(f, Loader)
    check_case(case)
    case["file"] = path.name
    if any(d.get("kind") == "Ingress" for d in configuration(case)):
        return [(f"{category(case)} results", NO_INGRESS)] * max(
            1, len(case.get("calls") or []))
    found = list(judge_routes(case) if "expected" in case
                 else judge_calls(case))
    return found or [(f"{category(case)} results", NOTHING)]
