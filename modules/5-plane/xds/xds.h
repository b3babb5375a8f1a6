/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xds — the incremental stream of resources, both ends, for any type URL.
 *
 * Delta xDS (envoyproxy.io, "xDS REST and gRPC protocol", Incremental xDS) as
 * two pure machines: decoded messages and calls go in, messages come out
 * through callbacks. No clock and no socket is in them. A call of gRPC carries
 * them; what is in force is kept on the disk in a snapshot.
 *
 * A callback may call back in, except to free the object that calls it.
 */
#ifndef MESHD_XDS_H
#define MESHD_XDS_H

#include "base/base.h"
#include "codec/codec.h"

struct http2;
struct http2_stream;

enum {
	XDS_TYPES_MAX = 32,
	XDS_NAME_MAX = 1024,          /* bytes of a resource's name */
	XDS_VERSION_MAX = 64,         /* bytes of a version */
	XDS_NAMES_MAX = 100000,       /* names that one stream may hold */
	XDS_REASON_MAX = 512,         /* bytes kept of a refusal's words */
	XDS_RESPONSE_BYTES = 1 << 20, /* about; one resource may be larger */
	XDS_RESPONSE_ITEMS = 5000,
	XDS_MADE_BYTES = 8 << 20 /* of bodies that were made to be sent */
};

/* A resource, as one of our own or on its way. */
struct xds_resource {
	struct slice type_url;
	struct slice name;
	struct slice version; /* equal text: equal resource; never empty */
	struct slice body;    /* the message inside the Any */
};

/* --- the server's side ---------------------------------------------------- */

struct xds_source;        /* what there is, shared by all streams */
struct xds_server_stream; /* what one client has of it */

/*
 * The body of a resource that was put without one, when it is to be sent. Made
 * once for all streams; ERR_LIMIT or ERR_NO_MEMORY when there is no room.
 */
typedef enum err (*xds_body_cb)(
    void *arg, const struct xds_resource *r, struct buf *out);

/* `body` NULL: all are put with theirs. */
struct xds_source *xds_source_new(xds_body_cb body, void *arg);

/* Its streams are gone by then. */
void xds_source_free(struct xds_source **sp);

/* Who hears of a resource that is new; what is sent of it is another matter. */
enum xds_audience {
	/* Each client that asked for its name or for all of the type. */
	XDS_TOLD_ALL,
	/* As before; but of those that asked for all, only those for which the
	 * owner calls xds_server_stream_refilter_name(), also of what there is
	 * already when on_names() says that a client has asked. */
	XDS_TOLD_BY_OWNER
};

/*
 * A type is served from here on; subscribing to another is refused. Copies.
 * Before the first stream.
 */
void xds_source_add_type(
    struct xds_source *s, struct slice type_url, enum xds_audience who);

/*
 * Until it is set anew, what becomes due is because of this change: a number
 * that grows. 0: not because of any. See xds_status.stamp.
 */
void xds_source_stamp(struct xds_source *s, uint64_t stamp);

/* The bodies that were made are made anew when they are sent again. */
void xds_source_forget(struct xds_source *s);

/* Whether some client asked for the name, or was sent it. */
bool xds_source_is_followed(
    const struct xds_source *s, struct slice type_url, struct slice name);

/*
 * What a resource was before the change that comes next: clients that have this
 * version in force get what is different. Copies; until xds_source_forget().
 */
void xds_source_base(struct xds_source *s, const struct xds_resource *before);

/*
 * Copies. Streams that it concerns get it with the next flush; one that was put
 * twice before that goes out once. ERR_NOT_FOUND: no such type; ERR_LIMIT: name
 * or version too long. Costs those that follow the name, not all streams.
 */
MUST_USE enum err xds_source_put(
    struct xds_source *s, const struct xds_resource *r);

/* Harmless if it is not there. */
void xds_source_remove(
    struct xds_source *s, struct slice type_url, struct slice name);

