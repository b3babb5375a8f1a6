/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark — sockets of this process bear a mark, where it may set one.
 *
 * In a child with a user and a network of its own: there it may.
 */
#include "owner.h"
#include "socket.h"
#include "unit.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MARK = 0x77 };

static uint32_t
mark_of_new(void)
{
	struct net_connect_spec spec = NET_CONNECT_SPEC;
	uint32_t mark = UINT32_MAX;
	socklen_t len = sizeof(mark);
	int fd = -1;

	spec.addr = (struct addr){.family = ADDR_V4, .bytes = {127, 0, 0, 1}};
	CHECK(socket_make_client(&spec, &fd) == OK);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &len) == 0);
	(void)close(fd);
	return mark;
}

static int
child(void)
{
	if (unshare(CLONE_NEWNET) != 0)
		CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
	CHECK(mark_of_new() == 0);
	CHECK(net_mark_all(MARK) == OK);
	CHECK(mark_of_new() == MARK);
	CHECK(net_mark_all(0) == OK);
	CHECK(mark_of_new() == 0);
	return 0;
}

TEST(sockets_bear_the_mark_that_all_are_to_bear)
{
	pid_t pid = fork();
	int status = -1;

	EXPECT_TRUE(pid >= 0);
	if (pid == 0)
		_exit(child());
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}
