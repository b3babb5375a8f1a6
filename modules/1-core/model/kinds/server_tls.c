/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_tls — how a server of a Gateway, or a Sidecar's ingress, is secured.
 */
#include "server_tls.h"
#include "rows.h"
#include "validate.h"

enum { CERTIFICATES_MAX = 2 };

/* Where TLS would end here, nobody is let in. */
static const struct field_word mode_words[] = {
    {"PASSTHROUGH", SERVER_TLS_PASSTHROUGH, 0},
    {"SIMPLE", SERVER_TLS_SIMPLE, FIELD_INERT},
    {"MUTUAL", SERVER_TLS_MUTUAL, FIELD_INERT},
    {"AUTO_PASSTHROUGH", SERVER_TLS_AUTO_PASSTHROUGH, FIELD_INERT},
    {"ISTIO_MUTUAL", SERVER_TLS_ISTIO_MUTUAL, FIELD_INERT},
    {"OPTIONAL_MUTUAL", SERVER_TLS_OPTIONAL_MUTUAL, FIELD_INERT},
    {NULL, 0, 0},
};

static const struct field_word version_words[] = {
    {"TLS_AUTO", TLS_AUTO, 0},
    {"TLSV1_0", TLS_V1_0, 0},
    {"TLSV1_1", TLS_V1_1, 0},
    {"TLSV1_2", TLS_V1_2, 0},
    {"TLSV1_3", TLS_V1_3, 0},
    {NULL, 0, 0},
};

static const char *const ciphers[] = {"ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA",
    "DES-CBC3-SHA"};

/* --- rows ----------------------------------------------------------------- */

static const struct field certificate_fields[] = {
    ROW(server_certificate, "serverCertificate", server_certificate,
	FIELD_STRING, .doc = "Path of the certificate (PEM)."),
    ROW(server_certificate, "privateKey", private_key, FIELD_STRING,
	.doc = "Path of its key."),
    ROW(server_certificate, "caCertificates", ca_certificates, FIELD_STRING,
	.doc = "Path of the roots for clients."),
};

static const struct message server_certificate_message =
    MESSAGE(server_certificate, "TLSCertificate", certificate_fields,
	.doc = "One certificate of several.");

static void check_server_tls(struct check *c, const void *message);

static const struct field server_tls_fields[] = {
    ROW(server_tls, "httpsRedirect", https_redirect, FIELD_BOOL,
	.doc = "Answers plain HTTP by a redirect to https."),
    ROW(server_tls, "mode", mode, FIELD_ENUM, .words = mode_words,
	.otherwise = "PASSTHROUGH",
	.doc =
	    "PASSTHROUGH routes by server name, AUTO_PASSTHROUGH by the "
	    "cluster in it; SIMPLE shows a certificate, MUTUAL asks for one, "
	    "OPTIONAL_MUTUAL takes one, ISTIO_MUTUAL is the mesh's own."),
    ROW(server_tls, "serverCertificate", server_certificate, FIELD_STRING,
	.doc = "Path of the certificate (PEM)."),
    ROW(server_tls, "privateKey", private_key, FIELD_STRING,
	.doc = "Path of its key."),
    ROW(server_tls, "caCertificates", ca_certificates, FIELD_STRING,
	.doc = "Path of the roots for clients."),
    ROW(server_tls, "caCrl", ca_crl, FIELD_STRING,
	.doc = "Path of the clients' certificates that are revoked."),
    ROW(server_tls, "credentialName", credential_name, FIELD_STRING,
	.doc = "Secret that holds certificate and key."),
    ROW(server_tls, "credentialNames", credential_names, FIELD_STRING,
	.flags = FIELD_REPEATED, .doc = "Secrets, one a type of key."),
    ROW(server_tls, "caCertCredentialName", ca_cert_credential_name,
	FIELD_STRING, .doc = "Secret that holds the roots for clients."),
    ROWS_OF(server_tls, "tlsCertificates", tls_certificates, server_certificate,
	0, .doc = "Certificates, one a type of key."),
    ROW(server_tls, "subjectAltNames", subject_alt_names, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "Names of which a client's certificate has to hold one."),
    ROW(server_tls, "verifyCertificateSpki", verify_certificate_spki,
	FIELD_STRING, .flags = FIELD_REPEATED,
	.doc = "Hashes of clients' keys that are taken (base64 of SHA-256)."),
    ROW(server_tls, "verifyCertificateHash", verify_certificate_hash,
	FIELD_STRING, .flags = FIELD_REPEATED,
	.doc = "Hashes of clients' certificates that are taken (hex)."),
    ROW(server_tls, "minProtocolVersion", min_protocol_version, FIELD_ENUM,
	.words = version_words, .otherwise = "TLS_AUTO",
	.doc = "Lowest version; 1.2 unless it is said."),
    ROW(server_tls, "maxProtocolVersion", max_protocol_version, FIELD_ENUM,
	.words = version_words, .otherwise = "TLS_AUTO",
	.doc = "Highest version."),
    ROW(server_tls, "cipherSuites", cipher_suites, FIELD_STRING,
	.flags = FIELD_REPEATED, .doc = "Suites of TLS 1.2 and below."),
    ROW(server_tls, "insecureSkipVerify", insecure_skip_verify, FIELD_BOOL,
	.doc = "Takes any certificate of a client."),
};

