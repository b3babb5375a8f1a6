/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authority — roots, intermediates and what they sign.
 */
#include <stdio.h>

#include "authority.h"

/* "meshd root mesh.internal", cut to what a common name may be. */
static struct slice
common_name(char room[TLS_NAME_MAX + 1], const char *kind, struct slice of)
{
	snprintf(room, TLS_NAME_MAX + 1, "%s %.*s", kind, SLICE_ARG(of));
	return slice_str(room);
}

/* SPIFFE X509-SVID §3.1: an authority's identity has no path. */
static struct slice
domain_uri(char room[NAME_SPIFFE_MAX + 1], struct slice trust_domain)
{
	snprintf(room, NAME_SPIFFE_MAX + 1, "spiffe://%.*s",
	    SLICE_ARG(trust_domain));
	return slice_str(room);
}

enum err
ca_root_make(struct slice trust_domain, const struct tls_key *key,
    const uint8_t serial[TLS_SERIAL_LEN], int64_t now_ms,
    struct tls_chain **out, struct fault *why)
{
	char cn[TLS_NAME_MAX + 1], uri[NAME_SPIFFE_MAX + 1];
	struct tls_issuer self = {NULL, key};
	struct tls_cert_spec spec = {
	    .common_name = common_name(cn, "meshd root", trust_domain),
	    .is_ca = true,
	    .path_len = TLS_NO_PATH_LEN,
	    .not_before_ms = now_ms - CA_BACKDATE_MS,
	    .not_after_ms = now_ms + CA_ROOT_MS,
	};
	enum err e = name_check_trust_domain(trust_domain, why);

	if (e != OK)
		return e;
	spec.uri = domain_uri(uri, trust_domain);
	memcpy(spec.serial, serial, TLS_SERIAL_LEN);
	return tls_cert_issue(&spec, tls_key_spki(key), &self, out, why);
}

/* --- a CA that was given --- */

static enum err
check_link(
    const struct tls_chain *chain, size_t i, int64_t now_ms, struct fault *why)
{
	struct tls_cert_info info;
	int below = (int)i + 1; /* authorities under this one, ours included */

	tls_cert_inspect(chain, i, &info);
	if (!info.is_ca)
		return fault_set(why, ERR_INVALID,
		    "%s is not a certificate authority", info.subject);
	if (now_ms < info.not_before_ms || now_ms >= info.not_after_ms)
		return fault_set(
		    why, ERR_EXPIRED, "%s is not valid now", info.subject);
	if (info.path_len != TLS_NO_PATH_LEN && info.path_len < below)
		return fault_set(why, ERR_INVALID,
		    "%s allows only %d authorities below it, the servers need "
		    "%d",
		    info.subject, info.path_len, below);
	return OK;
}

static enum err
check_ends(
    const struct tls_chain *chain, const struct tls_key *key, struct fault *why)
{
	struct tls_cert_info info;
	struct tls_pin pin;

	tls_cert_inspect(chain, 0, &info);
	tls_key_pin(key, &pin);
	if (!tls_pin_eq(&pin, &info.pin))
		return fault_set(why, ERR_INVALID, "the key is not that of %s",
		    info.subject);
	tls_cert_inspect(chain, tls_chain_count(chain) - 1, &info);
	if (strcmp(info.subject, info.issuer) != 0)
		return fault_set(why, ERR_INVALID,
		    "the last certificate, %s, is not a root: put the ones "
		    "above it behind it",
		    info.subject);
	return OK;
}

/* A leaf of a throw-away key shows that the chain holds together. */
static enum err
check_signatures(const struct tls_chain *chain, const struct tls_key *key,
    int64_t now_ms, struct fault *why)
{
	static const uint8_t serial[TLS_SERIAL_LEN] = {1};
	const struct slice domain = S("check.internal");
	struct tls_issuer root = {chain, key};
	AUTO(tls_key_unref) struct tls_key *probe = tls_key_new();
	AUTO(tls_chain_unref) struct tls_chain *upper = NULL;
	AUTO(tls_chain_unref) struct tls_chain *leaf = NULL;
	AUTO(tls_trust_unref) struct tls_trust *trust = NULL;
	AUTO(ca_unref) struct ca *ca = NULL;
	struct tls_root_set set = {.trust_domain = domain};
	struct ca_leaf_spec spec = {.kind = CA_LEAF_NODE,
	    .account = S("probe"),
	    .spki = tls_key_spki(probe),
	    .now_ms = now_ms};
	enum err e = ca_intermediate_make(
	    &root, domain, S("probe"), probe, serial, now_ms, &upper, why);

	if (e == OK)
		e = ca_new(
		    &(struct ca_spec){
			.trust_domain = domain, .chain = upper, .key = probe},
		    &ca, why);
	if (e == OK)
		e = ca_issue(ca, &spec, &leaf, why);
	if (e != OK)
		return e;
	set.roots = ca_root(ca);
	e = tls_trust_new(&set, 1, /* epoch */ 0, &trust, why);
	if (e != OK)
		return e;
	e = tls_chain_verify(leaf, trust, now_ms, NULL, why);
	return e == OK ? OK
		       : fault_prefix(why, e,
			     "the certificates do not sign each other: ");
}

