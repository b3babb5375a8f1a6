/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode — from values to structs, by the tables.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "layout.h"
#include "validate.h"

static void decode_message(
    struct check *c, const struct message *m, const struct value *v, void *out);

static void
full(struct check *c)
{
	check_error(c, ERR_LIMIT, "the resource is too large");
}

/* "is a list" but "is an integer". */
static void
wrong_type(struct check *c, const struct value *v, const char *wanted)
{
	const char *is = value_type_name(v->type);

	c->found->unread++;
	check_error(c, ERR_PARSE, "is %s %s; %s",
	    strchr("aeiou", is[0]) != NULL ? "an" : "a", is, wanted);
}

/* --- one value ------------------------------------------------------------ */

static bool
decode_string(
    struct check *c, uint32_t longest, const struct value *v, struct slice *out)
{
	if (v->type == VALUE_LIST || v->type == VALUE_MAP) {
		wrong_type(c, v, "text is expected");
		return false;
	}
	if (v->type != VALUE_STRING) {
		wrong_type(c, v, "text is expected, so put it in quotes");
		return false;
	}
	if (longest > 0 && v->string.len > longest)
		check_error(c, ERR_LIMIT, "is longer than %u bytes", longest);
	if (arena_copy(c->arena, v->string, out) == OK)
		return true;
	full(c);
	return false;
}

