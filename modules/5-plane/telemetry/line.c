/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line — one access log line, as text or as JSON.
 *
 * Both forms walk the same columns; a column that has no value prints "-" in
 * text and null in JSON, as Istio does. Bytes that a peer chose are escaped,
 * so that no request can forge a line.
 */
#include "base/base.h"

#include "telemetry.h"

#include <inttypes.h>
#include <stdio.h>

enum { NUMBER_MAX = 32 };

struct writer {
	struct buf *out;
	bool json;
	bool first;
	enum err err; /* sticky */
};

static void
put(struct writer *w, struct slice s)
{
	if (w->err == OK)
		w->err = buf_add_slice(w->out, s);
}

static void
put_escaped(struct writer *w, struct slice s)
{
	static const char hex[] = "0123456789abcdef";
	size_t plain = 0;

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.ptr[i];
		char code[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

		if (c >= 0x20 && c != '"' && c != '\\' && c < 0x7f)
			continue;
		put(w, slice_sub(s, plain, i - plain));
		put(w, slice_of(code, sizeof(code)));
		plain = i + 1;
	}
	put(w, slice_sub(s, plain, s.len - plain));
}

/* Before each column: its separator and, in JSON, its key. */
static void
begin(struct writer *w, const char *key)
{
	if (!w->first)
		put(w, w->json ? S(",") : S(" "));
	w->first = false;
	if (!w->json)
		return;
	put(w, S("\""));
	put(w, slice_str(key));
	put(w, S("\":"));
}

/* Text of a peer; `quoted` says whether the text form has quotes as well. */
static void
column(struct writer *w, const char *key, struct slice value, bool quoted)
{
	begin(w, key);
	if (w->json && value.len == 0) {
		put(w, S("null"));
		return;
	}
	quoted = quoted || w->json;
	if (quoted)
		put(w, S("\""));
	if (value.len == 0)
		put(w, S("-"));
	put_escaped(w, value);
	if (quoted)
		put(w, S("\""));
}

static void
number(struct writer *w, const char *key, uint64_t n)
{
	char text[NUMBER_MAX];
	int len = snprintf(text, sizeof(text), "%" PRIu64, n);

	begin(w, key);
	put(w, slice_of(text, (size_t)len));
}

static void
address(struct writer *w, const char *key, const struct addr *a, bool quoted)
{
	char text[ADDR_TEXT_MAX] = "";

	if (a->family != ADDR_NONE)
		addr_format(a, text);
	column(w, key, slice_str(text), quoted);
}

/* The detail where there is one, else the flag's own words. */
static struct slice
reason(const struct flow_record *r)
{
	if (r->detail.len > 0)
		return r->detail;
	return slice_str(flow_flag_words(r->flag));
}

static void
start_time(struct writer *w, const struct flow_record *r)
{
	char text[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(r->start_wall_ms, text);
	if (w->json) {
		column(w, "start_time", slice_str(text), false);
		return;
	}
	w->first = false;
	put(w, S("["));
	put(w, slice_str(text));
	put(w, S("]"));
}

/* Text joins three columns within one pair of quotes. */
static void
request_line(struct writer *w, const struct flow_record *r)
{
	const struct slice parts[] = {r->method, r->path, r->version};
	const char *keys[] = {"method", "path", "protocol"};

	if (w->json) {
		for (size_t i = 0; i < ARRAY_LEN(parts); i++)
			column(w, keys[i], parts[i], false);
		return;
	}
	put(w, S(" \""));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (i > 0)
			put(w, S(" "));
		if (parts[i].len == 0)
			put(w, S("-"));
		put_escaped(w, parts[i]);
	}
	put(w, S("\""));
}

/* Bytes that nobody looked into have no response, so no details either. */
static struct slice
details(const struct flow_record *r)
{
	if (r->flag != FLOW_OK)
		return slice_str(flow_flag_token(r->flag));
	if (r->kind != FLOW_HTTP)
		return SLICE_NONE;
	/* A rule may answer by itself, and nothing is wrong. */
	return r->upstream.family == ADDR_NONE ? S("direct_response")
					       : S("via_upstream");
}

static void
outcome(struct writer *w, const struct flow_record *r)
{
	char letters[FLOW_LETTERS_MAX];

	number(w, "response_code", r->status);
	column(w, "response_flags", slice_str(flow_letters(r, letters)), false);
	column(w, "response_code_details", details(r), false);
	column(w, "connection_termination_details", SLICE_NONE, false);
	column(w, "upstream_transport_failure_reason", reason(r), true);
	number(w, "bytes_received", r->bytes_received);
	number(w, "bytes_sent", r->bytes_sent);
	number(w, "duration", r->duration_us / 1000);
}

static void
upstream_time(struct writer *w, const struct flow_record *r)
{
	if (r->kind == FLOW_HTTP && r->upstream_us > 0)
		number(w, "upstream_service_time", r->upstream_us / 1000);
	else
		column(w, "upstream_service_time", SLICE_NONE, false);
}

static void
request_headers(struct writer *w, const struct flow_record *r)
{
	column(w, "x_forwarded_for", r->forwarded_for, true);
	column(w, "user_agent", r->user_agent, true);
	column(w, "request_id", r->request_id, true);
	column(w, "authority", r->authority, true);
}

static void
route(struct writer *w, const struct flow_record *r)
{
	address(w, "upstream_host", &r->upstream, true);
	column(w, "upstream_cluster", r->cluster, false);
	address(w, "upstream_local_address", &r->upstream_local, false);
	address(w, "downstream_local_address", &r->downstream_local, false);
	address(w, "downstream_remote_address", &r->downstream_remote, false);
	column(w, "requested_server_name", r->sni, false);
	column(w, "route_name", r->route, false);
}

enum err
telemetry_format_line(
    const struct flow_record *r, enum telemetry_format format, struct buf *out)
{
	struct writer w = {
	    .out = out, .json = format == TELEMETRY_JSON, .first = true};

	if (w.json)
		put(&w, S("{"));
	start_time(&w, r);
	request_line(&w, r);
	outcome(&w, r);
	upstream_time(&w, r);
	request_headers(&w, r);
	route(&w, r);
	put(&w, w.json ? S("}\n") : S("\n"));
	return w.err;
}
