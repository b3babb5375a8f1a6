/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hbone — two proxies and the tunnel between them, in one process.
 */
#include "mesh.h"
#include "scene.h"
#include "tunnel/tunnels.h"
#include "unit.h"
#include "worker.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>

#define CLIENT "spiffe://mesh.internal/ns/default/sa/client"

static struct wire
dial(struct mesh *m, const char *listener)
{
	struct addr at = rig_addr(m->near, listener);

	return wire_dial(&at);
}

/* One GET over a connection of its own. */
static int
status_of(struct mesh *m, const char *listener)
{
	AUTO(mem_free) struct reply *reply = mem_new(sizeof(*reply));
	int status;

	rig_get(m->near, listener, "/", reply);
	status = reply->status;
	reply_fini(reply);
	return status;
}

static void
requests_through(enum addr_family family)
{
	struct mesh *m = mesh_new(family, "http", serve_ok);
	struct rig_record near, far;

	mesh_publish(m);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(status_of(m, "web"), 200);
	near = rig_record(m->near, 0);
	EXPECT_EQ(near.flag, FLOW_OK);
	EXPECT_EQ(near.reporter, FLOW_SOURCE);
	far = rig_record(m->far, 0);
	EXPECT_EQ(far.kind, FLOW_TCP_OPENED);
	EXPECT_EQ(far.reporter, FLOW_DESTINATION);
	EXPECT_STR(far.source, CLIENT);
	EXPECT_EQ(atomic_load(&m->relay.connections), 1);
	EXPECT_EQ(atomic_load(&m->service.connections), 1);
	mesh_free(&m);
}

TEST(requests_go_through_one_tunnel_and_one_connection)
{
	requests_through(ADDR_V4);
}

TEST(requests_go_through_a_tunnel_over_ipv6)
{
	requests_through(ADDR_V6);
}

/* Reads to the end, then answers with what it read. */
static void
serve_back(struct server *s, struct wire *w, unsigned n)
{
	struct slice one;

	(void)n;
	wire_say(w, "hello\n");
	while (wire_take(w, 1, &one)) {
		atomic_fetch_add(&s->requests, 1); /* bytes */
		wire_send(w, one);
	}
	wire_say(w, "bye\n");
}

static void
bytes_through(enum addr_family family)
{
	struct mesh *m = mesh_new(family, "tcp", serve_back);
	struct rig_record end;
	struct slice s;
	struct wire w;

	mesh_publish(m);
	w = dial(m, "web");
	EXPECT_TRUE(wire_until(&w, "\n", &s));
	EXPECT_SLICE(s, S("hello\n"));
	EXPECT_TRUE(wire_say(&w, "abc"));
	wire_shut(&w);
	EXPECT_TRUE(wire_until(&w, "\n", &s));
	EXPECT_SLICE(s, S("abcbye\n"));
	EXPECT_TRUE(wire_is_over(&w));
	wire_close(&w);
	end = rig_record(m->far, 1);
	EXPECT_EQ(end.kind, FLOW_TCP_CLOSED);
	EXPECT_EQ(end.flag, FLOW_OK);
	EXPECT_EQ(end.received, 3);
	EXPECT_EQ(end.sent, strlen("hello\nabcbye\n"));
	EXPECT_STR(end.caller, "client");
	EXPECT_TRUE(strstr(end.forwarded_for, "127.0.0.1:") != NULL ||
		    strstr(end.forwarded_for, "[::1]:") != NULL);
	mesh_free(&m);
}

TEST(bytes_go_both_ways_and_each_way_ends_by_itself)
{
	bytes_through(ADDR_V4);
}

TEST(bytes_go_both_ways_over_ipv6)
{
	bytes_through(ADDR_V6);
}

static void
serve_reset(struct server *s, struct wire *w, unsigned n)
{
	struct linger hard = {.l_onoff = 1};
	struct slice line;

	(void)s;
	(void)n;
	CHECK(wire_until(w, "\n", &line));
	CHECK(
	    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0);
}

