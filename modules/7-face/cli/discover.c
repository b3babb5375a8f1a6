/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discover — what listens on this machine and could be exposed, with the
 * command that does it. Exposes nothing, and connects nowhere unless asked to.
 */
#include "base/base.h"
#include "model/model.h"
#include "node/node.h"

#include "api.h"
#include "command.h"
#include "output.h"
#include "table.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FOUND_MAX = 1024,
	TREE_BYTES = 4 << 20,
	PROBE_MS = 500,
	PROBE_BYTES = 256
};

/* One port of one address, whoever shares it. */
struct found {
	struct doctor_socket socket;
	char name[NAME_LABEL_MAX + 1];
	const char *protocol;
	const char *scope;           /* who reaches it without the mesh */
	const char *state;           /* whether to expose it */
	const struct value *exposed; /* the row of the agent's, or NULL */
	bool suggest;
};

struct finding {
	struct found items[FOUND_MAX];
	size_t count;
	const struct value *exposed; /* the agent's list; NULL: not known */
};

/* --- what it may be ------------------------------------------------------- */

/* Ports that people know; what else listens is called by its program. */
static const struct known {
	uint16_t port;
	const char *name;
	const char *protocol;
} known[] = {
    {80, "web", "http"},
    {1433, "mssql", "tcp"},
    {1883, "mqtt", "tcp"},
    {2379, "etcd", "grpc"},
    {3000, "web", "http"},
    {3306, "mysql", "tcp"},
    {5000, "web", "http"},
    {5432, "postgres", "tcp"},
    {5601, "kibana", "http"},
    {5672, "amqp", "tcp"},
    {6379, "redis", "tcp"},
    {8000, "web", "http"},
    {8080, "web", "http"},
    {8081, "web", "http"},
    {8086, "influxdb", "http"},
    {8888, "web", "http"},
    {9000, "web", "http"},
    {9090, "prometheus", "http"},
    {9092, "kafka", "tcp"},
    {9100, "node-exporter", "http"},
    {9200, "elasticsearch", "http"},
    {11211, "memcached", "tcp"},
    {15672, "rabbitmq", "http"},
    {27017, "mongodb", "tcp"},
    {50051, "grpc", "grpc"},
};

static const struct known *
find_known(uint16_t port)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].port == port)
			return &known[i];
	return NULL;
}

/* As a service may be called; false if nothing is left of it. */
static bool
make_name(struct slice text, char out[NAME_LABEL_MAX + 1])
{
	size_t len = 0;

	for (size_t i = 0; i < text.len && len < NAME_LABEL_MAX; i++) {
		unsigned char c =
		    (unsigned char)tolower((unsigned char)text.ptr[i]);

		if (isalnum(c) && c < 128)
			out[len++] = (char)c;
		else if (len > 0 && out[len - 1] != '-')
			out[len++] = '-';
	}
	while (len > 0 && out[len - 1] == '-')
		len--;
	out[len] = '\0';
	return len > 0 && isalpha((unsigned char)out[0]);
}

/* Their name says nothing of what they run. */
static bool
is_interpreter(const char *program)
{
	static const char *const all[] = {
	    "python", "node", "java", "ruby", "php", "perl"};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (slice_starts(slice_str(program), slice_str(all[i])))
			return true;
	return false;
}

/* "nginx.service", "postgresql@15-main.service" → what stands in front. */
static void
choose_name(struct found *f)
{
	struct slice unit = slice_str(f->socket.unit);
	const struct known *k = find_known(f->socket.addr.port);

	if (slice_ends(unit, S(".service")))
		unit = slice_sub(unit, 0, unit.len - strlen(".service"));
	if (make_name(slice_sub(unit, 0, slice_find(unit, '@')), f->name) ||
	    ((k == NULL || !is_interpreter(f->socket.name)) &&
		make_name(slice_str(f->socket.name), f->name)))
		return;
	if (k != NULL)
		(void)snprintf(f->name, sizeof(f->name), "%s", k->name);
	else
		(void)snprintf(f->name, sizeof(f->name), "port-%u",
		    (unsigned)f->socket.addr.port);
}

/* --- asking it ------------------------------------------------------------ */

/* Where it is reached from this machine. */
static struct addr
reached_at(const struct addr *a)
{
	static const struct addr v4 = {
	    .family = ADDR_V4, .bytes = {127, 0, 0, 1}};
	struct addr out = addr_is_any(a) ? v4 : *a;

	out.port = a->port;
	return out;
}

