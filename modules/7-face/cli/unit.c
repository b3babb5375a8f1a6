/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit — units of systemd in the mesh: expose --unit writes a drop-in, by which
 * the unit tells the agent that it begins, and that it has ended.
 */
#include "base/base.h"
#include "capture/capture.h"
#include "dbus/dbus.h"

#include "api.h"
#include "body.h"
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEMD_FOLDER "/etc/systemd/system"
#define DROP_IN "50-meshd.conf"

enum {
	UNIT_NAME_MAX = 256,
	PATH_BYTES = 1024,
	TEXT_BYTES = 8192,
	FILE_BYTES = 64 << 10,
	/* It reads all units again before it answers, which takes a small and
	 * busy machine long; systemctl gives it as much. */
	RELOAD_US = 180 * 1000000
};

/* Of what systemd allows in a name. */
static bool
is_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || strchr(":-_.\\@", c) != NULL))
			return false;
	}
	return s.len > 0 && s.ptr[0] != '.';
}

/* ".service" need not be said. */
static enum err
read_name(struct slice text, char out[UNIT_NAME_MAX], struct fault *why)
{
	static const char suffix[] = ".service";
	bool whole = slice_ends(text, slice_str(suffix));

	if (!is_name(text) || (!whole && slice_find(text, '.') < text.len) ||
	    snprintf(out, UNIT_NAME_MAX, "%.*s%s", SLICE_ARG(text),
		whole ? "" : suffix) >= UNIT_NAME_MAX)
		return fault_set(why, ERR_INVALID,
		    "\"%.*s\" is no name of a service of systemd, as "
		    "nginx.service is",
		    SLICE_ARG(text));
	return OK;
}

/* --- the drop-in ---------------------------------------------------------- */

struct drop_in {
	char unit[UNIT_NAME_MAX];
	char folder[PATH_BYTES];
	char path[PATH_BYTES];
};

static enum err
find_drop_in(const struct options *o, struct drop_in *d, struct fault *why)
{
	enum err e;

	if (options_text(o, "group") != NULL)
		return fault_set(why, ERR_INVALID,
		    "--unit and --group do not go together: a unit offers one "
		    "service, while it is active");
	e = read_name(slice_str(options_text(o, "unit")), d->unit, why);

	if (e != OK)
		return e;
	(void)snprintf(
	    d->folder, sizeof(d->folder), SYSTEMD_FOLDER "/%s.d", d->unit);
	(void)snprintf(
	    d->path, sizeof(d->path), SYSTEMD_FOLDER "/%s.d/" DROP_IN, d->unit);
	if (access(SYSTEMD_FOLDER, F_OK) != 0)
		return fault_set(why, ERR_UNSUPPORTED,
		    "there is no " SYSTEMD_FOLDER ": this machine has no "
		    "systemd; meshd run does the same for a command");
	return OK;
}

/* As systemd reads it: its own signs twice. */
static enum err
add_word(struct buf *b, const char *text)
{
	enum err e = buf_add_byte(b, '"');

	for (; e == OK && *text != '\0'; text++) {
		if (*text == '%' || *text == '$')
			e = buf_add_byte(b, (uint8_t)*text);
		else if (*text == '"' || *text == '\\')
			e = buf_add_byte(b, '\\');
		if (e == OK)
			e = buf_add_byte(b, (uint8_t)*text);
	}
	return e == OK ? buf_add_byte(b, '"') : e;
}

static enum err
add_line(struct buf *b, const struct options *o, const char *key,
    const char *binary, const char *verb)
{
	const char *at = options_text(o, "socket");
	enum err e = buf_printf(b, "%s=+-", key);

	if (e == OK)
		e = add_word(b, binary);
	if (e == OK)
		e = buf_printf(b, " unit %s", verb);
	if (e == OK && at != NULL)
		e = buf_printf(b, " --socket ");
	if (e == OK && at != NULL)
		e = add_word(b, at);
	return e == OK ? buf_printf(b, " %%n\n") : e;
}

static enum err
make_text(const struct options *o, const struct drop_in *d, struct buf *b,
    struct fault *why)
{
	char binary[PATH_BYTES] = "";
	enum err e;

	if (readlink("/proc/self/exe", binary, sizeof(binary) - 1) < 0)
		return fault_set(why, err_from_errno(errno),
		    "cannot find out where this program lies: %s",
		    strerror(errno));
	e = buf_printf(b,
	    "# Written by meshd; taken away by: meshd unexpose --unit %s\n"
	    "[Unit]\n"
	    "Wants=meshd-agent.service\n"
	    "After=meshd-agent.service\n"
	    "\n"
	    "[Service]\n"
	    "# Without an agent it begins all the same, as without a mesh.\n",
	    d->unit);
	if (e == OK)
		e = add_line(b, o, "ExecStartPre", binary, "started");
	if (e == OK)
		e = add_line(b, o, "ExecStopPost", binary, "stopped");
	return e == OK ? OK : fault_set(why, e, "the drop-in is too long");
}

