/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain_access — who may call a workload, and which policy says it.
 *
 * The workload is what its Service says, in files (--files) or in what the
 * server has stored. With --questions each line of a file is a question of its
 * own.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"

#include "api.h"
#include "command.h"
#include "explained.h"
#include "output.h"
#include "places.h"
#include "questions.h"

#include <stdio.h>

enum { ARENA_BYTES = 64 << 20, TOKEN_BYTES = 1 << 20 };

/* --- the words of the command as a question --- */

struct asked {
	struct arena arena;
	struct value *map;
	struct fault *why;
};

static void
asked_fini(struct asked *a)
{
	arena_fini(&a->arena);
}

static void
put_text(struct asked *a, const char *key, struct slice text)
{
	if (text.len > 0)
		value_put_text(&a->arena, &a->map, slice_str(key), text);
}

/* "http://web.default:80/x?y", "tcp://db:5432", "web/x". */
static enum err
put_url(struct asked *a, const char *text)
{
	struct slice rest = slice_str(text);
	bool tcp = slice_starts(rest, S("tcp://"));
	struct slice host;
	size_t slash;
	uint16_t port;

	if (tcp)
		value_put_bool(&a->arena, &a->map, S("tcp"), true);
	if (tcp || slice_starts(rest, S("http://")))
		rest = slice_sub(rest, tcp ? 6 : 7, rest.len);
	else if (memmem(rest.ptr, rest.len, "://", 3) != NULL)
		return fault_set(a->why, ERR_UNSUPPORTED,
		    "a call is http:// or tcp://, not \"%s\"", text);
	slash = slice_find(rest, '/');
	if (command_authority(
		slice_sub(rest, 0, slash), &host, &port, a->why) != OK)
		return ERR_INVALID;
	put_text(a, "to", host);
	put_text(a, "path", slice_sub(rest, slash, rest.len));
	if (port != 0)
		value_put_int(&a->arena, &a->map, S("port"), port);
	return OK;
}

static enum err
put_pairs(struct asked *a, const struct options *o)
{
	struct value *headers, *labels;
	enum err e = command_headers(
	    options_list(o, "header"), &a->arena, &headers, a->why);

	if (e == OK)
		e = command_labels(
		    options_list(o, "labels"), &a->arena, &labels, a->why);
	if (e != OK)
		return e;
	if (headers != NULL)
		value_put(&a->map, S("headers"), headers);
	if (labels != NULL)
		value_put(&a->map, S("labels"), labels);
	return OK;
}

/* Claims as JSON, or a token; or a file with one of them. */
static enum err
put_jwt(struct asked *a, const char *text)
{
	AUTO(buf_fini) struct buf file = BUF(TOKEN_BYTES);
	struct slice s = slice_str(text), kept;
	const struct value *claims;
	enum err e = OK;

	if (text == NULL)
		return OK;
	if (s.len > 0 && s.ptr[0] == '@') {
		e = file_read(text + 1, &file, a->why);
		s = slice_trim(buf_slice(&file));
		while (s.len > 0 && s.ptr[s.len - 1] == '\n')
			s.len--;
	}
	if (e == OK)
		e = arena_copy(&a->arena, s, &kept);
	if (e != OK)
		return e;
	if (kept.len == 0 || kept.ptr[0] != '{') {
		put_text(a, "jwt", kept);
		return OK;
	}
	e = codec_json_parse(kept, &a->arena, &claims, a->why);
	if (e == OK)
		value_put(&a->map, S("jwt"), value_share(claims, &a->arena));
	return e;
}

static enum err
read_words(struct asked *a, const struct options *o)
{
	enum err e;

	if (o->arg_count < 1 || o->arg_count > 2)
		return fault_set(a->why, ERR_INVALID,
		    "say which call to explain: [METHOD] URL");
	if (o->arg_count == 2)
		put_text(a, "method", slice_str(o->args[0]));
	put_text(a, "from", slice_str(options_text(o, "from")));
	put_text(a, "sourceIp", slice_str(options_text(o, "source-ip")));
	put_text(a, "remoteIp", slice_str(options_text(o, "remote-ip")));
	put_text(a, "sni", slice_str(options_text(o, "sni")));
	e = put_url(a, o->args[o->arg_count - 1]);
	if (e == OK)
		e = put_pairs(a, o);
	if (e == OK)
		e = put_jwt(a, options_text(o, "jwt"));
	if (e == OK && a->map == NULL)
		e = fault_set(a->why, ERR_LIMIT, "the words are too long");
	return e;
}

