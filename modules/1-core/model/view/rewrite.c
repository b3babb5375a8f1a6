/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite — the path that a route makes of a request's, and where a redirect
 * leads. As Envoy does both.
 */
#include <stdio.h>

#include "conditions.h"

enum { REWRITTEN_MAX = 64 << 10 };

/* --- the part that matched ------------------------------------------------ */

/* Bytes of the path that the match's test of it covers. */
static size_t
matched_bytes(const struct view_match *m, struct slice path)
{
	for (size_t i = 0; m != NULL && i < m->count; i++) {
		const struct view_condition *c = &m->conditions[i];

		if (c->subject != VIEW_ON_PATH || c->test == VIEW_PRESENT)
			continue;
		return c->test == VIEW_PREFIX ? c->value.len
					      : without_query(path).len;
	}
	/* Without a test it is the prefix "/". */
	return slice_starts(path, S("/"));
}

static enum err
join(struct arena *arena, struct slice start, struct slice rest,
    struct slice *out)
{
	struct slice joined;

	if (rest.len == 0) {
		*out = start;
		return OK;
	}
	joined =
	    arena_printf(arena, "%.*s%.*s", SLICE_ARG(start), SLICE_ARG(rest));
	if (joined.ptr == NULL)
		return ERR_NO_MEMORY;
	*out = joined;
	return OK;
}

static enum err
replace_matched(const struct view_match *m, struct slice with,
    struct slice path, struct arena *arena, struct slice *out)
{
	size_t cut = matched_bytes(m, path);

	return join(arena, with, slice_sub(path, cut, path.len), out);
}

/* All of the path but the query, every place that the expression finds. */
static enum err
replace_found(const struct view_http_route *r, struct slice path,
    struct arena *arena, struct slice *out)
{
	AUTO(buf_fini) struct buf text = BUF(REWRITTEN_MAX);
	struct slice plain = without_query(path);
	enum err e = regex_replace(r->rewrite_regex, plain, r->new_uri, &text);

	if (e == OK)
		e = buf_add_slice(&text, slice_sub(path, plain.len, path.len));
	return e == OK ? arena_copy(arena, buf_slice(&text), out) : e;
}

enum err
view_rewrite_path(const struct view_http_choice *choice, struct slice path,
    struct arena *arena, struct slice *out)
{
	const struct view_http_route *r = choice->route;
	struct slice made;
	enum err e;

	if (!r->rewrite_uri) {
		*out = path;
		return OK;
	}
	e = r->rewrite_regex != NULL ? replace_found(r, path, arena, &made)
				     : replace_matched(choice->match,
					   r->new_uri, path, arena, &made);
	if (e != OK)
		return e;
	/* An empty path is "/" (RFC 9110 §4.2.3). */
	if (made.len == 0 || made.ptr[0] == '?')
		return join(arena, S("/"), made, out);
	*out = made;
	return OK;
}

/* --- redirects ------------------------------------------------------------ */

/* "shop.com:80" goes without its port where another one or scheme is said. */
static struct slice
host_to_keep(const struct http_attrs *a, struct slice scheme, bool new_port)
{
	struct slice host = a->authority;
	size_t colon = slice_rfind(host, ':');
	struct slice port = slice_sub(host, colon, host.len);
	bool usual;

	if (colon == host.len ||
	    (slice_starts(host, S("[")) &&
		!slice_ends(slice_sub(host, 0, colon), S("]"))))
		return host;
	usual =
	    !slice_eq(scheme, a->scheme) &&
	    ((slice_eq(a->scheme, S("https")) && slice_eq(port, S(":443"))) ||
		(slice_eq(a->scheme, S("http")) && slice_eq(port, S(":80"))));
	return new_port || usual ? slice_sub(host, 0, colon) : host;
}

/* A query of the redirect's own stands instead of the request's. */
static enum err
path_to_go(const struct view_http_choice *choice, struct slice path,
    struct arena *arena, struct slice *out)
{
	const struct view_redirect *r = choice->route->redirect;
	size_t query = slice_find(path, '?');
	struct slice kept = slice_sub(path, query, path.len);

	if (r->prefix.len > 0)
		return replace_matched(
		    choice->match, r->prefix, path, arena, out);
	if (r->path.len == 0)
		*out = path;
	else if (slice_find(r->path, '?') < r->path.len)
		*out = r->path;
	else
		return join(arena, r->path, kept, out);
	return OK;
}

enum err
view_redirect_location(const struct view_http_choice *choice,
    const struct http_attrs *attrs, struct arena *arena, struct slice *out)
{
	const struct view_redirect *r = choice->route->redirect;
	struct slice scheme = r->scheme.len > 0 ? r->scheme : attrs->scheme;
	struct slice host = r->host.len > 0
				? r->host
				: host_to_keep(attrs, scheme, r->port != 0);
	char port[8] = "";
	struct slice path, location;
	enum err e = path_to_go(choice, attrs->path, arena, &path);

	if (e != OK)
		return e;
	if (r->port != 0)
		(void)snprintf(port, sizeof(port), ":%u", (unsigned)r->port);
	location = arena_printf(arena, "%.*s://%.*s%s%.*s", SLICE_ARG(scheme),
	    SLICE_ARG(host), port, SLICE_ARG(path));
	if (location.ptr == NULL)
		return ERR_NO_MEMORY;
	*out = location;
	return OK;
}
