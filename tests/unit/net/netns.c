/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netns — a socket is made in the network namespace that the spec names.
 *
 * In a child with two fresh namespaces: a port that is taken in one is free in
 * the other, which tells where a socket was made. Loopback stays down there,
 * so the wildcard address is bound.
 */
#include "socket.h"
#include "unit.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PORT = 15008 };

static void
new_netns(void)
{
	if (unshare(CLONE_NEWNET) != 0)
		CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
}

static enum err
bind_in(int netns)
{
	struct net_socket_spec spec = NET_SOCKET_SPEC;
	int fd;

	spec.name = S("netns");
	spec.addr = (struct addr){.family = ADDR_V4, .port = PORT};
	spec.netns = netns;
	return socket_make(&spec, /* first */ false, &fd,
	    NULL); /* open until the child ends */
}

static int
child(void)
{
	int away;

	new_netns();
	away = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	CHECK(away >= 0);
	new_netns();
	CHECK(bind_in(away) == OK);
	CHECK(bind_in(away) == ERR_BUSY);
	CHECK(bind_in(-1) == OK);
	CHECK(bind_in(-1) == ERR_BUSY);
	return 0;
}

TEST(a_socket_is_made_in_its_namespace_and_the_thread_comes_home)
{
	pid_t pid = fork();
	int status = -1;

	EXPECT_TRUE(pid >= 0);
	if (pid == 0)
		_exit(child());
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}
