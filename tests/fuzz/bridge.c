/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bridge — a client, a whole proxy and a service, of either version of HTTP.
 *
 * The first byte says which service is called, and so by which rules; the
 * client speaks HTTP/2 if its bytes begin so. What follows are steps: a byte
 * that says whose and how, two of length, and that many bytes. A step waits
 * until its side has something to read, or a few turns of the proxy's loop
 * brought nothing. WebSockets between the versions are what the kept inputs
 * begin with. Whatever comes: once both have left the proxy holds nothing of
 * them, and serves the next.
 */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	STEPS_MAX = 24,
	TURNS = 8,
	TRY_MS = 5,
	RUNS_A_CHECK = 64,
	DIALS_MAX = 1000,
	DIAL_AGAIN_US = 100000
};
enum side { CLIENT, SERVICE, SIDES };

/* Bits of a step; the rest says nothing. */
enum {
	OF_SERVICE = 1,
	AT_ONCE = 2, /* waits for nothing */
	ENDS = 4,
	RESETS = 8,
	ANEW = 16, /* by the service's next connection, a retry's */
};

/* What says no protocol is told by its first bytes. */
static const struct {
	const char *name;
	const char *protocol;
} services[] = {{"old", "http"}, {"new", "http2"}, {"web", "grpc-web"},
    {"ruled", "http"}, {"copied", "http2"}, {"bytes", "tcp"}, {"any", NULL}};

/* And the port for programs that have an HTTP proxy, where any may be named;
 * "old" is who answers. */
enum { DOORS = ARRAY_LEN(services) + 1 };

static const char rules[] =
    "apiVersion: networking.istio.io/v1\n"
    "kind: VirtualService\n"
    "metadata: {name: ruled, namespace: default}\n"
    "spec:\n"
    "  hosts: [ruled]\n"
    "  http:\n"
    "  - match: [{uri: {prefix: /moved}}]\n"
    "    redirect: {uri: /there}\n"
    "  - match: [{uri: {prefix: /said}}]\n"
    "    directResponse: {status: 200, body: {string: hello}}\n"
    "  - rewrite: {uri: /other, authority: other}\n"
    "    headers: {response: {remove: [x], set: {y: '%%PROTOCOL%%'}}}\n"
    "    corsPolicy: {allowOrigins: [{exact: 'http://a'}], maxAge: 1s}\n"
    "    retries: {attempts: 2, backoff: 1ms,\n"
    "      retryOn: 'connect-failure,refused-stream,reset,5xx'}\n"
    "    timeout: 1s\n"
    "    route: [{destination: {host: ruled}}]\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\n"
    "kind: VirtualService\n"
    "metadata: {name: copied, namespace: default}\n"
    "spec:\n"
    "  hosts: [copied]\n"
    "  http:\n"
    "  - mirrors: [{destination: {host: old}}, {destination: {host: new}}]\n"
    "    fault: {abort: {httpStatus: 503, percentage: {value: 1}}}\n"
    "    route: [{destination: {host: copied}}]\n"
    "---\n"
    "apiVersion: v1\n"
    "kind: Service\n"
    "metadata: {name: any, namespace: default}\n"
    "spec: {ports: [{port: 80, name: x}], selector: {app: any}}\n"
    "---\n"
    "apiVersion: meshd.dev/v1\n"
    "kind: MeshConfig\n"
    "metadata: {name: default}\n"
    "spec:\n"
    "  proxyHttpPort: %u\n"
    "  outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n";

static struct rig *rig;
static int listening[ARRAY_LEN(services)];

struct ends {
	int listener;
	int fd[SIDES]; /* -1: not there, or gone */
};

static int
listen_at(struct addr *out)
{
	struct sockaddr_storage ss;
	struct sockaddr *sa = (struct sockaddr *)&ss;
	socklen_t len;
	int fd = socket(
	    AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, /* tcp */ 0);

	*out = (struct addr){.family = ADDR_V4, .bytes = {127, 0, 0, 1}};
	len = addr_to_sockaddr(out, sa);
	CHECK(bind(fd, sa, len) == 0 && listen(fd, SOMAXCONN) == 0);
	CHECK(getsockname(fd, sa, &len) == 0);
	CHECK(addr_from_sockaddr(sa, len, out) == OK);
	return fd;
}

static void
open_proxy(void)
{
	static const struct label label = {{"app", 3}, {"any", 3}};
	char yaml[sizeof(rules) + 8];
	struct view_endpoint_input *e;

	rig = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		struct addr at;

		listening[i] = listen_at(&at);
		e = rig_endpoint(rig, services[i].name, &at, NULL);
		if (services[i].protocol != NULL)
			rig_service(
			    rig, services[i].name, services[i].protocol);
		else
			e->labels = (struct labels){&label, 1};
		rig_listen(rig, services[i].name, ADDR_V4);
	}
	(void)snprintf(
	    yaml, sizeof(yaml), rules, (unsigned)closed_port(ADDR_V4).port);
	rig_publish(rig, yaml);
	rig_await(rig, "http-proxy");
}

