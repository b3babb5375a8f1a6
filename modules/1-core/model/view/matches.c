/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matches — what a request has to be so that a rule takes it.
 *
 * What depends on who calls is decided here, once; what depends on the
 * request becomes a condition. Cheap tests come first.
 */
#include <stdlib.h>

#include "inside.h"

/* Of all compiled expressions of one view. */
enum { REGEX_BYTES_MAX = 64 << 20 };

/* --- regular expressions -------------------------------------------------- */

void
regex_drop(void *value)
{
	struct regex *r = value;

	regex_unref(&r);
}

static struct regex *
regex_of_before(const struct builder *b, struct slice pattern)
{
	const struct view *before = b->in->before;
	const struct regex *r =
	    before != NULL ? map_get(&before->regexes, pattern) : NULL;

	return r != NULL ? regex_ref(r) : NULL;
}

/* Those of a patch are its own, beside what all have. */
static struct regex *
known_regex(const struct builder *b, struct slice pattern)
{
	struct regex *r = map_get(&b->v->regexes, pattern);

	return r != NULL || b->box == NULL ? r
					   : map_get(&b->box->regexes, pattern);
}

/* Of a patch, whatever was there before may be gone. */
static bool
is_over(struct builder *b, size_t bytes)
{
	b->v->regex_bytes += bytes;
	if (b->v->regex_bytes <= REGEX_BYTES_MAX)
		return false;
	b->v->regex_bytes -= bytes;
	b->more_follows = true;
	return true;
}

const struct regex *
find_regex(struct builder *b, struct slice pattern, struct slice *why)
{
	struct regex *r = known_regex(b, pattern);
	struct fault fault = {0};

	if (r != NULL)
		return r;
	r = regex_of_before(b, pattern);
	if (r == NULL && regex_compile(pattern, &r, &fault) != OK) {
		*why = take_printf(b, "%s", fault.text);
		return NULL;
	}
	if (is_over(b, regex_bytes(r))) {
		regex_unref(&r);
		*why = take_printf(b,
		    "the regular expressions here need more than %d bytes",
		    (int)REGEX_BYTES_MAX);
		return NULL;
	}
	(void)map_put(b->box != NULL ? &b->box->regexes : &b->v->regexes,
	    pattern, r); /* was not there */
	return r;
}

/* --- one condition -------------------------------------------------------- */

static bool
has(const struct string_match *m, const char *field)
{
	return message_has(&string_match_message, m, field);
}

/* "*" is no expression of RE2; upstream takes it for: it is there. */
static bool
is_presence(const struct string_match *m)
{
	return has(m, "regex") ? slice_eq(m->regex, S("*"))
			       : !has(m, "exact") && !has(m, "prefix");
}

static struct view_condition
never(struct slice why)
{
	return (struct view_condition){.subject = VIEW_NEVER, .value = why};
}

static struct view_condition
condition(
    struct builder *b, const struct string_match *m, enum view_subject subject)
{
	struct view_condition c = {.subject = subject, .test = VIEW_PRESENT};
	struct slice why = S("");

	if (is_presence(m))
		return c;
	if (has(m, "exact")) {
		c.test = VIEW_EXACT;
		c.value = m->exact;
	} else if (has(m, "prefix")) {
		c.test = VIEW_PREFIX;
		c.value = m->prefix;
	} else {
		c.test = VIEW_REGEX;
		c.value = m->regex;
		c.regex = find_regex(b, m->regex, &why);
	}
	return c.test == VIEW_REGEX && c.regex == NULL ? never(why) : c;
}

/* --- a match -------------------------------------------------------------- */

/* Names that upstream does not look at under `headers`. */
static bool
is_shadowed(struct slice name)
{
	return slice_eq(name, S("uri")) || slice_eq(name, S("scheme")) ||
	       slice_eq(name, S("method")) || slice_eq(name, S("authority"));
}

/* An expression says itself whether case counts (upstream: (?i)). */
static void
add_path(struct builder *b, const struct http_match *m, struct view_match *out,
    struct view_condition *c)
{
	if (m->uri == NULL)
		return;
	c[out->count] = condition(b, m->uri, VIEW_ON_PATH);
	c[out->count++].any_case = m->ignore_uri_case;
}

static void
add_headers(struct builder *b, const struct message_entry *entries,
    size_t count, bool negated, struct view_match *out,
    struct view_condition *c)
{
	for (size_t i = 0; i < count; i++) {
		const struct message_entry *e = &entries[i];

		if (is_shadowed(e->key))
			continue;
		c[out->count] = condition(b, e->message, VIEW_ON_HEADER);
		c[out->count].name = take_lower(b, e->key);
		c[out->count++].negated = negated;
	}
}

static void
add_parameters(struct builder *b, const struct http_match *m,
    struct view_match *out, struct view_condition *c)
{
	for (size_t i = 0; i < m->query_params.count; i++) {
		const struct message_entry *e = &m->query_params.items[i];

		c[out->count] = condition(b, e->message, VIEW_ON_PARAMETER);
		c[out->count++].name = e->key;
	}
}