/* --- from files --- */

/* One workload's view, compiled anew when another one is asked about. */
struct compiled {
	struct places files; /* its resources; no view of it is asked */
	struct view *view;
	struct arena arena; /* of `workload` */
	struct view_exposed_input workload;
};

static void
compiled_init(struct compiled *c)
{
	*c = (struct compiled){.view = NULL};
	places_init(&c->files);
	arena_init(&c->arena, ARENA_BYTES);
}

static void
compiled_fini(struct compiled *c)
{
	view_unref(&c->view);
	places_fini(&c->files);
	arena_fini(&c->arena);
}

static bool
is_same(const struct view_exposed_input *a, const struct view_exposed_input *b)
{
	return slice_eq(a->service, b->service) && slice_eq(a->ns, b->ns) &&
	       a->port == b->port && slice_eq(a->protocol, b->protocol) &&
	       labels_match(&a->labels, &b->labels) &&
	       labels_match(&b->labels, &a->labels);
}

static enum err
compile_for(struct compiled *c, const struct value *question, struct fault *why)
{
	struct view_input in = {
	    .resources = (const struct resource *const *)c->files.items,
	    .resource_count = c->files.count,
	    .exposed = &c->workload,
	    .exposed_count = 1};
	struct view_exposed_input w;
	AUTO(arena_fini) struct arena a;
	const struct value *kept;
	enum err e;

	arena_init(&a, ARENA_BYTES);
	e = explain_access_workload(question, &in, &a, &w, why);
	if (e != OK || (c->view != NULL && is_same(&w, &c->workload)))
		return e;
	view_unref(&c->view);
	arena_reset(&c->arena);
	kept = value_copy(question, &c->arena);
	if (kept == NULL)
		return fault_set(why, ERR_LIMIT, "the question is too large");
	e = explain_access_workload(kept, &in, &c->arena, &c->workload, why);
	return e == OK ? view_compile(&in, &c->view, why) : e;
}

/* One question; a question_cb. */
static const struct value *
answer(void *arg, const struct value *question, struct arena *arena,
    struct fault *why)
{
	struct compiled *c = arg;
	const struct explain_access ask = {.question = question,
	    .parse_json = codec_json_parse,
	    .now_ms = clock_wall_ms(&clock_system)};
	struct value *told = NULL;

	if (compile_for(c, question, why) != OK ||
	    model_explain_access(c->view, &ask, arena, &told, why) != OK)
		return NULL;
	if (told == NULL)
		(void)fault_set(why, ERR_LIMIT, "the explanation is too large");
	return told;
}

/* --- for people --- */

static bool
is_true(const struct value *v, struct slice key)
{
	const struct value *b = value_get(v, key);

	return b != NULL && b->type == VALUE_BOOL && b->boolean;
}

static void
print_rule(const char *label, const struct value *v)
{
	if (value_get(v, S("policy")) == NULL)
		return;
	(void)printf("%-13s %.*s, rule %d, at %.*s\n", label,
	    SLICE_ARG(value_get_string(v, S("policy"), S(""))),
	    (int)value_get_int(v, S("rule"), 0),
	    SLICE_ARG(value_get_string(v, S("origin"), S(""))));
}

static void
print_outcome(const struct value *v)
{
	const struct value *o = value_get(v, S("outcome"));
	int status = (int)value_get_int(o, S("status"), 0);
	struct slice reason = value_get_string(o, S("reason"), S(""));

	(void)printf("%-13s ", "outcome");
	if (is_true(o, S("allowed")))
		(void)printf("allowed: ");
	else if (status > 0)
		(void)printf("refused with %d: ", status);
	else
		(void)printf("the connection is closed: ");
	(void)printf("%.*s\n", SLICE_ARG(reason));
}

static void
print_besides(const struct value *v)
{
	const struct value *ask = value_get(v, S("ask"));
	const struct value *dry = value_get(v, S("dryRun"));
	const struct value *token = value_get(v, S("token"));

	if (ask != NULL)
		(void)printf("%-13s %.*s, before the rest\n", "asked",
		    SLICE_ARG(value_get_string(ask, S("provider"), S("?"))));
	print_rule("", ask);
	print_rule("audited by", value_get(v, S("audit")));
	if (dry != NULL)
		(void)printf("%-13s would have been %s\n", "dry run",
		    is_true(dry, S("allowed")) ? "allowed" : "denied");
	print_rule("", dry);
	explained_line(token, "why", "token");
	explained_line(token, "issuer", "issuer");
	explained_line(token, "subject", "subject");
	explained_line(token, "note", "");
}

