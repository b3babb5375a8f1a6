/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials — the identities of this machine, as workers look them up.
 */
#include "worker.h"

enum { CREDENTIALS_MAGIC = 0x63726564, SNI_MAX = 255, ARENA_BYTES = 1 << 20 };

struct entry {
	struct slice uri;
	struct slice sni;
	struct tls_identity *identity;
};

struct proxy_credentials {
	uint32_t magic;
	_Atomic uint32_t refs;
	struct arena arena;
	struct entry *entries;
	size_t count;
	size_t fallback;
	struct tls_trust *trust;
	struct ca_revocation *revocations;
	size_t revocation_count;
};

struct slice
proxy_sni_of(struct arena *a, const struct identity *id)
{
	struct slice s =
	    arena_printf(a, "%.*s.%.*s.sa.%.*s", SLICE_ARG(id->account),
		SLICE_ARG(id->ns), SLICE_ARG(id->trust_domain));

	return s.len > SNI_MAX ? SLICE_NONE : s;
}

static void
fill(struct proxy_credentials *c, struct entry *e,
    const struct proxy_identity *from)
{
	struct identity id;

	/* What does not fit into the arena just finds nothing by SNI. */
	if (arena_copy(&c->arena, from->uri, &e->uri) != OK)
		e->uri = SLICE_NONE;
	if (name_identity_parse(e->uri, &id, NULL) == OK)
		e->sni = proxy_sni_of(&c->arena, &id);
	e->identity = tls_identity_ref(from->identity);
}

/* Each copy has a home of its own: none of them may be lost to a bound. */
static void
copy_revocations(
    struct proxy_credentials *c, const struct proxy_credentials_spec *spec)
{
	c->revocation_count = spec->revocation_count;
	c->revocations =
	    mem_new_array(MAX(c->revocation_count, 1), sizeof(*c->revocations));
	for (size_t i = 0; i < c->revocation_count; i++) {
		const struct ca_revocation *from = &spec->revocations[i];

		c->revocations[i].since_ms = from->since_ms;
		c->revocations[i].identity = slice_str(
		    mem_strndup(from->identity.ptr, from->identity.len));
	}
}

static void
free_revocations(struct proxy_credentials *c)
{
	for (size_t i = 0; i < c->revocation_count; i++) {
		char *text = (char *)(uintptr_t)c->revocations[i].identity.ptr;

		mem_free(&text);
	}
	mem_free(&c->revocations);
}

struct proxy_credentials *
proxy_credentials_new(const struct proxy_credentials_spec *spec)
{
	struct proxy_credentials *c = mem_new(sizeof(*c));

	c->magic = CREDENTIALS_MAGIC;
	c->refs = 1;
	arena_init(&c->arena, ARENA_BYTES);
	c->entries = mem_new_array(MAX(spec->count, 1), sizeof(*c->entries));
	c->count = spec->count;
	c->fallback = spec->fallback;
	c->trust = tls_trust_ref(spec->trust);
	for (size_t i = 0; i < spec->count; i++)
		fill(c, &c->entries[i], &spec->identities[i]);
	copy_revocations(c, spec);
	return c;
}

struct proxy_credentials *
proxy_credentials_ref(struct proxy_credentials *c)
{
	if (c != NULL)
		c->refs++;
	return c;
}

void
proxy_credentials_unref(struct proxy_credentials **cp)
{
	struct proxy_credentials *c = *cp;

	*cp = NULL;
	if (c == NULL || --c->refs > 0)
		return;
	for (size_t i = 0; i < c->count; i++)
		tls_identity_unref(&c->entries[i].identity);
	tls_trust_unref(&c->trust);
	mem_free(&c->entries);
	free_revocations(c);
	arena_fini(&c->arena);
	mem_free(&c);
}

static struct tls_identity *
fallback_of(const struct proxy_credentials *c)
{
	return c->fallback < c->count ? c->entries[c->fallback].identity : NULL;
}

struct tls_identity *
credentials_find(const struct proxy_credentials *c, struct slice uri)
{
	if (c == NULL)
		return NULL;
	if (uri.len == 0)
		return fallback_of(c);
	for (size_t i = 0; i < c->count; i++)
		if (slice_eq(c->entries[i].uri, uri))
			return c->entries[i].identity;
	return NULL;
}

struct tls_identity *
credentials_find_sni(const struct proxy_credentials *c, struct slice sni)
{
	if (c == NULL)
		return NULL;
	for (size_t i = 0; sni.len > 0 && i < c->count; i++)
		if (slice_eq_nocase(c->entries[i].sni, sni))
			return c->entries[i].identity;
	return fallback_of(c);
}

struct tls_trust *
credentials_trust(const struct proxy_credentials *c)
{
	return c == NULL ? NULL : c->trust;
}

bool
credentials_revoke(
    const struct proxy_credentials *c, const struct tls_peer *peer)
{
	return c != NULL &&
	       ca_peer_is_revoked(c->revocations, c->revocation_count, peer);
}

enum err
credentials_check(void *arg, const struct tls_peer *peer, struct fault *why)
{
	const struct worker *w = arg;

	if (!credentials_revoke(w->credentials, peer))
		return OK;
	return fault_set(why, ERR_DENIED,
	    "%.200s, held by node %s, was revoked", peer->uri,
	    peer->common_name);
}
