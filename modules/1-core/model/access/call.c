/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call — a question about access, read from its map.
 */
#include "call.h"

#define BEARER "Bearer "

/* --- members -------------------------------------------------------------- */

static enum err
read_addr(const struct value *v, struct addr *out, struct fault *why)
{
	if (addr_parse_ip(v->string, out) == OK)
		return OK;
	return fault_set(why, ERR_INVALID, "%.*s: \"%.*s\" is no address",
	    SLICE_ARG(v->key), SLICE_ARG(slice_sub(v->string, 0, 100)));
}

struct reading {
	struct slice trust_domain;
	struct arena *arena;
	struct access_call *out;
	struct fault *why;
};

static enum err
too_large(const struct reading *r)
{
	return fault_set(r->why, ERR_LIMIT, "the question is too large");
}

enum err
access_call_identity(struct slice from, struct slice trust_domain,
    struct arena *arena, struct slice *out)
{
	struct slice ns = from;
	struct identity id = {
	    .trust_domain = trust_domain, .account = slice_split(&ns, '.')};

	if (id.account.len == 0 || slice_eq(id.account, S("-")))
		return OK;
	if (slice_starts(from, S("spiffe://"))) {
		*out = from;
		return OK;
	}
	id.ns = ns.len > 0 ? ns : S("default");
	*out = name_identity_format(arena, &id);
	return out->ptr != NULL ? OK : ERR_LIMIT;
}

static enum err
read_from(struct reading *r, const struct value *v)
{
	enum err e = access_call_identity(
	    v->string, r->trust_domain, r->arena, &r->out->question.identity);

	return e == OK ? OK : too_large(r);
}

static enum err
read_to(struct reading *r, const struct value *v)
{
	r->out->to = v->string;
	return OK;
}

static enum err
read_port(struct reading *r, const struct value *v)
{
	if (v->integer < 0 || v->integer > UINT16_MAX)
		return fault_set(
		    r->why, ERR_INVALID, "port is outside of 0-65535");
	r->out->port = (uint16_t)v->integer;
	return OK;
}

static enum err
read_source(struct reading *r, const struct value *v)
{
	return read_addr(v, &r->out->question.source, r->why);
}

static enum err
read_remote(struct reading *r, const struct value *v)
{
	return read_addr(v, &r->out->question.remote, r->why);
}

static enum err
read_address(struct reading *r, const struct value *v)
{
	return read_addr(v, &r->out->question.destination, r->why);
}

static enum err
read_sni(struct reading *r, const struct value *v)
{
	r->out->question.sni = v->string;
	return OK;
}

static enum err
read_tcp(struct reading *r, const struct value *v)
{
	r->out->tcp = v->boolean;
	return OK;
}

static enum err
read_method(struct reading *r, const struct value *v)
{
	r->out->http.method = v->string;
	return OK;
}

static enum err
read_host(struct reading *r, const struct value *v)
{
	r->out->http.authority = v->string;
	return OK;
}

static enum err
read_path(struct reading *r, const struct value *v)
{
	r->out->http.path = v->string;
	return OK;
}

static enum err
read_labels(struct reading *r, const struct value *v)
{
	r->out->labels = v;
	return OK;
}

static enum err
read_headers(struct reading *r, const struct value *v)
{
	VALUE_EACH(v, it)
	{
		if (it->type != VALUE_STRING)
			return fault_set(r->why, ERR_INVALID,
			    "the header %.*s has to be a string",
			    SLICE_ARG(slice_sub(it->key, 0, 100)));
	}
	r->out->headers = v;
	return OK;
}

static enum err
read_metadata(struct reading *r, const struct value *v)
{
	r->out->question.metadata = v;
	return OK;
}

/* What has no text of its own gets one, which is recognised by its place. */
static enum err
read_jwt(struct reading *r, const struct value *v)
{
	struct slice token = S("claims");

	if (v->type == VALUE_MAP)
		r->out->claims = v;
	else if (v->type == VALUE_STRING)
		token = v->string;
	else
		return fault_set(r->why, ERR_INVALID,
		    "jwt has to be a token or a map of claims");
	r->out->bearer =
	    arena_printf(r->arena, BEARER "%.*s", SLICE_ARG(token));
	return r->out->bearer.ptr != NULL ? OK : too_large(r);
}

