/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factory — one place that every listening socket comes from.
 *
 * Asynchronous although bind() is not, so that another process with the right
 * to bind can serve it later without a change to those who ask.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socket.h"

/* sd_listen_fds(3): the first descriptor that is handed over. */
enum { FIRST_INHERITED_FD = 3, INHERITED_MAX = 1024 };

struct inherited {
	struct list link;
	char *name;
	int fd;
	bool given; /* the copy of it; more askers get copies, too */
};

/* A port that sockets of this process share. */
struct shared {
	struct list link;
	struct addr addr;
	int netns;
};

struct net_factory {
	pthread_mutex_t lock;
	struct list inherited; /* in the order of their coming */
	struct list shared;
};

struct net_socket_request {
	net_socket_cb cb;
	void *arg;
	int fd;
	enum err e;
	struct fault why;
	struct loop_later answer;
};

struct net_factory *
net_factory_new(void)
{
	struct net_factory *f = mem_new(sizeof(*f));

	CHECK(pthread_mutex_init(&f->lock, NULL) == 0);
	list_init(&f->inherited);
	list_init(&f->shared);
	return f;
}

void
net_factory_free(struct net_factory **fp)
{
	struct net_factory *f = *fp;

	if (f == NULL)
		return;
	LIST_EACH (&f->inherited, it) {
		struct inherited *i = CONTAINER(it, struct inherited, link);

		list_remove(it);
		close(i->fd);
		mem_free(&i->name);
		mem_free(&i);
	}
	LIST_EACH (&f->shared, it) {
		struct shared *s = CONTAINER(it, struct shared, link);

		list_remove(it);
		mem_free(&s);
	}
	pthread_mutex_destroy(&f->lock);
	mem_free(fp);
}

void
net_factory_inherit(struct net_factory *f, struct slice name, int fd)
{
	struct inherited *i = mem_new(sizeof(*i));

	i->name = mem_strndup(name.ptr, name.len);
	i->fd = fd;
	pthread_mutex_lock(&f->lock);
	list_push_back(&f->inherited, &i->link);
	pthread_mutex_unlock(&f->lock);
}

static MUST_USE enum err
env_number(const char *name, uint64_t *out)
{
	const char *text = getenv(name);

	return text == NULL ? ERR_NOT_FOUND
			    : slice_to_u64(slice_str(text), out);
}

static MUST_USE enum err
inherit_listed(struct net_factory *f, struct fault *why)
{
	struct slice names = slice_str(getenv("LISTEN_FDNAMES"));
	uint64_t pid;
	uint64_t count;

	if (env_number("LISTEN_PID", &pid) != OK || pid != (uint64_t)getpid())
		return OK; /* meant for another process, or not there */
	if (env_number("LISTEN_FDS", &count) != OK || count > INHERITED_MAX)
		return fault_set(why, ERR_INVALID,
		    "LISTEN_FDS is not a number up to %d", INHERITED_MAX);
	for (int fd = FIRST_INHERITED_FD; fd < FIRST_INHERITED_FD + (int)count;
	     fd++) {
		struct slice name = slice_split(&names, ':');

		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
			return fault_set(why, ERR_INVALID,
			    "LISTEN_FDS names descriptor %d, which is not "
			    "open",
			    fd);
		net_factory_inherit(f, name, fd);
	}
	return OK;
}

enum err
net_factory_inherit_env(struct net_factory *f, struct fault *why)
{
	enum err e = inherit_listed(f, why);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return e;
}

/*
 * The next descriptor of that name, or the first again when all were given:
 * workers that share one queue of connections. NULL if there is none.
 */
static struct inherited *
find_inherited(struct net_factory *f, struct slice name)
{
	struct inherited *first = NULL;

	LIST_EACH (&f->inherited, it) {
		struct inherited *i = CONTAINER(it, struct inherited, link);

		if (!slice_eq(slice_str(i->name), name))
			continue;
		if (!i->given)
			return i;
		if (first == NULL)
			first = i;
	}
	return first;
}

/* A copy, so that who asked may close and another ask again. -1: none. */
static int
give_inherited(struct net_factory *f, struct slice name)
{
	struct inherited *i;
	int fd = -1;

	pthread_mutex_lock(&f->lock);
	i = find_inherited(f, name);
	if (i != NULL) {
		i->given = true;
		fd = fcntl(i->fd, F_DUPFD_CLOEXEC, 0);
	}
	pthread_mutex_unlock(&f->lock);
	return fd;
}

static bool
is_shared(const struct net_factory *f, const struct net_socket_spec *spec)
{
	LIST_EACH (&f->shared, it) {
		const struct shared *s = CONTAINER(it, struct shared, link);

		if (s->netns == spec->netns && addr_eq(&s->addr, &spec->addr))
			return true;
	}
	return false;
}

static void
note_shared(struct net_factory *f, const struct net_socket_spec *spec)
{
	struct shared *s = mem_new(sizeof(*s));

	s->addr = spec->addr;
	s->netns = spec->netns;
	list_push_back(&f->shared, &s->link);
}

/*
 * The kernel lets any process of this user share a port that is shared; a
 * second meshd would take half of the first one's connections in silence. So
 * the first socket of a port binds alone. It is known as ours for good: when
 * it is opened again later, nobody looks whether another came meanwhile.
 */
static MUST_USE enum err
make(struct net_factory *f, const struct net_socket_spec *spec, int *out_fd,
    struct fault *why)
{
	bool first;
	enum err e;

	if (!(spec->options & NET_REUSEPORT) || spec->addr.port == 0)
		return socket_make(spec, /* first */ false, out_fd, why);
	pthread_mutex_lock(&f->lock);
	first = !is_shared(f, spec);
	e = socket_make(spec, first, out_fd, why);
	if (e == OK && first)
		note_shared(f, spec);
	pthread_mutex_unlock(&f->lock);
	return e;
}

static MUST_USE enum err
serve(struct net_factory *f, const struct net_socket_spec *spec, int *out_fd,
    struct fault *why)
{
	int fd = give_inherited(f, spec->name);
	enum err e;

	if (fd < 0)
		return make(f, spec, out_fd, why);
	e = socket_check(fd, spec, why);
	if (e == OK && fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		e = fault_set(why, ERR_IO, "cannot use \"%.*s\": %s",
		    SLICE_ARG(spec->name), strerror(errno));
	if (e != OK) {
		close(fd);
		return e;
	}
	*out_fd = fd;
	return OK;
}

static void
on_answer(void *arg)
{
	struct net_socket_request *r = arg;
	struct net_socket_request copy = *r;

	mem_free(&r);
	copy.cb(copy.arg, copy.e, copy.fd, &copy.why);
}

struct net_socket_request *
net_socket_open(struct net_factory *f, struct loop *loop,
    const struct net_socket_spec *spec, net_socket_cb cb, void *arg)
{
	struct net_socket_request *r = mem_new(sizeof(*r));

	r->cb = cb;
	r->arg = arg;
	r->fd = -1;
	r->e = serve(f, spec, &r->fd, &r->why);
	loop_later_init(&r->answer, on_answer, r);
	loop_later(loop, &r->answer);
	return r;
}

void
net_socket_cancel(struct net_socket_request **rp)
{
	struct net_socket_request *r = *rp;

	if (r == NULL)
		return;
	loop_later_cancel(&r->answer);
	if (r->fd >= 0)
		close(r->fd);
	mem_free(rp);
}
