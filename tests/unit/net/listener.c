/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener — accepting, running out of descriptors, sharing with workers; and
 * where the sockets come from.
 */
#include "owner.h"
#include "unit.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANY = 200, FDS_MAX = 1024 };

/* A listener that keeps what it accepts. */
struct door {
	struct loop *loop;
	struct net_listener *listener;
	struct addr addr;
	bool open;
	bool closed;
	enum err why;
	char words[FAULT_TEXT_MAX];
	int fds[FDS_MAX];
	unsigned count;
	unsigned shorts;
	enum err short_of;
	unsigned waits;
	bool close_at_first;
};

static void
on_open(struct net_listener *l, void *arg)
{
	struct door *d = arg;

	d->open = true;
	d->addr = net_listener_addr(l);
}

static void
on_accept(struct net_listener *l, void *arg, int fd, const struct addr *peer)
{
	struct door *d = arg;

	(void)peer;
	CHECK(!d->closed && d->count < FDS_MAX);
	d->fds[d->count++] = fd;
	if (d->close_at_first)
		net_listener_close(l);
}

static void
on_short(struct net_listener *l, void *arg, enum err why)
{
	struct door *d = arg;

	(void)l;
	d->shorts++;
	d->short_of = why;
}

static void
on_close(
    struct net_listener *l, void *arg, enum err why, const struct fault *words)
{
	struct door *d = arg;

	(void)l;
	CHECK(!d->closed);
	d->closed = true;
	d->why = why;
	if (words != NULL)
		memcpy(d->words, words->text, sizeof(d->words));
}

static const struct net_listener_events door_events = {
    .on_open = on_open,
    .on_accept = on_accept,
    .on_short = on_short,
    .on_close = on_close,
};

static void
door_open(struct door *d, struct net_factory *f, struct loop *l,
    const struct net_socket_spec *spec)
{
	memset(d, 0, sizeof(*d));
	d->loop = l;
	d->listener = net_listener_open(f, l, spec, &door_events, d);
	EXPECT_FALSE(d->open || d->closed);
	UNTIL(l, d->open || d->closed);
}

static void
door_close(struct door *d)
{
	if (!d->closed)
		net_listener_close(d->listener);
	loop_settle(d->loop);
	EXPECT_TRUE(d->closed);
	for (unsigned i = 0; i < d->count; i++)
		close(d->fds[i]);
}

static struct net_socket_spec
any_port(void)
{
	struct net_socket_spec spec = NET_SOCKET_SPEC;

	spec.name = S("door");
	CHECK(addr_parse_ip(S("127.0.0.1"), &spec.addr) == OK);
	return spec;
}

static int
dial(const struct addr *a)
{
	struct sockaddr_storage ss;
	unsigned len = addr_to_sockaddr(a, (struct sockaddr *)&ss);
	int fd =
	    socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	CHECK(fd >= 0);
	(void)!connect(fd, (struct sockaddr *)&ss, len);
	return fd;
}

TEST(more_than_a_batch_is_accepted_over_turns)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct door d;
	int fds[MANY];

	door_open(&d, f, l, &spec);
	for (int i = 0; i < MANY; i++)
		fds[i] = dial(&d.addr);
	loop_turn(l, 1000000);
	EXPECT_TRUE(d.count <= 2 * NET_ACCEPT_BATCH);
	UNTIL(l, d.count == MANY);
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	door_close(&d);
}

TEST(a_paused_listener_leaves_them_in_the_backlog)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct door d;
	int fd;

	door_open(&d, f, l, &spec);
	net_listener_pause(d.listener);
	fd = dial(&d.addr);
	loop_turn(l, 10000);
	loop_turn(l, 10000);
	EXPECT_EQ(d.count, 0);
	net_listener_resume(d.listener);
	UNTIL(l, d.count == 1);
	close(fd);
	door_close(&d);
}

TEST(a_listener_may_be_closed_while_it_accepts)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct door d;
	int a, b;

	door_open(&d, f, l, &spec);
	d.close_at_first = true;
	a = dial(&d.addr);
	b = dial(&d.addr);
	UNTIL(l, d.closed);
	EXPECT_EQ(d.count, 1);
	EXPECT_OK(d.why);
	close(a);
	close(b);
	door_close(&d);
}

