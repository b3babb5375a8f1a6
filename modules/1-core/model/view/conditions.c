/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conditions — what a request has, and whether a match takes it.
 */
#include "conditions.h"

struct slice
without_query(struct slice path)
{
	size_t n = 0;

	while (n < path.len && path.ptr[n] != '?' && path.ptr[n] != '#')
		n++;
	return slice_sub(path, 0, n);
}

bool
http_header_of(const struct http_attrs *a, struct slice name, struct slice *out)
{
	if (name.len == 0 || name.ptr[0] != ':')
		return a->header != NULL && a->header(a->arg, name, out);
	if (slice_eq(name, S(":method")))
		*out = a->method;
	else if (slice_eq(name, S(":scheme")))
		*out = a->scheme;
	else if (slice_eq(name, S(":authority")))
		*out = a->authority;
	else if (slice_eq(name, S(":path")))
		*out = a->path;
	else
		return false;
	return true;
}

/* Upstream looks at the first of a name, and decodes nothing. */
bool
view_query_parameter(struct slice path, struct slice name, struct slice *out)
{
	struct slice rest = path, query;

	(void)slice_split(&rest, '?'); /* the path alone */
	query = slice_split(&rest, '#');
	while (query.len > 0) {
		struct slice value = slice_split(&query, '&');

		if (slice_eq(slice_split(&value, '='), name)) {
			*out = value;
			return true;
		}
	}
	return false;
}

bool
condition_actual(const struct view_condition *c, const struct http_attrs *a,
    struct slice *out)
{
	switch (c->subject) {
	case VIEW_ON_PATH:
		*out = without_query(a->path);
		return true;
	case VIEW_ON_METHOD:
		*out = a->method;
		return true;
	case VIEW_ON_SCHEME:
		*out = a->scheme;
		return true;
	case VIEW_ON_AUTHORITY:
		*out = a->authority;
		return true;
	case VIEW_ON_HEADER:
		return http_header_of(a, c->name, out);
	case VIEW_ON_PARAMETER:
		return view_query_parameter(a->path, c->name, out);
	case VIEW_ON_PORT:
	case VIEW_NEVER:
		break;
	}
	return false;
}

static bool
passes(const struct view_condition *c, struct slice actual)
{
	struct slice start = slice_sub(actual, 0, c->value.len);

	switch (c->test) {
	case VIEW_EXACT:
		return c->any_case ? slice_eq_nocase(actual, c->value)
				   : slice_eq(actual, c->value);
	case VIEW_PREFIX:
		return c->any_case ? slice_eq_nocase(start, c->value)
				   : slice_eq(start, c->value);
	case VIEW_REGEX:
		return regex_match(c->regex, actual);
	case VIEW_PRESENT:
		break;
	}
	return true;
}

static bool
holds(const struct view_condition *c, const struct http_attrs *a,
    struct slice *actual, bool *has_actual)
{
	if (c->subject == VIEW_NEVER)
		return false;
	if (c->subject == VIEW_ON_PORT)
		return a->port == c->port;
	*has_actual = condition_actual(c, a, actual);
	if (*has_actual)
		return passes(c, *actual) != c->negated;
	return c->negated && (c->test == VIEW_PRESENT || !passes(c, S("")));
}

const struct view_condition *
first_failure(const struct view_match *m, const struct http_attrs *a,
    struct view_step *step)
{
	for (size_t i = 0; i < m->count; i++) {
		step->actual = SLICE_NONE;
		step->has_actual = false;
		if (!holds(
			&m->conditions[i], a, &step->actual, &step->has_actual))
			return &m->conditions[i];
	}
	return NULL;
}
