/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode — from trees of values to structs, by the tables.
 */
#include <stdio.h>

#include "layout.h"
#include "scalars.h"

static void decode_message(
    struct check *c, const struct message *m, const struct value *v, void *out);

/* --- trees and maps ------------------------------------------------------- */

static bool
decode_tree(struct check *c, const struct value *v, const struct value **out)
{
	if (v->type != VALUE_MAP) {
		decode_wrong_type(c, v, "a map is expected");
		return false;
	}
	*out = value_copy(v, c->arena);
	if (*out == NULL)
		decode_is_full(c);
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
		decode_wrong_type(c, v, "a map of texts is expected");
		return false;
	}
	items = arena_alloc_array(c->arena, v->count, sizeof(*items));
	if (items == NULL) {
		decode_is_full(c);
		return false;
	}
	VALUE_EACH(v, it)
	{
		struct check at = check_entry(c, it->key);

		if (arena_copy(c->arena, it->key, &items[n].key) != OK)
			decode_is_full(&at);
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
		decode_wrong_type(c, v, "a map of numbers is expected");
		return false;
	}
	items = arena_alloc_array(c->arena, v->count, sizeof(*items));
	if (items == NULL) {
		decode_is_full(c);
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
			decode_is_full(&at);
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
		decode_is_full(c);
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
		decode_wrong_type(c, v, "a map is expected");
		return false;
	}
	items = arena_alloc_array(c->arena, v->count, sizeof(*items));
	if (items == NULL) {
		decode_is_full(c);
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
	case FIELD_TREE:
		return decode_tree(c, v, out);
	case FIELD_STRING_MAP:
		return decode_string_map(c, f, v, out);
	case FIELD_INT_MAP:
		return decode_int_map(c, f, v, out);
	case FIELD_MESSAGE_MAP:
		return decode_message_map(c, f, v, out);
	default:
		return decode_scalar(c, f, v, out);
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
		decode_wrong_type(c, v, "a list is expected");
		return false;
	}
	items = arena_alloc_array(c->arena, v->count, size);
	if (items == NULL) {
		decode_is_full(c);
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
		decode_is_full(c);
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
	fault_in(&why, c->path);
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
		if (field_get(v, slice_str(f->name)) != it) {
			say_beaten(&at, f);
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
		decode_wrong_type(c, v, "a map is expected");
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
