/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line — one access log line, as text or as JSON.
 *
 * Both are a list of pieces: what stands there as it is, and behind it what an
 * operator makes of the flow. Istio's own two forms are written like anybody
 * else's. A value that is not there is "-" in text; in JSON it is null, where
 * the operator is all of a member.
 */
#include "base/base.h"
#include "codec/codec.h"

#include "telemetry.h"
#include "writer.h"

#include <stdatomic.h>

enum { ARENA_BYTES = 64 * TELEMETRY_FORMAT_MAX };

/* Istio's (pilot/pkg/model/telemetry_logging.go). */
static const char usual_text[] =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% "
    "%PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% "
    "%CONNECTION_TERMINATION_DETAILS% "
    "\"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% "
    "%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
    "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" "
    "\"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER% "
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% "
    "%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

static const char usual_json[] =
    "{\"start_time\":\"%START_TIME%\","
    "\"method\":\"%REQ(:METHOD)%\","
    "\"path\":\"%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%\","
    "\"protocol\":\"%PROTOCOL%\","
    "\"response_code\":\"%RESPONSE_CODE%\","
    "\"response_flags\":\"%RESPONSE_FLAGS%\","
    "\"response_code_details\":\"%RESPONSE_CODE_DETAILS%\","
    "\"connection_termination_details\":"
    "\"%CONNECTION_TERMINATION_DETAILS%\","
    "\"upstream_transport_failure_reason\":"
    "\"%UPSTREAM_TRANSPORT_FAILURE_REASON%\","
    "\"bytes_received\":\"%BYTES_RECEIVED%\","
    "\"bytes_sent\":\"%BYTES_SENT%\","
    "\"duration\":\"%DURATION%\","
    "\"upstream_service_time\":\"%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%\","
    "\"x_forwarded_for\":\"%REQ(X-FORWARDED-FOR)%\","
    "\"user_agent\":\"%REQ(USER-AGENT)%\","
    "\"request_id\":\"%REQ(X-REQUEST-ID)%\","
    "\"authority\":\"%REQ(:AUTHORITY)%\","
    "\"upstream_host\":\"%UPSTREAM_HOST%\","
    "\"upstream_cluster\":\"%UPSTREAM_CLUSTER%\","
    "\"upstream_local_address\":\"%UPSTREAM_LOCAL_ADDRESS%\","
    "\"downstream_local_address\":\"%DOWNSTREAM_LOCAL_ADDRESS%\","
    "\"downstream_remote_address\":\"%DOWNSTREAM_REMOTE_ADDRESS%\","
    "\"requested_server_name\":\"%REQUESTED_SERVER_NAME%\","
    "\"route_name\":\"%ROUTE_NAME%\"}";

struct piece {
	struct view_format_part part; /* its text is ready to be written */
	bool whole;                   /* the value is all of a member of JSON */
};

struct telemetry_lines {
	_Atomic unsigned refs;
	struct arena arena;
	struct piece *pieces;
	size_t count;
	bool wants_answers;
};

/* --- making --------------------------------------------------------------- */

struct making {
	struct telemetry_lines *lines;
	size_t cap;
	struct buf text; /* before the next operator */
	struct writer w; /* into it */
	struct fault *why;
};

static void
add_piece(struct making *m, const struct view_format_part *p, bool whole)
{
	struct telemetry_lines *l = m->lines;
	struct piece *at = &l->pieces[l->count];

	CHECK(l->count < m->cap); /* an operator takes two bytes at least */
	*at = (struct piece){.part = *p, .whole = whole};
	if (m->w.err == OK)
		m->w.err =
		    arena_copy(&l->arena, buf_slice(&m->text), &at->part.text);
	buf_reset(&m->text);
	l->count++;
	if (p->id == OPERATOR_TRAILER ||
	    (p->id == OPERATOR_RESP &&
		!slice_eq(p->argument, S("x-envoy-upstream-service-time"))))
		l->wants_answers = true;
}

static bool
parse(struct making *m, struct slice text, struct view_format *out)
{
	bool inert; /* then it has no value, ever */

	if (m->w.err == OK)
		m->w.err = format_check(text, &inert, m->why);
	if (m->w.err == OK)
		m->w.err =
		    format_parse(text, OPERATOR_IN_LOG, &m->lines->arena, out);
	return m->w.err == OK;
}

static void
make_text(struct making *m, struct slice text)
{
	struct view_format f;

	if (!parse(m, text, &f))
		return;
	for (size_t i = 0; i < f.count; i++) {
		writer_put(&m->w, f.parts[i].text);
		if (f.parts[i].id != OPERATOR_NONE)
			add_piece(m, &f.parts[i], /* whole */ false);
	}
	if (!slice_ends(text, S("\n")))
		writer_put(&m->w, S("\n"));
}

static void
make_string(struct making *m, struct slice text)
{
	struct view_format f;

	if (!parse(m, text, &f))
		return;
	if (f.count == 1 && f.parts[0].text.len == 0) {
		add_piece(m, &f.parts[0], /* whole */ true);
		return;
	}
	writer_put(&m->w, S("\""));
	for (size_t i = 0; i < f.count; i++) {
		writer_put_escaped(&m->w, f.parts[i].text);
		if (f.parts[i].id != OPERATOR_NONE)
			add_piece(m, &f.parts[i], /* whole */ false);
	}
	writer_put(&m->w, S("\""));
}