const struct message server_tls_message =
    MESSAGE(server_tls, "ServerTLSSettings", server_tls_fields,
	.check = check_server_tls, .doc = "How the server is secured.");

/* --- certificates --------------------------------------------------------- */

static bool
has_names(const struct server_tls *t)
{
	return t->credential_name.len > 0 || t->credential_names.count > 0;
}

static bool
has_material(const struct server_tls *t)
{
	return t->server_certificate.len > 0 || t->private_key.len > 0 ||
	       t->ca_certificates.len > 0 || t->ca_crl.len > 0 ||
	       t->tls_certificates.count > 0 || has_names(t);
}

static void
check_own_mesh(struct check *c, const struct server_tls *t)
{
	const struct {
		const char *name;
		bool given;
	} rows[] = {
	    {"serverCertificate", t->server_certificate.len > 0},
	    {"privateKey", t->private_key.len > 0},
	    {"caCertificates", t->ca_certificates.len > 0},
	    {"credentialName", t->credential_name.len > 0},
	    {"credentialNames", t->credential_names.count > 0},
	    {"tlsCertificates", t->tls_certificates.count > 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct check at = check_member(c, "%s", rows[i].name);

		if (rows[i].given)
			check_error(&at, ERR_INVALID,
			    "ISTIO_MUTUAL TLS cannot have associated %s: the "
			    "certificates are the mesh's own",
			    rows[i].name);
	}
}

static void
check_pair(struct check *c, const struct server_tls *t,
    const struct server_certificate *p)
{
	const char *mode = mode_words[t->mode].word;

	if (p->server_certificate.len == 0)
		check_error(c, ERR_INVALID,
		    "%s TLS requires a server certificate", mode);
	if (p->private_key.len == 0)
		check_error(
		    c, ERR_INVALID, "%s TLS requires a private key", mode);
}

static void
check_files(struct check *c, const struct server_tls *t)
{
	const char *mode = mode_words[t->mode].word;
	struct server_certificate own = {
	    .server_certificate = t->server_certificate,
	    .private_key = t->private_key};

	if (t->mode != SERVER_TLS_SIMPLE && t->ca_certificates.len == 0)
		check_error(c, ERR_INVALID,
		    "%s TLS requires a client CA bundle, in caCertificates",
		    mode);
	if (t->tls_certificates.count > CERTIFICATES_MAX)
		check_warning(c,
		    "%s TLS can support up to %d server certificates", mode,
		    CERTIFICATES_MAX);
	if (t->tls_certificates.count == 0)
		check_pair(c, t, &own);
	for (size_t i = 0; i < t->tls_certificates.count; i++) {
		struct check at = check_member(c, "tlsCertificates[%zu]", i);

		check_pair(&at, t, &t->tls_certificates.items[i]);
	}
}

static void
check_one_source(struct check *c, const struct server_tls *t)
{
	int sources =
	    (t->credential_name.len > 0) + (t->credential_names.count > 0) +
	    (t->server_certificate.len > 0 && t->private_key.len > 0) +
	    (t->tls_certificates.count > 0);

	if (sources > 1)
		check_error(c, ERR_INVALID,
		    "only one of credentialName, credentialNames, "
		    "serverCertificate with privateKey, and tlsCertificates "
		    "should be specified");
}

/* Those of secrets come with the secret. */
static void
check_revoked(struct check *c, const struct server_tls *t)
{
	struct check at = check_member(c, "caCrl");

	if (t->ca_crl.len == 0)
		return;
	if (t->credential_name.len > 0)
		check_error(&at, ERR_INVALID,
		    "cannot be given beside credentialName; put it in the "
		    "secret");
	if (t->mode == SERVER_TLS_SIMPLE)
		check_error(&at, ERR_INVALID,
		    "is about clients, and SIMPLE asks none of them");
}

/* --- versions and suites -------------------------------------------------- */

/* Or an expression of them, of which upstream reads the first byte only. */
static bool
is_cipher(struct slice name)
{
	if (name.len == 0 || slice_eq(name, S("ALL")) ||
	    (!is_alnum(name.ptr[0]) && (uint8_t)name.ptr[0] < 0x80))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(ciphers); i++)
		if (slice_eq(name, slice_str(ciphers[i])))
			return true;
	return false;
}