/* So many calls a second use up the ports, which are free again in a minute. */
static int
dial(const struct addr *to)
{
	struct sockaddr_storage ss;
	struct sockaddr *sa = (struct sockaddr *)&ss;
	unsigned len = addr_to_sockaddr(to, sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, /* tcp */ 0);

	for (int tries = 0; connect(fd, sa, len) != 0; tries++) {
		CHECK(errno == EADDRNOTAVAIL && tries < DIALS_MAX);
		(void)usleep(DIAL_AGAIN_US);
	}
	return fd;
}

static void
leave(int *fd)
{
	static const struct linger hard = {.l_onoff = 1, .l_linger = 0};

	if (*fd < 0)
		return;
	(void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(*fd);
	*fd = -1;
}

/* What is said is thrown away. */
static void
hear(int fd)
{
	char bytes[4096];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
}

static void
accept_one(struct ends *e)
{
	if (e->fd[SERVICE] < 0)
		e->fd[SERVICE] = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC);
}

/* Until that side has something to read, or the proxy has come to rest. */
static void
wait_for(struct ends *e, enum side side, int ms)
{
	int fd =
	    side == SERVICE && e->fd[SERVICE] < 0 ? e->listener : e->fd[side];
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (int i = 0; i < TURNS; i++) {
		rig_list(rig); /* the worker answers in a later turn */
		if (poll(&p, 1, i + 1 < TURNS ? 0 : ms) > 0)
			break;
	}
	accept_one(e);
}

static void
take_step(struct ends *e, uint8_t how, struct slice bytes)
{
	enum side side = how & OF_SERVICE ? SERVICE : CLIENT;
	int *fd = &e->fd[side];

	if (how & ANEW)
		leave(&e->fd[SERVICE]);
	if (!(how & AT_ONCE))
		wait_for(e, side, how & ANEW ? TRY_MS : 0);
	if (*fd < 0)
		return;
	hear(*fd);
	(void)send(*fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (how & RESETS)
		leave(fd);
	else if (how & ENDS)
		(void)shutdown(*fd, SHUT_WR);
}

/* Calls that come late, as copies and those that are tried again, are turned
 * away. */
static void
leave_all(struct ends *e)
{
	leave(&e->fd[CLIENT]);
	leave(&e->fd[SERVICE]);
	for (size_t i = 0; i < ARRAY_LEN(listening); i++) {
		struct ends late = {.listener = listening[i], .fd = {-1, -1}};

		do {
			leave(&late.fd[SERVICE]);
			accept_one(&late);
		} while (late.fd[SERVICE] >= 0);
	}
}

/* All that the proxy has left is over. */
static void
settle(struct ends *e)
{
	uint64_t until = clock_mono_us(&clock_system) + 10000000;

	do {
		CHECK(clock_mono_us(&clock_system) < until);
		leave_all(e);
		rig_list(rig);
	} while (rig->conn_count > 0);
}

/* The next connection to the service of HTTP/1.1 whose head begins so; what a
 * copy of before asks is turned away. */
static struct wire
called_for(struct slice start)
{
	struct pollfd p = {.fd = listening[0], .events = POLLIN};
	struct slice head;

	for (;;) {
		struct wire w;

		CHECK(poll(&p, 1, WIRE_WAIT_MS) == 1);
		w = wire_of(accept4(listening[0], NULL, NULL, SOCK_CLOEXEC));
		if (wire_until(&w, "\r\n\r\n", &head) &&
		    slice_starts(head, start))
			return w;
		wire_close(&w);
	}
}

/* A call that nobody disturbs is answered. */
static void
serve_one(void)
{
	struct addr at = rig_addr(rig, services[0].name);
	struct wire client = wire_of(dial(&at));
	struct wire served;
	struct slice head;

	CHECK(wire_say(&client, "GET /served HTTP/1.1\r\nhost: old\r\n\r\n"));
	served = called_for(S("GET /served "));
	CHECK(wire_say(&served, "HTTP/1.1 204 No Content\r\n\r\n"));
	CHECK(wire_until(&client, "\r\n\r\n", &head));
	CHECK(slice_starts(head, S("HTTP/1.1 204")));
	wire_close(&client);
	wire_close(&served);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned runs;
	struct reader r = READER(slice_of((const char *)data, size));
	size_t door = reader_u8(&r) % DOORS;
	bool named = door < ARRAY_LEN(services);
	struct ends e = {.fd = {-1, -1}};
	struct addr at;

	if (rig == NULL)
		open_proxy();
	e.listener = listening[named ? door : 0];
	at = rig_addr(rig, named ? services[door].name : "http-proxy");
	e.fd[CLIENT] = dial(&at);
	for (int i = 0; i < STEPS_MAX && r.rest.len > 0; i++) {
		uint8_t how = reader_u8(&r);
		size_t len = reader_u16(&r);

		take_step(&e, i == 0 ? AT_ONCE : how,
		    reader_bytes(&r, MIN(len, r.rest.len)));
	}
	wait_for(&e, CLIENT, /* ms */ 0);
	settle(&e);
	if (++runs % RUNS_A_CHECK == 1)
		serve_one();
	return 0;
}
