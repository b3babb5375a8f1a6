/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net — streams that stack, and where their sockets come from.
 *
 * A stream carries bytes both ways with backpressure. The lowest is a socket;
 * TLS and HTTP tunnels are streams over streams and look the same to an owner.
 * All of it belongs to one loop's thread.
 */
#ifndef MESHD_NET_H
#define MESHD_NET_H

#include "base/base.h"
#include "loop/loop.h"

/* --- streams, as their owner sees them --- */

struct stream;

/*
 * Any member may be NULL but on_data and on_close. None of them is called
 * inside a function that the owner called on this stream. Each may close any
 * stream, this one included.
 */
struct stream_events {
	/* A connection or handshake that was under way is complete. */
	void (*on_open)(struct stream *s, void *arg);
	/* Borrows data, which is never empty; the owner takes all of it. */
	void (*on_data)(struct stream *s, void *arg, struct slice data);
	/* The peer will send no more; we may. Once. */
	void (*on_eof)(struct stream *s, void *arg);
	/* After ERR_AGAIN from a write: there is room again. */
	void (*on_drained)(struct stream *s, void *arg);
	/* Once and last; then the stream is gone. OK: closed as we asked. */
	void (*on_close)(struct stream *s, void *arg, enum err why);
};

/* Why reading is paused: a set. A layer or owner uses bits of its own. */
enum stream_pause {
	STREAM_PAUSE_PEER_FULL = 1 << 0, /* where the bytes go is full */
	STREAM_PAUSE_NOT_READY = 1 << 1, /* nobody to take them yet */
	STREAM_PAUSE_FILTER = 1 << 2,    /* a filter thinks */
	STREAM_PAUSE_ABOVE = 1 << 3,     /* the layer above is paused */
	STREAM_PAUSE_HANDSHAKE = 1 << 4,
	STREAM_PAUSE_BUDGET = 1 << 5, /* its share of the turn is spent */
	STREAM_PAUSE_DRAIN = 1 << 6,  /* closing: flush first */
	/* Anything else: what it wrote is to be out first, so that a write that
	 * fails ends the stream at once. */
	STREAM_PAUSE_OWNER = 1 << 7
};

/*
 * Writes at once what the lower layer takes and keeps the rest; borrows the
 * slices. OK: go on. ERR_AGAIN: taken as well, but the pending bytes are above
 * the high mark: stop until on_drained. Any other: not taken, and on_close
 * follows, perhaps behind data that the peer sent before (ERR_CLOSED after
 * shutdown or close; ERR_LIMIT when the owner, told ERR_AGAIN, wrote on past
 * four high marks and a scratch). Before on_open bytes are kept.
 */
MUST_USE enum err stream_writev(
    struct stream *s, const struct slice *parts, size_t count);
MUST_USE enum err stream_write(struct stream *s, struct slice bytes);

/* Writes from now to the end of this turn leave together, in one call. */
void stream_cork(struct stream *s);

/* Half close: the peer sees our end after all that was written. */
void stream_shutdown(struct stream *s);

/*
 * Ends both directions; from now only on_close comes, at a turn's end. OK
 * flushes what is pending first (for at most NET_FLUSH_MS). Anything else drops
 * it; ERR_RESET also resets the connection. The first reason is the one that
 * on_close reports.
 */
void stream_close(struct stream *s, enum err why);

/*
 * For an answer whose request was not read to its end: half-closes, throws
 * away what still comes until the peer's end or NET_LINGER_MS, then closes with
 * OK. A plain close would reset the connection under the answer.
 */
void stream_close_lingering(struct stream *s);

/* No on_data or on_eof until all reasons are gone, at once; none is lost. */
void stream_pause(struct stream *s, enum stream_pause reason);

/* Data that waited comes at this turn's end, not inside. */
void stream_resume(struct stream *s, enum stream_pause reason);

/*
 * Nothing is expected now: the last message is whole, the next not begun. Then
 * a short read is taken for the last, which saves a call, and a reset that came
 * right behind those bytes may be noticed by the next write only.
 */
