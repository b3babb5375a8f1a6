# SPDX-License-Identifier: Apache-2.0
"""known — differences in what the analysis says that stay.

README.md explains each under its name. A rule sees the set, and what each
said of one pair of a code and a resource; it has to be narrow enough that
whatever else differs is found.
"""

import re

DOMAIN = "svc.cluster.local"


def resolved(host, ns):
    """The one name of a host that a resource of a namespace names."""
    if host.startswith("*") or "." in host:
        return host
    return f"{host}.{ns}.{DOMAIN}"


class Seen:
    """One pair of a set: the resource, and the words of either side."""

    def __init__(self, documents, pair, ours, theirs):
        self.documents = documents
        self.code, self.origin = pair
        self.ours = ours.get(pair, [])
        self.theirs = theirs.get(pair, [])
        self.all_ours = ours
        resource, _, missing = self.origin.partition(": ")
        self.what, _, self.missing = missing.rpartition(" ")
        kind, _, name = resource.partition(" ")
        self.kind = kind
        self.ns, _, self.name = name.rpartition("/")
        self.spec = next((d.get("spec", {}) for d in documents
                          if self.names(d)), {})

    def names(self, document):
        meta = document["metadata"]
        return (document["kind"], meta.get("namespace", ""), meta["name"]) \
            == (self.kind, self.ns, self.name)

    def of(self, kind):
        return [(d["metadata"].get("namespace", ""), d["metadata"]["name"],
                 d["spec"]) for d in self.documents if d["kind"] == kind]

    def pods(self, labels):
        """The namespaces of the pods that have these labels."""
        return {d["metadata"]["namespace"] for d in self.documents
                if d["kind"] == "Pod" and
                labels.items() <= d["metadata"]["labels"].items()}

    def defined(self):
        """Every host that is defined, as often as it is."""
        hosts = [resolved(n, ns) for ns, n, _ in self.of("Service")]
        hosts += [resolved(h, ns) for ns, _, s in self.of("ServiceEntry")
                  for h in s["hosts"]]
        return hosts


def destinations(spec):
    """Each destination of a VirtualService's HTTP routes, and of others."""
    for rule in spec.get("http", []):
        for route in rule.get("route", []):
            yield route["destination"]
        yield from [rule["mirror"]] if "mirror" in rule else []
        yield from (m["destination"] for m in rule.get("mirrors", []))
    for rule in spec.get("tcp", []) + spec.get("tls", []):
        yield from (route["destination"] for route in rule["route"])


# --- the rules ---------------------------------------------------------------


def secret_is_a_kind(seen):
    return seen.kind == "Secret" and seen.code == "IST0106"


def mesh_is_a_document(seen):
    return seen.kind == "MeshConfig" and seen.code == "IST0133" and \
        not seen.theirs


def told_once(seen):
    """Under a code of its own, or not at all where the mesh gives one."""
    given = "AUTO_ALLOCATE" in str(seen.of("MeshConfig"))
    return seen.code == "IST0133" and not seen.ours and \
        (given or ("IST0134", seen.origin) in seen.all_ours) and \
        all("addresses are required" in m for m in seen.theirs)


def itself_alone(seen):
    return seen.code == "IST0109" and not seen.ours and all(
        len(set(re.search(r"VirtualServices (\S+)", m).group(1).split(",")))
        == 1 for m in seen.theirs)


def several_of_a_host(seen):
    """A host that several define, and a finding that asks for one's insides.
    """
    if seen.code not in ("IST0112", "IST0173") and seen.what != "host:port":
        return False
    hosts = [seen.spec["host"]] if seen.kind == "DestinationRule" else \
        [d["host"] for d in destinations(seen.spec)]
    return any(sum(_may_be(h, resolved(host, seen.ns))
                   for h in seen.defined()) > 1 for host in hosts)


def _may_be(defined, host):
    return defined == host or (defined.startswith("*") and
                               host.endswith(defined[1:]))


