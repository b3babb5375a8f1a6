/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables — every code that is given, and every analyzer that gives them.
 *
 * Codes, their names and levels are upstream's, and so are those of the
 * numbers that are not here: none is used for something else.
 */
#include "inside.h"

#define ERROR ANALYSIS_ERROR
#define WARNING ANALYSIS_WARNING
#define INFO ANALYSIS_INFO

static const struct analysis_code codes[] = {
    {"IST0001", "InternalError", ERROR, "Not everything could be looked at."},
    {"IST0002", "Deprecated", WARNING,
	"A field that is going away, or is not looked at any more."},
    {"IST0101", "ReferencedResourceNotFound", ERROR,
	"Something that a resource names is not there."},
    {"IST0106", "SchemaValidationError", ERROR,
	"A resource is not valid by itself."},
    {"IST0107", "MisplacedAnnotation", WARNING,
	"An annotation means nothing on this kind of resource."},
    {"IST0108", "UnknownAnnotation", WARNING,
	"An annotation of upstream's that nobody knows."},
    {"IST0109", "ConflictingMeshGatewayVirtualServiceHosts", ERROR,
	"Several VirtualServices inside the mesh have one host."},
    {"IST0110", "ConflictingSidecarWorkloadSelectors", ERROR,
	"Several Sidecars select one workload."},
    {"IST0111", "MultipleSidecarsWithoutWorkloadSelectors", ERROR,
	"Several Sidecars of a namespace are for all of its workloads."},
    {"IST0112", "VirtualServiceDestinationPortSelectorRequired", ERROR,
	"A destination has several ports, and the route names none."},
    {"IST0118", "PortNameIsNotUnderNamingConvention", INFO,
	"The name of a port does not say what the port speaks."},
    {"IST0126", "UnknownMeshNetworksServiceRegistry", ERROR,
	"A network takes endpoints from a registry that nobody knows."},
    {"IST0127", "NoMatchingWorkloadsFound", WARNING,
	"An AuthorizationPolicy is for no workload."},
    {"IST0128", "NoServerCertificateVerificationDestinationLevel", WARNING,
	"TLS to a destination does not check who answers."},
    {"IST0129", "NoServerCertificateVerificationPortLevel", WARNING,
	"TLS to one port does not check who answers."},
    {"IST0130", "VirtualServiceUnreachableRule", WARNING,
	"A rule is behind one that takes everything."},
    {"IST0131", "VirtualServiceIneffectiveMatch", INFO,
	"A match is taken by an earlier rule already."},
    {"IST0132", "VirtualServiceHostNotFoundInGateway", WARNING,
	"A VirtualService is bound to a gateway that has none of its hosts."},
    {"IST0133", "SchemaWarning", WARNING,
	"A resource is valid, and yet unlikely to be meant so."},
    {"IST0134", "ServiceEntryAddressesRequired", WARNING,
	"A ServiceEntry of bytes has no address to be told by."},
    {"IST0135", "DeprecatedAnnotation", INFO,
	"An annotation that is going away."},
    {"IST0138", "GatewayDuplicateCertificate", WARNING,
	"Several gateways show one certificate."},
    {"IST0140", "IngressRouteRulesNotAffected", WARNING,
	"A subset of the mesh's routes has no effect behind a gateway."},
    {"IST0145", "ConflictingGateways", ERROR,
	"Several gateways of one workload have a host and port in common."},
    {"IST0149", "JwtClaimBasedRoutingWithoutRequestAuthN", ERROR,
	"A route asks for claims that nobody verifies."},
    {"IST0150", "ExternalNameServiceTypeInvalidPortName", WARNING,
	"The name of a port of an ExternalName service takes all of it."},
    {"IST0157", "InvalidTelemetryProvider", WARNING,
	"Access logging without a provider does nothing."},
    {"IST0159", "ConflictingTelemetryWorkloadSelectors", ERROR,
	"Several Telemetries select one workload."},
    {"IST0160", "MultipleTelemetriesWithoutWorkloadSelectors", ERROR,
	"Several Telemetries of a namespace are for all of its workloads."},
    {"IST0161", "InvalidGatewayCredential", ERROR,
	"The credential of a gateway holds no certificate that is good now."},
    {"IST0162", "GatewayPortNotDefinedOnService", WARNING,
	"The Service in front of a gateway does not have its port."},
    {"IST0165", "ReferencedInternalGateway", WARNING,
	"A VirtualService names a gateway that is made from another kind."},
    {"IST0167", "IneffectivePolicy", WARNING,
	"A Sidecar is for workloads that have no proxy of their own."},
    {"IST0173", "DestinationRuleSubsetNotSelectPods", ERROR,
	"A subset selects no workload."},
    {"IST0174", "UnknownDestinationRuleHost", WARNING,
	"A DestinationRule is for a host that nobody knows."},
    {"IST0175", "JwksUriFetchUnrestricted", WARNING,
	"Keys of tokens are fetched from where they should not be."},
    {"IST0177", "ConflictingServiceEntryProtocol", WARNING,
	"Several ServiceEntries say other protocols of one host and port."},
    {"MSH0001", "NotInForce", WARNING,
	"A field is valid, but nothing acts on it yet."},
    {"MSH0002", "GuardNotInForce", ERROR,
	"A field that limits access is valid, but nothing acts on it yet."},
    {"MSH0101", "NeverMatches", WARNING,
	"A rule asks for what no request can have."},
    {"MSH0102", "CertificateExpires", WARNING,
	"A certificate is about to expire, or has."},
    {"MSH0103", "NoHealthyEndpoint", WARNING,
	"Nothing healthy serves a service, or a subset that a route takes."},
    {"MSH0104", "SelectsNothing", WARNING, "A policy is for no workload."},
    {"MSH0105", "ShadowedRoute", WARNING,
	"A rule behind a gateway is hidden by another VirtualService."},
    {"MSH0106", "PortClash", WARNING,
	"Two things want one port of one machine or gateway."},
    {"MSH0107", "OneHostTwoSpellings", INFO,
	"Two resources mean one host and write it differently."},
    {"MSH0108", "GivenTwice", WARNING,
	"Two documents are one resource, and only the last one counts."},
    {"MSH0109", "OfferedInVain", WARNING,
	"What a machine offers contradicts something and is not used."},
};