TEST(without_descriptors_it_waits_and_then_goes_on)
{
	struct clock_fake fake = {.mono_us = 1};
	struct clock clock = clock_fake_as_clock(&fake);
	AUTO(loop_free) struct loop *l = loop_new(&clock);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct rlimit old, tight;
	struct door d;
	int fd;

	door_open(&d, f, l, &spec);
	fd = dial(&d.addr);
	EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = (rlim_t)fd + 1;
	EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
	for (int i = 0; i < 4; i++)
		loop_turn(l, 1000);
	EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
	EXPECT_EQ(d.count, 0);
	EXPECT_EQ(d.shorts, 1);
	EXPECT_ERR(d.short_of, ERR_LIMIT);
	loop_turn(l, 0);
	EXPECT_EQ(d.count, 0);
	clock_fake_advance(&fake, 11000);
	loop_turn(l, 0);
	EXPECT_EQ(d.count, 1);
	EXPECT_FALSE(d.closed);
	close(fd);
	door_close(&d);
}

/* --- words --- */

TEST(a_taken_port_is_said_in_words)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct door first, second;
	char wanted[FAULT_TEXT_MAX];

	door_open(&first, f, l, &spec);
	spec.addr.port = first.addr.port;
	door_open(&second, f, l, &spec);
	EXPECT_TRUE(second.closed);
	EXPECT_ERR(second.why, ERR_BUSY);
	snprintf(wanted, sizeof(wanted),
	    "port %u is taken (address already in use)", spec.addr.port);
	EXPECT_STR(second.words, wanted);
	door_close(&second);
	door_close(&first);
}

TEST(an_address_of_another_machine_is_said_in_words)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct door d;

	EXPECT_OK(addr_parse(S("192.0.2.77:15008"), &spec.addr));
	door_open(&d, f, l, &spec);
	EXPECT_ERR(d.why, ERR_NOT_FOUND);
	EXPECT_STR(d.words, "address 192.0.2.77 is not one of this machine");
	door_close(&d);
}

TEST(a_stale_unix_socket_is_replaced_and_a_living_one_is_not)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = NET_SOCKET_SPEC;
	struct door first, second;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/tmp/meshd-door-%d", getpid());
	spec.name = S("unix");
	spec.kind = NET_UNIX;
	spec.path = slice_str(path);
	spec.mode = 0660;
	door_open(&first, f, l, &spec);
	EXPECT_TRUE(first.open);
	EXPECT_EQ(stat(path, &st), 0);
	EXPECT_EQ(st.st_mode & 0777, 0660);
	door_open(&second, f, l, &spec);
	EXPECT_ERR(second.why, ERR_BUSY);
	door_close(&second);
	door_close(&first);
	door_open(&first, f, l, &spec);
	EXPECT_TRUE(first.open);
	door_close(&first);
	unlink(path);
}

/* --- inherited descriptors --- */

static int
listening_fd(struct addr *out)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	EXPECT_EQ(bind(fd, (struct sockaddr *)&sin, len), 0);
	EXPECT_EQ(listen(fd, 16), 0);
	EXPECT_EQ(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	EXPECT_OK(addr_from_sockaddr((struct sockaddr *)&sin, len, out));
	return fd;
}

TEST(an_inherited_descriptor_serves_its_name_and_a_copy_the_next)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct addr inherited;
	struct door first, second;
	int fd;

	net_factory_inherit(f, S("door"), listening_fd(&inherited));
	door_open(&first, f, l, &spec);
	EXPECT_TRUE(addr_eq(&first.addr, &inherited));
	door_open(&second, f, l, &spec);
	EXPECT_TRUE(addr_eq(&second.addr, &inherited));
	door_close(&first);
	fd = dial(&inherited);
	UNTIL(l, second.count == 1);
	close(fd);
	door_close(&second);
	spec.name = S("other");
	door_open(&first, f, l, &spec);
	EXPECT_FALSE(addr_eq(&first.addr, &inherited));
	door_close(&first);
}

