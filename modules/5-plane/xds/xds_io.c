/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xds_io — ties either machine to a gRPC call.
 *
 * Who dials and when belongs to the session's owner, as other requests use the
 * session too. The machines keep one response a type unanswered, so what waits
 * in the call to be sent is bounded by them and needs no drain event.
 */
#include "http/http.h"

#include "xds.h"

enum { CALL_MAGIC = 0x78647363, DECODED_MAX = 8 * LIMIT_GRPC_MESSAGE };

struct xds_call {
	uint32_t magic;
	struct grpc_call *grpc;
	struct xds_client *client;        /* or */
	struct xds_server_stream *server; /* the other */
	xds_call_cb on_closed;
	void *arg;
	enum err why; /* of our own end; OK: not ours */
	struct fault fault;
};

static const struct {
	enum grpc_status status;
	enum err err;
} outcomes[] = {
    {GRPC_OK, OK},
    {GRPC_CANCELLED, ERR_CANCELLED},
    {GRPC_INVALID_ARGUMENT, ERR_PROTOCOL},
    {GRPC_PERMISSION_DENIED, ERR_DENIED},
    {GRPC_RESOURCE_EXHAUSTED, ERR_LIMIT},
    {GRPC_UNIMPLEMENTED, ERR_UNSUPPORTED},
    {GRPC_UNAVAILABLE, ERR_UNREACHABLE},
    {GRPC_UNAUTHENTICATED, ERR_AUTH},
};

static enum err
err_of(enum grpc_status status)
{
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
		if (outcomes[i].status == status)
			return outcomes[i].err;
	return ERR_CLOSED;
}

static enum grpc_status
status_of(enum err e)
{
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
		if (outcomes[i].err == e)
			return outcomes[i].status;
	return GRPC_INTERNAL;
}

/* --- messages in ---------------------------------------------------------- */

static enum err
take_response(struct xds_call *call, struct slice bytes)
{
	AUTO(arena_fini) struct arena a;
	struct codec_delta_response m;
	enum err e;

	arena_init(&a, DECODED_MAX);
	e = codec_delta_response_decode(bytes, &a, &m);
	if (e == OK)
		e = xds_client_response(call->client, &m);
	if (e == OK)
		return OK;
	return fault_set(&call->fault, e == ERR_PARSE ? ERR_PROTOCOL : e,
	    "a response of the server: %s", err_text(e));
}

static enum err
take_request(struct xds_call *call, struct slice bytes)
{
	AUTO(arena_fini) struct arena a;
	struct codec_delta_request m;
	enum err e;

	arena_init(&a, DECODED_MAX);
	/* It has what it answers; the next may be a long time off. */
	grpc_call_relax(call->grpc);
	e = codec_delta_request_decode(bytes, &a, &m);
	if (e == OK)
		return xds_server_stream_request(
		    call->server, &m, &call->fault);
	return fault_set(&call->fault, e == ERR_PARSE ? ERR_PROTOCOL : e,
	    "a request of the client: %s", err_text(e));
}

static void
on_message(void *arg, struct grpc_call *grpc UNUSED, struct slice message)
{
	struct xds_call *call;
	enum err e;

	OBJ(call, arg, CALL_MAGIC);
	if (call->why != OK)
		return; /* we are leaving */
	e = call->client != NULL ? take_response(call, message)
				 : take_request(call, message);
	if (e != OK)
		xds_call_close(call, e, slice_str(call->fault.text));
}

/* The client has said its last word: so do we. */
static void
on_end(void *arg, struct grpc_call *grpc)
{
	struct xds_call *call;

	OBJ(call, arg, CALL_MAGIC);
	if (call->server != NULL && call->why == OK)
		grpc_call_finish(grpc, GRPC_OK, SLICE_NONE);
}

static void
on_close(void *arg, struct grpc_call *grpc UNUSED, enum grpc_status status,
    struct slice text)
{
	struct xds_call *call;
	xds_call_cb on_closed;
	void *owner;
	enum err why;

	OBJ(call, arg, CALL_MAGIC);
	call->grpc = NULL;
	on_closed = call->on_closed;
	owner = call->arg;
	why = call->why != OK ? call->why : err_of(status);
	if (call->why != OK)
		text = slice_str(call->fault.text);
	on_closed(owner, why, text);
	call->magic = 0;
	mem_free(&call);
}

static const struct grpc_events events = {
    .on_message = on_message,
    .on_end = on_end,
    .on_close = on_close,
};

/* --- messages out --------------------------------------------------------- */

static void
send_bytes(struct xds_call *call, const struct buf *bytes, enum err e)
{
	if (e == OK)
		e = grpc_call_send(call->grpc, buf_slice(bytes));
	/* Taken, or the end is under way. */
	if (e == OK || e == ERR_AGAIN || e == ERR_CLOSED)
		return;
	xds_call_close(call, e, S("a message is too large to be sent"));
}

void
xds_call_request(struct xds_call *call, const struct codec_delta_request *m)
{
	AUTO(buf_fini) struct buf bytes = BUF(LIMIT_GRPC_MESSAGE);

	if (call->why == OK)
		send_bytes(call, &bytes, codec_delta_request_encode(m, &bytes));
}

void
xds_call_response(struct xds_call *call, const struct codec_delta_response *m)
{
	AUTO(buf_fini) struct buf bytes = BUF(LIMIT_GRPC_MESSAGE);

	if (call->why == OK)
		send_bytes(
		    call, &bytes, codec_delta_response_encode(m, &bytes));
}

/* --- calls ---------------------------------------------------------------- */

static struct xds_call *
call_new(xds_call_cb on_closed, void *arg)
{
	struct xds_call *call = mem_new(sizeof(*call));

	call->magic = CALL_MAGIC;
	call->on_closed = on_closed;
	call->arg = arg;
	return call;
}

struct xds_call *
xds_call_open(struct http2 *session, struct slice authority,
    struct xds_client *c, xds_call_cb on_closed, void *arg)
{
	struct xds_call *call = call_new(on_closed, arg);

	call->client = c;
	call->grpc = grpc_call_open(
	    session, authority, S(XDS_PATH), NULL, &events, call);
	if (call->grpc == NULL)
		mem_free(&call);
	return call;
}

struct xds_call *
xds_call_accept(struct http2_stream *http, struct xds_server_stream *s,
    xds_call_cb on_closed, void *arg)
{
	struct xds_call *call = call_new(on_closed, arg);

	call->server = s;
	call->grpc = grpc_call_accept(http, &events, call);
	if (call->grpc == NULL)
		mem_free(&call);
	return call;
}

void
xds_call_close(struct xds_call *call, enum err why, struct slice words)
{
	if (call->why != OK || call->grpc == NULL)
		return;
	call->why = why != OK ? why : ERR_CANCELLED;
	/* `words` may lie in the fault already. */
	if (words.ptr != call->fault.text)
		(void)fault_set(&call->fault, call->why, "%.*s",
		    SLICE_ARG(words)); /* gives back its code */
	if (call->server != NULL)
		grpc_call_finish(call->grpc, status_of(call->why),
		    slice_str(call->fault.text));
	else
		grpc_call_cancel(call->grpc);
}