def gateway_of_several_namespaces(seen):
    return seen.code in ("IST0101", "IST0161") and seen.kind == "Gateway" and \
        len(seen.pods(seen.spec.get("selector", {}))) > 1 and \
        all("credential" in m for m in seen.theirs + seen.ours)


def _chosen_subsets(seen):
    """(text, resolved) of hosts that a VirtualService has, and routes to a
    subset of."""
    for ns, _, spec in seen.of("VirtualService"):
        for rule in spec.get("http", []):
            for route in rule["route"]:
                to = route["destination"]
                if to.get("subset") and resolved(to["host"], ns) in [
                        resolved(h, ns) for h in spec["hosts"]]:
                    yield (to["host"] if to["host"] in spec["hosts"]
                           else None), resolved(to["host"], ns)


def hosts_as_resolved(seen):
    """By text one way, by the host that is meant the other."""
    if seen.code != "IST0140":
        return False
    plain = [route["destination"]["host"] for rule in seen.spec["http"]
             for route in rule["route"]
             if not route["destination"].get("subset")]
    chosen = list(_chosen_subsets(seen))
    as_text = any(h == text for h in plain for text, _ in chosen)
    as_host = any(resolved(h, seen.ns) == host for h in plain
                  for _, host in chosen)
    return (bool(seen.theirs), bool(seen.ours)) == (as_text, as_host)


def entries_as_resolved(seen):
    """Short hosts of entries of several namespaces, which are several."""
    return seen.code == "IST0177" and not seen.ours and all(
        "." not in re.search(r'the same host "([^"]*)"', m).group(1)
        for m in seen.theirs)


def servers_by_themselves(seen):
    """Of a gateway's servers of one port, upstream looks at the last, and
    takes what an earlier one has for another gateway's; and it compares hosts
    as texts."""
    if seen.code != "IST0145" or (seen.ours and seen.theirs):
        return False
    own = [(s["port"]["number"], h) for s in seen.spec["servers"]
           for h in s["hosts"]]
    if seen.theirs:
        return len(set(own)) < len(own) or \
            all(" hosts ./" in m for m in seen.theirs)
    all_of = [s["servers"] for _, _, s in seen.of("Gateway")]
    ports = [[s["port"]["number"] for s in servers] for servers in all_of]
    return any(len(set(p)) < len(p) for p in ports) or any(
        h.startswith(("./", "*/")) for servers in all_of
        for s in servers for h in s["hosts"])


def subsets_of_outside_hosts(seen):
    """A rule for a pattern, or for a host that is not of the mesh, counts
    elsewhere, too."""
    if not seen.theirs or seen.what not in ("host+subset", "mirror+subset"):
        return False
    host, _, subset = seen.missing.rpartition("+")
    host = resolved(host, seen.ns)
    return any(
        subset in (s["name"] for s in rule.get("subsets", [])) and
        _may_be(resolved(rule["host"], ns), host) and
        not rule["host"].endswith(DOMAIN) and "." in rule["host"]
        for ns, _, rule in seen.of("DestinationRule"))


# (rule, the name in README.md)
RULES = [
    (secret_is_a_kind, "a Secret is a kind here"),
    (mesh_is_a_document, "MeshConfig is a document here"),
    (told_once, "told once"),
    (itself_alone, "a host in two spellings"),
    (several_of_a_host, "several of one host"),
    (gateway_of_several_namespaces, "a gateway of several namespaces"),
    (hosts_as_resolved, "hosts as they are resolved"),
    (entries_as_resolved, "hosts as they are resolved"),
    (servers_by_themselves, "each server of a gateway"),
    (subsets_of_outside_hosts, "subsets of outside hosts"),
]


def why(documents, pair, ours, theirs):
    seen = Seen(documents, pair, ours, theirs)
    return next((name for rule, name in RULES if rule(seen)), None)
