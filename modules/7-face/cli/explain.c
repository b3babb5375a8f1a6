/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain — what would happen to a request or a connection, and why.
 *
 * The words become a question as JSON has it (model/explain.h). From files
 * alone (--files) it is answered here, and nobody knows who is alive; else the
 * server is asked, which compiles what it has stored and who is there, or an
 * agent, which has a view in force.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "files/files.h"
#include "model/model.h"

#include "api.h"
#include "body.h"
#include "command.h"
#include "documents.h"
#include "explained.h"
#include "output.h"
#include "places.h"
#include "questions.h"

#include <stdio.h>

enum { ARENA_BYTES = 64 << 20, URL_SHOWN = 100 };

/* --- the words of the command --------------------------------------------- */

static enum err
read_headers(struct body *b, const struct options *o, struct fault *why)
{
	struct value *map;
	enum err e =
	    command_headers(options_list(o, "header"), &b->arena, &map, why);

	if (e == OK && map != NULL)
		body_set(b, "headers", map);
	return e;
}

static enum err
read_labels(struct body *b, const struct options *o, struct fault *why)
{
	struct value *map;
	enum err e =
	    command_labels(options_list(o, "labels"), &b->arena, &map, why);

	if (e == OK && map != NULL)
		body_set(b, "labels", map);
	return e;
}

/* "web.default": the namespace decides what short names mean. */
static struct slice
namespace_of(const char *from)
{
	struct slice rest = slice_str(from);

	(void)slice_split(&rest, '.'); /* the workload's own name */
	return rest.len > 0 ? slice_split(&rest, '.') : S("default");
}

/* What was asked for, while it becomes a question. */
struct asked {
	struct body b;
	bool is_connection;
	bool has_tls;
	bool is_bytes; /* tcp://… */
	uint16_t port;
	struct slice host; /* of the URL */
};

static void
asked_fini(struct asked *q)
{
	body_fini(&q->b);
}

static enum err
read_port(struct asked *q, struct slice text, struct fault *why)
{
	if (addr_parse_port(text, &q->port) == OK)
		return OK;
	return fault_set(
	    why, ERR_INVALID, "\"%.*s\" is no port (1-65535)", SLICE_ARG(text));
}

/* "http", which is cut off with the slashes; so it is without any. */
static enum err
read_scheme(struct slice *rest, struct slice *out, struct fault *why)
{
	static const char *const schemes[] = {"http", "https", "tcp"};
	const char *end = memmem(rest->ptr, rest->len, "://", 3);

	*out = S("http");
	if (end == NULL)
		return OK;
	*out = slice_sub(*rest, 0, (size_t)(end - rest->ptr));
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (slice_eq(*out, slice_str(schemes[i]))) {
			*rest = slice_sub(*rest, out->len + 3, rest->len);
			return OK;
		}
	return fault_set(why, ERR_UNSUPPORTED,
	    "a URL begins with http://, https:// or tcp://, not as \"%.*s\"",
	    SLICE_ARG(slice_sub(*rest, 0, URL_SHOWN)));
}

/* "http://reviews.default:9080/x?y" */
static enum err
read_url(struct asked *q, const char *text, struct fault *why)
{
	struct slice rest = slice_str(text), scheme, authority;
	size_t slash;

	if (read_scheme(&rest, &scheme, why) != OK)
		return ERR_UNSUPPORTED;
	slash = slice_find(rest, '/');
	authority = slice_sub(rest, 0, slash);
	if (command_authority(authority, &q->host, &q->port, why) != OK)
		return ERR_INVALID;
	q->has_tls = slice_eq(scheme, S("https"));
	q->is_bytes = slice_eq(scheme, S("tcp"));
	q->is_connection = q->is_connection || q->has_tls;
	body_slice(&q->b, "host", q->host);
	if (q->is_bytes)
		return OK;
	body_slice(&q->b, "authority", authority);
	body_slice(&q->b, "scheme", scheme);
	body_slice(&q->b, "path",
	    slash < rest.len ? slice_sub(rest, slash, rest.len - slash)
			     : S("/"));
	return OK;
}

/* Whoever mistypes "request" means no method. */
static enum err
read_method(struct asked *q, const char *text, struct fault *why)
{
	for (const char *c = text; *c != '\0'; c++)
		if ((*c < 'A' || *c > 'Z') && *c != '-' && *c != '_')
			return fault_set(why, ERR_INVALID,
			    "\"%s\" is neither request nor connection, nor a "
			    "method in capitals such as GET",
			    text);
	body_text(&q->b, "method", text);
	return OK;
}