static bool
wait_for(int fd, short what, int ms)
{
	struct pollfd p = {.fd = fd, .events = what};

	return poll(&p, 1, ms) == 1 && (p.revents & what) != 0;
}

static size_t
read_some(int fd, char *out, size_t max, int ms)
{
	ssize_t n = wait_for(fd, POLLIN, ms) ? recv(fd, out, max, 0) : 0;

	return n > 0 ? (size_t)n : 0;
}

/*
 * Who speaks first is no HTTP; who does not is asked by HTTP, which whoever
 * does not speak it refuses.
 */
static const char *
ask_protocol(int fd)
{
	static const char question[] =
	    "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	char said[PROBE_BYTES];
	size_t len = read_some(fd, said, sizeof(said), PROBE_MS);

	if (len > 0)
		return "tcp";
	if (send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) < 0)
		return NULL;
	len = read_some(fd, said, sizeof(said), PROBE_MS);
	if (len == 0)
		return NULL;
	return slice_starts(slice_of(said, len), S("HTTP/")) ? "http" : "tcp";
}

/* NULL: it does not say. */
static const char *
probe(const struct addr *a)
{
	struct addr at = reached_at(a);
	struct sockaddr_storage s;
	socklen_t len = addr_to_sockaddr(&at, (struct sockaddr *)&s);
	int fd =
	    socket(s.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const char *out = NULL;

	if (fd < 0)
		return NULL;
	if (connect(fd, (struct sockaddr *)&s, len) == 0 ||
	    wait_for(fd, POLLOUT, PROBE_MS))
		out = ask_protocol(fd);
	(void)close(fd);
	return out;
}

/* --- how it stands -------------------------------------------------------- */

static const struct value *
find_exposed(const struct finding *all, const struct addr *a)
{
	struct addr at = reached_at(a), target;

	VALUE_EACH(all->exposed, it)
	{
		if (addr_parse(value_get_string(it, S("target"), SLICE_NONE),
			&target) != OK ||
		    target.port != at.port)
			continue;
		if (addr_is_any(a) || addr_ip_eq(&target, &at))
			return it;
	}
	return NULL;
}

static void
judge(const struct finding *all, struct found *f)
{
	const struct addr *a = &f->socket.addr;

	f->scope = addr_is_any(a)        ? "everywhere"
		   : addr_is_loopback(a) ? "this machine"
					 : "its address";
	f->exposed = find_exposed(all, a);
	if (strcmp(f->socket.name, "meshd") == 0)
		f->state = "meshd's own";
	else if (f->exposed != NULL)
		f->state = "is exposed";
	else if (strcmp(f->socket.name, "sshd") == 0 || a->port == 22)
		f->state = "left alone: people come in by it";
	else
		f->state = all->exposed != NULL ? "could be exposed"
						: "could be exposed, or is";
	f->suggest = slice_starts(slice_str(f->state), S("could"));
}

/* Workers of one program share a port, and the families do. */
static struct found *
find_same(struct finding *all, const struct doctor_socket *s)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct doctor_socket *o = &all->items[i].socket;

		if (o->addr.port == s->addr.port &&
		    strcmp(o->name, s->name) == 0 &&
		    (addr_eq(&o->addr, &s->addr) ||
			(addr_is_any(&o->addr) && addr_is_any(&s->addr)) ||
			(addr_is_loopback(&o->addr) &&
			    addr_is_loopback(&s->addr))))
			return &all->items[i];
	}
	return NULL;
}

static void
on_listener(void *arg, const struct doctor_socket *s)
{
	struct finding *all = arg;
	const struct known *k = find_known(s->addr.port);
	struct found *f;

	if (all->count == FOUND_MAX || find_same(all, s) != NULL)
		return;
	f = &all->items[all->count++];
	f->socket = *s;
	f->protocol = k != NULL ? k->protocol : "tcp";
	choose_name(f);
}

/* --- telling -------------------------------------------------------------- */

/* A port of 127.0.0.1, which also hears what listens everywhere; or where. */
static struct slice
command_of(const struct found *f, struct arena *arena)
{
	struct addr at = reached_at(&f->socket.addr);
	char where[ADDR_TEXT_MAX];
	bool is_usual = at.family == ADDR_V4 && at.bytes[0] == 127 &&
			at.bytes[3] == 1 && at.bytes[1] == 0 &&
			at.bytes[2] == 0;

	if (is_usual)
		(void)snprintf(where, sizeof(where), "%u", (unsigned)at.port);
	else
		(void)addr_format(&at, where);
	return arena_printf(arena, "meshd expose %s %s --protocol %s", f->name,
	    where, f->protocol);
}

