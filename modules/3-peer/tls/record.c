/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record — plaintext to records and back.
 *
 * What a turn writes is sealed at its end, in as few records as it fits; what
 * fills a whole record is sealed at once, without a copy if nothing waits. The
 * layer below takes every record, and says when it has enough: then plaintext
 * waits here. Received bytes are read where they lie; only what a paused owner
 * leaves over is copied.
 */
#include <mbedtls/ssl.h>

#include "session.h"

enum {
	RECORD_MAX = 16 << 10,      /* RFC 8446 §5.1 */
	SEALED_MAX = RECORD_MAX - 1 /* the library counts the type, too */
};

/* --- what the library calls --- */

int
record_send(void *arg, const unsigned char *bytes, size_t len)
{
	struct tls *t = arg;
	enum err e;

	if (t->s.below == NULL)
		return MBEDTLS_ERR_SSL_CONN_EOF;
	/* A turn's records leave in one call. */
	stream_cork(t->s.below);
	e = stream_write(t->s.below, slice_of(bytes, len));
	if (e == ERR_AGAIN)
		t->below_full = true;
	else if (e != OK)
		return MBEDTLS_ERR_SSL_CONN_EOF;
	return (int)MIN(len, (size_t)INT32_MAX);
}

int
record_recv(void *arg, unsigned char *out, size_t len)
{
	struct tls *t = arg;
	struct slice from = buf_slice(&t->in);
	size_t n;

	if (from.len == 0)
		from = t->lent;
	n = MIN(len, from.len);
	if (n == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	memcpy(out, from.ptr, n);
	if (buf_len(&t->in) > 0) {
		buf_consume(&t->in, n);
		if (buf_len(&t->in) == 0)
			buf_fini(&t->in);
	} else {
		t->lent = slice_sub(t->lent, n, t->lent.len);
	}
	return (int)n;
}

void
record_stash(struct tls *t)
{
	struct slice rest = t->lent;

	t->lent = SLICE_NONE;
	if (rest.len > 0 && t->s.below != NULL && !stream_is_closing(&t->s) &&
	    !t->s.ended && buf_add_slice(&t->in, rest) != OK)
		tls_fail(t, ERR_LIMIT, "too many bytes came while paused");
}

/* --- reading --- */

bool
record_waits(const struct tls *t)
{
	return t->lent.len > 0 || buf_len(&t->in) > 0;
}

/* The peer's end of the connection came before its end of the data. */
static void
on_truncated(struct tls *t)
{
	tls_fail(t, ERR_RESET,
	    "the peer closed the connection without saying so first "
	    "(close_notify): data may be missing");
}

/* Returns false if there is nothing to go on with. */
static bool
on_read_code(struct tls *t, int code)
{
	switch (code) {
	case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
		return true; /* we never resume */
	case MBEDTLS_ERR_SSL_WANT_READ:
	case MBEDTLS_ERR_SSL_WANT_WRITE:
		if (record_waits(t))
			return true; /* a message that was no data */
		if (t->below_ended)
			on_truncated(t);
		return false;
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
		stream_emit_eof(&t->s);
		buf_fini(&t->in); /* nothing may come behind it */
		return false;
	default:
		tls_fail_code(t, code);
		return false;
	}
}

static bool
may_read(const struct tls *t)
{
	return stream_is_open(&t->s) && !t->s.ended && !stream_is_paused(&t->s);
}

/* Fills `room` with as many records as fit; hands them up as one slice. */
static bool
read_some(struct tls *t, char *room)
{
	size_t used = 0;
	int code = 0;

	while (LOOP_SCRATCH_LEN - used >= RECORD_MAX) {
		code = mbedtls_ssl_read(&t->ssl, (unsigned char *)room + used,
		    LOOP_SCRATCH_LEN - used);
		if (code <= 0)
			break;
		used += (size_t)code;
	}
	stream_emit_data(&t->s, slice_of(room, used));
	if (code > 0)
		return true;
	/* The owner may have closed, or paused behind the last bytes. */
	if (!stream_is_open(&t->s))
		return false;
	return on_read_code(t, code == 0 ? MBEDTLS_ERR_SSL_WANT_READ : code);
}

void
record_read(struct tls *t)
{
	char *room;

	if (!may_read(t) || (!record_waits(t) && !t->below_ended))
		return;
	idle_attach(t);
	room = loop_scratch_lend(t->s.loop);
	while (may_read(t) && read_some(t, room))
		continue;
	loop_scratch_return(t->s.loop, room);
	idle_detach(t);
}

/* --- writing --- */

/* Returns how many bytes went into a record; 0 if it failed. */
static size_t
seal(struct tls *t, struct slice bytes)
{
	int n = mbedtls_ssl_write(
	    &t->ssl, (const unsigned char *)bytes.ptr, bytes.len);

	if (n > 0)
		return (size_t)n;
	tls_fail_code(t, n);
	return 0;
}

/* Seals what waits while at least `least` bytes do. */
static void
seal_waiting(struct tls *t, size_t least)
{
	idle_attach(t);
	while (buf_len(&t->out) >= least && !t->below_full) {
		size_t n = seal(t, buf_slice(&t->out));

		if (n == 0)
			return;
		buf_consume(&t->out, n);
	}
	if (buf_len(&t->out) == 0)
		buf_fini(&t->out);
}

static void
say_end(struct tls *t)
{
	idle_attach(t);
	t->notified = true;
	if (mbedtls_ssl_close_notify(&t->ssl) != 0)
		tls_fail(t, ERR_RESET, "the connection broke at its end");
}

void
record_flush(struct tls *t)
{
	bool closing = t->s.state == STREAM_CLOSING;

	if (t->s.below == NULL || t->shake != NULL)
		return;
	seal_waiting(t, 1);
	if (t->s.below == NULL) /* it failed */
		return;
	if (buf_len(&t->out) == 0 && !t->notified && (t->s.shut || closing)) {
		say_end(t);
		if (t->s.below == NULL)
			return;
		if (closing)
			stream_close(t->s.below, OK);
		else
			stream_shutdown(t->s.below);
	}
	idle_detach(t);
	stream_emit_drained(&t->s, buf_len(&t->out));
}

/*
 * Fills up the record that waits and seals it, so that what follows need not
 * go through the buffer. Returns what is left of `part`.
 */
static struct slice
top_up(struct tls *t, struct slice part)
{
	size_t waiting = buf_len(&t->out);
	size_t room = SEALED_MAX - MIN(waiting, (size_t)SEALED_MAX);

	if (waiting == 0 || part.len < room || t->below_full)
		return part;
	if (buf_add(&t->out, part.ptr, room) != OK)
		return part; /* the caller will see the same */
	seal_waiting(t, 1);
	return slice_sub(part, room, part.len);
}

/* Whole records out of `part`, past the buffer; returns what is left. */
static struct slice
seal_direct(struct tls *t, struct slice part)
{
	while (part.len >= SEALED_MAX && !t->below_full) {
		size_t n;

		idle_attach(t);
		n = seal(t, part);
		if (n == 0)
			break;
		part = slice_sub(part, n, part.len);
	}
	return part;
}

enum err
record_writev(struct stream *s, const struct slice *parts, size_t count)
{
	struct tls *t = (struct tls *)s;
	bool ready = stream_is_open(s) && t->shake == NULL;

	for (size_t i = 0; i < count; i++) {
		struct slice part = parts[i];

		if (ready)
			part = top_up(t, part);
		if (ready && buf_len(&t->out) == 0 && !stream_is_closing(s))
			part = seal_direct(t, part);
		if (stream_is_closing(s))
			return ERR_CLOSED;
		if (buf_add_slice(&t->out, part) != OK)
			return ERR_LIMIT;
		if (ready && buf_len(&t->out) >= SEALED_MAX)
			seal_waiting(t, SEALED_MAX);
		if (stream_is_closing(s))
			return ERR_CLOSED;
	}
	if (ready)
		loop_later_flush(s->loop, &t->flush);
	return stream_mark(s, buf_len(&t->out));
}