static bool
came_before(const struct server_tls *t, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (slice_eq(
			t->cipher_suites.items[i], t->cipher_suites.items[at]))
			return true;
	return false;
}

static void
check_suites(struct check *c, const struct server_tls *t)
{
	struct check min = check_member(c, "minProtocolVersion");

	for (size_t i = 0; i < t->cipher_suites.count; i++) {
		struct check at = check_member(c, "cipherSuites[%zu]", i);
		struct slice name = t->cipher_suites.items[i];

		if (!is_cipher(name))
			check_warning(&at,
			    "\"%.*s\" is no cipher suite that is known; "
			    "ignored",
			    SLICE_ARG(slice_sub(name, 0, NAME_LABEL_MAX)));
		else if (came_before(t, i))
			check_warning(&at, "is there twice; ignored");
	}
	if ((t->min_protocol_version == TLS_V1_0 ||
		t->min_protocol_version == TLS_V1_1) &&
	    t->cipher_suites.count == 0)
		check_warning(&min,
		    "TLS version below TLSV1_2 require setting compatible "
		    "ciphers as by default they no longer include compatible "
		    "ciphers");
}

static void
check_server_tls(struct check *c, const void *message)
{
	const struct server_tls *t = message;

	bool terminated = t->mode == SERVER_TLS_SIMPLE ||
			  t->mode == SERVER_TLS_MUTUAL ||
			  t->mode == SERVER_TLS_OPTIONAL_MUTUAL;
	bool passed = t->mode == SERVER_TLS_PASSTHROUGH ||
		      t->mode == SERVER_TLS_AUTO_PASSTHROUGH;

	check_suites(c, t);
	if (t->mode == SERVER_TLS_ISTIO_MUTUAL) {
		check_own_mesh(c, t);
		return;
	}
	if (passed && has_material(t))
		check_warning(c,
		    "%s mode does not use certificates, they will be ignored",
		    mode_words[t->mode].word);
	check_one_source(c, t);
	if (terminated && has_names(t))
		return;
	if (terminated)
		check_files(c, t);
	check_revoked(c, t);
}

/* --- with the port -------------------------------------------------------- */

/* What plain HTTP has no use for; the rest upstream passes by. */
static bool
terminates(const struct server_tls *t)
{
	return (t->mode != SERVER_TLS_PASSTHROUGH &&
		   t->mode != SERVER_TLS_AUTO_PASSTHROUGH) ||
	       t->server_certificate.len > 0 || t->private_key.len > 0 ||
	       t->ca_certificates.len > 0;
}

void
check_server_tls_of_port(
    struct check *c, const struct server_tls *tls, enum port_protocol protocol)
{
	struct check at = check_member(c, "tls");

	if (port_protocol_is_tls(protocol) && tls == NULL)
		check_error(c, ERR_INVALID,
		    "server must have TLS settings for HTTPS/TLS protocols");
	if (tls == NULL)
		return;
	if (port_protocol_is_http(protocol)) {
		if (terminates(tls))
			check_error(&at, ERR_INVALID,
			    "server cannot have TLS settings for plain text "
			    "HTTP ports, but for httpsRedirect");
	} else if (!port_protocol_is_tls(protocol))
		check_error(&at, ERR_INVALID,
		    "server cannot have TLS settings for non HTTPS/TLS ports");
}