static bool
is_address(struct slice host)
{
	struct addr a;

	return addr_parse_ip(host, &a) == OK;
}

/* As a client says it: of an address nothing. */
static struct slice
usual_sni(const struct asked *q)
{
	return q->has_tls && !is_address(q->host) ? q->host : S("");
}

static const char *const of_connections[] = {
    "address", "protocol", "tls", "sni", "peer"};

static void
read_connection(struct asked *q, const struct options *o, bool http)
{
	const struct option_values *alpn = options_list(o, "alpn");
	struct value *list = value_new(&q->b.arena, VALUE_LIST);

	for (size_t i = 0; i < ARRAY_LEN(of_connections); i++)
		body_text(&q->b, of_connections[i],
		    options_text(o, of_connections[i]));
	if (options_text(o, "address") == NULL && is_address(q->host))
		body_slice(&q->b, "address", q->host);
	body_text(&q->b, "direction",
	    options_flag(o, "gateway")   ? "gateway"
	    : options_flag(o, "inbound") ? "inbound"
					 : "outbound");
	if (options_text(o, "protocol") == NULL)
		body_text(&q->b, "protocol", http ? "http" : "tcp");
	body_text(&q->b, "sourceIp", options_text(o, "source-ip"));
	if (options_text(o, "tls") == NULL && options_text(o, "peer") != NULL)
		body_text(&q->b, "tls", "mtls");
	else if (options_text(o, "tls") == NULL && q->has_tls)
		body_text(&q->b, "tls", "tls");
	if (options_text(o, "sni") == NULL && usual_sni(q).len > 0)
		body_slice(&q->b, "sni", usual_sni(q));
	for (size_t i = 0; i < alpn->count; i++)
		value_push_text(&q->b.arena, &list, slice_str(alpn->text[i]));
	if (alpn->count > 0)
		body_set(&q->b, "alpn", list);
}

/* Whose proxy it is. */
static enum err
read_place(struct asked *q, const struct options *o, struct fault *why)
{
	enum err e = read_labels(&q->b, o, why);

	body_slice(&q->b, "namespace", namespace_of(options_text(o, "from")));
	body_text(&q->b, "ip", options_text(o, "ip"));
	if (options_flag(o, "gateway"))
		body_text(&q->b, "proxy", "gateway");
	return e;
}

static bool
asks_connection(const struct options *o)
{
	bool is = options_flag(o, "gateway") || options_flag(o, "inbound") ||
		  options_text(o, "source-ip") != NULL ||
		  options_list(o, "alpn")->count > 0;

	for (size_t i = 0; i < ARRAY_LEN(of_connections); i++)
		is = is || options_text(o, of_connections[i]) != NULL;
	return is;
}

/* Its calls are all of one method. */
static bool
is_grpc(const struct options *o)
{
	const char *protocol = options_text(o, "protocol");

	return protocol != NULL && strcmp(protocol, "grpc") == 0;
}

/* [request|connection] [METHOD] [URL] */
static enum err
read_words(struct asked *q, const struct options *o, struct fault *why)
{
	const char *what = o->arg_count > 0 ? o->args[0] : "";
	bool connection = strcmp(what, "connection") == 0;
	size_t first = connection || strcmp(what, "request") == 0 ? 1 : 0;
	size_t rest = o->arg_count - first;
	const char *port = options_text(o, "port");
	enum err e = OK;

	if (rest > 2 || (rest == 0 && !connection))
		return fault_set(why, ERR_INVALID,
		    "say what to explain: request [METHOD] URL, or connection "
		    "--port N [[METHOD] URL]");
	if (options_flag(o, "gateway") && options_flag(o, "inbound"))
		return fault_set(why, ERR_INVALID,
		    "a call comes in to a --gateway or, with --inbound, to a "
		    "program; not both");
	q->is_connection = connection || asks_connection(o);
	if (rest == 2)
		e = read_method(q, o->args[first], why);
	else if (rest == 1 && is_grpc(o))
		body_text(&q->b, "method", "POST");
	if (e == OK)
		e = read_place(q, o, why);
	if (e == OK)
		e = read_headers(&q->b, o, why);
	if (e == OK && rest > 0)
		e = read_url(q, o->args[o->arg_count - 1], why);
	if (e == OK && port != NULL)
		e = read_port(q, slice_str(port), why);
	if (e == OK && q->is_connection) {
		if (q->port == 0 && rest > 0 && !q->is_bytes)
			q->port = q->has_tls ? 443 : 80;
		if (q->port == 0)
			return fault_set(why, ERR_INVALID,
			    "say which port is called: --port N");
		read_connection(q, o, rest > 0 && !q->is_bytes);
	}
	if (q->port > 0)
		body_set(&q->b, "port", value_new_int(&q->b.arena, q->port));
	if (e == OK && q->b.map == NULL)
		return fault_set(why, ERR_LIMIT, "the question is too large");
	return e;
}

