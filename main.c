/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main — picks a subcommand; brings the layers of a role up in order and down
 * in reverse.
 */
#define LOG_MODULE "main"

#include "admin/admin.h"
#include "base/base.h"
#include "capture/capture.h"
#include "cli/cli.h"
#include "loop/loop.h"
#include "net/net.h"
#include "node/node.h"
#include "server/server.h"
#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINES_MAX = 544 }; /* told to systemd at once */

/* A role while it runs: one of server and node. */
struct process {
	struct loop *loop;
	struct net_factory *factory;
	struct net_supervisor *supervisor;
	struct server *server;
	struct node *node;
	struct admin *admin;
	struct loop_signal term;
	struct loop_signal interrupt;
	struct loop_signal hangup;
	struct timer watchdog;
	struct timer again;
	char state[LINES_MAX]; /* as it was told last, or is to be again */
	bool is_open;          /* the API is */
	bool serves;           /* an agent: its first view is in force */
	bool is_ready;         /* as READY=1 said */
	const struct cli_agent *settings; /* NULL: a server */
	struct addr api;                  /* of a server */
	struct addr metrics;              /* of a server */
	const char *installer;            /* of a server; NULL: off */
	int log_fd;                       /* of the access log, or -1 */
	const char *socket;
	uint64_t drain_us;
	bool stopping;
	int code;
};

/* --- what systemd is told (sd_notify(3)) --- */

enum {
	STATUS_BYTES = LINES_MAX - 32,
	AGAIN_US = 1000000,
	CLOSE_US = 10 * 1000000 /* to close in, behind the drain */
};

/* Until it knows, or our state is another. */
static void
on_again(void *arg)
{
	struct process *p = arg;

	if (!net_supervisor_tell(p->supervisor, p->state))
		timer_set(&p->again, AGAIN_US);
}

static void
tell(struct process *p, const char *lines)
{
	timer_clear(&p->again);
	(void)snprintf(p->state, sizeof(p->state), "%s", lines);
	on_again(p);
}

static void
describe_server(const struct process *p, char out[STATUS_BYTES])
{
	struct server_status now;
	char text[ADDR_TEXT_MAX];

	server_status(p->server, &now);
	(void)snprintf(out, STATUS_BYTES, "Serves %.*s to agents at %s",
	    SLICE_ARG(now.trust_domain), addr_format(&now.control, text));
}

static void
describe_node(const struct node_status *now, char out[STATUS_BYTES])
{
	if (now->state == NODE_RUNNING)
		(void)snprintf(out, STATUS_BYTES, "Serves as %.*s of %.*s",
		    SLICE_ARG(now->name), SLICE_ARG(now->trust_domain));
	else if (now->state == NODE_JOINING)
		(void)snprintf(out, STATUS_BYTES, "Joins the mesh");
	else
		(void)snprintf(
		    out, STATUS_BYTES, "Waits for a token: meshd join TOKEN");
}

/*
 * A machine that is no member is ready when it can be made one; a member, when
 * its first view is in force.
 */
static void
tell_state(struct process *p)
{
	char status[STATUS_BYTES], lines[LINES_MAX];
	struct node_status now;

	if (!p->is_open || p->stopping)
		return;
	if (p->server != NULL) {
		describe_server(p, status);
	} else {
		node_status(p->node, &now);
		if (now.state == NODE_RUNNING && !p->serves)
			return;
		describe_node(&now, status);
	}
	p->is_ready = true;
	(void)snprintf(lines, sizeof(lines), "READY=1\nSTATUS=%s", status);
	tell(p, lines);
}

/* The drain may be longer than the time that systemd gives. */
static void
tell_stopping(struct process *p)
{
	char lines[LINES_MAX];

	(void)snprintf(lines, sizeof(lines),
	    "STOPPING=1\nSTATUS=Ends; connections get %" PRIu64 " ms\n"
	    "EXTEND_TIMEOUT_USEC=%" PRIu64,
	    p->drain_us / 1000, p->drain_us + CLOSE_US);
	tell(p, lines);
}

