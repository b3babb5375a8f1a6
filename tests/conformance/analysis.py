# SPDX-License-Identifier: Apache-2.0
"""analysis — what `meshd analyze` says of files, against known messages.

A recorded case is one of upstream's analyzers by itself; meshd runs all of
its own, so only what those say is compared that stand for this one.
"""

import collections

import judge

WORKLOADS = "about pods, deployments or injection"
PATCHES = "about EnvoyFilter, which is refused"

# The codes that an analyzer gives, each by which of ours; or why it has no
# meaning here. IST0101 has many givers.
SELECTORS = ("IST0101", "gateway-selectors")
SCHEMA = [("IST0106", "schema"), ("IST0130", "schema"), ("IST0131", "schema"),
          ("IST0133", "schema")]
ANALYZERS = {
    "maturity.AlphaAnalyzer": "told by none of upstream's own commands",
    "externalcontrolplane.ExternalControlPlaneAnalyzer":
        "webhooks of a Kubernetes API server",
    "webhook.Analyzer": "webhooks of a Kubernetes API server",
    "injection.Analyzer": WORKLOADS,
    "injection.ImageAnalyzer": WORKLOADS,
    "injection.ImageAutoAnalyzer": WORKLOADS,
    "deployment.ServiceAssociationAnalyzer": WORKLOADS,
    "deployment.ApplicationUIDAnalyzer": WORKLOADS,
    "envoyfilter.EnvoyPatchAnalyzer": PATCHES,
    "conditions.ConditionAnalyzer":
        "conditions in the status that a cluster writes",
    "k8sgateway.SelectorAnalyzer": "pods that the Gateway API's kinds made",
    "k8sgateway.CRDVersionAnalyzer": "versions of Kubernetes' definitions",
    "multicluster.ServiceAnalyzer": "Services of several clusters",
    "annotations.K8sAnalyzer": [
        ("IST0107", "annotations"), ("IST0108", "annotations"),
        ("IST0135", "annotations")],
    "authn.BlockedCIDRsAnalyzer": [("IST0175", "key-fetching")],
    "authz.AuthorizationPoliciesAnalyzer": [
        ("IST0101", "authorization"), ("IST0127", "authorization")],
    "deprecation.FieldAnalyzer": [("IST0002", "deprecated")],
    "gateway.IngressGatewayPortAnalyzer": [
        SELECTORS, ("IST0162", "gateway-ports")],
    "gateway.ConflictingGatewayAnalyzer": [("IST0145", "gateway-conflicts")],
    "gateway.CertificateAnalyzer": [("IST0138", "gateway-certificates")],
    "gateway.SecretAnalyzer": [
        SELECTORS, ("IST0101", "gateway-credentials"),
        ("IST0161", "gateway-credentials")],
    "multicluster.MeshNetworksAnalyzer": [("IST0126", "network-registries")],
    "service.PortNameAnalyzer": [
        ("IST0118", "port-names"), ("IST0150", "port-names")],
    "sidecar.SelectorAnalyzer": [
        ("IST0101", "sidecar-selectors"), ("IST0110", "sidecar-selectors"),
        ("IST0111", "sidecar-selectors"), ("IST0167", "sidecar-selectors")],
    "virtualservice.ConflictingMeshGatewayHostsAnalyzer": [
        ("IST0109", "mesh-hosts")],
    "virtualservice.DestinationHostAnalyzer": [
        ("IST0101", "route-hosts"), ("IST0112", "route-hosts"),
        ("IST0140", "ingress-subsets")],
    "virtualservice.DestinationRuleAnalyzer": [("IST0101", "route-subsets")],
    "virtualservice.GatewayAnalyzer": [
        ("IST0101", "route-gateways"), ("IST0132", "route-gateways"),
        ("IST0165", "route-gateways")],
    "virtualservice.JWTClaimRouteAnalyzer": [("IST0149", "route-claims")],
    "destinationrule.CaCertificateAnalyzer": [
        ("IST0128", "rule-authorities"), ("IST0129", "rule-authorities")],
    "destinationrule.PodNotSelectedAnalyzer": [
        ("IST0173", "rule-hosts"), ("IST0174", "rule-hosts")],
    "telemetry.ProviderAnalyzer": [("IST0157", "telemetry-providers")],
    "telemetry.SelectorAnalyzer": [
        ("IST0101", "telemetry-selectors"), ("IST0159", "telemetry-selectors")],
    "telemetry.DefaultSelectorAnalyzer": [("IST0160", "telemetry-defaults")],
    "telemetry.LightstepAnalyzer": [("IST0002", "deprecated")],
    "serviceentry.ProtocolAddressesAnalyzer": [
        ("IST0134", "entry-addresses")],
    "serviceentry.ConflictingServiceEntryProtocolAnalyzer": [
        ("IST0177", "entry-protocols")],
}

# Of what these analyzers look at, the mesh has only some kinds; a Pod or a
# Namespace means nothing to it.
KINDS = {"annotations.K8sAnalyzer": ["Service"]}


def givers(analyzer):
    """Upstream has one for the schema of each kind."""
    return SCHEMA if analyzer.startswith("schema.") else \
        ANALYZERS.get(analyzer)


def origin_of(item):
    name = "/".join(filter(None, (item.get("namespace"), item["name"])))
    return f"{item['kind']} {name}"


def known_origin(text):
    """Upstream leaves the namespace out where a document names none."""
    kind, _, name = text.partition(" ")
    return text if "/" in name else f"{kind} default/{name}"


def told(case):
    files = [*case.files, *case.mesh_files]
    words = [w for f in files for w in ("-f", f)]
    return judge.run_meshd("analyze", "--files-only", *words)["items"]


def judge_case(case):
    pairs = givers(case.analyzer)
    if pairs is None:
        return f"{case.name}: no analysis here is {case.analyzer}"
    if isinstance(pairs, str):
        return (pairs,)
    given = collections.Counter(
        (i["id"], origin_of(i)) for i in told(case)
        if (i["id"], i["analyzer"]) in pairs)
    known = collections.Counter(
        (code, known_origin(origin)) for code, origin in case.expected
        if origin.split()[0] in KINDS.get(case.analyzer, origin.split()))
    if given == known:
        return None
    more = sorted((given - known).elements())
    less = sorted((known - given).elements())
    return f"{case.name}: missing {less}, not known {more}"
