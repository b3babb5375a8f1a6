/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local — commands to this machine's agent: join, leave, expose, unexpose.
 */
#include "base/base.h"
#include "health/health.h"
#include "model/model.h"
#include "node/node.h"

#include "api.h"
#include "body.h"
#include "command.h"
#include "table.h"

#include <stdio.h>

enum { TEXT_MAX = 512 };

static int
do_with(const struct options *o, const struct body *b, const char *path,
    const char *done)
{
	if (b->map == NULL)
		return command_fail(
		    CLI_EXIT_FAILED, "the request is too large");
	return api_do(o, API_AGENT, path, b->map, done);
}

/* --- expose --- */

/*
 * "[PORT:]TARGET": TARGET is a port of this machine or ADDR:PORT; PORT is
 * what callers use, the target's own if it is left out.
 */
static enum err
read_target(const char *text, uint16_t *out_port, struct addr *out_target,
    struct fault *why)
{
	struct slice rest = slice_str(text);
	struct slice first;

	*out_port = 0;
	if (addr_parse(rest, out_target) == OK)
		return OK;
	first = slice_split(&rest, ':');
	if (rest.len > 0) {
		if (addr_parse_port(first, out_port) != OK)
			return fault_set(why, ERR_INVALID,
			    "\"%.*s\" in \"%s\" is no port (1-65535)",
			    SLICE_ARG(first), text);
		first = rest;
		if (addr_parse(first, out_target) == OK)
			return OK;
	}
	*out_target = (struct addr){.family = ADDR_V4, .bytes = {127, 0, 0, 1}};
	if (addr_parse_port(first, &out_target->port) != OK)
		return fault_set(why, ERR_INVALID,
		    "\"%s\" is neither PORT, PORT:PORT nor PORT:ADDR:PORT",
		    text);
	return OK;
}

static enum err
set_labels(
    struct body *b, const struct option_values *labels, struct fault *why)
{
	struct value *map = value_new(&b->arena, VALUE_MAP);

	for (size_t i = 0; map != NULL && i < labels->count; i++) {
		struct label l;
		enum err e = command_label(labels->text[i], &l, why);

		if (e != OK)
			return e;
		e = value_set(map, l.key, value_new_string(&b->arena, l.value));
		if (e != OK)
			return fault_set(why, e, "label \"%.*s\": %s",
			    SLICE_ARG(l.key), err_text(e));
	}
	body_set(b, "labels", map);
	return OK;
}

/* What goes with --check: the option, and the field that it stands for. */
static const struct check_option {
	const char *option;
	const char *field;
	bool is_number;
} check_options[] = {
    {"check-interval", "interval", false},
    {"check-timeout", "timeout", false},
    {"check-delay", "initialDelay", false},
    {"check-healthy", "healthyThreshold", true},
    {"check-unhealthy", "unhealthyThreshold", true},
};

static enum err
set_check_option(const struct options *o, const struct check_option *c,
    struct arena *arena, struct value **map, struct fault *why)
{
	const char *text = options_text(o, c->option);
	uint64_t n;

	if (text == NULL)
		return OK;
	if (*map == NULL)
		return fault_set(why, ERR_INVALID,
		    "--%s says something of --check, which is not there",
		    c->option);
	if (!c->is_number) {
		value_put_text(
		    arena, map, slice_str(c->field), slice_str(text));
		return OK;
	}
	if (options_number(o, c->option, &n, why) != OK || n > INT32_MAX)
		return fault_set(why, ERR_INVALID, "--%s is a number, not %s",
		    c->option, text);
	value_put_int(arena, map, slice_str(c->field), (int64_t)n);
	return OK;
}

/* As the spec of a HealthCheckPolicy, which the agent judges. */
static enum err
set_check(const struct options *o, struct body *b, struct fault *why)
{
	const char *text = options_text(o, "check");
	struct value *map = NULL;
	enum err e = OK;

	if (text != NULL)
		e = health_check_parse(slice_str(text), &b->arena, &map, why);
	for (size_t i = 0; e == OK && i < ARRAY_LEN(check_options); i++)
		e = set_check_option(
		    o, &check_options[i], &b->arena, &map, why);
	if (e == OK && text != NULL)
		body_set(b, "check", map);
	return e;
}

enum err
command_expose_body(const struct options *o, const char *name,
    const char *where, struct body *b, struct fault *why)
{
	char text[ADDR_TEXT_MAX];
	struct addr target;
	struct slice kept;
	uint16_t port;
	enum err e = read_target(where, &port, &target, why);

	if (e == OK)
		e = set_labels(b, options_list(o, "label"), why);
	if (e == OK)
		e = set_check(o, b, why);
	if (e == OK)
		e = arena_copy(
		    &b->arena, slice_str(addr_format(&target, text)), &kept);
	if (e != OK)
		return e;
	body_text(b, "name", name);
	body_slice(b, "target", kept);
	body_set(b, "port", value_new_int(&b->arena, port));
	body_text(b, "namespace", options_text(o, "namespace"));
	body_text(b, "account", options_text(o, "account"));
	body_text(b, "protocol", options_text(o, "protocol"));
	return OK;
}