enum err
ca_root_check(const struct tls_chain *chain, const struct tls_key *key,
    int64_t now_ms, struct fault *why)
{
	enum err e = check_ends(chain, key, why);

	for (size_t i = 0; e == OK && i < tls_chain_count(chain); i++)
		e = check_link(chain, i, now_ms, why);
	return e == OK ? check_signatures(chain, key, now_ms, why) : e;
}

enum err
ca_intermediate_make(const struct tls_issuer *root, struct slice trust_domain,
    struct slice server_name, const struct tls_key *server_key,
    const uint8_t serial[TLS_SERIAL_LEN], int64_t now_ms,
    struct tls_chain **out, struct fault *why)
{
	char cn[TLS_NAME_MAX + 1], uri[NAME_SPIFFE_MAX + 1];
	AUTO(tls_chain_unref) struct tls_chain *alone = NULL;
	struct tls_cert_spec spec = {
	    .common_name = common_name(cn, "meshd server", server_name),
	    .is_ca = true,
	    .path_len = 0,
	    .not_before_ms = now_ms - CA_BACKDATE_MS,
	    .not_after_ms = now_ms + CA_INTERMEDIATE_MS,
	};
	enum err e = name_check_trust_domain(trust_domain, why);

	if (e != OK)
		return e;
	spec.uri = domain_uri(uri, trust_domain);
	memcpy(spec.serial, serial, TLS_SERIAL_LEN);
	e = tls_cert_issue(&spec, tls_key_spki(server_key), root, &alone, why);
	return e == OK ? tls_chain_join(alone, root->chain, out) : e;
}

/* --- what signs --- */

static enum err
take_chain(struct ca *ca, struct tls_chain *chain, struct fault *why)
{
	size_t n = tls_chain_count(chain);
	struct tls_cert_info info;
	enum err e;

	if (n < 2)
		return fault_set(why, ERR_INVALID,
		    "an authority's chain has an intermediate and a root");
	ca->chain = tls_chain_ref(chain);
	e = tls_chain_part(chain, 0, n - 1, &ca->upper);
	if (e == OK)
		e = tls_chain_part(chain, n - 1, 1, &ca->root);
	if (e != OK)
		return e;
	ca->not_after_ms = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		tls_cert_inspect(chain, i, &info);
		ca->not_after_ms = MIN(ca->not_after_ms, info.not_after_ms);
	}
	ca->root_pin = info.pin;
	return OK;
}

static enum err
check_key(const struct ca *ca, struct fault *why)
{
	struct tls_cert_info info;
	struct tls_pin pin;

	tls_cert_inspect(ca->chain, 0, &info);
	tls_key_pin(ca->key, &pin);
	if (!info.is_ca || !tls_pin_eq(&info.pin, &pin))
		return fault_set(why, ERR_INVALID,
		    "the key is not that of the authority %s", info.subject);
	return OK;
}

enum err
ca_new(const struct ca_spec *spec, struct ca **out, struct fault *why)
{
	AUTO(ca_unref) struct ca *ca = mem_new(sizeof(*ca));
	enum err e = name_check_trust_domain(spec->trust_domain, why);

	atomic_init(&ca->refs, 1);
	if (e == OK)
		e = slice_to_cstr(spec->trust_domain, ca->trust_domain,
		    sizeof(ca->trust_domain));
	if (e == OK)
		e = take_chain(ca, spec->chain, why);
	if (e != OK)
		return e;
	ca->key = tls_key_ref(spec->key);
	if (spec->voucher_secret != NULL)
		memcpy(ca->voucher_secret, spec->voucher_secret,
		    sizeof(ca->voucher_secret));
	e = check_key(ca, why);
	if (e == OK)
		*out = TAKE(ca);
	return e;
}

void
ca_unref(struct ca **cp)
{
	struct ca *ca = TAKE(*cp);

	if (ca == NULL ||
	    atomic_fetch_sub_explicit(&ca->refs, 1, memory_order_acq_rel) > 1)
		return;
	tls_chain_unref(&ca->chain);
	tls_chain_unref(&ca->upper);
	tls_chain_unref(&ca->root);
	tls_key_unref(&ca->key);
	secret_wipe(ca->voucher_secret, sizeof(ca->voucher_secret));
	mem_free(&ca);
}

struct tls_chain *
ca_root(const struct ca *ca)
{
	return ca->root;
}

void
ca_root_pin(const struct ca *ca, struct tls_pin *out)
{
	*out = ca->root_pin;
}

struct slice
ca_trust_domain(const struct ca *ca)
{
	return slice_str(ca->trust_domain);
}

void
ca_voucher_key(const struct ca *ca, uint8_t out[CRYPTO_ED25519_PUBLIC_LEN])
{
	/* libsodium's secret key is the seed, then the public key. */
	memcpy(out,
	    ca->voucher_secret + CRYPTO_ED25519_SECRET_LEN -
		CRYPTO_ED25519_PUBLIC_LEN,
	    CRYPTO_ED25519_PUBLIC_LEN);
}

