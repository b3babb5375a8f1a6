/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor — what this process tells who started it: sd_notify(3).
 *
 * A datagram of lines to a socket that the environment names, by path or by a
 * name in the abstract space. Without libsystemd, which is shared only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "net.h"

enum {
	/* As long as a loop waits where nobody takes what is told. */
	TELL_WAIT_US = 100 * 1000
};

struct net_supervisor {
	int fd; /* -1: there is none */
	struct sockaddr_un to;
	socklen_t to_len;
	uint64_t watchdog_us;
};

/* False for what is no unix socket's name (vsock:… is for whole machines). */
static bool
read_address(struct net_supervisor *s, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	if (len < 2 || len >= sizeof(s->to.sun_path) ||
	    (text[0] != '/' && text[0] != '@'))
		return false;
	s->to.sun_family = AF_UNIX;
	memcpy(s->to.sun_path, text, len);
	if (text[0] == '@')
		s->to.sun_path[0] = '\0';
	s->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

static uint64_t
read_watchdog(const char *text, const char *pid)
{
	uint64_t us, whose;

	if (text == NULL || slice_to_u64(slice_str(text), &us) != OK)
		return 0;
	if (pid == NULL)
		return us;
	if (slice_to_u64(slice_str(pid), &whose) != OK)
		return 0;
	return whose == (uint64_t)getpid() ? us : 0;
}

struct net_supervisor *
net_supervisor_new_env(void)
{
	const struct timeval wait = {.tv_usec = TELL_WAIT_US};
	struct net_supervisor *s = mem_new(sizeof(*s));

	s->fd = -1;
	if (read_address(s, getenv("NOTIFY_SOCKET"))) {
		s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		s->watchdog_us = read_watchdog(
		    getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
	}
	if (s->fd >= 0)
		CHECK(setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &wait,
			  sizeof(wait)) == 0);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return s;
}

void
net_supervisor_free(struct net_supervisor **sp)
{
	struct net_supervisor *s = *sp;

	if (s == NULL)
		return;
	if (s->fd >= 0)
		close(s->fd);
	mem_free(sp);
}

uint64_t
net_supervisor_watchdog_us(const struct net_supervisor *s)
{
	return s->watchdog_us;
}

bool
net_supervisor_tell(const struct net_supervisor *s, const char *lines)
{
	/* Nobody listening is not our failure. */
	return s->fd < 0 ||
	       sendto(s->fd, lines, strlen(lines), MSG_NOSIGNAL,
		   (const struct sockaddr *)&s->to, s->to_len) >= 0 ||
	       (errno != EAGAIN && errno != ENOBUFS);
}
