/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor — who started us is told how it goes, if it asked for that.
 */
#include "net/net.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEARD_MAX = 256 };

/* As a service manager has it: a datagram socket of its own. */
struct manager {
	int fd;
	char address[64]; /* as NOTIFY_SOCKET says it */
};

/* '@' first: in the abstract space. */
static void
manager_init(struct manager *m, const char *kind)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t len;

	(void)snprintf(m->address, sizeof(m->address), "%s-%d", kind, getpid());
	len = strlen(m->address);
	memcpy(at.sun_path, m->address, len);
	if (at.sun_path[0] == '@')
		at.sun_path[0] = '\0';
	else
		(void)unlink(m->address); /* of a run that was ended */
	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(bind(m->fd, (struct sockaddr *)&at,
		  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) ==
	      0);
	CHECK(setenv("NOTIFY_SOCKET", m->address, 1) == 0);
}

static void
manager_fini(struct manager *m)
{
	close(m->fd);
	if (m->address[0] != '@')
		(void)unlink(m->address);
}

/* The next datagram, or "". */
static const char *
heard(const struct manager *m)
{
	static char text[HEARD_MAX];
	ssize_t n = recv(m->fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
tells(const char *kind)
{
	struct net_supervisor *s;
	struct manager m;

	manager_init(&m, kind);
	s = net_supervisor_new_env();
	EXPECT_TRUE(net_supervisor_tell(s, "READY=1\nSTATUS=Serves"));
	EXPECT_STR(heard(&m), "READY=1\nSTATUS=Serves");
	EXPECT_STR(heard(&m), "");
	net_supervisor_free(&s);
	EXPECT_TRUE(s == NULL);
	manager_fini(&m);
}

TEST(what_is_told_arrives_at_a_path)
{
	tells("/tmp/meshd-supervisor");
}

TEST(what_is_told_arrives_at_an_abstract_name)
{
	tells("@meshd-supervisor");
}

TEST(children_have_none_of_the_variables)
{
	struct net_supervisor *s;
	struct manager m;

	manager_init(&m, "@meshd-supervisor");
	CHECK(setenv("WATCHDOG_USEC", "1000", 1) == 0);
	CHECK(setenv("WATCHDOG_PID", "1", 1) == 0);
	s = net_supervisor_new_env();
	EXPECT_TRUE(getenv("NOTIFY_SOCKET") == NULL);
	EXPECT_TRUE(getenv("WATCHDOG_USEC") == NULL);
	EXPECT_TRUE(getenv("WATCHDOG_PID") == NULL);
	net_supervisor_free(&s);
	manager_fini(&m);
}

TEST(the_watchdog_is_ours_or_everybodys)
{
	static const struct {
		const char *us;
		const char *pid; /* NULL: not there; "": ours */
		uint64_t wanted;
	} rows[] = {
	    {"3000000", NULL, 3000000},
	    {"3000000", "", 3000000},
	    {"3000000", "1", 0},
	    {"3000000", "me", 0},
	    {"soon", NULL, 0},
	    {"-1", NULL, 0},
	    {NULL, "", 0},
	};
	char ours[16];

	(void)snprintf(ours, sizeof(ours), "%d", getpid());
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_supervisor *s;
		struct manager m;

		manager_init(&m, "@meshd-supervisor");
		if (rows[i].us != NULL)
			CHECK(setenv("WATCHDOG_USEC", rows[i].us, 1) == 0);
		if (rows[i].pid != NULL)
			CHECK(setenv("WATCHDOG_PID",
				  rows[i].pid[0] != '\0' ? rows[i].pid : ours,
				  1) == 0);
		s = net_supervisor_new_env();
		EXPECT_EQ(net_supervisor_watchdog_us(s), rows[i].wanted);
		net_supervisor_free(&s);
		manager_fini(&m);
	}
}

TEST(where_nobody_asked_nobody_is_told)
{
	char too_long[200];
	const char *const rows[] = {
	    NULL, "", "@", "relative", "vsock:2:1234", too_long};

	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[0] = '/';
	too_long[sizeof(too_long) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_supervisor *s;

		if (rows[i] != NULL)
			CHECK(setenv("NOTIFY_SOCKET", rows[i], 1) == 0);
		CHECK(setenv("WATCHDOG_USEC", "1000", 1) == 0);
		s = net_supervisor_new_env();
		EXPECT_TRUE(net_supervisor_tell(s, "READY=1"));
		EXPECT_EQ(net_supervisor_watchdog_us(s), 0);
		EXPECT_TRUE(getenv("NOTIFY_SOCKET") == NULL);
		net_supervisor_free(&s);
	}
}

TEST(a_manager_that_is_gone_or_hears_nothing_stops_nobody)
{
	struct clock clock = clock_system;
	struct net_supervisor *s;
	struct manager m;
	uint64_t before;
	bool is_full = false;

	manager_init(&m, "@meshd-supervisor");
	s = net_supervisor_new_env();
	before = clock_mono_us(&clock);
	/* Full at last: sysctl net.unix.max_dgram_qlen is 10, or 512. */
	while (clock_mono_us(&clock) - before < 100 * 1000)
		is_full = !net_supervisor_tell(s, "WATCHDOG=1");
	EXPECT_TRUE(is_full);
	EXPECT_STR(heard(&m), "WATCHDOG=1");
	EXPECT_TRUE(net_supervisor_tell(s, "WATCHDOG=1"));
	manager_fini(&m);
	EXPECT_TRUE(net_supervisor_tell(s, "WATCHDOG=1"));
	net_supervisor_free(&s);
}
