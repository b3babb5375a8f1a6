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

struct proxy_credentials *
proxy_credentials_new(const struct proxy_identity *identities, size_t count,
    size_t fallback, struct tls_trust *trust)
{
	struct proxy_credentials *c = mem_new(sizeof(*c));

	c->magic = CREDENTIALS_MAGIC;
	c->refs = 1;
	arena_init(&c->arena, ARENA_BYTES);
	c->entries = mem_new_array(MAX(count, 1), sizeof(*c->entries));
	c->count = count;
	c->fallback = fallback;
	c->trust = tls_trust_ref(trust);
	for (size_t i = 0; i < count; i++)
		fill(c, &c->entries[i], &identities[i]);
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
