/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head_copy — what makes a head outlive its bytes, or its connection.
 */
#include "fields.h"

/* The head's slices beside the fields, with their bit in `lent`. */
static const struct {
	uint8_t bit;
	size_t offset;
} parts[] = {
    {HEAD_METHOD, offsetof(struct http_head, method)},
    {HEAD_SCHEME, offsetof(struct http_head, scheme)},
    {HEAD_AUTHORITY, offsetof(struct http_head, authority)},
    {HEAD_PATH, offsetof(struct http_head, path)},
    {HEAD_REASON, offsetof(struct http_head, reason)},
    {HEAD_UPGRADE, offsetof(struct http_head, upgrade)},
};

static struct slice *
part(struct http_head *h, size_t i)
{
	return (struct slice *)(void *)((char *)h + parts[i].offset);
}

static size_t
lent_bytes(struct http_head *h)
{
	size_t bytes = 0;

	for (size_t i = 0; h->lent != 0 && i < ARRAY_LEN(parts); i++)
		if (h->lent & parts[i].bit)
			bytes += part(h, i)->len;
	for (size_t i = 0; i < h->count; i++)
		if (h->fields[i].lent)
			bytes += h->fields[i].name.len + h->fields[i].value.len;
	return bytes;
}

/* Moves the text to *at, which it advances. */
static void
settle(struct slice *s, char **at)
{
	if (s->len == 0)
		return;
	CHECK(*at != NULL);
	memcpy(*at, s->ptr, s->len);
	s->ptr = *at;
	*at += s->len;
}

static void
settle_all(struct http_head *h, char *at)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (h->lent & parts[i].bit)
			settle(part(h, i), &at);
	h->lent = 0;
	for (size_t i = 0; i < h->count; i++) {
		if (!h->fields[i].lent)
			continue;
		settle(&h->fields[i].name, &at);
		settle(&h->fields[i].value, &at);
		h->fields[i].lent = false;
	}
}

enum err
http_head_keep(struct http_head *h)
{
	size_t bytes = lent_bytes(h);
	char *mem = NULL;

	if (bytes > 0) {
		mem = arena_alloc(h->arena, bytes);
		if (mem == NULL)
			return ERR_LIMIT;
	}
	settle_all(h, mem);
	return OK;
}

/* The fields become its own, in its arena; their text is still lent. */
static MUST_USE enum err
copy_fields(struct http_head *h)
{
	struct http_field *to =
	    arena_alloc_array(h->arena, MAX(h->count, 1), sizeof(*to));

	if (to == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; i < h->count; i++) {
		to[i] = h->fields[i];
		to[i].lent = true;
	}
	h->fields = to;
	h->cap = MAX(h->count, 1);
	return OK;
}

enum err
http_head_copy(
    const struct http_head *h, struct arena *a, struct http_head *out)
{
	struct http_head copy = *h;

	copy.arena = a;
	if (copy_fields(&copy) != OK)
		return ERR_LIMIT;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		copy.lent |= parts[i].bit;
	if (http_head_keep(&copy) != OK)
		return ERR_LIMIT;
	*out = copy;
	return OK;
}

/* Names that Connection lists concern this connection only. */
static void
drop_named(struct http_head *h)
{
	struct slice list = http_head_join_id(h, HTTP_CONNECTION);
	struct slice name;

	while (http_list_next(&list, &name))
		if (http_field_id(name) != HTTP_CONNECTION)
			(void)http_head_remove(h, name); /* may be absent */
}

void
http_head_strip_hops(struct http_head *h)
{
	static const enum http_field_id hops[] = {HTTP_CONNECTION,
	    HTTP_KEEP_ALIVE, HTTP_PROXY_CONNECTION, HTTP_TRANSFER_ENCODING,
	    HTTP_UPGRADE};

	bool trailers =
	    http_head_has(h, HTTP_TE) &&
	    http_list_has(http_head_join_id(h, HTTP_TE), S("trailers"));

	if (http_head_has(h, HTTP_CONNECTION))
		drop_named(h);
	if (http_head_has(h, HTTP_TE))
		(void)http_head_remove_id(h, HTTP_TE);
	for (size_t i = 0; i < ARRAY_LEN(hops); i++)
		if (http_head_has(h, hops[i]))
			(void)http_head_remove_id(h, hops[i]);
	if (trailers) /* it takes the room of what was just removed */
		CHECK(http_head_add_raw(
			  h, HTTP_TE, S("te"), S("trailers"), false) == OK);
}