static void
set_watchdog(struct process *p)
{
	uint64_t us = net_supervisor_watchdog_us(p->supervisor);

	if (us > 1 && !p->stopping)
		timer_set(&p->watchdog, us / 2);
}

static void
on_alive(void *arg)
{
	struct process *p = arg;

	/* Twice in its time: one may be lost. */
	(void)net_supervisor_tell(p->supervisor, "WATCHDOG=1");
	set_watchdog(p);
}

/* A loop that hangs, this or a worker's, says nothing, and we are restarted. */
static void
on_watchdog(void *arg)
{
	struct process *p = arg;

	if (p->node != NULL)
		node_ask_workers(p->node, on_alive, p);
	else
		on_alive(p);
}

/* The folder of the socket; /run is empty after every boot. */
static enum err
make_socket_folder(const char *socket_path, struct fault *why)
{
	char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;

	if (slice_to_cstr(slice_str(socket_path), dir, sizeof(dir)) != OK)
		return fault_set(why, ERR_LIMIT,
		    "the path of a socket is at most %zu bytes long: %s",
		    sizeof(dir) - 1, socket_path);
	slash = strrchr(dir, '/');
	if (slash == NULL || slash == dir)
		return OK; /* here, or in the root */
	*slash = 0;
	return file_make_folder(dir, 0755, NULL, why);
}

/* --- down, in reverse --- */

static void
on_closed(void *arg)
{
	struct process *p = arg;

	loop_stop(p->loop);
}

static void
stop(struct process *p, int code)
{
	if (p->stopping)
		return;
	p->stopping = true;
	p->code = code;
	timer_clear(&p->watchdog);
	tell_stopping(p);
	admin_close(&p->admin);
	if (p->server != NULL)
		server_close(&p->server, on_closed, p);
	else
		node_close(&p->node, p->drain_us, on_closed, p);
}

static void
on_signal(void *arg)
{
	log_info("stopping", "reason=signal");
	stop(arg, CLI_EXIT_OK);
}

static void
on_left(void *arg)
{
	log_info("stopping", "reason=left");
	stop(arg, CLI_EXIT_OK);
}

/* --- settings that change while it runs --- */

/* Returns how many; text is borrowed from the settings. */
static size_t
upstreams_of(
    const struct cli_agent *settings, struct node_upstream out[CLI_LIST_MAX])
{
	for (size_t i = 0; i < settings->upstream_count; i++) {
		const struct cli_upstream *u = &settings->upstreams[i];

		out[i] = (struct node_upstream){.name = u->name,
		    .host = u->host,
		    .port = u->port,
		    .listen = u->listen};
	}
	return settings->upstream_count;
}

static void
needs_restart(const char *name, bool changed)
{
	if (changed)
		log_warn("this setting waits for a restart", "name=%s", name);
}

static bool
texts_differ(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") != 0;
}

static bool
labels_differ(const struct cli_agent *old, const struct cli_agent *new)
{
	const struct labels a = {old->labels, old->label_count};
	const struct labels b = {new->labels, new->label_count};

	return a.count != b.count || !labels_match(&a, &b);
}

static bool
lists_differ(
    const struct addr *a, size_t a_count, const struct addr *b, size_t b_count)
{
	for (size_t i = 0; i < a_count && i < b_count; i++)
		if (!addr_eq(&a[i], &b[i]))
			return true;
	return a_count != b_count;
}

