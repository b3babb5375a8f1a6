/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink — messages and attributes (netlink(7)), written into a buffer and
 * read from bytes, each within its bounds. Numbers are of the machine's order
 * where the kernel has them so, else in network order.
 */
#ifndef MESHD_CAPTURE_NETLINK_H
#define MESHD_CAPTURE_NETLINK_H

#include "base/base.h"

enum { NETLINK_DEPTH = 8 };

/* A failure sticks; it is told by netlink_done(). */
struct netlink_writer {
	struct buf *out; /* empty before */
	enum err e;
	size_t open[NETLINK_DEPTH]; /* offsets of what is not closed */
	size_t depth;
};

/* A message with `len` bytes of its family's header; closed by _end(). */
void netlink_begin(struct netlink_writer *w, uint16_t type, uint16_t flags,
    uint32_t seq, const void *header, size_t len);

void netlink_put(
    struct netlink_writer *w, uint16_t type, const void *bytes, size_t len);
void netlink_text(struct netlink_writer *w, uint16_t type, const char *text);
void netlink_be32(struct netlink_writer *w, uint16_t type, uint32_t v);
void netlink_be64(struct netlink_writer *w, uint16_t type, uint64_t v);
void netlink_host32(struct netlink_writer *w, uint16_t type, uint32_t v);
/* One of more attributes; closed by _end(). */
void netlink_nest(struct netlink_writer *w, uint16_t type);
void netlink_end(struct netlink_writer *w);

MUST_USE enum err netlink_done(const struct netlink_writer *w);

struct netlink_message {
	uint16_t type;
	uint16_t flags;
	uint32_t seq;
	struct slice body; /* behind the header */
};

struct netlink_attr {
	uint16_t type; /* without the bits that say how it is meant */
	struct slice body;
};

/* The next one, cut off *rest. ERR_NOT_FOUND: none is left; ERR_PARSE. */
MUST_USE enum err netlink_next(struct slice *rest, struct netlink_message *out);
MUST_USE enum err netlink_next_attr(
    struct slice *rest, struct netlink_attr *out);

/* The first attribute of that type; SLICE_NONE if there is none. */
struct slice netlink_find(struct slice attrs, uint16_t type);

/* What an error message says, as an errno; 0 is none, and what is no such
 * message is EPROTO. */
int netlink_errno(struct slice body);

#endif
