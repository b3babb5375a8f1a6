/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request — one request from its head to the end of its response.
 *
 *	FILTERING --route--> TRYING --response's head--> ANSWERING --> DONE
 *	    |`-- the rule answers ---------------------------^   ^ ^
 *	    `--- answered here ----------------------------------' |
 *	                        TRYING -- given up, answered ------'
 *
 * TRYING includes the wait between tries. The view that it began with is its
 * own until the end (or until it becomes a pipe).
 */
#ifndef MESHD_REQUEST_H
#define MESHD_REQUEST_H

#include "http/client.h"
#include "http/retry.h"
#include "snapshot.h"
#include "upstream/upstream.h"

enum {
	REQUEST_ARENA_BYTES = 256 << 10, /* heads, rewrites, words */
	REQUEST_TRIED_MAX = 8,           /* hosts remembered as tried */
	/* What is held of a body for another try, and until there is a
	 * connection: one high mark, and what the last read brought. */
	REQUEST_HELD_BYTES = LIMIT_STREAM_BUFFER + LOOP_SCRATCH_LEN
};

/* A call of gRPC-Web that is translated; see web.h. */
struct request_web {
	bool on;
	bool reads_text;  /* its body is base64 */
	bool writes_text; /* its answer has to be */
	struct grpc_web_text text;
};

enum request_state {
	REQUEST_FILTERING,
	REQUEST_TRYING,
	REQUEST_ANSWERING,
	REQUEST_DONE
};

struct copy;
struct outside;
struct visit;

struct request {
	uint32_t magic;
	struct sm state;
	struct client *client;
	struct worker *worker;
	struct snapshot *snapshot;
	struct arena arena;
	struct http_head *head; /* the parser's; ours to change */
	struct slice path;      /* as it came */

	/* What configuration says. */
	struct listener_way way;
	const struct view_host *virtual_host; /* NULL before there is a route */
	struct view_http_choice choice;
	const struct view_destination *destination;
	struct bound *bound;
	struct awaiting await;   /* for where a name of `bound` leads */
	struct snapshot *named;  /* the view that told; it has `bound` then */
	struct outside *outside; /* before `bound`: who is not known */
	bool leads_on;           /* to where its client meant to get */
	struct slice origin;     /* a browser's, that the rule lets call */
	size_t next_filter;
	uint8_t wait; /* enum filter_verdict of the filter that thinks, or 0 */

	/* The try that is under way. */
	struct upstream_conn *up;
	struct host *host; /* counted */
	const struct view_endpoint *endpoint;
	bool sent;                             /* the head is on its way */
	struct host *tried[REQUEST_TRIED_MAX]; /* counted */
	size_t tried_count;
	struct flow_try *tries; /* of the record; NULL: none was over yet */
	unsigned attempts;
	unsigned dead_reused;
	struct timer delay;   /* by the rule's fault */
	struct timer pause;   /* between tries */
	struct timer try_end; /* per-try timeout */
	struct timer route_end;
	uint64_t route_end_us; /* when that will be; 0: not begun, or never */
	struct timer idle;

	/* The request's body. */
	struct buf held;
	bool replayable;
	bool complete;         /* all of it is here */
	bool grpc;             /* its Content-Type says so */
	uint64_t grpc_time_us; /* what its client waits for; 0: not said */
	struct request_web web;
	const struct http_head *trailers;
	struct visit *visit; /* of a proxy's client (proxied.c), or NULL */
	struct copy *copy;   /* of it, for mirrors, until it is whole */

	/* The response. */
	struct http_head *response; /* the service's head, or our copy of it */
	struct http_head response_kept;
	const struct http_head *response_trailers; /* the copy, if there is */
	struct http_head response_trailers_kept;
	struct buf response_held; /* while a filter thinks */
	size_t response_filters;  /* so many are still to come */
	uint8_t response_wait;    /* as `wait` */
	bool response_over;       /* all of it came */
	bool response_upgraded;   /* it was a 101 */
	bool answered;            /* a head came that is not retried */
	bool started;             /* bytes of it went to the client */
	struct slice own_rest;    /* of a rule's body, still to be sent */
	struct flow_record record;
	uint64_t began_us;
	uint64_t moved_us; /* when a byte last moved */
};

