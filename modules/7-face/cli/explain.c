/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain — what would happen to a request, and why.
 *
 * From files alone (--files) the view is compiled here, and nobody knows who
 * is alive; else the server is asked, which compiles what it has stored and
 * who is there, or an agent, which has a view in force.
 */
#include "base/base.h"
#include "model/model.h"

#include "api.h"
#include "collected.h"
#include "command.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEADERS_MAX = 100, LABELS_MAX = 64, ARENA_BYTES = 64 << 20 };

struct question {
	struct arena arena;
	struct explain_request request;
	struct label headers[HEADERS_MAX];
	struct label labels[LABELS_MAX]; /* of the caller */
};

static void
question_fini(struct question *q)
{
	arena_fini(&q->arena);
}

/* --- the words of the command --- */

static enum err
read_header(struct question *q, const char *text, struct fault *why)
{
	struct slice rest = slice_str(text);
	struct slice name = slice_trim(slice_split(&rest, ':'));

	if (name.len == 0 || name.len == strlen(text))
		return fault_set(why, ERR_INVALID,
		    "a header is written \"name: value\", not \"%s\"", text);
	if (q->request.header_count == HEADERS_MAX)
		return fault_set(
		    why, ERR_LIMIT, "more than %d headers", HEADERS_MAX);
	q->headers[q->request.header_count++] =
	    (struct label){name, slice_trim(rest)};
	return OK;
}

/* "http://reviews.default:9080/x?y" */
static enum err
read_url(struct question *q, const char *text, struct fault *why)
{
	struct slice rest = slice_str(text);
	struct slice authority;
	struct slice port;
	size_t slash;

	if (slice_starts(rest, S("http://"))) {
		rest = slice_sub(rest, 7, rest.len);
		q->request.scheme = S("http");
	} else if (memmem(text, strlen(text), "://", 3) != NULL) {
		return fault_set(why, ERR_UNSUPPORTED,
		    "only http:// URLs are supported yet, not \"%s\"", text);
	}
	slash = slice_find(rest, '/');
	authority = slice_sub(rest, 0, slash);
	q->request.path = slash < rest.len
			      ? slice_sub(rest, slash, rest.len - slash)
			      : S("/");
	q->request.authority = authority;
	port = authority;
	q->request.host = slice_split(&port, ':');
	if (q->request.host.len == 0)
		return fault_set(
		    why, ERR_INVALID, "\"%s\" names no host", text);
	if (port.len == 0)
		return OK;
	if (addr_parse_port(port, &q->request.port) != OK)
		return fault_set(why, ERR_INVALID,
		    "\"%.*s\" is no port (1-65535)", SLICE_ARG(port));
	return OK;
}

/* "web.default": the namespace decides what short names mean. */
static struct slice
namespace_of(const char *from)
{
	struct slice rest = slice_str(from);

	(void)slice_split(&rest, '.'); /* the workload's own name */
	return rest.len > 0 ? slice_split(&rest, '.') : S("default");
}

static enum err
read_labels(
    struct question *q, const struct option_values *labels, struct fault *why)
{
	enum err e = OK;

	if (labels->count > LABELS_MAX)
		return fault_set(
		    why, ERR_LIMIT, "more than %d labels", LABELS_MAX);
	for (size_t i = 0; e == OK && i < labels->count; i++)
		e = command_label(labels->text[i], &q->labels[i], why);
	q->request.labels = (struct labels){q->labels, labels->count};
	return e;
}

static enum err
read_words(struct question *q, const struct options *o, struct fault *why)
{
	const struct option_values *headers = options_list(o, "header");
	size_t first =
	    o->arg_count > 0 && strcmp(o->args[0], "request") == 0 ? 1 : 0;
	enum err e = OK;

	if (o->arg_count - first < 1 || o->arg_count - first > 2)
		return fault_set(why, ERR_INVALID,
		    "say what to explain: request [METHOD] URL");
	if (o->arg_count - first == 2)
		q->request.method = slice_str(o->args[first]);
	q->request.headers = q->headers;
	q->request.ns = namespace_of(options_text(o, "from"));
	e = read_labels(q, options_list(o, "labels"), why);
	for (size_t i = 0; e == OK && i < headers->count; i++)
		e = read_header(q, headers->text[i], why);
	return e != OK ? e : read_url(q, o->args[o->arg_count - 1], why);
}

/* --- from files --- */

static int print(const struct value *v, enum output how);

