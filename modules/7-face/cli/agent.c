/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent — reads the settings of `meshd agent` and `meshd gateway`, then lets
 * main.c run it.
 */
#include "base/base.h"
#include "net/net.h"
#include "node/node.h"
#include "telemetry/telemetry.h"

#include "command.h"
#include "services.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKEN_MAX = 4096, CREDENTIAL_PATH_MAX = 4096, LOCALITY_FILE_MAX = 4096 };

/* --- addresses --- */

/* "ADDR:PORT", or a port alone on every address. */
enum err
command_addr(const struct options *o, const char *name, struct addr *out,
    struct fault *why)
{
	const char *text = options_text(o, name);
	uint16_t port;

	*out = (struct addr){0};
	if (text == NULL || addr_parse(slice_str(text), out) == OK)
		return OK;
	if (addr_parse_port(slice_str(text), &port) == OK) {
		*out = net_any_addr(port);
		return OK;
	}
	return fault_set(why, ERR_INVALID,
	    "--%s is ADDR:PORT or PORT, not \"%s\"", name, text);
}

enum err
command_addr_or_off(const struct options *o, const char *name, struct addr *out,
    struct fault *why)
{
	if (strcmp(options_text(o, name), "off") != 0)
		return command_addr(o, name, out, why);
	*out = (struct addr){0};
	return OK;
}

static enum err
read_own_addrs(
    const struct options *o, struct cli_agent *out, struct fault *why)
{
	const struct option_values *list = options_list(o, "address");

	for (size_t i = 0; i < list->count; i++) {
		if (addr_parse_ip(slice_str(list->text[i]),
			&out->addrs[out->addr_count]) != OK)
			return fault_set(why, ERR_INVALID,
			    "--address is an IP, not \"%s\"", list->text[i]);
		out->addr_count++;
	}
	return OK;
}

/* --- upstreams --- */

static enum err
bad_upstream(const char *text, struct fault *why)
{
	return fault_set(why, ERR_INVALID,
	    "an upstream is written NAME=ADDR:PORT or "
	    "NAME=ADDR:PORT/HOST:PORT, not \"%s\"",
	    text);
}

/* "reviews=127.0.0.1:9000" or "reviews=127.0.0.1:9000/reviews.shop:9080" */
static enum err
read_upstream(const char *text, struct cli_upstream *out, struct fault *why)
{
	struct slice rest = slice_str(text);
	struct slice listen;

	out->name = slice_split(&rest, '=');
	listen = slice_split(&rest, '/');
	if (out->name.len == 0 || addr_parse(listen, &out->listen) != OK)
		return bad_upstream(text, why);
	out->host = out->name;
	out->port = 0;
	if (rest.len == 0)
		return OK;
	out->host = slice_split(&rest, ':');
	if (out->host.len == 0 ||
	    (rest.len > 0 && addr_parse_port(rest, &out->port) != OK))
		return bad_upstream(text, why);
	return OK;
}

static enum err
read_upstreams(
    const struct options *o, struct cli_agent *out, struct fault *why)
{
	const struct option_values *list = options_list(o, "upstream");

	for (size_t i = 0; i < list->count; i++) {
		enum err e =
		    read_upstream(list->text[i], &out->upstreams[i], why);

		if (e != OK)
			return e;
		out->upstream_count++;
	}
	return OK;
}

/* --- where it lies --- */

/* The first line of the file. */
static enum err
read_locality_file(const char *path, struct cli_agent *out, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(LOCALITY_FILE_MAX);
	struct slice rest;
	enum err e = file_read(path, &text, why);

	if (e != OK)
		return e;
	rest = buf_slice(&text);
	rest = slice_trim(slice_split(&rest, '\n'));
	e = node_locality_check(rest, why);
	if (e != OK) {
		fault_at(why, path, 1, 0);
		return e;
	}
	(void)snprintf(
	    out->locality, sizeof(out->locality), "%.*s", SLICE_ARG(rest));
	return OK;
}