void stream_set_resting(struct stream *s, bool resting);

bool stream_is_paused(const struct stream *s);
bool stream_is_open(const struct stream *s);
bool stream_is_closing(const struct stream *s);

/* Bytes written to it that the lower layer has not taken yet. */
size_t stream_pending(const struct stream *s);

/* Another owner from now on, who expects something. */
void stream_set_events(
    struct stream *s, const struct stream_events *events, void *arg);

/* Whose owner does not listen: none yet, or one that only wants to write. */
extern const struct stream_events stream_deaf;

/* The default is LIMIT_STREAM_BUFFER bytes. */
void stream_set_high_mark(struct stream *s, uint32_t bytes);

/* Of the socket at the bottom, or as net_stream_set_ends() has them; family
 * ADDR_NONE for a unix socket or pair. */
struct addr stream_peer(const struct stream *s);
struct addr stream_local(const struct stream *s);

/* --- streams, as a layer makes them --- */

struct stream_ops {
	const char *name; /* "tls" */
	/* As stream_writev(); the stream is opening or open, not shut. */
	enum err (*writev)(
	    struct stream *s, const struct slice *parts, size_t count);
	void (*shutdown)(struct stream *s); /* once; open or opening */
	void (*pause)(struct stream *s);    /* the first reason came */
	void (*resume)(struct stream *s);   /* the last reason went */
	void (*cork)(struct stream *s);     /* may be NULL */
	size_t (*pending)(const struct stream *s);
	/* Begins to close; calls stream_finish(), now or later. */
	void (*close)(struct stream *s, enum err why);
	/* After on_close: releases what it holds and the object itself. */
	void (*free)(struct stream *s);
	/* NULL asks the layer below. */
	void (*peer)(const struct stream *s, struct addr *out);
	void (*local)(const struct stream *s, struct addr *out);
};

/*	OPENING --opened--> OPEN --close, failure--> CLOSING --> CLOSED
 *	   `--------------- close, failure -------------^		*/
enum stream_state {
	STREAM_OPENING,
	STREAM_OPEN,
	STREAM_CLOSING,
	STREAM_CLOSED
};

/*
 * First member of every layer's object. Read only, but through functions;
 * `below` is the layer's own to set, NULL at the bottom and once that is gone.
 */
struct stream {
	uint32_t magic;
	uint8_t state;   /* enum stream_state */
	bool shut;       /* we sent or shall send our end */
	bool ended;      /* on_eof was called */
	bool full;       /* a write said ERR_AGAIN, on_drained is owed */
	bool resting;    /* nothing is expected */
	uint32_t paused; /* enum stream_pause, a set */
	uint32_t high_mark;
	enum err why;
	const struct stream_ops *ops;
	const struct stream_events *events;
	void *arg;
	struct loop *loop;
	struct stream *below;
	uint64_t bytes_in;  /* handed to on_data */
	uint64_t bytes_out; /* taken by writes */
	struct loop_later finish;
};

void stream_init(struct stream *s, const struct stream_ops *ops,
    struct loop *loop, const struct stream_events *events, void *arg,
    enum stream_state first);

/* These do nothing once the stream is closing; data and eof not when ended. */
void stream_emit_open(struct stream *s);
void stream_emit_data(struct stream *s, struct slice data);
void stream_emit_eof(struct stream *s);

/* For writev: what to return now that `pending` bytes wait. Notes fullness. */
MUST_USE enum err stream_mark(struct stream *s, size_t pending);

/* Pending fell to `pending`: calls on_drained if that is owed and due. */
void stream_emit_drained(struct stream *s, size_t pending);

/* It broke: on_close(why) at the turn's end, then ops->free. */
void stream_fail(struct stream *s, enum err why);

/* Answers ops->close: the same with the reason that close gave. */
void stream_finish(struct stream *s);

/* --- where sockets come from --- */