TEST(a_reset_behind_a_tunnel_is_a_reset_before_it)
{
	struct mesh *m = mesh_new(ADDR_V4, "tcp", serve_reset);
	struct wire w;
	char byte;

	mesh_publish(m);
	w = dial(m, "web");
	EXPECT_TRUE(wire_say(&w, "x\n"));
	EXPECT_EQ(recv(w.fd, &byte, 1, 0), -1);
	EXPECT_EQ(errno, ECONNRESET);
	wire_close(&w);
	EXPECT_EQ(rig_record(m->near, 1).flag, FLOW_UPSTREAM_RESET);
	EXPECT_EQ(rig_record(m->far, 1).flag, FLOW_UPSTREAM_RESET);
	mesh_free(&m);
}

/* --- who is there --- */

TEST(a_node_that_shows_another_identity_gets_no_request)
{
	static const char *const other[] = {"other"};
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);
	struct rig_record r;

	mesh_credentials(m, m->far, other, ARRAY_LEN(other));
	mesh_publish(m);
	EXPECT_EQ(status_of(m, "web"), 503);
	r = rig_record(m->near, 0);
	EXPECT_EQ(r.flag, FLOW_CONNECT_FAILED);
	EXPECT_TRUE(strstr(r.detail, "sa/other") != NULL);
	EXPECT_EQ(atomic_load(&m->service.connections), 0);
	mesh_free(&m);
}

TEST(who_has_no_certificate_for_its_account_is_told_so)
{
	static const char *const other[] = {"other"};
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);
	struct rig_record r;

	mesh_credentials(m, m->near, other, ARRAY_LEN(other));
	mesh_publish(m);
	EXPECT_EQ(status_of(m, "web"), 503);
	r = rig_record(m->near, 0);
	EXPECT_EQ(r.flag, FLOW_CONNECT_FAILED);
	EXPECT_STR(r.detail, "this machine has no certificate for " CLIENT);
	EXPECT_EQ(atomic_load(&m->relay.connections), 0);
	mesh_free(&m);
}

/* A client of TLS with no certificate, or with none of this mesh. */
struct stranger {
	bool closed;
	enum err why;
	char met[RIG_TEXT]; /* who opened */
};

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct stranger *st = arg;

	(void)s; /* gone with this call */
	st->closed = true;
	st->why = why;
}

static const struct stream_events stranger_events = {
    .on_data = on_data, .on_close = on_close};

static void
on_open(struct stream *s, void *arg)
{
	struct stranger *st = arg;

	(void)snprintf(st->met, sizeof(st->met), "%s", tls_stream_peer(s)->uri);
	stream_close(s, OK);
}

static const struct stream_events visitor_events = {
    .on_open = on_open, .on_data = on_data, .on_close = on_close};

/* Until the connection is over. */
static void
call_far(struct mesh *m, const struct tls_client_spec *who,
    const struct stream_events *events, struct stranger *st)
{
	struct net_connect_spec connect = NET_CONNECT_SPEC;
	struct tls_config_spec tls = {.role = TLS_CLIENT, .alpn = {"h2"}};
	struct tls_client_spec spec = *who;
	struct stream *s;

	spec.trust = m->trust;
	spec.trust_domain = S("mesh.internal");
	EXPECT_OK(tls_config_new(&tls, &spec.config));
	connect.addr = m->hbone;
	s = net_connect(m->near->control, &connect, events, st);
	EXPECT_OK(tls_stream_client(s, &spec, events, st, &s, NULL));
	RIG_UNTIL(m->near, st->closed);
	tls_config_unref(&spec.config);
}

/* Who answers a client of this mesh that asks for that name, or nobody. */
static void
expect_answer(struct mesh *m, struct slice sni, const char *uri)
{
	AUTO(tls_identity_unref)
	struct tls_identity *identity = mesh_identity(m, "visitor");
	struct tls_client_spec spec = {.identity = identity, .sni = sni};
	struct stranger st = {0};

	call_far(m, &spec, &visitor_events, &st);
	EXPECT_STR(st.met, uri);
}

