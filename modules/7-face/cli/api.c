/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api — one question to a server or an agent, and its answer.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "http/http.h"
#include "loop/loop.h"
#include "net/net.h"

#include "api.h"
#include "cli.h"
#include "command.h"
#include "findings.h"
#include "output.h"
#include "remote.h"

#include <stdio.h>
#include <unistd.h>

enum {
	ANSWER_BYTES = 1 << 30,
	BODY_BYTES = LIMIT_API_BODY,
	HEAD_BYTES = 16 << 10,
	START_MS = 1000,
	START_STEP_MS = 10,
	ANSWER_US = 30000000, /* until there is one */
	LINE_BYTES = 4 << 20 /* that came in one piece, and what is not whole */
};

#define SERVER_SOCKET "/run/meshd/server.sock"
#define AGENT_SOCKET "/run/meshd/agent.sock"

struct call {
	struct loop *loop;
	const struct api_question *question;
	struct slice body;
	struct api_answer *answer;
	struct fault *why;
	enum err err;
	const char *socket_path; /* NULL: */
	struct remote remote;
	bool (*on_line)(void *arg, struct slice line); /* NULL: collect */
	void *line_arg;
	struct buf rest; /* of a line that is not whole yet */
};

static void
call_fini(struct call *c)
{
	remote_fini(&c->remote);
	buf_fini(&c->rest);
	loop_free(&c->loop);
}

void
api_answer_fini(struct api_answer *a)
{
	arena_fini(&a->arena);
}

static enum err
nobody_answers(const struct call *c, const struct http_result *r)
{
	if (c->socket_path == NULL)
		return fault_set(c->why, ERR_UNREACHABLE,
		    "the server %.*s was lost while %s (%s); look whether it "
		    "was done before asking again",
		    SLICE_ARG(c->remote.server), r->what, err_text(r->err));
	if (r->err == ERR_PERMISSION)
		return fault_set(c->why, ERR_PERMISSION,
		    "no permission to use %s", c->socket_path);
	return fault_set(c->why, ERR_UNREACHABLE,
	    "nobody answers on %s (%s); is meshd running, and is --socket "
	    "right?",
	    c->socket_path, err_text(r->err));
}

static enum err
read_answer(struct call *c, const struct http_result *r)
{
	struct slice text;
	enum err e;

	c->answer->status = r->status;
	if (r->body.len == 0)
		return OK;
	e = arena_copy(&c->answer->arena, r->body, &text);
	if (e == OK)
		e = codec_json_parse(
		    text, &c->answer->arena, &c->answer->body, c->why);
	if (e != OK)
		return fault_prefix(
		    c->why, e, "the answer is not understood: ");
	return OK;
}

static void
on_done(void *arg, const struct http_result *r)
{
	struct call *c = arg;

	c->err = r->err == OK ? read_answer(c, r) : nobody_answers(c, r);
	loop_stop(c->loop);
}

/* Whole lines only; the rest waits for more. */
static void
on_piece(void *arg, struct slice bytes)
{
	struct call *c = arg;
	enum err e = buf_add_slice(&c->rest, bytes);
	bool more = true;

	while (e == OK && more) {
		struct slice all = buf_slice(&c->rest);
		size_t len = slice_find(all, '\n');

		if (len == all.len)
			return;
		more = c->on_line(c->line_arg, slice_sub(all, 0, len));
		buf_consume(&c->rest, len + 1);
	}
	c->err = e == OK ? OK
			 : fault_set(c->why, e, "a line is too long: %s",
			       err_text(e));
	loop_stop(c->loop);
}

static void
on_early_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
	CHECK(!"bytes before the call took the connection");
}

static void
on_early_close(struct stream *s, void *arg, enum err why)
{
	(void)s; /* the call has it by then */
	(void)arg;
	(void)why;
}

static const struct stream_events early = {
    .on_data = on_early_data, .on_close = on_early_close};

/* Whoever is asked to wait for something answers that much later. */
static uint64_t
timeout_of(const struct call *c)
{
	const struct value *body = c->question->body;
	int64_t wait_ms =
	    body != NULL ? value_get_int(body, S("waitMs"), 0) : 0;

	return ANSWER_US + (uint64_t)MAX(wait_ms, 0) * 1000;
}

