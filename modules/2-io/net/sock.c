/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sock — the stream at the bottom: a TCP or unix socket.
 *
 *	CONNECTING --writable--> UP --close(OK)--> FLUSHING --> fd closed
 *	                          `---- close(else), failure ------^
 *
 * The four calls of a forwarded request (read, write, read, write) are nearly
 * all that a proxy costs: one registration for life, edge-triggered; writes go
 * out at once and wait for writability only when one was short. Reads land in
 * the loop's scratch; an idle socket has no buffer.
 *
 * `readable` remembers an edge that was not read to its end, because reading is
 * paused or the turn's share is spent: then sock_read() goes on by itself.
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "race.h"
#include "socket.h"

enum { PARTS_A_CALL = 64, APPETITE_START = LIMIT_STREAM_BUFFER };

_Static_assert(PARTS_A_CALL <= IOV_MAX, "one sendmsg takes them all");

/* What somebody in between said, or read ahead. */
struct ends {
	struct addr peer;
	struct addr local;
	struct buf unread; /* given back; to be told again first */
};

struct sock {
	struct stream s; /* first */
	struct loop_io io;
	int fd;
	bool connecting;
	bool readable; /* there may be something to read */
	bool corked;   /* writes wait for the turn's end */
	bool flushing; /* closing, once pending is empty */
	bool fin_sent;
	bool secret;       /* bytes are wiped once they are handed on */
	uint8_t broken;    /* enum err: a write failed; what came before is read
			    * first */
	bool was_reset;    /* which that write was told, so no read will be */
	uint32_t appetite; /* most bytes of the next read */
	struct buf pending;
	struct timer *timer; /* connecting or flushing, else NULL */
	struct race *race;   /* for its descriptor, else NULL */
	struct ends *ends;   /* that were said; NULL: the kernel knows */
	struct loop_later reread;
	struct loop_later uncork;
};

/* An idle connection is this, its registration, and nothing more. */
_Static_assert(sizeof(struct sock) < 300, "a socket's state is small");

static const struct stream_ops sock_ops;

static struct sock *
sock_of(struct stream *s)
{
	CHECK(s->ops == &sock_ops);
	return CONTAINER(s, struct sock, s);
}

static const struct sock *
const_sock_of(const struct stream *s)
{
	CHECK(s->ops == &sock_ops);
	return (const struct sock *)s; /* its first member */
}

/* --- ends --- */

static void
stop_timer(struct sock *k)
{
	if (k->timer != NULL)
		timer_clear(k->timer);
	mem_free(&k->timer);
}

static void
start_timer(struct sock *k, uint64_t delay_us, void (*fn)(void *arg))
{
	stop_timer(k);
	k->timer = mem_new(sizeof(*k->timer));
	timer_init(k->timer, k->s.loop, fn, k);
	timer_set(k->timer, delay_us);
}

static void
forget_unread(struct sock *k)
{
	if (k->ends != NULL)
		buf_fini(&k->ends->unread);
}

static bool
has_unread(const struct sock *k)
{
	return k->ends != NULL && buf_len(&k->ends->unread) > 0;
}

/* Everything but the object, which on_close may still look at. */
static void
release(struct sock *k)
{
	stop_timer(k);
	race_cancel(&k->race);
	loop_later_cancel(&k->reread);
	loop_later_cancel(&k->uncork);
	loop_io_close(&k->io);
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	k->readable = false;
	buf_fini(&k->pending);
	forget_unread(k);
}

static void
fail(struct sock *k, enum err why)
{
	release(k);
	stream_fail(&k->s, why);
}

static void
finish(struct sock *k)
{
	release(k);
	stream_finish(&k->s);
}

/* --- reading --- */

static bool
may_read(const struct sock *k)
{
	return k->readable && !k->s.paused && !k->s.ended &&
	       k->s.state == STREAM_OPEN;
}

/* Nothing to read any more; a write that failed is reported only now. */
static void
on_dry(struct sock *k)
{
	k->readable = false;
	if (k->broken != OK && k->s.state == STREAM_OPEN)
		fail(k, k->broken);
}

/* A reset may have come behind the end: reading stops here, so it never told
 * and no edge is left that would. Or the reset was told to a write, and then
 * what a read is told looks like an end. */
static void
on_end(struct sock *k)
{
	int errnum;

	if (!k->was_reset)
		stream_emit_eof(&k->s);
	on_dry(k);
	if (k->s.state != STREAM_OPEN)
		return;
	errnum = socket_error(k->fd);
	if (errnum != 0)
		fail(k, err_from_errno(errnum));
}

/*
 * Large reads are cheap, but what an owner cannot pass on is kept. So they grow
 * with one that takes all that there is, and shrink when it pauses.
 */
static void
learn_appetite(struct sock *k)
{
	if (k->s.paused)
		k->appetite = MAX(k->appetite / 2, (uint32_t)APPETITE_START);
	else
		k->appetite = MIN(k->appetite * 2, (uint32_t)LOOP_SCRATCH_LEN);
}

/*
 * A reset that came in the same event is not told apart from bytes (libevent
 * has no EPOLLERR), and no other edge would tell it. So only EAGAIN says that
 * there is no more, unless the owner waits for nothing.
 */
static void
on_read(struct sock *k, const char *mem, size_t len)
{
	bool whole = len == k->appetite;

	stream_emit_data(&k->s, slice_of(mem, len));
	if (whole || k->s.paused)
		learn_appetite(k);
	if (!whole && k->s.resting && !k->io.ended && k->broken == OK)
		k->readable = false;
}

/* What was given back comes again. Its owner may end the stream. */
static void
read_again(struct sock *k)
{
	struct buf b = k->ends->unread;

	k->ends->unread = BUF(0);
	stream_emit_data(&k->s, buf_slice(&b));
	buf_fini(&b);
}

/* One read, into lent memory that is given back after its owner's call. */
static void
read_once(struct sock *k)
{
	struct loop *l = k->s.loop;
	char *mem = loop_scratch_lend(l);
	bool is_secret = k->secret; /* its owner may end it */
	ssize_t n = recv(k->fd, mem, k->appetite, 0);

	if (n > 0)
		on_read(k, mem, (size_t)n);
	else if (n == 0)
		on_end(k);
	else if (errno == EAGAIN)
		on_dry(k);
	else if (errno != EINTR)
		fail(k, err_from_errno(errno));
	if (n > 0 && is_secret)
		secret_wipe(mem, (size_t)n);
	loop_scratch_return(l, mem);
}

/* A write failed, and its owner reads no more until it is done with writing. */
static bool
is_stuck(const struct sock *k)
{
	return k->broken != OK && (k->s.paused & STREAM_PAUSE_OWNER) &&
	       k->s.state == STREAM_OPEN;
}

static void
sock_read(struct sock *k)
{
	for (int reads = 0; may_read(k); reads++) {
		if (reads == NET_READS_A_TURN) {
			loop_later(k->s.loop, &k->reread);
			return;
		}
		if (has_unread(k))
			read_again(k);
		else
			read_once(k);
	}
	if (is_stuck(k))
		fail(k, k->broken);
}

static void
on_reread(void *arg)
{
	sock_read(arg);
}

/* --- writing --- */

static MUST_USE enum err
keep(struct sock *k, const struct slice *parts, size_t count, size_t skip)
{
	for (size_t i = 0; i < count; i++) {
		struct slice s = parts[i];
		size_t cut = MIN(skip, s.len);
		enum err e;

		skip -= cut;
		e = buf_add(&k->pending, s.ptr + cut, s.len - cut);
		if (e != OK)
			return e;
	}
	return OK;
}

/* How many bytes the kernel took of up to PARTS_A_CALL parts. */
static MUST_USE enum err
send_some(
    struct sock *k, const struct slice *parts, size_t count, size_t *out_sent)
{
	struct iovec iov[PARTS_A_CALL];
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = count};
	ssize_t n;

	for (size_t i = 0; i < count; i++)
		iov[i] = (struct iovec){
		    (void *)(uintptr_t)parts[i].ptr, parts[i].len};
	do
		n = count == 1
			? send(k->fd, parts[0].ptr, parts[0].len, MSG_NOSIGNAL)
			: sendmsg(k->fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN) {
		/* After the peer's end it would be EPIPE (tcp_reset). */
		k->was_reset = errno == ECONNRESET;
		return err_from_errno(errno);
	}
	*out_sent = n < 0 ? 0 : (size_t)n;
	return OK;
}

static size_t
total_of(const struct slice *parts, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += parts[i].len;
	return total;
}

/* Until all is sent or a call was short, which makes an edge follow. */
static MUST_USE enum err
send_parts(
    struct sock *k, const struct slice *parts, size_t count, size_t *out_sent)
{
	*out_sent = 0;
	while (count > 0) {
		size_t some = MIN(count, (size_t)PARTS_A_CALL);
		size_t n = 0;
		enum err e = send_some(k, parts, some, &n);

		if (e != OK)
			return e;
		*out_sent += n;
		if (n < total_of(parts, some))
			return OK;
		parts += some;
		count -= some;
	}
	return OK;
}

/*
 * The write side is gone. What the peer said before it went (an early answer,
 * often) may still be in the kernel: read that first.
 */
static enum err
break_off(struct sock *k, enum err why)
{
	if (k->s.state != STREAM_OPEN || k->s.paused) {
		fail(k, why);
		return why;
	}
	k->broken = (uint8_t)why;
	k->readable = true;
	buf_fini(&k->pending);
	loop_later(k->s.loop, &k->reread);
	return why;
}

/* A turn's writes leave together, or when they are many bytes. */
static bool
is_held(const struct sock *k, const struct slice *parts, size_t count)
{
	size_t waiting = buf_len(&k->pending);

	if (k->connecting)
		return true;
	if (!k->corked)
		return waiting > 0; /* until there is room again */
	return waiting + total_of(parts, count) < k->s.high_mark ||
	       count >= PARTS_A_CALL;
}

/* Sends what waits and the parts behind it; tells how much of the latter. */
static MUST_USE enum err
send_now(
    struct sock *k, const struct slice *parts, size_t count, size_t *out_sent)
{
	struct slice all[PARTS_A_CALL] = {buf_slice(&k->pending)};
	size_t waiting = all[0].len;
	size_t n;
	enum err e;

	if (is_held(k, parts, count))
		return OK;
	if (waiting == 0)
		return send_parts(k, parts, count, out_sent);
	memcpy(all + 1, parts, count * sizeof(*parts));
	e = send_parts(k, all, count + 1, &n);
	if (e != OK)
		return e;
	buf_consume(&k->pending, MIN(n, waiting));
	*out_sent = n - MIN(n, waiting);
	return OK;
}

static enum err
sock_writev(struct stream *s, const struct slice *parts, size_t count)
{
	struct sock *k = sock_of(s);
	size_t sent = 0;
	enum err e;

	if (k->broken != OK)
		return k->broken;
	e = send_now(k, parts, count, &sent);
	if (e != OK)
		return break_off(k, e);
	e = keep(k, parts, count, sent);
	if (e == OK)
		e = stream_mark(s, buf_len(&k->pending));
	if (e != OK && e != ERR_AGAIN)
		fail(k, e);
	return e;
}

static void
send_fin(struct sock *k)
{
	if (!k->s.shut || k->fin_sent || k->connecting)
		return;
	k->fin_sent = true;
	/* It fails only if the connection is gone, which reading tells. */
	(void)shutdown(k->fd, SHUT_WR);
}

/* Empty now: the memory goes back, and what waited for this happens. */
static void
on_flushed(struct sock *k)
{
	buf_fini(&k->pending);
	send_fin(k);
	if (k->flushing)
		finish(k);
}

static void
flush(struct sock *k)
{
	struct slice rest = buf_slice(&k->pending);
	size_t sent = 0;
	enum err e;

	if (k->connecting || k->corked || k->fd < 0)
		return;
	if (rest.len > 0) {
		e = send_parts(k, &rest, 1, &sent);
		if (e != OK) {
			(void)break_off(k, e);
			return;
		}
		buf_consume(&k->pending, sent);
	}
	if (sent == rest.len)
		on_flushed(k);
	stream_emit_drained(&k->s, buf_len(&k->pending));
}

static void
on_uncork(void *arg)
{
	struct sock *k = arg;

	k->corked = false;
	flush(k);
}

static void
sock_cork(struct stream *s)
{
	struct sock *k = sock_of(s);

	k->corked = true;
	loop_later_flush(s->loop, &k->uncork);
}

static void
sock_shutdown(struct stream *s)
{
	struct sock *k = sock_of(s);

	if (buf_len(&k->pending) == 0)
		send_fin(k);
}

static size_t
sock_pending(const struct stream *s)
{
	return buf_len(&const_sock_of(s)->pending);
}

/* --- events --- */

static void
on_connected(struct sock *k)
{
	k->connecting = false;
	stop_timer(k);
	stream_emit_open(&k->s);
	if (k->s.state == STREAM_OPEN)
		flush(k);
}

/* An edge while connecting: up, or the reason why not. */
static void
on_connect_edge(struct sock *k)
{
	int errnum = socket_error(k->fd);

	if (errnum != 0)
		fail(k, err_from_errno(errnum));
	else
		on_connected(k);
}

static void
on_ready(void *arg, bool readable, bool writable)
{
	struct sock *k = arg;
	int errnum;

	k->readable |= readable || k->io.ended;
	if (k->connecting) {
		if (writable)
			on_connect_edge(k);
	} else if (writable && (buf_len(&k->pending) > 0 || k->flushing)) {
		flush(k);
	} else if (readable && writable && (k->s.paused || k->s.ended)) {
		/* A reset is an edge both ways, and nobody reads to see it. */
		errnum = socket_error(k->fd);
		if (errnum != 0)
			fail(k, err_from_errno(errnum));
	}
	sock_read(k);
}

static void
sock_pause(struct stream *s)
{
	(void)s; /* sock_read() looks at the reasons before each read */
}

static void
sock_resume(struct stream *s)
{
	struct sock *k = sock_of(s);

	if (k->readable)
		loop_later(s->loop, &k->reread);
}

static void
on_flush_late(void *arg)
{
	fail(arg, ERR_TIMEOUT);
}

static void
sock_close(struct stream *s, enum err why)
{
	static const struct linger hard = {.l_onoff = 1, .l_linger = 0};
	struct sock *k = sock_of(s);

	loop_later_cancel(&k->reread);
	if (why == OK && buf_len(&k->pending) > 0 && !k->connecting &&
	    k->broken == OK) {
		k->flushing = true;
		start_timer(k, NET_FLUSH_MS * UINT64_C(1000), on_flush_late);
		return; /* flush() finishes, at the next edge or uncork */
	}
	if (why == ERR_RESET)
		/* Where there is nothing to reset it changes nothing. */
		(void)setsockopt(
		    k->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	finish(k);
}

static void
sock_free(struct stream *s)
{
	struct sock *k = CONTAINER(s, struct sock, s);

	release(k);
	mem_free(&k->ends);
	mem_free(&k);
}

static void
sock_peer(const struct stream *s, struct addr *out)
{
	const struct sock *k = const_sock_of(s);

	*out = k->ends != NULL ? k->ends->peer : socket_peer(k->fd);
}

static void
sock_local(const struct stream *s, struct addr *out)
{
	const struct sock *k = const_sock_of(s);

	*out = k->ends != NULL ? k->ends->local : socket_local(k->fd);
}

static const struct stream_ops sock_ops = {
    .name = "socket",
    .writev = sock_writev,
    .shutdown = sock_shutdown,
    .pause = sock_pause,
    .resume = sock_resume,
    .cork = sock_cork,
    .pending = sock_pending,
    .close = sock_close,
    .free = sock_free,
    .peer = sock_peer,
    .local = sock_local,
};

/* --- making them --- */

static struct sock *
sock_new(struct loop *loop, int fd, const struct stream_events *events,
    void *arg, enum stream_state first)
{
	struct sock *k = mem_new(sizeof(*k));

	stream_init(&k->s, &sock_ops, loop, events, arg, first);
	k->fd = fd;
	k->appetite = APPETITE_START;
	/* The high mark bounds it, stream_mark() sees to that. */
	buf_init(&k->pending, SIZE_MAX / 2);
	loop_later_init(&k->reread, on_reread, k);
	loop_later_init(&k->uncork, on_uncork, k);
	return k;
}

static void
watch(struct sock *k)
{
	if (loop_io_open(&k->io, k->s.loop, k->fd, on_ready, k) != OK)
		fail(k, ERR_IO);
}

struct stream *
net_stream_new(
    struct loop *loop, int fd, const struct stream_events *events, void *arg)
{
	struct sock *k = sock_new(loop, fd, events, arg, STREAM_OPEN);

	watch(k);
	return &k->s;
}

void
net_stream_set_ends(
    struct stream *s, const struct addr *peer, const struct addr *local)
{
	struct sock *k = sock_of(s);

	CHECK(!has_unread(k));
	mem_free(&k->ends);
	k->ends = mem_new(sizeof(*k->ends));
	*k->ends = (struct ends){.peer = *peer, .local = *local};
}

void
net_stream_unread(struct stream *s, struct slice bytes)
{
	struct sock *k = sock_of(s);
	struct addr peer = stream_peer(s), local = stream_local(s);

	CHECK(!has_unread(k));
	if (bytes.len == 0)
		return;
	if (k->ends == NULL)
		net_stream_set_ends(s, &peer, &local);
	buf_init(&k->ends->unread, bytes.len);
	CHECK(buf_add_slice(&k->ends->unread, bytes) == OK); /* it is no more */
	k->readable = true;
	loop_later(s->loop, &k->reread);
}

static void
on_connect_late(void *arg)
{
	fail(arg, ERR_TIMEOUT);
}

/* Connected before connect() returned: told from a later, as ever. */
static void
on_connected_already(void *arg)
{
	struct sock *k = arg;

	loop_later_init(&k->reread, on_reread, k);
	watch(k);
	if (k->fd >= 0)
		on_connected(k);
}

static void
dial(struct sock *k, const struct net_connect_spec *spec)
{
	int errnum = socket_connect(k->fd, spec);

	k->connecting = true;
	if (errnum == 0) {
		loop_later_init(&k->reread, on_connected_already, k);
		loop_later(k->s.loop, &k->reread);
		return;
	}
	if (errnum != EINPROGRESS) {
		/* A unix listener's full backlog says EAGAIN. */
		fail(k, errnum == EAGAIN ? ERR_BUSY : err_from_errno(errnum));
		return;
	}
	watch(k);
	if (spec->timeout_us > 0)
		start_timer(k, spec->timeout_us, on_connect_late);
}

static void
on_raced(void *arg, enum err e, int fd)
{
	struct sock *k = arg;

	k->race = NULL;
	k->fd = fd;
	if (e == OK)
		watch(k);
	else
		fail(k, e);
	if (k->fd >= 0)
		on_connected(k);
}

struct stream *
net_connect(struct loop *loop, const struct net_connect_spec *spec,
    const struct stream_events *events, void *arg)
{
	struct sock *k = sock_new(loop, -1, events, arg, STREAM_OPENING);
	enum err e;

	/* Its descriptor may be another's, and have to be waited for. */
	if (spec->other_count > 0 || (spec->options & NET_TRANSPARENT)) {
		k->connecting = true;
		k->race = race_new(loop, spec, on_raced, k);
		return &k->s;
	}
	if (spec->path.len == 0 && spec->addr.family == ADDR_NONE)
		e = ERR_INVALID;
	else
		e = socket_make_client(spec, &k->fd);
	if (e != OK)
		fail(k, e);
	else
		dial(k, spec);
	return &k->s;
}

/* --- the bottom, from anywhere above --- */

int
net_stream_fd(const struct stream *s)
{
	while (s != NULL && s->ops != &sock_ops)
		s = s->below;
	return s == NULL ? -1 : const_sock_of(s)->fd;
}

void
net_stream_set_secret(struct stream *s)
{
	if (s->ops != &sock_ops)
		return;
	sock_of(s)->secret = true;
	sock_of(s)->pending.secret = true;
}

enum err
net_stream_cred(const struct stream *s, struct net_cred *out)
{
	int fd = net_stream_fd(s);
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int domain = 0;
	socklen_t domain_len = sizeof(domain);

	if (fd < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) != 0 ||
	    domain != AF_UNIX ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return ERR_UNSUPPORTED;
	*out = (struct net_cred){cred.uid, cred.gid, cred.pid};
	return OK;
}

uint64_t
net_stream_silence_us(const struct stream *s)
{
	int fd = net_stream_fd(s);
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return UINT64_MAX;
	return UINT64_C(1000) *
	       MIN(info.tcpi_last_ack_recv, info.tcpi_last_data_recv);
}