TEST(an_inherited_descriptor_of_another_kind_is_refused)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct door d;

	net_factory_inherit(f, S("door"), socket(AF_INET, SOCK_DGRAM, 0));
	door_open(&d, f, l, &spec);
	EXPECT_ERR(d.why, ERR_INVALID);
	EXPECT_STR(d.words, "the inherited descriptor \"door\" is another "
			    "kind of socket");
	door_close(&d);
}

TEST(variables_of_another_process_are_left_alone_but_unset)
{
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct fault why;

	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "5", 1);
	EXPECT_OK(net_factory_inherit_env(f, &why));
	EXPECT_TRUE(getenv("LISTEN_FDS") == NULL);
	EXPECT_TRUE(getenv("LISTEN_PID") == NULL);
}

TEST(descriptors_that_are_not_open_are_said_in_words)
{
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct fault why = {0};
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "many", 1);
	EXPECT_ERR(net_factory_inherit_env(f, &why), ERR_INVALID);
	EXPECT_STR(why.text, "LISTEN_FDS is not a number up to 1024");
}

/* Whatever the test's own process has at 3 comes back afterwards. */
TEST(listed_descriptors_begin_at_three_and_bear_names)
{
	struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct fault why = {0};
	struct addr inherited;
	struct loop *l;
	struct door d;
	char pid[16];
	int saved = dup(3);
	int fd = listening_fd(&inherited);

	if (fd != 3) {
		EXPECT_EQ(dup2(fd, 3), 3);
		close(fd);
	}
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "door", 1);
	EXPECT_OK(net_factory_inherit_env(f, &why));
	EXPECT_TRUE(getenv("LISTEN_FDNAMES") == NULL);
	l = loop_new(NULL);
	door_open(&d, f, l, &spec);
	EXPECT_TRUE(addr_eq(&d.addr, &inherited));
	door_close(&d);
	loop_free(&l);
	net_factory_free(&f);
	if (saved >= 0) {
		EXPECT_EQ(dup2(saved, 3), 3);
		close(saved);
	}
}

TEST(a_cancelled_request_closes_its_socket)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct door d = {.loop = l};

	d.listener = net_listener_open(f, l, &spec, &door_events, &d);
	net_listener_close(d.listener);
	loop_settle(l);
	EXPECT_TRUE(d.closed);
	EXPECT_FALSE(d.open);
}

TEST(accepted_sockets_have_the_listeners_options)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct door d;
	int idle = 0, nodelay = 0;
	socklen_t len = sizeof(int);
	int fd;

	spec.options = NET_KEEPALIVE | NET_NODELAY;
	door_open(&d, f, l, &spec);
	fd = dial(&d.addr);
	UNTIL(l, d.count == 1);
	EXPECT_EQ(
	    getsockopt(d.fds[0], IPPROTO_TCP, TCP_KEEPIDLE, &idle, &len), 0);
	EXPECT_EQ(
	    getsockopt(d.fds[0], IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
	EXPECT_EQ(idle, 180);
	EXPECT_EQ(nodelay, 1);
	close(fd);
	door_close(&d);
}

/* --- two workers on one port --- */

struct share {
	struct net_factory *factory;
	struct net_socket_spec spec;
	struct door doors[2];
	atomic_uint accepted;
	atomic_uint opened;
};

static void
share_open(struct net_listener *n, void *arg)
{
	struct share *s = arg;

	(void)n;
	atomic_fetch_add(&s->opened, 1);
}

static void
share_accept(struct net_listener *n, void *arg, int fd, const struct addr *peer)
{
	struct share *s = arg;

	(void)n;
	(void)peer;
	close(fd);
	atomic_fetch_add(&s->accepted, 1);
}

static void
share_close(
    struct net_listener *n, void *arg, enum err why, const struct fault *words)
{
	(void)n;
	(void)arg;
	CHECK(why == OK && words == NULL);
}

static const struct net_listener_events share_events = {
    .on_open = share_open,
    .on_accept = share_accept,
    .on_close = share_close,
};

static void
share_start(struct loop *l, unsigned index, void *arg)
{
	struct share *s = arg;

	s->doors[index].listener =
	    net_listener_open(s->factory, l, &s->spec, &share_events, s);
}

static void
share_stop(struct loop *l, unsigned index, void *arg)
{
	struct share *s = arg;

	(void)l;
	net_listener_close(s->doors[index].listener);
}

TEST(two_workers_accept_on_one_port)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct share s = {.factory = f, .spec = any_port()};
	struct workers_spec spec = {.count = 2,
	    .on_start = share_start,
	    .on_stop = share_stop,
	    .arg = &s};
	struct workers *w;
	struct addr port;

	/* A port that was free a moment ago. */
	close(listening_fd(&port));
	s.spec.addr.port = port.port;
	s.spec.options = NET_REUSEPORT;
	w = workers_new(&spec);
	UNTIL(l, atomic_load(&s.opened) == 2);
	for (int i = 0; i < MANY; i++)
		close(dial(&port));
	UNTIL(l, atomic_load(&s.accepted) == MANY);
	workers_free(&w);
}

