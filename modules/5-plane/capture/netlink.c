/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink — messages and attributes; see netlink.h.
 *
 * No library: libmnl's sources go away with Debian's releases, and what it
 * would do is this file, without bounds on what is written.
 */
#include "netlink.h"

#include <endian.h>
#include <errno.h>
#include <linux/netlink.h>

static void
fill(struct netlink_writer *w, const void *bytes, size_t len)
{
	if (w->e == OK)
		w->e = buf_add(w->out, bytes, len);
}

static void
pad(struct netlink_writer *w)
{
	static const char zeros[NLMSG_ALIGNTO];

	if (w->e == OK)
		fill(w, zeros, NLMSG_ALIGN(buf_len(w->out)) - buf_len(w->out));
}

static void
open_at_end(struct netlink_writer *w)
{
	CHECK(w->depth < NETLINK_DEPTH);
	w->open[w->depth++] = buf_len(w->out);
}

void
netlink_begin(struct netlink_writer *w, uint16_t type, uint16_t flags,
    uint32_t seq, const void *header, size_t len)
{
	const struct nlmsghdr h = {.nlmsg_type = type,
	    .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	    .nlmsg_seq = seq};

	open_at_end(w);
	fill(w, &h, sizeof(h));
	fill(w, header, len);
	pad(w);
}

void
netlink_put(
    struct netlink_writer *w, uint16_t type, const void *bytes, size_t len)
{
	const struct nlattr a = {
	    .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};

	if (len > UINT16_MAX - NLA_HDRLEN) {
		w->e = w->e == OK ? ERR_LIMIT : w->e;
		return;
	}
	fill(w, &a, sizeof(a));
	fill(w, bytes, len);
	pad(w);
}

void
netlink_text(struct netlink_writer *w, uint16_t type, const char *text)
{
	netlink_put(w, type, text, strlen(text) + 1);
}

void
netlink_be32(struct netlink_writer *w, uint16_t type, uint32_t v)
{
	v = htobe32(v);
	netlink_put(w, type, &v, sizeof(v));
}

void
netlink_be64(struct netlink_writer *w, uint16_t type, uint64_t v)
{
	v = htobe64(v);
	netlink_put(w, type, &v, sizeof(v));
}

void
netlink_host32(struct netlink_writer *w, uint16_t type, uint32_t v)
{
	netlink_put(w, type, &v, sizeof(v));
}

void
netlink_nest(struct netlink_writer *w, uint16_t type)
{
	const struct nlattr a = {.nla_type = (uint16_t)(type | NLA_F_NESTED)};

	open_at_end(w);
	fill(w, &a, sizeof(a));
}

/* The outermost is a message, whose length has four bytes. */
void
netlink_end(struct netlink_writer *w)
{
	size_t from, len;
	uint32_t whole;
	uint16_t part;
	char *at;

	CHECK(w->depth > 0);
	from = w->open[--w->depth];
	if (w->e != OK)
		return;
	len = buf_len(w->out) - from;
	at = w->out->mem + w->out->start + from;
	whole = (uint32_t)len;
	part = (uint16_t)len;
	if (w->depth == 0)
		memcpy(at, &whole, sizeof(whole));
	else if (len <= UINT16_MAX)
		memcpy(at, &part, sizeof(part));
	else
		w->e = ERR_LIMIT;
}

enum err
netlink_done(const struct netlink_writer *w)
{
	CHECK(w->depth == 0);
	return w->e;
}

/* --- reading -------------------------------------------------------------- */

/* Cuts `len` bytes off with what fills them up, which may be left out. */
static struct slice
cut(struct slice *rest, size_t len)
{
	struct slice whole = slice_sub(*rest, 0, len);

	*rest = slice_sub(*rest, NLMSG_ALIGN(len), rest->len);
	return whole;
}

enum err
netlink_next(struct slice *rest, struct netlink_message *out)
{
	struct nlmsghdr h;

	if (rest->len == 0)
		return ERR_NOT_FOUND;
	if (rest->len < sizeof(h))
		return ERR_PARSE;
	memcpy(&h, rest->ptr, sizeof(h));
	if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > rest->len)
		return ERR_PARSE;
	out->type = h.nlmsg_type;
	out->flags = h.nlmsg_flags;
	out->seq = h.nlmsg_seq;
	out->body = slice_sub(cut(rest, h.nlmsg_len), sizeof(h), h.nlmsg_len);
	return OK;
}

enum err
netlink_next_attr(struct slice *rest, struct netlink_attr *out)
{
	struct nlattr a;

	if (rest->len == 0)
		return ERR_NOT_FOUND;
	if (rest->len < sizeof(a))
		return ERR_PARSE;
	memcpy(&a, rest->ptr, sizeof(a));
	if (a.nla_len < sizeof(a) || a.nla_len > rest->len)
		return ERR_PARSE;
	out->type = a.nla_type & NLA_TYPE_MASK;
	out->body = slice_sub(cut(rest, a.nla_len), sizeof(a), a.nla_len);
	return OK;
}

struct slice
netlink_find(struct slice attrs, uint16_t type)
{
	struct netlink_attr a;

	while (netlink_next_attr(&attrs, &a) == OK)
		if (a.type == type)
			return a.body;
	return SLICE_NONE;
}

int
netlink_errno(struct slice body)
{
	int32_t error;

	if (body.len < sizeof(error))
		return EPROTO;
	memcpy(&error, body.ptr, sizeof(error));
	if (error > 0 || error == INT32_MIN)
		return EPROTO;
	return -error;
}