/*
 * False if there is none. `out` borrows the name from the caller, all else from
 * the source until that changes.
 */
bool xds_source_get(const struct xds_source *s, struct slice type_url,
    struct slice name, struct xds_resource *out);

/* Sends what is due, where no answer is outstanding; looks at no others. */
void xds_source_flush(struct xds_source *s);

enum xds_state {
	XDS_SENT,   /* on its way, or being put in force */
	XDS_ACKED,  /* in force */
	XDS_REFUSED /* the client keeps an older one, or none */
};

const char *xds_state_name(enum xds_state state); /* "acked" */

/* How one resource stands with one client. Borrowed. */
struct xds_status {
	struct slice type_url;
	struct slice name;
	struct slice version;
	enum xds_state state;
	struct slice reason; /* of a refusal */
	/*
	 * In on_status(): of the oldest change that this answers, 0 if it is
	 * not because of one. A version that is empty was a removal.
	 */
	uint64_t stamp;
};

struct xds_server_ops {
	/* Does this resource concern this client? NULL: all do. */
	bool (*concerns)(void *arg, const struct xds_resource *r);
	/* Borrows the message. */
	void (*send)(void *arg, const struct codec_delta_response *m);
	/*
	 * The client asks for the type, or for other names; answers come after
	 * it. Not OK closes the stream with these words. May be NULL.
	 */
	enum err (*on_names)(
	    void *arg, struct slice type_url, struct fault *why);
	/* Acknowledged or refused. May be NULL. */
	void (*on_status)(void *arg, const struct xds_status *s);
	/* A response was answered, after each on_status of it; also one that
	 * had nothing in it. May be NULL. */
	void (*on_answered)(void *arg);
	/* xds_source_flush() was here: maybe nothing is due any more. May be
	 * NULL. */
	void (*on_flushed)(void *arg);
};

/* `ops` is kept. */
struct xds_server_stream *xds_server_stream_new(
    struct xds_source *s, const struct xds_server_ops *ops, void *arg);
void xds_server_stream_free(struct xds_server_stream **sp);

/*
 * One message of the client; answers are sent from inside. On failure the
 * stream is to be closed with these words: ERR_UNSUPPORTED (no such type),
 * ERR_LIMIT (too many names, too long), ERR_PROTOCOL.
 */
MUST_USE enum err xds_server_stream_request(struct xds_server_stream *s,
    const struct codec_delta_request *m, struct fault *why);

/*
 * Asks `concerns` again for every resource of the type, unless the owner tells
 * of what is new: the client's interests changed. Goes out with the next flush.
 */
void xds_server_stream_refilter(
    struct xds_server_stream *s, struct slice type_url);

/* The same for one resource, there or not. */
void xds_server_stream_refilter_name(
    struct xds_server_stream *s, struct slice type_url, struct slice name);

/*
 * While it is held nothing is sent, requests are taken, and what is due waits.
 * Then the next flush sends it.
 */
void xds_server_stream_hold(struct xds_server_stream *s, bool held);

/* The client was sent it, or said at the stream's begin that it has it. */
bool xds_server_stream_has(const struct xds_server_stream *s,
    struct slice type_url, struct slice name);

/*
 * How many names are due or sent and not answered, and the stamp of the oldest
 * change among them, 0: none is because of one.
 */
size_t xds_server_stream_pending(
    const struct xds_server_stream *s, uint64_t *out_oldest);

/* The names that the client asks for; all of the type is none of them. */
void xds_server_stream_each_name(const struct xds_server_stream *s,
    struct slice type_url, void (*each)(void *arg, struct slice name),
    void *arg);

/* Everything that was sent and is not removed. */
void xds_server_stream_each(const struct xds_server_stream *s,
    void (*each)(void *arg, const struct xds_status *status), void *arg);

/* True if nothing is due and no answer is outstanding. */
bool xds_server_stream_is_quiet(const struct xds_server_stream *s);

/* True if it was so once, of each type that the client has asked for; with
 * changes that go on and on it may never be so of all at once. */