/* --- from files ----------------------------------------------------------- */

/* One question; a question_cb. */
static const struct value *
answer(void *arg, const struct value *question, struct arena *arena,
    struct fault *why)
{
	struct explain_question q;
	const struct view *v;
	const struct value *told;

	if (explain_read(question, arena, &q, why) != OK)
		return NULL;
	if (q.with.list != NULL) {
		(void)fault_set(why, ERR_UNSUPPORTED,
		    "documents in a question are for a server; name files "
		    "with --with");
		return NULL;
	}
	v = places_view(arg, &q.place, why);
	if (v == NULL)
		return NULL;
	q.connection.request.offline = true;
	q.connection.parse_json = codec_json_parse;
	q.connection.now_ms = clock_wall_ms(&clock_system);
	told = model_answer(v, &q, arena);
	if (told == NULL)
		(void)fault_set(why, ERR_LIMIT, "the explanation is too large");
	return told;
}

static int
explain_files(
    const struct options *o, const struct value *question, enum output how)
{
	AUTO(places_fini) struct places p;
	AUTO(arena_fini) struct arena arena = {0};
	struct fault why = {0};
	const struct value *told;
	int code;

	places_init(&p);
	arena_init(&arena, ARENA_BYTES);
	code = places_read_all(&p, options_list(o, "files"));
	if (code == CLI_EXIT_OK)
		code = places_read_all(&p, options_list(o, "with"));
	if (code != CLI_EXIT_OK)
		return code;
	if (question == NULL)
		return questions_run(options_text(o, "questions"), answer, &p);
	told = answer(&p, question, &arena, &why);
	return told != NULL ? explained_print(told, how) : cli_fault(&why);
}

/* --- from the server ------------------------------------------------------ */

/* What is asked, on top of what is in force there. */
struct online {
	const struct options *o;
	struct documents with;
};

static void
online_fini(struct online *l)
{
	documents_fini(&l->with);
}

static int
online_init(struct online *l, const struct options *o)
{
	const struct option_values *paths = options_list(o, "with");
	AUTO(files_fini) struct files f;
	struct fault why = {0};

	l->o = o;
	documents_init(&l->with);
	l->with.places = value_new(&l->with.body.arena, VALUE_LIST);
	files_init(&f, FILES_BYTES);
	for (size_t i = 0; i < paths->count; i++)
		if (files_read(&f, paths->text[i], &why) != OK)
			return cli_fault(&why);
	return documents_add(&l->with, &f, S("default"));
}

static enum err
ask(struct online *l, const struct value *question, struct api_answer *a,
    struct fault *why)
{
	struct arena *arena = &l->with.body.arena;
	const struct documents *with = &l->with;
	struct value *body = value_share(question, arena);
	struct api_question q = {API_EITHER, "POST", "/v1/explain", body};

	if (with->list == NULL || with->places == NULL)
		body = NULL;
	else if (with->list->count > 0) {
		value_put(&body, S("with"), value_share(with->list, arena));
		value_put(&body, S("places"), value_share(with->places, arena));
	}
	if (body == NULL)
		return fault_set(why, ERR_INVALID,
		    "the question is too large, or has documents twice");
	return api_ask(l->o, &q, a, why);
}

static int
explain_online(
    const struct options *o, const struct value *question, enum output how)
{
	AUTO(api_answer_fini) struct api_answer a = {0};
	AUTO(online_fini) struct online l;
	struct fault why = {0};
	int code = online_init(&l, o);

	if (code != CLI_EXIT_OK)
		return code;
	if (ask(&l, question, &a, &why) != OK)
		return cli_fault(&why);
	if (a.status != 200)
		return api_refused(&a);
	return explained_print(a.body, how);
}