enum net_kind {
	NET_LISTEN,   /* TCP */
	NET_DATAGRAM, /* UDP */
	NET_UNIX      /* a listening stream socket at a path */
};

enum net_option {
	NET_REUSEPORT = 1 << 0,   /* one socket a worker */
	NET_TRANSPARENT = 1 << 1, /* IP_TRANSPARENT, for capture; of a client:
				   * see net_transparent_from() */
	NET_KEEPALIVE = 1 << 2,   /* after 180 s, every 180 s, 9 times */
	NET_NODELAY = 1 << 3,
	NET_V6ONLY = 1 << 4 /* else [::] takes IPv4 as well */
};

enum {
	NET_BACKLOG = 1024,
	NET_RETRY_MS = 2000, /* until a port that was taken is tried again */
	NET_FLUSH_MS = 10000,
	NET_RACE_STEP_MS = 250, /* until another address is tried as well */
	NET_LINGER_MS = 2000,
	NET_ACCEPT_BATCH = 64, /* a listener, a turn */
	NET_SHORT_TOLD_US = 10 * 1000000,
	NET_READS_A_TURN = 4 /* a stream, a turn */
};

/* What it takes to make a socket. Start from NET_SOCKET_SPEC. */
struct net_socket_spec {
	struct slice name; /* stable, over restarts: "hbone" */
	enum net_kind kind;
	struct addr addr;
	struct slice path; /* NET_UNIX */
	uint32_t mode;     /* NET_UNIX: of the file */
	int netns;         /* descriptor of a network namespace, or -1 */
	unsigned worker;   /* for whose loop */
	int backlog;
	uint32_t options; /* enum net_option */
	uint32_t mark;    /* SO_MARK, 0 is none */
};

#define NET_SOCKET_SPEC                                                        \
	{                                                                      \
		.netns = -1, .backlog = NET_BACKLOG, .mode = 0600              \
	}

struct net_factory; /* opaque; any thread may ask it */
struct net_socket_request;

struct net_factory *net_factory_new(void);

/* Closes inherited descriptors that nobody asked for. */
void net_factory_free(struct net_factory **fp);

/*
 * Takes descriptors over from systemd (sd_listen_fds(3): LISTEN_PID,
 * LISTEN_FDS, LISTEN_FDNAMES), by name, and unsets the variables. Before
 * threads start. OK without any.
 */
MUST_USE enum err net_factory_inherit_env(
    struct net_factory *f, struct fault *why);

/* Takes fd: it will serve the next request of that name (copied). */
void net_factory_inherit(struct net_factory *f, struct slice name, int fd);

/* The receiver takes fd; on failure it is -1 and `why` has the words. */
typedef void (*net_socket_cb)(
    void *arg, enum err e, int fd, const struct fault *why);

/*
 * A socket, bound (and listening) as the spec says, from an inherited
 * descriptor of that name if there is one, else made now. The call-back comes
 * once on `loop`, never before this returns. Copies the spec. Words:
 * "port 15008 is taken (address already in use)".
 */
struct net_socket_request *net_socket_open(struct net_factory *f,
    struct loop *loop, const struct net_socket_spec *spec, net_socket_cb cb,
    void *arg);

/*
 * From now on every TCP or UDP socket that is made, and says no mark of its
 * own, bears this one (SO_MARK), by which rules of the machine know it for
 * ours, and so do those to name servers (loop_resolve()); 0: none. Any thread.
 * ERR_PERMISSION, and nothing has changed: it may not.
 */
MUST_USE enum err net_mark_all(uint32_t mark);

/* What they bear; 0: nothing. */
uint32_t net_mark(void);

/*
 * From now on a client with NET_TRANSPARENT, whose source may be any address,
 * gets its socket from there: IPv4's, IPv6's, one in each message of that
 * descriptor (SCM_RIGHTS), as somebody makes them who has the right to. It
 * waits where there is none now. Once, before any asks; takes both.
 */
void net_transparent_from(const int fds[2]);

