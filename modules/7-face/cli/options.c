/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options — flags, environment and meshd.conf read through one table.
 *
 * The first source that has a value keeps it: callers read flags, then the
 * environment, then the file.
 */
#include "base/base.h"
#include "codec/codec.h"

#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	FILE_BYTES_MAX = 1 << 20,
	ARENA_BYTES = 4 << 20,
	ENV_NAME_MAX = 80,
	HELP_COLUMN = 30,
	LEFT_MAX = 128
};

void
options_fini(struct options *o)
{
	arena_fini(&o->arena);
}

/* --- the table --- */

static size_t
row_of(const struct options *o, struct slice name)
{
	for (size_t i = 0; i < o->row_count; i++)
		if (slice_eq(slice_str(o->rows[i].name), name))
			return i;
	return o->row_count;
}

static size_t
row_of_letter(const struct options *o, char letter)
{
	for (size_t i = 0; i < o->row_count; i++)
		if (o->rows[i].letter == letter)
			return i;
	return o->row_count;
}

static size_t
known_row(const struct options *o, const char *name)
{
	size_t i = row_of(o, slice_str(name));

	CHECK(i < o->row_count);
	return i;
}

static enum err
unknown(const struct options *o, struct slice name, struct fault *why)
{
	char text[NEAREST_TEXT_MAX];
	struct nearest near;

	nearest_init(&near, name);
	for (size_t i = 0; i < o->row_count; i++)
		nearest_offer(&near, o->rows[i].name);
	return fault_set(why, ERR_INVALID, "there is no option --%.*s%s",
	    SLICE_ARG(name), nearest_text(&near, text));
}

static enum err
add_value(struct options *o, size_t row, const char *text, const char *from,
    struct fault *why)
{
	struct option_values *v = &o->values[row];

	if (o->rows[row].type != OPTION_LIST)
		v->count = 0;
	if (v->count == OPTION_VALUES_MAX)
		return fault_set(why, ERR_LIMIT,
		    "--%s was given more than %d times", o->rows[row].name,
		    OPTION_VALUES_MAX);
	v->text[v->count++] = text;
	v->from = from;
	return OK;
}

/* --- flags --- */

struct cursor {
	int argc;
	char **argv;
	int next;
};

static enum err
take_value(struct options *o, size_t row, const char *inline_value,
    struct cursor *c, struct fault *why)
{
	const struct option_row *r = &o->rows[row];

	if (r->type == OPTION_FLAG && inline_value != NULL)
		return fault_set(
		    why, ERR_INVALID, "--%s takes no value", r->name);
	if (r->type == OPTION_FLAG)
		return add_value(o, row, "true", "flag", why);
	if (inline_value != NULL)
		return add_value(o, row, inline_value, "flag", why);
	if (c->next == c->argc)
		return fault_set(why, ERR_INVALID, "--%s needs a value: %s",
		    r->name, r->value);
	return add_value(o, row, c->argv[c->next++], "flag", why);
}

static enum err
long_option(
    struct options *o, const char *text, struct cursor *c, struct fault *why)
{
	struct slice rest = slice_str(text);
	struct slice name = slice_split(&rest, '=');
	size_t row = row_of(o, name);

	if (row == o->row_count)
		return unknown(o, name, why);
	return take_value(
	    o, row, text[name.len] == '=' ? text + name.len + 1 : NULL, c, why);
}

static enum err
short_option(
    struct options *o, const char *text, struct cursor *c, struct fault *why)
{
	size_t row = row_of_letter(o, text[0]);

	if (row == o->row_count)
		return fault_set(why, ERR_INVALID,
		    "there is no option -%c; --help lists them", text[0]);
	return take_value(o, row, text[1] != 0 ? text + 1 : NULL, c, why);
}

static enum err
plain_word(struct options *o, const char *text, struct fault *why)
{
	if (o->arg_count == OPTION_ARGS_MAX && o->rest != NULL)
		return OK;
	if (o->arg_count == OPTION_ARGS_MAX)
		return fault_set(
		    why, ERR_LIMIT, "more than %d words", OPTION_ARGS_MAX);
	o->args[o->arg_count++] = text;
	return OK;
}

static enum err
one_word(struct options *o, struct cursor *c, bool *only_words, bool *out_help,
    struct fault *why)
{
	const char *text = c->argv[c->next++];

	if (*only_words || text[0] != '-' || text[1] == 0)
		return plain_word(o, text, why);
	if (strcmp(text, "--") == 0) {
		*only_words = true;
		o->rest = c->argv + c->next; /* whole, however much it is */
		return OK;
	}
	if (strcmp(text, "-h") == 0 || strcmp(text, "--help") == 0) {
		*out_help = true;
		return OK;
	}
	if (text[1] == '-')
		return long_option(o, text + 2, c, why);
	return short_option(o, text + 1, c, why);
}

