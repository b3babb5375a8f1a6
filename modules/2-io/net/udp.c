/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp — datagrams in batches: one call for what a turn brought or sends.
 *
 * Those that follow one another to one address and are as long go through the
 * kernel as one, which cuts them at its end (UDP_SEGMENT): answers to who asked
 * many questions at once cost half.
 *
 * The queue of what is to leave holds whole packets, each behind a head, and
 * exists only while it is not empty. A full queue drops: that is what networks
 * do, and whoever needs more has its own repair.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "socket.h"

enum {
	/* So that first bytes of packets do not meet in one line of a cache. */
	ROOM = NET_UDP_PACKET_MAX + 64,
	CUT_MAX = 1200 /* what is longer may be longer than the path takes */
};

_Static_assert(NET_UDP_BATCH *CUT_MAX < 65000, "the kernel takes no more");

_Static_assert(
    NET_UDP_BATCH *ROOM <= LOOP_SCRATCH_LEN, "a batch fits the scratch");

/* Before each queued packet. */
struct head {
	struct addr to;
	uint32_t len;
};

struct net_udp {
	struct loop *loop;
	const struct net_udp_events *events;
	void *arg;
	struct net_socket_request *request; /* while asking */
	int fd;
	struct loop_io io;
	bool readable;
	bool blocked;    /* the kernel takes no more until the next edge */
	bool one_by_one; /* it does not cut */
	bool closing;
	enum err why;
	struct fault words;
	struct buf queue;
	struct loop_later again; /* the batch was not all */
	struct loop_later flush;
	struct loop_later gone;
};

static void
close_with(struct net_udp *u, enum err why)
{
	if (u->closing)
		return;
	u->closing = true;
	u->why = why;
	net_socket_cancel(&u->request);
	loop_later_cancel(&u->again);
	loop_later_cancel(&u->flush);
	loop_io_close(&u->io);
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
	buf_fini(&u->queue);
	loop_later(u->loop, &u->gone);
}

static void
on_gone(void *arg)
{
	struct net_udp *u = arg;
	bool has_words = u->words.text[0] != '\0';

	u->events->on_close(u, u->arg, u->why, has_words ? &u->words : NULL);
	mem_free(&u);
}

/* --- receiving --- */

struct batch {
	struct mmsghdr msgs[NET_UDP_BATCH];
	struct iovec iov[NET_UDP_BATCH];
	struct sockaddr_storage names[NET_UDP_BATCH];
	/* Of what is sent: how each message is cut. */
	_Alignas(struct cmsghdr) char cuts[NET_UDP_BATCH]
					  [CMSG_SPACE(sizeof(uint16_t))];
};

static void
batch_prepare(struct batch *b, char *mem)
{
	memset(b->msgs, 0, sizeof(b->msgs));
	for (size_t i = 0; i < NET_UDP_BATCH; i++) {
		struct msghdr *m = &b->msgs[i].msg_hdr;

		b->iov[i] = (struct iovec){mem + i * ROOM, NET_UDP_PACKET_MAX};
		m->msg_iov = &b->iov[i];
		m->msg_iovlen = 1;
		m->msg_name = &b->names[i];
		m->msg_namelen = sizeof(b->names[i]);
	}
}

static void
deliver(struct net_udp *u, const struct mmsghdr *m)
{
	const struct msghdr *h = &m->msg_hdr;
	struct addr from;

	if (h->msg_flags & MSG_TRUNC)
		return;
	if (addr_from_sockaddr(h->msg_name, h->msg_namelen, &from) != OK)
		return;
	u->events->on_packet(
	    u, u->arg, &from, slice_of(h->msg_iov->iov_base, m->msg_len));
}

/* An ICMP answer to what we sent before is no error of ours. */
static bool
is_passing(int errnum)
{
	return errnum == ECONNREFUSED || errnum == EHOSTUNREACH ||
	       errnum == ENETUNREACH || errnum == EINTR;
}

static void
receive_batch(struct net_udp *u, char *mem)
{
	struct batch b;
	int n;

	batch_prepare(&b, mem);
	n = recvmmsg(u->fd, b.msgs, NET_UDP_BATCH, 0, NULL);
	if (n < NET_UDP_BATCH)
		u->readable = false;
	if (n < 0 && is_passing(errno))
		u->readable = true;
	else if (n < 0 && errno != EAGAIN)
		close_with(u, err_from_errno(errno));
	for (int i = 0; i < n && !u->closing; i++)
		deliver(u, &b.msgs[i]);
}

static void
receive(struct net_udp *u)
{
	struct loop *l = u->loop;
	char *mem = loop_scratch_lend(l);

	for (int i = 0; u->readable && !u->closing; i++) {
		if (i == NET_READS_A_TURN) {
			loop_later(l, &u->again);
			break;
		}
		receive_batch(u, mem);
	}
	loop_scratch_return(l, mem);
}

static void
on_again(void *arg)
{
	receive(arg);
}

/* --- sending --- */

/* One more packet in the message, to be cut off it. */
static void
cut(struct msghdr *m, size_t each, char room[CMSG_SPACE(sizeof(uint16_t))])
{
	uint16_t size = (uint16_t)each;
	struct cmsghdr *c;

	m->msg_iovlen++;
	m->msg_control = room;
	m->msg_controllen = CMSG_SPACE(sizeof(size));
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
}

