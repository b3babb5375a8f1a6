/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cors — which other origins a browser may call from.
 */
#include "actions.h"

static void
compile_origin(
    struct builder *b, const struct string_match *m, struct view_allowed *out)
{
	struct slice why;

	if (m->regex.len > 0) {
		out->test = VIEW_REGEX;
		out->value = m->regex;
		out->regex = find_regex(b, m->regex, &why); /* NULL: none */
	} else {
		out->test = m->prefix.len > 0 ? VIEW_PREFIX : VIEW_EXACT;
		out->value = m->prefix.len > 0 ? m->prefix : m->exact;
	}
}

/* The older form is asked only where there is no newer one. */
static void
compile_origins(
    struct builder *b, const struct cors_policy *spec, struct view_cors *out)
{
	size_t count = spec->allow_origins.count > 0 ? spec->allow_origins.count
						     : spec->allow_origin.count;
	struct view_allowed *items = take(b, count, sizeof(*items));

	if (items == NULL)
		return;
	for (size_t i = 0; i < spec->allow_origins.count; i++)
		compile_origin(b, &spec->allow_origins.items[i], &items[i]);
	for (size_t i = 0;
	     spec->allow_origins.count == 0 && i < spec->allow_origin.count;
	     i++)
		items[i] = (struct view_allowed){
		    .test = VIEW_EXACT, .value = spec->allow_origin.items[i]};
	out->origins = items;
	out->origin_count = count;
}

struct slice
take_joined(struct builder *b, const struct slice *items, size_t count)
{
	size_t len = 0, n = 0;
	char *text;

	for (size_t i = 0; i < count; i++)
		len += items[i].len + 1;
	text = take(b, len, 1);
	for (size_t i = 0; text != NULL && i < count; i++) {
		if (i > 0)
			text[n++] = ',';
		if (items[i].len > 0)
			memcpy(text + n, items[i].ptr, items[i].len);
		n += items[i].len;
	}
	return slice_of(text, n);
}

const struct view_cors *
compile_cors(struct builder *b, const struct cors_policy *spec)
{
	enum { SECOND_US = 1000000 };
	struct view_cors *c;

	if (spec == NULL)
		return NULL;
	c = take(b, 1, sizeof(*c));
	if (c == NULL)
		return NULL;
	compile_origins(b, spec, c);
	c->methods = take_joined(
	    b, spec->allow_methods.items, spec->allow_methods.count);
	c->headers = take_joined(
	    b, spec->allow_headers.items, spec->allow_headers.count);
	c->expose = take_joined(
	    b, spec->expose_headers.items, spec->expose_headers.count);
	if (message_has(&cors_policy_message, spec, "maxAge"))
		c->max_age = take_printf(
		    b, "%llu", (unsigned long long)(spec->max_age / SECOND_US));
	c->says_credentials =
	    message_has(&cors_policy_message, spec, "allowCredentials");
	c->credentials = spec->allow_credentials;
	c->forwards_unmatched = spec->unmatched_preflights != PREFLIGHT_IGNORE;
	return c;
}