static void
tell_unchanged(const struct cli_agent *old, const struct cli_agent *new)
{
	needs_restart("state", texts_differ(old->state_dir, new->state_dir));
	needs_restart(
	    "socket", texts_differ(old->socket_path, new->socket_path));
	needs_restart("name", texts_differ(old->name, new->name));
	needs_restart("network", texts_differ(old->network, new->network));
	needs_restart("namespace", texts_differ(old->ns, new->ns));
	needs_restart("account", texts_differ(old->account, new->account));
	needs_restart("labels", labels_differ(old, new));
	needs_restart("hbone", !addr_eq(&old->hbone, &new->hbone));
	needs_restart("gossip", !addr_eq(&old->gossip, &new->gossip));
	needs_restart("metrics", !addr_eq(&old->metrics, &new->metrics));
	needs_restart("health", !addr_eq(&old->health, &new->health));
	needs_restart("admin", !addr_eq(&old->admin, &new->admin));
	needs_restart("dns",
	    lists_differ(old->dns, old->dns_count, new->dns, new->dns_count));
	needs_restart("dns-upstream",
	    lists_differ(old->dns_upstreams, old->dns_upstream_count,
		new->dns_upstreams, new->dns_upstream_count));
	needs_restart("dns-ttl", old->dns_ttl_us != new->dns_ttl_us);
	needs_restart("dns-wire", texts_differ(old->dns_wire, new->dns_wire));
	needs_restart("dns-log", texts_differ(old->dns_log, new->dns_log));
	needs_restart("workers", old->workers != new->workers);
	needs_restart("exec-checks", old->exec_checks != new->exec_checks);
	needs_restart(
	    "access-log", texts_differ(old->access_log, new->access_log));
	needs_restart(
	    "log-format", texts_differ(old->log_format, new->log_format));
}

/* NULL: the mesh says how lines look. What is written there was read once. */
static struct telemetry_lines *
lines_of(const struct cli_agent *settings)
{
	struct telemetry_lines *lines = NULL;

	if (settings->access_log_format != NULL)
		CHECK(telemetry_lines_parse(
			  slice_str(settings->access_log_format), &lines,
			  NULL) == OK);
	return lines;
}

static void
use_lines(const struct process *p, const struct cli_agent *settings)
{
	AUTO(telemetry_lines_unref)
	struct telemetry_lines *lines = lines_of(settings);

	node_set_log_lines(p->node, lines);
}

/* The same path, perhaps another file by now (logrotate). */
static void
reopen_access_log(const struct process *p)
{
	int fd;

	if (p->log_fd <= STDERR_FILENO)
		return;
	fd = open(p->settings->access_log,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0 || dup3(fd, p->log_fd, O_CLOEXEC) < 0)
		log_error("the access log goes on in the former file",
		    "path=%s why=\"%s\"", p->settings->access_log,
		    strerror(errno));
	if (fd >= 0)
		(void)close(fd); /* log_fd is another name of it */
}

static struct slice
text(const char *s)
{
	return slice_str(s == NULL ? "" : s);
}

static struct node_place
place_of(const struct cli_agent *settings)
{
	return (struct node_place){.locality = slice_str(settings->locality),
	    .command = text(settings->locality_command)};
}

static void
use_settings(void *arg, const struct cli_agent *fresh)
{
	struct process *p = arg;
	struct node_upstream upstreams[CLI_LIST_MAX];
	struct node_place place;
	struct fault why = {0};

	if (fresh == NULL)
		return;
	place = place_of(fresh);
	reopen_access_log(p);
	node_retry(p->node);
	p->drain_us = fresh->drain_us;
	node_set_log_success(p->node, fresh->log_success);
	node_set_place(p->node, &place);
	node_set_services(
	    p->node, fresh->services.items, fresh->services.count);
	use_lines(p, fresh);
	if (node_set_upstreams(
		p->node, upstreams, upstreams_of(fresh, upstreams), &why) != OK)
		log_error(
		    "upstreams stay as they were", "why=\"%s\"", why.text);
	tell_unchanged(p->settings, fresh);
}