static const struct member {
	const char *key;
	enum value_type type; /* VALUE_NULL: the reader looks at it */
	enum err (*read)(struct reading *r, const struct value *v);
} members[] = {
    {"to", VALUE_STRING, read_to},
    {"port", VALUE_INT, read_port},
    {"labels", VALUE_MAP, read_labels},
    {"from", VALUE_STRING, read_from},
    {"sourceIp", VALUE_STRING, read_source},
    {"remoteIp", VALUE_STRING, read_remote},
    {"workloadIp", VALUE_STRING, read_address},
    {"sni", VALUE_STRING, read_sni},
    {"tcp", VALUE_BOOL, read_tcp},
    {"method", VALUE_STRING, read_method},
    {"host", VALUE_STRING, read_host},
    {"path", VALUE_STRING, read_path},
    {"headers", VALUE_MAP, read_headers},
    {"jwt", VALUE_NULL, read_jwt},
    {"metadata", VALUE_MAP, read_metadata},
};

static enum err
read_member(struct reading *r, const struct value *v)
{
	size_t i = 0;

	while (i < ARRAY_LEN(members) &&
	       !slice_eq(v->key, slice_str(members[i].key)))
		i++;
	if (i == ARRAY_LEN(members))
		return fault_set(r->why, ERR_INVALID,
		    "a question about access has no \"%.*s\"",
		    SLICE_ARG(slice_sub(v->key, 0, 100)));
	if (members[i].type != VALUE_NULL && members[i].type != v->type)
		return fault_set(r->why, ERR_INVALID,
		    "%s has to be a %s, not a %s", members[i].key,
		    value_type_name(members[i].type), value_type_name(v->type));
	return members[i].read(r, v);
}

/* --- the whole ------------------------------------------------------------ */

/* The first of a name, whatever its case. */
static bool
header_of(void *arg, struct slice name, struct slice *out)
{
	const struct access_call *c = arg;

	VALUE_EACH(c->headers, it)
	{
		if (slice_eq_nocase(it->key, name)) {
			*out = it->string;
			return true;
		}
	}
	if (c->bearer.len > 0 && slice_eq(name, S("authorization"))) {
		*out = c->bearer;
		return true;
	}
	*out = c->http.authority;
	return slice_eq(name, S("host")) && out->len > 0;
}

static void
put_defaults(struct access_call *c)
{
	struct slice host;

	c->http.header = header_of;
	c->http.arg = c;
	c->http.scheme = S("http");
	if (header_of(c, S("host"), &host))
		c->http.authority = host;
	else
		c->http.authority = c->to;
	if (c->http.method.len == 0)
		c->http.method = S("GET");
	if (c->http.path.len == 0)
		c->http.path = S("/");
}

enum err
access_call_read(const struct value *map, struct slice trust_domain,
    struct arena *arena, struct access_call *out, struct fault *why)
{
	struct reading r = {trust_domain, arena, out, why};

	*out = (struct access_call){.port = 0};
	if (map == NULL || map->type != VALUE_MAP)
		return fault_set(
		    why, ERR_INVALID, "a question has to be a map");
	VALUE_EACH(map, it)
	{
		enum err e = read_member(&r, it);

		if (e != OK)
			return e;
	}
	if (out->to.len == 0)
		return fault_set(why, ERR_INVALID,
		    "to is missing: the service that is called");
	put_defaults(out);
	return OK;
}

struct labels
access_call_labels(const struct value *map, struct arena *arena)
{
	size_t n = map != NULL && map->type == VALUE_MAP ? map->count : 0;
	struct label *items = arena_alloc_array(arena, n + 1, sizeof(*items));
	struct labels out = {items, 0};

	for (const struct value *it = n > 0 ? map->child : NULL;
	     items != NULL && it != NULL; it = it->next)
		if (it->type == VALUE_STRING)
			items[out.count++] =
			    (struct label){it->key, it->string};
	return out;
}