static struct value *
found_value(const struct found *f, struct arena *arena)
{
	struct value *m = value_new(arena, VALUE_MAP);
	char text[ADDR_TEXT_MAX];
	struct slice at =
	    arena_printf(arena, "%s", addr_format(&f->socket.addr, text));

	value_put_text(arena, &m, S("name"), slice_str(f->name));
	value_put_text(arena, &m, S("listens"), at);
	value_put_text(arena, &m, S("reachedFrom"), slice_str(f->scope));
	value_put_text(arena, &m, S("protocol"), slice_str(f->protocol));
	value_put_text(arena, &m, S("program"), slice_str(f->socket.name));
	if (f->socket.pid != 0)
		value_put_int(arena, &m, S("pid"), (int64_t)f->socket.pid);
	value_put_text(arena, &m, S("unit"), slice_str(f->socket.unit));
	value_put_text(arena, &m, S("state"), slice_str(f->state));
	if (f->exposed != NULL)
		value_put_text(arena, &m, S("exposedAs"),
		    arena_printf(arena, "%.*s.%.*s:%lld",
			SLICE_ARG(
			    value_get_string(f->exposed, S("name"), S("?"))),
			SLICE_ARG(value_get_string(
			    f->exposed, S("namespace"), S("?"))),
			(long long)value_get_int(f->exposed, S("port"), 0)));
	if (f->suggest)
		value_put_text(arena, &m, S("command"), command_of(f, arena));
	return m;
}

static void
print_table(const struct value *items)
{
	static const char *const head[] = {"NAME", "LISTENS", "REACHED FROM",
	    "PROTOCOL", "PROGRAM", "PID", "UNIT", "STATE", "EXPOSED AS",
	    "COMMAND"};
	static const char *const member[] = {"name", "listens", "reachedFrom",
	    "protocol", "program", "pid", "unit", "state", "exposedAs",
	    "command"};
	AUTO(table_fini) struct table t;

	table_init(&t, head, ARRAY_LEN(head));
	VALUE_EACH(items, it)
	for (size_t i = 0; i < ARRAY_LEN(member); i++)
		table_value(&t, value_get(it, slice_str(member[i])));
	table_sort(&t);
	table_print(&t, stdout);
}

static int
print(const struct finding *all, enum output how)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct value *root, *items;
	struct fault why = {0};

	arena_init(&arena, TREE_BYTES);
	items = value_new(&arena, VALUE_LIST);
	for (size_t i = 0; i < all->count; i++)
		value_push(&items, found_value(&all->items[i], &arena));
	if (items == NULL)
		return command_fail(CLI_EXIT_FAILED, "too much listens here");
	if (how == OUTPUT_TABLE) {
		print_table(items);
		return CLI_EXIT_OK;
	}
	root = value_new(&arena, VALUE_MAP);
	value_put(&root, S("items"), items);
	return root != NULL && output_value(how, root, &why) == OK
		   ? CLI_EXIT_OK
		   : cli_fault(&why);
}

/* --- the command ---------------------------------------------------------- */

static int
discover(struct options *o)
{
	const struct api_question q = {
	    .role = API_AGENT, .method = "GET", .path = "/v1/exposed"};
	AUTO(mem_free) struct finding *all = mem_new(sizeof(*all));
	AUTO(api_answer_fini) struct api_answer answer = {0};
	struct fault why = {0};
	enum output how;

	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "discover: %s", why.text);
	if (api_ask(o, &q, &answer, &why) == OK && answer.status == 200)
		all->exposed = value_get(answer.body, S("items"));
	else
		(void)fprintf(stderr,
		    "meshd: no agent answers here, so what is exposed already "
		    "is not known\n");
	doctor_each_listener("", on_listener, all);
	for (size_t i = 0; i < all->count; i++) {
		struct found *f = &all->items[i];
		const char *told;

		judge(all, f);
		if (!f->suggest || !options_flag(o, "probe"))
			continue;
		told = probe(&f->socket.addr);
		f->protocol = told != NULL ? told : f->protocol;
	}
	if (geteuid() != 0)
		(void)fprintf(stderr,
		    "meshd: of other users' programs only root knows which "
		    "they are\n");
	return print(all, how);
}

static const struct option_row rows[] = {
    {"probe", 0, OPTION_FLAG, NULL, NULL, false,
	"connect to each, to find out whether it speaks HTTP"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_discover = {
    .name = "discover",
    .args = "",
    .summary = "suggest what listens on this machine and could be exposed",
    .section = "cli",
    .rows = rows,
    .row_count = ARRAY_LEN(rows),
    .run = discover,
};
