/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_parse — YAML text to values, strictly, and past its mistakes.
 *
 *	file --split at "---"--> chunks --libyaml's events--> value trees
 *
 * A syntax mistake ends libyaml's parser, so each chunk gets a parser of its
 * own: what is wrong in one document leaves the others readable. "---" at the
 * beginning of a line can be nothing but a marker (YAML 1.2.2 §9.1.2).
 */
#include <stdarg.h>
#include <stdio.h>

#include <yaml.h>

#include "codec.h"
#include "yaml_scalar.h"

enum { DOCUMENTS_MAX = 200000 };

/* A node that an alias may stand for. */
struct anchor {
	const struct value *node;
	size_t nodes; /* in it, itself included */
	unsigned depth;
};

/* The whole file. */
struct reader_state {
	const char *file;
	struct arena *arena;
	struct faults *faults;
	enum err first; /* code of the first fault */
	size_t nodes;
	struct codec_document *items; /* heap, grows */
	size_t count;
	uint32_t index; /* of the next document */
	bool stop;      /* a limit of the file was reached */
};

/* One chunk of it. */
struct chunk {
	struct reader_state *file;
	struct slice text;
	uint32_t first_line; /* lines before the chunk */
	yaml_parser_t parser;
	struct map anchors; /* name → struct anchor in the arena */
	bool broken;        /* this document has a mistake */
	bool dead;          /* the parser cannot go on */
};

/* --- faults --------------------------------------------------------------- */