static enum err
read_locality(const char *text, struct cli_agent *out, struct fault *why)
{
	struct slice all = slice_str(text != NULL ? text : "");
	struct slice command = slice_trim(slice_sub(all, 5, all.len));
	enum err e;

	if (all.len == 0)
		return OK;
	if (text[0] == '@')
		return read_locality_file(text + 1, out, why);
	if (slice_starts(all, S("exec:"))) {
		out->locality_command = command.ptr;
		return command.len > 0 &&
			       command.len < NODE_LOCALITY_COMMAND_MAX
			   ? OK
			   : fault_set(why, ERR_INVALID,
				 "--locality exec: says a command of at most "
				 "%d bytes",
				 NODE_LOCALITY_COMMAND_MAX - 1);
	}
	e = node_locality_check(all, why);
	(void)snprintf(
	    out->locality, sizeof(out->locality), "%.*s", SLICE_ARG(all));
	return e == OK ? OK : fault_prefix(why, e, "--locality: ");
}

/* --- names --- */

/* Loopback, unless it is said; where IPv6 is switched off only the first. */
static const struct addr usual_dns[] = {
    {ADDR_V4, {127, 0, 0, 1}, RESOLVER_PORT},
    {ADDR_V6, {[15] = 1}, RESOLVER_PORT}};

static enum err
read_dns_addr(const char *text, uint16_t port, struct addr *out,
    const char *option, struct fault *why)
{
	if (addr_parse_ip(slice_str(text), out) == OK)
		out->port = port;
	else if (addr_parse(slice_str(text), out) != OK)
		return fault_set(why, ERR_INVALID,
		    "--%s is IP or ADDR:PORT, not \"%s\"", option, text);
	if (addr_is_any(out))
		return fault_set(why, ERR_INVALID,
		    "--%s is one address of a machine, not \"%s\"", option,
		    text);
	return OK;
}

static enum err
read_dns_addrs(const struct options *o, const char *option, uint16_t port,
    struct addr out[CLI_LIST_MAX], size_t *out_count, struct fault *why)
{
	const struct option_values *list = options_list(o, option);
	enum err e = OK;

	if (list->count > RESOLVER_ADDRS_MAX)
		return fault_set(why, ERR_LIMIT,
		    "--%s is there at most %d times", option,
		    RESOLVER_ADDRS_MAX);
	for (size_t i = 0; e == OK && i < list->count; i++)
		e = read_dns_addr(list->text[i], port, &out[i], option, why);
	*out_count = list->count;
	return e;
}

static bool
is_off(const struct option_values *list)
{
	return list->count == 1 && strcmp(list->text[0], "off") == 0;
}

static enum err
read_dns_log(const char *text, struct fault *why)
{
	uint64_t n;

	if (strcmp(text, "off") == 0 || strcmp(text, "failed") == 0 ||
	    strcmp(text, "all") == 0 ||
	    (slice_to_u64(slice_str(text), &n) == OK && n > 0 &&
		n <= UINT32_MAX))
		return OK;
	return fault_set(why, ERR_INVALID,
	    "--dns-log is off, failed, all, or N for every Nth, not \"%s\"",
	    text);
}

static enum err
read_dns_wire(const char *text, struct fault *why)
{
	struct slice rest = slice_str(text);
	struct slice kind = slice_split(&rest, ':');

	if (slice_eq(slice_str(text), S("off")) ||
	    slice_eq(slice_str(text), S("resolv-conf")) ||
	    (slice_eq(kind, S("resolved")) && rest.len < WIRING_NAME_MAX))
		return OK;
	return fault_set(why, ERR_INVALID,
	    "--dns-wire is off, resolved, resolved:LINK or resolv-conf, not "
	    "\"%s\"",
	    text);
}

static void
use_usual_dns(struct cli_agent *out)
{
	for (size_t i = 0; i < ARRAY_LEN(usual_dns); i++)
		if (i == 0 || net_has_addr(&usual_dns[i]))
			out->dns[out->dns_count++] = usual_dns[i];
}

static enum err
read_dns(const struct options *o, struct cli_agent *out, struct fault *why)
{
	enum { TTL_MAX_S = 86400, SECOND_US = 1000000 };
	enum err e = OK;

	out->dns_log = options_text(o, "dns-log");
	out->dns_wire = options_text(o, "dns-wire");
	if (!is_off(options_list(o, "dns"))) {
		e = read_dns_addrs(
		    o, "dns", RESOLVER_PORT, out->dns, &out->dns_count, why);
		if (out->dns_count == 0)
			use_usual_dns(out);
	}
	if (e == OK)
		e = read_dns_addrs(o, "dns-upstream", /* port */ 53,
		    out->dns_upstreams, &out->dns_upstream_count, why);
	if (e == OK)
		e = options_duration_us(o, "dns-ttl", &out->dns_ttl_us, why);
	if (e == OK && out->dns_ttl_us > (uint64_t)TTL_MAX_S * SECOND_US)
		e = fault_set(
		    why, ERR_INVALID, "--dns-ttl is at most a day (24h)");
	if (e == OK)
		e = read_dns_log(out->dns_log, why);
	return e == OK ? read_dns_wire(out->dns_wire, why) : e;
}

