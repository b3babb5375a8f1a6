/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture — what of this machine's connections comes to the proxy: on, off,
 * confirm, status.
 */
#include "capture/capture.h"
#include "base/base.h"

#include "api.h"
#include "body.h"
#include "command.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>

enum { DONE_MAX = 160 };

/* --- on ------------------------------------------------------------------- */

/* Each may be given several times, and several at once. */
static void
push_words(struct body *b, struct value **list, const char *text)
{
	struct slice rest = slice_str(text);

	while (rest.len > 0)
		value_push_text(
		    &b->arena, list, slice_trim(slice_split(&rest, ',')));
}

static void
set_list(struct body *b, const char *key, const struct option_values *v)
{
	struct value *list = value_new(&b->arena, VALUE_LIST);

	for (size_t i = 0; i < v->count; i++)
		push_words(b, &list, v->text[i]);
	body_set(b, key, list);
}

/* Nothing said is everything that goes out. */
static void
set_out(struct body *b, const struct options *o)
{
	static const struct option_values all = {
	    .text = {"0.0.0.0/0", "::/0"}, .count = 2};
	const struct option_values *out = options_list(o, "out");
	bool nothing = out->count == 0 && options_list(o, "in")->count == 0 &&
		       !options_flag(o, "dns") && !options_flag(o, "tproxy");

	set_list(b, "out", nothing ? &all : out);
}

/* "CLIENT PORT SERVER PORT": by what the operator is here; and what of sshd's
 * files the agent perhaps may not read. */
static void
set_sshd(struct body *b)
{
	struct slice rest = slice_str(getenv("SSH_CONNECTION"));
	struct value *list = value_new(&b->arena, VALUE_LIST);
	struct capture_ports ports[CAPTURE_LIST_MAX];
	uint32_t count = capture_sshd_find("", ports, 0);
	uint16_t port;

	for (uint32_t i = 0; i < count; i++)
		value_push_text(&b->arena, &list,
		    arena_printf(&b->arena, "%u", (unsigned)ports[i].first));

	for (int i = 0; i < 3; i++)
		(void)slice_split(&rest, ' ');
	if (addr_parse_port(rest, &port) == OK)
		value_push_text(&b->arena, &list, rest);
	body_set(b, "sshd", list);
}

static void
set_flag(struct body *b, const char *key, bool on)
{
	body_set(b, key, value_new_bool(&b->arena, on));
}