/* --- a group --- */

/* What its template and its probe say is not said here. */
static enum err
check_group_options(const struct options *o, struct fault *why)
{
	static const char *const others[] = {"account", "check",
	    "check-interval", "check-timeout", "check-delay", "check-healthy",
	    "check-unhealthy"};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (options_list(o, others[i])->count > 0)
			return fault_set(why, ERR_INVALID,
			    "--%s and --group do not go together: the "
			    "WorkloadGroup says it",
			    others[i]);
	return OK;
}

/* "NAME[.NS]"; an empty name is the agent's to refuse. */
static void
set_group(struct body *b, const struct options *o)
{
	struct slice rest = slice_str(options_text(o, "group"));
	struct slice name = slice_split(&rest, '.');

	body_set(b, "group", value_new_string(&b->arena, name));
	if (rest.len > 0)
		body_slice(b, "namespace", rest);
	else
		body_text(b, "namespace", options_text(o, "namespace"));
}

static enum err
set_ports(const struct options *o, struct body *b, struct fault *why)
{
	struct value *list = value_new(&b->arena, VALUE_LIST);

	for (size_t i = 0; i < o->arg_count; i++) {
		struct value *p = value_new(&b->arena, VALUE_MAP);
		char text[ADDR_TEXT_MAX];
		struct addr target;
		struct slice kept;
		uint16_t port;
		enum err e = read_target(o->args[i], &port, &target, why);

		if (e == OK)
			e = arena_copy(&b->arena,
			    slice_str(addr_format(&target, text)), &kept);
		if (e != OK)
			return e;
		value_put_int(&b->arena, &p, S("port"), port);
		value_put_text(&b->arena, &p, S("target"), kept);
		value_push(&list, p);
	}
	body_set(b, "ports", list);
	return OK;
}

static int
expose_group(struct options *o, struct body *b)
{
	const char *group = options_text(o, "group");
	char done[TEXT_MAX];
	struct fault why = {0};
	enum err e = check_group_options(o, &why);

	if (e == OK)
		e = set_labels(b, options_list(o, "label"), &why);
	if (e == OK)
		e = set_ports(o, b, &why);
	if (e != OK)
		return command_fail(CLI_EXIT_USAGE, "expose: %s", why.text);
	set_group(b, o);
	if (options_list(o, "protocol")->count > 0)
		body_text(b, "protocol", options_text(o, "protocol"));
	(void)snprintf(done, sizeof(done),
	    "this machine is a workload of %s; see: meshd exposed", group);
	return do_with(o, b, "/v1/expose", done);
}

/* --- one service --- */

