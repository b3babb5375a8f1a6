/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match — which flows somebody wants to see.
 */
#include "match.h"

#include <stdio.h>

enum { ARENA_BYTES = 64 << 10, KEY_MAX = 64 };

enum subject {
	BY_OPERATOR,
	BY_DIRECTION,
	BY_KIND,
	BY_DURATION, /* longer than `us` */
};

struct condition {
	enum subject subject;
	struct view_format_part part; /* BY_OPERATOR */
	bool negated;
	bool is_status; /* "x" is any digit */
	bool is_list;   /* of letters: one of them is enough */
	bool any_before;
	bool any_behind;
	struct slice value; /* without stars */
	uint64_t us;
};

struct telemetry_query {
	struct arena arena;
	struct slice service; /* its host; empty: any */
	struct condition conditions[TELEMETRY_CONDITIONS_MAX];
	size_t count;
};

static const struct key {
	const char *name;
	enum subject subject;
	enum operator_id id;
	const char *argument;
} keys[] = {
    {"method", BY_OPERATOR, OPERATOR_REQ, ":method"},
    {"path", BY_OPERATOR, OPERATOR_PATH, "WQ:ORIG_OR_PATH"},
    {"authority", BY_OPERATOR, OPERATOR_REQ, ":authority"},
    {"status", BY_OPERATOR, OPERATOR_CODE, ""},
    {"grpc", BY_OPERATOR, OPERATOR_GRPC_NUMBER, ""},
    {"flag", BY_OPERATOR, OPERATOR_FLAGS, ""},
    {"endpoint", BY_OPERATOR, OPERATOR_HOST, ""},
    {"route", BY_OPERATOR, OPERATOR_ROUTE, ""},
    {"cluster", BY_OPERATOR, OPERATOR_CLUSTER, ""},
    {"client", BY_OPERATOR, OPERATOR_REMOTE_IP, ""},
    {"id", BY_OPERATOR, OPERATOR_STREAM, ""},
    {"direction", BY_DIRECTION, OPERATOR_NONE, ""},
    {"kind", BY_KIND, OPERATOR_NONE, ""},
    {"duration", BY_DURATION, OPERATOR_NONE, ""},
};

/* --- reading -------------------------------------------------------------- */

static enum err
no_key(struct slice key, struct fault *why)
{
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;

	nearest_init(&near, key);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		nearest_offer(&near, keys[i].name);
	return fault_set(why, ERR_INVALID,
	    "there is no condition \"%.*s\"%s; there are method, path, "
	    "authority, status, grpc, flag, endpoint, route, cluster, client, "
	    "id, direction, kind, duration and header:NAME",
	    SLICE_ARG(slice_sub(key, 0, KEY_MAX)), nearest_text(&near, hint));
}

static bool
is_one_of(struct slice s, const char *a, const char *b, const char *c)
{
	return slice_eq(s, slice_str(a)) || slice_eq(s, slice_str(b)) ||
	       slice_eq(s, slice_str(c));
}

/* Three digits, or "x" in their place, maybe with a star instead of the last.
 */
static bool
is_status(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.ptr[i] < '0' || s.ptr[i] > '9') && s.ptr[i] != 'x')
			return false;
	return s.len <= 3;
}

static enum err
check_value(const struct key *k, const struct condition *c, struct fault *why)
{
	struct slice v = c->value;
	const char *name = k->name;

	if (k->subject == BY_DIRECTION && !is_one_of(v, "in", "out", "in"))
		return fault_set(why, ERR_INVALID,
		    "direction is in or out, not \"%.*s\"", SLICE_ARG(v));
	if (k->subject == BY_KIND && !is_one_of(v, "http", "tcp", "copy"))
		return fault_set(why, ERR_INVALID,
		    "kind is http, tcp or copy, not \"%.*s\"", SLICE_ARG(v));
	if (c->is_status && !is_status(v))
		return fault_set(why, ERR_INVALID,
		    "%s is a number such as 503 or 5xx, not \"%.*s\"", name,
		    SLICE_ARG(v));
	return OK;
}

static enum err
read_value(struct telemetry_query *m, const struct key *k, struct slice value,
    struct condition *c, struct fault *why)
{
	c->subject = k->subject;
	c->is_status = k->id == OPERATOR_CODE;
	c->is_list = k->id == OPERATOR_FLAGS;
	c->any_before = slice_starts(value, S("*"));
	if (c->any_before)
		value = slice_sub(value, 1, value.len);
	c->any_behind = slice_ends(value, S("*"));
	if (c->any_behind)
		value.len--;
	if (arena_copy(&m->arena, value, &c->value) != OK)
		return fault_set(why, ERR_LIMIT, "the conditions are too long");
	return check_value(k, c, why);
}

static enum err
read_duration(struct slice text, struct condition *c, struct fault *why)
{
	c->subject = BY_DURATION;
	if (slice_to_duration_us(text, &c->us) == OK)
		return OK;
	return fault_set(why, ERR_INVALID,
	    "duration is compared with a time, as in duration>100ms, and not "
	    "with \"%.*s\"",
	    SLICE_ARG(slice_sub(text, 0, KEY_MAX)));
}

static enum err
read_header(struct telemetry_query *m, struct slice name, struct condition *c,
    struct fault *why)
{
	struct slice kept = S("");
	char *p;

	if (name.len == 0)
		return fault_set(why, ERR_INVALID,
		    "header: needs a name, as in header:user-agent=curl*");
	if (arena_copy(&m->arena, name, &kept) != OK)
		return fault_set(why, ERR_LIMIT, "the conditions are too long");
	p = (char *)(uintptr_t)kept.ptr; /* ours */
	for (size_t i = 0; i < kept.len; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] + ('a' - 'A'));
	c->part =
	    (struct view_format_part){.id = OPERATOR_REQ, .argument = kept};
	return OK;
}