int64_t
ca_not_after_ms(const struct ca *ca)
{
	return ca->not_after_ms;
}

/* --- leaves --- */

static enum err
format_uri(struct slice trust_domain, struct slice ns, struct slice account,
    char out[NAME_SPIFFE_MAX + 1])
{
	struct identity parsed;
	int n =
	    snprintf(out, NAME_SPIFFE_MAX + 1, "spiffe://%.*s/ns/%.*s/sa/%.*s",
		SLICE_ARG(trust_domain), SLICE_ARG(ns), SLICE_ARG(account));

	if (n < 0 || n > NAME_SPIFFE_MAX)
		return ERR_LIMIT;
	return name_identity_parse(slice_str(out), &parsed, NULL);
}

enum err
ca_node_uri(
    struct slice trust_domain, struct slice name, char out[NAME_SPIFFE_MAX + 1])
{
	return format_uri(trust_domain, S(CA_NS_NODES), name, out);
}

static struct slice
namespace_of(const struct ca_leaf_spec *spec)
{
	switch (spec->kind) {
	case CA_LEAF_NODE:
		return S(CA_NS_NODES);
	case CA_LEAF_SERVER:
		return S(CA_NS_SERVERS);
	case CA_LEAF_WORKLOAD:
		break;
	}
	return spec->ns;
}

static int64_t
lifetime_of(const struct ca_leaf_spec *spec)
{
	if (spec->lifetime_ms != 0)
		return spec->lifetime_ms;
	return spec->kind == CA_LEAF_WORKLOAD ? CA_WORKLOAD_MS : CA_NODE_MS;
}

static struct slice
holder_of(const struct ca_leaf_spec *spec)
{
	return spec->node.len > 0 ? spec->node : spec->account;
}

static enum err
sign_leaf(const struct ca *ca, const struct ca_leaf_spec *spec,
    struct slice uri, struct tls_chain **out, struct fault *why)
{
	struct tls_issuer issuer = {ca->chain, ca->key};
	struct tls_cert_spec cert = {
	    .common_name = slice_sub(holder_of(spec), 0, TLS_NAME_MAX),
	    .uri = uri,
	    .dns_names = spec->dns_names,
	    .dns_count = spec->dns_count,
	    .ips = spec->ips,
	    .ip_count = spec->ip_count,
	    .path_len = TLS_NO_PATH_LEN,
	    .not_before_ms = spec->now_ms - CA_BACKDATE_MS,
	    .not_after_ms =
		MIN(spec->now_ms + lifetime_of(spec), ca->not_after_ms),
	};

	memcpy(cert.serial, spec->serial, TLS_SERIAL_LEN);
	return tls_cert_issue(&cert, spec->spki, &issuer, out, why);
}

enum err
ca_issue(const struct ca *ca, const struct ca_leaf_spec *spec,
    struct tls_chain **out, struct fault *why)
{
	char uri[NAME_SPIFFE_MAX + 1];
	AUTO(tls_chain_unref) struct tls_chain *leaf = NULL;
	enum err e;

	if (spec->now_ms >= ca->not_after_ms)
		return fault_set(why, ERR_EXPIRED,
		    "this server's own signing certificate has expired");
	if (format_uri(ca_trust_domain(ca), namespace_of(spec), spec->account,
		uri) != OK)
		return fault_set(why, ERR_INVALID,
		    "'%.*s' in '%.*s' makes no identity",
		    SLICE_ARG(spec->account), SLICE_ARG(namespace_of(spec)));
	e = sign_leaf(ca, spec, slice_str(uri), &leaf, why);
	if (e != OK)
		return e;
	return tls_chain_join(
	    leaf, spec->with_root ? ca->chain : ca->upper, out);
}

int64_t
ca_renew_at_ms(const struct tls_cert_info *leaf, struct rng *rng)
{
	int64_t issued = leaf->not_before_ms + CA_BACKDATE_MS;
	int64_t life = MAX(leaf->not_after_ms - issued, INT64_C(0));
	int64_t earliest = life / 5;

	/* Between a fifth and 35 %, so that nodes do not come all at once. */
	return issued + earliest +
	       (int64_t)rng_below(rng, (uint64_t)(life * 15 / 100 + 1));
}

/* --- vouchers --- */

enum err
ca_voucher_make(const struct ca *ca, const struct ca_voucher_spec *spec,
    uint8_t out[GOSSIP_VOUCHER_MAX], size_t *out_len, struct fault *why)
{
	struct gossip_voucher v = {
	    .name = spec->node_name,
	    .network = spec->network,
	    .namespaces = slice_str(spec->grant->namespaces),
	    .accounts = slice_str(spec->grant->accounts),
	    .issued_s = (uint32_t)(spec->issued_ms / 1000),
	    .expires_s = (uint32_t)(spec->expires_ms / 1000),
	};

	memcpy(v.public_key, spec->gossip_key, sizeof(v.public_key));
	return gossip_voucher_sign(&v, ca->voucher_secret, out, out_len, why);
}