/*
 * Where the peer meant to get before the kernel led it here (SO_ORIGINAL_DST).
 * ERR_NOT_FOUND: it meant this very socket.
 */
MUST_USE enum err net_original_destination(int fd, struct addr *out);

/* No call comes after; *rp becomes NULL. Not after the call-back. */
void net_socket_cancel(struct net_socket_request **rp);

/* --- listeners --- */

struct net_listener; /* opaque */

struct net_listener_events {
	/* Listening now. May be NULL. */
	void (*on_open)(struct net_listener *l, void *arg);
	/*
	 * Takes fd (non-blocking): makes a stream of it here, or posts it to
	 * another worker that does. `peer` is ADDR_NONE for unix sockets.
	 */
	void (*on_accept)(
	    struct net_listener *l, void *arg, int fd, const struct addr *peer);
	/*
	 * There is no descriptor or memory for another connection, so they
	 * wait in the backlog. At most every NET_SHORT_TOLD_US. May be NULL.
	 */
	void (*on_short)(struct net_listener *l, void *arg, enum err why);
	/*
	 * It could not open, and tries again every NET_RETRY_MS until it can
	 * or is closed; told again only if the reason is another. NULL: it
	 * closes instead.
	 */
	void (*on_wait)(
	    struct net_listener *l, void *arg, const struct fault *words);
	/* Once and last; with words if it could not open, else NULL. */
	void (*on_close)(struct net_listener *l, void *arg, enum err why,
	    const struct fault *words);
};

/* Out of descriptors it waits a little (10 ms to 1 s) and tries again. */
struct net_listener *net_listener_open(struct net_factory *f, struct loop *loop,
    const struct net_socket_spec *spec,
    const struct net_listener_events *events, void *arg);

void net_listener_close(struct net_listener *l);

/* Not accepting: the backlog fills. */
void net_listener_pause(struct net_listener *l);
void net_listener_resume(struct net_listener *l);

/* With the port that it got, when 0 was asked. After on_open. */
struct addr net_listener_addr(const struct net_listener *l);

/* --- sockets as streams --- */

/* Takes fd, a connected non-blocking stream socket. Open at once. */
struct stream *net_stream_new(
    struct loop *loop, int fd, const struct stream_events *events, void *arg);

/* From now on these are its ends, for it and all above: whoever stands between
 * it and its peer has said so. Copies; the stream is a socket's. */
void net_stream_set_ends(
    struct stream *s, const struct addr *peer, const struct addr *local);

/* Gives bytes back (copied), that on_data gets again before any other; the
 * stream is a socket's, and none are given back yet. */
void net_stream_unread(struct stream *s, struct slice bytes);

struct net_connect_spec {
	struct addr addr;
	/* More addresses of the peer, tried beside it if it takes long or fails
	 * (RFC 8305): the first that stands is the stream's. Borrowed. */
	const struct addr *others;
	size_t other_count;
	struct slice path;   /* a unix socket instead, if not empty */
	struct addr source;  /* ADDR_NONE: the kernel's choice */
	uint64_t timeout_us; /* 0 waits as long as the kernel does */
	int netns;           /* or -1 */
	uint32_t options;    /* NET_KEEPALIVE, NET_NODELAY, NET_TRANSPARENT */
	uint32_t mark;
};

#define NET_CONNECT_SPEC                                                       \
	{                                                                      \
		.netns = -1, .options = NET_KEEPALIVE | NET_NODELAY            \
	}

/*
 * An opening stream: on_open when connected, or on_close with ERR_REFUSED,
 * ERR_TIMEOUT, ERR_UNREACHABLE… Never NULL. To cancel: stream_close().
 */
struct stream *net_connect(struct loop *loop,
    const struct net_connect_spec *spec, const struct stream_events *events,
    void *arg);

/*
 * What is read from a socket, or waits to be written, is wiped once it was
 * handed on. Nothing for a stream that is no bare socket.
 */
void net_stream_set_secret(struct stream *s);

