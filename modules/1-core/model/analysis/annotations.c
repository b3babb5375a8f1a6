/* SPDX-License-Identifier: Apache-2.0 */
/*
 * annotations — those of Services whose names are upstream's.
 *
 * A name that nobody knows, or that belongs to another kind, is a mistake that
 * nothing else would tell: annotations of kinds are free text.
 */
#include <stdlib.h>

#include "inside.h"

/* Every name that upstream has, sorted; of any kind if `kinds` is "". */
static const struct known_annotation {
	const char *name;
	const char *kinds;
	bool old;
} annotations[] = {
    {"alpha.istio.io/canonical-serviceaccounts", "Service", true},
    {"alpha.istio.io/kubernetes-serviceaccounts", "Service", true},
    {"ambient.istio.io/bypass-inbound-capture", "Pod", false},
    {"ambient.istio.io/dns-capture", "Pod", false},
    {"ambient.istio.io/redirection", "Pod", false},
    {"ambient.istio.io/waypoint-inbound-binding", "GatewayClass, Gateway",
	false},
    {"galley.istio.io/analyze-suppress", "", false},
    {"gateway.istio.io/controller-version", "", false},
    {"gateway.istio.io/name-override", "Gateway", false},
    {"gateway.istio.io/service-account", "Gateway", false},
    {"inject.istio.io/templates", "Pod", false},
    {"istio.io/autoRegistrationGroup", "WorkloadEntry", false},
    {"istio.io/connectedAt", "WorkloadEntry", false},
    {"istio.io/disconnectedAt", "WorkloadEntry", false},
    {"istio.io/dry-run", "AuthorizationPolicy", false},
    {"istio.io/reroute-virtual-interfaces", "Pod", false},
    {"istio.io/rev", "Pod", false},
    {"istio.io/use-waypoint-canary-weight", "Service, ServiceEntry, Namespace",
	false},
    {"istio.io/workloadController", "WorkloadEntry", false},
    {"kubernetes.io/ingress.class", "Ingress", false},
    {"networking.istio.io/exportTo", "Service", false},
    {"networking.istio.io/service-type", "Gateway", false},
    {"networking.istio.io/traffic-distribution",
	"Namespace, Service, ServiceEntry", false},
    {"prometheus.istio.io/merge-metrics", "Pod", false},
    {"proxy.istio.io/config", "Pod", false},
    {"proxy.istio.io/overrides", "Pod", false},
    {"readiness.status.sidecar.istio.io/applicationPorts", "Pod", false},
    {"readiness.status.sidecar.istio.io/failureThreshold", "Pod", false},
    {"readiness.status.sidecar.istio.io/initialDelaySeconds", "Pod", false},
    {"readiness.status.sidecar.istio.io/periodSeconds", "Pod", false},
    {"sidecar.istio.io/agentLogLevel", "Pod", false},
    {"sidecar.istio.io/bootstrapOverride", "Pod", false},
    {"sidecar.istio.io/componentLogLevel", "Pod", false},
    {"sidecar.istio.io/discoveryAddress", "Pod", true},
    {"sidecar.istio.io/extraStatTags", "Pod", true},
    {"sidecar.istio.io/inject", "Pod", true},
    {"sidecar.istio.io/interceptionMode", "Pod", false},
    {"sidecar.istio.io/logLevel", "Pod", false},
    {"sidecar.istio.io/nativeSidecar", "Pod", false},
    {"sidecar.istio.io/proxyCPU", "Pod", false},
    {"sidecar.istio.io/proxyCPULimit", "Pod", false},
    {"sidecar.istio.io/proxyImage", "Pod", false},
    {"sidecar.istio.io/proxyImageType", "Pod", false},
    {"sidecar.istio.io/proxyMemory", "Pod", false},
    {"sidecar.istio.io/proxyMemoryLimit", "Pod", false},
    {"sidecar.istio.io/rewriteAppHTTPProbers", "Pod", false},
    {"sidecar.istio.io/statsCompression", "Pod", true},
    {"sidecar.istio.io/statsEvictionInterval", "Pod", false},
    {"sidecar.istio.io/statsFlushInterval", "Pod", false},
    {"sidecar.istio.io/statsHistogramBins", "Pod", false},
    {"sidecar.istio.io/statsHistogramBuckets", "Pod", false},
    {"sidecar.istio.io/statsInclusionPrefixes", "Pod", true},
    {"sidecar.istio.io/statsInclusionRegexps", "Pod", true},
    {"sidecar.istio.io/statsInclusionSuffixes", "Pod", true},
    {"sidecar.istio.io/status", "Pod", false},
    {"sidecar.istio.io/userVolume", "Pod", false},
    {"sidecar.istio.io/userVolumeMount", "Pod", false},
    {"status.sidecar.istio.io/port", "Pod", false},
    {"topology.istio.io/controlPlaneClusters", "Namespace", false},
    {"traffic.istio.io/nodeSelector", "Service", false},
    {"traffic.sidecar.istio.io/excludeInboundPorts", "Pod", false},
    {"traffic.sidecar.istio.io/excludeInterfaces", "Pod", false},
    {"traffic.sidecar.istio.io/excludeOutboundIPRanges", "Pod", false},
    {"traffic.sidecar.istio.io/excludeOutboundPorts", "Pod", false},
    {"traffic.sidecar.istio.io/includeInboundPorts", "Pod", false},
    {"traffic.sidecar.istio.io/includeOutboundIPRanges", "Pod", false},
    {"traffic.sidecar.istio.io/includeOutboundPorts", "Pod", false},
    {"traffic.sidecar.istio.io/kubevirtInterfaces", "Pod", true},
};