bool xds_server_stream_had_all(const struct xds_server_stream *s);

/* What is due of the type now, or on its way, is answered when the stream is
 * past the mark, whatever came meanwhile. */
uint64_t xds_server_stream_mark(
    const struct xds_server_stream *s, struct slice type_url);
bool xds_server_stream_is_past(
    const struct xds_server_stream *s, struct slice type_url, uint64_t mark);

/* --- the client's side ---------------------------------------------------- */

struct xds_client;

/*
 * A batch that the server sent: resources that are new or changed, and names
 * that are gone. The owner puts it in force (which may take turns of the
 * loop), refuses single ones, then settles it. Until then the former set
 * stands in xds_client_each().
 */
struct xds_update {
	struct slice type_url;
	const struct codec_delta_resource *resources;
	size_t resource_count;
	const struct slice *removed;
	size_t removed_count;
};

/* Words for the server and for `meshd status`; copies. Twice: the last. */
void xds_update_refuse(
    struct xds_update *u, size_t resource_index, struct slice reason);

/*
 * What was not refused is in force: it becomes part of the set, and the server
 * gets ACK or NACK. Exactly once; after xds_client_free() too.
 */
void xds_update_settle(struct xds_update **up);

struct xds_client_ops {
	/* Borrows the message. */
	void (*send)(void *arg, const struct codec_delta_request *m);
	/* Owns `u` from here on, until it settles it. */
	void (*on_update)(void *arg, struct xds_update *u);
};

/* `ops` is kept; node id and cluster are copied. */
struct xds_client *xds_client_new(const struct xds_client_ops *ops, void *arg,
    struct slice node_id, struct slice node_cluster);
void xds_client_free(struct xds_client **cp);

/*
 * Types are announced on a new stream in the order in which they came up
 * first; this is to come up without wanting anything yet. ERR_LIMIT past
 * XDS_TYPES_MAX.
 */
MUST_USE enum err xds_client_add_type(
    struct xds_client *c, struct slice type_url);

/*
 * An empty name subscribes to everything of the type that concerns us. Sent at
 * once when connected. ERR_LIMIT past XDS_TYPES_MAX or XDS_NAMES_MAX.
 */
MUST_USE enum err xds_client_subscribe(
    struct xds_client *c, struct slice type_url, struct slice name);

/* What was held under this subscription alone is dropped from the set. */
void xds_client_unsubscribe(
    struct xds_client *c, struct slice type_url, struct slice name);

/* A new stream is up: says what is wanted and what is there already. */
void xds_client_connected(struct xds_client *c);

/* The stream is gone; the set stays. */
void xds_client_disconnected(struct xds_client *c);

/*
 * One message of the server. On failure the stream is to be closed:
 * ERR_PROTOCOL (a type that was not asked for, no nonce), ERR_LIMIT. A
 * resource that comes twice in one message is refused to the server in words,
 * with the whole message.
 */
MUST_USE enum err xds_client_response(
    struct xds_client *c, const struct codec_delta_response *m);

/* True when every subscribed type was answered and settled on this stream. */
bool xds_client_is_synced(const struct xds_client *c);

/* Puts a resource into the set without a server: from the snapshot. */
MUST_USE enum err xds_client_restore(
    struct xds_client *c, const struct xds_resource *r);

/* The set that is in force. */
void xds_client_each(const struct xds_client *c,
    void (*each)(void *arg, const struct xds_resource *r), void *arg);

bool xds_client_has(
    const struct xds_client *c, struct slice type_url, struct slice name);

/* What was refused and why, until a later version or removal settles it. */
void xds_client_each_refused(const struct xds_client *c,
    void (*each)(void *arg, const struct xds_status *status), void *arg);

/* --- the snapshot --------------------------------------------------------- */

/*
 * The client's set as a file: a version, a length and a SHA-256 sum, so that
 * what the disk did to it is found out. Encode on the loop, write with
 * file_replace() in a job. ERR_LIMIT when `out` is full.
 */