static int
explain_collected(
    struct question *q, const struct collected *c, enum output how)
{
	AUTO(view_unref) struct view *view = NULL;
	struct view_input in = {.ns = q->request.ns,
	    .labels = q->request.labels,
	    .resources = (const struct resource *const *)c->items,
	    .resource_count = c->count};
	struct fault why = {0};
	const struct value *v;

	if (view_compile(&in, &view, &why) != OK)
		return cli_fault(&why);
	q->request.offline = true;
	v = model_explain(view, &q->request, &q->arena);
	if (v == NULL)
		return command_fail(
		    CLI_EXIT_FAILED, "the explanation is too large");
	return print(v, how);
}

static int
explain_files(struct question *q, const char *path, enum output how)
{
	AUTO(collected_fini) struct collected c = {0};
	int code = collected_read(&c, path);

	return code == CLI_EXIT_OK ? explain_collected(q, &c, how) : code;
}

/* --- from the server --- */

static struct value *
text(struct question *q, struct slice s)
{
	return value_new_string(&q->arena, s);
}

static enum err
headers_of(struct question *q, struct value *map)
{
	enum err e = OK;

	for (size_t i = 0; e == OK && i < q->request.header_count; i++) {
		e = value_set(
		    map, q->headers[i].key, text(q, q->headers[i].value));
		if (e == ERR_EXISTS)
			e = OK; /* the first of a name decides */
	}
	return e;
}

static struct value *
labels_of(struct question *q)
{
	struct value *map = value_new(&q->arena, VALUE_MAP);

	for (size_t i = 0; i < q->request.labels.count; i++)
		value_put(&map, q->labels[i].key, text(q, q->labels[i].value));
	return map;
}

static struct value *
body_of(struct question *q)
{
	struct value *m = value_new(&q->arena, VALUE_MAP);
	struct value *headers = value_new(&q->arena, VALUE_MAP);
	const struct explain_request *r = &q->request;

	if (m == NULL || headers == NULL || headers_of(q, headers) != OK ||
	    value_set(m, S("namespace"), text(q, r->ns)) != OK ||
	    value_set(m, S("labels"), labels_of(q)) != OK ||
	    value_set(m, S("host"), text(q, r->host)) != OK ||
	    value_set(m, S("port"), value_new_int(&q->arena, r->port)) != OK ||
	    value_set(m, S("method"), text(q, r->method)) != OK ||
	    value_set(m, S("authority"), text(q, r->authority)) != OK ||
	    value_set(m, S("path"), text(q, r->path)) != OK ||
	    value_set(m, S("headers"), headers) != OK)
		return NULL;
	return m;
}

static int
explain_online(struct question *q, const struct options *o, enum output how)
{
	AUTO(api_answer_fini) struct api_answer a = {0};
	struct value *body = body_of(q);
	struct api_question ask = {API_EITHER, "POST", "/v1/explain", body};
	struct fault why = {0};

	if (body == NULL)
		return command_fail(
		    CLI_EXIT_FAILED, "the question is too large");
	if (api_ask(o, &ask, &a, &why) != OK)
		return cli_fault(&why);
	if (a.status != 200)
		return api_refused(&a);
	return print(a.body, how);
}

/* --- for people --- */

static void
line(const struct value *v, const char *key, const char *label)
{
	struct slice s = value_get_string(v, slice_str(key), SLICE_NONE);

	if (s.len > 0)
		(void)printf("%-13s %.*s\n", label, SLICE_ARG(s));
}

static bool
is_true(const struct value *v)
{
	return v != NULL && v->type == VALUE_BOOL && v->boolean;
}

static int64_t
number(const struct value *v, struct slice key)
{
	const struct value *n = value_get(v, key);

	return n != NULL && n->type == VALUE_INT ? n->integer : 0;
}

static void
print_outcome(const struct value *v)
{
	const struct value *o = value_get(v, S("outcome"));
	struct slice reason = value_get_string(o, S("reason"), SLICE_NONE);
	struct slice flag = value_get_string(o, S("flag"), S("-"));
	int64_t status = number(o, S("status"));

	if (status == 0)
		(void)printf("%-13s %.*s\n", "outcome", SLICE_ARG(reason));
	else
		(void)printf("%-13s %d %.*s: %.*s\n", "outcome", (int)status,
		    SLICE_ARG(flag), SLICE_ARG(reason));
}