/* Takes the connection. `extra` may be NULL. */
static void
ask_over(struct call *c, struct stream *conn, struct slice authority,
    const struct http_head *extra)
{
	(void)http_call_open(&(struct http_call_spec){
	    .loop = c->loop,
	    .conn = conn,
	    .proto = HTTP_PROTO_1,
	    .method = slice_str(c->question->method),
	    .authority = authority,
	    .path = slice_str(c->question->path),
	    .extra = extra,
	    .content_type = S("application/json"),
	    .body = c->body,
	    .timeout_us = timeout_of(c),
	    .body_limit = BODY_BYTES * 16,
	    .secret = true,
	    .on_data = c->on_line != NULL ? on_piece : NULL,
	    .on_done = on_done,
	    .arg = c,
	});
}

static void
ask_here(struct call *c)
{
	struct net_connect_spec connect = NET_CONNECT_SPEC;

	connect.path = slice_str(c->socket_path);
	connect.options = 0;
	ask_over(
	    c, net_connect(c->loop, &connect, &early, NULL), S("meshd"), NULL);
}

static void
ask_there(struct call *c, struct stream *conn)
{
	AUTO(arena_fini) struct arena arena;
	struct http_head extra;

	arena_init(&arena, HEAD_BYTES);
	http_head_init(&extra, &arena);
	/* A token is short enough for a head. */
	CHECK(http_head_set(&extra, S("authorization"),
		  slice_of(c->remote.field.bytes, c->remote.field.len)) == OK);
	ask_over(c, conn, c->remote.server, &extra);
}

static void
on_conn(void *arg, struct stream *conn, const struct fault *why)
{
	struct call *c = arg;

	if (conn != NULL) {
		ask_there(c, conn);
		return;
	}
	c->err = why->code;
	*c->why = *why;
	loop_stop(c->loop);
}

/* --- whom --- */

/* The line before may have started it: `meshd agent &`. */
static void
wait_for_start(const char *socket_path, const char *or_path)
{
	for (unsigned ms = 0; ms < START_MS; ms += START_STEP_MS) {
		if (access(socket_path, F_OK) == 0 ||
		    access(or_path, F_OK) == 0)
			return;
		(void)usleep(START_STEP_MS * 1000); /* sooner is fine, too */
	}
}

static const char *
socket_of(const struct options *o, enum api_role role)
{
	const char *given = options_text(o, "socket");

	if (given != NULL)
		return given;
	wait_for_start(role == API_AGENT ? AGENT_SOCKET : SERVER_SOCKET,
	    role == API_SERVER ? SERVER_SOCKET : AGENT_SOCKET);
	if (role == API_AGENT)
		return AGENT_SOCKET;
	if (role == API_EITHER && access(SERVER_SOCKET, F_OK) != 0 &&
	    access(AGENT_SOCKET, F_OK) == 0)
		return AGENT_SOCKET;
	return SERVER_SOCKET;
}

/* Sets the one or the other. */
static enum err
find_whom(struct call *c, const struct options *o, struct fault *why)
{
	AUTO(secret_fini) struct secret token = {0};
	enum err e = OK;

	if (c->question->role == API_SERVER || c->question->role == API_EITHER)
		e = command_token(options_text(o, "token"), &token, why);
	if (e != OK)
		return e;
	if (token.bytes == NULL || token.bytes[0] == 0) {
		c->socket_path = socket_of(o, c->question->role);
		return OK;
	}
	e = remote_init(&c->remote, slice_str((char *)token.bytes), why);
	return e == OK ? OK : fault_prefix(why, e, "--token: ");
}

