/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify — chains against roots, leaves against SPIFFE's rules and ours.
 *
 * The library checks signatures, issuers and path lengths and calls
 * verify_one() for each certificate from the root down. Time is ours: its own
 * clock flags are dropped and set anew, so that a test decides what time it is.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>

#include "peer.h"
#include "verify.h"

/* --- whom we expect --- */

static const struct slice any_account = {"/sa/*", 5};

/* As name_identity_parse(), but the account may be "*". */
static enum err
parse_expected(struct slice uri, struct slice *out_domain, struct fault *why)
{
	char plain[NAME_SPIFFE_MAX + 1];
	struct identity id;
	size_t start = sizeof("spiffe://") - 1;
	enum err e = slice_to_cstr(uri, plain, sizeof(plain));

	if (e != OK)
		return fault_set(why, ERR_LIMIT,
		    "an identity has at most %d characters", NAME_SPIFFE_MAX);
	if (slice_ends(uri, any_account))
		plain[uri.len - 1] = 'x';
	e = name_identity_parse(slice_str(plain), &id, why);
	if (e != OK)
		return ERR_INVALID;
	*out_domain = slice_sub(uri, start, id.trust_domain.len);
	return OK;
}

enum err
expected_init(struct expected *x, const struct slice *uris, size_t count,
    struct slice trust_domain, struct fault *why)
{
	*x = (struct expected){NULL, NULL, 0};
	if (count > TLS_EXPECTED_MAX)
		return fault_set(why, ERR_LIMIT,
		    "at most %d identities may be expected", TLS_EXPECTED_MAX);
	if (count > 0)
		x->uris = mem_new_array(count, sizeof(*x->uris));
	for (size_t i = 0; i < count; i++) {
		struct slice domain;
		enum err e = parse_expected(uris[i], &domain, why);

		if (e != OK)
			return e;
		if (trust_domain.len == 0)
			trust_domain = domain;
		if (!slice_eq(domain, trust_domain))
			return fault_set(why, ERR_INVALID,
			    "the expected identities are of several trust "
			    "domains");
		x->uris[x->count++] = mem_strndup(uris[i].ptr, uris[i].len);
	}
	if (trust_domain.len == 0)
		return fault_set(
		    why, ERR_INVALID, "no peer identity is expected");
	x->trust_domain = mem_strndup(trust_domain.ptr, trust_domain.len);
	return OK;
}

void
expected_fini(struct expected *x)
{
	for (size_t i = 0; i < x->count; i++)
		mem_free(&x->uris[i]);
	mem_free(&x->uris);
	mem_free(&x->trust_domain);
	x->count = 0;
}

static bool
uri_matches(struct slice wanted, struct slice uri)
{
	if (!slice_ends(wanted, any_account))
		return slice_eq(wanted, uri);
	/* uri is well formed, so what follows is one account. */
	return slice_starts(uri, slice_sub(wanted, 0, wanted.len - 1));
}

static bool
is_expected(const struct expected *x, struct slice uri)
{
	if (x->count == 0)
		return true;
	for (size_t i = 0; i < x->count; i++)
		if (uri_matches(slice_str(x->uris[i]), uri))
			return true;
	return false;
}

/* --- one certificate --- */

/* The first reason is the one that is told. */
static void refuse(struct verify *v, uint32_t *flags, uint32_t flag, enum err e,
    const char *fmt, ...) PRINTF_LIKE(5, 6);

static void
refuse(struct verify *v, uint32_t *flags, uint32_t flag, enum err e,
    const char *fmt, ...)
{
	char text[FAULT_TEXT_MAX];
	va_list args;

	*flags |= flag;
	if (v->why.code != OK)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	(void)fault_set(&v->why, e, "%s", text);
}

/* "3 h", "12 min": enough to see what is wrong with a clock. */
static void
span_text(int64_t ms, char out[32])
{
	int64_t s = ms / 1000;

	if (s < 120)
		snprintf(out, 32, "%" PRId64 " s", s);
	else if (s < 120 * 60)
		snprintf(out, 32, "%" PRId64 " min", s / 60);
	else if (s < 48 * 3600)
		snprintf(out, 32, "%" PRId64 " h", s / 3600);
	else
		snprintf(out, 32, "%" PRId64 " days", s / 86400);
}

static const char *
what(int depth)
{
	return depth == 0 ? "peer certificate" : "certificate of an issuer";
}

static void
check_time(
    struct verify *v, const mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	int64_t from = x509_time_ms(&crt->valid_from);
	int64_t to = x509_time_ms(&crt->valid_to);
	char span[32];

	*flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED |
			      MBEDTLS_X509_BADCERT_FUTURE);
	if (v->now_ms > to) {
		span_text(v->now_ms - to, span);
		refuse(v, flags, MBEDTLS_X509_BADCERT_EXPIRED, ERR_EXPIRED,
		    "%s expired %s ago; is a clock wrong?", what(depth), span);
	} else if (v->now_ms < from) {
		span_text(from - v->now_ms, span);
		/* The alert is that of an expired one: RFC 8446 §6.2. */
		refuse(v, flags, MBEDTLS_X509_BADCERT_EXPIRED, ERR_EXPIRED,
		    "%s is valid only in %s: is a clock wrong?", what(depth),
		    span);
	}
}

