/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_trust — parts of MeshConfig that say who is believed: trust domains,
 * authorities, TLS.
 */
#include "mesh_config.h"
#include "rows.h"
#include "validate.h"

/* As upstream: labels with dots; the last may be empty. */
void
check_trust_domain(struct check *c, const void *value)
{
	struct slice rest = *(const struct slice *)value, label;

	if (rest.len == 0) {
		check_error(c, ERR_INVALID, "empty domain name not allowed");
		return;
	}
	do {
		label = slice_split(&rest, '.');
		if (is_dns_label(label))
			continue;
		check_error(c, ERR_INVALID,
		    "trust domain name \"%.*s\" invalid: labels of letters, "
		    "digits and dashes inside, with dots between them",
		    SLICE_ARG(slice_sub(
			*(const struct slice *)value, 0, NAME_LABEL_MAX)));
		return;
	} while (rest.len > 0);
}

/* --- authorities ---------------------------------------------------------- */

enum { ONEOF_CERTIFICATE = 1 };

static const struct field ca_certificate_fields[] = {
    ROW(ca_certificate, "pem", pem, FIELD_STRING, .oneof = ONEOF_CERTIFICATE,
	.doc = "The authority's certificate, as PEM."),
    ROW(ca_certificate, "spiffeBundleUrl", spiffe_bundle_url, FIELD_STRING,
	.oneof = ONEOF_CERTIFICATE,
	.doc = "Where a SPIFFE bundle is fetched from, by https."),
    ROW(ca_certificate, "certSigners", cert_signers, FIELD_STRING,
	.flags = FIELD_REPEATED, .doc = "Signers of Kubernetes that it is of."),
    ROW(ca_certificate, "trustDomains", trust_domains, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "Trust domains that it speaks for; the own one if absent."),
};

const struct message ca_certificate_message =
    MESSAGE(ca_certificate, "CertificateData", ca_certificate_fields,
	.doc = "A further authority that workloads believe.");

static const struct field mesh_certificate_fields[] = {
    ROW(mesh_certificate, "secretName", secret_name, FIELD_STRING,
	.doc = "Secret that the certificate is kept in."),
    ROW(mesh_certificate, "dnsNames", dns_names, FIELD_STRING,
	.flags = FIELD_REPEATED, .doc = "Names that it is for."),
};

const struct message mesh_certificate_message =
    MESSAGE(mesh_certificate, "Certificate", mesh_certificate_fields,
	.doc = "A certificate of the control plane; no longer used upstream.");

static const struct field mesh_ca_fields[] = {
    ROW(mesh_ca, "address", address, FIELD_STRING,
	.doc = "HOST:PORT of the authority."),
    ROW_OF(mesh_ca, "tlsSettings", tls_settings, client_tls,
	.doc = "How the connection to it is secured."),
    ROW(mesh_ca, "requestTimeout", request_timeout, FIELD_DURATION,
	.otherwise = "10s", .doc = "How long its answer may take."),
    ROW(mesh_ca, "istiodSide", istiod_side, FIELD_BOOL, .otherwise = "true",
	.doc = "Whether the control plane asks it, and not the agents."),
};

const struct message mesh_ca_message = MESSAGE(mesh_ca, "CA", mesh_ca_fields,
    .doc = "An authority that signs instead of the mesh's own.");

/* --- TLS ------------------------------------------------------------------ */

static bool
is_curve(struct slice s)
{
	static const char *const known[] = {"P-224", "P-256", "P-384", "P-521",
	    "X25519", "X25519Kyber768Draft00", "X25519MLKEM768"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_eq(s, slice_str(known[i])))
			return true;
	return false;
}

enum { CURVES_MAX = 64 }; /* each is compared with each */

static bool
came_before(const struct mesh_tls *t, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (slice_eq(t->ecdh_curves.items[i], t->ecdh_curves.items[at]))
			return true;
	return false;
}

/* As upstream: an unknown curve is left out by the proxy, an empty one too. */
static void
check_tls_defaults(struct check *c, const void *message)
{
	const struct mesh_tls *t = message;

	for (size_t i = 0; i < t->ecdh_curves.count && i < CURVES_MAX; i++) {
		struct slice name = t->ecdh_curves.items[i];
		struct check at = check_member(c, "ecdhCurves[%zu]", i);

		if (name.len > 0 && !is_curve(name))
			check_warning(&at,
			    "detected unrecognized ECDH curve: \"%.*s\"",
			    SLICE_ARG(slice_sub(name, 0, NAME_LABEL_MAX)));
		else if (came_before(t, i))
			check_warning(&at,
			    "detected duplicate ECDH curve: \"%.*s\"",
			    SLICE_ARG(name));
	}
}

static void
check_mesh_mtls(struct check *c, const void *message)
{
	const struct mesh_tls *t = message;
	struct check at = check_member(c, "ecdhCurves");

	if (t->ecdh_curves.count > 0)
		check_error(&at, ERR_INVALID,
		    "mesh TLS does not support ECDH curves configuration");
}

static const struct field_word version_words[] = {
    {"TLS_AUTO", MESH_TLS_AUTO, 0},
    {"TLSV1_2", MESH_TLS_1_2, 0},
    {"TLSV1_3", MESH_TLS_1_3, 0},
    {NULL, 0, 0},
};

static const struct field mesh_tls_fields[] = {
    ROW(mesh_tls, "minProtocolVersion", min_protocol_version, FIELD_ENUM,
	.words = version_words, .otherwise = "TLS_AUTO",
	.doc = "The oldest version that is spoken; 1.2 if absent."),
    ROW(mesh_tls, "ecdhCurves", ecdh_curves, FIELD_STRING,
	.flags = FIELD_REPEATED, .most = CURVES_MAX,
	.doc = "Curves for the exchange of keys; not of meshMTLS."),
    ROW(mesh_tls, "cipherSuites", cipher_suites, FIELD_STRING,
	.flags = FIELD_REPEATED, .doc = "Suites of TLS 1.2 that are offered."),
};

const struct message mesh_mtls_message = MESSAGE(mesh_tls, "TLSConfig",
    mesh_tls_fields, .check = check_mesh_mtls, .doc = "TLS between workloads.");
const struct message tls_defaults_message =
    MESSAGE(mesh_tls, "TLSConfig", mesh_tls_fields, .check = check_tls_defaults,
	.doc = "TLS with the rest of the world.");

/* --- other places of configuration ---------------------------------------- */

static const struct field_word resource_words[] = {
    {"SERVICE_REGISTRY", 0, 0},
    {NULL, 0, 0},
};

static const struct field config_source_fields[] = {
    ROW(config_source, "address", address, FIELD_STRING,
	.doc = "Where it is: HOST:PORT, fs:///FOLDER or k8s://."),
    ROW_OF(config_source, "tlsSettings", tls_settings, client_tls,
	.doc = "How the connection is secured."),
    ROW(config_source, "subscribedResources", subscribed_resources, FIELD_ENUM,
	.flags = FIELD_REPEATED, .words = resource_words,
	.doc = "What is asked of it; everything if absent."),
};

const struct message config_source_message =
    MESSAGE(config_source, "ConfigSource", config_source_fields,
	.doc = "A further place that configuration comes from.");