static const struct key *
find_key(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (slice_eq(name, slice_str(keys[i].name)))
			return &keys[i];
	return NULL;
}

/* A condition as it is written: "status!=5xx" is {"status", '=', "5xx"}. */
struct written {
	struct slice key;
	char sign;
	bool negated;
	struct slice value;
};

static enum err
cut(struct slice text, struct written *out, struct fault *why)
{
	size_t at = 0;

	while (at < text.len && text.ptr[at] != '=' && text.ptr[at] != '>')
		at++;
	if (at == text.len)
		return fault_set(why, ERR_INVALID,
		    "\"%.*s\" is no condition: one is KEY=VALUE, KEY!=VALUE or "
		    "duration>TIME",
		    SLICE_ARG(slice_sub(text, 0, KEY_MAX)));
	*out = (struct written){
	    .sign = text.ptr[at], .value = slice_sub(text, at + 1, text.len)};
	out->negated = at > 0 && out->sign == '=' && text.ptr[at - 1] == '!';
	out->key = slice_sub(text, 0, at - out->negated);
	return OK;
}

/* The row of the key, which says what is looked at. */
static enum err
read_key(struct telemetry_query *m, const struct written *w,
    struct condition *c, const struct key **out, struct fault *why)
{
	static const struct key header = {
	    "header", BY_OPERATOR, OPERATOR_REQ, ""};
	const struct slice prefix = S("header:");

	if (slice_starts(w->key, prefix)) {
		*out = &header;
		return read_header(
		    m, slice_sub(w->key, prefix.len, w->key.len), c, why);
	}
	*out = find_key(w->key);
	if (*out == NULL)
		return no_key(w->key, why);
	c->part = (struct view_format_part){
	    .id = (*out)->id, .argument = slice_str((*out)->argument)};
	return OK;
}

static enum err
read_condition(struct telemetry_query *m, struct slice text, struct fault *why)
{
	struct condition *c = &m->conditions[m->count];
	const struct key *k = NULL;
	struct written w;
	enum err e = cut(text, &w, why);

	if (e == OK)
		e = read_key(m, &w, c, &k, why);
	if (e != OK)
		return e;
	c->negated = w.negated;
	if ((w.sign == '>') != (k->subject == BY_DURATION))
		return fault_set(why, ERR_INVALID,
		    "\"%.*s\": only duration is compared by \">\", and by "
		    "nothing else",
		    SLICE_ARG(slice_sub(text, 0, KEY_MAX)));
	e = k->subject == BY_DURATION ? read_duration(w.value, c, why)
				      : read_value(m, k, w.value, c, why);
	m->count += e == OK;
	return e;
}

enum err
telemetry_query_new(struct slice service, const struct slice *conditions,
    size_t count, struct telemetry_query **out, struct fault *why)
{
	AUTO(telemetry_query_free)
	struct telemetry_query *m = mem_new(sizeof(*m));
	enum err e = OK;

	arena_init(&m->arena, ARENA_BYTES);
	if (count > TELEMETRY_CONDITIONS_MAX)
		return fault_set(why, ERR_LIMIT, "at most %d conditions",
		    TELEMETRY_CONDITIONS_MAX);
	if (arena_copy(&m->arena, service, &m->service) != OK)
		return fault_set(why, ERR_LIMIT, "the service is too long");
	for (size_t i = 0; e == OK && i < count; i++)
		e = read_condition(m, conditions[i], why);
	if (e == OK)
		*out = TAKE(m);
	return e;
}

void
telemetry_query_free(struct telemetry_query **mp)
{
	if (*mp == NULL)
		return;
	arena_fini(&(*mp)->arena);
	mem_free(mp);
}

/* --- asking --------------------------------------------------------------- */

static bool
is_like(const struct condition *c, struct slice s)
{
	struct slice v = c->value;

	if (s.len < v.len)
		return false;
	if (!c->any_before && !c->any_behind && s.len != v.len)
		return false;
	if (c->any_before && c->any_behind)
		return v.len == 0 || memmem(s.ptr, s.len, v.ptr, v.len) != NULL;
	if (c->any_before)
		return slice_ends(s, v);
	for (size_t i = 0; i < v.len; i++)
		if (s.ptr[i] != v.ptr[i] && !(c->is_status && v.ptr[i] == 'x'))
			return false;
	return true;
}

/* "DI,FI": one of them. */
static bool
has_like(const struct condition *c, struct slice list)
{
	do
		if (is_like(c, slice_split(&list, ',')))
			return true;
	while (list.len > 0);
	return false;
}

static bool
holds(const struct condition *c, const struct flow_record *r)
{
	struct format_value v;

	switch (c->subject) {
	case BY_DIRECTION:
		return is_like(
		    c, r->reporter == FLOW_SOURCE ? S("out") : S("in"));
	case BY_KIND:
		return is_like(c, slice_str(flow_kind_name(r->kind)));
	case BY_DURATION:
		return r->duration_us > c->us;
	default:
		format_value(&c->part, r, &v);
		return c->is_list ? has_like(c, v.text) : is_like(c, v.text);
	}
}

bool
match_holds(const struct telemetry_query *m, const struct flow_record *r)
{
	if (m->service.len > 0 && !slice_eq(m->service, r->destination.service))
		return false;
	for (size_t i = 0; i < m->count; i++)
		if (holds(&m->conditions[i], r) == m->conditions[i].negated)
			return false;
	return true;
}
