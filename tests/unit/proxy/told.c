/* SPDX-License-Identifier: Apache-2.0 */
/*
 * told — services that are told by a PROXY header whose connection it is.
 */
#include "support/peer.h"
#include "support/scene.h"

#include "snapshot.h"
#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>

enum { LINES_MAX = 8, LINE_MAX_LEN = 108 };

#define TELLS(version)                                                         \
	"apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"          \
	"metadata: {name: web, namespace: default}\n"                          \
	"spec: {host: web, trafficPolicy: {proxyProtocol: {version: " version  \
	"}}}\n"

/* What the first connections began with, in the order in which they came. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[LINES_MAX][LINE_MAX_LEN];

static void
keep_line(unsigned n, struct slice line)
{
	if (n >= LINES_MAX)
		return;
	pthread_mutex_lock(&lock);
	(void)snprintf(lines[n], LINE_MAX_LEN, "%.*s", SLICE_ARG(line));
	pthread_mutex_unlock(&lock);
}

/* Of a client's socket. */
static struct addr
name_of(const struct wire *w, int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;

	CHECK(get(w->fd, (struct sockaddr *)&ss, &len) == 0);
	EXPECT_OK(addr_from_sockaddr((struct sockaddr *)&ss, len, &a));
	return a;
}

static int
get_name(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getsockname(fd, sa, len);
}

static int
get_peer(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getpeername(fd, sa, len);
}

/* Did the n-th connection begin with this client's ends? */
static void
expect_line(unsigned n, const struct wire *client)
{
	const struct addr from = name_of(client, get_name);
	const struct addr to = name_of(client, get_peer);
	char mem[ADDR_TEXT_MAX], more[ADDR_TEXT_MAX], wanted[LINE_MAX_LEN];

	(void)snprintf(wanted, sizeof(wanted), "PROXY TCP4 %s %s %u %u\r\n",
	    addr_format_ip(&from, mem), addr_format_ip(&to, more), from.port,
	    to.port);
	pthread_mutex_lock(&lock);
	EXPECT_STR(lines[n], wanted);
	pthread_mutex_unlock(&lock);
}

/* No byte more than the header: what follows is for who looks at the socket. */
static void
serve_told(struct server *s, struct wire *w, unsigned n)
{
	char line[LINE_MAX_LEN] = "";
	size_t len = 0;

	while (len + 1 < sizeof(line) && strchr(line, '\n') == NULL)
		if (recv(w->fd, &line[len++], 1, 0) != 1)
			return;
	keep_line(n, slice_str(line));
	serve_mirror(s, w, n);
}

#define GET_ANY "GET / HTTP/1.1\r\nHost: web\r\n\r\n"

/* --- requests ------------------------------------------------------------- */

TEST_WAYS(a_connection_is_one_clients_and_says_whose)
{
	struct duo *d = duo_new(way, serve_told, NULL, TELLS("V1"));
	struct addr at = rig_addr(d->rig, "web");
	struct wire wire = wire_dial(&at);
	struct peer other;
	struct reply reply;

	peer_client(&other, &wire, way.down2);
	for (int i = 0; i < 2; i++) { /* the second takes the same */
		duo_ask(d, GET_ANY);
		EXPECT_EQ(d->reply.status, 200);
		peer_head(&other, GET_ANY, /* end */ true);
		peer_reply(&other, &reply);
		EXPECT_EQ(reply.status, 200);
		reply_fini(&reply);
	}
	EXPECT_EQ(atomic_load(&d->server->connections), 2);
	expect_line(0, &d->wire);
	expect_line(1, &wire);
	peer_fini(&other);
	wire_close(&wire);
	duo_free(&d);
}

TEST(nobody_is_told_who_did_not_ask)
{
	struct duo *d = duo_new((struct way){0}, serve_mirror, NULL, NULL);
	struct addr at = rig_addr(d->rig, "web");
	struct wire wire;
	struct reply reply;

	duo_ask(d, GET_ANY);
	EXPECT_EQ(d->reply.status, 200);
	wire = wire_dial(&at);
	ask(&wire, GET_ANY, &reply);
	EXPECT_EQ(reply.status, 200);
	reply_fini(&reply);
	EXPECT_EQ(atomic_load(&d->server->connections), 1); /* both */
	wire_close(&wire);
	duo_free(&d);
}

TEST(connections_that_were_made_before_are_not_taken_for_told_ones)
{
	struct duo *d = duo_new((struct way){0}, serve_mirror, NULL, NULL);

	duo_ask(d, GET_ANY);
	EXPECT_EQ(d->reply.status, 200);
	rig_publish(d->rig, TELLS("V1"));
	duo_ask(d, GET_ANY);
	EXPECT_TRUE(body_has(&d->reply, "PROXY TCP4 127.0.0.1 "));
	EXPECT_EQ(atomic_load(&d->server->connections), 2);
	duo_free(&d);
}

TEST(clients_that_are_gone_do_not_keep_others_from_resting)
{
	struct duo *d = duo_new((struct way){0}, serve_told, NULL, TELLS("V1"));
	struct addr at = rig_addr(d->rig, "web");
	unsigned gone;

	for (unsigned i = 0; i < HOST_IDLE_CONNS_MAX + 8; i++) {
		struct wire w = wire_dial(&at);
		struct reply reply;

		ask(&w, GET_ANY, &reply);
		EXPECT_EQ(reply.status, 200);
		reply_fini(&reply);
		wire_close(&w);
	}
	/* Fewer than clients: the kernel gives a port again after a second. */
	gone = atomic_load(&d->server->connections);
	for (int i = 0; i < 3; i++)
		duo_ask(d, GET_ANY);
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_EQ(atomic_load(&d->server->connections), gone + 1);
	duo_free(&d);
}

/* --- bytes ---------------------------------------------------------------- */

enum { V2_BYTES = 28 };

/* Sends back all that comes, the header too. */
static void
serve_back(struct server *s, struct wire *w, unsigned n)
{
	struct slice some;

	(void)s;
	(void)n;
	while (wire_some(w, &some) && wire_send(w, some)) {
	}
}

TEST(bytes_come_behind_a_header_of_either_version)
{
	static const char *const rules[] = {TELLS("V1"), TELLS("V2")};
	struct slice got;
	struct server server;
	struct rig *rig = rig_web(serve_back, NULL, "tcp", &server);

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct rig_record told;
		struct addr at;
		struct wire w;

		rig_publish(rig, rules[i]);
		at = rig_addr(rig, "web");
		w = wire_dial(&at);
		EXPECT_TRUE(wire_say(&w, "ping"));
		if (i == 0) {
			EXPECT_TRUE(wire_until(&w, "\r\n", &got));
			keep_line(0, got);
			expect_line(0, &w);
		} else {
			EXPECT_TRUE(wire_take(&w, V2_BYTES, &got));
			EXPECT_SLICE(slice_sub(got, 0, 16),
			    slice_of("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16));
			EXPECT_EQ(
			    ((uint8_t)got.ptr[24] << 8) + (uint8_t)got.ptr[25],
			    name_of(&w, get_name).port);
			EXPECT_EQ(
			    ((uint8_t)got.ptr[26] << 8) + (uint8_t)got.ptr[27],
			    at.port);
		}
		EXPECT_TRUE(wire_take(&w, 4, &got));
		EXPECT_SLICE(got, S("ping"));
		wire_close(&w);
		told = rig_record(rig, 2 * i + 1);
		EXPECT_EQ(told.kind, FLOW_TCP_CLOSED);
		EXPECT_EQ(told.received, 4); /* what the client sent */
	}
	rig_free(&rig);
	server_close(&server);
}
