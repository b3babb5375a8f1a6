/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names — calls to endpoints that are written by a name: they wait until it is
 * known where that leads, and go there.
 */
#include "rig.h"
#include "scene.h"
#include "unit.h"

#include <stdio.h>

/* One entry, called by a listener of its own, and a service on loopback. */
struct world {
	struct rig *rig;
	struct server server;
	struct wire client;
	struct reply reply;
	struct addr addrs[2];
	char yaml[512];
};

static void
world_open(struct world *w, const char *resolution, const char *protocol)
{
	memset(w, 0, sizeof(*w));
	server_open(&w->server, ADDR_V4, serve_ok, NULL);
	(void)snprintf(w->yaml, sizeof(w->yaml),
	    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
	    "metadata: {name: db}\nspec:\n  hosts: [db.test]\n"
	    "  resolution: %s\n"
	    "  ports: [{number: 80, name: p, protocol: %s, targetPort: %u}]\n",
	    resolution, protocol, (unsigned)w->server.addr.port);
	w->rig = rig_new(1, ADDR_NONE);
	rig_listen(w->rig, "db", ADDR_V4);
	w->rig->upstreams[0].host = S("db.test");
	w->rig->names[0] =
	    (struct view_name_input){.name = S("db.test"), .addrs = w->addrs};
}

/* Publishes what is known of the name. */
static void
leads_to(struct world *w, const char *first, const char *second)
{
	struct view_name_input *n = &w->rig->names[0];

	n->count = 0;
	n->version++;
	if (first != NULL)
		EXPECT_OK(
		    addr_parse_ip(slice_str(first), &w->addrs[n->count++]));
	if (second != NULL)
		EXPECT_OK(
		    addr_parse_ip(slice_str(second), &w->addrs[n->count++]));
	w->rig->name_count = 1;
	rig_publish(w->rig, w->yaml);
}

static void
dial(struct world *w)
{
	struct addr at = rig_addr(w->rig, "db");

	w->client = wire_dial(&at);
}

static void
world_close(struct world *w)
{
	if (w->client.fd > 0)
		wire_close(&w->client);
	rig_free(&w->rig);
	server_close(&w->server);
	reply_fini(&w->reply);
}

/* The control loop goes on while the client reads. */
static void
read_reply(struct world *w)
{
	reply_fini(&w->reply);
	reply_read(&w->client, "GET", &w->reply);
}

static void
linger(struct world *w)
{
	for (int i = 0; i < 20; i++)
		loop_turn(w->rig->control, 5000);
}

TEST(a_request_waits_for_the_first_answer)
{
	static const char *const how[] = {"DNS", "DNS_ROUND_ROBIN"};

	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		struct world w;

		world_open(&w, how[i], "HTTP");
		rig_publish(w.rig, w.yaml);
		dial(&w);
		EXPECT_TRUE(wire_say(&w.client, GET_WEB));
		linger(&w);
		EXPECT_EQ(rig_records(w.rig), 0);
		leads_to(&w, NULL, NULL); /* of something else */
		linger(&w);
		EXPECT_EQ(rig_records(w.rig), 0);
		leads_to(&w, "127.0.0.1", NULL);
		read_reply(&w);
		EXPECT_EQ(w.reply.status, 200);
		EXPECT_EQ(rig_record(w.rig, 0).attempts, 1);
		world_close(&w);
	}
}

TEST(bytes_wait_for_it_too)
{
	struct world w;

	world_open(&w, "DNS", "TCP");
	rig_publish(w.rig, w.yaml);
	dial(&w);
	EXPECT_TRUE(wire_say(&w.client, GET_WEB));
	linger(&w);
	leads_to(&w, "127.0.0.1", NULL);
	read_reply(&w);
	EXPECT_EQ(w.reply.status, 200);
	world_close(&w);
}

/* Silent first, so that an endpoint is looked for before it is known what the
 * client speaks. */