/* --- labels --- */

/* As Istio's own gateway has them, unless they are said. */
static const struct label usual_label = {{"istio", 5}, {"ingressgateway", 14}};

static enum err
read_labels(const struct options *o, struct cli_agent *out, struct fault *why)
{
	const struct option_values *list = options_list(o, "labels");

	for (size_t i = 0; i < list->count; i++) {
		enum err e = command_label(list->text[i], &out->labels[i], why);

		if (e != OK)
			return e;
		for (size_t j = 0; j < i; j++)
			if (slice_eq(out->labels[j].key, out->labels[i].key))
				return fault_set(why, ERR_INVALID,
				    "the label %.*s is there twice",
				    SLICE_ARG(out->labels[i].key));
		out->label_count++;
	}
	if (list->count == 0)
		out->labels[out->label_count++] = usual_label;
	return OK;
}

/* --- the token --- */

/* A line, however it comes: a pipe, a file, a terminal. */
static enum err
read_line(struct buf *out, struct fault *why)
{
	for (;;) {
		uint8_t byte;
		ssize_t n = read(STDIN_FILENO, &byte, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_set(why, err_from_errno(errno),
			    "cannot read standard input: %s", strerror(errno));
		if (n == 0 || byte == '\n')
			return OK;
		if (buf_add_byte(out, byte) != OK)
			return fault_set(why, ERR_LIMIT,
			    "a token has at most %d characters", TOKEN_MAX);
	}
}

/* The first line of the file, or of standard input if path is NULL. */
static enum err
read_token(const char *path, struct secret *out, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF_SECRET(TOKEN_MAX);
	struct slice rest;
	enum err e =
	    path == NULL ? read_line(&text, why) : file_read(path, &text, why);

	if (e != OK)
		return e;
	rest = buf_slice(&text);
	secret_init(out, text.end - text.start + 1);
	rest = slice_trim(slice_split(&rest, '\n'));
	if (rest.len > 0)
		memcpy(out->bytes, rest.ptr, rest.len);
	return rest.len > 0
		   ? OK
		   : fault_set(why, ERR_PARSE,
			 "%s holds no token: one is a line as `meshd token "
			 "create` prints it",
			 path != NULL ? path : "standard input");
}

/* As it is, from a file (@FILE), or from standard input (-). */
enum err
command_token(const char *text, struct secret *out, struct fault *why)
{
	if (text == NULL)
		text = "";
	else if (text[0] == 0)
		return fault_set(why, ERR_PARSE,
		    "the token is empty; give one as it is, as @FILE, or with "
		    "- from standard input");
	if (strcmp(text, "-") == 0)
		return read_token(NULL, out, why);
	if (text[0] == '@')
		return read_token(text + 1, out, why);
	secret_init(out, strlen(text) + 1);
	memcpy(out->bytes, text, strlen(text));
	return OK;
}

/*
 * Who names none may have been given one by the service manager, as the
 * credential `join` (systemd.exec(5), LoadCredential=). A blank one is none: a
 * unit has to load something, also when the token was thrown away.
 */
static enum err
read_credential(struct secret *out, struct fault *why)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[CREDENTIAL_PATH_MAX];
	enum err e;

	if (dir == NULL ||
	    snprintf(path, sizeof(path), "%s/join", dir) >= (int)sizeof(path))
		return command_token(NULL, out, why);
	e = read_token(path, out, why);
	if (e != ERR_PARSE && e != ERR_NOT_FOUND)
		return e;
	secret_fini(out);
	return command_token(NULL, out, why);
}

/* --- the command --- */

static enum err
read_numbers(const struct options *o, struct cli_agent *out, struct fault *why)
{
	uint64_t workers;
	enum err e = options_number(o, "workers", &workers, why);

	if (e == OK)
		e = options_duration_us(o, "drain", &out->drain_us, why);
	if (e != OK)
		return e;
	if (workers > 64)
		return fault_set(why, ERR_INVALID,
		    "--workers is at most 64, not %u", (unsigned)workers);
	out->workers = (unsigned)workers;
	return OK;
}