static int
print(const struct value *v, enum output how)
{
	const struct value *workload = value_get(v, S("workload"));
	struct fault why = {0};

	if (how != OUTPUT_TABLE)
		return output_value(how, v, &why) == OK ? CLI_EXIT_OK
							: cli_fault(&why);
	print_outcome(v);
	print_rule("by", v);
	explained_line(workload, "service", "workload");
	explained_line(value_get(v, S("call")), "from", "caller");
	print_besides(v);
	explained_access_rules(value_get(v, S("rules")));
	explained_line(v, "note", "note");
	return CLI_EXIT_OK;
}

/* --- the command --- */

static int
explain_online(struct asked *a, const struct options *o, enum output how)
{
	AUTO(api_answer_fini) struct api_answer answer = {0};
	struct api_question ask = {
	    API_SERVER, "POST", "/v1/explain/access", a->map};

	if (api_ask(o, &ask, &answer, a->why) != OK)
		return cli_fault(a->why);
	return answer.status == 200 ? print(answer.body, how)
				    : api_refused(&answer);
}

static int
explain_files(
    struct asked *a, const struct option_values *paths, enum output how)
{
	AUTO(compiled_fini) struct compiled c;
	const struct value *v;
	int code;

	compiled_init(&c);
	code = places_read_all(&c.files, paths);
	if (code != CLI_EXIT_OK)
		return code;
	v = answer(&c, a->map, &a->arena, a->why);
	return v != NULL ? print(v, how) : cli_fault(a->why);
}

static int
explain_questions(const char *questions, const struct option_values *paths)
{
	AUTO(compiled_fini) struct compiled c;
	int code;

	compiled_init(&c);
	code = places_read_all(&c.files, paths);
	return code == CLI_EXIT_OK ? questions_run(questions, answer, &c)
				   : code;
}

static int
explain_access(struct options *o)
{
	AUTO(asked_fini) struct asked a = {.map = NULL};
	const struct option_values *files = options_list(o, "files");
	const char *questions = options_text(o, "questions");
	struct fault why = {0};
	enum output how;

	arena_init(&a.arena, ARENA_BYTES);
	a.map = value_new(&a.arena, VALUE_MAP);
	a.why = &why;
	if (questions != NULL && files->count == 0)
		return command_fail(CLI_EXIT_USAGE,
		    "explain access: --questions goes with --files");
	if (questions != NULL && o->arg_count > 0)
		return command_fail(CLI_EXIT_USAGE,
		    "explain access: --questions has the questions; no other "
		    "words go with it");
	if (questions != NULL)
		return explain_questions(questions, files);
	if (output_parse(options_text(o, "output"), &how, &why) != OK ||
	    read_words(&a, o) != OK)
		return command_fail(
		    CLI_EXIT_USAGE, "explain access: %s", why.text);
	return files->count > 0 ? explain_files(&a, files, how)
				: explain_online(&a, o, how);
}

static const struct option_row access_rows[] = {
    {"from", 0, OPTION_TEXT, "NAME.NAMESPACE|ID", NULL, false,
	"whose certificate calls, an ID is spiffe://...; else none does"},
    {"source-ip", 0, OPTION_TEXT, "ADDR", NULL, false,
	"the address that is connected"},
    {"remote-ip", 0, OPTION_TEXT, "ADDR", NULL, false,
	"the address that the call comes from; else the same"},
    {"sni", 0, OPTION_TEXT, "NAME", NULL, false, "the name that TLS asks for"},
    {"header", 'H', OPTION_LIST, "NAME: VALUE", NULL, false,
	"a header of the request"},
    {"jwt", 0, OPTION_TEXT, "TOKEN|CLAIMS|@FILE", NULL, false,
	"a token, or its claims as JSON, as Authorization: Bearer"},
    {"labels", 0, OPTION_LIST, "KEY=VALUE", NULL, false,
	"a label of the workload; else its Service's selector"},
    {"files", 0, OPTION_LIST, "FILE|DIR", NULL, false,
	"configuration to use instead of the server's"},
    {"questions", 0, OPTION_TEXT, "FILE|-", NULL, false,
	"a JSON object a line, each answered by one; with --files"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_explain_access = {
    .name = "explain access",
    .args = "[METHOD] URL",
    .words = 2,
    .summary = "say whether policies let a call pass, and why",
    .section = "cli",
    .rows = access_rows,
    .row_count = ARRAY_LEN(access_rows),
    .run = explain_access,
};