/* As deep as the tree, which the parser of JSON has bounded. */
static void
make_value(struct making *m, const struct value *v)
{
	bool is_map = v->type == VALUE_MAP;

	if (v->type == VALUE_STRING) {
		make_string(m, v->string);
		return;
	}
	if (!is_map && v->type != VALUE_LIST) {
		if (m->w.err == OK)
			m->w.err = codec_json_emit(v, &m->text);
		return;
	}
	writer_put(&m->w, is_map ? S("{") : S("["));
	VALUE_EACH(v, it)
	{
		if (it != v->child)
			writer_put(&m->w, S(","));
		if (is_map) {
			writer_put(&m->w, S("\""));
			writer_put_escaped(&m->w, it->key);
			writer_put(&m->w, S("\":"));
		}
		make_value(m, it);
	}
	writer_put(&m->w, is_map ? S("}") : S("]"));
}

static void
make_json(struct making *m, struct slice text)
{
	AUTO(arena_fini) struct arena arena = {0};
	const struct value *v = NULL;

	arena_init(&arena, ARENA_BYTES);
	m->w.err = codec_json_parse(text, &arena, &v, m->why);
	if (m->w.err == OK && v->type != VALUE_MAP)
		m->w.err = fault_set(m->why, ERR_INVALID,
		    "a line of JSON is an object, {\"…\": \"%%…%%\"}");
	if (m->w.err != OK)
		return;
	make_value(m, v);
	writer_put(&m->w, S("\n"));
}

enum err
telemetry_lines_new(enum telemetry_format format, struct slice written,
    struct telemetry_lines **out, struct fault *why)
{
	static const struct view_format_part none = {.id = OPERATOR_NONE};
	AUTO(telemetry_lines_unref)
	struct telemetry_lines *l = mem_new(sizeof(*l));
	struct making m = {.lines = l, .why = why};
	enum err e;

	l->refs = 1;
	arena_init(&l->arena, ARENA_BYTES);
	if (written.len > TELEMETRY_FORMAT_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a format of the access log has at most %d bytes",
		    TELEMETRY_FORMAT_MAX);
	if (written.len == 0)
		written = format == TELEMETRY_JSON ? slice_str(usual_json)
						   : slice_str(usual_text);
	m.cap = written.len / 2 + 2;
	l->pieces = mem_new_array(m.cap, sizeof(*l->pieces));
	buf_init(&m.text, ARENA_BYTES);
	m.w.out = &m.text;
	if (format == TELEMETRY_JSON)
		make_json(&m, written);
	else
		make_text(&m, written);
	add_piece(&m, &none, /* whole */ false);
	buf_fini(&m.text);
	e = m.w.err;
	if (e != OK)
		return why != NULL && why->code == OK
			   ? fault_set(why, e, "the format: %s", err_text(e))
			   : e;
	*out = TAKE(l);
	return OK;
}

enum err
telemetry_lines_parse(
    struct slice setting, struct telemetry_lines **out, struct fault *why)
{
	enum { SHOWN_MAX = 64 };

	if (slice_eq(setting, S("text")) || slice_eq(setting, S("json")))
		return telemetry_lines_new(slice_eq(setting, S("json"))
					       ? TELEMETRY_JSON
					       : TELEMETRY_TEXT,
		    S(""), out, why);
	if (slice_starts(setting, S("{")))
		return telemetry_lines_new(TELEMETRY_JSON, setting, out, why);
	if (slice_find(setting, '%') == setting.len)
		return fault_set(why, ERR_INVALID,
		    "a format of the access log is text, json, or has "
		    "operators such as %%RESPONSE_CODE%%; \"%.*s\" has none",
		    SLICE_ARG(slice_sub(setting, 0, SHOWN_MAX)));
	return telemetry_lines_new(TELEMETRY_TEXT, setting, out, why);
}

struct telemetry_lines *
telemetry_lines_ref(struct telemetry_lines *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void
telemetry_lines_unref(struct telemetry_lines **lp)
{
	struct telemetry_lines *l = *lp;

	*lp = NULL;
	if (l == NULL ||
	    atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	arena_fini(&l->arena);
	mem_free(&l->pieces);
	mem_free(&l);
}

bool
telemetry_lines_want_answers(const struct telemetry_lines *l)
{
	return l->wants_answers;
}

/* --- writing -------------------------------------------------------------- */

static void
put_whole(struct writer *w, const struct format_value *v)
{
	if (v->text.len == 0) {
		writer_put(w, S("null"));
		return;
	}
	if (!v->is_number)
		writer_put(w, S("\""));
	writer_put_escaped(w, v->text);
	if (!v->is_number)
		writer_put(w, S("\""));
}

enum err
telemetry_format_line(const struct flow_record *r,
    const struct telemetry_lines *l, struct buf *out)
{
	struct writer w = {.out = out};
	struct format_value v;

	for (size_t i = 0; i < l->count; i++) {
		const struct piece *p = &l->pieces[i];

		writer_put(&w, p->part.text);
		if (p->part.id == OPERATOR_NONE)
			continue;
		format_value(&p->part, r, &v);
		if (p->whole)
			put_whole(&w, &v);
		else
			writer_put_escaped(
			    &w, v.text.len > 0 ? v.text : S("-"));
	}
	return w.err;
}