static enum err
read_format(const struct options *o, struct cli_agent *out, struct fault *why)
{
	AUTO(telemetry_lines_unref) struct telemetry_lines *lines = NULL;
	enum err e;

	out->access_log_format = options_text(o, "access-log-format");
	if (out->access_log_format == NULL)
		return OK;
	e = telemetry_lines_parse(
	    slice_str(out->access_log_format), &lines, why);
	return e == OK ? OK : fault_prefix(why, e, "--access-log-format: ");
}

static enum err
read_settings(const struct options *o, struct cli_agent *out, struct fault *why)
{
	enum err e;

	*out = (struct cli_agent){
	    .state_dir = options_text(o, "state"),
	    .socket_path = options_text(o, "socket"),
	    .name = options_text(o, "name"),
	    .network = options_text(o, "network"),
	    .ns = options_text(o, "namespace"),
	    .account = options_text(o, "account"),
	    .access_log = options_text(o, "access-log"),
	    .log_success = options_flag(o, "log-success"),
	    .exec_checks = options_flag(o, "exec-checks"),
	    .log_format = options_text(o, "log-format"),
	};
	e = command_log_level(o, why);
	if (e == OK)
		e = command_addr(o, "hbone", &out->hbone, why);
	if (e == OK)
		e = command_addr(o, "gossip", &out->gossip, why);
	if (e == OK)
		e = command_addr_or_off(o, "metrics", &out->metrics, why);
	if (e == OK)
		e = command_addr_or_off(o, "health", &out->health, why);
	if (e == OK)
		e = command_addr_or_off(o, "admin", &out->admin, why);
	if (e == OK)
		e = cli_services_read(
		    &out->services, options_text(o, "services"), why);
	if (e == OK)
		e = read_locality(options_text(o, "locality"), out, why);
	if (e == OK)
		e = read_dns(o, out, why);
	if (e == OK)
		e = read_own_addrs(o, out, why);
	if (e == OK)
		e = read_upstreams(o, out, why);
	if (e == OK)
		e = read_numbers(o, out, why);
	return e != OK ? e : read_format(o, out, why);
}

static enum err
read_gateway(const struct options *o, struct cli_agent *out, struct fault *why)
{
	enum err e = read_settings(o, out, why);

	out->is_gateway = true;
	return e != OK ? e : read_labels(o, out, why);
}

static void
settings_free(struct cli_agent **sp)
{
	if (*sp != NULL)
		cli_services_fini(&(*sp)->services);
	mem_free(sp);
}

typedef enum err (*read_fn)(
    const struct options *o, struct cli_agent *out, struct fault *why);

