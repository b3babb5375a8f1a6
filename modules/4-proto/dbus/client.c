/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client — some calls to the bus, one behind the other.
 *
 *	CONNECT ─► "\0AUTH EXTERNAL uid" ─► "OK …" ─► "BEGIN", Hello, the calls
 *	                                                │
 *	           done ◄── each answer, by its serial ─┘
 *
 * The calls are sent at once, and the bus keeps their order. The first that is
 * refused is what is told.
 */
#define LOG_MODULE "dbus"

#include "dbus.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DBUS_MAGIC = 0x64627573, LINE_MAX_BYTES = 512, HELLO_SERIAL = 1 };

struct dbus {
	uint32_t magic;
	struct loop *loop;
	struct stream *stream; /* NULL once gone */
	struct timer timer;
	struct buf out; /* BEGIN, and all calls */
	struct buf in;
	bool begun;       /* we are known to the bus */
	uint32_t awaited; /* the serial of the next answer */
	uint32_t last;
	uint64_t wait_us;
	bool over;
	enum err e;
	struct fault why;
	void (*done)(void *arg, enum err e, const struct fault *why);
	void *arg;
};

static void
dbus_free(struct dbus *d)
{
	timer_clear(&d->timer);
	buf_fini(&d->out);
	buf_fini(&d->in);
	d->magic = 0;
	mem_free(&d);
}

/* Told when the connection is gone. */
static void
finish(struct dbus *d, enum err e)
{
	if (d->over)
		return;
	d->over = true;
	d->e = e;
	timer_clear(&d->timer);
	stream_close(d->stream, e == OK ? OK : ERR_CANCELLED);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct dbus *d;

	(void)s; /* gone with this call */
	OBJ(d, arg, DBUS_MAGIC);
	d->stream = NULL;
	if (!d->over)
		d->e = fault_set(&d->why, why != OK ? why : ERR_CLOSED,
		    "the message bus of this machine is not there: %s",
		    err_text(why != OK ? why : ERR_CLOSED));
	if (d->done != NULL)
		d->done(d->arg, d->e, &d->why);
	dbus_free(d);
}

static void
on_time(void *arg)
{
	struct dbus *d;

	OBJ(d, arg, DBUS_MAGIC);
	finish(d, fault_set(&d->why, ERR_TIMEOUT,
		      "the message bus did not answer within %" PRIu64 " s",
		      d->wait_us / 1000000));
}

static void
on_message(struct dbus *d, const struct dbus_message *m)
{
	if (m->reply_serial != d->awaited ||
	    (m->type != DBUS_RETURN && m->type != DBUS_ERROR))
		return; /* a signal, or nothing that we asked */
	if (m->type == DBUS_ERROR) {
		finish(d, fault_set(&d->why, ERR_DENIED, "%.*s (%.*s)",
			      SLICE_ARG(slice_sub(m->text, 0, 200)),
			      SLICE_ARG(slice_sub(m->error_name, 0, 100))));
		return;
	}
	if (d->awaited++ == d->last)
		finish(d, OK);
}

/* "OK" and more, once: who says anything else does not let us in. */
static bool
take_line(struct dbus *d)
{
	struct slice got = buf_slice(&d->in);
	size_t len = slice_find(got, '\n');

	if (len == got.len) {
		if (len > LINE_MAX_BYTES)
			finish(d, fault_set(&d->why, ERR_PROTOCOL,
				      "that is no message bus"));
		return false;
	}
	if (!slice_starts(got, S("OK "))) {
		finish(d, fault_set(&d->why, ERR_DENIED,
			      "the message bus does not let us in"));
		return false;
	}
	buf_consume(&d->in, len + 1);
	d->begun = true;
	if (stream_write(d->stream, buf_slice(&d->out)) != OK)
		finish(d, fault_set(&d->why, ERR_IO,
			      "the message bus takes nothing"));
	return true;
}

