/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket — making sockets.
 *
 * A socket belongs to the network namespace that its thread is in when it is
 * made; so for another namespace the thread goes there, makes it and comes
 * back.
 */
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST: the kernel's headers that have them
 * do not stand beside the system's. */
enum { ORIGINAL_DST = 80 };

enum { KEEPALIVE_IDLE_S = 180, KEEPALIVE_EVERY_S = 180, KEEPALIVE_COUNT = 9 };

/* Closes on the way out unless the descriptor was taken. */
static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int
fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* --- network namespaces --- */

/* Leaves for `netns`; *out_home is the way back, -1 if there was no need. */
static MUST_USE enum err
netns_enter(int netns, int *out_home)
{
	AUTO(fd_close) int home = -1;

	*out_home = -1;
	if (netns < 0)
		return OK;
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || setns(netns, CLONE_NEWNET) != 0)
		return err_from_errno(errno);
	*out_home = fd_take(&home);
	return OK;
}

static void
netns_leave(int *home)
{
	if (*home < 0)
		return;
	/* A thread that is left abroad would serve the wrong network. */
	CHECK(setns(*home, CLONE_NEWNET) == 0);
	fd_close(home);
}

static MUST_USE enum err
socket_in(int netns, int domain, int type, int *out_fd)
{
	AUTO(netns_leave) int home = -1;
	enum err e = netns_enter(netns, &home);
	int fd;

	if (e != OK)
		return e;
	fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_from_errno(errno);
	*out_fd = fd;
	return OK;
}

/* --- options --- */

struct option {
	uint32_t when;   /* enum net_option; 0 is always */
	uint8_t domains; /* ON_… */
	int level;
	int name;
	int value;
};

enum { ON_V4 = 1, ON_V6 = 2, ON_IP = ON_V4 | ON_V6 };

static const struct option listen_options[] = {
    {0, ON_IP, SOL_SOCKET, SO_REUSEADDR, 1},
    {NET_V6ONLY, ON_V6, IPPROTO_IPV6, IPV6_V6ONLY, 1},
};

static const struct option any_options[] = {
    {NET_REUSEPORT, ON_IP, SOL_SOCKET, SO_REUSEPORT, 1},
    {NET_TRANSPARENT, ON_V4, IPPROTO_IP, IP_TRANSPARENT, 1},
    {NET_TRANSPARENT, ON_V6, IPPROTO_IPV6, IPV6_TRANSPARENT, 1},
};