/* Where a program of the agent's machine would find the host. */
static void
print_listener(const struct value *v)
{
	const struct value *l = value_get(v, S("listener"));
	struct slice identity = value_get_string(l, S("identity"), SLICE_NONE);

	if (l != NULL)
		(void)printf("%-13s %.*s at %.*s%s%.*s\n", "listener",
		    SLICE_ARG(value_get_string(l, S("name"), S("-"))),
		    SLICE_ARG(value_get_string(l, S("address"), S("-"))),
		    identity.len > 0 ? ", calls as " : "", SLICE_ARG(identity));
	else if (number(v, S("listeners")) > 0)
		(void)printf(
		    "%-13s none of this machine leads there\n", "listener");
}

static void
print_rules(const struct value *rules)
{
	if (rules != NULL && rules->count > 0)
		(void)printf("rules, in the order they are asked:\n");
	VALUE_EACH(rules, it)
	{
		bool matched = is_true(value_get(it, S("matched")));
		struct slice name = value_get_string(it, S("name"), SLICE_NONE);

		(void)printf("  %s %d%s%.*s  %.*s  %.*s\n", matched ? "+" : "-",
		    (int)number(it, S("rule")) + 1, name.len > 0 ? " " : "",
		    SLICE_ARG(name),
		    SLICE_ARG(value_get_string(it, S("origin"), S(""))),
		    SLICE_ARG(value_get_string(
			it, S("why"), matched ? S("matches") : S(""))));
	}
}

static void
print_endpoints(const struct value *destination)
{
	const struct value *list = value_get(destination, S("endpoints"));

	/* From files there is neither. */
	if (list == NULL && value_get(destination, S("usable")) != NULL)
		(void)printf("      no endpoint is known\n");
	VALUE_EACH(list, it)
	{
		bool usable = is_true(value_get(it, S("usable")));

		(void)printf("    %s %.*s  %.*s  %.*s\n", usable ? "+" : "-",
		    SLICE_ARG(value_get_string(it, S("address"), S("?"))),
		    SLICE_ARG(value_get_string(it, S("node"), S("-"))),
		    SLICE_ARG(value_get_string(it, S("reason"),
			usable ? S("in use") : S("not usable"))));
	}
}

static void
print_destinations(const struct value *list)
{
	if (list != NULL && list->count > 0)
		(void)printf("destinations:\n");
	VALUE_EACH(list, it)
	{
		struct slice share =
		    value_get_string(it, S("percent"), SLICE_NONE);

		(void)printf("  %.*s  %.*s%s%.*s\n",
		    SLICE_ARG(value_get_string(
			it, S("cluster"), S("(no such destination)"))),
		    SLICE_ARG(share), share.len > 0 ? " %  " : "",
		    SLICE_ARG(value_get_string(it, S("balancer"), S(""))));
		print_endpoints(it);
	}
}

static int
print(const struct value *v, enum output how)
{
	struct fault why = {0};

	if (how != OUTPUT_TABLE)
		return output_value(how, v, &why) == OK ? CLI_EXIT_OK
							: cli_fault(&why);
	print_outcome(v);
	print_listener(v);
	line(v, "virtualHostMatched", "virtual host");
	line(v, "routeMatched", "route");
	line(v, "origin", "from");
	line(v, "clusterMatched", "cluster");
	line(v, "timeout", "timeout");
	line(v, "note", "note");
	print_rules(value_get(v, S("rules")));
	print_destinations(value_get(v, S("destinations")));
	return CLI_EXIT_OK;
}

/* --- the command --- */

static int
explain(struct options *o)
{
	AUTO(question_fini) struct question q = {0};
	const char *files = options_text(o, "files");
	struct fault why = {0};
	enum output how;

	arena_init(&q.arena, ARENA_BYTES);
	if (output_parse(options_text(o, "output"), &how, &why) != OK ||
	    read_words(&q, o, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "explain: %s", why.text);
	if (files != NULL)
		return explain_files(&q, files, how);
	return explain_online(&q, o, how);
}

static const struct option_row explain_rows[] = {
    {"from", 0, OPTION_TEXT, "NAME.NAMESPACE", "-.default", false,
	"whose place the request is made from"},
    {"labels", 0, OPTION_LIST, "KEY=VALUE", NULL, false,
	"a label that the caller has"},
    {"header", 'H', OPTION_LIST, "NAME: VALUE", NULL, false,
	"a header of the request"},
    {"files", 0, OPTION_TEXT, "FILE|DIR", NULL, false,
	"configuration to use instead of the server's"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_explain = {
    .name = "explain",
    .args = "request [METHOD] URL",
    .words = 3,
    .summary = "say what would happen to a request, and why",
    .section = "cli",
    .rows = explain_rows,
    .row_count = ARRAY_LEN(explain_rows),
    .run = explain,
};