TEST(who_asks_for_nobody_is_answered_by_who_is_at_the_address)
{
	static const char *const far[] = {"other", "web"};
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);

	mesh_credentials(m, m->far, far, ARRAY_LEN(far));
	mesh_publish(m);
	expect_answer(
	    m, SLICE_NONE, "spiffe://mesh.internal/ns/default/sa/web");
	expect_answer(m, S("other.default.sa.mesh.internal"),
	    "spiffe://mesh.internal/ns/default/sa/other");
	mesh_free(&m);
}

TEST(who_asks_for_nobody_of_several_is_answered_by_the_machine)
{
	static const char *const far[] = {"other", "web", "data"};
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);

	rig_service(m->near, "data", "http");
	(void)mesh_service(m, "data", "data");
	mesh_credentials(m, m->far, far, ARRAY_LEN(far));
	mesh_publish(m);
	expect_answer(
	    m, SLICE_NONE, "spiffe://mesh.internal/ns/default/sa/other");
	mesh_free(&m);
}

TEST(a_client_without_a_certificate_is_refused)
{
	const struct tls_client_spec nobody = {.identity = NULL};
	struct stranger st = {0};
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);

	mesh_publish(m);
	call_far(m, &nobody, &stranger_events, &st);
	EXPECT_NE(st.why, OK);
	EXPECT_EQ(rig_records(m->far), 0);
	mesh_free(&m);
}

TEST(a_client_of_another_root_is_refused)
{
	static const char *const own[] = {"client"};
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);
	struct mesh *other = mesh_new(ADDR_V4, "http", serve_ok);
	struct rig_record r;

	mesh_credentials(other, m->near, own, ARRAY_LEN(own));
	mesh_publish(m);
	EXPECT_EQ(status_of(m, "web"), 503);
	r = rig_record(m->near, 0);
	EXPECT_EQ(r.flag, FLOW_CONNECT_FAILED);
	EXPECT_EQ(rig_records(m->far), 0);
	EXPECT_EQ(atomic_load(&m->service.connections), 0);
	mesh_free(&other);
	mesh_free(&m);
}

/* --- what is reached --- */

TEST(a_port_that_is_not_exposed_is_refused_in_words)
{
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);
	struct rig_record near, far;

	m->far->exposed[0].addr.port = 9;
	mesh_publish(m);
	EXPECT_EQ(status_of(m, "web"), 503);
	far = rig_record(m->far, 0);
	EXPECT_EQ(far.flag, FLOW_NOT_EXPOSED);
	EXPECT_EQ(far.status, 503);
	EXPECT_STR(far.detail, "127.0.0.1:8080 is not exposed here");
	EXPECT_STR(far.source, CLIENT);
	near = rig_record(m->near, 0);
	EXPECT_EQ(near.flag, FLOW_CONNECT_FAILED);
	EXPECT_TRUE(strstr(near.detail, far.detail) != NULL);
	mesh_free(&m);
}

TEST(a_service_that_is_down_behind_its_node_is_said_in_words)
{
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);
	struct rig_record near, far;

	m->far->exposed[0].target = closed_port(ADDR_V4);
	mesh_publish(m);
	EXPECT_EQ(status_of(m, "web"), 503);
	far = rig_record(m->far, 0);
	EXPECT_EQ(far.flag, FLOW_CONNECT_FAILED);
	near = rig_record(m->near, 0);
	EXPECT_EQ(near.flag, FLOW_CONNECT_FAILED);
	EXPECT_TRUE(strstr(near.detail, "web.default") != NULL);
	mesh_free(&m);
}

/* --- how many tunnels --- */

TEST(tunnels_are_shared_by_source_destination_and_node)
{
	static const char *const near[] = {"client", "batch"};
	static const char *const far[] = {"web", "data"};
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);

	rig_service(m->near, "shop", "http");
	rig_service(m->near, "data", "http");
	rig_service(m->near, "late", "http");
	(void)mesh_service(m, "shop", "web"); /* as "client" */
	(void)mesh_service(m, "data", "data");
	mesh_service(m, "late", "web")->account = S("batch");
	mesh_credentials(m, m->near, near, ARRAY_LEN(near));
	mesh_credentials(m, m->far, far, ARRAY_LEN(far));
	mesh_publish(m);
	EXPECT_EQ(status_of(m, "web"), 200);
	EXPECT_EQ(status_of(m, "shop"), 200);
	EXPECT_EQ(atomic_load(&m->relay.connections), 1);
	EXPECT_EQ(status_of(m, "data"), 200); /* another destination */
	EXPECT_EQ(atomic_load(&m->relay.connections), 2);
	EXPECT_EQ(status_of(m, "late"), 200); /* another source */
	EXPECT_EQ(atomic_load(&m->relay.connections), 3);
	EXPECT_STR(rig_record(m->far, 3).source,
	    "spiffe://mesh.internal/ns/default/sa/batch");
	EXPECT_EQ(status_of(m, "web"), 200);
	EXPECT_EQ(status_of(m, "data"), 200);
	EXPECT_EQ(atomic_load(&m->relay.connections), 3);
	mesh_free(&m);
}