static void
tell_reloading(struct process *p)
{
	char lines[64];

	(void)snprintf(lines, sizeof(lines),
	    "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	    clock_mono_us(&clock_system));
	tell(p, lines);
}

static void
on_hangup(void *arg)
{
	struct process *p = arg;
	char text[FAULT_TEXT_MAX + FAULT_FIELD_MAX + FAULT_FILE_MAX];
	struct fault why = {0};

	if (p->stopping)
		return;
	if (p->is_ready)
		tell_reloading(p);
	if (cli_read_again(use_settings, p, &why) == OK) {
		log_info("settings were read again", "reason=SIGHUP");
	} else {
		fault_format(&why, text, sizeof(text));
		log_error("settings stay as they were", "why=\"%s\"", text);
	}
	if (p->is_ready)
		tell(p, "READY=1");
}

/* --- up --- */

static void
on_api_open(void *arg, enum err e, const struct fault *why)
{
	struct process *p = arg;

	if (e != OK) {
		stop(p, cli_fault(why));
		return;
	}
	log_info("serving", "socket=%s version=%s", p->socket, MESHD_VERSION);
	p->is_open = true;
	tell_state(p);
}

/* `spec` has what only one role gives. */
static void
open_api(struct process *p, struct admin_spec spec)
{
	spec.loop = p->loop;
	spec.factory = p->factory;
	spec.socket_path = p->socket;
	spec.server = p->server;
	spec.node = p->node;
	spec.admin_uid = (uint32_t)geteuid();
	spec.on_open = on_api_open;
	spec.on_left = on_left;
	spec.arg = p;
	p->admin = admin_open(&spec);
}

/* Each connection is a descriptor or two; 1,024, where select() ends, is the
 * usual limit for those who do not ask. */
static void
raise_descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur == r.rlim_max)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0)
		log_warn("the limit of descriptors stays", "why=\"%s\"",
		    strerror(errno));
}

/* What both roles stand on. */
static enum err
open_floor(struct process *p, const char *socket_path, struct fault *why)
{
	enum err e = make_socket_folder(socket_path, why);

	raise_descriptor_limit();
	p->socket = socket_path;
	if (e == OK && tls_init() != OK)
		e = fault_set(why, ERR_INTERNAL, "TLS cannot start");
	if (e == OK)
		e = net_factory_inherit_env(p->factory, why);
	if (e == OK)
		e = loop_signal_open(&p->term, p->loop, SIGTERM, on_signal, p);
	if (e == OK)
		e = loop_signal_open(
		    &p->interrupt, p->loop, SIGINT, on_signal, p);
	if (e == OK)
		e = loop_signal_open(&p->hangup, p->loop, SIGHUP, on_hangup, p);
	timer_init(&p->again, p->loop, on_again, p);
	timer_init(&p->watchdog, p->loop, on_watchdog, p);
	set_watchdog(p);
	return e;
}

static void
process_init(struct process *p)
{
	*p = (struct process){.code = CLI_EXIT_OK, .log_fd = -1};
	p->loop = loop_new(NULL);
	p->factory = net_factory_new();
	p->supervisor = net_supervisor_new_env();
}

/* Runs what was opened, or says why it was not. */
static int
process_run(struct process *p, enum err e, const struct fault *why)
{
	if (e == OK)
		loop_run(p->loop);
	else
		p->code = cli_fault(why);
	loop_signal_close(&p->term);
	loop_signal_close(&p->interrupt);
	loop_signal_close(&p->hangup);
	timer_clear(&p->watchdog);
	timer_clear(&p->again);
	net_factory_free(&p->factory);
	loop_free(&p->loop);
	net_supervisor_free(&p->supervisor);
	return p->code;
}

/* --- the server --- */

static void
on_server_ready(void *arg, enum err e, const struct fault *why)
{
	struct process *p = arg;

	if (e != OK)
		stop(p, cli_fault(why));
	else
		open_api(p, (struct admin_spec){.remote = p->api,
				.metrics = p->metrics,
				.installer = p->installer});
}

