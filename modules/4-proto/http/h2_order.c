/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_order — frames of streams that are over.
 *
 * A client that goes on with a stream that ended, or that it passed over, is
 * out of step (RFC 9113 §5.1). nghttp2 would have to remember each of them;
 * looking at the frames' heads as they come costs nothing while a connection
 * is idle. Streams that we reset are another thing: the client may not know.
 * A stream may begin in the bytes that nghttp2 has not seen yet: what comes
 * before a frame that looks wrong is given to it first.
 */
#include "h2_session.h"

void
h2_order_init(struct http2 *c)
{
	c->order.skip = (uint32_t)strlen(NGHTTP2_CLIENT_MAGIC);
}

void
h2_order_reset(struct http2 *c, int32_t id)
{
	struct h2_order *o = &c->order;
	int32_t *slot = &o->resets[o->reset_count++ % H2_RESETS];

	o->forgotten = MAX(o->forgotten, *slot);
	*slot = id;
}

static bool
was_reset(const struct h2_order *o, int32_t id)
{
	for (size_t i = 0; i < H2_RESETS; i++)
		if (o->resets[i] == id)
			return true;
	return id <= o->forgotten;
}

/* The client itself is done with it, so it does know. */
static void
forget_reset(struct h2_order *o, int32_t id)
{
	for (size_t i = 0; i < H2_RESETS; i++)
		if (o->resets[i] == id)
			o->resets[i] = 0;
}

/* Read from the whole head. */
struct frame {
	int32_t id;
	uint8_t type;
	uint8_t flags;
};

static struct frame
next_frame(struct h2_order *o)
{
	const uint8_t *h = o->head;

	o->have = 0;
	o->type = h[3];
	if (o->type == NGHTTP2_HEADERS || o->type == NGHTTP2_CONTINUATION)
		o->in_block = !(h[4] & NGHTTP2_FLAG_END_HEADERS);
	o->skip = (uint32_t)h[0] << 16 | (uint32_t)h[1] << 8 | h[2];
	return (struct frame){
	    .id = (int32_t)(((uint32_t)h[5] & 0x7f) << 24 |
			    (uint32_t)h[6] << 16 | (uint32_t)h[7] << 8 | h[8]),
	    .type = h[3],
	    .flags = h[4]};
}

static bool
is_of_message(struct frame f)
{
	return f.type == NGHTTP2_DATA || f.type == NGHTTP2_HEADERS;
}

/* Of a stream that nghttp2 does not know, though it came before. */
static bool
is_doubtful(struct http2 *c, struct frame f)
{
	struct h2_order *o = &c->order;
	bool known = f.id <= o->last_id;

	if (f.type == NGHTTP2_RST_STREAM) {
		forget_reset(o, f.id);
		o->reset_by_peer = f.id;
	}
	if (!is_of_message(f))
		return false;
	o->last_id = MAX(o->last_id, f.id);
	return known && f.id > 0 &&
	       (f.id == o->reset_by_peer ||
		   nghttp2_session_find_stream(c->ng, f.id) == NULL);
}

size_t
h2_order_look(struct http2 *c, struct slice bytes, int32_t *out_id)
{
	struct h2_order *o = &c->order;
	size_t at = 0;

	*out_id = 0;
	while (at < bytes.len) {
		size_t n = MIN((size_t)o->skip, bytes.len - at);
		size_t begin = at + n;
		struct frame f;

		o->skip -= (uint32_t)n;
		n = MIN(sizeof(o->head) - o->have, bytes.len - begin);
		if (n > 0)
			memcpy(o->head + o->have, bytes.ptr + begin, n);
		o->have += (uint8_t)n;
		at = begin + n;
		if (o->have < sizeof(o->head))
			break;
		f = next_frame(o);
		h2_calm_type(c, f.type);
		if (!is_doubtful(c, f))
			continue;
		*out_id = f.id;
		o->skip += (uint32_t)n; /* looked at once more */
		return begin;
	}
	return bytes.len;
}

bool
h2_order_is_in_head(const struct http2 *c)
{
	const struct h2_order *o = &c->order;

	return o->in_block ||
	       (o->skip > 0 && (o->type == NGHTTP2_HEADERS ||
				   o->type == NGHTTP2_CONTINUATION));
}

bool
h2_order_allows(struct http2 *c, int32_t id)
{
	const uint8_t *h = c->order.head; /* of the frame in question */

	if (nghttp2_session_find_stream(c->ng, id) != NULL)
		return true;
	if (!c->going && !was_reset(&c->order, id))
		return false;
	h2_calm_late(c, (size_t)h[0] << 16 | (size_t)h[1] << 8 | h[2]);
	return true;
}