/* YAML 1.1's words, which Kubernetes takes for booleans. */
static bool
is_old_bool(const struct value *v)
{
	static const char *const words[] = {"yes", "no", "on", "off"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (v->type == VALUE_STRING &&
		    slice_eq_nocase(v->string, slice_str(words[i])))
			return true;
	return false;
}

static bool
decode_bool(struct check *c, const struct value *v, bool *out)
{
	if (v->type == VALUE_BOOL) {
		*out = v->boolean;
		return true;
	}
	if (is_old_bool(v))
		check_error(
		    c, ERR_PARSE, "is text in YAML 1.2; write true or false");
	else
		wrong_type(c, v, "true or false is expected");
	return false;
}

/* As upstream reads JSON: 5, "5" and 5.0 are the same number. */
static bool
whole_number(const struct value *v, int64_t *out)
{
	if (v->type == VALUE_STRING)
		return slice_to_i64(v->string, out) == OK;
	if (v->type == VALUE_INT)
		*out = v->integer;
	else if (v->type == VALUE_FLOAT && fabs(v->real) < 9e15 &&
		 v->real == floor(v->real))
		*out = (int64_t)v->real;
	else
		return false;
	return true;
}

/* Upstream's fields have 32 bits; a row that reaches INT32_MAX has a sign. */
static bool
fits_32_bits(const struct field *f, int64_t n)
{
	bool is_signed = f->max == INT32_MAX || f->min < 0;

	return is_signed ? n >= INT32_MIN && n <= INT32_MAX
			 : n >= 0 && n <= UINT32_MAX;
}

static bool
decode_int(
    struct check *c, const struct field *f, const struct value *v, int64_t *out)
{
	bool any = f->min == 0 && f->max == 0;
	int64_t n;

	if (!whole_number(v, &n)) {
		wrong_type(c, v, "a whole number is expected");
		return false;
	}
	if (!any && (n < f->min || n > f->max)) {
		c->found->unread += !fits_32_bits(f, n);
		check_error(c, ERR_INVALID, "%lld is outside %lld to %lld",
		    (long long)n, (long long)f->min, (long long)f->max);
		return false;
	}
	*out = n;
	return true;
}

/* Decimal: "5", "-0.25", "1e3". */
static bool
text_to_number(struct slice text, double *out)
{
	char z[64], *end;

	if (slice_to_cstr(text, z, sizeof(z)) != OK ||
	    strspn(z, "+-.0123456789eE") != text.len)
		return false;
	*out = strtod(z, &end);
	return text.len > 0 && *end == '\0' && isfinite(*out);
}

/* As upstream reads JSON: a number may be in quotes. */
static bool
any_number(const struct value *v, double *out)
{
	if (v->type == VALUE_STRING)
		return text_to_number(v->string, out);
	*out = v->type == VALUE_INT ? (double)v->integer : v->real;
	return v->type == VALUE_INT || v->type == VALUE_FLOAT;
}

static bool
decode_number(
    struct check *c, const struct field *f, const struct value *v, double *out)
{
	bool any = f->min == 0 && f->max == 0;
	double n;

	if (!any_number(v, &n)) {
		wrong_type(c, v, "a number is expected");
		return false;
	}
	if (!any && !(n >= (double)f->min && n <= (double)f->max)) {
		check_error(c, ERR_INVALID, "%g is outside %lld to %lld", n,
		    (long long)f->min, (long long)f->max);
		return false;
	}
	*out = n;
	return true;
}

static void
take_word(struct check *c, const struct field_word *w, int *out)
{
	if (w->flags & FIELD_DEPRECATED)
		check_warning(c, "%s is deprecated", w->word);
	check_in_force(c, w->flags);
	*out = w->value;
}

/* As upstream reads JSON: the number of a word, or one of no word at all. */
static bool
decode_enum_number(
    struct check *c, const struct field *f, const struct value *v, int *out)
{
	int64_t n;

	if (!whole_number(v, &n) || n < INT32_MIN || n > INT32_MAX) {
		wrong_type(c, v, "a word is expected");
		return false;
	}
	for (const struct field_word *w = f->words; w->word != NULL; w++)
		if (w->value == n) {
			take_word(c, w, out);
			return true;
		}
	check_inert(c, FIELD_GUARD,
	    "%lld stands for none of its words, so nothing is meant",
	    (long long)n);
	*out = (int)n;
	return true;
}

static bool
decode_enum(
    struct check *c, const struct field *f, const struct value *v, int *out)
{
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;

	if (v->type == VALUE_INT || v->type == VALUE_FLOAT)
		return decode_enum_number(c, f, v, out);
	if (v->type != VALUE_STRING) {
		wrong_type(c, v, "a word is expected");
		return false;
	}
	nearest_init(&near, v->string);
	for (const struct field_word *w = f->words; w->word != NULL; w++) {
		nearest_offer(&near, w->word);
		if (!slice_eq(v->string, slice_str(w->word)))
			continue;
		take_word(c, w, out);
		return true;
	}
	c->found->unread++;
	check_error(c, ERR_INVALID, "\"%.*s\" is none of its words%s",
	    SLICE_ARG(slice_sub(v->string, 0, 64)), nearest_text(&near, hint));
	return false;
}

static bool
decode_duration(struct check *c, const struct value *v, uint64_t *out)
{
	uint64_t ns;

	if (v->type != VALUE_STRING) {
		wrong_type(c, v,
		    "a duration such as \"1.5s\" or \"200ms\" is expected");
		return false;
	}
	if (slice_to_duration_ns(v->string, &ns) == OK) {
		*out = ns / 1000;
		if (ns % 1000 != 0)
			check_error(
			    c, ERR_INVALID, "is finer than a microsecond");
		return true;
	}
	c->found->unread++;
	check_error(c, ERR_INVALID,
	    "\"%.*s\" is no duration; write \"1.5s\", \"200ms\" or \"1h2m\"",
	    SLICE_ARG(slice_sub(v->string, 0, 64)));
	return false;
}

static bool
decode_int_or_string(struct check *c, const struct field *f,
    const struct value *v, struct int_or_string *out)
{
	if (v->type == VALUE_STRING) {
		out->is_string = true;
		return decode_string(c, f->longest, v, &out->text);
	}
	return decode_int(c, f, v, &out->number);
}

static bool
decode_tree(struct check *c, const struct value *v, const struct value **out)
{
	if (v->type != VALUE_MAP) {
		wrong_type(c, v, "a map is expected");
		return false;
	}
	*out = value_copy(v, c->arena);
	if (*out == NULL)
		full(c);
	return *out != NULL;
}

/* In a map, null is an empty text. */
static bool
decode_string_or_null(
    struct check *c, uint32_t longest, const struct value *v, struct slice *out)
{
	*out = S("");
	return v->type == VALUE_NULL || decode_string(c, longest, v, out);
}

static bool
decode_string_map(struct check *c, const struct field *f, const struct value *v,
    struct labels *out)
{
	struct label *items;
	size_t n = 0;

	if (v->type != VALUE_MAP) {
		wrong_type(c, v, "a map of texts is expected");
		return false;
	}
	items = arena_alloc_array(c->arena, v->count, sizeof(*items));
	if (items == NULL) {
		full(c);
		return false;
	}
	VALUE_EACH(v, it)
	{
		struct check at = check_entry(c, it->key);

		if (arena_copy(c->arena, it->key, &items[n].key) != OK)
			full(&at);
		else if (decode_string_or_null(
			     &at, f->longest, it, &items[n].value)) {
			if (f->check != NULL)
				f->check(&at, &items[n]);
			n++;
		}
	}
	*out = (struct labels){items, n};
	return true;
}

static bool
decode_int_map(struct check *c, const struct field *f, const struct value *v,
    struct any_list *out)
{
	struct int_entry *items;
	size_t n = 0;

	if (v->type != VALUE_MAP) {
		wrong_type(c, v, "a map of numbers is expected");
		return false;
	}
	items = arena_alloc_array(c->arena, v->count, sizeof(*items));
	if (items == NULL) {
		full(c);
		return false;
	}
	VALUE_EACH(v, it)
	{
		struct check at = check_entry(c, it->key);

		items[n].number = 0; /* what upstream takes null for */
		if (it->type != VALUE_NULL &&
		    !decode_int(&at, f, it, &items[n].number))
			continue;
		if (arena_copy(c->arena, it->key, &items[n].key) != OK) {
			full(&at);
			continue;
		}
		if (f->check != NULL)
			f->check(&at, &items[n]);
		n++;
	}
	*out = (struct any_list){items, n};
	return true;
}

static const void *
decode_new_message(
    struct check *c, const struct message *m, const struct value *v)
{
	void *out = arena_alloc(c->arena, m->size);

	if (out == NULL)
		full(c);
	else
		decode_message(c, m, v, out);
	return out;
}

static bool
decode_message_map(struct check *c, const struct field *f,
    const struct value *v, struct any_list *out)
{
	struct message_entry *items;
	size_t n = 0;

	if (v->type != VALUE_MAP) {
		wrong_type(c, v, "a map is expected");
		return false;
	}
	items = arena_alloc_array(c->arena, v->count, sizeof(*items));
	if (items == NULL) {
		full(c);
		return false;
	}
	VALUE_EACH(v, it)
	{
		struct check at = check_entry(c, it->key);

		items[n].message = decode_new_message(&at, f->of, it);
		if (items[n].message == NULL ||
		    arena_copy(c->arena, it->key, &items[n].key) != OK)
			continue;
		if (f->check != NULL)
			f->check(&at, &items[n]);
		n++;
	}
	*out = (struct any_list){items, n};
	return true;
}

static bool
decode_one(
    struct check *c, const struct field *f, const struct value *v, void *out)
{
	switch (f->type) {
	case FIELD_STRING:
		return decode_string(c, f->longest, v, out);
	case FIELD_BOOL:
		return decode_bool(c, v, out);
	case FIELD_INT:
		return decode_int(c, f, v, out);
	case FIELD_NUMBER:
		return decode_number(c, f, v, out);
	case FIELD_ENUM:
		return decode_enum(c, f, v, out);
	case FIELD_DURATION:
		return decode_duration(c, v, out);
	case FIELD_TREE:
		return decode_tree(c, v, out);
	case FIELD_INT_OR_STRING:
		return decode_int_or_string(c, f, v, out);
	case FIELD_STRING_MAP:
		return decode_string_map(c, f, v, out);
	case FIELD_INT_MAP:
		return decode_int_map(c, f, v, out);
	case FIELD_MESSAGE_MAP:
		return decode_message_map(c, f, v, out);
	default:
		return false;
	}
}

/* --- fields --------------------------------------------------------------- */

static bool
decode_item(
    struct check *c, const struct field *f, const struct value *v, void *out)
{
	/* Upstream's reader takes null in a list for an empty item. */
	if (f->type == FIELD_MESSAGE)
		decode_message(c, f->of, v, out);
	else if (v->type == VALUE_NULL && f->type == FIELD_STRING)
		*(struct slice *)out = S("");
	else if (v->type == VALUE_NULL)
		return true;
	else if (!decode_one(c, f, v, out))
		return false;
	if (f->check != NULL)
		f->check(c, out);
	return true;
}

/* A wrong item keeps its place, so that indices stay those of the file. */
static bool
decode_list(struct check *c, const struct field *f, const struct value *v,
    struct any_list *out)
{
	size_t size = field_item_size(f);
	size_t n = 0;
	char *items;

	if (v->type != VALUE_LIST) {
		wrong_type(c, v, "a list is expected");
		return false;
	}
	items = arena_alloc_array(c->arena, v->count, size);
	if (items == NULL) {
		full(c);
		return false;
	}
	VALUE_EACH(v, it)
	{
		struct check at = *c;
		size_t len = strlen(c->path);

		(void)snprintf(at.path + len, sizeof(at.path) - len, "[%zu]",
		    n); /* may be cut */
		at.node = it;
		if (it->line > 0) {
			at.line = it->line;
			at.column = it->column;
		}
		(void)decode_item(&at, f, it, items + n++ * size);
	}
	*out = (struct any_list){items, n};
	return n > 0; /* an empty list is the same as none */
}

static bool
is_map(const struct field *f)
{
	return f->type == FIELD_STRING_MAP || f->type == FIELD_INT_MAP ||
	       f->type == FIELD_MESSAGE_MAP;
}

/* How many there may be; texts in a list are measured one by one. */
static void
check_size(struct check *c, const struct field *f, const struct value *v)
{
	if (f->most > 0 && v->count > f->most)
		check_error(c, ERR_LIMIT, "holds %zu; at most %u are allowed",
		    v->count, f->most);
}

static bool
decode_field(
    struct check *c, const struct field *f, const struct value *v, char *out)
{
	void *at = out + f->offset;
	const void *message;

	if (f->flags & FIELD_FOREIGN) {
		check_warning(c, "means nothing outside Kubernetes; ignored");
		return false;
	}
	if (f->flags & FIELD_DEPRECATED)
		check_warning(c, "is deprecated");
	check_in_force(c, f->flags);
	check_size(c, f, v);
	if (f->flags & FIELD_REPEATED)
		return decode_list(c, f, v, at);
	if (f->type == FIELD_MESSAGE) {
		message = decode_new_message(c, f->of, v);
		memcpy(at, &message, sizeof(message));
		if (message != NULL && f->check != NULL)
			f->check(c, message);
		return message != NULL;
	}
	if (!decode_one(c, f, v, at))
		return false;
	if (f->type == FIELD_STRING && (f->flags & FIELD_NON_EMPTY) &&
	    ((struct slice *)at)->len == 0) {
		check_error(c, ERR_INVALID, "may not be empty");
		return true;
	}
	if (f->check != NULL && !is_map(f))
		f->check(c, at); /* those of a map were checked one by one */
	return true;
}

/* --- messages ------------------------------------------------------------- */

static void
set_default(const struct field *f, char *out)
{
	struct slice text = slice_str(f->otherwise);
	void *at = out + f->offset;
	enum err e = OK;

	if (f->otherwise == NULL)
		return;
	switch (f->type) {
	case FIELD_STRING:
		*(struct slice *)at = text;
		break;
	case FIELD_BOOL:
		*(bool *)at = slice_eq(text, S("true"));
		break;
	case FIELD_INT:
		e = slice_to_i64(text, at);
		break;
	case FIELD_NUMBER:
		e = text_to_number(text, at) ? OK : ERR_PARSE;
		break;
	case FIELD_DURATION:
		e = slice_to_duration_us(text, at);
		break;
	case FIELD_ENUM:
		for (const struct field_word *w = f->words; w->word; w++)
			if (slice_eq(text, slice_str(w->word)))
				*(int *)at = w->value;
		break;
	default:
		e = ERR_INTERNAL;
	}
	CHECK(e == OK); /* the tables are ours */
}

static void
unknown_field(struct check *c, const struct message *m, struct slice name)
{
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;

	c->found->unread++;
	nearest_init(&near, name);
	for (size_t i = 0; i < m->field_count; i++)
		nearest_offer(&near, m->fields[i].name);
	check_error(c, ERR_INVALID, "no such field in %s%s", m->name,
	    nearest_text(&near, hint));
}

/*
 * The member of a group that counts where several were given: the last of the
 * table, as upstream reads them. NULL if `f` is it, or is alone.
 */
static const struct field *
winner(const struct message *m, const struct field *f, const struct value *v)
{
	const struct field *last = NULL;

	if (f->oneof == 0)
		return NULL;
	VALUE_EACH(v, it)
	{
		const struct field *other = field_find(m, it->key);

		if (other != NULL && it->type != VALUE_NULL &&
		    other->oneof == f->oneof && other > f &&
		    (last == NULL || other > last))
			last = other;
	}
	return last;
}

/* It has to be readable all the same, but need not be right. */
static void
read_only(struct check *c, const struct message *m, const struct field *f,
    const struct value *v)
{
	struct findings found = {0};
	struct check apart = *c;
	void *out = arena_alloc(c->arena, m->size);

	apart.found = &found;
	if (out == NULL)
		full(c);
	else
		(void)decode_field(&apart, f, v, out); /* kept nowhere */
	for (size_t i = 0; found.unread > 0 && i < found.errors.count; i++)
		faults_add(&c->found->errors, &found.errors.items[i]);
	c->found->unread += found.unread;
	findings_fini(&found);
}

static void
say_beaten(struct check *c, const struct field *by)
{
	struct fault why = {0};

	(void)fault_set(
	    &why, OK, "is not looked at, since %s is there too", by->name);
	why.id = "MSH0001";
	fault_at(&why, c->file, c->line, c->column);
	memcpy(why.field, c->path, sizeof(why.field));
	findings_add_inert(c->found, &why);
}

static void
decode_fields(
    struct check *c, const struct message *m, const struct value *v, char *out)
{
	struct message_head *head = (struct message_head *)(void *)out;

	VALUE_EACH(v, it)
	{
		const struct field *f = field_find(m, it->key), *by;
		struct check at = check_member(c, "%.*s",
		    SLICE_ARG(slice_sub(it->key, 0, NAME_LABEL_MAX)));
		size_t i;

		/* The key may be cut, or hold dots of its own. */
		at.node = it;
		at.line = it->line > 0 ? it->line : c->line;
		at.column = it->line > 0 ? it->column : c->column;
		if (f == NULL) {
			unknown_field(&at, m, it->key);
			continue;
		}
		by = winner(m, f, v);
		if (by != NULL && it->type != VALUE_NULL) {
			say_beaten(&at, by);
			read_only(&at, m, f, it);
			continue;
		}
		i = (size_t)(f - m->fields);
		if (it->type != VALUE_NULL && decode_field(&at, f, it, out))
			head->present[i / 64] |= UINT64_C(1) << (i % 64);
	}
}

static void
check_required(
    struct check *c, const struct message *m, const struct message_head *head)
{
	for (size_t i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];
		struct check at;

		/* What is there but wrong was reported already. */
		if (!(f->flags & FIELD_REQUIRED) || field_is_present(head, i))
			continue;
		at = check_member(c, "%s", f->name);
		if (at.node == NULL || at.node->type == VALUE_NULL)
			check_error(&at, ERR_INVALID, "is required");
		else if (at.node->type == VALUE_LIST && at.node->count == 0)
			check_error(&at, ERR_INVALID, "may not be empty");
	}
}

static void
decode_message(
    struct check *c, const struct message *m, const struct value *v, void *out)
{
	struct message_head *head = out;

	CHECK(m->field_count <= FIELDS_MAX);
	head->line = c->line;
	head->column = c->column;
	for (size_t i = 0; i < m->field_count; i++)
		set_default(&m->fields[i], out);
	if (v->type != VALUE_MAP && v->type != VALUE_NULL) {
		wrong_type(c, v, "a map is expected");
		return;
	}
	decode_fields(c, m, v, out);
	check_required(c, m, head);
	if (m->check != NULL)
		m->check(c, out);
}

const void *
message_decode_at(const struct check *c, const struct message *m,
    const struct value *v, const char *path)
{
	struct check at = *c;

	at.node = v;
	at.line = v->line;
	at.column = v->column;
	(void)snprintf(at.path, sizeof(at.path), "%s", path); /* may be cut */
	return decode_new_message(&at, m, v);
}

const void *
message_decode(const struct message *m, const struct value *v, const char *file,
    const char *path, struct arena *arena, struct findings *found)
{
	struct check c = {.file = file, .found = found, .arena = arena};

	return message_decode_at(&c, m, v, path);
}
