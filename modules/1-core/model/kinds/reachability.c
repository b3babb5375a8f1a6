/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reachability — rules and matches of a VirtualService that nothing reaches.
 *
 * Warnings, as upstream has them (its analyzers' IST0130 and IST0131): a rule
 * behind one without matches, a match that an earlier rule has already, a
 * prefix that begins with an earlier one's. Upstream's notion of "covers" is
 * kept with its oddities, so that both say the same of the same file.
 */
#include <stdio.h>

#include "http_fields.h"
#include "layout.h"

enum { MATCH_BYTES_MAX = 1 << 20 };

/* One rule of a list, whatever its kind is. */
struct rule {
	struct slice name; /* empty: it has none */
	const char *matches;
	size_t count;
};

/* The three lists of a VirtualService. */
struct rule_list {
	const char *name;
	const struct message *match;
	size_t count;
	struct rule (*at)(const struct virtual_service *vs, size_t i);
};

static struct rule
http_rule(const struct virtual_service *vs, size_t i)
{
	const struct http_route *r = &vs->http.items[i];

	return (struct rule){
	    r->name, (const char *)r->match.items, r->match.count};
}

static struct rule
tcp_rule(const struct virtual_service *vs, size_t i)
{
	const struct tcp_route *r = &vs->tcp.items[i];

	return (struct rule){
	    S(""), (const char *)r->match.items, r->match.count};
}

static struct rule
tls_rule(const struct virtual_service *vs, size_t i)
{
	const struct tls_route *r = &vs->tls.items[i];

	return (struct rule){
	    S(""), (const char *)r->match.items, r->match.count};
}

/* --- words ---------------------------------------------------------------- */

enum { NAME_TEXT_MAX = 96 };

/* "\"name\"", or "#2" without one. */
static const char *
called(struct slice name, size_t index, char out[NAME_TEXT_MAX])
{
	if (name.len > 0)
		(void)snprintf(out, NAME_TEXT_MAX, "\"%.*s\"",
		    SLICE_ARG(slice_sub(name, 0, 64))); /* fits */
	else
		(void)snprintf(out, NAME_TEXT_MAX, "#%zu", index); /* fits */
	return out;
}

static void
warn_unused(struct check *c, const struct rule_list *l, struct slice name,
    size_t index, const char *why)
{
	struct check at = check_member(c, "%s[%zu]", l->name, index);
	char rule[NAME_TEXT_MAX];

	check_warning_id(&at, "IST0130", "rule %s is not used (%s)",
	    called(name, index, rule), why);
}

static struct slice
match_name(const struct rule_list *l, const struct rule *r, size_t i)
{
	const void *match = r->matches + i * l->match->size;

	return l->match == &http_match_message
		   ? ((const struct http_match *)match)->name
		   : S("");
}

/* --- the same match twice ------------------------------------------------- */

static bool
is_zero(const struct value *v)
{
	return (v->type == VALUE_INT && v->integer == 0) ||
	       (v->type == VALUE_BOOL && !v->boolean);
}

/* A text of its own for each value; a zero is as good as nothing. */
static enum err
write_value(const struct value *v, struct buf *out)
{
	bool nested = v->type == VALUE_MAP || v->type == VALUE_LIST;
	enum err e = OK;

	if (v->type == VALUE_STRING)
		return buf_printf(
		    out, "%zu:%.*s", v->string.len, SLICE_ARG(v->string));
	if (!nested)
		return buf_printf(out, "%lld", (long long)v->integer);
	e = buf_add_byte(out, v->type == VALUE_MAP ? '{' : '[');
	VALUE_EACH(v, it)
	{
		if (e != OK || is_zero(it))
			continue;
		e = buf_printf(
		    out, "%zu:%.*s=", it->key.len, SLICE_ARG(it->key));
		if (e == OK)
			e = write_value(it, out);
	}
	return e == OK ? buf_add_byte(out, '}') : e;
}

/* The name says nothing, and neither does a map without members. */
static bool
is_said(const struct message *m, const struct value *member)
{
	const struct field *f = field_find(m, member->key);

	return !slice_eq(member->key, S("name")) &&
	       (f->type == FIELD_MESSAGE || member->type != VALUE_MAP ||
		   member->child != NULL);
}

/* What the match says; false without room. */
static bool
write_match(const struct message *m, const void *match, struct buf *out)
{
	AUTO(arena_fini) struct arena a;
	struct value *tree, **at;

	arena_init(&a, (size_t)MATCH_BYTES_MAX * 16);
	tree = message_encode(m, match, &a);
	buf_reset(out);
	if (tree == NULL)
		return false;
	for (at = &tree->child; *at != NULL;)
		if (is_said(m, *at))
			at = &(*at)->next;
		else
			*at = (*at)->next;
	return write_value(tree, out) == OK;
}

struct seen {
	struct map rules; /* text of a match → index of its rule, plus one */
	struct buf text;
};

/* The rule that had this match before, plus one; 0, and keeps it. */
static size_t
seen_before(
    struct seen *s, const struct rule_list *l, const void *match, size_t rule)
{
	size_t before;

	if (!write_match(l->match, match, &s->text))
		return 0;
	before = (size_t)(uintptr_t)map_get(&s->rules, buf_slice(&s->text));
	if (before == 0)
		(void)map_put(&s->rules, buf_slice(&s->text),
		    (void *)(uintptr_t)(rule + 1)); /* was not there */
	return before;
}

static void
check_matches(struct check *c, const struct virtual_service *vs,
    const struct rule_list *l, size_t index, struct seen *seen)
{
	struct rule r = l->at(vs, index);
	size_t twice = 0;

	for (size_t i = 0; i < r.count; i++) {
		size_t before =
		    seen_before(seen, l, r.matches + i * l->match->size, index);
		struct check at =
		    check_member(c, "%s[%zu].match[%zu]", l->name, index, i);
		char rule[NAME_TEXT_MAX], match[NAME_TEXT_MAX];
		char other[NAME_TEXT_MAX];

		if (before == 0)
			continue;
		twice++;
		check_warning_id(&at, "IST0131",
		    "rule %s match %s is not used (duplicate/overlapping "
		    "match in rule %s)",
		    called(r.name, index, rule),
		    called(match_name(l, &r, i), i, match),
		    called(l->at(vs, before - 1).name, before - 1, other));
	}
	if (twice == r.count)
		warn_unused(
		    c, l, r.name, index, "all matches used by prior rules");
}

/* How many rules may be reached at all: up to the first without matches. */
static size_t
check_list(struct check *c, const struct virtual_service *vs,
    const struct rule_list *l)
{
	struct seen seen = {.text = BUF(MATCH_BYTES_MAX)};
	size_t all = l->count;

	map_init(&seen.rules);
	for (size_t i = 0; i < l->count; i++) {
		struct rule r = l->at(vs, i);

		if (i > all)
			warn_unused(c, l, r.name, i,
			    r.count == 0
				? "only the last rule can have no matches"
				: "route without matches defined before");
		else if (r.count == 0)
			all = i;
		else
			check_matches(c, vs, l, i, &seen);
	}
	map_fini(&seen.rules, NULL);
	buf_fini(&seen.text);
	return all;
}

/* --- a prefix behind a shorter one ---------------------------------------- */

/* How upstream writes a test down to compare it: kind and text. */
struct test {
	char kind; /* 'e', 'p', or 0 for what is not looked at */
	struct slice text;
};

static struct test
test_of(const struct string_match *m, const char *otherwise)
{
	if (m != NULL && m->exact.len > 0)
		return (struct test){'e', m->exact};
	if (m != NULL && m->prefix.len > 0)
		return (struct test){'p', m->prefix};
	return (struct test){
	    otherwise != NULL ? 'e' : '\0', slice_str(otherwise)};
}

static bool
test_covers(struct test earlier, struct test later)
{
	return later.kind == '\0' ||
	       (earlier.kind == later.kind &&
		   slice_starts(earlier.text, later.text));
}

struct tests {
	const struct message_entry *items;
	size_t count;
};

static const struct string_match *
find_test(const struct tests *t, struct slice key)
{
	for (size_t i = 0; i < t->count; i++)
		if (slice_eq(t->items[i].key, key))
			return t->items[i].message;
	return NULL;
}

static bool
tests_cover(struct tests earlier, struct tests later)
{
	if (earlier.count != later.count)
		return false;
	for (size_t i = 0; i < earlier.count; i++) {
		const struct string_match *a = earlier.items[i].message;
		const struct string_match *b =
		    find_test(&later, earlier.items[i].key);

		if (b == NULL ||
		    !test_covers(test_of(a, NULL), test_of(b, NULL)))
			return false;
	}
	return true;
}

#define TESTS(list) ((struct tests){(list).items, (list).count})

static bool
match_covers(const struct http_match *a, const struct http_match *b)
{
	return !slice_eq(a->uri->prefix, b->uri->prefix) &&
	       slice_starts(b->uri->prefix, a->uri->prefix) &&
	       a->port == b->port &&
	       test_covers(
		   test_of(a->method, "GET"), test_of(b->method, "GET")) &&
	       test_covers(
		   test_of(a->authority, NULL), test_of(b->authority, NULL)) &&
	       tests_cover(TESTS(a->headers), TESTS(b->headers)) &&
	       tests_cover(TESTS(a->query_params), TESTS(b->query_params)) &&
	       tests_cover(
		   TESTS(a->without_headers), TESTS(b->without_headers));
}

/* A match with a prefix, and where it stands. */
struct prefix {
	const struct http_match *match;
	size_t rule;
	size_t index;
};

enum { PREFIXES_MAX = 2048 }; /* each is compared with each */

static size_t
collect_prefixes(const struct virtual_service *vs, size_t rules,
    struct prefix out[PREFIXES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < rules; i++)
		for (size_t j = 0; j < vs->http.items[i].match.count; j++) {
			const struct http_match *m =
			    &vs->http.items[i].match.items[j];

			if (m->uri != NULL && m->uri->prefix.len > 0 &&
			    n < PREFIXES_MAX)
				out[n++] = (struct prefix){m, i, j};
		}
	return n;
}

static void
warn_covered(struct check *c, const struct virtual_service *vs,
    const struct prefix *earlier, const struct prefix *later)
{
	char rule[NAME_TEXT_MAX], match[NAME_TEXT_MAX], other[NAME_TEXT_MAX];
	struct check at =
	    check_member(c, "http[%zu].match[%zu]", later->rule, later->index);

	check_warning_id(&at, "IST0131",
	    "rule %s match %s of prefix %.*s is not used "
	    "(duplicate/overlapping match in rule %s of prefix %.*s)",
	    called(vs->http.items[later->rule].name, later->rule, rule),
	    called(later->match->name, later->index, match),
	    SLICE_ARG(slice_sub(later->match->uri->prefix, 0, 64)),
	    called(vs->http.items[earlier->rule].name, earlier->rule, other),
	    SLICE_ARG(slice_sub(earlier->match->uri->prefix, 0, 64)));
}

static void
check_prefixes(struct check *c, const struct virtual_service *vs, size_t rules)
{
	struct prefix *all = mem_new_array(PREFIXES_MAX, sizeof(*all));
	size_t n = collect_prefixes(vs, rules, all);

	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			if (match_covers(all[i].match, all[j].match))
				warn_covered(c, vs, &all[i], &all[j]);
	mem_free(&all);
}

void
check_reachability(struct check *c, const struct virtual_service *vs)
{
	const struct rule_list http = {
	    "http", &http_match_message, vs->http.count, http_rule};
	const struct rule_list tcp = {
	    "tcp", &tcp_match_message, vs->tcp.count, tcp_rule};
	const struct rule_list tls = {
	    "tls", &tls_match_message, vs->tls.count, tls_rule};

	check_prefixes(c, vs, check_list(c, vs, &http));
	(void)check_list(c, vs, &tcp); /* no prefixes there */
	(void)check_list(c, vs, &tls);
}