static int
run(struct options *o, const char *name, read_fn read_all)
{
	AUTO(secret_fini) struct secret token = {0};
	AUTO(settings_free)
	struct cli_agent *settings = mem_new(sizeof(*settings));
	const char *join = options_text(o, "join");
	char text[FAULT_TEXT_MAX + FAULT_FIELD_MAX + FAULT_FILE_MAX];
	struct fault why = {0};
	enum err e;

	if (read_all(o, settings, &why) != OK) {
		fault_format(&why, text, sizeof(text));
		return command_fail(CLI_EXIT_USAGE, "%s: %s", name, text);
	}
	if (command_log_format(o, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "%s: %s", name, why.text);
	e = join != NULL ? command_token(join, &token, &why)
			 : read_credential(&token, &why);
	if (e != OK)
		return cli_fault(&why);
	settings->token = (const char *)token.bytes;
	return command_roles()->agent(settings);
}

static enum err
again(const struct options *o, read_fn read_all, cli_use use, void *arg,
    struct fault *why)
{
	AUTO(settings_free)
	struct cli_agent *settings = mem_new(sizeof(*settings));
	enum err e = read_all(o, settings, why);

	if (e == OK)
		use(arg, settings);
	return e;
}

static int
agent(struct options *o)
{
	return run(o, "agent", read_settings);
}

static enum err
agent_again(const struct options *o, cli_use use, void *arg, struct fault *why)
{
	return again(o, read_settings, use, arg, why);
}

static int
gateway(struct options *o)
{
	return run(o, "gateway", read_gateway);
}

static enum err
gateway_again(
    const struct options *o, cli_use use, void *arg, struct fault *why)
{
	return again(o, read_gateway, use, arg, why);
}

/* A gateway's; an agent has them from the second on. */
static const struct option_row rows[] = {
    {"labels", 0, OPTION_LIST, "KEY=VALUE", NULL, true,
	"that Gateways select it by, else istio=ingressgateway"},
    {"join", 0, OPTION_TEXT, "TOKEN|@FILE|-", NULL, true,
	"join by this token, if this machine is no member yet"},
    {"state", 0, OPTION_TEXT, "DIR", "/var/lib/meshd/agent", true,
	"where keys and the last configuration are kept"},
    {"socket", 0, OPTION_TEXT, "PATH", "/run/meshd/agent.sock", true,
	"where commands reach it"},
    {"name", 0, OPTION_TEXT, "NAME", NULL, true,
	"of this machine in the mesh, else the host's"},
    {"network", 0, OPTION_TEXT, "NAME", NULL, true, "that the machine lies in"},
    {"locality", 0, OPTION_TEXT, "PLACE|@FILE|exec:COMMAND", NULL, true,
	"region[/zone[/subzone]] of the machine, or who says it"},
    {"address", 0, OPTION_LIST, "IP", NULL, true,
	"announced to the mesh, else all that the machine has"},
    {"namespace", 'n', OPTION_TEXT, "NAME", "default", true,
	"of the programs that call from here"},
    {"account", 0, OPTION_TEXT, "NAME", NULL, true,
	"who they call as, else the machine itself"},
    {"upstream", 0, OPTION_LIST, "NAME=ADDR:PORT[/HOST:PORT]", NULL, true,
	"a local address behind which a service is"},
    {"services", 0, OPTION_TEXT, "DIR", NULL, true,
	"of files that say what is exposed, else /etc/meshd/services.d"},
    {"hbone", 0, OPTION_TEXT, "[ADDR:]PORT", NULL, true,
	"where tunnels come in, else [::]:15008"},
    {"gossip", 0, OPTION_TEXT, "[ADDR:]PORT", NULL, true,
	"UDP and TCP, else [::]:15946"},
    {"dns", 0, OPTION_LIST, "IP|ADDR:PORT|off", NULL, true,
	"where names are answered, else port 15053 of loopback"},
    {"dns-upstream", 0, OPTION_LIST, "IP|ADDR:PORT", NULL, true,
	"who is asked for other names, else the machine's resolv.conf"},
    {"dns-ttl", 0, OPTION_DURATION, "TIME", "5s", true,
	"how long names of the mesh may be kept"},
    {"dns-wire", 0, OPTION_TEXT, "off|resolved[:LINK]|resolv-conf", "off", true,
	"how programs of this machine come to ask there"},
    {"dns-log", 0, OPTION_TEXT, "off|failed|all|N", "off", true,
	"which questions are logged; N: every Nth"},
    {"metrics", 0, OPTION_TEXT, "[ADDR:]PORT|off", "15020", true,
	"GET /metrics for Prometheus"},
    {"health", 0, OPTION_TEXT, "[ADDR:]PORT|off", "15021", true,
	"GET /healthz/ready"},
    {"admin", 0, OPTION_TEXT, "[ADDR:]PORT|off", "127.0.0.1:15000", true,
	"what commands ask, for reading only"},
    {"workers", 0, OPTION_NUMBER, "N", "0", true,
	"threads of the data plane; 0 is one a core"},
    {"access-log", 0, OPTION_TEXT, "FILE|-|off", "-", true,
	"what was refused or failed, and why; - is standard output"},
    {"access-log-format", 0, OPTION_TEXT, "text|json|FORMAT", NULL, true,
	"Istio's, or with Envoy's operators; else MeshConfig's"},
    {"log-success", 0, OPTION_FLAG, NULL, NULL, true,
	"log what went well, too"},
    {"exec-checks", 0, OPTION_FLAG, NULL, NULL, true,
	"let health checks run commands on this machine"},
    {"drain", 0, OPTION_DURATION, "TIME", "5s", true,
	"that connections get to end by themselves"},
    OPTION_LOG_LEVEL,
    OPTION_LOG_FORMAT,
};

const struct command command_agent = {
    .name = "agent",
    .args = "",
    .summary = "run the agent of this machine",
    .section = "agent",
    .rows = rows + 1,
    .row_count = ARRAY_LEN(rows) - 1,
    .run = agent,
    .again = agent_again,
};

const struct command command_gateway = {
    .name = "gateway",
    .args = "",
    .summary = "run a gateway on this machine: an agent that serves outside",
    .section = "agent",
    .rows = rows,
    .row_count = ARRAY_LEN(rows),
    .run = gateway,
    .again = gateway_again,
};