/* Accepted sockets inherit these from their listener. */
static const struct option tcp_options[] = {
    {NET_KEEPALIVE, ON_IP, SOL_SOCKET, SO_KEEPALIVE, 1},
    {NET_KEEPALIVE, ON_IP, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
    {NET_KEEPALIVE, ON_IP, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY_S},
    {NET_KEEPALIVE, ON_IP, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
    {NET_NODELAY, ON_IP, IPPROTO_TCP, TCP_NODELAY, 1},
};

static MUST_USE enum err
set_options(int fd, const struct addr *a, uint32_t wanted,
    const struct option *rows, size_t count)
{
	uint8_t domain = a->family == ADDR_V4 ? ON_V4 : ON_V6;

	for (size_t i = 0; i < count; i++) {
		const struct option *o = &rows[i];

		if (!(o->domains & domain) ||
		    (o->when != 0 && !(wanted & o->when)))
			continue;
		if (setsockopt(fd, o->level, o->name, &o->value,
			sizeof(o->value)) != 0)
			return err_from_errno(errno);
	}
	return OK;
}

/* Of all that say none; of the whole process, as rules of the machine are. */
static _Atomic uint32_t mark_of_all;

static MUST_USE enum err
set_mark(int fd, uint32_t mark)
{
	if (mark == 0)
		mark = mark_of_all;
	if (mark != 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0)
		return err_from_errno(errno);
	return OK;
}

enum err
net_mark_all(uint32_t mark)
{
	AUTO(fd_close) int fd = -1;
	enum err e = socket_in(/* netns */ -1, AF_INET, SOCK_STREAM, &fd);

	if (e == OK)
		e = set_mark(fd, mark);
	if (e != OK)
		return e;
	mark_of_all = mark;
	loop_resolve_mark(mark);
	return OK;
}

uint32_t
net_mark(void)
{
	return mark_of_all;
}

static int
domain_of(const struct addr *a)
{
	return a->family == ADDR_V4 ? AF_INET : AF_INET6;
}

/* --- binding, in words --- */

static MUST_USE enum err
bind_fault(int errnum, const struct addr *a, struct fault *why)
{
	char text[ADDR_TEXT_MAX];

	switch (errnum) {
	case EADDRINUSE:
		return fault_set(why, ERR_BUSY,
		    "port %u is taken (address already in use)", a->port);
	case EACCES:
	case EPERM:
		return fault_set(why, ERR_PERMISSION,
		    "no permission to bind port %u%s", a->port,
		    a->port < 1024 ? " (below 1024 it takes "
				     "CAP_NET_BIND_SERVICE)"
				   : "");
	case EADDRNOTAVAIL:
		return fault_set(why, ERR_NOT_FOUND,
		    "address %s is not one of this machine",
		    addr_format_ip(a, text));
	default:
		return fault_set(why, err_from_errno(errnum),
		    "cannot bind %s: %s", addr_format(a, text),
		    strerror(errnum));
	}
}

static MUST_USE enum err
bind_ip(int fd, const struct addr *a, struct fault *why)
{
	struct sockaddr_storage ss;
	unsigned len = addr_to_sockaddr(a, (struct sockaddr *)&ss);

	if (bind(fd, (struct sockaddr *)&ss, len) != 0)
		return bind_fault(errno, a, why);
	return OK;
}

static MUST_USE enum err
make_ip(const struct net_socket_spec *spec, bool first, int *out_fd,
    struct fault *why)
{
	bool stream = spec->kind == NET_LISTEN;
	const struct addr *a = &spec->addr;
	uint32_t share = first ? spec->options & NET_REUSEPORT : 0;
	AUTO(fd_close) int fd = -1;
	enum err e;

	if (a->family == ADDR_NONE)
		return fault_set(why, ERR_INVALID, "there is no address");
	e = socket_in(
	    spec->netns, domain_of(a), stream ? SOCK_STREAM : SOCK_DGRAM, &fd);
	if (e != OK)
		return fault_set(
		    why, e, "cannot make a socket: %s", err_text(e));
	e = set_options(
	    fd, a, spec->options & ~share, any_options, ARRAY_LEN(any_options));
	if (e == OK && stream)
		e = set_options(
		    fd, a, spec->options, tcp_options, ARRAY_LEN(tcp_options));
	if (e == OK && stream)
		e = set_options(fd, a, spec->options, listen_options,
		    ARRAY_LEN(listen_options));
	if (e == OK)
		e = set_mark(fd, spec->mark);
	if (e != OK)
		return fault_set(why, e, "cannot set an option of port %u: %s",
		    a->port, err_text(e));
	e = bind_ip(fd, a, why);
	if (e != OK)
		return e;
	/* From now on the others of this process may come beside it. */
	e = set_options(fd, a, share, any_options, ARRAY_LEN(any_options));
	if (e != OK)
		return fault_set(
		    why, e, "cannot share port %u: %s", a->port, err_text(e));
	/* Two sockets may have bound before either of them listens. */
	if (stream && listen(fd, spec->backlog) != 0)
		return bind_fault(errno, a, why);
	*out_fd = fd_take(&fd);
	return OK;
}

/* --- unix sockets --- */

enum err
socket_unix_addr(struct slice path, struct sockaddr_un *out, unsigned *out_len)
{
	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	if (path.len == 0 ||
	    slice_to_cstr(path, out->sun_path, sizeof(out->sun_path)) != OK)
		return ERR_LIMIT;
	*out_len = sizeof(*out);
	return OK;
}

/* True if the file is a socket at which nobody listens any more. */
static bool
is_stale(const struct sockaddr_un *un, unsigned len)
{
	AUTO(fd_close)
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || lstat(un->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	return connect(fd, (const struct sockaddr *)un, len) != 0 &&
	       errno == ECONNREFUSED;
}

static MUST_USE enum err
unix_fault(int errnum, struct slice path, struct fault *why)
{
	if (errnum == EADDRINUSE)
		return fault_set(why, ERR_BUSY,
		    "%.*s is taken: another process listens there, or it is "
		    "no socket",
		    SLICE_ARG(path));
	if (errnum == EACCES || errnum == EPERM)
		return fault_set(why, ERR_PERMISSION,
		    "no permission to bind %.*s", SLICE_ARG(path));
	return fault_set(why, err_from_errno(errnum), "cannot bind %.*s: %s",
	    SLICE_ARG(path), strerror(errnum));
}

static MUST_USE enum err
make_unix(const struct net_socket_spec *spec, int *out_fd, struct fault *why)
{
	AUTO(fd_close) int fd = -1;
	struct sockaddr_un un;
	unsigned len;
	int failed;

	if (socket_unix_addr(spec->path, &un, &len) != OK)
		return fault_set(why, ERR_LIMIT,
		    "a socket's path has 1 to %zu bytes",
		    sizeof(un.sun_path) - 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return unix_fault(errno, spec->path, why);
	failed = bind(fd, (struct sockaddr *)&un, len);
	if (failed && errno == EADDRINUSE && is_stale(&un, len)) {
		unlink(un.sun_path);
		failed = bind(fd, (struct sockaddr *)&un, len);
	}
	/* Nobody can connect before listen(), so the mode is never wider. */
	if (failed || chmod(un.sun_path, spec->mode) != 0 ||
	    listen(fd, spec->backlog) != 0)
		return unix_fault(errno, spec->path, why);
	*out_fd = fd_take(&fd);
	return OK;
}

enum err
socket_make(const struct net_socket_spec *spec, bool first, int *out_fd,
    struct fault *why)
{
	if (spec->kind == NET_UNIX)
		return make_unix(spec, out_fd, why);
	return make_ip(spec, first, out_fd, why);
}

/* --- clients --- */

static MUST_USE enum err
bind_source(int fd, const struct addr *source)
{
	int one = 1;

	if (source->family == ADDR_NONE)
		return OK;
	/* The port is chosen at connect(), when the peer is known. */
	if (source->port == 0 &&
	    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
		sizeof(one)) != 0)
		return err_from_errno(errno);
	return bind_ip(fd, source, NULL);
}

/* Of IPv4 and IPv6; all threads take from there. */
static int transparent_from[2] = {-1, -1};

void
net_transparent_from(const int fds[2])
{
	memcpy(transparent_from, fds, sizeof(transparent_from));
}

/* ERR_AGAIN: there is none now. ERR_UNSUPPORTED: there will be none. */
static MUST_USE enum err
take_transparent(const struct addr *to, int *out_fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec part = {&byte, sizeof(byte)};
	struct msghdr m = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	ssize_t n;
	const struct cmsghdr *c;

	do
		n = recvmsg(transparent_from[to->family == ADDR_V6], &m,
		    MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return ERR_AGAIN;
	c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c == NULL || c->cmsg_type != SCM_RIGHTS)
		return ERR_UNSUPPORTED;
	memcpy(out_fd, CMSG_DATA(c), sizeof(*out_fd));
	return OK;
}

/* It bears its maker's mark, and may bear any source. */
static MUST_USE enum err
make_transparent(const struct net_connect_spec *spec, int *out_fd)
{
	AUTO(fd_close) int fd = -1;
	enum err e = take_transparent(&spec->addr, &fd);

	if (e == OK)
		e = set_options(fd, &spec->addr, spec->options, tcp_options,
		    ARRAY_LEN(tcp_options));
	if (e == OK)
		e = bind_source(fd, &spec->source);
	if (e == OK)
		*out_fd = fd_take(&fd);
	return e;
}

enum err
socket_make_client(const struct net_connect_spec *spec, int *out_fd)
{
	bool is_unix = spec->path.len > 0;
	AUTO(fd_close) int fd = -1;
	enum err e;

	if (spec->options & NET_TRANSPARENT)
		return make_transparent(spec, out_fd);
	e = socket_in(is_unix ? -1 : spec->netns,
	    is_unix ? AF_UNIX : domain_of(&spec->addr), SOCK_STREAM, &fd);
	if (e == OK && !is_unix) {
		e = set_options(fd, &spec->addr, spec->options, any_options,
		    ARRAY_LEN(any_options));
		if (e == OK)
			e = set_options(fd, &spec->addr, spec->options,
			    tcp_options, ARRAY_LEN(tcp_options));
		if (e == OK)
			e = set_mark(fd, spec->mark);
		if (e == OK)
			e = bind_source(fd, &spec->source);
	}
	if (e != OK)
		return e;
	*out_fd = fd_take(&fd);
	return OK;
}

int
socket_connect(int fd, const struct net_connect_spec *spec)
{
	struct sockaddr_storage ss;
	struct sockaddr_un un;
	unsigned len;

	if (spec->path.len > 0) {
		if (socket_unix_addr(spec->path, &un, &len) != OK)
			return ENAMETOOLONG;
		return connect(fd, (struct sockaddr *)&un, len) ? errno : 0;
	}
	len = addr_to_sockaddr(&spec->addr, (struct sockaddr *)&ss);
	return connect(fd, (struct sockaddr *)&ss, len) ? errno : 0;
}

/* --- looking at sockets --- */

int
socket_error(int fd)
{
	int errnum = 0;
	socklen_t len = sizeof(errnum);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &len) != 0)
		return errno;
	return errnum;
}

static struct addr
name_of(int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a = {.family = ADDR_NONE};

	if (get(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    addr_from_sockaddr((struct sockaddr *)&ss, len, &a) != OK)
		return (struct addr){.family = ADDR_NONE};
	return a;
}

static int
get_local(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getsockname(fd, sa, len);
}

static int
get_peer(int fd, struct sockaddr *sa, socklen_t *len)
{
	return getpeername(fd, sa, len);
}

struct addr
socket_local(int fd)
{
	return name_of(fd, get_local);
}

struct addr
socket_peer(int fd)
{
	return name_of(fd, get_peer);
}

/* The kernel has it by family, whatever the socket's own is. */
static MUST_USE enum err
read_original(int fd, int level, struct addr *out)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockopt(fd, level, ORIGINAL_DST, &ss, &len) != 0)
		return ERR_NOT_FOUND;
	return addr_from_sockaddr((struct sockaddr *)&ss, len, out);
}

