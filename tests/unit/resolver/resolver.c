/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver — its thread: questions from the control loop, and its end.
 */
#include "resolver.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "nameserver.h"
#include "unit.h"
#include "world.h"

struct told {
	unsigned done;
	char result[16];
	char why[128];
	char host[NAME_HOST_MAX + 1];
	size_t bytes;
};

struct house {
	struct loop *loop;
	struct net_factory *factory;
	struct nameserver outside;
	struct addr upstream;
	struct resolver *r;
	struct resolver_host *asked; /* not told yet */
	unsigned host_count;
	char host[NAME_HOST_MAX + 1];
	struct told told;
};

static void
on_host(void *arg, struct slice host, struct resolver_host *ask)
{
	struct house *h = arg;

	CHECK(h->asked == NULL);
	h->asked = ask;
	h->host_count++;
	CHECK(slice_to_cstr(host, h->host, sizeof(h->host)) == OK);
}

static void
on_told(void *arg, const struct resolver_report *report)
{
	struct told *t = arg;

	t->done++;
	(void)snprintf(t->result, sizeof(t->result), "%s", report->result);
	(void)snprintf(t->why, sizeof(t->why), "%s", report->why);
	CHECK(slice_to_cstr(report->host, t->host, sizeof(t->host)) == OK);
	t->bytes = report->message.len;
}

static void
house_init(struct house *h, bool asks)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct resolver_spec spec = {.ttl_s = 5,
	    .upstreams = &h->upstream,
	    .upstream_count = 1,
	    .on_host = asks ? on_host : NULL,
	    .arg = h};

	memset(h, 0, sizeof(*h));
	h->loop = loop_new(NULL);
	h->factory = net_factory_new();
	nameserver_open(&h->outside);
	nameserver_add(&h->outside, "a.example.com", "192.0.2.1", 60);
	CHECK(getsockname(h->outside.fd, (struct sockaddr *)&sa, &len) == 0);
	CHECK(addr_from_sockaddr((struct sockaddr *)&sa, len, &h->upstream) ==
	      OK);
	spec.control = h->loop;
	spec.factory = h->factory;
	h->r = resolver_open(&spec);
}

static void
house_fini(struct house *h)
{
	resolver_close(&h->r);
	loop_settle(h->loop);
	if (h->asked != NULL)
		resolver_host_told(h->asked, OK);
	nameserver_close(&h->outside);
	net_factory_free(&h->factory);
	loop_free(&h->loop);
}

static void
wait_until(struct house *h, const unsigned *what, unsigned count)
{
	uint64_t until = clock_mono_us(&clock_system) + 10000000;

	while (*what < count) {
		CHECK(clock_mono_us(&clock_system) < until);
		loop_turn(h->loop, 100000);
	}
}

static const char *
ask(struct house *h, const char *name)
{
	unsigned before = h->told.done;

	EXPECT_OK(
	    resolver_query(h->r, slice_str(name), DNS_A, on_told, &h->told));
	wait_until(h, &h->told.done, before + 1);
	return h->told.result;
}

TEST(names_of_the_mesh_are_answered_by_the_view)
{
	AUTO(house_fini) struct house h;
	AUTO(world_fini) struct world w;

	world_init(&w, "");
	world_member(&w, "db", "db-1", "10.0.0.1:80");
	world_compile(&w);
	house_init(&h, /* asks */ false);
	resolver_publish(h.r, w.v);
	EXPECT_STR(ask(&h, "db.shop"), "mesh");
	EXPECT_STR(h.told.host, "db.shop.svc.mesh.internal");
	EXPECT_STR(ask(&h, "no.shop.svc.mesh.internal"), "unknown");
	EXPECT_TRUE(h.told.bytes > DNS_HEAD_LEN);
	EXPECT_ERR(
	    resolver_query(h.r, S("a..b"), DNS_A, on_told, &h.told), ERR_PARSE);
}

TEST(other_names_are_relayed_once_and_kept)
{
	AUTO(house_fini) struct house h;

	house_init(&h, /* asks */ false);
	EXPECT_STR(ask(&h, "a.example.com"), "relayed");
	EXPECT_STR(ask(&h, "A.example.com"), "cached");
}

