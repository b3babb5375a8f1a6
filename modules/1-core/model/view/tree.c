/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree — rows of a view as values, for admin and for explain.
 */
#include <stdarg.h>
#include <stdio.h>

#include "tree.h"

/* --- building ------------------------------------------------------------- */

struct value *
tree_map(struct tree *t)
{
	struct value *v = value_new(t->arena, VALUE_MAP);

	t->full = t->full || v == NULL;
	return v;
}

struct value *
tree_list(struct tree *t)
{
	struct value *v = value_new(t->arena, VALUE_LIST);

	t->full = t->full || v == NULL;
	return v;
}

void
tree_put_any(
    struct tree *t, struct value *map, const char *key, struct value *v)
{
	if (map == NULL || v == NULL || value_set(map, slice_str(key), v) != OK)
		t->full = true;
}

void
tree_put(struct tree *t, struct value *map, const char *key, struct value *v)
{
	if (map == NULL || v == NULL)
		return;
	if (v->count == 0 && (v->type == VALUE_MAP || v->type == VALUE_LIST))
		return;
	tree_put_any(t, map, key, v);
}

void
tree_put_text(
    struct tree *t, struct value *map, const char *key, struct slice text)
{
	struct value *v;

	if (text.len == 0)
		return;
	v = value_new_string(t->arena, text);
	t->full = t->full || v == NULL;
	tree_put(t, map, key, v);
}

void
tree_put_int(struct tree *t, struct value *map, const char *key, int64_t n)
{
	struct value *v = value_new_int(t->arena, n);

	t->full = t->full || v == NULL;
	tree_put(t, map, key, v);
}

void
tree_put_bool(struct tree *t, struct value *map, const char *key, bool b)
{
	struct value *v = value_new_bool(t->arena, b);

	t->full = t->full || v == NULL;
	tree_put(t, map, key, v);
}

void
tree_add(struct tree *t, struct value *list, struct value *v)
{
	if (list != NULL && value_append(list, v) != OK)
		t->full = true;
}

void
tree_add_text(struct tree *t, struct value *list, struct slice text)
{
	tree_add(t, list, value_new_string(t->arena, text));
}

struct slice
tree_printf(struct tree *t, const char *fmt, ...)
{
	char text[2048];
	struct slice out = S("");
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* may be cut */
	va_end(ap);
	if (arena_copy(t->arena, slice_str(text), &out) != OK)
		t->full = true;
	return out;
}

/* --- small texts ---------------------------------------------------------- */

struct slice
tree_origin(struct tree *t, const struct origin *o)
{
	char text[ORIGIN_TEXT_MAX];

	return tree_printf(t, "%s", origin_format(o, text));
}

struct slice
tree_addr(struct tree *t, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (a->family == ADDR_NONE)
		return S("");
	return tree_printf(t, "%s", addr_format(a, text));
}

/* "2.5s", "250ms", "50us" */
struct slice
tree_duration(struct tree *t, uint64_t us)
{
	enum { MS = 1000, SECOND = 1000000 };
	static const struct {
		uint64_t us;
		const char *name;
	} units[] = {{SECOND, "s"}, {MS, "ms"}, {1, "us"}};
	size_t i = 0;

	if (us == 0)
		return S("");
	while (us < units[i].us)
		i++;
	return tree_printf(
	    t, "%.12g%s", (double)us / (double)units[i].us, units[i].name);
}

struct value *
tree_labels(struct tree *t, const struct labels *l)
{
	struct value *map = tree_map(t);

	for (size_t i = 0; map != NULL && i < l->count; i++)
		if (value_set(map, l->items[i].key,
			value_new_string(t->arena, l->items[i].value)) ==
		    ERR_NO_MEMORY)
			t->full = true;
	return map;
}

struct slice
tree_condition(struct tree *t, const struct view_condition *c)
{
	static const char *const subjects[] = {
	    [VIEW_ON_PATH] = "path",
	    [VIEW_ON_METHOD] = "method",
	    [VIEW_ON_SCHEME] = "scheme",
	    [VIEW_ON_AUTHORITY] = "authority",
	    [VIEW_ON_HEADER] = "header ",
	    [VIEW_ON_PARAMETER] = "query parameter ",
	    [VIEW_ON_PORT] = "port",
	};
	static const char *const tests[][2] = {
	    [VIEW_EXACT] = {"is", "is not"},
	    [VIEW_PREFIX] = {"begins with", "does not begin with"},
	    [VIEW_REGEX] = {"matches", "does not match"},
	    [VIEW_PRESENT] = {"is there", "is not there"},
	};

	if (c->subject == VIEW_NEVER)
		return c->value;
	if (c->subject == VIEW_ON_PORT)
		return tree_printf(t, "port is %u", (unsigned)c->port);
	return tree_printf(t, "%s%.*s %s%s%.*s%s", subjects[c->subject],
	    SLICE_ARG(c->name), tests[c->test][c->negated],
	    c->test == VIEW_PRESENT ? "" : " ", SLICE_ARG(c->value),
	    c->any_case ? " in any case" : "");
}

struct slice
tree_joined(
    struct tree *t, struct slice text, const char *between, struct slice more)
{
	if (text.len == 0)
		return more;
	return tree_printf(
	    t, "%.*s%s%.*s", SLICE_ARG(text), between, SLICE_ARG(more));
}

struct slice
tree_asked(struct tree *t, const struct view_http_route *r)
{
	struct slice text = S("");

	for (size_t i = 0; i < r->match_count; i++) {
		const struct view_match *m = &r->matches[i];
		struct slice one = S("");

		for (size_t j = 0; j < m->count; j++)
			one = tree_joined(t, one, " and ",
			    tree_condition(t, &m->conditions[j]));
		text = tree_joined(t, text, ", or ", one);
	}
	return text;
}

const char *
tree_balancer(enum balancer b)
{
	if (b == BALANCER_ROUND_ROBIN)
		return "ROUND_ROBIN";
	return b == BALANCER_RANDOM ? "RANDOM" : "LEAST_REQUEST";
}

/* --- rows ----------------------------------------------------------------- */

struct value *
tree_destination(
    struct tree *t, const struct view_destination *d, uint32_t weight_total)
{
	struct value *map = tree_map(t);

	tree_put_text(t, map, "host", d->host);
	tree_put_text(t, map, "cluster", d->name);
	if (d->cluster == NULL && !d->passes)
		tree_put_text(t, map, "missing", d->missing);
	tree_put_int(t, map, "weight", d->weight);
	if (weight_total > 0)
		tree_put_text(t, map, "percent",
		    tree_printf(t, "%.4g",
			100.0 * (double)d->weight / (double)weight_total));
	tree_put(t, map, "requestHeaders", tree_headers(t, &d->request));
	tree_put(t, map, "responseHeaders", tree_headers(t, &d->response));
	return map;
}