enum err
net_original_destination(int fd, struct addr *out)
{
	struct addr local = socket_local(fd), a;
	enum err e = local.family == ADDR_V4 ? read_original(fd, SOL_IP, &a)
					     : read_original(fd, SOL_IPV6, &a);

	if (e == OK && addr_eq(&a, &local))
		e = ERR_NOT_FOUND;
	if (e == OK)
		*out = a;
	return e;
}

static int
int_option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, name, &value, &len) != 0)
		return -1;
	return value;
}

enum err
socket_check(int fd, const struct net_socket_spec *spec, struct fault *why)
{
	bool datagram = spec->kind == NET_DATAGRAM;
	bool is_unix = int_option(fd, SO_DOMAIN) == AF_UNIX;

	if (int_option(fd, SO_TYPE) != (datagram ? SOCK_DGRAM : SOCK_STREAM) ||
	    is_unix != (spec->kind == NET_UNIX))
		return fault_set(why, ERR_INVALID,
		    "the inherited descriptor \"%.*s\" is another kind of "
		    "socket",
		    SLICE_ARG(spec->name));
	if (!datagram && int_option(fd, SO_ACCEPTCONN) != 1)
		return fault_set(why, ERR_INVALID,
		    "the inherited descriptor \"%.*s\" does not listen",
		    SLICE_ARG(spec->name));
	return OK;
}
