/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record — plaintext to records and back.
 *
 * Bytes are sealed from where their owner has them into a scratch of the loop,
 * as many records as it holds, and go to the layer below in one call; received
 * records are opened from where they lie into another. Only small pieces are
 * gathered first, for the records of a turn to be few, and only what a paused
 * owner leaves over is kept. What is no application data goes through the
 * library's own buffers, as does a record that came in two reads.
 *
 * The layer below takes every record, and says when it has enough: then
 * plaintext waits here.
 */
#include <mbedtls/ssl.h>

#include "session.h"

enum {
	RECORD_MAX = 16 << 10, /* RFC 8446 §5.1 */
	/* Of one key. AES-GCM bears 2^24.5 full records, RFC 8446 §5.5. */
	RECORDS_MAX = 1 << 23
};

_Static_assert(RECORD_MAX == MBEDTLS_SSL_OUT_CONTENT_LEN, "one of ours");
_Static_assert(RECORD_MAX + MBEDTLS_SSL_SEAL_OVERHEAD <= LOOP_SCRATCH_LEN,
    "a scratch holds a record");

/* Their sequence number counts the records of a key. */
static uint64_t
count_of(const unsigned char number[MBEDTLS_SSL_SEQUENCE_NUMBER_LEN])
{
	struct reader r =
	    READER(slice_of(number, MBEDTLS_SSL_SEQUENCE_NUMBER_LEN));

	return reader_u64(&r);
}

uint64_t
record_count(const struct tls *t)
{
	/* That of what comes in lies in its record buffer, if it has one. */
	const unsigned char *in = t->attached
				      ? t->ssl.MBEDTLS_PRIVATE(in_ctr)
				      : t->ssl.MBEDTLS_PRIVATE(idle_in_ctr);

	return MAX(count_of(in), count_of(t->ssl.MBEDTLS_PRIVATE(cur_out_ctr)));
}

/* --- what the library calls --- */

/* A turn's records leave in one call. False: the connection is broken. */
static bool
send_below(struct tls *t, struct slice records)
{
	enum err e;

	if (t->s.below == NULL)
		return false;
	stream_cork(t->s.below);
	e = stream_write(t->s.below, records);
	t->below_full |= e == ERR_AGAIN;
	return e == OK || e == ERR_AGAIN;
}

int
record_send(void *arg, const unsigned char *bytes, size_t len)
{
	if (!send_below(arg, slice_of(bytes, len)))
		return MBEDTLS_ERR_SSL_CONN_EOF;
	return (int)MIN(len, (size_t)INT32_MAX);
}

/* What came and was not read: older bytes first. */
static struct slice
received(const struct tls *t)
{
	return buf_len(&t->in) > 0 ? buf_slice(&t->in) : t->lent;
}

static void
take(struct tls *t, size_t n)
{
	if (buf_len(&t->in) == 0) {
		t->lent = slice_sub(t->lent, n, t->lent.len);
		return;
	}
	buf_consume(&t->in, n);
	if (buf_len(&t->in) == 0)
		buf_fini(&t->in);
}

