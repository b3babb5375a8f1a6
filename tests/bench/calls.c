/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls — what one way to a service takes longer than another.
 *
 *	calls IP PORT IP PORT HOST SECONDS
 *
 * Calls by the one and by the other in turns, first each by a connection of its
 * own, from connect() to the end of the answer, then by one that stays. Prints
 * the median and the 99th percentile of each in microseconds, as JSON.
 */
#include "base/base.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WAYS = 2, TIMES_MAX = 1 << 20, ANSWER_MAX = 4096 };

struct way {
	struct sockaddr_storage to;
	unsigned to_len;
	int fd; /* -1: none is open */
	size_t count;
	double us[TIMES_MAX];
};

static struct way ways[WAYS];
static char request[256];

static double
now_us(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static void
hang_up(struct way *w)
{
	if (w->fd >= 0)
		(void)close(w->fd);
	w->fd = -1;
}

static void
dial(struct way *w)
{
	int on = 1;
	int fd = socket(w->to.ss_family, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	w->fd = fd;
	if (connect(fd, (struct sockaddr *)&w->to, w->to_len) != 0)
		fail("calls: connect");
}

/* How long it is by its head; 0 while that is not there. */
static size_t
length_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");
	const char *said = strcasestr(answer, "\r\ncontent-length:");

	if (end == NULL)
		return 0;
	if (said == NULL || said > end ||
	    strncmp(answer, "HTTP/1.1 200 ", 13) != 0) {
		(void)fprintf(stderr, "calls: %s\n", answer);
		exit(1);
	}
	return (size_t)(end + 4 - answer) + strtoul(said + 17, NULL, 10);
}

static void
ask(struct way *w)
{
	char answer[ANSWER_MAX];
	size_t len = 0, whole = 0;

	if (write(w->fd, request, strlen(request)) < 0)
		fail("calls: write");
	while (whole == 0 || len < whole) {
		ssize_t n = read(w->fd, answer + len, sizeof(answer) - 1 - len);

		if (n <= 0)
			fail("calls: read");
		len += (size_t)n;
		answer[len] = '\0';
		whole = length_of(answer);
		CHECK(whole < sizeof(answer));
	}
}

static void
call(struct way *w, bool stays)
{
	double begin = now_us();

	if (w->fd < 0)
		dial(w);
	ask(w);
	if (w->count < TIMES_MAX)
		w->us[w->count++] = now_us() - begin;
	if (!stays)
		hang_up(w);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print_times(struct way *w)
{
	qsort(w->us, w->count, sizeof(w->us[0]), by_size);
	(void)printf("{\"calls\": %zu, \"p50\": %.2f, \"p99\": %.2f}", w->count,
	    w->us[w->count / 2], w->us[w->count * 99 / 100]);
}

/* The first ones of each count too: they are few. */
static void
run(bool stays, double seconds)
{
	double end = now_us() + seconds * 1e6;

	for (size_t i = 0; i < WAYS; i++)
		ways[i].count = 0;
	while (now_us() < end) {
		for (size_t i = 0; i < WAYS; i++)
			call(&ways[i], stays);
	}
	(void)printf("\"%s\": [", stays ? "kept" : "new");
	for (size_t i = 0; i < WAYS; i++) {
		hang_up(&ways[i]);
		print_times(&ways[i]);
		(void)printf(i + 1 < WAYS ? ", " : "]");
	}
}

static bool
read_way(struct way *w, char **words)
{
	struct addr to;

	if (addr_parse_ip(slice_str(words[0]), &to) != OK ||
	    addr_parse_port(slice_str(words[1]), &to.port) != OK)
		return false;
	w->fd = -1;
	w->to_len = addr_to_sockaddr(&to, (struct sockaddr *)&w->to);
	return true;
}

int
main(int argc, char **argv)
{
	double seconds;

	if (argc != 7 || !read_way(&ways[0], argv + 1) ||
	    !read_way(&ways[1], argv + 3)) {
		(void)fprintf(
		    stderr, "usage: calls IP PORT IP PORT HOST SECONDS\n");
		return 2;
	}
	(void)snprintf(request, sizeof(request),
	    "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", argv[5]);
	seconds = strtod(argv[6], NULL);
	(void)printf("{");
	run(/* stays */ false, seconds);
	(void)printf(", ");
	run(/* stays */ true, seconds);
	(void)printf("}\n");
	return 0;
}
