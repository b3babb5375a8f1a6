/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor — what may be wrong with this machine, and the command that mends it.
 *
 * Whose folder it is, an agent's or a server's, its files say. First the role
 * is asked itself; the rest are checks of node/doctor, which need nobody.
 */
#include "base/base.h"
#include "ca/ca.h"
#include "loop/loop.h"
#include "net/net.h"
#include "node/node.h"

#include "api.h"
#include "command.h"
#include "output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AGENT_STATE "/var/lib/meshd/agent"
#define SERVER_STATE "/var/lib/meshd/server"

enum { ARENA_MAX = 1 << 20, PATH_BYTES = 4096 };

/* Everything that was found. */
struct visit {
	struct arena arena;
	struct value *items;
	size_t counts[DOCTOR_PROBLEM + 1];
	struct loop *loop;
	struct doctor *doctor;
	struct net_factory *factory;
	enum output how;
};

/* --- findings ------------------------------------------------------------- */

static void
print_finding(const struct doctor_finding *f)
{
	(void)printf("%-8s %-12s %.*s\n", doctor_level_name(f->level), f->check,
	    SLICE_ARG(f->text));
	if (f->mend.len > 0)
		(void)printf("%22s%.*s\n", "mend: ", SLICE_ARG(f->mend));
}

static void
on_finding(void *arg, const struct doctor_finding *f)
{
	struct visit *v = arg;
	struct value *item = value_new(&v->arena, VALUE_MAP);

	v->counts[f->level]++;
	if (v->how == OUTPUT_TABLE)
		print_finding(f);
	value_put_text(&v->arena, &item, S("check"), slice_str(f->check));
	value_put_text(&v->arena, &item, S("level"),
	    slice_str(doctor_level_name(f->level)));
	value_put_text(&v->arena, &item, S("text"), f->text);
	value_put_text(&v->arena, &item, S("mend"), f->mend);
	/* The findings are few and short. */
	CHECK(item != NULL && value_append(v->items, item) == OK);
}

static void
say(struct visit *v, const char *check, enum doctor_level level,
    const char *text, const char *mend)
{
	const struct doctor_finding f = {
	    check, level, slice_str(text), slice_str(mend)};

	on_finding(v, &f);
}

/* --- the role itself ------------------------------------------------------ */

static uint64_t
number_of(const struct value *v, struct slice key)
{
	const struct value *n = value_get(v, key);

	return n != NULL && n->type == VALUE_INT ? (uint64_t)n->integer : 0;
}

static bool
is_true(const struct value *v, struct slice key)
{
	const struct value *b = value_get(v, key);

	return b != NULL && b->type == VALUE_BOOL && b->boolean;
}

static void
judge_agent(struct visit *v, const struct value *status)
{
	struct slice state = value_get_string(status, S("state"), S(""));
	struct slice trouble = value_get_string(status, S("trouble"), S(""));
	uint64_t members = number_of(status, S("members"));
	uint64_t up = number_of(status, S("membersUp"));
	char text[FAULT_TEXT_MAX];

	if (!slice_eq(state, S("running"))) {
		(void)snprintf(text, sizeof(text),
		    "the agent runs and is no member of a mesh: %.*s%s%.*s",
		    SLICE_ARG(state), trouble.len > 0 ? ", " : "",
		    SLICE_ARG(trouble));
		say(v, "agent",
		    trouble.len > 0 ? DOCTOR_PROBLEM : DOCTOR_WARNING, text,
		    "meshd join TOKEN");
	} else if (!is_true(status, S("connected"))) {
		(void)snprintf(text, sizeof(text),
		    "the agent serves without a server: %.*s",
		    SLICE_ARG(trouble));
		say(v, "agent", DOCTOR_WARNING, text, "meshd status");
	} else if (members > 1 && up <= 1) {
		(void)snprintf(text, sizeof(text),
		    "the agent hears none of the %llu other members",
		    (unsigned long long)members - 1);
		say(v, "agent", DOCTOR_PROBLEM, text, "meshd members");
	} else if (members == 0) {
		say(v, "agent", DOCTOR_OK,
		    "the agent serves, and does not gossip yet", "");
	} else {
		(void)snprintf(text, sizeof(text),
		    "the agent serves, and %llu of %llu members are up",
		    (unsigned long long)up, (unsigned long long)members);
		say(v, "agent", DOCTOR_OK, text, "");
	}
}

static void
judge_server(struct visit *v, const struct value *status)
{
	struct slice trouble = value_get_string(status, S("trouble"), S(""));
	char text[FAULT_TEXT_MAX];

	if (trouble.len == 0) {
		say(v, "server", DOCTOR_OK, "the server serves", "");
		return;
	}
	(void)snprintf(text, sizeof(text),
	    "the server serves, and could not write: %.*s", SLICE_ARG(trouble));
	say(v, "server", DOCTOR_PROBLEM, text, "journalctl -u meshd-server");
}

