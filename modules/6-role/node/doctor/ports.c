/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports — does somebody else listen where the role does?
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checks.h"

/* --- /proc/net ------------------------------------------------------------ */

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
    const struct doctor_port *port, struct doctor_socket *out)
{
	AUTO(buf_fini) struct buf text = BUF(DOCTOR_FILE_MAX);
	struct slice rest;

	/* Listeners come first in it. */
	if (doctor_read(d, path, &text) != OK)
		return false;
	rest = buf_slice(&text);
	while (rest.len > 0) {
		struct doctor_socket h = {.inode = 0};

		if (doctor_socket_read(
			slice_split(&rest, '\n'), port->is_udp, &h) &&
		    collide(&h.addr, &port->addr)) {
			*out = h;
			return true;
		}
	}
	return false;
}

static bool
find_holder(const struct doctor *d, const struct doctor_port *port,
    struct doctor_socket *out)
{
	return find_in(d, port->is_udp ? "/proc/net/udp" : "/proc/net/tcp",
		   port, out) ||
	       find_in(d, port->is_udp ? "/proc/net/udp6" : "/proc/net/tcp6",
		   port, out);
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
mend(struct doctor *d, const struct doctor_socket *h)
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
    const struct doctor_socket *h, const char *text)
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
is_ours(const struct doctor *d, const struct doctor_socket *h)
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
	struct doctor_socket h = {.inode = 0};

	/* In a test the machine is another. */
	if (d->spec.root[0] == '\0' && is_free(port))
		return true;
	if (!find_holder(d, port, &h))
		return true;
	(void)snprintf(text, sizeof(text), "%s port %s",
	    port->is_udp ? "UDP" : "TCP", addr_format(&h.addr, addr));
	doctor_socket_owner(d, &h);
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
