/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh — commands about who is in the mesh: tokens, nodes, members, services,
 * endpoints, the CA.
 */
#include "base/base.h"

#include "api.h"
#include "body.h"
#include "command.h"
#include "output.h"
#include "table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* --- tables --- */

/* A column: its head and the member of each row that it shows. */
struct column {
	const char *head;
	const char *member;
};

static void
print_columns(const struct value *items, const struct column *columns,
    size_t count, bool sorted)
{
	const char *head[TABLE_COLUMNS_MAX];
	AUTO(table_fini) struct table t;

	for (size_t i = 0; i < count; i++)
		head[i] = columns[i].head;
	table_init(&t, head, count);
	VALUE_EACH(items, it)
	for (size_t i = 0; i < count; i++)
		table_value(&t, value_get(it, slice_str(columns[i].member)));
	if (sorted)
		table_sort(&t);
	table_print(&t, stdout);
}

static const struct option_row plain_rows[] = {
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

/* --- members --- */

static void
print_members(const struct value *body)
{
	static const struct column columns[] = {
	    {"NAME", "name"},
	    {"ADDRESS", "address"},
	    {"STATUS", "status"},
	    {"HEALTH", "health"},
	    {"SERVICES", "services"},
	    {"RTT MS", "rttMs"},
	    {"SELF", "self"},
	};

	print_columns(value_get(body, S("items")), columns, ARRAY_LEN(columns),
	    /* sorted */ true);
}

static int
members(struct options *o)
{
	return api_show(o, API_EITHER, "/v1/members", print_members);
}

const struct command command_members = {
    .name = "members",
    .args = "",
    .summary = "show the machines of the mesh and whether they live",
    .section = "cli",
    .rows = plain_rows,
    .row_count = ARRAY_LEN(plain_rows),
    .run = members,
};

/* --- services and endpoints --- */

static void
print_services(const struct value *body)
{
	static const struct column columns[] = {
	    {"HOST", "host"},
	    {"PORT", "port"},
	    {"PROTOCOL", "protocol"},
	    {"ENDPOINTS", "endpoints"},
	    {"USABLE", "usable"},
	    {"WHY NOT", "why"},
	    {"FROM", "origin"},
	    {"CONFIGURATION", "configuration"},
	};

	print_columns(value_get(body, S("items")), columns, ARRAY_LEN(columns),
	    /* sorted */ true);
}

static int
services(struct options *o)
{
	return api_show(o, API_EITHER, "/v1/services", print_services);
}

const struct command command_services = {
    .name = "services",
    .args = "",
    .summary = "show the services that can be called",
    .section = "cli",
    .rows = plain_rows,
    .row_count = ARRAY_LEN(plain_rows),
    .run = services,
};

static void
print_endpoints(const struct value *body)
{
	static const struct column columns[] = {
	    {"SERVICE", "service"},
	    {"NAMESPACE", "namespace"},
	    {"PORT", "port"},
	    {"ADDRESS", "address"},
	    {"BY NAME", "byName"},
	    {"NODE", "node"},
	    {"GROUP", "group"},
	    {"LOCALITY", "locality"},
	    {"ACCOUNT", "account"},
	    {"STATUS", "status"},
	    {"WHY NOT", "reason"},
	    {"CONFIGURATION", "configuration"},
	};

	print_columns(value_get(body, S("items")), columns, ARRAY_LEN(columns),
	    /* sorted */ true);
}

static int
endpoints(struct options *o)
{
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);

	if (buf_add_slice(&path, S("/v1/endpoints")) != OK ||
	    api_path_add(
		&path, "service", o->arg_count > 0 ? o->args[0] : NULL) != OK ||
	    buf_add_byte(&path, 0) != OK)
		return command_fail(CLI_EXIT_USAGE, "endpoints: name too long");
	return api_show(o, API_EITHER, buf_slice(&path).ptr, print_endpoints);
}

const struct command command_endpoints = {
    .name = "endpoints",
    .args = "[SERVICE]",
    .words = 1,
    .summary = "show who serves what, where, and how it is",
    .section = "cli",
    .rows = plain_rows,
    .row_count = ARRAY_LEN(plain_rows),
    .run = endpoints,
};

/* --- nodes --- */

static void
print_nodes(const struct value *body)
{
	static const struct column columns[] = {
	    {"NAME", "name"},
	    {"NETWORK", "network"},
	    {"NAMESPACES", "namespaces"},
	    {"ACCOUNTS", "accounts"},
	    {"JOINED", "joined"},
	    {"CERTIFICATE ENDS", "certificateEnds"},
	    {"CONNECTED", "connected"},
	    {"REVOKED", "revoked"},
	};

	print_columns(value_get(body, S("items")), columns, ARRAY_LEN(columns),
	    /* sorted */ true);
}

static int
node_list(struct options *o)
{
	return api_show(o, API_SERVER, "/v1/nodes", print_nodes);
}