enum err
options_parse(struct options *o, const struct option_row *rows,
    size_t row_count, int argc, char **argv, bool *out_help, struct fault *why)
{
	struct cursor c = {.argc = argc, .argv = argv};
	bool only_words = false;

	CHECK(row_count <= OPTIONS_MAX);
	*o = (struct options){.rows = rows, .row_count = row_count};
	arena_init(&o->arena, ARENA_BYTES);
	*out_help = false;
	while (c.next < c.argc) {
		enum err e = one_word(o, &c, &only_words, out_help, why);

		if (e != OK)
			return e;
	}
	return OK;
}

/* --- environment and file --- */

static enum err
not_a(const struct options *o, size_t row, const char *text, const char *from,
    const char *what, struct fault *why)
{
	if (strcmp(from, "flag") == 0)
		return fault_set(why, ERR_INVALID,
		    "--%s is \"%s\", but wants %s", o->rows[row].name, text,
		    what);
	return fault_set(why, ERR_INVALID, "%s (%s) is \"%s\", but wants %s",
	    o->rows[row].name, from, text, what);
}

static bool
is_one_of(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

static bool
is_yes(const char *text)
{
	static const char *const words[] = {"true", "yes", "on", "1"};

	return is_one_of(text, words, ARRAY_LEN(words));
}

static bool
is_no(const char *text)
{
	static const char *const words[] = {"false", "no", "off", "0"};

	return is_one_of(text, words, ARRAY_LEN(words));
}

/* A value from outside: a list there is one text with commas in it. */
static enum err
add_outside(struct options *o, size_t row, struct slice text, const char *from,
    struct fault *why)
{
	bool list = o->rows[row].type == OPTION_LIST;
	enum err e = OK;

	do {
		struct slice part = list ? slice_split(&text, ',') : text;
		struct slice copy;

		e = arena_copy(&o->arena, slice_trim(part), &copy);
		if (e == OK && o->rows[row].type == OPTION_FLAG &&
		    !is_yes(copy.ptr) && !is_no(copy.ptr))
			e = not_a(o, row, copy.ptr, from, "yes or no", why);
		if (e == OK)
			e = add_value(o, row, copy.ptr, from, why);
	} while (e == OK && list && text.len > 0);
	return e;
}

static void
env_name(const char *name, char out[ENV_NAME_MAX])
{
	size_t n = (size_t)snprintf(out, ENV_NAME_MAX, "MESHD_%s", name);

	CHECK(n < ENV_NAME_MAX);
	for (char *c = out; *c != 0; c++)
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

enum err
options_read_env(struct options *o, struct fault *why)
{
	for (size_t i = 0; i < o->row_count; i++) {
		char name[ENV_NAME_MAX];
		const char *text;
		enum err e;

		if (!o->rows[i].setting || o->values[i].count > 0)
			continue;
		env_name(o->rows[i].name, name);
		text = getenv(name);
		if (text == NULL || text[0] == 0)
			continue;
		e = add_outside(o, i, slice_str(text), "environment", why);
		if (e != OK)
			return e;
	}
	return OK;
}

static enum err
check_section(const struct option_section *section,
    const struct codec_ini_entry *entry, const char *path, struct fault *why)
{
	char text[NEAREST_TEXT_MAX];
	struct nearest near;

	nearest_init(&near, entry->section);
	for (const char *const *name = section->sections; *name != NULL;
	     name++) {
		if (slice_eq(slice_str(*name), entry->section))
			return OK;
		nearest_offer(&near, *name);
	}
	if (entry->section.len == 0)
		(void)fault_set(why, ERR_INVALID,
		    "\"%.*s\" stands before any section, such as [%s]",
		    SLICE_ARG(entry->key), section->name);
	else
		(void)fault_set(why, ERR_INVALID,
		    "there is no section [%.*s]%s; meshd.conf(5) lists them",
		    SLICE_ARG(entry->section), nearest_text(&near, text));
	fault_at(why, path, entry->line, 0);
	return ERR_INVALID;
}

/* Another command's setting of the same section is OK, and passed over. */
static enum err
check_setting(const struct option_section *section,
    const struct codec_ini_entry *entry, const char *path, struct fault *why)
{
	char text[NEAREST_TEXT_MAX];
	struct nearest near;

	nearest_init(&near, entry->key);
	for (size_t i = 0; i < section->count; i++) {
		if (slice_eq(slice_str(section->settings[i]), entry->key))
			return OK;
		nearest_offer(&near, section->settings[i]);
	}
	(void)fault_set(why, ERR_INVALID,
	    "[%s] has no setting \"%.*s\"%s; meshd.conf(5) lists them",
	    section->name, SLICE_ARG(entry->key), nearest_text(&near, text));
	fault_at(why, path, entry->line, 0);
	return ERR_INVALID;
}

static enum err
take_entry(struct options *o, const struct codec_ini_entry *entry,
    const struct option_section *section, const char *path, bool *filled,
    struct fault *why)
{
	size_t row = row_of(o, entry->key);
	struct slice from;

	if (row == o->row_count || !o->rows[row].setting)
		return check_setting(section, entry, path, why);
	if (o->values[row].count > 0 && !filled[row])
		return OK;
	filled[row] = true;
	from = arena_printf(&o->arena, "%s:%u", path, (unsigned)entry->line);
	return add_outside(
	    o, row, entry->value, from.len > 0 ? from.ptr : "meshd.conf", why);
}

static enum err
take_section(struct options *o, struct slice text, const char *path,
    const struct option_section *section, struct fault *why)
{
	AUTO(faults_fini) struct faults faults = {0};
	bool filled[OPTIONS_MAX] = {false};
	struct codec_ini ini;
	enum err e = codec_ini_parse(text, path, &o->arena, &ini, &faults);

	if (e != OK) {
		if (faults.count > 0 && why != NULL)
			*why = faults.items[0];
		return e;
	}
	for (size_t i = 0; i < ini.count && e == OK; i++) {
		const struct codec_ini_entry *entry = &ini.entries[i];

		e = check_section(section, entry, path, why);
		if (e == OK &&
		    slice_eq(entry->section, slice_str(section->name)))
			e = take_entry(o, entry, section, path, filled, why);
	}
	return e;
}

enum err
options_read_file(struct options *o, const char *path,
    const struct option_section *section, bool must_exist, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(FILE_BYTES_MAX);
	enum err e;

	if (!must_exist && access(path, F_OK) != 0 && errno == ENOENT)
		return OK;
	e = file_read(path, &text, why);
	if (e != OK)
		return e;
	return take_section(o, buf_slice(&text), path, section, why);
}

/* --- asking --- */

const char *
options_text(const struct options *o, const char *name)
{
	size_t row = known_row(o, name);

	if (o->values[row].count == 0)
		return o->rows[row].initial;
	return o->values[row].text[0];
}

bool
options_flag(const struct options *o, const char *name)
{
	const char *text = options_text(o, name);

	return text != NULL && is_yes(text);
}

const struct option_values *
options_list(const struct options *o, const char *name)
{
	return &o->values[known_row(o, name)];
}

static enum err
wrong(const struct options *o, size_t row, const char *text, const char *what,
    struct fault *why)
{
	const char *from = o->values[row].from;

	return not_a(o, row, text, from != NULL ? from : "default", what, why);
}

enum err
options_number(
    const struct options *o, const char *name, uint64_t *out, struct fault *why)
{
	size_t row = known_row(o, name);
	const char *text = options_text(o, name);

	CHECK(text != NULL);
	if (slice_to_u64(slice_str(text), out) != OK)
		return wrong(o, row, text, "a whole number", why);
	return OK;
}

enum err
options_duration_us(
    const struct options *o, const char *name, uint64_t *out, struct fault *why)
{
	size_t row = known_row(o, name);
	const char *text = options_text(o, name);

	CHECK(text != NULL);
	if (slice_to_duration_us(slice_str(text), out) != OK)
		return wrong(
		    o, row, text, "a duration such as 15m or 1h30m", why);
	return OK;
}

/* --- help --- */

enum err
options_help(const struct option_row *rows, size_t row_count, struct buf *out)
{
	for (size_t i = 0; i < row_count; i++) {
		char left[LEFT_MAX];
		const struct option_row *r = &rows[i];
		enum err e;

		(void)snprintf(left, sizeof(left), "  %c%c%s--%s%s%s",
		    r->letter ? '-' : ' ', r->letter ? r->letter : ' ',
		    r->letter ? ", " : "  ", r->name, r->value ? " " : "",
		    r->value ? r->value : "");
		e = buf_printf(out, "%-*s  %s%s%s%s\n", HELP_COLUMN, left,
		    r->help, r->initial ? " (" : "",
		    r->initial ? r->initial : "", r->initial ? ")" : "");
		if (e != OK)
			return e;
	}
	return OK;
}
