/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asks — load for a name server: one question, again and again, over UDP.
 *
 *	asks IP PORT NAME SECONDS
 *
 * SOCKETS sockets have WINDOW questions on their way each, sent and read in
 * batches, so that the server is what waits for nobody. An answer lost is asked
 * for again after LOST_MS. Prints answers, seconds and lost ones as JSON.
 */
#include "dns/dns.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS = 8, WINDOW = 32, LOST_MS = 200, ANSWER_MAX = 512 };

struct load {
	struct pollfd fds[SOCKETS];
	char message[DNS_UDP_MIN];
	size_t len;
	uint64_t answers;
	uint64_t lost;
};

static double
now_s(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
make_question(struct load *l, const char *name)
{
	AUTO(buf_fini) struct buf out = BUF(DNS_UDP_MIN);
	struct dns_question q = {
	    .flags = DNS_RD, .type = DNS_A, .class = DNS_IN};

	CHECK(dns_name_parse(slice_str(name), &q.name) == OK);
	CHECK(dns_question_write(&q, &out) == OK);
	l->len = buf_len(&out);
	memcpy(l->message, buf_slice(&out).ptr, l->len);
}

static void
open_sockets(struct load *l, const struct addr *to)
{
	struct sockaddr_storage sa;
	unsigned len = addr_to_sockaddr(to, (struct sockaddr *)&sa);

	for (size_t i = 0; i < SOCKETS; i++) {
		int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

		CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&sa, len) == 0);
		l->fds[i] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
}

static void
ask(struct load *l, int fd, unsigned count)
{
	struct mmsghdr m[WINDOW];
	struct iovec v = {l->message, l->len};

	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < count; i++) {
		m[i].msg_hdr.msg_iov = &v;
		m[i].msg_hdr.msg_iovlen = 1;
	}
	if (sendmmsg(fd, m, count, 0) < 0 && errno != ECONNREFUSED)
		l->lost++;
}

/* How many answers were there: with the bit of one, and no failure. */
static unsigned
read_answers(struct load *l, int fd)
{
	static char room[WINDOW][ANSWER_MAX];
	struct mmsghdr m[WINDOW];
	struct iovec v[WINDOW];
	int n;

	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < WINDOW; i++) {
		v[i] = (struct iovec){room[i], ANSWER_MAX};
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(fd, m, WINDOW, 0, NULL);
	for (int i = 0; i < n; i++) {
		if (room[i][3] & DNS_RCODE || room[i][7] == 0) {
			(void)fprintf(stderr, "asks: no address came\n");
			exit(1);
		}
		l->answers++;
	}
	return n > 0 ? (unsigned)n : 0;
}

static void
run(struct load *l, double seconds)
{
	double end = now_s() + seconds;

	for (size_t i = 0; i < SOCKETS; i++)
		ask(l, l->fds[i].fd, WINDOW);
	while (now_s() < end) {
		int n = poll(l->fds, SOCKETS, LOST_MS);

		for (size_t i = 0; i < SOCKETS; i++) {
			if (n == 0) {
				l->lost += WINDOW;
				ask(l, l->fds[i].fd, WINDOW);
			} else if (l->fds[i].revents & POLLIN) {
				ask(l, l->fds[i].fd,
				    read_answers(l, l->fds[i].fd));
			}
		}
	}
}

int
main(int argc, char **argv)
{
	struct load l = {0};
	struct addr to;
	double begin;

	if (argc != 5 || addr_parse_ip(slice_str(argv[1]), &to) != OK ||
	    addr_parse_port(slice_str(argv[2]), &to.port) != OK) {
		(void)fprintf(stderr, "usage: asks IP PORT NAME SECONDS\n");
		return 2;
	}
	make_question(&l, argv[3]);
	open_sockets(&l, &to);
	begin = now_s();
	run(&l, strtod(argv[4], NULL));
	(void)printf("{\"answers\": %llu, \"seconds\": %.3f, \"lost\": %llu}\n",
	    (unsigned long long)l.answers, now_s() - begin,
	    (unsigned long long)l.lost);
	return 0;
}
