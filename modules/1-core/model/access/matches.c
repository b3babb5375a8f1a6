/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matches — whether a rule takes a call. Neither allocates nor locks.
 */
#include "parts.h"

#define SPIFFE "spiffe://"

/* --- what the call has ---------------------------------------------------- */

static struct slice
trust_domain_of(struct slice identity)
{
	struct slice rest = slice_sub(identity, strlen(SPIFFE), identity.len);

	return slice_sub(rest, 0, slice_find(rest, '/'));
}

static const struct addr *
addr_of(const struct access_question *q, enum access_subject s)
{
	if (s == ACCESS_ON_ADDRESS)
		return &q->destination;
	if (s == ACCESS_ON_REMOTE && q->remote.family != ADDR_NONE)
		return &q->remote;
	return &q->source;
}

/* The text that is asked about; false: there is none. */
static bool
actual_of(const struct access_condition *c, const struct access_question *q,
    struct slice *out)
{
	switch (c->subject) {
	case ACCESS_ON_PRINCIPAL:
	case ACCESS_ON_NAMESPACE:
	case ACCESS_ON_ACCOUNT:
		*out = q->identity;
		return q->identity.len > 0;
	case ACCESS_ON_TRUST_DOMAIN:
		*out = trust_domain_of(q->identity);
		return slice_starts(q->identity, S(SPIFFE));
	case ACCESS_ON_SNI:
		*out = q->sni;
		return true;
	case ACCESS_ON_HOST:
		*out = q->http->authority;
		return true;
	case ACCESS_ON_METHOD:
		*out = q->http->method;
		return true;
	case ACCESS_ON_PATH:
		*out = without_query(q->http->path);
		return true;
	case ACCESS_ON_HEADER:
		return http_header_of(q->http, c->path[0], out);
	default:
		return false;
	}
}

/* --- identities ----------------------------------------------------------- */

/* Behind the next such part of a path; nothing if there is none. */
static struct slice
behind(struct slice s, struct slice part)
{
	const char *at = memmem(s.ptr, s.len, part.ptr, part.len);

	if (at == NULL)
		return S("");
	at += part.len;
	return slice_of(at, (size_t)(s.ptr + s.len - at));
}

/* "sa/ACCOUNT" at the end of it or before a "/", as a segment of its own. */
static bool
has_account(struct slice rest, struct slice account)
{
	for (size_t i = 0; i + 3 <= rest.len; i++) {
		struct slice s = slice_sub(rest, i, rest.len);

		if ((i > 0 && rest.ptr[i - 1] != '/') || i == 1 ||
		    !slice_starts(s, S("sa/")))
			continue;
		s = slice_sub(s, 3, s.len);
		if (slice_starts(s, account) &&
		    (s.len == account.len ||
			(s.ptr[account.len] == '/' && s.len > account.len + 1)))
			return true;
	}
	return false;
}

/* "spiffe://TD/ns/NAMESPACE/…sa/ACCOUNT…", as upstream's pattern has it. */
static bool
is_account(const struct access_value *v, struct slice identity)
{
	struct slice rest = slice_sub(identity, strlen(SPIFFE), identity.len);

	if (!slice_starts(identity, S(SPIFFE)) || rest.len == 0)
		return false;
	rest = slice_sub(rest, 1, rest.len); /* a trust domain is something */
	while ((rest = behind(rest, S("/ns/"))).len > 0) {
		struct slice ns = slice_sub(rest, 0, v->also.text.len);
		struct slice sa = slice_sub(rest, ns.len, rest.len);

		if (slice_eq(ns, v->also.text) && sa.len > 0 &&
		    sa.ptr[0] == '/' &&
		    has_account(slice_sub(sa, 1, sa.len), v->text.text))
			return true;
		rest = slice_of(rest.ptr - 1, rest.len + 1); /* "/ns/ns/" */
	}
	return false;
}

static bool
is_principal(const struct access_value *v, struct slice identity)
{
	if (v->text.test == ACCESS_ANY)
		return identity.len > 0;
	return slice_starts(identity, S(SPIFFE)) &&
	       text_holds(&v->text,
		   slice_sub(identity, strlen(SPIFFE), identity.len), false);
}

/* --- claims and metadata -------------------------------------------------- */

struct slice
claim_text(const struct access_question *q, struct slice name)
{
	return value_get_string(q->claims.tree, name, S(""));
}

static bool
is_spaced(const struct access_claims *c, struct slice name)
{
	return slice_eq(name, S("scope")) || slice_eq(name, S("permission")) ||
	       slice_is_among(name, c->spaced, c->spaced_count);
}

static bool
word_holds(const struct access_text *t, struct slice words)
{
	while (words.len > 0) {
		struct slice word = slice_split(&words, ' ');

		if (word.len > 0 && text_holds(t, word, false))
			return true;
	}
	return false;
}

/* A text, or a text among the items of a list. */
static bool
value_holds(const struct access_text *t, const struct value *v)
{
	if (v != NULL && v->type == VALUE_STRING)
		return text_holds(t, v->string, false);
	if (v == NULL || v->type != VALUE_LIST)
		return false;
	VALUE_EACH(v, it)
	{
		if (it->type == VALUE_STRING &&
		    text_holds(t, it->string, false))
			return true;
	}
	return false;
}

static const struct value *
along(const struct value *v, const struct access_condition *c)
{
	for (size_t i = 0; i < c->path_count; i++)
		v = value_get(v, c->path[i]);
	return v;
}

static bool
claim_holds(const struct access_condition *c, const struct access_value *v,
    const struct access_claims *claims)
{
	const struct value *claim = along(claims->tree, c);

	if (c->path_count == 1 && claim != NULL &&
	    claim->type == VALUE_STRING && is_spaced(claims, c->path[0]))
		return word_holds(&v->text, claim->string);
	return value_holds(&v->text, claim);
}