/* Who is at the other end of a unix socket (SO_PEERCRED). */
struct net_cred {
	uint32_t uid;
	uint32_t gid;
	int32_t pid; /* in our pid namespace; may be gone by now */
};

/* ERR_UNSUPPORTED if the bottom is no unix socket. */
MUST_USE enum err net_stream_cred(const struct stream *s, struct net_cred *out);

/* The descriptor at the bottom, borrowed; -1 if there is none. */
int net_stream_fd(const struct stream *s);

/*
 * How long the peer's kernel has sent nothing, not even an acknowledgement.
 * UINT64_MAX if the bottom is no TCP socket.
 */
uint64_t net_stream_silence_us(const struct stream *s);

/* --- datagrams --- */

struct net_udp; /* opaque */

enum {
	NET_UDP_PACKET_MAX = 4096,       /* longer ones are dropped */
	NET_UDP_QUEUE_BYTES = 256 << 10, /* waiting to leave */
	NET_UDP_BATCH = 32
};

struct net_udp_events {
	void (*on_open)(struct net_udp *u, void *arg);
	/* Borrows. */
	void (*on_packet)(struct net_udp *u, void *arg, const struct addr *from,
	    struct slice packet);
	/* Once and last; with words if it could not open, else NULL. */
	void (*on_close)(struct net_udp *u, void *arg, enum err why,
	    const struct fault *words);
};

/* spec->kind is NET_DATAGRAM. */
struct net_udp *net_udp_open(struct net_factory *f, struct loop *loop,
    const struct net_socket_spec *spec, const struct net_udp_events *events,
    void *arg);

void net_udp_close(struct net_udp *u);

/*
 * Copies; a turn's packets leave together. ERR_LIMIT: too long; ERR_BUSY: the
 * queue is full, the packet is dropped; ERR_CLOSED: not open.
 */
MUST_USE enum err net_udp_send(
    struct net_udp *u, const struct addr *to, struct slice packet);

/* After on_open. */
struct addr net_udp_addr(const struct net_udp *u);

/* --- who started this process, and watches it --- */

struct net_supervisor; /* opaque; any thread may tell it */

/*
 * By sd_notify(3): NOTIFY_SOCKET, WATCHDOG_USEC and, if it is there,
 * WATCHDOG_PID, which has to be ours. They are unset, so that no child has
 * them; before threads start. Never NULL: where nobody asked, nobody is told.
 */
struct net_supervisor *net_supervisor_new_env(void);
void net_supervisor_free(struct net_supervisor **sp);

/* "READY=1\nSTATUS=Serves". Waits a tenth of a second at most. False: it has no
 * room now, and does not know of it; where nobody listens, all is told. */
bool net_supervisor_tell(const struct net_supervisor *s, const char *lines);

/* How often WATCHDOG=1 has to come, before it ends us. 0: it does not. */
uint64_t net_supervisor_watchdog_us(const struct net_supervisor *s);

/* --- the machine --- */

/* All addresses of the machine: [::], or 0.0.0.0 if it knows no IPv6. */
struct addr net_any_addr(uint16_t port);

/* Can it be listened at? Not at ::1 where IPv6 is switched off. Yes, where it
 * cannot be found out now. */
bool net_has_addr(const struct addr *a);

/*
 * The addresses of its interfaces that are up, without ports, IPv4 first:
 * neither loopback nor link-local. Returns how many; at most `cap`.
 */
size_t net_machine_addrs(struct addr *out, size_t cap);

/* --- two ends in memory, for tests of what stacks on streams --- */

struct net_pair_spec {
	size_t chunk;    /* most bytes of one on_data; 0 is no bound */
	size_t capacity; /* bytes on the way, each way; 0 is 64 KiB */
};

/*
 * What one end writes the other gets at the ends of turns. Both open.
 * Closing one with OK is the other's on_eof, with ERR_RESET its on_close.
 */
void net_pair_new(struct loop *loop, const struct net_pair_spec *spec,
    struct stream **out_a, struct stream **out_b);

#endif