enum { WORKERS = 4, CALLERS = 12 };

/* Connections that each worker of the rig has, as the others see it. */
static unsigned
load_of(const struct rig *r, unsigned *out_least, unsigned *out_most)
{
	unsigned sum = 0;

	*out_least = UINT_MAX;
	*out_most = 0;
	for (unsigned i = 0; i < WORKERS; i++) {
		unsigned n = atomic_load(&r->proxy->worker[i].load);

		sum += n;
		*out_least = MIN(*out_least, n);
		*out_most = MAX(*out_most, n);
	}
	return sum;
}

/* The kernel gives them out by a hash of ports: alone it would not do. */
TEST(a_tunnel_goes_to_the_worker_that_has_the_fewest)
{
	static const char *const accounts[] = {"web"};
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);
	struct rig *wide = rig_new(WORKERS, ADDR_V4);
	struct addr at = rig_addr(wide, "hbone");
	struct wire callers[CALLERS];
	unsigned least, most;

	mesh_credentials(m, wide, accounts, ARRAY_LEN(accounts));
	rig_publish(wide, NULL);
	for (unsigned i = 0; i < CALLERS; i++) {
		callers[i] = wire_dial(&at);
		RIG_UNTIL(wide, load_of(wide, &least, &most) == i + 1);
		EXPECT_TRUE(most - least <= 1);
	}
	for (unsigned i = 0; i < CALLERS; i++)
		wire_close(&callers[i]);
	RIG_UNTIL(wide, load_of(wide, &least, &most) == 0);
	rig_free(&wide);
	mesh_free(&m);
}

TEST(new_certificates_leave_living_tunnels_alone)
{
	static const char *const near[] = {"client"};
	static const char *const far[] = {"web"};
	struct mesh *m = mesh_new(ADDR_V4, "tcp", serve_back);
	struct slice s;
	struct wire w;

	mesh_publish(m);
	w = dial(m, "web");
	EXPECT_TRUE(wire_until(&w, "\n", &s));
	mesh_credentials(m, m->near, near, ARRAY_LEN(near));
	mesh_credentials(m, m->far, far, ARRAY_LEN(far));
	mesh_publish(m); /* behind the credentials, so these are in force */
	EXPECT_TRUE(wire_say(&w, "x\n"));
	EXPECT_TRUE(wire_until(&w, "\n", &s));
	EXPECT_SLICE(s, S("x\n"));
	wire_close(&w);
	EXPECT_EQ(atomic_load(&m->relay.connections), 1);
	mesh_free(&m);
}

/* --- revocation --- */

TEST(a_revoked_client_is_cut_and_not_let_in_again)
{
	static const char *const far[] = {"web"};
	struct mesh *m = mesh_new(ADDR_V4, "tcp", serve_back);
	struct slice s;
	struct wire w;

	mesh_publish(m);
	w = dial(m, "web");
	EXPECT_TRUE(wire_until(&w, "\n", &s));
	mesh_revoke(m, m->far, far, ARRAY_LEN(far));
	EXPECT_TRUE(wire_is_over(&w));
	wire_close(&w);
	w = dial(m, "web");
	EXPECT_TRUE(wire_is_over(&w));
	wire_close(&w);
	EXPECT_EQ(atomic_load(&m->service.connections), 1);
	mesh_free(&m);
}

