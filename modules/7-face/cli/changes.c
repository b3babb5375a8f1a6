/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes — a command that changes configuration: asked, and what came of it.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "files/files.h"
#include "model/model.h"

#include "api.h"
#include "changes.h"
#include "findings.h"
#include "found.h"
#include "output.h"

#include <stdio.h>

enum {
	SHOWN_MAX = 160, /* of a value for people; the rest is cut */
	VALUE_BYTES = LIMIT_RESOURCE_BYTES * 2,
	PATH_BYTES = 4096 + 32 /* of what is asked, and how */
};

static struct slice
text_of(const struct value *v, struct slice key)
{
	return value_get_string(v, key, SLICE_NONE);
}

static void
print_key(const struct value *change, FILE *out)
{
	const struct resource_key key = {SLICE_NONE, text_of(change, S("kind")),
	    text_of(change, S("namespace")), text_of(change, S("name"))};
	char text[RESOURCE_KEY_MAX];

	(void)fputs(resource_key_format(&key, text), out);
}

/* --- differences ---------------------------------------------------------- */

/* In front of a character, not inside of one (UTF-8). */
static size_t
cut_at(struct slice s)
{
	size_t n = MIN(s.len, SHOWN_MAX);

	while (n < s.len && n > 0 && ((uint8_t)s.ptr[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void
print_value(const struct value *v)
{
	AUTO(buf_fini) struct buf text = BUF(VALUE_BYTES);
	struct slice s;
	size_t n;

	if (codec_json_emit(v, &text) != OK) {
		(void)fputs("…", stdout);
		return;
	}
	s = buf_slice(&text);
	n = cut_at(s);
	(void)printf("%.*s%s", (int)n, s.ptr, n < s.len ? "…" : "");
}

/* "spec.http[2]" moved there from index 0: "spec.http[0]". */
static void
print_moved(struct slice path, const struct value *from)
{
	size_t at = slice_rfind(path, '[');

	(void)printf("moved, was %.*s[%lld]", (int)MIN(at, path.len), path.ptr,
	    (long long)from->integer);
}

static void
print_difference(const struct value *change, const struct value *d)
{
	const struct value *before = value_get(d, S("before"));
	const struct value *after = value_get(d, S("after"));
	const struct value *from = value_get(d, S("movedFrom"));
	struct slice path = text_of(d, S("path"));

	print_key(change, stdout);
	(void)printf(" %.*s: ", SLICE_ARG(path));
	if (from != NULL && from->type == VALUE_INT)
		print_moved(path, from);
	else if (before == NULL)
		(void)fputs("added ", stdout);
	else if (after == NULL)
		(void)fputs("removed ", stdout);
	if (before != NULL)
		print_value(before);
	if (before != NULL && after != NULL)
		(void)fputs(" → ", stdout);
	if (after != NULL)
		print_value(after);
	(void)fputc('\n', stdout);
}

/* --- changes -------------------------------------------------------------- */

static bool
is(const struct value *change, struct slice outcome)
{
	return slice_eq(text_of(change, S("outcome")), outcome);
}

static void
print_outcome(const struct value *change, bool would)
{
	print_key(change, stdout);
	(void)printf(" %s%.*s\n", would ? "would be " : "",
	    SLICE_ARG(text_of(change, S("outcome"))));
}

static void
print_changes(const struct value *answer, enum changes_how how)
{
	VALUE_EACH(value_get(answer, S("changes")), it)
	{
		const struct value *list = value_get(it, S("differences"));
		/* The lines below say that it would be updated, and how. */
		bool quiet = how == CHANGES_DIFF &&
			     (is(it, S("unchanged")) ||
				 (list != NULL && list->count > 0));

		if (!quiet)
			print_outcome(it, how != CHANGES_DONE);
		VALUE_EACH(list, d)
		print_difference(it, d);
	}
}

static bool
changes_any(const struct value *answer)
{
	VALUE_EACH(value_get(answer, S("changes")), it)
	if (!is(it, S("unchanged")))
		return true;
	return false;
}

/* What is not a change of what is there would be refused, all of it. */
static int
refused(const struct value *answer)
{
	VALUE_EACH(value_get(answer, S("changes")), it)
	{
		struct slice why = text_of(it, S("conflict"));

		if (why.len > 0)
			return command_fail(
			    CLI_EXIT_INVALID, "%.*s", SLICE_ARG(why));
	}
	return CLI_EXIT_OK;
}

static bool
has_none(const struct value *answer)
{
	const struct value *changes = value_get(answer, S("changes"));

	return changes == NULL || changes->count == 0;
}

/* --- effects on calls ----------------------------------------------------- */

static bool
is_same_effect(const struct value *a, const struct value *b)
{
	return slice_eq(text_of(a, S("to")), text_of(b, S("to"))) &&
	       slice_eq(text_of(a, S("text")), text_of(b, S("text")));
}

static bool
was_told(const struct value *items, const struct value *effect)
{
	const struct value *it = items->child;

	while (it != effect && !is_same_effect(it, effect))
		it = it->next;
	return it != effect;
}

/* Services of one name have several places, with labels of their own. */
static bool
was_named(const struct value *from, const struct value *effect)
{
	for (const struct value *it = from; it != effect; it = it->next)
		if (is_same_effect(it, effect) &&
		    slice_eq(
			text_of(it, S("caller")), text_of(effect, S("caller"))))
			return true;
	return false;
}

static void
print_callers(const struct value *from, int64_t places)
{
	int64_t count = 0;
	const char *between = "";

	for (const struct value *it = from; it != NULL; it = it->next)
		count += is_same_effect(it, from);
	if (count == places && places > 1) {
		(void)fputs("everybody", stdout);
		return;
	}
	for (const struct value *it = from; it != NULL; it = it->next) {
		if (!is_same_effect(it, from) || was_named(from, it))
			continue;
		(void)printf(
		    "%s%.*s", between, SLICE_ARG(text_of(it, S("caller"))));
		between = ", ";
	}
}

/* "web.default → reviews.default:80: 10 % now go to v2", once for all callers
 * of whom it is so. */
static void
print_blast(const struct value *blast)
{
	const struct value *items = value_get(blast, S("items"));
	int64_t places = value_get_int(blast, S("places"), 0);
	int64_t left_out = value_get_int(blast, S("leftOut"), 0);

	if (items == NULL || items->count == 0)
		(void)printf("no call changes\n");
	VALUE_EACH(items, it)
	{
		if (was_told(items, it))
			continue;
		print_callers(it, places);
		(void)printf(" → %.*s: %.*s\n", SLICE_ARG(text_of(it, S("to"))),
		    SLICE_ARG(text_of(it, S("text"))));
	}
	if (left_out > 0)
		(void)printf("%lld more places were not looked at\n",
		    (long long)left_out);
}

/* --- asked ---------------------------------------------------------------- */

int
changes_how(const struct options *o, enum changes_how *out)
{
	bool dry = options_flag(o, "dry-run");

	if (options_flag(o, "blast") && !dry)
		return command_fail(
		    CLI_EXIT_USAGE, "--blast goes with --dry-run only");
	*out = options_flag(o, "blast") ? CHANGES_BLAST
	       : dry                    ? CHANGES_DRY
					: CHANGES_DONE;
	return CLI_EXIT_OK;
}

static enum err
add_how(struct buf *path, const char *to, enum changes_how how)
{
	enum err e = buf_add_slice(path, slice_str(to));

	if (e == OK)
		e = api_path_flag(
		    path, "dryRun", how == CHANGES_DRY || how == CHANGES_BLAST);
	if (e == OK)
		e = api_path_flag(path, "blast", how == CHANGES_BLAST);
	return e == OK ? buf_add_byte(path, 0) : e;
}

static int
print_answer(
    const struct options *o, const struct value *answer, enum changes_how how)
{
	struct fault why = {0};
	enum output output;

	/* It was looked at before. */
	if (output_parse(options_text(o, "output"), &output, &why) != OK ||
	    (output != OUTPUT_TABLE &&
		output_value(output, answer, &why) != OK))
		return cli_fault(&why);
	if (output == OUTPUT_TABLE && how != CHANGES_DIFF && has_none(answer))
		(void)printf("nothing changes\n");
	else if (output == OUTPUT_TABLE)
		print_changes(answer, how);
	if (output == OUTPUT_TABLE && how == CHANGES_BLAST)
		print_blast(value_get(answer, S("blast")));
	if (how == CHANGES_DRY || how == CHANGES_BLAST)
		return refused(answer);
	return how == CHANGES_DIFF && changes_any(answer) ? CHANGES_DIFFERENT
							  : CLI_EXIT_OK;
}

int
changes_ask(const struct options *o, const char *path, const struct body *body,
    const struct files *f, enum changes_how how)
{
	AUTO(api_answer_fini) struct api_answer a = {0};
	AUTO(buf_fini) struct buf all = BUF(PATH_BYTES);
	struct api_question q = {API_SERVER, "POST", NULL, body->map};
	struct fault why = {0};
	enum output output;
	int code;

	if (output_parse(options_text(o, "output"), &output, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "%s", why.text);
	if (body->map == NULL)
		return command_fail(
		    CLI_EXIT_FAILED, "the request is too large");
	if (add_how(&all, path, how) != OK)
		return command_fail(CLI_EXIT_USAGE, "words too long");
	q.path = buf_slice(&all).ptr;
	if (api_ask(o, &q, &a, &why) != OK)
		return cli_fault(&why);
	if (how != CHANGES_DIFF) {
		findings_print_others(a.body, f != NULL ? &f->found : NULL);
		found_tell(value_get(a.body, S("findings")), f,
		    slice_str(options_text(o, "namespace")));
	}
	code = api_refused(&a);
	return code != CLI_EXIT_OK ? code : print_answer(o, a.body, how);
}