static bool
take_message(struct dbus *d)
{
	struct dbus_message m;
	size_t len;
	enum err e = dbus_message_read(buf_slice(&d->in), &m, &len);

	if (e == ERR_AGAIN)
		return false;
	if (e != OK) {
		finish(d, fault_set(&d->why, e,
			      "the message bus says what nobody understands"));
		return false;
	}
	on_message(d, &m);
	buf_consume(&d->in, len);
	return true;
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	struct dbus *d;

	(void)s; /* d->stream */
	OBJ(d, arg, DBUS_MAGIC);
	while (data.len > 0 && !d->over) {
		/* A part at a time, so that what is whole makes room. */
		struct slice part = slice_sub(data, 0, LINE_MAX_BYTES);

		if (buf_add_slice(&d->in, part) != OK)
			finish(d, fault_set(&d->why, ERR_LIMIT,
				      "the message bus says too much"));
		data = slice_sub(data, part.len, data.len);
		while (!d->over && (d->begun ? take_message(d) : take_line(d)))
			;
	}
}

static const struct stream_events events = {
    .on_data = on_data,
    .on_close = on_close,
};

/* --- opening -------------------------------------------------------------- */

static enum err
write_calls(struct dbus *d, const struct dbus_call *calls, size_t count)
{
	static const struct dbus_call hello = {
	    .destination = "org.freedesktop.DBus",
	    .path = "/org/freedesktop/DBus",
	    .interface = "org.freedesktop.DBus",
	    .member = "Hello",
	    .signature = ""};
	enum err e = buf_add_slice(&d->out, S("BEGIN\r\n"));

	if (e == OK)
		e = dbus_call_write(&hello, HELLO_SERIAL, &d->out);
	for (size_t i = 0; e == OK && i < count; i++)
		e = dbus_call_write(
		    &calls[i], (uint32_t)(HELLO_SERIAL + 1 + i), &d->out);
	d->awaited = HELLO_SERIAL;
	d->last = (uint32_t)(HELLO_SERIAL + count);
	return e;
}

/* A zero byte, then who we are in hexadecimal digits of decimal ones. */
static struct slice
introduce(char out[64])
{
	char uid[16];
	size_t len = 1;

	(void)snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
	out[0] = '\0';
	len += (size_t)snprintf(out + 1, 63, "AUTH EXTERNAL ");
	for (const char *p = uid; *p != '\0'; p++)
		len +=
		    (size_t)snprintf(out + len, 64 - len, "%02x", (unsigned)*p);
	len += (size_t)snprintf(out + len, 64 - len, "\r\n");
	return slice_of(out, len);
}

const char *
dbus_system_bus(void)
{
	static const char by_path[] = "unix:path=";
	const char *told = getenv("DBUS_SYSTEM_BUS_ADDRESS");

	if (told != NULL && strncmp(told, by_path, sizeof(by_path) - 1) == 0)
		return told + sizeof(by_path) - 1;
	return DBUS_SYSTEM_BUS;
}

enum err
dbus_run(struct loop *l, const char *socket_path, const struct dbus_call *calls,
    size_t count, uint64_t wait_us,
    void (*done)(void *arg, enum err e, const struct fault *why), void *arg,
    struct dbus **out)
{
	struct net_connect_spec spec = NET_CONNECT_SPEC;
	struct dbus *d = mem_new(sizeof(*d));
	char hello[64];
	enum err e;

	CHECK(count <= DBUS_CALLS_MAX);
	d->magic = DBUS_MAGIC;
	d->loop = l;
	d->wait_us = wait_us;
	d->done = done;
	d->arg = arg;
	buf_init(&d->out, 2 * DBUS_MESSAGE_MAX);
	buf_init(&d->in, 2 * DBUS_MESSAGE_MAX);
	timer_init(&d->timer, l, on_time, d);
	e = write_calls(d, calls, count);
	if (e != OK) {
		dbus_free(d);
		return e;
	}
	spec.path = slice_str(socket_path);
	spec.options = 0;
	d->stream = net_connect(l, &spec, &events, d);
	timer_set(&d->timer, wait_us);
	if (stream_write(d->stream, introduce(hello)) != OK)
		log_debug("the message bus takes nothing", "path=%s",
		    socket_path); /* on_close() tells it */
	*out = d;
	return OK;
}

void
dbus_cancel(struct dbus **dp)
{
	struct dbus *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	d->done = NULL;
	finish(d, ERR_CANCELLED);
}
