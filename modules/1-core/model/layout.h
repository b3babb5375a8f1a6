/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout — how the decoded form of a field lies in memory.
 */
#ifndef MESHD_LAYOUT_H
#define MESHD_LAYOUT_H

#include "field.h"

/* A list as LIST_OF lays it out, whatever its items are. */
struct any_list {
	const void *items;
	size_t count;
};

/* Bytes of one item of a repeated field. */
static inline size_t
field_item_size(const struct field *f)
{
	switch (f->type) {
	case FIELD_MESSAGE:
		return f->of->size;
	case FIELD_BOOL:
		return sizeof(bool);
	case FIELD_ENUM:
		return sizeof(int);
	case FIELD_INT:
	case FIELD_DURATION:
		return sizeof(uint64_t);
	case FIELD_NUMBER:
		return sizeof(double);
	default:
		return sizeof(struct slice);
	}
}

/* By its name, or by that of upstream's proto file; NULL. */
const struct field *field_find(const struct message *m, struct slice name);

/*
 * What a document has for the field of this name. It may be written as in
 * upstream's proto file, too, which does not count beside the name itself.
 */
const struct value *field_get(const struct value *v, struct slice name);

/* Row `i` of the table was in the document. */
static inline bool
field_is_present(const struct message_head *head, size_t i)
{
	return (head->present[i / 64] >> (i % 64)) & 1;
}

#endif