/*
 * A head is here, and the body too if it is `complete`: sets c->request, which
 * may be over already. The head is the client's until the request is done.
 */
void request_begin(struct client *c, struct http_head *h, bool complete);

/* The client's side. */
void request_on_body(struct request *r, struct slice bytes);
void request_on_trailers(struct request *r, struct http_head *t);
void request_on_complete(struct request *r);
void request_on_batch_end(struct request *r);
/* What came makes no sense; answered with the status if that can be. */
void request_on_flaw(struct request *r, unsigned status, struct slice words);
void request_on_client_end(struct request *r);
void request_on_client_drained(struct request *r);
void request_on_client_gone(struct request *r, enum err why);

/*
 * What came was no request, and was refused with this status, or reset (0):
 * reports it; `bytes` of a body told so. Of the client worker, listener and
 * addresses are enough.
 */
void request_report_refusal(const struct client *c, struct slice version,
    unsigned status, struct slice words, size_t bytes);

/* The same, and writes the last answer of an HTTP/1.1 connection. */
void request_refuse(
    struct client *c, unsigned status, struct slice words, struct buf *out);

/* --- between the rooms of a request --- */

/*
 * A filter that waited is done: the others follow, then the first try, or the
 * answer. The request may be gone when it returns.
 */
void request_continue(struct request *r);

/* Another endpoint, or the same; answers by itself if there is none. */
void request_try(struct request *r);

/* Our own answer instead of a service's; ends the request. */
void request_answer(struct request *r, unsigned status, enum flow_flag flag,
    struct slice detail);

/* The same with an outcome of gRPC; whoever speaks no gRPC is told 200. */
void request_answer_grpc(
    struct request *r, enum grpc_status status, enum flow_flag flag);

/* How long its route gives it; of gRPC what it asks for, as far as the route
 * allows that (as Envoy has it). 0: as long as it takes. */
uint64_t request_time_us(const struct request *r);

/* It is a call of gRPC: what its head says of that is read. */
void request_speaks_grpc(struct request *r);

/*
 * An outcome of gRPC in a head that has no body, of this type of content. Of
 * the words as many as a head can bear.
 */
enum { REQUEST_GRPC_WORDS = 4 << 10 };
MUST_USE enum err request_write_grpc(struct http_head *h, struct slice type,
    enum grpc_status status, struct slice words);

/* gRPC's own status, of a head or of trailers; false if there is none. */
bool request_read_grpc(const struct http_head *h, uint8_t *out);

/* RFC 9110 §6.4.1: these never have a body, whatever a rule says. */
static inline bool
answer_has_body(unsigned status)
{
	return status != 204 && status != 304;
}

/* Will its connection end behind an answer that comes now? */
bool request_is_last(const struct request *r);

/* All of the response is out. Reports, frees, tells the connection. */
void request_finish(struct request *r);

/*
 * After a 101, whose head waits to be flushed: both streams become a pipe,
 * `rest` being the service's first bytes. Request and connection are gone.
 */
void request_become_pipe(struct request *r, struct slice rest);

/*
 * The same behind the 200 of a CONNECT: with a stream to an endpoint, which may
 * become so old (0: any age), or with whoever speaks what comes.
 */
void request_join(struct request *r, struct stream *up, struct host *host,
    uint64_t longest_us);
void request_hand_over(struct request *r, struct listener *to);

/* The view of now instead of the one that it began with; before its route. */
void request_renew_view(struct request *r);

/* Right before a head goes to the client: when, and for a log that wants them
 * what fields it has. */
void request_note_answer(struct request *r, const struct http_head *h);

/* The same with trailers. */
void request_note_trailers(struct request *r, const struct http_head *t);

/* It happens now. */
static inline void
request_note(struct request *r, enum flow_point what)
{
	r->record.at_us[what] = loop_now_us(r->worker->loop);
}

/* Leaves the current try behind, its connection reset. */
void request_drop_try(struct request *r);

/* The head says which try it is, and how much time there is (headers.c). */
MUST_USE enum err headers_tell_try(struct request *r);

/* Bytes for the client: collected, and sent by request_flush_client(). */
void request_to_client(struct request *r, struct slice bytes);
void request_flush_client(struct request *r);

#endif