static void
judge_silence(struct visit *v, bool is_server, const struct fault *why)
{
	const char *check = is_server ? "server" : "agent";

	if (why->code == ERR_PERMISSION)
		say(v, check, DOCTOR_WARNING, why->text, "sudo meshd doctor");
	else
		say(v, check, DOCTOR_WARNING, why->text,
		    is_server ? "systemctl start meshd-server"
			      : "systemctl start meshd-agent");
}

/* True if it answers. */
static bool
ask_role(struct visit *v, const struct options *o, bool is_server)
{
	struct api_question q = {
	    .role = is_server ? API_SERVER_HERE : API_AGENT,
	    .method = "GET",
	    .path = "/v1/status"};
	AUTO(api_answer_fini) struct api_answer answer = {0};
	struct fault why = {0};

	if (api_ask(o, &q, &answer, &why) != OK) {
		judge_silence(v, is_server, &why);
		return false;
	}
	if (answer.status != 200)
		say(v, is_server ? "server" : "agent", DOCTOR_WARNING,
		    "it does not tell how it is", "meshd status");
	else if (is_server)
		judge_server(v, answer.body);
	else
		judge_agent(v, answer.body);
	return true;
}

/* --- a token, where its server is ----------------------------------------- */

static void
judge_token(struct visit *v, const struct value *token)
{
	struct slice state = value_get_string(token, S("state"), S("unknown"));
	char text[FAULT_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "this server calls the token %.*s",
	    SLICE_ARG(state));
	if (slice_eq(state, S("valid")))
		say(v, "token", DOCTOR_OK, text, "");
	else
		say(v, "token", DOCTOR_PROBLEM, text, "meshd token create");
}

/* Only a server knows how long it may be used. */
static void
ask_about_token(struct visit *v, const struct options *o, struct slice text)
{
	struct api_question q = {
	    .role = API_SERVER_HERE, .method = "GET", .path = "/v1/tokens"};
	AUTO(api_answer_fini) struct api_answer answer = {0};
	AUTO(ca_token_fini) struct ca_token token = {0};
	const struct value *known = NULL;
	char id[CA_TOKEN_ID_TEXT];
	struct fault why = {0};

	if (ca_token_parse(text, CA_TOKEN_JOIN, &token, &why) != OK ||
	    api_ask(o, &q, &answer, &why) != OK || answer.status != 200)
		return;
	(void)ca_token_id_format(token.id, id);
	VALUE_EACH(value_get(answer.body, S("items")), it)
	if (slice_eq(value_get_string(it, S("id"), S("")), slice_str(id)))
		known = it;
	judge_token(v, known);
}

/* --- ports ---------------------------------------------------------------- */

/* A port of a role: its setting, and where it is if nothing is said. */
static const struct usual {
	const char *name;
	const char *addr;
	bool is_udp_too;
	bool is_for_peers;
} agent_ports[] =
    {
	{"hbone", "[::]:15008", false, true},
	{"gossip", "[::]:15946", true, true},
	{"metrics", "[::]:15020", false, false},
	{"health", "[::]:15021", false, false},
	{"admin", "127.0.0.1:15000", false, false},
},
  server_ports[] = {
      {"control", "[::]:15012", false, true},
      {"gossip", "[::]:15946", true, true},
      {"api", "[::]:15080", false, true},
      {"metrics", "[::]:15014", false, false},
};

enum { AGENT_PORTS = ARRAY_LEN(agent_ports) };

static size_t
put_port(const struct usual *u, const struct addr *addr, bool is_off,
    struct doctor_port *out)
{
	size_t count = 0;
	struct addr at = *addr;

	if (is_off)
		return 0;
	if (at.family == ADDR_NONE)
		CHECK(addr_parse(slice_str(u->addr), &at) == OK);
	out[count++] = (struct doctor_port){
	    u->name, at, /* is_udp */ false, u->is_for_peers};
	if (u->is_udp_too)
		out[count++] = (struct doctor_port){
		    u->name, at, /* is_udp */ true, u->is_for_peers};
	return count;
}

size_t
cli_agent_ports(
    const struct cli_agent *s, struct doctor_port out[CLI_PORTS_MAX])
{
	const struct addr *addrs[AGENT_PORTS] = {
	    &s->hbone, &s->gossip, &s->metrics, &s->health, &s->admin};
	size_t count = 0;

	for (size_t i = 0; i < AGENT_PORTS; i++)
		count += put_port(&agent_ports[i], addrs[i],
		    /* metrics and what follows may be off */
		    i > 1 && addrs[i]->family == ADDR_NONE, out + count);
	return count;
}

static enum err
read_agent_ports(const struct options *o, struct doctor_port out[CLI_PORTS_MAX],
    size_t *out_count, struct fault *why)
{
	AUTO(mem_free) struct cli_agent *s = mem_new(sizeof(*s));
	enum err e = command_addr(o, "hbone", &s->hbone, why);

	if (e == OK)
		e = command_addr(o, "gossip", &s->gossip, why);
	if (e == OK)
		e = command_addr_or_off(o, "metrics", &s->metrics, why);
	if (e == OK)
		e = command_addr_or_off(o, "health", &s->health, why);
	if (e == OK)
		e = command_addr_or_off(o, "admin", &s->admin, why);
	if (e == OK)
		*out_count = cli_agent_ports(s, out);
	return e;
}