static int
expose(struct options *o)
{
	AUTO(body_fini) struct body b;
	char done[TEXT_MAX];
	struct fault why = {0};

	body_init(&b);
	if (options_text(o, "unit") != NULL)
		return command_expose_unit(o);
	if (options_flag(o, "now"))
		return command_fail(
		    CLI_EXIT_USAGE, "expose: --now is for --unit");
	if (options_text(o, "group") != NULL)
		return expose_group(o, &b);
	if (o->arg_count != 2)
		return command_fail(CLI_EXIT_USAGE,
		    "say what and where: expose NAME [PORT:]TARGET, or "
		    "expose --group NAME[.NS]");
	if (command_expose_body(o, o->args[0], o->args[1], &b, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "expose: %s", why.text);
	(void)snprintf(done, sizeof(done), "%s is exposed", o->args[0]);
	return do_with(o, &b, "/v1/expose", done);
}

static const struct option_row expose_rows[] = {
    {"group", 0, OPTION_TEXT, "NAME[.NS]", NULL, false,
	"as a workload of this WorkloadGroup; with it TARGETs are ports more"},
    {"account", 0, OPTION_TEXT, "NAME", "default", false,
	"who the service is to its callers"},
    {"namespace", 'n', OPTION_TEXT, "NAME", "default", false,
	"where its name lies"},
    OPTIONS_OF_SERVICE,
    {"unit", 0, OPTION_TEXT, "UNIT", NULL, false,
	"while this unit of systemd is active; it is captured, too"},
    {"now", 0, OPTION_FLAG, NULL, NULL, false,
	"with --unit: let systemd start it anew at once"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_expose = {
    .name = "expose",
    .args = "[NAME] [PORT:]TARGET...",
    .words = NODE_GROUP_PORTS_MAX,
    .summary = "offer a service of this machine to the mesh",
    .section = "cli",
    .rows = expose_rows,
    .row_count = ARRAY_LEN(expose_rows),
    .run = expose,
};

static int
unexpose_group(struct options *o, struct body *b)
{
	char done[TEXT_MAX];

	if (o->arg_count != 0)
		return command_fail(CLI_EXIT_USAGE,
		    "unexpose: --group leaves it as a whole, without \"%s\"",
		    o->args[0]);
	set_group(b, o);
	(void)snprintf(done, sizeof(done),
	    "this machine is a workload of %s no longer",
	    options_text(o, "group"));
	return do_with(o, b, "/v1/unexpose", done);
}

static int
unexpose(struct options *o)
{
	AUTO(body_fini) struct body b;
	struct fault why = {0};
	uint64_t port = 0;
	char done[TEXT_MAX];

	body_init(&b);
	if (options_text(o, "unit") != NULL)
		return command_unexpose_unit(o);
	if (options_text(o, "group") != NULL)
		return unexpose_group(o, &b);
	if (o->arg_count != 1)
		return command_fail(CLI_EXIT_USAGE, "say which: unexpose NAME");
	if (options_number(o, "port", &port, &why) != OK || port > UINT16_MAX)
		return command_fail(
		    CLI_EXIT_USAGE, "unexpose: --port is 1-65535");
	body_text(&b, "name", o->args[0]);
	body_text(&b, "namespace", options_text(o, "namespace"));
	body_set(&b, "port", value_new_int(&b.arena, (int64_t)port));
	(void)snprintf(
	    done, sizeof(done), "%s is no longer exposed", o->args[0]);
	return do_with(o, &b, "/v1/unexpose", done);
}

static const struct option_row unexpose_rows[] = {
    {"group", 0, OPTION_TEXT, "NAME[.NS]", NULL, false,
	"be a workload of this WorkloadGroup no longer"},
    {"namespace", 'n', OPTION_TEXT, "NAME", "default", false,
	"where its name lies"},
    {"port", 0, OPTION_NUMBER, "PORT", "0", false,
	"only this one; 0 is all of them"},
    {"unit", 0, OPTION_TEXT, "UNIT", NULL, false,
	"what expose --unit did, for this unit"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_unexpose = {
    .name = "unexpose",
    .args = "[NAME]",
    .words = 1,
    .summary = "offer a service no longer",
    .section = "cli",
    .rows = unexpose_rows,
    .row_count = ARRAY_LEN(unexpose_rows),
    .run = unexpose,
};

/* --- exposed --- */

static void
print_exposed(const struct value *body)
{
	static const char *const head[] = {"NAME", "NAMESPACE", "PORT",
	    "PROTOCOL", "ACCOUNT", "TARGET", "FROM", "ANNOUNCED", "WAITS FOR",
	    "CHECK", "HEALTH", "SINCE", "WHY"};
	static const char *const member[] = {"name", "namespace", "port",
	    "protocol", "account", "target", "from", "announced", "waitsFor",
	    "check", "health", "since", "reason"};
	AUTO(table_fini) struct table t;

	table_init(&t, head, ARRAY_LEN(head));
	VALUE_EACH(value_get(body, S("items")), it)
	for (size_t i = 0; i < ARRAY_LEN(member); i++)
		table_value(&t, value_get(it, slice_str(member[i])));
	table_print(&t, stdout);
}

static int
exposed(struct options *o)
{
	return api_show(o, API_AGENT, "/v1/exposed", print_exposed);
}

static const struct option_row exposed_rows[] = {
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_exposed = {
    .name = "exposed",
    .args = "",
    .summary = "show what this machine offers",
    .section = "cli",
    .rows = exposed_rows,
    .row_count = ARRAY_LEN(exposed_rows),
    .run = exposed,
};

/* --- join and leave --- */

static int
join(struct options *o)
{
	AUTO(secret_fini) struct secret token = {0};
	AUTO(body_fini) struct body b;
	struct fault why = {0};

	body_init(&b);
	if (o->arg_count != 1)
		return command_fail(CLI_EXIT_USAGE,
		    "say by what: join TOKEN, join @FILE or join -");
	if (command_token(o->args[0], &token, &why) != OK)
		return cli_fault(&why);
	body_text(&b, "token", (const char *)token.bytes);
	return do_with(o, &b, "/v1/join", "joined");
}

static int
leave(struct options *o)
{
	AUTO(body_fini) struct body b;

	body_init(&b);
	return do_with(o, &b, "/v1/leave",
	    "left; identity and configuration are gone from this machine");
}

static const struct option_row join_rows[] = {OPTION_OUTPUT, OPTION_SOCKET};

const struct command command_join = {
    .name = "join",
    .args = "TOKEN|@FILE|-",
    .words = 1,
    .summary = "let this machine's agent join a mesh",
    .section = "cli",
    .rows = join_rows,
    .row_count = ARRAY_LEN(join_rows),
    .run = join,
};

const struct command command_leave = {
    .name = "leave",
    .args = "",
    .summary = "let this machine leave the mesh",
    .section = "cli",
    .rows = join_rows,
    .row_count = ARRAY_LEN(join_rows),
    .run = leave,
};