static const struct analyzer all[] = {
    {"schema", "Each document by itself.",
	{"IST0001", "IST0106", "IST0130", "IST0131", "IST0133"},
	analyze_schema},
    {"duplicates", "Documents of one key.", {"MSH0108"}, analyze_duplicates},
    {"deprecated", "Fields that are going away.", {"IST0002"},
	analyze_deprecated},
    {"route-hosts", "The hosts and ports that routes lead to.",
	{"IST0101", "IST0112"}, analyze_route_hosts},
    {"route-subsets", "The subsets that routes lead to.", {"IST0101"},
	analyze_route_subsets},
    {"route-gateways", "The gateways that routes are bound to.",
	{"IST0101", "IST0132", "IST0165"}, analyze_route_gateways},
    {"route-claims", "Routes by claims, and who verifies those.", {"IST0149"},
	analyze_route_claims},
    {"ingress-subsets", "Subsets that routes of a gateway do not name.",
	{"IST0140"}, analyze_subset_at_ingress},
    {"mesh-hosts", "Hosts of several VirtualServices.", {"IST0109"},
	analyze_mesh_hosts},
    {"gateway-selectors", "The workloads that gateways run on.", {"IST0101"},
	analyze_gateway_selector},
    {"gateway-ports", "Ports of gateways and of the Services in front.",
	{"IST0162"}, analyze_gateway_ports},
    {"gateway-conflicts", "Hosts and ports of several gateways.", {"IST0145"},
	analyze_gateway_conflicts},
    {"gateway-certificates", "Certificates of several gateways.", {"IST0138"},
	analyze_gateway_certificates},
    {"gateway-credentials", "The secrets that gateways name.",
	{"IST0101", "IST0161"}, analyze_gateway_credentials},
    {"rule-authorities", "TLS of DestinationRules, and whom it trusts.",
	{"IST0128", "IST0129"}, analyze_rule_authorities},
    {"rule-hosts", "Hosts and subsets of DestinationRules.",
	{"IST0173", "IST0174", "MSH0103"}, analyze_rule_hosts},
    {"entry-addresses", "Addresses of ServiceEntries.", {"IST0134"},
	analyze_entry_addresses},
    {"entry-protocols", "Protocols of several ServiceEntries.", {"IST0177"},
	analyze_entry_protocols},
    {"port-names", "Names of Services' ports.", {"IST0118", "IST0150"},
	analyze_port_names},
    {"annotations", "Annotations of Services.",
	{"IST0107", "IST0108", "IST0135"}, analyze_annotations},
    {"sidecar-selectors", "The workloads that Sidecars are for.",
	{"IST0101", "IST0110", "IST0111", "IST0167"},
	analyze_sidecar_selectors},
    {"telemetry-selectors", "The workloads that Telemetries are for.",
	{"IST0101", "IST0159"}, analyze_telemetry_selectors},
    {"telemetry-defaults", "Telemetries of whole namespaces.", {"IST0160"},
	analyze_telemetry_defaults},
    {"telemetry-providers", "Providers of access logs.", {"IST0157"},
	analyze_telemetry_providers},
    {"authorization", "Workloads and namespaces of AuthorizationPolicies.",
	{"IST0101", "IST0127"}, analyze_authorization},
    {"key-fetching", "Where keys of tokens are fetched from.", {"IST0175"},
	analyze_key_fetching},
    {"network-registries", "Registries of networks.", {"IST0126"},
	analyze_network_registries},
    {"never-matching", "Rules that contradict themselves.", {"MSH0101"},
	analyze_never_matching},
    {"delegates", "Rules of delegates that are left out.", {"MSH0101"},
	analyze_delegates},
    {"expiry", "Certificates, and when they end.", {"MSH0102"}, analyze_expiry},
    {"endpoints", "Services, and what serves them.", {"MSH0103"},
	analyze_healthless_services},
    {"idle-policies", "The workloads that other policies are for.", {"MSH0104"},
	analyze_idle_policies},
    {"shadowed-routes", "Routes of several files behind one gateway.",
	{"MSH0105"}, analyze_shadowed_routes},
    {"port-clashes", "Ports of one machine or gateway.", {"MSH0106"},
	analyze_port_clashes},
    {"offers", "Services of machines, and who contradicts them.", {"MSH0109"},
	analyze_offers},
    {"host-spellings", "Hosts in their short and long forms.", {"MSH0107"},
	analyze_host_spellings},
    {"in-force", "What nothing acts on yet; told by apply and status.",
	{"MSH0001", "MSH0002"}, NULL},
};

const struct analysis_code *
analysis_codes(size_t *out_count)
{
	*out_count = ARRAY_LEN(codes);
	return codes;
}

const struct analyzer *
analyzers(size_t *out_count)
{
	*out_count = ARRAY_LEN(all);
	return all;
}

const struct analysis_code *
analysis_code_find(struct slice id)
{
	size_t from = 0, to = ARRAY_LEN(codes);

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int n = slice_cmp(id, slice_str(codes[middle].id));

		if (n == 0)
			return &codes[middle];
		if (n < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
}

static const char *const levels[] = {
    [ANALYSIS_INFO] = "info",
    [ANALYSIS_WARNING] = "warning",
    [ANALYSIS_ERROR] = "error",
};

const char *
analysis_level_name(enum analysis_level level)
{
	CHECK((unsigned)level < ARRAY_LEN(levels));
	return levels[level];
}

enum err
analysis_level_parse(struct slice text, enum analysis_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (slice_eq_nocase(text, slice_str(levels[i]))) {
			*out = (enum analysis_level)i;
			return OK;
		}
	return ERR_INVALID;
}