/* The call has its question, its answer and whoever hears of lines. */
static enum err
run(struct call *c, const struct options *o)
{
	AUTO(buf_fini) struct buf text = BUF_SECRET(BODY_BYTES);
	const struct value *body = c->question->body;
	enum err e = OK;

	*c->answer = (struct api_answer){0};
	arena_init(&c->answer->arena, ANSWER_BYTES);
	c->answer->arena.secret = true; /* keys, tokens */
	buf_init(&c->rest, LINE_BYTES);
	if (body != NULL && (e = codec_json_emit(body, &text)) != OK)
		return fault_set(
		    c->why, e, "the request is too large: %s", err_text(e));
	c->body = buf_slice(&text);
	e = find_whom(c, o, c->why);
	if (e != OK)
		return e;
	c->loop = c->remote.loop = loop_new(NULL);
	c->remote.done = on_conn;
	c->remote.arg = c;
	if (c->socket_path != NULL)
		ask_here(c);
	else
		remote_dial(&c->remote);
	loop_run(c->loop);
	return c->err;
}

enum err
api_ask(const struct options *o, const struct api_question *q,
    struct api_answer *out, struct fault *why)
{
	AUTO(call_fini)
	struct call c = {.question = q, .answer = out, .why = why};

	return run(&c, o);
}

enum err
api_follow(const struct options *o, const struct api_question *q,
    bool (*on_line)(void *arg, struct slice line), void *arg,
    struct api_answer *out, struct fault *why)
{
	AUTO(call_fini)
	struct call c = {.question = q,
	    .answer = out,
	    .why = why,
	    .on_line = on_line,
	    .line_arg = arg};

	return run(&c, o);
}

/* --- refusals --- */

static int
exit_of(unsigned status)
{
	switch (status) {
	case 401:
	case 403:
		return CLI_EXIT_DENIED;
	case 404:
	case 409:
	case 413:
	case 422:
		return CLI_EXIT_INVALID;
	default:
		return CLI_EXIT_FAILED;
	}
}

int
api_refused(const struct api_answer *a)
{
	struct slice message, hint;

	if (a->status >= 200 && a->status < 300)
		return CLI_EXIT_OK;
	message = value_get_string(a->body, S("message"), S("no reason given"));
	hint = value_get_string(a->body, S("hint"), SLICE_NONE);
	findings_print_answer(a->body);
	return command_fail(exit_of(a->status), "%.*s%s%.*s",
	    SLICE_ARG(message), hint.len > 0 ? "; " : "", SLICE_ARG(hint));
}

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

enum err
api_path_add(struct buf *path, const char *name, const char *value)
{
	bool first = slice_find(buf_slice(path), '?') == buf_len(path);
	enum err e;

	if (value == NULL || value[0] == 0)
		return OK;
	e = buf_printf(path, "%c%s=", first ? '?' : '&', name);
	for (; e == OK && *value != 0; value++) {
		if (is_plain(*value))
			e = buf_add_byte(path, (uint8_t)*value);
		else
			e = buf_printf(path, "%%%02X", (uint8_t)*value);
	}
	return e;
}

enum err
api_path_flag(struct buf *path, const char *name, bool set)
{
	return api_path_add(path, name, set ? "true" : NULL);
}

/* --- whole commands --- */

int
api_show(const struct options *o, enum api_role role, const char *path,
    void (*print)(const struct value *body))
{
	AUTO(api_answer_fini) struct api_answer a = {0};
	struct fault why = {0};
	enum output how;

	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "%s", why.text);
	if (api_ask(o, &(struct api_question){role, "GET", path, NULL}, &a,
		&why) != OK)
		return cli_fault(&why);
	if (a.status != 200)
		return api_refused(&a);
	if (how == OUTPUT_TABLE)
		print(a.body);
	else if (output_value(how, a.body, &why) != OK)
		return cli_fault(&why);
	return CLI_EXIT_OK;
}

int
api_do(const struct options *o, enum api_role role, const char *path,
    const struct value *body, const char *done)
{
	AUTO(api_answer_fini) struct api_answer a = {0};
	struct fault why = {0};
	enum output how;
	int code;

	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "%s", why.text);
	if (api_ask(o, &(struct api_question){role, "POST", path, body}, &a,
		&why) != OK)
		return cli_fault(&why);
	code = api_refused(&a);
	if (code != CLI_EXIT_OK)
		return code;
	if (how == OUTPUT_TABLE)
		(void)printf("%s\n", done);
	else if (a.body != NULL && output_value(how, a.body, &why) != OK)
		return cli_fault(&why);
	return CLI_EXIT_OK;
}
