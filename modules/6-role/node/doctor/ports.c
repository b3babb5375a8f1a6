/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports — does somebody else listen where the role does?
 *
 * /proc/net tells who listens by the socket's inode, which a descriptor of its
 * process leads to. Of processes of others only root may know.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checks.h"

enum {
	TCP_LISTEN = 0x0a,
	UDP_BOUND = 0x07,
	NAME_MAX_BYTES = 64,
	UNIT_MAX = 256
};

/* A socket that takes what comes to a port. */
struct holder {
	struct addr addr;
	uint64_t inode;
	uint64_t uid;
	uint64_t pid; /* 0: not known */
	char name[NAME_MAX_BYTES];
	char unit[UNIT_MAX]; /* of systemd, or "" */
};

/* --- /proc/net ------------------------------------------------------------ */

static bool
read_hex(struct slice text, uint8_t *out, size_t len)
{
	if (text.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = slice_hex_digit(text.ptr[2 * i]);
		int low = slice_hex_digit(text.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* "0100007F:3AA0": words of four bytes, each as the machine has it. */
static bool
read_addr(struct slice text, struct addr *out)
{
	struct slice ip = slice_split(&text, ':');
	size_t len = ip.len / 2;
	uint8_t bytes[16], port[2];

	if ((len != 4 && len != 16) || !read_hex(ip, bytes, len) ||
	    !read_hex(text, port, sizeof(port)))
		return false;
	*out = (struct addr){.family = len == 4 ? ADDR_V4 : ADDR_V6,
	    .port = (uint16_t)(port[0] << 8 | port[1])};
	for (size_t i = 0; i < len; i++)
		out->bytes[i] = bytes[i / 4 * 4 + 3 - i % 4];
	return true;
}

/* sl, local, remote, st, queues, timer, retransmitted, uid, timeout, inode */
static bool
read_socket(struct slice line, bool is_udp, struct holder *out)
{
	uint8_t state;

	(void)doctor_word(&line);
	if (!read_addr(doctor_word(&line), &out->addr))
		return false;
	(void)doctor_word(&line);
	if (!read_hex(doctor_word(&line), &state, 1) ||
	    state != (is_udp ? UDP_BOUND : TCP_LISTEN))
		return false;
	for (int i = 0; i < 3; i++)
		(void)doctor_word(&line);
	if (slice_to_u64(doctor_word(&line), &out->uid) != OK)
		return false;
	(void)doctor_word(&line);
	return slice_to_u64(doctor_word(&line), &out->inode) == OK;
}

/* Both would take what comes to the one. */
static bool
collide(const struct addr *a, const struct addr *b)
{
	if (a->port != b->port)
		return false;
	return addr_is_any(a) || addr_is_any(b) || addr_ip_eq(a, b);
}

static bool
find_in(const struct doctor *d, const char *path,
    const struct doctor_port *port, struct holder *out)
{
	AUTO(buf_fini) struct buf text = BUF(DOCTOR_FILE_MAX);
	struct slice rest;

	/* Listeners come first in it. */
	if (doctor_read(d, path, &text) != OK)
		return false;
	rest = buf_slice(&text);
	while (rest.len > 0) {
		struct holder h = {.inode = 0};

		if (read_socket(slice_split(&rest, '\n'), port->is_udp, &h) &&
		    collide(&h.addr, &port->addr)) {
			*out = h;
			return true;
		}
	}
	return false;
}

static bool
find_holder(
    const struct doctor *d, const struct doctor_port *port, struct holder *out)
{
	return find_in(d, port->is_udp ? "/proc/net/udp" : "/proc/net/tcp",
		   port, out) ||
	       find_in(d, port->is_udp ? "/proc/net/udp6" : "/proc/net/tcp6",
		   port, out);
}

/* --- /proc/PID ------------------------------------------------------------ */

static bool
has_descriptor(const char *folder, uint64_t inode)
{
	char path[4 * STATE_PATH_MAX], target[64], wanted[64];
	const struct dirent *e;
	DIR *dir = opendir(folder);
	bool found = false;

	if (dir == NULL)
		return false;
	(void)snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
	while (!found && (e = readdir(dir)) != NULL) {
		ssize_t n;

		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		n = readlink(path, target, sizeof(target));
		found = n > 0 && slice_eq(slice_of(target, (size_t)n),
				     slice_str(wanted));
	}
	(void)closedir(dir); /* only read */
	return found;
}

static void
read_line(const struct doctor *d, uint64_t pid, const char *file, char *out,
    size_t out_len)
{
	AUTO(buf_fini) struct buf text = BUF(DOCTOR_FILE_MAX);
	char path[64];
	struct slice rest;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu64 "/%s", pid, file);
	out[0] = '\0';
	if (doctor_read(d, path, &text) != OK)
		return;
	rest = buf_slice(&text);
	rest = slice_split(&rest, '\n');
	(void)snprintf(out, out_len, "%.*s", SLICE_ARG(rest));
}

/* "0::/system.slice/nginx.service" → "nginx.service" */
static void
read_unit(const struct doctor *d, struct holder *h)
{
	struct slice line;
	size_t slash;

	read_line(d, h->pid, "cgroup", h->unit, sizeof(h->unit));
	line = slice_str(h->unit);
	slash = slice_rfind(line, '/');
	line = slash < line.len ? slice_sub(line, slash + 1, line.len) : line;
	if (slice_ends(line, S(".service")))
		memmove(h->unit, line.ptr, line.len + 1);
	else
		h->unit[0] = '\0';
}

static void
find_process(const struct doctor *d, struct holder *h)
{
	char path[STATE_PATH_MAX], folder[2 * STATE_PATH_MAX];
	const struct dirent *e;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/proc", d->spec.root);
	dir = opendir(path);
	if (dir == NULL)
		return;
	while (h->pid == 0 && (e = readdir(dir)) != NULL) {
		uint64_t pid;

		if (slice_to_u64(slice_str(e->d_name), &pid) != OK)
			continue;
		(void)snprintf(
		    folder, sizeof(folder), "%s/%s/fd", path, e->d_name);
		if (has_descriptor(folder, h->inode))
			h->pid = pid;
	}
	(void)closedir(dir); /* only read */
	if (h->pid == 0)
		return;
	read_line(d, h->pid, "comm", h->name, sizeof(h->name));
	read_unit(d, h);
}

/* --- is it free? ---------------------------------------------------------- */

/*
 * The lists cost the kernel milliseconds, for it looks through all connections
 * that there may be; taking the port tells in a few microseconds that nobody
 * has it.
 */
static bool
is_free(const struct doctor_port *port)
{
	struct sockaddr_storage s;
	socklen_t len = addr_to_sockaddr(&port->addr, (struct sockaddr *)&s);
	int fd, yes = 1;
	bool ok;

	fd = socket(s.ss_family,
	    (port->is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	/* Connections of before, which only wait for their end, do not count.
	 */
	ok = (port->is_udp || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes,
				  sizeof(yes)) == 0) &&
	     bind(fd, (struct sockaddr *)&s, len) == 0;
	(void)close(fd); /* nothing came */
	return ok;
}

/* --- the judgement -------------------------------------------------------- */

static void
mend(struct doctor *d, const struct holder *h)
{
	if (h->pid == 0)
		doctor_mend(d, "sudo ss -lptun 'sport = :%u'", h->addr.port);
	else if (h->unit[0] != '\0')
		doctor_mend(d, "systemctl stop %s", h->unit);
	else
		doctor_mend(d, "kill %" PRIu64, h->pid);
}

static void
say_taken(struct doctor *d, const struct doctor_port *port,
    const struct holder *h, const char *text)
{
	enum doctor_level level =
	    d->spec.is_starting ? DOCTOR_WARNING : DOCTOR_PROBLEM;

	mend(d, h);
	if (h->pid == 0)
		doctor_say(d, DOCTOR_WARNING,
		    "%s (%s) is held by a process of user %" PRIu64
		    "; who that is, "
		    "root may know. Or choose another: --%s",
		    text, port->name, h->uid, port->name);
	else
		doctor_say(d, level,
		    "%s (%s) is held by %s (process %" PRIu64
		    "); stop it, or choose "
		    "another: --%s",
		    text, port->name, h->name, h->pid, port->name);
}

/* Whoever starts may have it from systemd, which holds it then, too. */
static bool
is_ours(const struct doctor *d, const struct holder *h)
{
	if (d->spec.is_starting)
		return h->pid == 1 || h->pid == (uint64_t)getpid();
	if (h->pid == 0)
		return d->spec.is_running;
	return strcmp(h->name, "meshd") == 0 || h->pid == 1;
}

/* True if all is well. */
static bool
judge_port(struct doctor *d, const struct doctor_port *port)
{
	char text[ADDR_TEXT_MAX + 8], addr[ADDR_TEXT_MAX];
	struct holder h = {.inode = 0};

	/* In a test the machine is another. */
	if (d->spec.root[0] == '\0' && is_free(port))
		return true;
	if (!find_holder(d, port, &h))
		return true;
	(void)snprintf(text, sizeof(text), "%s port %s",
	    port->is_udp ? "UDP" : "TCP", addr_format(&h.addr, addr));
	find_process(d, &h);
	if (is_ours(d, &h))
		return true;
	say_taken(d, port, &h, text);
	return false;
}

bool
check_ports(struct doctor *d)
{
	bool good = true;

	for (size_t i = 0; i < d->spec.port_count; i++)
		good = judge_port(d, &d->spec.ports[i]) && good;
	if (good && d->spec.port_count > 0)
		doctor_say(d, DOCTOR_OK, "nobody else has one of the %zu ports",
		    d->spec.port_count);
	return true;
}
