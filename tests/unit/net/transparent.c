/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transparent — clients whose sockets somebody else makes, so that they may
 * bear any source.
 *
 * Here it is one of loopback, for which no right is needed: that it is kept is
 * what is to be seen.
 */
#include "owner.h"
#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

struct scene {
	struct link link; /* who is called */
	struct owner owner;
	int ours[2]; /* ends from which clients take; of IPv4, IPv6 */
	int theirs[2];
};

static void
scene_open(struct scene *s)
{
	int fds[2];

	*s = (struct scene){.owner = OWNER};
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
		s->ours[i] = fds[0];
		s->theirs[i] = fds[1];
	}
	net_transparent_from(s->ours);
	link_listen(&s->link, LINK_V4);
}

static void
scene_close(struct scene *s)
{
	static const int none[2] = {-1, -1};

	if (s->owner.stream != NULL) {
		stream_close(s->owner.stream, OK);
		UNTIL(s->link.loop, s->owner.closes == 1);
	}
	owner_fini(&s->owner);
	link_close(&s->link);
	net_transparent_from(none);
	for (int i = 0; i < 2; i++) {
		(void)close(s->ours[i]);
		if (s->theirs[i] >= 0)
			(void)close(s->theirs[i]);
	}
}

static void
call(struct scene *s, uint64_t timeout_us)
{
	struct net_connect_spec spec = NET_CONNECT_SPEC;

	spec.addr = s->link.addr;
	spec.source = (struct addr){ADDR_V4, {127, 0, 0, 9}, 0};
	spec.options |= NET_TRANSPARENT;
	spec.timeout_us = timeout_us;
	owner_set(&s->owner,
	    net_connect(s->link.loop, &spec, &owner_events, &s->owner));
}

static void
give_one(struct scene *s)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	char byte = 0;
	struct iovec part = {&byte, sizeof(byte)};
	struct msghdr m = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	EXPECT_TRUE(fd >= 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	EXPECT_EQ(sendmsg(s->theirs[0], &m, 0), 1);
	(void)close(fd);
}

TEST(a_client_bears_the_source_that_it_is_given)
{
	struct scene s;

	scene_open(&s);
	give_one(&s);
	call(&s, 0);
	UNTIL(s.link.loop, s.owner.opens == 1 && s.link.accepted >= 0);
	EXPECT_EQ(s.link.peer.bytes[3], 9);
	EXPECT_EQ(stream_local(s.owner.stream).bytes[3], 9);
	scene_close(&s);
}

TEST(a_client_waits_for_a_socket_that_is_still_being_made)
{
	struct scene s;

	scene_open(&s);
	call(&s, 0);
	for (int i = 0; i < 5; i++)
		loop_turn(s.link.loop, 2000);
	EXPECT_EQ(s.owner.opens + s.owner.closes, 0);
	give_one(&s);
	UNTIL(s.link.loop, s.owner.opens == 1);
	scene_close(&s);
}

TEST(a_client_waits_no_longer_than_it_was_told_to)
{
	struct scene s;

	scene_open(&s);
	call(&s, 20000);
	UNTIL(s.link.loop, s.owner.closes == 1);
	EXPECT_EQ(s.owner.why, ERR_TIMEOUT);
	scene_close(&s);
}

/* It must not call with an address of ours instead. */
TEST(where_nobody_makes_sockets_nobody_is_called)
{
	struct scene s;

	scene_open(&s);
	(void)close(s.theirs[0]);
	s.theirs[0] = -1;
	call(&s, 0);
	UNTIL(s.link.loop, s.owner.closes == 1);
	EXPECT_EQ(s.owner.why, ERR_UNSUPPORTED);
	EXPECT_EQ(s.link.accepted, -1);
	scene_close(&s);
}