static int
run_server(const struct cli_server *settings)
{
	struct process p;
	struct fault why = {0};
	enum err e;

	process_init(&p);
	p.api = settings->api;
	p.metrics = settings->metrics;
	p.installer = settings->installer ? settings->state_dir : NULL;
	e = open_floor(&p, settings->socket_path, &why);
	if (e == OK)
		p.server = server_open(&(struct server_spec){
		    .loop = p.loop,
		    .factory = p.factory,
		    .state_dir = settings->state_dir,
		    .name = settings->name,
		    .control = settings->control,
		    .gossip = settings->gossip,
		    .advertised = settings->advertised.items,
		    .advertised_count = settings->advertised.count,
		    .config_dir = settings->config_dir,
		    .config_allow_inert = settings->config_allow_inert,
		    .config_force = settings->config_force,
		    .on_ready = on_server_ready,
		    .arg = &p,
		});
	return process_run(&p, e, &why);
}

/* --- the agent --- */

/*
 * A refused token is no reason to end: another may be tried by `join`. The
 * node has said in the log how it went.
 */
static void
on_node_ready(void *arg, enum err e, const struct fault *why)
{
	struct process *p = arg;

	p->serves = e == OK;
	tell_state(p);
	if (p->admin != NULL)
		admin_joined(p->admin, e, why);
}