static size_t
usual_server_ports(struct doctor_port out[CLI_PORTS_MAX])
{
	const struct addr none = {0};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(server_ports); i++)
		count += put_port(
		    &server_ports[i], &none, /* is_off */ false, out + count);
	return count;
}

/* --- whose folder --------------------------------------------------------- */

static bool
is_a_servers(const char *dir)
{
	char path[PATH_BYTES];

	return snprintf(path, sizeof(path), "%s/mesh.db", dir) <
		   (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

/* An agent's, unless this machine has a server alone. */
static const char *
choose_state(const struct options *o)
{
	const char *given = options_text(o, "state");

	if (given != NULL)
		return given;
	return access(AGENT_STATE, F_OK) != 0 && is_a_servers(SERVER_STATE)
		   ? SERVER_STATE
		   : AGENT_STATE;
}

/* --- the command ---------------------------------------------------------- */

static void
on_done(void *arg)
{
	struct visit *v = arg;

	loop_stop(v->loop);
}

static void
examine(struct visit *v, const struct doctor_spec *spec)
{
	v->loop = loop_new(NULL);
	v->factory = net_factory_new();
	v->doctor = doctor_open(spec, v->loop, v->factory, on_done);
	loop_run(v->loop);
	doctor_close(&v->doctor);
	loop_settle(v->loop);
	net_factory_free(&v->factory);
	loop_free(&v->loop);
}

static int
tell_all(struct visit *v)
{
	size_t problems = v->counts[DOCTOR_PROBLEM];
	size_t warnings = v->counts[DOCTOR_WARNING];
	struct value *all = value_new(&v->arena, VALUE_MAP);
	struct fault why = {0};

	if (v->how == OUTPUT_TABLE) {
		(void)printf("\n%zu problem%s, %zu warning%s\n", problems,
		    command_plural(problems), warnings,
		    command_plural(warnings));
		return problems > 0 ? CLI_EXIT_FAILED : CLI_EXIT_OK;
	}
	value_put(&all, S("items"), v->items);
	value_put_int(&v->arena, &all, S("problems"), (int64_t)problems);
	value_put_int(&v->arena, &all, S("warnings"), (int64_t)warnings);
	if (output_value(v->how, all, &why) != OK)
		return cli_fault(&why);
	return problems > 0 ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}

static int
visit(struct visit *v, const struct options *o, struct slice token)
{
	struct doctor_port ports[CLI_PORTS_MAX];
	struct fault why = {0};
	struct doctor_spec spec = {.root = "",
	    .state_dir = choose_state(o),
	    .ports = ports,
	    .token = token,
	    .clock = &clock_system,
	    .each = on_finding,
	    .arg = v};

	spec.is_server = is_a_servers(spec.state_dir);
	if (spec.is_server)
		spec.port_count = usual_server_ports(ports);
	else if (read_agent_ports(o, ports, &spec.port_count, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "doctor: %s", why.text);
	spec.is_running = ask_role(v, o, spec.is_server);
	if (spec.is_server && spec.is_running)
		ask_about_token(v, o, token);
	examine(v, &spec);
	return tell_all(v);
}

static int
doctor(struct options *o)
{
	AUTO(secret_fini) struct secret token = {0};
	struct visit v = {.how = OUTPUT_TABLE};
	struct fault why = {0};
	int code;

	if (output_parse(options_text(o, "output"), &v.how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "doctor: %s", why.text);
	if (command_token(options_text(o, "join"), &token, &why) != OK)
		return cli_fault(&why);
	arena_init(&v.arena, ARENA_MAX);
	v.items = value_new(&v.arena, VALUE_LIST);
	code = visit(&v, o, slice_str((const char *)token.bytes));
	arena_fini(&v.arena);
	return code;
}

static const struct option_row rows[] = {
    {"state", 0, OPTION_TEXT, "DIR", NULL, true,
	"of the agent or server; else the one in /var/lib/meshd"},
    {"join", 0, OPTION_TEXT, "TOKEN|@FILE|-", NULL, true,
	"also look at this token, and at its servers"},
    {"hbone", 0, OPTION_TEXT, "[ADDR:]PORT", NULL, true,
	"where the agent's tunnels come in, else [::]:15008"},
    {"gossip", 0, OPTION_TEXT, "[ADDR:]PORT", NULL, true,
	"UDP and TCP, else [::]:15946"},
    {"metrics", 0, OPTION_TEXT, "[ADDR:]PORT|off", "15020", true,
	"as the agent has it"},
    {"health", 0, OPTION_TEXT, "[ADDR:]PORT|off", "15021", true,
	"as the agent has it"},
    {"admin", 0, OPTION_TEXT, "[ADDR:]PORT|off", "127.0.0.1:15000", true,
	"as the agent has it"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_doctor = {
    .name = "doctor",
    .args = "",
    .summary = "look for what is wrong with this machine, and how to mend it",
    .section = "agent",
    .rows = rows,
    .row_count = ARRAY_LEN(rows),
    .run = doctor,
};