int
record_recv(void *arg, unsigned char *out, size_t len)
{
	struct tls *t = arg;
	struct slice from = received(t);
	size_t n = MIN(len, from.len);

	if (n == 0)
		return MBEDTLS_ERR_SSL_WANT_READ;
	memcpy(out, from.ptr, n);
	take(t, n);
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

/* A ticket has come; the next call looks at it. */
static bool
has_message(const struct tls *t)
{
	return t->ssl.MBEDTLS_PRIVATE(state) != MBEDTLS_SSL_HANDSHAKE_OVER;
}

/* Returns false if there is nothing to go on with. */
static bool
on_read_code(struct tls *t, int code)
{
	switch (code) {
	case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
		resume_keep(t);
		return true;
	case MBEDTLS_ERR_SSL_WANT_READ:
	case MBEDTLS_ERR_SSL_WANT_WRITE:
		if (record_waits(t) || has_message(t))
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

/* The next record's data; a code of the library if there is none. */
static int
read_record(struct tls *t, unsigned char *out, size_t size)
{
	struct slice from = received(t);
	size_t used, n;
	int code = mbedtls_ssl_open(&t->ssl, (const unsigned char *)from.ptr,
	    from.len, out, size, &used, &n);

	if (code == 0) {
		take(t, used);
		return (int)n;
	}
	if (code != MBEDTLS_ERR_SSL_WANT_READ)
		return code;
	idle_attach(t);
	return mbedtls_ssl_read(&t->ssl, out, size);
}

/* Fills `room` with as many records as fit; hands them up as one slice. */
static bool
read_some(struct tls *t, char *room)
{
	size_t used = 0;
	int code = 0;

	while (LOOP_SCRATCH_LEN - used >= RECORD_MAX) {
		code = read_record(
		    t, (unsigned char *)room + used, LOOP_SCRATCH_LEN - used);
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
	room = loop_scratch_lend(t->s.loop);
	while (may_read(t) && read_some(t, room))
		continue;
	loop_scratch_return(t->s.loop, room);
	idle_detach(t);
}

/* --- writing --- */

/* Records on their way to the layer below, in a scratch of the loop. */
struct wire {
	struct tls *t;
	char *mem; /* NULL: nothing was sealed */
	size_t len;
};

static void
wire_send(struct wire *w)
{
	struct slice records = slice_of(w->mem, w->len);

	w->len = 0;
	if (records.len > 0 && !send_below(w->t, records))
		tls_fail_code(w->t, MBEDTLS_ERR_SSL_CONN_EOF);
}

static void
wire_end(struct wire *w)
{
	wire_send(w);
	if (w->mem != NULL)
		loop_scratch_return(w->t->s.loop, w->mem);
}

/* By the library, because something of its own goes first: a KeyUpdate. */
static int
write_behind(struct wire *w, const unsigned char *bytes, size_t n)
{
	wire_send(w);
	if (w->t->s.below == NULL)
		return MBEDTLS_ERR_SSL_CONN_EOF;
	idle_attach(w->t);
	return mbedtls_ssl_write(&w->t->ssl, bytes, n);
}

/* Peers look after their own keys, as we do after ours. */
static void
renew_worn_keys(struct tls *t)
{
	if (count_of(t->ssl.MBEDTLS_PRIVATE(cur_out_ctr)) >= RECORDS_MAX)
		CHECK(mbedtls_ssl_send_key_update(&t->ssl, /* ask */ 0) == 0);
}

/* Returns how many bytes went into a record; 0 if it failed. */
static size_t
seal(struct wire *w, struct slice bytes)
{
	const unsigned char *from = (const unsigned char *)bytes.ptr;
	size_t n = MIN(bytes.len, (size_t)RECORD_MAX);
	size_t size = n + MBEDTLS_SSL_SEAL_OVERHEAD;
	int code;

	if (w->mem == NULL)
		w->mem = loop_scratch_lend(w->t->s.loop);
	if (LOOP_SCRATCH_LEN - w->len < size)
		wire_send(w);
	renew_worn_keys(w->t);
	code = mbedtls_ssl_seal(
	    &w->t->ssl, from, n, (unsigned char *)w->mem + w->len);
	if (code == 0) {
		w->len += size;
		return n;
	}
	if (code == MBEDTLS_ERR_SSL_WANT_WRITE)
		code = write_behind(w, from, n);
	if (code > 0)
		return (size_t)code;
	tls_fail_code(w->t, code);
	return 0;
}

/* As many records as it takes while there is room below; what is left. */
static struct slice
seal_all(struct wire *w, struct slice bytes, size_t least)
{
	while (
	    bytes.len >= least && !w->t->below_full && w->t->s.below != NULL) {
		size_t n = seal(w, bytes);

		if (n == 0)
			break;
		bytes = slice_sub(bytes, n, bytes.len);
	}
	return bytes;
}

/* Seals what waits while at least `least` bytes do. */
static void
seal_waiting(struct wire *w, size_t least)
{
	struct tls *t = w->t;
	size_t waiting = buf_len(&t->out);

	if (waiting > 0)
		buf_consume(&t->out,
		    waiting - seal_all(w, buf_slice(&t->out), least).len);
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

/* What its owner wrote and the network has not: here, or below if too much. */
static size_t
waiting(const struct tls *t)
{
	return buf_len(&t->out) +
	       (t->below_full ? stream_pending(t->s.below) : 0);
}

void
record_flush(struct tls *t)
{
	bool closing = t->s.state == STREAM_CLOSING;
	struct wire w = {.t = t};

	if (t->s.below == NULL || t->shake != NULL)
		return;
	seal_waiting(&w, 1);
	wire_end(&w);
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
	stream_emit_drained(&t->s, waiting(t));
}

/* What fills a record goes at once, behind what waits; else it waits, too. */
static enum err
put(struct wire *w, struct slice part)
{
	struct tls *t = w->t;

	if (part.len >= RECORD_MAX) {
		seal_waiting(w, 1);
		part = seal_all(w, part, 1);
	}
	if (buf_add_slice(&t->out, part) != OK)
		return ERR_LIMIT;
	seal_waiting(w, RECORD_MAX);
	return stream_is_closing(&t->s) ? ERR_CLOSED : OK;
}

enum err
record_writev(struct stream *s, const struct slice *parts, size_t count)
{
	struct tls *t = (struct tls *)s;
	bool ready = stream_is_open(s) && t->shake == NULL;
	struct wire w = {.t = t};
	enum err e = OK;

	for (size_t i = 0; i < count && e == OK; i++)
		e = ready ? put(&w, parts[i])
			  : buf_add_slice(&t->out, parts[i]);
	wire_end(&w);
	if (stream_is_closing(s))
		return ERR_CLOSED;
	if (e != OK)
		return e;
	if (ready)
		loop_later_flush(s->loop, &t->flush);
	return stream_mark(s, waiting(t));
}