TEST(a_revoked_destination_is_cut_and_not_called_again)
{
	static const char *const near[] = {"client"};
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);
	struct rig_record r;

	mesh_publish(m);
	EXPECT_EQ(status_of(m, "web"), 200);
	mesh_revoke(m, m->near, near, ARRAY_LEN(near));
	RIG_UNTIL(m->near, rig_records(m->far) == 2); /* it saw the end */
	EXPECT_EQ(status_of(m, "web"), 503);
	r = rig_record(m->near, 1);
	EXPECT_EQ(r.flag, FLOW_CONNECT_FAILED);
	EXPECT_TRUE(strstr(r.detail, "was revoked") != NULL);
	mesh_free(&m);
}

/* --- a node dies --- */

static void
serve_half(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	if (!server_head(s, w, &head))
		return;
	wire_say(w, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal");
	(void)server_head(s, w, &head); /* until the end */
}

TEST(a_node_that_dies_inside_an_answer_cuts_it_off)
{
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_half);
	struct rig_record r;
	struct slice s;
	struct wire w;

	mesh_publish(m);
	w = dial(m, "web");
	EXPECT_TRUE(wire_say(&w, GET_WEB));
	EXPECT_TRUE(wire_until(&w, "hal", &s));
	atomic_store(&m->cut, true);
	EXPECT_TRUE(wire_is_over(&w));
	wire_close(&w);
	r = rig_record(m->near, 0);
	EXPECT_TRUE(
	    r.flag == FLOW_UPSTREAM_RESET || r.flag == FLOW_UPSTREAM_CLOSED);
	EXPECT_EQ(r.status, 200);
	mesh_free(&m);
}

TEST(a_node_that_came_back_gets_a_new_tunnel)
{
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);

	mesh_publish(m);
	EXPECT_EQ(status_of(m, "web"), 200);
	atomic_store(&m->cut, true);
	RIG_UNTIL(m->near, rig_records(m->far) == 2); /* it saw the end */
	atomic_store(&m->cut, false);
	EXPECT_EQ(status_of(m, "web"), 200);
	EXPECT_EQ(atomic_load(&m->relay.connections), 2);
	mesh_free(&m);
}

/* --- a node that is known --- */

/* How many tunnels that rig has opened so far, in that way. */
static int64_t
opened(const struct rig *r, int way, int kind)
{
	return metric_value(r->proxy->tunnels[way][kind]);
}

/* Tunnels break; the next request makes a new one. */
static void
break_tunnels(struct mesh *m)
{
	size_t told = rig_records(m->far);

	atomic_store(&m->cut, true);
	RIG_UNTIL(m->near, rig_records(m->far) > told); /* it saw the end */
	atomic_store(&m->cut, false);
}

TEST(a_node_that_is_known_is_called_by_ticket_and_is_told_the_same)
{
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);
	int64_t full = opened(m->near, TUNNEL_OUT, TUNNEL_FULL);
	int64_t out = opened(m->near, TUNNEL_OUT, TUNNEL_RESUMED);
	int64_t in = opened(m->far, TUNNEL_IN, TUNNEL_RESUMED);

	mesh_publish(m);
	EXPECT_EQ(status_of(m, "web"), 200);
	EXPECT_EQ(opened(m->near, TUNNEL_OUT, TUNNEL_FULL), full + 1);
	for (size_t i = 1; i < 4; i++) {
		break_tunnels(m);
		EXPECT_EQ(status_of(m, "web"), 200);
		EXPECT_STR(rig_record(m->far, 2 * i).source, CLIENT);
		EXPECT_EQ(rig_record(m->near, i).flag, FLOW_OK);
	}
	EXPECT_EQ(opened(m->near, TUNNEL_OUT, TUNNEL_FULL), full + 1);
	EXPECT_EQ(opened(m->near, TUNNEL_OUT, TUNNEL_RESUMED), out + 3);
	EXPECT_EQ(opened(m->far, TUNNEL_IN, TUNNEL_RESUMED), in + 3);
	mesh_free(&m);
}