static enum err
open_access_log(
    const struct cli_agent *settings, int *out_fd, struct fault *why)
{
	*out_fd = -1;
	if (strcmp(settings->access_log, "off") == 0)
		return OK;
	if (strcmp(settings->access_log, "-") == 0) {
		*out_fd = STDOUT_FILENO;
		return OK;
	}
	*out_fd = open(settings->access_log,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (*out_fd >= 0)
		return OK;
	return fault_set(why, err_from_errno(errno),
	    "cannot write the access log %s: %s", settings->access_log,
	    strerror(errno));
}

/* Borrows from the settings. */
static struct wiring_spec
wiring_of(const struct cli_agent *settings)
{
	struct slice link = slice_str(settings->dns_wire);
	struct slice kind = slice_split(&link, ':');
	struct wiring_spec spec = {.kind = WIRING_OFF};

	if (slice_eq(kind, S("resolv-conf")))
		spec.kind = WIRING_RESOLV_CONF;
	else if (slice_eq(kind, S("resolved")))
		spec.kind = WIRING_RESOLVED;
	if (link.len > 0)
		spec.link = link.ptr; /* the end of a text */
	return spec;
}

/* Borrows from the settings. */
static struct resolver_spec
dns_of(const struct cli_agent *settings)
{
	enum { SECOND_US = 1000000 };
	struct slice log = slice_str(settings->dns_log);
	uint64_t each = 1;
	struct resolver_spec spec = {.listen = settings->dns,
	    .listen_count = settings->dns_count,
	    .upstreams = settings->dns_upstreams,
	    .upstream_count = settings->dns_upstream_count,
	    .ttl_s = (uint32_t)(settings->dns_ttl_us / SECOND_US),
	    .log = RESOLVER_LOG_ALL};

	if (slice_eq(log, S("off")))
		spec.log = RESOLVER_LOG_OFF;
	else if (slice_eq(log, S("failed")))
		spec.log = RESOLVER_LOG_FAILED;
	else if (slice_to_u64(log, &each) != OK)
		each = 1;               /* "all" */
	spec.log_each = (uint32_t)each; /* the option said that it fits */
	return spec;
}

static enum err
open_node(struct process *p, const struct cli_agent *settings,
    const struct capture_ends *helper, struct fault *why)
{
	AUTO(telemetry_lines_unref)
	struct telemetry_lines *lines = lines_of(settings);
	struct node_upstream upstreams[CLI_LIST_MAX];
	struct node_spec spec = {
	    .loop = p->loop,
	    .factory = p->factory,
	    .state_dir = settings->state_dir,
	    .name = text(settings->name),
	    .network = text(settings->network),
	    .place = place_of(settings),
	    .token = text(settings->token),
	    .ns = text(settings->ns),
	    .account = text(settings->account),
	    .proxy = settings->is_gateway ? VIEW_ROUTER : VIEW_SIDECAR,
	    .labels = settings->labels,
	    .label_count = settings->label_count,
	    .addrs = settings->addrs,
	    .addr_count = settings->addr_count,
	    .hbone = settings->hbone,
	    .gossip = settings->gossip,
	    .workers = settings->workers,
	    .capture = *helper,
	    .exec_checks = settings->exec_checks,
	    .log = {p->log_fd, lines, settings->log_success},
	    .upstreams = upstreams,
	    .upstream_count = settings->upstream_count,
	    .dns = dns_of(settings),
	    .wiring = wiring_of(settings),
	    .on_ready = on_node_ready,
	    .arg = p,
	};

	(void)upstreams_of(settings, upstreams); /* as many as above */
	return node_open(&spec, &p->node, why);
}

/* Before any thread and any descriptor of ours. */
static enum err
start_helper(const struct cli_agent *settings, struct capture_ends *out,
    struct fault *why)
{
	*out = (struct capture_ends)CAPTURE_NO_ENDS;
	if (settings->is_gateway)
		return OK;
	return capture_helper_start(text(settings->token), out, why);
}

static void
on_finding(void *arg, const struct doctor_finding *f)
{
	(void)arg;
	if (f->level != DOCTOR_OK)
		log_warn("something is wrong with this machine",
		    "check=%s what=\"%.*s\" mend=\"%.*s\"", f->check,
		    SLICE_ARG(f->text), SLICE_ARG(f->mend));
}

/* What makes the start impossible, the start says. */
static void
glance(const struct cli_agent *settings)
{
	struct doctor_port ports[CLI_PORTS_MAX];

	doctor_glance(&(struct doctor_spec){.root = "",
	    .state_dir = settings->state_dir,
	    .is_starting = true,
	    .ports = ports,
	    .port_count = cli_agent_ports(settings, ports),
	    .clock = &clock_system,
	    .each = on_finding});
}

static int
run_agent(const struct cli_agent *settings)
{
	struct process p;
	struct fault why = {0};
	struct capture_ends helper;
	enum err e;
	int code;

	if (start_helper(settings, &helper, &why) != OK)
		return cli_fault(&why);
	process_init(&p);
	p.settings = settings;
	p.drain_us = settings->drain_us;
	e = open_floor(&p, settings->socket_path, &why);
	if (e == OK)
		glance(settings);
	if (e == OK)
		e = open_access_log(settings, &p.log_fd, &why);
	if (e == OK)
		e = open_node(&p, settings, &helper, &why);
	if (e == OK)
		node_set_services(
		    p.node, settings->services.items, settings->services.count);
	if (e == OK)
		open_api(&p, (struct admin_spec){.metrics = settings->metrics,
				 .health = settings->health,
				 .loopback = settings->admin});
	code = process_run(&p, e, &why);
	if (p.log_fd > STDERR_FILENO)
		(void)close(p.log_fd); /* its lines were written by now */
	return code;
}

static const struct cli_roles roles = {
    .server = run_server,
    .agent = run_agent,
};

/* Who was started without them must not have a socket in their place, and the
 * log in it. */
static bool
keep_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd); /* one too many */
	return fcntl(STDERR_FILENO, F_GETFD) != -1;
}

int
main(int argc, char **argv)
{
	if (!keep_standard_descriptors())
		return CLI_EXIT_FAILED;
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return CLI_EXIT_FAILED;
	if (crypto_init() != OK) {
		(void)fputs("meshd: the system gives no randomness\n", stderr);
		return CLI_EXIT_FAILED;
	}
	return cli_run(argc, argv, &roles);
}
