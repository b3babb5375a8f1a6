/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race — a peer of several addresses: the first connection that stands.
 *
 * An address that swallows everything is a listener whose backlog is full:
 * the kernel drops what else wants to connect to it.
 */
#include "owner.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FILLERS = 4, STEP_US = NET_RACE_STEP_MS * 1000 };

/* One address of the peer. */
struct place {
	int fd;
	int fillers[FILLERS];
	struct addr addr;
};

static void
place_open(struct place *p, enum addr_family family, int backlog)
{
	struct sockaddr_storage ss;
	struct sockaddr *sa = (struct sockaddr *)&ss;
	socklen_t len;

	*p = (struct place){.fd = -1, .fillers = {-1, -1, -1, -1}};
	EXPECT_OK(addr_parse_ip(
	    family == ADDR_V4 ? S("127.0.0.1") : S("::1"), &p->addr));
	len = addr_to_sockaddr(&p->addr, sa);
	p->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	EXPECT_EQ(bind(p->fd, sa, len), 0);
	EXPECT_EQ(getsockname(p->fd, sa, &len), 0);
	EXPECT_OK(addr_from_sockaddr(sa, len, &p->addr));
	if (backlog >= 0)
		EXPECT_EQ(listen(p->fd, backlog), 0);
}

static void
place_listens(struct place *p, enum addr_family family)
{
	place_open(p, family, 16);
}

/* Nobody listens there. */
static void
place_refuses(struct place *p)
{
	place_open(p, ADDR_V4, -1);
}

static void
place_swallows(struct place *p)
{
	struct sockaddr_storage ss;
	struct sockaddr *sa = (struct sockaddr *)&ss;
	socklen_t len;

	place_open(p, ADDR_V4, 0);
	len = addr_to_sockaddr(&p->addr, sa);
	for (size_t i = 0; i < FILLERS; i++) {
		p->fillers[i] =
		    socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(p->fillers[i], sa, len); /* under way */
	}
}

static void
place_close(struct place *p)
{
	for (size_t i = 0; i < FILLERS; i++)
		if (p->fillers[i] >= 0)
			close(p->fillers[i]);
	close(p->fd);
}

/* A client of up to three places. */
struct caller {
	struct loop *loop;
	struct owner owner;
	struct place places[3];
	size_t count;
	uint64_t began_us;
};

static void
call(struct caller *c, uint64_t timeout_us)
{
	struct net_connect_spec spec = NET_CONNECT_SPEC;
	struct addr others[2];

	for (size_t i = 1; i < c->count; i++)
		others[i - 1] = c->places[i].addr;
	spec.addr = c->places[0].addr;
	spec.others = others;
	spec.other_count = c->count - 1;
	spec.timeout_us = timeout_us;
	c->loop = loop_new(NULL);
	c->owner = (struct owner)OWNER;
	c->began_us = clock_mono_us(&clock_system);
	owner_set(
	    &c->owner, net_connect(c->loop, &spec, &owner_events, &c->owner));
	EXPECT_FALSE(stream_is_open(c->owner.stream));
}

static uint64_t
took_us(const struct caller *c)
{
	return clock_mono_us(&clock_system) - c->began_us;
}

static bool
is_at(const struct caller *c, size_t place)
{
	struct addr peer = stream_peer(c->owner.stream);

	return addr_eq(&peer, &c->places[place].addr);
}

static void
hang_up(struct caller *c)
{
	if (c->owner.stream != NULL)
		stream_close(c->owner.stream, ERR_CANCELLED);
	loop_settle(c->loop);
	EXPECT_EQ(c->owner.closes, 1);
	owner_fini(&c->owner);
	loop_free(&c->loop);
	for (size_t i = 0; i < c->count; i++)
		place_close(&c->places[i]);
}

TEST(one_that_refuses_is_followed_by_the_next_at_once)
{
	struct caller c = {.count = 2};

	place_refuses(&c.places[0]);
	place_listens(&c.places[1], ADDR_V4);
	call(&c, 0);
	UNTIL(c.loop, c.owner.opens == 1);
	EXPECT_TRUE(took_us(&c) < STEP_US);
	EXPECT_TRUE(is_at(&c, 1));
	hang_up(&c);
}

TEST(one_that_swallows_everything_costs_a_step)
{
	struct caller c = {.count = 2};

	place_swallows(&c.places[0]);
	place_listens(&c.places[1], ADDR_V4);
	call(&c, 0);
	UNTIL(c.loop, c.owner.opens == 1);
	EXPECT_TRUE(took_us(&c) >= STEP_US);
	EXPECT_TRUE(took_us(&c) < 8 * STEP_US);
	EXPECT_TRUE(is_at(&c, 1));
	hang_up(&c);
}

TEST(families_take_turns)
{
	struct caller c = {.count = 3};

	place_swallows(&c.places[0]);
	place_listens(&c.places[1], ADDR_V4);
	place_listens(&c.places[2], ADDR_V6);
	call(&c, 0);
	UNTIL(c.loop, c.owner.opens == 1);
	EXPECT_TRUE(is_at(&c, 2));
	hang_up(&c);
}

TEST(the_first_one_is_taken_where_it_answers_and_nobody_else_is_called)
{
	struct caller c = {.count = 2};

	place_listens(&c.places[0], ADDR_V4);
	place_listens(&c.places[1], ADDR_V6);
	call(&c, 0);
	UNTIL(c.loop, c.owner.opens == 1);
	EXPECT_TRUE(is_at(&c, 0));
	EXPECT_EQ(accept(c.places[1].fd, NULL, NULL), -1);
	hang_up(&c);
}

TEST(where_all_refuse_it_is_refused)
{
	struct caller c = {.count = 2};

	place_refuses(&c.places[0]);
	place_refuses(&c.places[1]);
	call(&c, 0);
	UNTIL(c.loop, c.owner.closes == 1);
	EXPECT_ERR(c.owner.why, ERR_REFUSED);
	EXPECT_EQ(c.owner.opens, 0);
	hang_up(&c);
}

TEST(all_of_them_together_have_one_time)
{
	struct caller c = {.count = 2};

	place_swallows(&c.places[0]);
	place_swallows(&c.places[1]);
	call(&c, 2 * STEP_US);
	UNTIL(c.loop, c.owner.closes == 1);
	EXPECT_ERR(c.owner.why, ERR_TIMEOUT);
	EXPECT_TRUE(took_us(&c) >= 2 * STEP_US);
	hang_up(&c);
}

TEST(it_can_be_left_while_it_runs)
{
	struct caller c = {.count = 2};

	place_swallows(&c.places[0]);
	place_listens(&c.places[1], ADDR_V4);
	call(&c, 0);
	loop_turn(c.loop, 0);
	hang_up(&c);
	EXPECT_ERR(c.owner.why, ERR_CANCELLED);
}

TEST(what_is_written_before_is_sent_to_the_winner)
{
	struct caller c = {.count = 2};
	char got[8];
	int fd;

	place_refuses(&c.places[0]);
	place_listens(&c.places[1], ADDR_V4);
	call(&c, 0);
	EXPECT_OK(stream_write(c.owner.stream, S("hello")));
	UNTIL(c.loop, c.owner.opens == 1);
	fd = accept(c.places[1].fd, NULL, NULL);
	EXPECT_TRUE(fd >= 0);
	EXPECT_EQ(read(fd, got, sizeof(got)), 5);
	EXPECT_EQ(write(fd, "yes", 3), 3);
	UNTIL(c.loop, buf_len(&c.owner.got) == 3);
	close(fd);
	hang_up(&c);
}
