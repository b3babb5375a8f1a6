# SPDX-License-Identifier: Apache-2.0
"""analysis — what `meshd analyze` says of files, against known messages.

A recorded case is one of upstream's analyzers by itself; meshd runs all of
its own, so only the codes that this analyzer can give are compared.
"""

import collections

import judge

WORKLOADS = "about pods, deployments or injection"
PATCHES = "about EnvoyFilter, which is refused"

# The codes that an analyzer gives, or why it has no meaning here.
ANALYZERS = {
    "annotations.K8sAnalyzer": "annotations of Kubernetes' objects",
    "maturity.AlphaAnalyzer": "annotations of Kubernetes' objects",
    "externalcontrolplane.ExternalControlPlaneAnalyzer":
        "webhooks of a Kubernetes API server",
    "injection.Analyzer": WORKLOADS,
    "injection.ImageAnalyzer": WORKLOADS,
    "deployment.ServiceAssociationAnalyzer": WORKLOADS,
    "deployment.ApplicationUIDAnalyzer": WORKLOADS,
    "envoyfilter.EnvoyPatchAnalyzer": PATCHES,
    "conditions.ConditionAnalyzer":
        "conditions in the status that a cluster writes",
    "authn.BlockedCIDRsAnalyzer":
        "how a control plane of Kubernetes was started",
    "deprecation.FieldAnalyzer": ["IST0002"],
    "gateway.IngressGatewayPortAnalyzer": ["IST0162"],
    "gateway.ConflictingGatewayAnalyzer": ["IST0145"],
    "gateway.CertificateAnalyzer": ["IST0138"],
    "service.PortNameAnalyzer": ["IST0118", "IST0150"],
    "sidecar.SelectorAnalyzer": ["IST0101", "IST0110", "IST0111", "IST0167"],
    "virtualservice.ConflictingMeshGatewayHostsAnalyzer": ["IST0109"],
    "virtualservice.DestinationHostAnalyzer": ["IST0101", "IST0112"],
    "virtualservice.DestinationRuleAnalyzer": ["IST0101"],
    "virtualservice.GatewayAnalyzer": ["IST0101", "IST0132"],
    "virtualservice.JWTClaimRouteAnalyzer": ["IST0149"],
    "destinationrule.CaCertificateAnalyzer": ["IST0128", "IST0129"],
    "telemetry.ProviderAnalyzer": ["IST0157"],
    "telemetry.SelectorAnalyzer": ["IST0101", "IST0159"],
    "telemetry.DefaultSelectorAnalyzer": ["IST0160"],
    "serviceentry.ProtocolAddressesAnalyzer": ["IST0134"],
    "serviceentry.ConflictingServiceEntryProtocolAnalyzer": ["IST0177"],
}


def origin_of(item):
    return f"{item['kind']} {item['namespace']}/{item['name']}"


def known_origin(text):
    """Upstream leaves the namespace out where a document names none."""
    kind, _, name = text.partition(" ")
    return text if "/" in name else f"{kind} default/{name}"


def told(case):
    words = [w for f in case.files for w in ("-f", f)]
    if case.mesh_config is not None:
        words += ["-f", case.mesh_config]
    return judge.run_meshd("analyze", *words)["items"]


def judge_case(case):
    codes = ANALYZERS.get(case.analyzer)
    if codes is None:
        return f"{case.name}: no analysis here is {case.analyzer}"
    if isinstance(codes, str):
        return (codes,)
    given = collections.Counter(
        (i["id"], origin_of(i)) for i in told(case) if i["id"] in codes)
    known = collections.Counter(
        (code, known_origin(origin)) for code, origin in case.expected)
    if given == known:
        return None
    more = sorted((given - known).elements())
    less = sorted((known - given).elements())
    return f"{case.name}: missing {less}, not known {more}"
