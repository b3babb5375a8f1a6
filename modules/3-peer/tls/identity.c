/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity — a key with its chain; and whom to trust, by trust domain.
 */
#include "trust.h"

enum err
tls_identity_new(struct tls_chain *chain, struct tls_key *key,
    struct tls_identity **out, struct fault *why)
{
	struct tls_identity *id;
	struct tls_cert_info info;
	struct tls_pin pin;

	tls_cert_inspect(chain, 0, &info);
	tls_key_pin(key, &pin);
	if (!tls_pin_eq(&info.pin, &pin))
		return fault_set(why, ERR_INVALID,
		    "the certificate %s is for another key", info.subject);
	id = mem_new(sizeof(*id));
	atomic_init(&id->refs, 1);
	id->chain = tls_chain_ref(chain);
	id->key = tls_key_ref(key);
	id->info = info;
	*out = id;
	return OK;
}

struct tls_identity *
tls_identity_ref(struct tls_identity *id)
{
	atomic_fetch_add_explicit(&id->refs, 1, memory_order_relaxed);
	return id;
}

void
tls_identity_unref(struct tls_identity **ip)
{
	struct tls_identity *id = TAKE(*ip);

	if (id == NULL ||
	    atomic_fetch_sub_explicit(&id->refs, 1, memory_order_acq_rel) > 1)
		return;
	tls_chain_unref(&id->chain);
	tls_key_unref(&id->key);
	mem_free(&id);
}

const struct tls_cert_info *
tls_identity_info(const struct tls_identity *id)
{
	return &id->info;
}

struct tls_chain *
tls_identity_chain(const struct tls_identity *id)
{
	return id->chain;
}

struct tls_key *
tls_identity_key(const struct tls_identity *id)
{
	return id->key;
}

/* --- trust --- */

static void
trust_fini(struct tls_trust *t)
{
	for (size_t i = 0; i < t->count; i++) {
		mem_free(&t->domains[i].name);
		tls_chain_unref(&t->domains[i].roots);
	}
	mem_free(&t->domains);
	mem_free(&t);
}

struct tls_trust *
tls_trust_ref(struct tls_trust *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
tls_trust_unref(struct tls_trust **tp)
{
	struct tls_trust *t = TAKE(*tp);

	if (t != NULL &&
	    atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
		trust_fini(t);
}

static enum err
check_set(const struct tls_trust *so_far, const struct tls_root_set *set,
    struct fault *why)
{
	enum err e = name_check_trust_domain(set->trust_domain, why);

	if (e != OK)
		return e;
	if (tls_trust_roots(so_far, set->trust_domain) != NULL)
		return fault_set(why, ERR_EXISTS,
		    "the trust domain %.*s is there twice",
		    SLICE_ARG(set->trust_domain));
	for (size_t i = 0; i < set->roots->count; i++) {
		struct tls_cert_info info;

		tls_cert_inspect(set->roots, i, &info);
		if (!info.is_ca)
			return fault_set(why, ERR_INVALID,
			    "%s is not a certificate authority", info.subject);
	}
	return OK;
}

enum err
tls_trust_new(const struct tls_root_set *sets, size_t count, uint64_t epoch,
    struct tls_trust **out, struct fault *why)
{
	AUTO(tls_trust_unref) struct tls_trust *t = NULL;

	if (count > TLS_TRUST_DOMAINS_MAX)
		return fault_set(why, ERR_LIMIT,
		    "there are more than %d trust domains",
		    TLS_TRUST_DOMAINS_MAX);
	t = mem_new(sizeof(*t));
	atomic_init(&t->refs, 1);
	t->epoch = epoch;
	t->domains = mem_new_array(MAX(count, (size_t)1), sizeof(*t->domains));
	for (size_t i = 0; i < count; i++) {
		struct slice name = sets[i].trust_domain;
		enum err e = check_set(t, &sets[i], why);

		if (e != OK)
			return e;
		t->domains[i].name = mem_strndup(name.ptr, name.len);
		t->domains[i].roots = tls_chain_ref(sets[i].roots);
		t->count++;
	}
	*out = TAKE(t);
	return OK;
}

uint64_t
tls_trust_epoch(const struct tls_trust *t)
{
	return t->epoch;
}

struct tls_chain *
tls_trust_roots(const struct tls_trust *t, struct slice trust_domain)
{
	for (size_t i = 0; i < t->count; i++)
		if (slice_eq(slice_str(t->domains[i].name), trust_domain))
			return t->domains[i].roots;
	return NULL;
}