TEST(new_certificates_are_shown_once_and_then_known)
{
	static const char *const near[] = {"client"};
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);
	int64_t full = opened(m->near, TUNNEL_OUT, TUNNEL_FULL);
	int64_t resumed = opened(m->near, TUNNEL_OUT, TUNNEL_RESUMED);

	mesh_publish(m);
	EXPECT_EQ(status_of(m, "web"), 200);
	mesh_credentials(m, m->near, near, ARRAY_LEN(near));
	mesh_publish(m); /* behind the credentials, so these are in force */
	for (int i = 0; i < 2; i++) {
		break_tunnels(m);
		EXPECT_EQ(status_of(m, "web"), 200);
	}
	EXPECT_EQ(opened(m->near, TUNNEL_OUT, TUNNEL_FULL), full + 2);
	EXPECT_EQ(opened(m->near, TUNNEL_OUT, TUNNEL_RESUMED), resumed + 1);
	mesh_free(&m);
}

/* --- a tunnel that carried enough --- */

enum { ENOUGH = 40, ROUNDS = 300, CLIENTS = 4 };

static void
wear_soon(void *arg)
{
	struct rig *r = arg;

	tunnels_set_records_max(r->proxy->worker[0].tunnels, ENOUGH);
}

static void
roll_over(void *arg)
{
	struct rig *r = arg;

	tunnels_roll_over(r->proxy->worker[0].tunnels);
}

/* All keep their connections, and so do the streams behind them. */
static void
ask_around(struct mesh *m, struct wire clients[CLIENTS], int rounds)
{
	AUTO(mem_free) struct reply *reply = mem_new(sizeof(*reply));

	for (int i = 0; i < rounds; i++) {
		ask(&clients[i % CLIENTS], GET_WEB, reply);
		EXPECT_EQ(reply->status, 200);
		reply_fini(reply);
		if (i % 7 == 0) /* the clock comes by */
			rig_on_worker(m->near, 0, roll_over, m->near);
	}
}

TEST(tunnels_roll_over_and_no_request_fails)
{
	struct mesh *m = mesh_new(ADDR_V4, "http", serve_ok);
	struct wire clients[CLIENTS];

	mesh_publish(m);
	rig_on_worker(m->near, 0, wear_soon, m->near);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = dial(m, "web");
	ask_around(m, clients, ROUNDS);
	EXPECT_TRUE(atomic_load(&m->relay.connections) >= ROUNDS / ENOUGH);
	RIG_UNTIL(m->near, rig_records(m->near) == ROUNDS);
	for (size_t i = 0; i < ROUNDS; i++) {
		EXPECT_EQ(rig_record(m->near, i).flag, FLOW_OK);
		EXPECT_EQ(rig_record(m->near, i).attempts, 1);
	}
	for (int i = 0; i < CLIENTS; i++)
		wire_close(&clients[i]);
	mesh_free(&m);
}

TEST(what_flows_in_a_tunnel_that_rolls_over_flows_on)
{
	struct mesh *m = mesh_new(ADDR_V4, "tcp", serve_back);
	struct wire first, later[CLIENTS];
	struct slice s;

	mesh_publish(m);
	rig_on_worker(m->near, 0, wear_soon, m->near);
	first = dial(m, "web");
	EXPECT_TRUE(wire_until(&first, "\n", &s));
	for (int i = 0; i < ROUNDS; i++) {
		EXPECT_TRUE(wire_say(&first, "x\n"));
		EXPECT_TRUE(wire_until(&first, "\n", &s));
		rig_on_worker(m->near, 0, roll_over, m->near);
	}
	EXPECT_EQ(atomic_load(&m->relay.connections), 1); /* nobody came */
	for (int i = 0; i < CLIENTS; i++) {
		later[i] = dial(m, "web");
		EXPECT_TRUE(wire_until(&later[i], "\n", &s));
	}
	EXPECT_EQ(atomic_load(&m->relay.connections), 2);
	EXPECT_TRUE(wire_say(&first, "still here\n"));
	EXPECT_TRUE(wire_until(&first, "\n", &s));
	EXPECT_SLICE(s, S("still here\n"));
	wire_shut(&first);
	EXPECT_TRUE(wire_until(&first, "bye\n", &s));
	wire_close(&first);
	for (int i = 0; i < CLIENTS; i++)
		wire_close(&later[i]);
	mesh_free(&m);
}
