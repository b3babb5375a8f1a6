/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api — one question to a server's or agent's socket, and its answer.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "http/http.h"
#include "loop/loop.h"
#include "net/net.h"

#include "api.h"
#include "cli.h"
#include "command.h"
#include "output.h"

#include <stdio.h>
#include <unistd.h>

enum { ANSWER_BYTES = 1 << 30, BODY_BYTES = LIMIT_API_BODY };

struct question {
	struct loop *loop;
	struct api_answer *answer;
	struct fault *why;
	const char *socket_path;
	enum err err;
};

void
api_answer_fini(struct api_answer *a)
{
	arena_fini(&a->arena);
}

static enum err
nobody_answers(const struct question *q, const struct http_result *r)
{
	if (r->err == ERR_PERMISSION)
		return fault_set(q->why, ERR_PERMISSION,
		    "no permission to use %s", q->socket_path);
	return fault_set(q->why, ERR_UNREACHABLE,
	    "nobody answers on %s (%s); is meshd running, and is --socket "
	    "right?",
	    q->socket_path, err_text(r->err));
}

static enum err
read_answer(struct question *q, const struct http_result *r)
{
	struct slice text;
	enum err e;

	q->answer->status = r->status;
	if (r->body.len == 0)
		return OK;
	e = arena_copy(&q->answer->arena, r->body, &text);
	if (e == OK)
		e = codec_json_parse(
		    text, &q->answer->arena, &q->answer->body, q->why);
	if (e != OK)
		return fault_prefix(
		    q->why, e, "the answer is not understood: ");
	return OK;
}

static void
on_done(void *arg, const struct http_result *r)
{
	struct question *q = arg;

	q->err = r->err == OK ? read_answer(q, r) : nobody_answers(q, r);
	loop_stop(q->loop);
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

static void
ask(struct question *q, const char *method, const char *path, struct slice body)
{
	struct net_connect_spec connect = NET_CONNECT_SPEC;

	connect.path = slice_str(q->socket_path);
	connect.options = 0;
	(void)http_call_open(&(struct http_call_spec){
	    .loop = q->loop,
	    .conn = net_connect(q->loop, &connect, &early, NULL),
	    .proto = HTTP_PROTO_1,
	    .method = slice_str(method),
	    .authority = S("meshd"),
	    .path = slice_str(path),
	    .content_type = S("application/json"),
	    .body = body,
	    .body_limit = BODY_BYTES * 16,
	    .on_done = on_done,
	    .arg = q,
	});
	loop_run(q->loop);
}

enum err
api_call(const char *socket_path, const char *method, const char *path,
    const struct value *body, struct api_answer *out, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(BODY_BYTES);
	AUTO(loop_free) struct loop *loop = NULL;
	struct question q = {
	    .answer = out, .why = why, .socket_path = socket_path};
	enum err e = OK;

	*out = (struct api_answer){0};
	arena_init(&out->arena, ANSWER_BYTES);
	if (body != NULL)
		e = codec_json_emit(body, &text);
	if (e != OK)
		return fault_set(
		    why, e, "the request is too large: %s", err_text(e));
	loop = loop_new(NULL);
	q.loop = loop;
	ask(&q, method, path, buf_slice(&text));
	return q.err;
}

/* --- refusals --- */

static void
print_list(const struct value *list, const char *level)
{
	VALUE_EACH(list, it)
	{
		struct slice field =
		    value_get_string(it, S("field"), SLICE_NONE);
		struct slice text =
		    value_get_string(it, S("message"), SLICE_NONE);

		(void)fprintf(stderr, "%s: %.*s%s%.*s\n", level,
		    SLICE_ARG(field), field.len > 0 ? ": " : "",
		    SLICE_ARG(text));
	}
}

static int
exit_of(unsigned status)
{
	switch (status) {
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
	struct slice message;

	if (a->status >= 200 && a->status < 300)
		return CLI_EXIT_OK;
	message = value_get_string(a->body, S("message"), S("no reason given"));
	print_list(value_get(a->body, S("errors")), "error");
	return command_fail(exit_of(a->status), "%.*s", SLICE_ARG(message));
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

/* --- whole commands --- */

const char *
api_socket(const struct options *o, enum api_role role)
{
	const char *given = options_text(o, "socket");

	if (given != NULL)
		return given;
	if (role == API_AGENT)
		return API_AGENT_SOCKET;
	if (role == API_EITHER && access(API_SERVER_SOCKET, F_OK) != 0 &&
	    access(API_AGENT_SOCKET, F_OK) == 0)
		return API_AGENT_SOCKET;
	return API_SERVER_SOCKET;
}

int
api_show(const struct options *o, enum api_role role, const char *path,
    void (*print)(const struct value *body))
{
	AUTO(api_answer_fini) struct api_answer a = {0};
	struct fault why = {0};
	enum output how;

	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "%s", why.text);
	if (api_call(api_socket(o, role), "GET", path, NULL, &a, &why) != OK)
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
	if (api_call(api_socket(o, role), "POST", path, body, &a, &why) != OK)
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