TEST(one_that_speaks_while_it_waits_waits_once)
{
	static const char *const said[] = {"\1\2\3", GET_WEB};

	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		struct world w;

		world_open(&w, "DNS", "''");
		rig_publish(w.rig, w.yaml);
		dial(&w);
		linger(&w);
		EXPECT_TRUE(wire_say(&w.client, said[i]));
		linger(&w);
		EXPECT_EQ(rig_records(w.rig), 0);
		leads_to(&w, "127.0.0.1", NULL);
		RIG_UNTIL(w.rig, rig_records(w.rig) > 0);
		EXPECT_EQ(rig_record(w.rig, 0).kind,
		    i == 0 ? FLOW_TCP_OPENED : FLOW_HTTP);
		EXPECT_EQ(rig_record(w.rig, 0).flag, FLOW_OK);
		world_close(&w);
	}
}

TEST(a_client_may_go_while_it_waits)
{
	static const char *const protocols[] = {"HTTP", "TCP"};

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		struct world w;

		world_open(&w, "DNS", protocols[i]);
		rig_publish(w.rig, w.yaml);
		dial(&w);
		EXPECT_TRUE(wire_say(&w.client, GET_WEB));
		linger(&w);
		wire_reset(&w.client);
		RIG_UNTIL(w.rig, rig_records(w.rig) > 0);
		leads_to(&w, "127.0.0.1", NULL);
		EXPECT_EQ(w.server.connections, 0);
		world_close(&w);
	}
}

TEST(one_that_leads_nowhere_is_answered_at_once_in_words)
{
	struct world w;
	struct rig_record record;

	world_open(&w, "DNS", "HTTP");
	rig_publish(w.rig, w.yaml);
	dial(&w);
	EXPECT_TRUE(wire_say(&w.client, GET_WEB));
	linger(&w);
	w.rig->names[0].reason = S("there is no such name");
	leads_to(&w, NULL, NULL);
	read_reply(&w);
	EXPECT_EQ(w.reply.status, 503);
	EXPECT_TRUE(
	    body_has(&w.reply, "db.test leads nowhere: there is no such name"));
	record = rig_record(w.rig, 0);
	EXPECT_EQ(record.flag, FLOW_NO_ENDPOINT);
	EXPECT_STR(
	    record.detail, "db.test leads nowhere: there is no such name");
	world_close(&w);
}

TEST(nobody_waits_longer_than_for_a_connection)
{
	struct world w;
	uint64_t began = clock_mono_us(&clock_system);

	world_open(&w, "DNS", "HTTP");
	rig_publish(w.rig, w.yaml);
	dial(&w);
	EXPECT_TRUE(wire_say(&w.client, GET_WEB));
	read_reply(&w);
	EXPECT_EQ(w.reply.status, 503);
	EXPECT_TRUE(body_has(&w.reply, "db.test is being looked up"));
	EXPECT_TRUE(clock_mono_us(&clock_system) - began >= 5000000);
	world_close(&w);
}

/* The first address refuses: the other is tried within the same connection. */
TEST(one_that_floats_goes_to_the_address_that_answers)
{
	struct world w;
	struct rig_record record;
	char text[ADDR_TEXT_MAX];

	world_open(&w, "DNS_ROUND_ROBIN", "HTTP");
	leads_to(&w, "127.0.0.9", "127.0.0.1");
	dial(&w);
	EXPECT_TRUE(wire_say(&w.client, GET_WEB));
	read_reply(&w);
	EXPECT_EQ(w.reply.status, 200);
	record = rig_record(w.rig, 0);
	EXPECT_EQ(record.attempts, 1);
	EXPECT_STR(addr_format_ip(&record.upstream, text), "127.0.0.1");
	world_close(&w);
}

TEST(connections_of_before_stay_where_a_name_floats)
{
	struct world w;

	world_open(&w, "DNS_ROUND_ROBIN", "HTTP");
	leads_to(&w, "127.0.0.1", NULL);
	dial(&w);
	for (int i = 0; i < 3; i++) {
		EXPECT_TRUE(wire_say(&w.client, GET_WEB));
		read_reply(&w);
		EXPECT_EQ(w.reply.status, 200);
		leads_to(&w, "127.0.0.9", NULL); /* nobody is there */
	}
	EXPECT_EQ(w.server.connections, 1);
	world_close(&w);
}
