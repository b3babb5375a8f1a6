/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dbus — calls to services of the machine over its message bus.
 *
 * As much of D-Bus as a caller needs: calls with their arguments, what came
 * back, and a client that makes some calls, one behind the other. What is read
 * is bounded and only as deep as an answer to a call has to be understood.
 */
#ifndef MESHD_DBUS_H
#define MESHD_DBUS_H

#include "base/base.h"
#include "loop/loop.h"
#include "net/net.h"

#define DBUS_SYSTEM_BUS "/run/dbus/system_bus_socket"

enum {
	DBUS_MESSAGE_MAX = 64 << 10, /* that is read; the bus allows 128 MiB */
	DBUS_CALLS_MAX = 8
};

/* --- messages: pure ------------------------------------------------------- */

struct dbus_call {
	const char *destination; /* "org.freedesktop.resolve1" */
	const char *path;
	const char *interface;
	const char *member;
	const char *signature; /* "" without arguments */
	struct slice body;     /* the arguments, by the functions below */
};

/* Arguments, one behind the other, each where it has to lie. ERR_LIMIT. */
MUST_USE enum err dbus_put_u16(struct buf *b, uint16_t v);
MUST_USE enum err dbus_put_u32(struct buf *b, uint32_t v); /* and INT32 */
MUST_USE enum err dbus_put_bool(struct buf *b, bool v);
MUST_USE enum err dbus_put_text(struct buf *b, struct slice text);
MUST_USE enum err dbus_put_bytes(struct buf *b, struct slice bytes); /* ay */
MUST_USE enum err dbus_put_struct(struct buf *b); /* its members follow */

/* Elements follow that lie at multiples of `align`, up to the end. */
struct dbus_array {
	size_t length_at;
	size_t first;
};

MUST_USE enum err dbus_begin_array(
    struct buf *b, size_t align, struct dbus_array *out);
void dbus_end_array(struct buf *b, const struct dbus_array *a);

/* The whole message, behind what `out` has. ERR_LIMIT. */
MUST_USE enum err dbus_call_write(
    const struct dbus_call *c, uint32_t serial, struct buf *out);

enum dbus_type { DBUS_CALL = 1, DBUS_RETURN, DBUS_ERROR, DBUS_SIGNAL };

struct dbus_message {
	uint8_t type;
	uint32_t reply_serial;   /* of the call; 0: it answers none */
	struct slice error_name; /* borrowed, as what follows */
	struct slice text;       /* the first argument, if that is a text */
};

/* ERR_AGAIN: it is not whole; ERR_PARSE; ERR_LIMIT: it is too long. */
MUST_USE enum err dbus_message_read(
    struct slice bytes, struct dbus_message *out, size_t *out_len);

/* --- a client ------------------------------------------------------------- */

struct dbus; /* opaque */

/* The machine's bus, as libdbus's callers find it. */
const char *dbus_system_bus(void);

/*
 * Connects as the user that this process is, and makes the calls; they are
 * copied. done() once, never before this returns: OK when all were answered,
 * else why the first was not, in words; that they were not within `wait_us`, of
 * all of them, is one reason. ERR_LIMIT: too much to say.
 */
MUST_USE enum err dbus_run(struct loop *l, const char *socket_path,
    const struct dbus_call *calls, size_t count, uint64_t wait_us,
    void (*done)(void *arg, enum err e, const struct fault *why), void *arg,
    struct dbus **out);

/* No call comes after; *dp becomes NULL. Not after done(). */
void dbus_cancel(struct dbus **dp);

#endif