/* One of many; a question_cb. */
static const struct value *
ask_online(void *arg, const struct value *question, struct arena *arena,
    struct fault *why)
{
	AUTO(api_answer_fini) struct api_answer a = {0};
	const struct value *told;

	if (ask(arg, question, &a, why) != OK)
		return NULL;
	if (a.status != 200) {
		struct slice words =
		    value_get_string(a.body, S("message"), S("refused"));

		(void)fault_set(why, ERR_INVALID, "%.*s", SLICE_ARG(words));
		return NULL;
	}
	told = value_copy(a.body, arena);
	if (told == NULL)
		(void)fault_set(why, ERR_LIMIT, "the explanation is too large");
	return told;
}

static int
explain_many_online(const struct options *o)
{
	AUTO(online_fini) struct online l;
	int code = online_init(&l, o);

	if (code != CLI_EXIT_OK)
		return code;
	return questions_run(options_text(o, "questions"), ask_online, &l);
}

/* --- the command --- */

static int
explain_many(struct options *o)
{
	if (o->arg_count > 0)
		return command_fail(CLI_EXIT_USAGE,
		    "explain: --questions has the questions; no other words "
		    "go with it");
	if (options_list(o, "files")->count > 0)
		return explain_files(o, NULL, OUTPUT_JSON);
	return explain_many_online(o);
}

static int
explain(struct options *o)
{
	AUTO(asked_fini) struct asked q = {0};
	struct fault why = {0};
	enum output how;

	body_init(&q.b);
	if (options_text(o, "questions") != NULL)
		return explain_many(o);
	if (output_parse(options_text(o, "output"), &how, &why) != OK ||
	    read_words(&q, o, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "explain: %s", why.text);
	if (options_list(o, "files")->count > 0)
		return explain_files(o, q.b.map, how);
	return explain_online(o, q.b.map, how);
}

static const struct option_row explain_rows[] = {
    {"from", 0, OPTION_TEXT, "NAME.NAMESPACE", "-.default", false,
	"whose place the request is made from"},
    {"labels", 0, OPTION_LIST, "KEY=VALUE", NULL, false,
	"a label that the caller has"},
    {"header", 'H', OPTION_LIST, "NAME: VALUE", NULL, false,
	"a header of the request"},
    {"ip", 0, OPTION_TEXT, "ADDRESS", NULL, false,
	"of the machine whose proxy it is"},
    {"gateway", 0, OPTION_FLAG, NULL, NULL, false,
	"the proxy is a gateway, and is called from outside"},
    {"inbound", 0, OPTION_FLAG, NULL, NULL, false,
	"the call comes in, to a program beside the proxy"},
    {"address", 0, OPTION_TEXT, "ADDRESS", NULL, false,
	"the IP address that is called"},
    {"port", 0, OPTION_TEXT, "PORT", NULL, false,
	"the port that is called, whatever the URL names"},
    {"protocol", 0, OPTION_TEXT, "NAME", NULL, false,
	"tcp, http, http2 or grpc"},
    {"tls", 0, OPTION_TEXT, "KIND", NULL, false,
	"plaintext, tls, mtls (a certificate of the mesh), client (another)"},
    {"sni", 0, OPTION_TEXT, "NAME", NULL, false,
	"the server that the client names in TLS"},
    {"peer", 0, OPTION_TEXT, "NAME.NAMESPACE|ID", NULL, false,
	"who calls in, by its certificate, an ID is spiffe://..."},
    {"source-ip", 0, OPTION_TEXT, "ADDRESS", NULL, false,
	"the address that calls in"},
    {"alpn", 0, OPTION_LIST, "NAME", NULL, false,
	"a protocol that it offers in TLS"},
    {"questions", 0, OPTION_TEXT, "FILE|-", NULL, false,
	"many questions, a JSON object a line; so are the answers"},
    {"files", 0, OPTION_LIST, "FILE|DIR", NULL, false,
	"configuration to use instead of the server's"},
    {"with", 0, OPTION_LIST, "FILE|DIR|-", NULL, false,
	"configuration on top of that, as if it were applied"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_explain = {
    .name = "explain",
    .args = "request|connection [METHOD] [URL]",
    .words = 3,
    .summary = "say what would happen to a call, and why",
    .section = "cli",
    .rows = explain_rows,
    .row_count = ARRAY_LEN(explain_rows),
    .run = explain,
};
