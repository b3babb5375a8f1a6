/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ini — meshd.conf's text to entries, through inih.
 *
 * inih goes on after a mistake but says only where the first one is. So the
 * text is read again with the wrong line taken out, until none is left.
 */
#include <ini.h>
#include <stdlib.h>

#include "codec.h"

enum { MISTAKES_MAX = 50 };

struct collector {
	struct arena *arena;
	struct codec_ini_entry *items; /* heap, grows */
	size_t count;
	bool full;
};

static bool
copy_text(struct collector *c, const char *from, struct slice *out)
{
	if (arena_copy(c->arena, slice_str(from), out) == OK)
		return true;
	c->full = true;
	return false;
}

/* inih's way to say "go on" is 1. */
static int
on_entry(void *arg, const char *section, const char *name, const char *value,
    int line)
{
	struct collector *c = arg;
	struct codec_ini_entry e = {.line = (uint32_t)line};

	if (!copy_text(c, section, &e.section) || !copy_text(c, name, &e.key) ||
	    !copy_text(c, value, &e.value))
		return 1;
	if ((c->count & (c->count - 1)) == 0)
		c->items = mem_resize(c->items, c->count,
		    c->count ? c->count * 2 : 1, sizeof(*c->items));
	c->items[c->count++] = e;
	return 1;
}

static enum err
report(struct faults *faults, const char *file, enum err code, uint32_t line,
    const char *text)
{
	struct fault why = {0};

	(void)fault_set(&why, code, "%s", text); /* returns what it was given */
	fault_at(&why, file, line, 0);
	faults_add(faults, &why);
	return code;
}

/* Makes a comment of line `n` (from 1), which keeps the numbers of others. */
static void
blank_line(char *text, unsigned n)
{
	for (; n > 1 && text != NULL; n--) {
		text = strchr(text, '\n');
		text = text != NULL ? text + 1 : NULL;
	}
	for (; text != NULL && *text != '\n' && *text != '\0'; text++)
		*text = ';';
}

/* What inih would cut or misread silently. Blanks what it reports. */
static enum err
check_lines(char *text, const char *file, struct faults *faults)
{
	enum err first = OK;
	uint32_t line = 1;

	for (char *at = text; *at != '\0'; line++) {
		size_t len = strcspn(at, "\n");
		struct slice l = slice_of(at, len);
		enum err e = OK;

		if (len >= CODEC_INI_LINE_MAX)
			e = report(faults, file, ERR_LIMIT, line,
			    "the line is too long");
		else if (!slice_is_utf8(l))
			e = report(
			    faults, file, ERR_PARSE, line, "not valid UTF-8");
		if (e != OK) {
			memset(at, ';', len);
			first = first == OK ? e : first;
		}
		at += len + (at[len] == '\n');
	}
	return first;
}

static enum err
read_all(
    char *text, const char *file, struct collector *c, struct faults *faults)
{
	enum err first = check_lines(text, file, faults);

	for (int tries = 0; tries < MISTAKES_MAX; tries++) {
		int wrong;

		c->count = 0;
		wrong = ini_parse_string(text, on_entry, c);
		if (c->full || wrong < 0)
			return report(faults, file, ERR_LIMIT, 0,
			    "the file asks for more memory than it may have");
		if (wrong == 0)
			return first;
		first = report(faults, file, ERR_PARSE, (uint32_t)wrong,
		    "neither \"[section]\" nor \"key = value\"");
		blank_line(text, (unsigned)wrong);
	}
	return first;
}

static enum err
hand_over(struct collector *c, struct codec_ini *out)
{
	struct codec_ini_entry *items =
	    arena_alloc_array(c->arena, c->count + 1, sizeof(*items));

	if (items == NULL)
		return ERR_LIMIT;
	if (c->count > 0)
		memcpy(items, c->items, c->count * sizeof(*items));
	*out = (struct codec_ini){items, c->count};
	return OK;
}

enum err
codec_ini_parse(struct slice text, const char *file, struct arena *arena,
    struct codec_ini *out, struct faults *faults)
{
	struct collector c = {.arena = arena};
	AUTO(mem_free) char *copy = NULL;
	enum err e, kept;

	*out = (struct codec_ini){NULL, 0};
	if (text.len > LIMIT_RESOURCE_BYTES)
		return report(
		    faults, file, ERR_LIMIT, 0, "the file is too large");
	if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
		return report(
		    faults, file, ERR_PARSE, 0, "the file holds a zero byte");
	copy = mem_strndup(text.ptr, text.len);
	e = read_all(copy, file, &c, faults);
	kept = hand_over(&c, out);
	mem_free(&c.items);
	return e != OK ? e : kept;
}