TEST(the_first_question_waits_for_what_the_servers_say)
{
	AUTO(house_fini) struct house h;
	AUTO(world_fini) struct world w;

	world_init(&w, "");
	world_compile(&w);
	house_init(&h, /* asks */ true);
	resolver_publish(h.r, w.v);
	EXPECT_OK(resolver_query(h.r, S("_80._tcp.db.shop.svc.mesh.internal"),
	    DNS_SRV, on_told, &h.told));
	wait_until(&h, &h.host_count, 1);
	EXPECT_STR(h.host, "db.shop.svc.mesh.internal");
	EXPECT_EQ(h.told.done, 0);
	view_unref(&w.v);
	world_member(&w, "db", "db-1", "10.0.0.1:80");
	world_compile(&w);
	resolver_publish(h.r, w.v); /* a view is enough */
	wait_until(&h, &h.told.done, 1);
	EXPECT_STR(h.told.result, "mesh");
	resolver_host_told(h.asked, OK);
	h.asked = NULL;
	EXPECT_STR(ask(&h, "db.shop.svc.mesh.internal"), "mesh");
}

TEST(what_nobody_knows_is_said_once_that_is_known)
{
	AUTO(house_fini) struct house h;
	AUTO(world_fini) struct world w;

	world_init(&w, "");
	world_compile(&w);
	house_init(&h, /* asks */ true);
	resolver_publish(h.r, w.v);
	EXPECT_OK(resolver_query(
	    h.r, S("no.shop.svc.mesh.internal"), DNS_A, on_told, &h.told));
	wait_until(&h, &h.host_count, 1);
	resolver_host_told(h.asked, ERR_UNREACHABLE);
	h.asked = NULL;
	wait_until(&h, &h.told.done, 1);
	EXPECT_STR(h.told.result, "unknown");
	EXPECT_STR(ask(&h, "no.shop.svc.mesh.internal"), "unknown");
	EXPECT_EQ(h.host_count, 1); /* it is known for a while */
}

TEST(what_is_asked_already_is_awaited_and_not_sent_again)
{
	enum { MANY = 20, PROBE = 1 };
	AUTO(house_fini) struct house h;
	struct told told = {0};

	house_init(&h, /* asks */ false);
	for (unsigned i = 0; i < MANY; i++)
		EXPECT_OK(resolver_query(
		    h.r, S("a.example.com"), DNS_A, on_told, &told));
	wait_until(&h, &told.done, MANY);
	EXPECT_STR(told.result, "relayed");
	EXPECT_TRUE(atomic_load(&h.outside.asked) <= PROBE + 1);
}

TEST(one_asker_has_only_so_many_on_their_way)
{
	enum { MORE = 8, ALL = RESOLVER_RELAYS_OF_ONE + MORE };
	struct told told = {0};
	char name[32];

	{
		AUTO(house_fini) struct house h;

		house_init(&h, /* asks */ false);
		nameserver_set_mute(&h.outside, true, 0);
		for (unsigned i = 0; i < ALL; i++) {
			(void)snprintf(
			    name, sizeof(name), "n%u.example.com", i);
			EXPECT_OK(resolver_query(
			    h.r, slice_str(name), DNS_A, on_told, &told));
		}
		wait_until(&h, &told.done, MORE);
		EXPECT_STR(told.result, "failed");
		EXPECT_STR(told.why,
		    "too many questions of one machine wait for others");
		EXPECT_TRUE(told.done < ALL);
	}
	EXPECT_EQ(told.done, ALL); /* the end answers the rest */
}

TEST(its_end_answers_who_still_waits)
{
	struct told told = {0};

	{
		AUTO(house_fini) struct house h;

		house_init(&h, /* asks */ false);
		nameserver_set_mute(&h.outside, true, 0);
		for (unsigned i = 0; i < 3; i++)
			EXPECT_OK(resolver_query(
			    h.r, S("b.example.com"), DNS_A, on_told, &told));
		loop_turn(h.loop, 20000);
	}
	EXPECT_EQ(told.done, 3);
	EXPECT_STR(told.result, "failed");
	EXPECT_STR(told.why, "this agent is stopping");
}