TEST(a_port_that_another_process_would_share_is_taken)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	AUTO(net_factory_free) struct net_factory *other = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct door a, b, c;
	struct addr port;

	close(listening_fd(&port));
	spec.addr.port = port.port;
	spec.options = NET_REUSEPORT;
	door_open(&a, f, l, &spec);
	EXPECT_TRUE(a.open);
	door_open(&b, other, l, &spec); /* as a second meshd would */
	EXPECT_TRUE(b.closed);
	EXPECT_EQ(b.why, ERR_BUSY);
	EXPECT_TRUE(strstr(b.words, "is taken") != NULL);
	door_open(&c, f, l, &spec); /* another worker of the first */
	EXPECT_TRUE(c.open);
	door_close(&a);
	door_close(&b);
	door_close(&c);
}

static void
on_wait(struct net_listener *l, void *arg, const struct fault *words)
{
	struct door *d = arg;

	(void)l;
	d->waits++;
	memcpy(d->words, words->text, sizeof(d->words));
}

static const struct net_listener_events patient_events = {
    .on_open = on_open,
    .on_accept = on_accept,
    .on_wait = on_wait,
    .on_close = on_close,
};

TEST(a_listener_that_waits_for_its_port_opens_when_that_is_free)
{
	struct clock_fake fake = {.mono_us = 1};
	struct clock clock = clock_fake_as_clock(&fake);
	AUTO(loop_free) struct loop *l = loop_new(&clock);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct door d = {.loop = l};
	int holder = listening_fd(&spec.addr);

	d.listener = net_listener_open(f, l, &spec, &patient_events, &d);
	loop_settle(l);
	EXPECT_EQ(d.waits, 1);
	EXPECT_TRUE(strstr(d.words, "is taken") != NULL);
	clock_fake_advance(&fake, (NET_RETRY_MS + 1) * 1000);
	loop_turn(l, 0);
	loop_settle(l);
	EXPECT_EQ(d.waits, 1); /* for the same reason */
	EXPECT_FALSE(d.open || d.closed);
	close(holder);
	clock_fake_advance(&fake, (NET_RETRY_MS + 1) * 1000);
	loop_turn(l, 0);
	loop_settle(l);
	EXPECT_TRUE(d.open);
	d.words[0] = '\0';
	door_close(&d);
	EXPECT_EQ(d.why, OK);
	EXPECT_STR(d.words, "");
}

TEST(a_listener_that_waits_may_be_closed)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct net_socket_spec spec = any_port();
	struct door d = {.loop = l};
	int holder = listening_fd(&spec.addr);

	d.listener = net_listener_open(f, l, &spec, &patient_events, &d);
	loop_settle(l);
	EXPECT_EQ(d.waits, 1);
	d.words[0] = '\0';
	door_close(&d);
	EXPECT_EQ(d.why, OK);
	EXPECT_STR(d.words, "");
	close(holder);
}