static enum err
write_drop_in(
    const struct options *o, const struct drop_in *d, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(TEXT_BYTES);
	enum err e = make_text(o, d, &text, why);

	if (e == OK)
		e = file_make_folder(d->folder, 0755, NULL, why);
	if (e == OK)
		e = file_replace(d->path, buf_slice(&text), 0644, why);
	return e;
}

/* The folder stays if others have files there. */
static enum err
remove_drop_in(const struct drop_in *d, struct fault *why)
{
	if (unlink(d->path) != 0 && errno != ENOENT)
		return fault_set(why, err_from_errno(errno),
		    "%s cannot be removed: %s", d->path, strerror(errno));
	(void)rmdir(d->folder);
	return OK;
}

/* --- systemd -------------------------------------------------------------- */

struct saying {
	bool done;
	enum err e;
	struct fault why;
};

static void
on_said(void *arg, enum err e, const struct fault *why)
{
	struct saying *s = arg;

	s->done = true;
	s->e = e;
	s->why = *why;
}

static enum err
say_to_systemd(struct loop *l, const struct drop_in *d, struct fault *why)
{
	AUTO(buf_fini) struct buf args = BUF(TEXT_BYTES);
	struct saying s = {0};
	struct dbus *bus;
	enum err e = dbus_put_text(&args, slice_str(d->unit));

	if (e == OK)
		e = dbus_put_text(&args, S("replace"));
	if (e == OK) {
		const struct dbus_call calls[] = {
		    {"org.freedesktop.systemd1", "/org/freedesktop/systemd1",
			"org.freedesktop.systemd1.Manager", "Reload", "",
			SLICE_NONE},
		    {"org.freedesktop.systemd1", "/org/freedesktop/systemd1",
			"org.freedesktop.systemd1.Manager", "RestartUnit", "ss",
			buf_slice(&args)}};

		e = dbus_run(l, dbus_system_bus(), calls, ARRAY_LEN(calls),
		    RELOAD_US, on_said, &s, &bus);
	}
	if (e != OK)
		return fault_set(why, e, "cannot talk to systemd");
	while (!s.done)
		loop_turn(l, /* wait_us */ 100000);
	loop_settle(l);
	if (s.e != OK)
		*why = s.why;
	return s.e;
}

static int
start_anew(const struct drop_in *d)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	struct fault why = {0};

	if (say_to_systemd(l, d, &why) != OK)
		return command_fail(CLI_EXIT_FAILED,
		    "systemd was not told (%s); say: systemctl daemon-reload "
		    "&& systemctl restart %s",
		    why.text, d->unit);
	(void)printf("systemd starts %s anew\n", d->unit);
	return CLI_EXIT_OK;
}

/* --- expose and unexpose -------------------------------------------------- */

static enum err
unit_body(const struct options *o, const struct drop_in *d, struct body *b,
    struct body *service, struct fault *why)
{
	enum err e = OK;

	if (o->arg_count == 1)
		e = fault_set(why, ERR_INVALID,
		    "say what it offers and where, or neither: expose --unit "
		    "%s NAME [PORT:]TARGET",
		    d->unit);
	if (e == OK && o->arg_count == 2)
		e = command_expose_body(
		    o, o->args[0], o->args[1], service, why);
	if (e != OK)
		return e;
	body_text(b, "unit", d->unit);
	body_text(b, "namespace", options_text(o, "namespace"));
	body_text(b, "account", options_text(o, "account"));
	if (o->arg_count == 2)
		body_set(b, "expose", service->map);
	return b->map != NULL
		   ? OK
		   : fault_set(why, ERR_LIMIT, "the request is too large");
}