MUST_USE enum err xds_snapshot_encode(
    const struct xds_client *c, struct buf *out);

/* Calls `each`, borrowed, only if all of it is whole: else ERR_CORRUPT, or
 * ERR_UNSUPPORTED for a newer version. */
MUST_USE enum err xds_snapshot_decode(struct slice bytes,
    void (*each)(void *arg, const struct xds_resource *r), void *arg,
    struct fault *why);

enum { XDS_SNAPSHOT_MAX = 256 << 20 }; /* bytes */

/*
 * Reads the file into the client, at start-up. ERR_NOT_FOUND: none yet. A bad
 * one is renamed to <path>.bad, with a warning in the log, and the client
 * starts empty: ERR_CORRUPT or ERR_UNSUPPORTED.
 */
MUST_USE enum err xds_snapshot_load(
    const char *path, struct xds_client *c, struct fault *why);

/* --- over gRPC ------------------------------------------------------------ */

#define XDS_PATH "/meshd.v1.Control/DeltaResources"

/*
 * Either end of the stream, as one gRPC call of an HTTP/2 session. Messages of
 * the other side go straight into the machine; the machine's `send` is the
 * owner's and hands what it gets to xds_call_request() or _response().
 */
struct xds_call;

/*
 * Once and last; the call is gone after it. `why` OK: the other side ended in
 * order; ERR_CANCELLED: we did; ERR_PROTOCOL, ERR_LIMIT, ERR_UNSUPPORTED,
 * ERR_DENIED, ERR_AUTH, ERR_UNREACHABLE: with the words of who ended it.
 */
typedef void (*xds_call_cb)(void *arg, enum err why, struct slice words);

/*
 * Client: the owner then calls xds_client_connected(), and in on_closed
 * xds_client_disconnected(). NULL if the session has no room. `c` is kept.
 */
struct xds_call *xds_call_open(struct http2 *session, struct slice authority,
    struct xds_client *c, xds_call_cb on_closed, void *arg);

/* Server, inside the session's on_request. `s` is kept, the owner frees it. */
struct xds_call *xds_call_accept(struct http2_stream *http,
    struct xds_server_stream *s, xds_call_cb on_closed, void *arg);

/* For `send`. What cannot go out any more is dropped: on_closed follows. */
void xds_call_request(
    struct xds_call *call, const struct codec_delta_request *m);
void xds_call_response(
    struct xds_call *call, const struct codec_delta_response *m);

/* Ends it; on_closed follows. A server's words go to the client. */
void xds_call_close(struct xds_call *call, enum err why, struct slice words);

/* --- when to try which server --------------------------------------------- */

/* As long as it may take until the last agent of a dead server is back. */
enum {
	XDS_BACKOFF_MIN_MS = 100,
	XDS_BACKOFF_MAX_MS = 4000,
	XDS_BACKOFF_REFUSED_MAX_MS = 300000
};

/* Servers in turn; each round waits longer, with full jitter. */
struct xds_backoff {
	struct rng rng;
	size_t servers;
	size_t next;       /* server to try */
	unsigned failures; /* since the last success */
	bool started;
	bool refused; /* the last failure was one */
};

/* `seed` scatters the agents; begins with a random server. */
void xds_backoff_init(struct xds_backoff *b, size_t servers, uint64_t seed);

/*
 * Which server to try, and how long to wait before: the very first is at once,
 * later ones scatter within a span that doubles up to XDS_BACKOFF_MAX_MS, or,
 * after a refusal, up to XDS_BACKOFF_REFUSED_MAX_MS.
 */
size_t xds_backoff_next(struct xds_backoff *b, uint64_t *out_delay_ms);

/* The last failure cannot heal until an operator acts. */
void xds_backoff_refused(struct xds_backoff *b);

/* The stream brought something: the next failure begins anew. */
void xds_backoff_success(struct xds_backoff *b);

#endif