/* The top of a presented chain, when its key is all that we know. */
static void
check_pin(struct verify *v, const mbedtls_x509_crt *crt, uint32_t *flags)
{
	struct tls_pin pin;

	x509_pin(slice_of(crt->pk_raw.p, crt->pk_raw.len), &pin);
	if (!tls_pin_eq(&pin, v->root_pin) ||
	    crt->MBEDTLS_PRIVATE(ca_istrue) == 0) {
		refuse(v, flags, MBEDTLS_X509_BADCERT_NOT_TRUSTED, ERR_AUTH,
		    "the server's chain does not end in the root that the "
		    "token names: it is another mesh, or someone in between; "
		    "make a token where the mesh is, with: meshd token "
		    "create");
		return;
	}
	/* Known by its key; whom it signed, the library has checked. */
	*flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_NOT_TRUSTED;
	v->root = x509_chain_new();
	if (x509_append(v->root, slice_of(crt->raw.p, crt->raw.len), NULL) !=
	    OK)
		tls_chain_unref(&v->root);
}

static void
explain_flags(struct verify *v, int depth, uint32_t *flags)
{
	if (*flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		refuse(v, flags, 0, ERR_AUTH,
		    "peer certificate is signed by an unknown root");
	if (*flags &
	    (MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK |
		MBEDTLS_X509_BADCERT_BAD_KEY))
		refuse(v, flags, 0, ERR_AUTH,
		    "%s uses an algorithm that is not accepted", what(depth));
	if (*flags != 0)
		refuse(v, flags, 0, ERR_AUTH, "%s is not acceptable (0x%x)",
		    what(depth), *flags);
}

/* --- the leaf --- */

/* Extension ::= SEQUENCE { oid, critical BOOLEAN DEFAULT FALSE, value } */
static bool
extension_is_critical(const mbedtls_x509_crt *crt, struct slice oid)
{
	unsigned char *p = crt->v3_ext.p;
	const unsigned char *end = p + crt->v3_ext.len;
	size_t len;

	if (p == NULL ||
	    mbedtls_asn1_get_tag(&p, end, &len,
		MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0)
		return false;
	while (p < end) {
		const unsigned char *next;
		bool same;
		int critical = 0;

		if (mbedtls_asn1_get_tag(&p, end, &len,
			MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0)
			return false;
		next = p + len;
		if (mbedtls_asn1_get_tag(&p, next, &len, MBEDTLS_ASN1_OID) != 0)
			return false;
		same = slice_eq(slice_of(p, len), oid);
		p += len;
		if (same)
			return mbedtls_asn1_get_bool(&p, next, &critical) ==
				   0 &&
			       critical != 0;
		p += next - p;
	}
	return false;
}

/* SPIFFE X509-SVID §4: what a leaf may and must have. */
static void
check_usage(struct verify *v, const mbedtls_x509_crt *crt, uint32_t *flags)
{
	static const struct slice key_usage = {
	    MBEDTLS_OID_KEY_USAGE, MBEDTLS_OID_SIZE(MBEDTLS_OID_KEY_USAGE)};
	unsigned usage = crt->MBEDTLS_PRIVATE(key_usage);

	if (crt->MBEDTLS_PRIVATE(ca_istrue) != 0)
		refuse(v, flags, MBEDTLS_X509_BADCERT_KEY_USAGE, ERR_AUTH,
		    "peer certificate is that of an authority");
	if (!mbedtls_x509_crt_has_ext_type(crt, MBEDTLS_X509_EXT_KEY_USAGE) ||
	    !extension_is_critical(crt, key_usage) ||
	    (usage & MBEDTLS_X509_KU_DIGITAL_SIGNATURE) == 0 ||
	    (usage & (MBEDTLS_X509_KU_KEY_CERT_SIGN |
			 MBEDTLS_X509_KU_CRL_SIGN)) != 0)
		refuse(v, flags, MBEDTLS_X509_BADCERT_KEY_USAGE, ERR_AUTH,
		    "peer certificate has not the key usage of an identity");
	if (mbedtls_x509_crt_check_extended_key_usage(crt,
		MBEDTLS_OID_SERVER_AUTH,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0 ||
	    mbedtls_x509_crt_check_extended_key_usage(crt,
		MBEDTLS_OID_CLIENT_AUTH,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)) != 0)
		refuse(v, flags, MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, ERR_AUTH,
		    "peer certificate is not for both servers and clients");
}

static void
check_identity(
    struct verify *v, const struct tls_cert_info *info, uint32_t *flags)
{
	const uint32_t flag = MBEDTLS_X509_BADCERT_OTHER;
	const struct expected *x = v->expected;
	struct identity id;

	if (info->uri_count != 1)
		refuse(v, flags, flag, ERR_AUTH,
		    "peer certificate has %u identities instead of one",
		    info->uri_count);
	else if (name_identity_parse(slice_str(info->uri), &id, NULL) != OK)
		refuse(v, flags, flag, ERR_AUTH,
		    "identity %.200s is not of the shape "
		    "spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT",
		    info->uri);
	else if (!slice_eq(id.trust_domain, slice_str(x->trust_domain)))
		refuse(v, flags, flag, ERR_AUTH,
		    "identity %.200s is not of the trust domain %s", info->uri,
		    x->trust_domain);
	else if (!is_expected(x, slice_str(info->uri)))
		refuse(v, flags, flag, ERR_AUTH,
		    "identity %.200s is not among those expected (%.200s%s)",
		    info->uri, x->uris[0], x->count > 1 ? ", …" : "");
}

static void
check_leaf(struct verify *v, const mbedtls_x509_crt *crt, uint32_t *flags)
{
	struct tls_cert_info info;
	AUTO(tls_peer_free) struct tls_peer *peer = NULL;
	struct fault own = {0};

	check_usage(v, crt, flags);
	x509_inspect(crt, &info);
	check_identity(v, &info, flags);
	if ((v->flags | *flags) != 0)
		return;
	peer = peer_new(&info);
	if (v->check != NULL && v->check(v->check_arg, peer, &own) != OK) {
		refuse(v, flags, MBEDTLS_X509_BADCERT_REVOKED, ERR_AUTH, "%s",
		    own.text[0] != '\0' ? own.text : "the peer is not allowed");
		return;
	}
	v->good = true;
	v->peer = TAKE(peer);
}

int
verify_one(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct verify *v = arg;
	bool top = !v->began;

	v->began = true;
	*flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
	check_time(v, crt, depth, flags);
	if (top && v->root_pin != NULL)
		check_pin(v, crt, flags);
	explain_flags(v, depth, flags);
	if (depth == 0)
		check_leaf(v, crt, flags);
	v->flags |= *flags;
	if (depth == 0 && v->flags != 0 && v->must_stop)
		return MBEDTLS_ERR_X509_FATAL_ERROR;
	return 0;
}

enum err
verify_known(
    const struct verify *v, const struct tls_peer *p, struct fault *why)
{
	const struct expected *x = v->expected;

	if (v->now_ms > p->not_after_ms || v->now_ms < p->not_before_ms)
		return fault_set(why, ERR_EXPIRED,
		    "the certificate that %.200s once showed is not valid now",
		    p->uri);
	if (!slice_eq(p->identity.trust_domain, slice_str(x->trust_domain)) ||
	    !is_expected(x, slice_str(p->uri)))
		return fault_set(why, ERR_AUTH,
		    "identity %.200s is not one that is expected", p->uri);
	return v->check == NULL ? OK : v->check(v->check_arg, p, why);
}

void
verify_fini(struct verify *v)
{
	tls_peer_free(&v->peer);
	tls_chain_unref(&v->root);
}

/* --- a chain by itself --- */

static enum err
run(struct verify *v, const struct tls_chain *chain,
    const struct tls_chain *roots, struct fault *why)
{
	uint32_t flags = 0;
	int code = mbedtls_x509_crt_verify(x509_at(chain, 0), x509_at(roots, 0),
	    /* no revocation list */ NULL,
	    /* any name */ NULL, &flags, verify_one, v);

	if (code == 0 && v->good)
		return OK;
	if (v->why.code == OK)
		return x509_fault(why, ERR_AUTH, code, "the chain");
	return fault_set(why, v->why.code, "%s", v->why.text);
}

enum err
tls_chain_verify(const struct tls_chain *chain, const struct tls_trust *trust,
    int64_t now_ms, struct tls_peer **out, struct fault *why)
{
	AUTO(verify_fini) struct verify v = {.now_ms = now_ms};
	AUTO(expected_fini) struct expected x = {NULL, NULL, 0};
	const struct tls_chain *roots;
	struct tls_cert_info leaf;
	struct identity id;
	enum err e;

	tls_cert_inspect(chain, 0, &leaf);
	e = name_identity_parse(slice_str(leaf.uri), &id, why);
	if (e != OK)
		return ERR_AUTH;
	roots = tls_trust_roots(trust, id.trust_domain);
	if (roots == NULL)
		return fault_set(why, ERR_AUTH,
		    "the trust domain %.*s is not one that is trusted",
		    SLICE_ARG(id.trust_domain));
	e = expected_init(&x, NULL, 0, id.trust_domain, why);
	if (e != OK)
		return e;
	v.expected = &x;
	e = run(&v, chain, roots, why);
	if (e == OK && out != NULL)
		*out = TAKE(v.peer);
	return e;
}