/* Upstream's tools write them, so nobody is to blame. */
static const char *const machine_made[] = {
    "gateway.istio.io/controller-version",
    "istio.io/rev",
    "sidecar.istio.io/status",
};

static int
by_name(const void *key, const void *row)
{
	const struct known_annotation *a = row;

	return slice_cmp(*(const struct slice *)key, slice_str(a->name));
}

static const struct known_annotation *
find_annotation(struct slice name)
{
	return bsearch(&name, annotations, ARRAY_LEN(annotations),
	    sizeof(annotations[0]), by_name);
}

static bool
is_of_upstream(struct slice name)
{
	struct slice prefix = slice_sub(name, 0, slice_find(name, '/'));

	return slice_ends(prefix, S("istio.io")) ||
	       slice_eq(name, S("kubernetes.io/ingress.class"));
}

static bool
is_machine_made(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(machine_made); i++)
		if (slice_eq(name, slice_str(machine_made[i])))
			return true;
	return false;
}

static bool
is_for_services(const struct known_annotation *known)
{
	struct slice kinds = slice_str(known->kinds);

	if (kinds.len == 0)
		return true;
	while (kinds.len > 0)
		if (slice_eq(
			slice_trim(slice_split(&kinds, ',')), S("Service")))
			return true;
	return false;
}

static void
tell_unknown(struct analysis *a, const struct place *p, struct slice name)
{
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;

	nearest_init(&near, name);
	for (size_t i = 0; i < ARRAY_LEN(annotations); i++)
		if (is_for_services(&annotations[i]))
			nearest_offer(&near, annotations[i].name);
	tell(a, "IST0108", p, "nobody knows this annotation%s",
	    nearest_text(&near, hint));
}

static void
check_annotation(struct analysis *a, const struct item *it, struct slice name)
{
	struct place p = place_at(it, NULL, "metadata.annotations[\"%.*s\"]",
	    SLICE_ARG(slice_sub(name, 0, NAME_HOST_MAX)));
	const struct known_annotation *known = find_annotation(name);

	if (!is_of_upstream(name) || is_machine_made(name))
		return;
	if (known == NULL) {
		tell_unknown(a, &p, name);
		return;
	}
	if (known->old)
		tell(a, "IST0135", &p, "this annotation is going away");
	if (!is_for_services(known))
		tell(a, "IST0107", &p,
		    "this annotation means nothing on a Service; it is for %s",
		    known->kinds);
}

void
analyze_annotations(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_service);

	for (size_t i = 0; i < all.count; i++) {
		const struct labels *l = &all.items[i]->r->annotations;

		for (size_t j = 0; j < l->count; j++)
			check_annotation(a, all.items[i], l->items[j].key);
	}
}