static void PRINTF_LIKE(5, 6) report(struct reader_state *r, enum err code,
    uint32_t line, uint32_t column, const char *fmt, ...)
{
	struct fault why = {0};
	char text[FAULT_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* may be cut */
	va_end(ap);
	(void)fault_set(&why, code, "%s", text); /* returns what it was given */
	fault_at(&why, r->file, line, column);
	faults_add(r->faults, &why);
	if (r->first == OK)
		r->first = code;
}

static uint32_t
line_of(const struct chunk *c, const yaml_mark_t *m)
{
	return c->first_line + (uint32_t)m->line + 1;
}

#define REPORT(c, code, mark, ...)                                             \
	do {                                                                   \
		(c)->broken = true;                                            \
		report((c)->file, code, line_of(c, mark),                      \
		    (uint32_t)(mark)->column + 1, __VA_ARGS__);                \
	} while (0)

static void
report_syntax(struct chunk *c)
{
	const yaml_parser_t *p = &c->parser;
	const char *problem = p->problem ? p->problem : "malformed YAML";
	const char *context = p->context;

	c->dead = true;
	if (p->error == YAML_READER_ERROR)
		/* Its offset is in bytes and its mark is not set. */
		REPORT(c, ERR_PARSE, &p->mark, "%s", problem);
	else if (p->error == YAML_MEMORY_ERROR)
		REPORT(c, ERR_NO_MEMORY, &p->mark, "out of memory");
	else if (context != NULL)
		REPORT(c, ERR_PARSE, &p->problem_mark,
		    "%s, %s that begins on line %u", problem, context,
		    (unsigned)line_of(c, &p->context_mark));
	else
		REPORT(c, ERR_PARSE, &p->problem_mark, "%s", problem);
}

static void
report_full(struct chunk *c, const yaml_mark_t *mark)
{
	if (!c->file->stop)
		REPORT(c, ERR_LIMIT, mark,
		    "the file asks for more memory than one may have");
	c->file->stop = c->dead = true;
}

/* --- nodes ---------------------------------------------------------------- */

static bool read_node(struct chunk *c, yaml_event_t *event, unsigned depth,
    struct value **out, struct anchor *measure);

static bool
next_event(struct chunk *c, yaml_event_t *out)
{
	if (c->dead || !yaml_parser_parse(&c->parser, out)) {
		if (!c->dead)
			report_syntax(c);
		memset(out, 0, sizeof(*out));
		return false;
	}
	return true;
}

static struct value *
make_node(struct chunk *c, enum value_type type, const yaml_mark_t *mark)
{
	struct value *v;

	if (++c->file->nodes > LIMIT_DOC_NODES) {
		if (!c->file->stop)
			REPORT(c, ERR_LIMIT, mark,
			    "more than %d values in one file",
			    (int)LIMIT_DOC_NODES);
		c->file->stop = c->dead = true;
		return NULL;
	}
	v = value_new(c->file->arena, type);
	if (v == NULL) {
		report_full(c, mark);
		return NULL;
	}
	v->line = line_of(c, mark);
	v->column = (uint32_t)mark->column + 1;
	return v;
}

/* Tags would let a file choose types; the schema of a field does that. */
static void
refuse_tag(struct chunk *c, const yaml_char_t *tag, const yaml_mark_t *mark)
{
	if (tag != NULL)
		REPORT(c, ERR_UNSUPPORTED, mark, "tag %.100s is not allowed",
		    (const char *)tag);
}

static void
remember(struct chunk *c, const yaml_char_t *name, const struct value *node,
    const struct anchor *measure, const yaml_mark_t *mark)
{
	struct anchor *a;

	if (name == NULL || node == NULL)
		return;
	a = arena_alloc(c->file->arena, sizeof(*a));
	if (a == NULL) {
		report_full(c, mark);
		return;
	}
	*a = *measure;
	a->node = node;
	(void)map_put(&c->anchors, slice_str((const char *)name),
	    a); /* the later one of two is meant from here on */
}

static bool
read_scalar(struct chunk *c, const yaml_event_t *e, struct value **out)
{
	const yaml_mark_t *at = &e->start_mark;
	struct slice text =
	    slice_of(e->data.scalar.value, e->data.scalar.length);
	struct value *v = make_node(c, VALUE_STRING, at);

	if (v == NULL)
		return false;
	refuse_tag(c, e->data.scalar.tag, at);
	if (memchr(text.ptr, '\0', text.len) != NULL)
		REPORT(c, ERR_INVALID, at, "text holds a zero byte");
	if (arena_copy(c->file->arena, text, &text) != OK) {
		report_full(c, at);
		return false;
	}
	if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		yaml_scalar_resolve(text, v);
	else
		v->string = text;
	*out = v;
	return true;
}

/* Shares the children of what it stands for; they never change again. */
static bool
read_alias(struct chunk *c, const yaml_event_t *e, unsigned depth,
    struct value **out, struct anchor *measure)
{
	const char *name = (const char *)e->data.alias.anchor;
	const struct anchor *a = map_get(&c->anchors, slice_str(name));
	const yaml_mark_t *at = &e->start_mark;
	struct value *v = make_node(c, VALUE_NULL, at);
	uint32_t line, column;

	if (v == NULL)
		return false;
	*out = v;
	if (a == NULL) {
		REPORT(c, ERR_INVALID, at,
		    "alias *%.100s stands for nothing before it", name);
		return true;
	}
	if (depth + a->depth > LIMIT_DOC_DEPTH) {
		REPORT(c, ERR_LIMIT, at, "nested more than %d deep",
		    (int)LIMIT_DOC_DEPTH);
		return true;
	}
	c->file->nodes += a->nodes - 1; /* make_node looks at the sum */
	measure->nodes = a->nodes;
	measure->depth = a->depth;
	line = v->line;
	column = v->column;
	*v = *a->node;
	v->line = line;
	v->column = column;
	v->key = SLICE_NONE;
	v->next = NULL;
	return true;
}

static void
grow(struct anchor *whole, const struct anchor *part)
{
	whole->nodes += part->nodes;
	whole->depth = MAX(whole->depth, part->depth + 1);
}

static bool
read_list(struct chunk *c, const yaml_event_t *start, unsigned depth,
    struct value **out, struct anchor *measure)
{
	struct value *list = make_node(c, VALUE_LIST, &start->start_mark);

	refuse_tag(c, start->data.sequence_start.tag, &start->start_mark);
	while (list != NULL) {
		AUTO(yaml_event_delete) yaml_event_t e;
		struct anchor part = {NULL, 1, 1};
		struct value *item;

		if (!next_event(c, &e))
			return false;
		if (e.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (!read_node(c, &e, depth + 1, &item, &part))
			return false;
		if (value_append(list, item) != OK)
			return false;
		grow(measure, &part);
	}
	*out = list;
	return list != NULL;
}

/* The text of a key; every scalar may be one, under its own spelling. */
static bool
read_key(struct chunk *c, const yaml_event_t *e, const struct value *map,
    struct slice *out)
{
	const yaml_mark_t *at = &e->start_mark;
	const struct value *before;

	if (e->type != YAML_SCALAR_EVENT) {
		REPORT(c, ERR_INVALID, at, "a key has to be plain text");
		c->dead = true; /* there is no sense in what follows */
		return false;
	}
	refuse_tag(c, e->data.scalar.tag, at);
	if (e->data.scalar.anchor != NULL)
		REPORT(c, ERR_UNSUPPORTED, at,
		    "an anchor on a key is not allowed");
	if (arena_copy(c->file->arena,
		slice_of(e->data.scalar.value, e->data.scalar.length),
		out) != OK) {
		report_full(c, at);
		return false;
	}
	if (slice_eq(*out, S("<<")) &&
	    e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		REPORT(c, ERR_UNSUPPORTED, at,
		    "merge keys (<<) are not supported; write the fields out");
	before = value_get(map, *out);
	if (before != NULL)
		REPORT(c, ERR_EXISTS, at,
		    "key \"%.*s\" was given before, on line %u",
		    SLICE_ARG(slice_sub(*out, 0, 100)), (unsigned)before->line);
	return true;
}

static bool
read_map(struct chunk *c, const yaml_event_t *start, unsigned depth,
    struct value **out, struct anchor *measure)
{
	struct value *map = make_node(c, VALUE_MAP, &start->start_mark);

	refuse_tag(c, start->data.mapping_start.tag, &start->start_mark);
	while (map != NULL) {
		AUTO(yaml_event_delete) yaml_event_t k;
		AUTO(yaml_event_delete) yaml_event_t e = {0};
		struct anchor part = {NULL, 1, 1};
		struct value *item;
		struct slice key;

		if (!next_event(c, &k))
			return false;
		if (k.type == YAML_MAPPING_END_EVENT)
			break;
		if (!read_key(c, &k, map, &key) || !next_event(c, &e) ||
		    !read_node(c, &e, depth + 1, &item, &part))
			return false;
		/* A mistake of a field is looked for where its key stands. */
		item->line = line_of(c, &k.start_mark);
		item->column = (uint32_t)k.start_mark.column + 1;
		if (value_set(map, key, item) == ERR_NO_MEMORY) {
			report_full(c, &k.start_mark);
			return false;
		}
		grow(measure, &part);
	}
	*out = map;
	return map != NULL;
}

static const yaml_char_t *
anchor_of(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return e->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return e->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return e->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

static bool
read_node(struct chunk *c, yaml_event_t *e, unsigned depth, struct value **out,
    struct anchor *measure)
{
	bool ok;

	if (depth > LIMIT_DOC_DEPTH) {
		REPORT(c, ERR_LIMIT, &e->start_mark, "nested more than %d deep",
		    (int)LIMIT_DOC_DEPTH);
		c->dead = true;
		return false;
	}
	if (e->type == YAML_ALIAS_EVENT)
		return read_alias(c, e, depth, out, measure);
	if (e->type == YAML_SEQUENCE_START_EVENT)
		ok = read_list(c, e, depth, out, measure);
	else if (e->type == YAML_MAPPING_START_EVENT)
		ok = read_map(c, e, depth, out, measure);
	else
		ok = read_scalar(c, e, out);
	if (ok)
		remember(c, anchor_of(e), *out, measure, &e->start_mark);
	return ok;
}

/* --- documents ------------------------------------------------------------ */

static bool
is_empty(const struct value *root)
{
	return root == NULL || root->type == VALUE_NULL;
}

static void
keep_document(struct chunk *c, const struct value *root, uint32_t line)
{
	struct reader_state *r = c->file;
	uint32_t index = r->index++;

	if (!c->broken && is_empty(root))
		return;
	if (r->count == DOCUMENTS_MAX) {
		if (!r->stop)
			report(r, ERR_LIMIT, line, 1,
			    "more than %d documents in one file",
			    (int)DOCUMENTS_MAX);
		r->stop = true;
		return;
	}
	if ((r->count & (r->count - 1)) == 0)
		r->items = mem_resize(r->items, r->count,
		    r->count ? r->count * 2 : 1, sizeof(*r->items));
	r->items[r->count++] = (struct codec_document){
	    .root = c->broken ? NULL : root, .index = index, .line = line};
}

static void
read_document(struct chunk *c, const yaml_event_t *start)
{
	AUTO(yaml_event_delete) yaml_event_t e;
	struct anchor measure = {NULL, 1, 1};
	struct value *root = NULL;

	c->broken = false;
	map_fini(&c->anchors, NULL);
	map_init(&c->anchors);
	if (next_event(c, &e))
		(void)read_node(c, &e, /* depth */ 1, &root,
		    &measure); /* it reports what is wrong */
	keep_document(c, root, line_of(c, &start->start_mark));
}

static void
read_chunk(struct reader_state *r, struct slice text, uint32_t first_line)
{
	struct chunk c = {.file = r, .text = text, .first_line = first_line};

	if (!yaml_parser_initialize(&c.parser)) {
		report(r, ERR_NO_MEMORY, first_line + 1, 1, "out of memory");
		r->stop = true;
		return;
	}
	map_init(&c.anchors);
	yaml_parser_set_encoding(&c.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &c.parser, (const unsigned char *)text.ptr, text.len);
	while (!c.dead && !r->stop) {
		AUTO(yaml_event_delete) yaml_event_t e;

		/* A mistake between two documents makes one that is wrong. */
		if (!next_event(&c, &e)) {
			keep_document(&c, NULL, first_line + 1);
			break;
		}
		if (e.type == YAML_STREAM_END_EVENT)
			break;
		if (e.type == YAML_DOCUMENT_START_EVENT)
			read_document(&c, &e);
	}
	map_fini(&c.anchors, NULL);
	yaml_parser_delete(&c.parser);
}

/* --- the file ------------------------------------------------------------- */

static bool
is_marker(struct slice line)
{
	return slice_starts(line, S("---")) &&
	       (line.len == 3 || strchr(" \t\r", line.ptr[3]) != NULL);
}

/* Bytes of the next line, its end included. */
static size_t
line_length(struct slice rest)
{
	size_t n = slice_find(rest, '\n');

	return n < rest.len ? n + 1 : n;
}

static void
split(struct reader_state *r, struct slice text)
{
	size_t from = 0;
	uint32_t from_line = 0, line = 0;
	bool directives_only = true; /* they belong to the marker after them */

	for (size_t at = 0; at < text.len && !r->stop; line++) {
		struct slice rest = slice_sub(text, at, text.len);
		size_t len = line_length(rest);
		struct slice l = slice_sub(rest, 0, len);

		if (l.len > 0 && l.ptr[l.len - 1] == '\n')
			l.len--;
		if (is_marker(l) && at > from && !directives_only) {
			read_chunk(
			    r, slice_sub(text, from, at - from), from_line);
			from = at;
			from_line = line;
		}
		directives_only = directives_only && !is_marker(l) &&
				  (slice_trim(l).len == 0 || l.ptr[0] == '%' ||
				      l.ptr[0] == '#' || l.ptr[0] == '\r');
		at += len;
	}
	if (!r->stop)
		read_chunk(r, slice_sub(text, from, text.len), from_line);
}

/* Where the first byte stands that may be in no YAML file. */
static bool
check_bytes(struct reader_state *r, struct slice text)
{
	size_t bad = 0;
	uint32_t line = 1;
	size_t begin = 0;

	if (slice_is_utf8(text) && memchr(text.ptr, '\0', text.len) == NULL)
		return true;
	while (bad < text.len) {
		struct slice rest = slice_sub(text, bad, text.len);
		struct slice l = slice_sub(rest, 0, line_length(rest));

		if (!slice_is_utf8(l) || memchr(l.ptr, '\0', l.len) != NULL) {
			begin = bad;
			break;
		}
		bad += l.len;
		line++;
	}
	/* The longest good beginning of that line. */
	while (bad < text.len && text.ptr[bad] != '\0') {
		size_t n = 1;

		while (n <= 4 && !slice_is_utf8(slice_sub(text, bad, n)))
			n++;
		if (n > 4)
			break;
		bad += n;
	}
	report(r, ERR_PARSE, line, (uint32_t)(bad - begin) + 1,
	    text.ptr[bad] == '\0' ? "a zero byte" : "not valid UTF-8");
	return false;
}

static enum err
finish(struct reader_state *r, struct codec_documents *out)
{
	struct codec_document *items = NULL;

	if (r->count > 0)
		items = arena_alloc_array(r->arena, r->count, sizeof(*items));
	if (r->count > 0 && items == NULL) {
		report(r, ERR_LIMIT, 0, 0, "too many documents in one file");
		r->count = 0;
		r->stop = true;
	}
	if (r->count > 0)
		memcpy(items, r->items, r->count * sizeof(*items));
	*out = (struct codec_documents){items, r->count, r->stop};
	mem_free(&r->items);
	return r->first;
}

enum err
codec_yaml_parse(struct slice text, const char *file, struct arena *arena,
    struct codec_documents *out, struct faults *faults)
{
	struct reader_state r = {
	    .file = file, .arena = arena, .faults = faults};

	if (text.len > LIMIT_DOC_BYTES) {
		report(&r, ERR_LIMIT, 0, 0,
		    "the file has %zu bytes; at most %d are allowed", text.len,
		    (int)LIMIT_DOC_BYTES);
		r.stop = true;
	} else if (text.len > 0 && check_bytes(&r, text)) {
		split(&r, text);
	}
	return finish(&r, out);
}

enum err
codec_yaml_parse_one(struct slice text, struct arena *arena,
    const struct value **out, struct fault *why)
{
	AUTO(faults_fini) struct faults faults = {0};
	struct codec_documents docs;
	enum err e = codec_yaml_parse(text, NULL, arena, &docs, &faults);

	if (e != OK)
		return fault_set(why, e, "%s",
		    faults.count > 0 ? faults.items[0].text : err_text(e));
	if (docs.count != 1 || docs.items[0].root == NULL)
		return fault_set(why, ERR_PARSE, "it is not one document");
	*out = docs.items[0].root;
	return OK;
}