const struct command command_node_list = {
    .name = "node list",
    .args = "",
    .summary = "show the machines that have joined, and what they may offer",
    .section = "cli",
    .rows = plain_rows,
    .row_count = ARRAY_LEN(plain_rows),
    .run = node_list,
};

/* --- revoking --- */

static int
do_with(const struct options *o, const struct body *b, const char *path,
    const char *done)
{
	if (b->map == NULL)
		return command_fail(
		    CLI_EXIT_FAILED, "the request is too large");
	return api_do(o, API_SERVER, path, b->map, done);
}

static int
node_revoke(struct options *o)
{
	AUTO(body_fini) struct body b;

	body_init(&b);
	if (o->arg_count != 1)
		return command_fail(
		    CLI_EXIT_USAGE, "say which: node revoke NAME");
	body_text(&b, "name", o->args[0]);
	body_text(&b, "reason", options_text(o, "reason"));
	return do_with(o, &b, "/v1/nodes/revoke",
	    "revoked; its certificates and streams are refused from now on");
}

static const struct option_row node_revoke_rows[] = {
    {"reason", 0, OPTION_TEXT, "TEXT", NULL, false, "for the log"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_node_revoke = {
    .name = "node revoke",
    .args = "NAME",
    .words = 1,
    .summary = "refuse a machine from now on",
    .section = "cli",
    .rows = node_revoke_rows,
    .row_count = ARRAY_LEN(node_revoke_rows),
    .run = node_revoke,
};

/* --- tokens --- */

static void
set_cidrs(struct body *b, const struct option_values *cidrs)
{
	struct value *list = value_new(&b->arena, VALUE_LIST);

	for (size_t i = 0; list != NULL && i < cidrs->count; i++)
		if (value_append(list, value_new_string(&b->arena,
					   slice_str(cidrs->text[i]))) != OK)
			list = NULL;
	body_set(b, "cidrs", list);
}

static enum err
set_numbers(const struct options *o, struct body *b, struct fault *why)
{
	uint64_t n;
	enum err e = OK;

	if (options_text(o, "uses") != NULL) {
		e = options_number(o, "uses", &n, why);
		if (e == OK)
			body_set(
			    b, "uses", value_new_int(&b->arena, (int64_t)n));
	}
	if (e == OK && options_text(o, "lifetime") != NULL) {
		e = options_duration_us(o, "lifetime", &n, why);
		if (e == OK)
			body_set(b, "lifetimeMs",
			    value_new_int(&b->arena, (int64_t)(n / 1000)));
	}
	return e;
}

/* What is not given, the server has defaults for: they differ by role. */
static enum err
token_body(const struct options *o, struct body *b, struct fault *why)
{
	enum err e = set_numbers(o, b, why);

	if (e != OK)
		return e;
	body_text(b, "role", options_text(o, "role"));
	body_text(b, "nameGlob", options_text(o, "name-glob"));
	body_text(b, "namespaces", options_text(o, "namespaces"));
	body_text(b, "accounts", options_text(o, "accounts"));
	body_text(b, "note", options_text(o, "note"));
	set_cidrs(b, options_list(o, "cidr"));
	return b->map == NULL
		   ? fault_set(why, ERR_LIMIT, "the request is too large")
		   : OK;
}

/* What to paste on a machine that is to join; SLICE_NONE: nothing serves it. */
static struct slice
line_of(const struct value *body, const char *form)
{
	const struct value *install = value_get(body, S("install"));

	return install == NULL
		   ? SLICE_NONE
		   : value_get_string(install, slice_str(form), SLICE_NONE);
}

static int
print_line(const struct value *body, const char *form)
{
	struct slice line = line_of(body, form);

	if (line.len == 0)
		return command_fail(CLI_EXIT_FAILED,
		    "the token is made, but there is no such line: an "
		    "operator's has none, nor a server with installer = off "
		    "or api = off");
	(void)printf("%.*s\n", SLICE_ARG(line));
	return CLI_EXIT_OK;
}

/* Programs get the token alone. */
static void
print_token(const struct value *body)
{
	struct slice token = value_get_string(body, S("token"), SLICE_NONE);
	struct slice line = line_of(body, "curl");

	(void)printf("%.*s\n", SLICE_ARG(token));
	if (line.len == 0 || isatty(STDOUT_FILENO) == 0)
		return;
	(void)printf("\nPaste this on the machine that is to join, as root or "
		     "as a user (without curl: --line wget):\n\n%.*s\n",
	    SLICE_ARG(line));
}

static bool
is_form(const char *form)
{
	return form == NULL || strcmp(form, "curl") == 0 ||
	       strcmp(form, "wget") == 0 || strcmp(form, "manual") == 0;
}

static int
token_create(struct options *o)
{
	AUTO(body_fini) struct body b;
	AUTO(api_answer_fini) struct api_answer a = {0};
	struct api_question q = {API_SERVER, "POST", "/v1/tokens", NULL};
	struct fault why = {0};
	const char *form = options_text(o, "line");
	enum output how;

	body_init(&b);
	if (!is_form(form))
		return command_fail(CLI_EXIT_USAGE,
		    "token create: line is curl, wget or manual, not \"%s\"",
		    form);
	if (output_parse(options_text(o, "output"), &how, &why) != OK ||
	    token_body(o, &b, &why) != OK)
		return command_fail(
		    CLI_EXIT_USAGE, "token create: %s", why.text);
	q.body = b.map;
	if (api_ask(o, &q, &a, &why) != OK)
		return cli_fault(&why);
	if (a.status != 200)
		return api_refused(&a);
	if (how != OUTPUT_TABLE)
		return output_value(how, a.body, &why) == OK ? CLI_EXIT_OK
							     : cli_fault(&why);
	if (form != NULL)
		return print_line(a.body, form);
	print_token(a.body);
	return CLI_EXIT_OK;
}

static const struct option_row token_rows[] = {
    {"role", 0, OPTION_TEXT, "ROLE", NULL, false,
	"for an operator instead: viewer, editor or admin"},
    {"uses", 0, OPTION_NUMBER, "N", NULL, false,
	"how many machines may join by it, else 1"},
    {"lifetime", 0, OPTION_DURATION, "TIME", NULL, false,
	"how long it is good, else 15m, or 720h with --role"},
    {"name-glob", 0, OPTION_TEXT, "GLOB", NULL, false,
	"only for nodes of such names, as in web-*"},
    {"cidr", 0, OPTION_LIST, "RANGE", NULL, false, "only from these addresses"},
    {"namespaces", 0, OPTION_TEXT, "A,B", NULL, false,
	"of its services, or an editor's; else default; * is all"},
    {"accounts", 0, OPTION_TEXT, "A,B", NULL, false,
	"whom its services may be, else anybody"},
    {"note", 0, OPTION_TEXT, "TEXT", NULL, false, "shown by token list"},
    {"line", 0, OPTION_TEXT, "FORM", NULL, false,
	"only what to paste on a machine: curl, wget or manual"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_token_create = {
    .name = "token create",
    .args = "",
    .summary = "make a token by which a machine joins or an operator works",
    .section = "cli",
    .rows = token_rows,
    .row_count = ARRAY_LEN(token_rows),
    .run = token_create,
};

static void
print_tokens(const struct value *body)
{
	static const struct column columns[] = {
	    {"ID", "id"},
	    {"FOR", "role"},
	    {"STATE", "state"},
	    {"USES", "uses"},
	    {"OF", "maxUses"},
	    {"EXPIRES", "expires"},
	    {"NAMESPACES", "namespaces"},
	    {"ACCOUNTS", "accounts"},
	    {"NOTE", "note"},
	};

	print_columns(value_get(body, S("items")), columns, ARRAY_LEN(columns),
	    /* sorted */ false);
}

static int
token_list(struct options *o)
{
	return api_show(o, API_SERVER, "/v1/tokens", print_tokens);
}

const struct command command_token_list = {
    .name = "token list",
    .args = "",
    .summary = "show the tokens, not their secrets",
    .section = "cli",
    .rows = plain_rows,
    .row_count = ARRAY_LEN(plain_rows),
    .run = token_list,
};

static int
token_revoke(struct options *o)
{
	AUTO(body_fini) struct body b;

	body_init(&b);
	if (o->arg_count != 1)
		return command_fail(
		    CLI_EXIT_USAGE, "say which: token revoke ID");
	body_text(&b, "id", o->args[0]);
	return do_with(o, &b, "/v1/tokens/revoke",
	    "revoked; machines that joined by it stay");
}

static const struct option_row revoke_rows[] = {
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_token_revoke = {
    .name = "token revoke",
    .args = "ID",
    .words = 1,
    .summary = "refuse a token from now on",
    .section = "cli",
    .rows = revoke_rows,
    .row_count = ARRAY_LEN(revoke_rows),
    .run = token_revoke,
};

/* --- the CA --- */

static void
print_ca(const struct value *body)
{
	static const struct column rows[] = {
	    {"trust domain", "trustDomain"},
	    {"root pin", "rootPin"},
	    {"api pin", "apiPin"},
	    {"root ends", "rootEnds"},
	    {"signer ends", "signerEnds"},
	    {"certificate ends", "serverCertificateEnds"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		(void)printf("%-17s %.*s\n", rows[i].head,
		    SLICE_ARG(value_get_string(
			body, slice_str(rows[i].member), S("-"))));
	(void)printf(
	    "\n%.*s", SLICE_ARG(value_get_string(body, S("rootPem"), S(""))));
}

static int
ca_show(struct options *o)
{
	return api_show(o, API_SERVER, "/v1/ca", print_ca);
}

const struct command command_ca_show = {
    .name = "ca show",
    .args = "",
    .summary = "show what signs in this mesh",
    .section = "cli",
    .rows = plain_rows,
    .row_count = ARRAY_LEN(plain_rows),
    .run = ca_show,
};