/* What decides soonest, and costs least, stands first. */
static int
by_cost(const void *a, const void *b)
{
	static const int of_test[] = {[VIEW_EXACT] = 0,
	    [VIEW_PREFIX] = 1,
	    [VIEW_PRESENT] = 2,
	    [VIEW_REGEX] = 3};
	static const int of_subject[] = {[VIEW_NEVER] = 0,
	    [VIEW_ON_PORT] = 1,
	    [VIEW_ON_METHOD] = 2,
	    [VIEW_ON_PATH] = 3,
	    [VIEW_ON_AUTHORITY] = 4,
	    [VIEW_ON_SCHEME] = 5,
	    [VIEW_ON_HEADER] = 6,
	    [VIEW_ON_PARAMETER] = 7};
	const struct view_condition *x = a, *y = b;
	int n = (of_test[x->test] == 3) - (of_test[y->test] == 3);

	if (n == 0)
		n = of_subject[x->subject] - of_subject[y->subject];
	if (n == 0)
		n = of_test[x->test] - of_test[y->test];
	return n != 0 ? n : slice_cmp(x->name, y->name);
}

/* Upstream looks at who calls only where no gateway is named. */
static struct callers
callers_of(const struct http_match *m, const struct resource *owner)
{
	static const struct labels any = {NULL, 0};
	bool named = m->gateways.count > 0;

	return (struct callers){named ? &any : &m->source_labels,
	    named ? S("") : m->source_namespace, m->gateways.items,
	    m->gateways.count, owner->key.ns};
}

/* A gateway's port is the server's, not where the request came in. */
static void
add_port_test(struct builder *b, const struct http_match *m, uint16_t port,
    struct view_match *out, struct view_condition *c)
{
	if (m->port == 0)
		return;
	if (b->gateway.len == 0)
		c[out->count++] = (struct view_condition){
		    .subject = VIEW_ON_PORT, .port = (uint16_t)m->port};
	else if (m->port != port)
		c[out->count++] = never(
		    take_printf(b, "it is for port %u; the server's is %u",
			(unsigned)m->port, (unsigned)port));
}

static void
compile_match(struct builder *b, const struct http_match *m,
    const struct callers *callers, uint16_t port, struct view_match *out)
{
	enum { OWN_TESTS = 6 };
	const struct {
		const struct string_match *match;
		enum view_subject subject;
	} own[] = {{m->method, VIEW_ON_METHOD}, {m->scheme, VIEW_ON_SCHEME},
	    {m->authority, VIEW_ON_AUTHORITY}};
	struct slice why = why_not_callers(b, callers);
	struct view_condition *c = take(b,
	    OWN_TESTS + m->headers.count + m->without_headers.count +
		m->query_params.count,
	    sizeof(*c));

	if (c == NULL)
		return;
	out->name = m->name;
	out->line = m->head.line;
	out->conditions = c;
	if (why.len > 0)
		c[out->count++] = never(why);
	add_path(b, m, out, c);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (own[i].match != NULL)
			c[out->count++] =
			    condition(b, own[i].match, own[i].subject);
	add_port_test(b, m, port, out, c);
	add_headers(b, m->headers.items, m->headers.count,
	    /* negated */ false, out, c);
	add_headers(b, m->without_headers.items, m->without_headers.count,
	    /* negated */ true, out, c);
	add_parameters(b, m, out, c);
	if (out->count > 0)
		qsort(c, out->count, sizeof(*c), by_cost);
}

void
compile_matches(struct builder *b, const struct http_rule *rule, uint16_t port,
    struct view_http_route *out)
{
	const struct http_route *spec = rule->spec;
	struct view_match *items = take(b, spec->match.count, sizeof(*items));

	for (size_t i = 0; items != NULL && i < spec->match.count; i++) {
		const struct http_match *m = &spec->match.items[i];
		const struct callers callers = callers_of(m, rule->owner);

		compile_match(b, m, &callers, port, &items[i]);
		if (m->name.len > 0)
			items[i].logged = take_printf(b, "%.*s.%.*s",
			    SLICE_ARG(spec->name), SLICE_ARG(m->name));
	}
	out->matches = items;
	out->match_count = spec->match.count;
}

static bool
may_match(const struct builder *b, const struct http_match *m,
    const struct resource *owner, uint16_t port)
{
	const struct callers callers = callers_of(m, owner);

	return is_for_callers(b, &callers) &&
	       (m->port == 0 || port == 0 || m->port == port);
}

bool
has_http_rule(struct builder *b, const struct resource *r, uint16_t port)
{
	return has_rule_among(b, http_rules_of(b, r), port);
}

bool
has_rule_among(struct builder *b, const struct http_rules *rules, uint16_t port)
{
	for (size_t i = 0; i < rules->rows.count; i++) {
		const struct http_rule *rule = rules->rows.items[i];
		const struct http_route *spec = rule->spec;

		if (spec->match.count == 0)
			return true;
		for (size_t j = 0; j < spec->match.count; j++)
			if (may_match(
				b, &spec->match.items[j], rule->owner, port))
				return true;
	}
	return false;
}
