/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story — all that is known of one flow, as an object of JSON.
 */
#include "story.h"

#include "http/http.h"

#include "writer.h"

enum { TEXT_MAX = 1024, STATUS_ARENA_BYTES = 8192 };

/* Whatever its length: one line has to be one. */
static void
text(struct writer *w, const char *key, struct slice value)
{
	writer_text(w, key, slice_sub(value, 0, TEXT_MAX));
}

static void
put_origin(struct writer *w, const struct flow_record *r)
{
	char where[ORIGIN_TEXT_MAX];

	text(w, "route", r->route);
	if (r->origin != NULL)
		text(w, "from", slice_str(origin_format(r->origin, where)));
}

static void
put_party(struct writer *w, const char *key, const struct flow_party *p)
{
	writer_key(w, key);
	writer_open(w, '{');
	text(w, "workload", p->workload);
	text(w, "namespace", p->ns);
	text(w, "identity", p->identity);
	writer_close(w, '}');
}

static void
put_request(struct writer *w, const struct flow_record *r)
{
	text(w, "id", r->request_id);
	text(w, "method", r->method);
	text(w, "authority", r->authority);
	text(w, "path", r->path);
	text(w, "protocol", r->version.len > 0 ? r->version : r->protocol);
	text(w, "userAgent", r->user_agent);
	writer_addr(w, "client", &r->downstream_remote);
	text(w, "sni", r->sni);
	writer_number(w, "bytesReceived", r->bytes_received);
	writer_number(w, "bytesSent", r->bytes_sent);
}

static void
put_outcome(struct writer *w, const struct flow_record *r)
{
	char letters[FLOW_LETTERS_MAX];

	if (r->status > 0)
		writer_number(w, "status", r->status);
	if (r->has_grpc)
		writer_number(w, "grpcStatus", r->grpc);
	text(w, "flag", slice_str(flow_letters(r, letters)));
	text(w, "details", flow_details(r));
	text(w, "reason", flow_reason(r));
}

/* As the client had it. */
static void
put_proxy_status(struct writer *w, const struct flow_record *r)
{
	AUTO(arena_fini) struct arena a = {0};

	if (!r->own)
		return;
	arena_init(&a, STATUS_ARENA_BYTES);
	writer_text(w, "proxyStatus",
	    http_proxy_status(
		&a, slice_str(flow_flag_token(r->flag)), flow_reason(r)));
}

static void
put_tries(struct writer *w, const struct flow_record *r)
{
	if (r->try_count == 0)
		return;
	writer_key(w, "tries");
	writer_open(w, '[');
	for (size_t i = 0; i < r->try_count; i++) {
		const struct flow_try *t = &r->tries[i];
		bool failed = t->flag != FLOW_OK;

		writer_put(w, i > 0 ? S(",") : S(""));
		writer_open(w, '{');
		writer_addr(w, "endpoint", &t->endpoint);
		writer_ms(w, "endedMs", t->at_us);
		if (failed)
			text(w, "flag", slice_str(flow_flag_letters(t->flag)));
		if (t->status > 0)
			writer_number(w, "status", t->status);
		text(w, "reason",
		    t->words.len > 0 || !failed
			? t->words
			: slice_str(flow_flag_words(t->flag)));
		writer_close(w, '}');
	}
	writer_close(w, ']');
}

static void
put_way(struct writer *w, const struct flow_record *r)
{
	text(w, "service", r->destination.service);
	text(w, "cluster", r->cluster);
	writer_addr(w, "endpoint", &r->upstream);
	text(w, "node", r->upstream_node);
	text(w, "endpointProtocol", r->upstream_version);
	if (r->attempts > 0)
		writer_number(w, "attempts", r->attempts);
	put_party(w, "source", &r->source);
	put_party(w, "destination", &r->destination);
}

/* From the first byte of the request; what did not happen is left out. */
static void
put_times(struct writer *w, const struct flow_record *r)
{
	static const char *const names[FLOW_POINTS] = {
	    [FLOW_CAME] = "requestCameMs",
	    [FLOW_SENT] = "sentMs",
	    [FLOW_SENT_ALL] = "allSentMs",
	    [FLOW_ANSWERED] = "answeredMs",
	    [FLOW_ANSWER_CAME] = "answerCameMs",
	    [FLOW_ANSWER_SENT] = "answerSentMs",
	};
	uint64_t began = r->at_us[FLOW_BEGAN];

	writer_ms(w, "durationMs", r->duration_us);
	for (int i = 0; i < FLOW_POINTS; i++)
		if (names[i] != NULL && began > 0 && r->at_us[i] >= began)
			writer_ms(w, names[i], r->at_us[i] - began);
}

enum err
story_write(const struct flow_record *r, struct buf *out)
{
	struct writer w = {.out = out};
	char when[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(r->start_wall_ms, when);
	writer_open(&w, '{');
	text(&w, "time", slice_str(when));
	text(&w, "direction", r->reporter == FLOW_SOURCE ? S("out") : S("in"));
	text(&w, "kind", slice_str(flow_kind_name(r->kind)));
	put_request(&w, r);
	put_outcome(&w, r);
	put_proxy_status(&w, r);
	put_origin(&w, r);
	put_way(&w, r);
	put_tries(&w, r);
	put_times(&w, r);
	writer_close(&w, '}');
	return w.err;
}