static int
on(struct options *o)
{
	AUTO(body_fini) struct body b;
	uint64_t confirm_us = 0;
	struct fault why = {0};
	char done[DONE_MAX];

	body_init(&b);
	if (options_text(o, "commit-confirm") != NULL &&
	    options_duration_us(o, "commit-confirm", &confirm_us, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "capture on: %s", why.text);
	if (options_text(o, "commit-confirm") != NULL && confirm_us == 0)
		return command_fail(CLI_EXIT_USAGE,
		    "capture on: --commit-confirm is no time at all; leave it "
		    "out for a change that is not on trial");
	set_out(&b, o);
	set_list(&b, "in", options_list(o, "in"));
	set_list(&b, "uids", options_list(o, "uid"));
	set_list(&b, "gids", options_list(o, "gid"));
	set_list(&b, "cgroups", options_list(o, "cgroup"));
	set_list(&b, "exclude", options_list(o, "exclude"));
	set_sshd(&b);
	set_flag(&b, "loopback", options_flag(o, "loopback"));
	set_flag(&b, "dns", options_flag(o, "dns"));
	set_flag(&b, "tproxy", options_flag(o, "tproxy"));
	set_flag(&b, "failClosed", options_flag(o, "fail-closed"));
	body_set(&b, "confirmSeconds",
	    value_new_int(
		&b.arena, (int64_t)((confirm_us + 999999) / 1000000)));
	if (b.map == NULL)
		return command_fail(CLI_EXIT_FAILED, "it is too much");
	(void)snprintf(done, sizeof(done),
	    confirm_us == 0
		? "captures"
		: "captures; it falls back in %u s unless you say: meshd "
		  "capture confirm",
	    (unsigned)((confirm_us + 999999) / 1000000));
	return api_do(o, API_AGENT, "/v1/capture/on", b.map, done);
}

static const struct option_row on_rows[] = {
    {"out", 0, OPTION_LIST, "CIDR,...", NULL, false,
	"connections that go there; alone, it is all of them"},
    {"in", 0, OPTION_LIST, "PORT[-PORT],...", NULL, false,
	"connections from elsewhere to these ports"},
    {"uid", 0, OPTION_LIST, "NUMBER,...", NULL, false,
	"of what goes out only what these users send"},
    {"gid", 0, OPTION_LIST, "NUMBER,...", NULL, false, "the same of groups"},
    {"cgroup", 0, OPTION_LIST, "PATH,...", NULL, false,
	"the same of cgroups: system.slice/web.service"},
    {"exclude", 0, OPTION_LIST, "CIDR|PORT[-PORT],...", NULL, false,
	"of what goes out nothing that goes there"},
    {"loopback", 0, OPTION_FLAG, NULL, NULL, false,
	"also what the machine calls of itself"},
    {"dns", 0, OPTION_FLAG, NULL, NULL, false,
	"questions to name servers, which come to port 15053"},
    {"tproxy", 0, OPTION_FLAG, NULL, NULL, false,
	"programs here see the address of who calls them"},
    {"fail-closed", 0, OPTION_FLAG, NULL, NULL, false,
	"when the agent ends nothing passes, instead of all"},
    {"commit-confirm", 0, OPTION_DURATION, "TIME", NULL, false,
	"as it was before after this time, unless confirmed"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_capture_on = {
    .name = "capture on",
    .args = "",
    .summary = "lead programs' connections to the proxy",
    .section = "cli",
    .rows = on_rows,
    .row_count = ARRAY_LEN(on_rows),
    .run = on,
};

/* --- off and confirm ------------------------------------------------------ */

static int
ask(const struct options *o, const char *path, const char *done)
{
	AUTO(body_fini) struct body b;

	body_init(&b);
	return api_do(o, API_AGENT, path, b.map, done);
}

/* Where no agent is there to be asked, what one has left goes all the same. */
static int
off(struct options *o)
{
	int code = ask(o, "/v1/capture/off", "captures nothing any more");
	bool found = false;

	if (code == CLI_EXIT_UNREACHABLE && capture_clear(&found, NULL) == OK &&
	    found)
		(void)command_fail(code,
		    "what an agent left captured is captured no more; one "
		    "that starts captures again what it has kept");
	return code;
}

static int
confirm(struct options *o)
{
	return ask(o, "/v1/capture/confirm",
	    "confirmed; it is so after a restart, too");
}

static const struct option_row rows[] = {OPTION_OUTPUT, OPTION_SOCKET};

const struct command command_capture_off = {
    .name = "capture off",
    .args = "",
    .summary = "let programs call as they would without a proxy",
    .section = "cli",
    .rows = rows,
    .row_count = ARRAY_LEN(rows),
    .run = off,
};

const struct command command_capture_confirm = {
    .name = "capture confirm",
    .args = "",
    .summary = "keep what --commit-confirm has put on trial",
    .section = "cli",
    .rows = rows,
    .row_count = ARRAY_LEN(rows),
    .run = confirm,
};

/* --- status --------------------------------------------------------------- */

static bool
is_set(const struct value *body, struct slice key)
{
	const struct value *v = value_get(body, key);

	return v != NULL && v->type == VALUE_BOOL && v->boolean;
}

static void
print_summary(const struct value *body)
{
	struct slice trouble = value_get_string(body, S("trouble"), S(""));
	struct slice ended = value_get_string(body, S("ended"), S(""));
	int64_t left_ms = value_get_int(body, S("confirmWithinMs"), 0);

	(void)printf("captures  %s\n", is_set(body, S("captures")) ? "yes"
				       : is_set(body, S("possible"))
					   ? "no"
					   : "no, and this agent has not the "
					     "right to (CAP_NET_ADMIN)");
	if (left_ms > 0)
		(void)printf("on trial  falls back in %u s; keep it with: "
			     "meshd capture confirm\n",
		    (unsigned)((left_ms + 999) / 1000));
	if (trouble.len > 0)
		(void)printf("trouble   %.*s\n", SLICE_ARG(trouble));
	if (ended.len > 0)
		(void)printf("ended     %.*s\n", SLICE_ARG(ended));
}

/* Behind an empty line, if there is any. */
static void
print_rows(const struct value *list, const char *const *head,
    const char *const *member, size_t count)
{
	AUTO(table_fini) struct table t;

	table_init(&t, head, count);
	if (list == NULL || list->count == 0)
		return;
	VALUE_EACH(list, it)
	for (size_t i = 0; i < count; i++)
		table_value(&t, value_get(it, slice_str(member[i])));
	(void)printf("\n");
	table_print(&t, stdout);
}

static void
print_status(const struct value *body)
{
	static const char *const of_rule[] = {"CHAIN", "CONNECTIONS", "RULE"};
	static const char *const rule[] = {"chain", "connections", "rule"};
	static const char *const of_program[] = {
	    "CGROUP", "UNIT", "IDENTITY", "SERVICE", "STATE", "MISSED"};
	static const char *const program[] = {
	    "cgroup", "unit", "identity", "service", "state", "missed"};

	print_summary(body);
	print_rows(value_get(body, S("programs")), of_program, program,
	    ARRAY_LEN(program));
	print_rows(value_get(body, S("rules")), of_rule, rule, ARRAY_LEN(rule));
}

static int
status(struct options *o)
{
	return api_show(o, API_AGENT, "/v1/capture", print_status);
}

const struct command command_capture_status = {
    .name = "capture status",
    .args = "",
    .summary = "show each rule in words, and how often it was met",
    .section = "cli",
    .rows = rows,
    .row_count = ARRAY_LEN(rows),
    .run = status,
};