int
command_expose_unit(const struct options *o)
{
	AUTO(body_fini) struct body b, service;
	struct drop_in d;
	struct fault why = {0};
	char done[2 * PATH_BYTES];
	int code;

	body_init(&b);
	body_init(&service);
	if (find_drop_in(o, &d, &why) != OK ||
	    unit_body(o, &d, &b, &service, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "expose: %s", why.text);
	(void)snprintf(done, sizeof(done),
	    "%s is in the mesh while it is active, by %s", d.unit, d.path);
	code = api_do(o, API_AGENT, "/v1/units", b.map, done);
	if (code != CLI_EXIT_OK)
		return code;
	if (write_drop_in(o, &d, &why) != OK)
		return cli_fault(&why);
	if (options_flag(o, "now"))
		return start_anew(&d);
	(void)fprintf(stderr,
	    "to have it so from its first connection: systemctl daemon-reload "
	    "&& systemctl restart %s\n",
	    d.unit);
	return CLI_EXIT_OK;
}

int
command_unexpose_unit(const struct options *o)
{
	AUTO(body_fini) struct body b;
	struct drop_in d;
	struct fault why = {0};
	char done[2 * PATH_BYTES];

	body_init(&b);
	if (o->arg_count != 0)
		return command_fail(CLI_EXIT_USAGE,
		    "unexpose: --unit says which; there is no NAME beside it");
	if (find_drop_in(o, &d, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "unexpose: %s", why.text);
	if (remove_drop_in(&d, &why) != OK)
		return cli_fault(&why);
	body_text(&b, "unit", d.unit);
	(void)snprintf(done, sizeof(done),
	    "%s is no longer in the mesh, and %s is gone; let systemd know: "
	    "systemctl daemon-reload",
	    d.unit, d.path);
	return api_do(o, API_AGENT, "/v1/units/remove", b.map, done);
}

/* --- what the drop-in runs ------------------------------------------------ */

/* Below the unit's own where it has given part of it away. */
static enum err
find_cgroup(
    struct slice unit, struct buf *text, struct slice *out, struct fault *why)
{
	struct slice rest, path;
	enum err e = file_read("/proc/self/cgroup", text, why);

	if (e != OK)
		return e;
	if (capture_cgroup_of(buf_slice(text), &path) != OK)
		return fault_set(why, ERR_UNSUPPORTED,
		    "it takes cgroups of version 2, and this process is in "
		    "none");
	rest = path;
	while (rest.len > 0) {
		struct slice part = slice_split(&rest, '/');

		if (!slice_eq(part, unit))
			continue;
		*out = slice_sub(
		    path, 0, (size_t)(part.ptr - path.ptr) + part.len);
		return OK;
	}
	return fault_set(why, ERR_INVALID,
	    "this process is none of %.*s, its cgroup is /%.*s; it is the "
	    "unit that says this, by the drop-in of meshd expose --unit",
	    SLICE_ARG(unit), SLICE_ARG(path));
}

static int
started(struct options *o)
{
	AUTO(api_answer_fini) struct api_answer answer = {0};
	AUTO(body_fini) struct body b;
	AUTO(buf_fini) struct buf text = BUF(FILE_BYTES);
	struct api_question q = {API_AGENT, "POST", "/v1/units/started", NULL};
	struct fault why = {0};
	struct slice cgroup, missed;
	uint64_t wait_us = 0;

	body_init(&b);
	if (o->arg_count != 1 ||
	    options_duration_us(o, "wait", &wait_us, &why) != OK)
		return command_fail(CLI_EXIT_USAGE,
		    "say which, and how long to wait: unit started UNIT "
		    "[--wait TIME]");
	if (find_cgroup(slice_str(o->args[0]), &text, &cgroup, &why) != OK)
		return cli_fault(&why);
	body_text(&b, "unit", o->args[0]);
	body_slice(&b, "cgroup", cgroup);
	body_set(
	    &b, "waitMs", value_new_int(&b.arena, (int64_t)(wait_us / 1000)));
	q.body = b.map;
	if (api_ask(o, &q, &answer, &why) != OK)
		return cli_fault(&why);
	missed = value_get_string(answer.body, S("missed"), S(""));
	if (answer.status == 200 && missed.len > 0)
		(void)command_fail(CLI_EXIT_OK,
		    "it begins before all that it needs is here: %.*s",
		    SLICE_ARG(missed));
	return api_refused(&answer);
}

static int
stopped(struct options *o)
{
	AUTO(body_fini) struct body b;

	body_init(&b);
	if (o->arg_count != 1)
		return command_fail(
		    CLI_EXIT_USAGE, "say which: unit stopped UNIT");
	body_text(&b, "unit", o->args[0]);
	return api_do(o, API_AGENT, "/v1/units/stopped", b.map,
	    "it is out of the mesh until it is started");
}

static const struct option_row started_rows[] = {
    {"wait", 0, OPTION_DURATION, "TIME", "30s", false,
	"for its certificate and configuration, before it begins"},
    OPTION_SOCKET,
};

const struct command command_unit_started = {
    .name = "unit started",
    .args = "UNIT",
    .words = 1,
    .summary = "tell the agent that this unit begins, as its drop-in does",
    .section = "cli",
    .rows = started_rows,
    .row_count = ARRAY_LEN(started_rows),
    .run = started,
};

static const struct option_row stopped_rows[] = {
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_unit_stopped = {
    .name = "unit stopped",
    .args = "UNIT",
    .words = 1,
    .summary = "tell the agent that it has ended, as its drop-in does",
    .section = "cli",
    .rows = stopped_rows,
    .row_count = ARRAY_LEN(stopped_rows),
    .run = stopped,
};