/* The next queued packets as messages; how many. */
static int
batch_fill(const struct net_udp *u, struct batch *b)
{
	struct slice queue = buf_slice(&u->queue);
	struct head h, last = {.len = 0};
	struct msghdr *m = NULL;
	size_t packets = 0;
	int n = 0;

	memset(b->msgs, 0, sizeof(b->msgs));
	for (; packets < NET_UDP_BATCH && queue.len > 0; packets++, last = h) {
		memcpy(&h, queue.ptr, sizeof(h));
		queue = slice_sub(queue, sizeof(h), queue.len);
		b->iov[packets] =
		    (struct iovec){(void *)(uintptr_t)queue.ptr, h.len};
		queue = slice_sub(queue, h.len, queue.len);
		if (m != NULL && !u->one_by_one && h.len == last.len &&
		    h.len > 0 && h.len <= CUT_MAX && addr_eq(&h.to, &last.to)) {
			cut(m, h.len, b->cuts[n - 1]);
			continue;
		}
		m = &b->msgs[n].msg_hdr;
		m->msg_iov = &b->iov[packets];
		m->msg_iovlen = 1;
		m->msg_name = &b->names[n];
		m->msg_namelen =
		    addr_to_sockaddr(&h.to, (struct sockaddr *)&b->names[n]);
		n++;
	}
	return n;
}

static void
drop_packets(struct net_udp *u, const struct batch *b, int count)
{
	for (int i = 0; i < count; i++) {
		const struct msghdr *m = &b->msgs[i].msg_hdr;

		for (size_t j = 0; j < m->msg_iovlen; j++)
			buf_consume(&u->queue,
			    sizeof(struct head) + m->msg_iov[j].iov_len);
	}
}

/* A kernel, or what it sends through, that does not cut (udp(7)). */
static bool
cannot_cut(struct net_udp *u, const struct batch *b, int errnum)
{
	if (b->msgs[0].msg_hdr.msg_iovlen < 2 ||
	    (errnum != EIO && errnum != EINVAL && errnum != EOPNOTSUPP))
		return false;
	u->one_by_one = true;
	return true;
}

/* False when the kernel takes no more for now. */
static bool
send_batch(struct net_udp *u)
{
	struct batch b;
	int count = batch_fill(u, &b);
	int n = sendmmsg(u->fd, b.msgs, (unsigned)count, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
		return false;
	if (n < 0 && cannot_cut(u, &b, errno))
		return true; /* what is left goes one by one */
	/* What cannot be sent (no route, say) must not block the others. */
	drop_packets(u, &b, n < 0 ? 1 : n);
	return true;
}

static void
on_flush(void *arg)
{
	struct net_udp *u = arg;

	while (buf_len(&u->queue) > 0 && !u->blocked)
		u->blocked = !send_batch(u);
	if (buf_len(&u->queue) == 0)
		buf_fini(&u->queue);
}

static void
on_ready(void *arg, bool readable, bool writable)
{
	struct net_udp *u = arg;

	if (writable) {
		u->blocked = false;
		if (buf_len(&u->queue) > 0)
			loop_later_flush(u->loop, &u->flush);
	}
	if (readable) {
		u->readable = true;
		receive(u);
	}
}

enum err
net_udp_send(struct net_udp *u, const struct addr *to, struct slice packet)
{
	struct head h = {.to = *to, .len = (uint32_t)packet.len};
	size_t needed = sizeof(h) + packet.len;

	if (packet.len > NET_UDP_PACKET_MAX)
		return ERR_LIMIT;
	if (to->family == ADDR_NONE)
		return ERR_INVALID;
	if (u->fd < 0)
		return ERR_CLOSED;
	if (buf_len(&u->queue) + needed > NET_UDP_QUEUE_BYTES ||
	    buf_add(&u->queue, &h, sizeof(h)) != OK)
		return ERR_BUSY;
	if (buf_add_slice(&u->queue, packet) != OK) {
		close_with(u, ERR_NO_MEMORY); /* a head without its packet */
		return ERR_NO_MEMORY;
	}
	loop_later_flush(u->loop, &u->flush);
	return OK;
}

/* --- opening and closing --- */

static void
on_socket(void *arg, enum err e, int fd, const struct fault *why)
{
	struct net_udp *u = arg;

	u->request = NULL;
	if (e != OK) {
		u->words = *why;
		close_with(u, e);
		return;
	}
	u->fd = fd;
	if (loop_io_open(&u->io, u->loop, fd, on_ready, u) != OK) {
		close_with(u, ERR_IO);
		return;
	}
	if (u->events->on_open != NULL)
		u->events->on_open(u, u->arg);
}

struct net_udp *
net_udp_open(struct net_factory *f, struct loop *loop,
    const struct net_socket_spec *spec, const struct net_udp_events *events,
    void *arg)
{
	struct net_udp *u = mem_new(sizeof(*u));

	CHECK(spec->kind == NET_DATAGRAM);
	u->loop = loop;
	u->events = events;
	u->arg = arg;
	u->fd = -1;
	buf_init(&u->queue, NET_UDP_QUEUE_BYTES);
	loop_later_init(&u->again, on_again, u);
	loop_later_init(&u->flush, on_flush, u);
	loop_later_init(&u->gone, on_gone, u);
	u->request = net_socket_open(f, loop, spec, on_socket, u);
	return u;
}

void
net_udp_close(struct net_udp *u)
{
	/* What this turn collected leaves first, as far as it goes. */
	if (!u->closing && u->fd >= 0)
		on_flush(u);
	close_with(u, OK);
}

struct addr
net_udp_addr(const struct net_udp *u)
{
	return socket_local(u->fd);
}