static bool
token_holds(const struct access_value *v, const struct access_question *q)
{
	const struct value *iss = value_get(q->claims.tree, S("iss"));
	const struct value *sub = value_get(q->claims.tree, S("sub"));

	return iss != NULL && iss->type == VALUE_STRING && sub != NULL &&
	       sub->type == VALUE_STRING &&
	       text_holds(&v->text, iss->string, false) &&
	       text_holds(&v->also, sub->string, false);
}

static bool
metadata_holds(const struct access_condition *c, const struct access_value *v,
    const struct value *metadata)
{
	const struct value *known = along(metadata, c);

	return known != NULL && (known->type == VALUE_LIST) == v->in_list &&
	       value_holds(&v->text, known);
}

/* --- conditions ----------------------------------------------------------- */

static bool
is_text(const struct access_condition *c, const struct access_value *v,
    const struct access_question *q)
{
	struct slice actual;

	if (!actual_of(c, q, &actual))
		return false;
	switch (c->subject) {
	case ACCESS_ON_PRINCIPAL:
		return is_principal(v, actual);
	case ACCESS_ON_ACCOUNT:
		return is_account(v, actual);
	case ACCESS_ON_HOST:
		/* As of headers: it is enough to be there. */
		return v->text.test == ACCESS_ANY ||
		       text_holds(&v->text, actual, /* fold */ true);
	case ACCESS_ON_TRUST_DOMAIN:
	case ACCESS_ON_METHOD:
	case ACCESS_ON_HEADER:
		return v->text.test == ACCESS_ANY ||
		       text_holds(&v->text, actual, /* fold */ false);
	default:
		return text_holds(&v->text, actual, /* fold */ false);
	}
}

static bool
is_value(const struct access_condition *c, const struct access_value *v,
    const struct access_question *q)
{
	switch (c->subject) {
	case ACCESS_ON_SOURCE:
	case ACCESS_ON_REMOTE:
	case ACCESS_ON_ADDRESS:
		return cidr_contains(&v->range, addr_of(q, c->subject));
	case ACCESS_ON_PORT:
		return v->port == q->destination.port;
	case ACCESS_ON_TOKEN:
		return token_holds(v, q);
	case ACCESS_ON_CLAIM:
		return claim_holds(c, v, &q->claims);
	case ACCESS_ON_METADATA:
		return metadata_holds(c, v, q->metadata);
	default:
		return is_text(c, v, q);
	}
}

/* What is about requests is left out where there is none. */
static bool
holds(const struct access_condition *c, const struct access_question *q)
{
	if (q->http == NULL && access_subject_is_http(c->subject))
		return true;
	for (size_t i = 0; i < c->count; i++)
		if (is_value(c, &c->values[i], q))
			return !c->negated;
	return c->negated;
}

/* NULL: all hold. */
static const struct access_condition *
first_failure(const struct access_all *all, const struct access_question *q)
{
	for (size_t i = 0; i < all->count; i++)
		if (!holds(&all->conditions[i], q))
			return &all->conditions[i];
	return NULL;
}

/* NULL: one of them holds, or there is none. Else why the first does not. */
static const struct access_condition *
none_holds(
    const struct access_all *any, size_t count, const struct access_question *q)
{
	const struct access_condition *first = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct access_condition *c = first_failure(&any[i], q);

		if (c == NULL)
			return NULL;
		if (first == NULL)
			first = c;
	}
	return first;
}

/* --- rules ---------------------------------------------------------------- */

/* What there is in place of what was asked for, for people. */
static void
put_actual(const struct access_question *q, struct access_step *why,
    char text[ADDR_TEXT_MAX])
{
	const struct access_condition *c = why->failed;
	const struct value *v = NULL;

	if (c->subject == ACCESS_ON_SOURCE || c->subject == ACCESS_ON_REMOTE ||
	    c->subject == ACCESS_ON_ADDRESS || c->subject == ACCESS_ON_PORT) {
		const struct addr *a =
		    addr_of(q, c->subject == ACCESS_ON_PORT ? ACCESS_ON_ADDRESS
							    : c->subject);

		why->has_actual = a->family != ADDR_NONE || a->port != 0;
		why->actual = slice_str(c->subject == ACCESS_ON_PORT
					    ? addr_format(a, text)
					    : addr_format_ip(a, text));
		return;
	}
	if (c->subject == ACCESS_ON_TOKEN)
		v = value_get(q->claims.tree, S("sub"));
	else if (c->subject == ACCESS_ON_CLAIM)
		v = along(q->claims.tree, c);
	else if (c->subject == ACCESS_ON_METADATA)
		v = along(q->metadata, c);
	else
		why->has_actual = actual_of(c, q, &why->actual);
	if (v != NULL && v->type == VALUE_STRING) {
		why->has_actual = true;
		why->actual = v->string;
	}
}

bool
rule_takes(const struct access_rule *r, const struct access_question *q,
    struct access_step *why, char text[ADDR_TEXT_MAX])
{
	const struct access_condition *c = NULL;
	size_t others = 0;

	if (r->never.len > 0)
		return false;
	c = none_holds(r->from, r->from_count, q);
	if (c != NULL) {
		others = r->from_count - 1;
	} else {
		c = none_holds(r->to, r->to_count, q);
		others = c != NULL ? r->to_count - 1 : 0;
	}
	if (c == NULL)
		c = first_failure(&r->when, q);
	if (c != NULL && why != NULL) {
		why->failed = c;
		why->others = others;
		put_actual(q, why, text);
	}
	return c == NULL;
}
