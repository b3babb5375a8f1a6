/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nameserver — see nameserver.h; RFC 1035 §4 as far as a test asks.
 */
#include "nameserver.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEAD = 12,
	MOST = 512, /* of UDP without EDNS */
	ROOM = 8192,
	TYPE_CNAME = 5,
	NXDOMAIN = 3,
	CNAMES_MAX = 8
};

/* --- writing -------------------------------------------------------------- */

struct packet {
	unsigned char bytes[ROOM];
	size_t len;
	unsigned answers;
};

static void
put16(struct packet *p, unsigned n)
{
	p->bytes[p->len++] = (unsigned char)(n >> 8);
	p->bytes[p->len++] = (unsigned char)n;
}

static void
put_name(struct packet *p, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		p->bytes[p->len++] = (unsigned char)n;
		memcpy(p->bytes + p->len, name, n);
		p->len += n;
		name += n + (name[n] == '.');
	}
	p->bytes[p->len++] = 0;
}

static void
put_record(struct packet *p, const struct nameserver_record *r, int type)
{
	size_t at;

	put_name(p, r->name);
	put16(p, (unsigned)type);
	put16(p, 1); /* the internet's */
	put16(p, r->ttl_s >> 16);
	put16(p, r->ttl_s & 0xffff);
	at = p->len;
	put16(p, 0);
	if (type == TYPE_CNAME)
		put_name(p, r->data);
	else
		p->len += inet_pton(type == NAMESERVER_V4 ? AF_INET : AF_INET6,
			      r->data, p->bytes + p->len) == 1
			      ? (type == NAMESERVER_V4 ? 4U : 16U)
			      : 0U;
	p->bytes[at + 1] = (unsigned char)(p->len - at - 2);
	p->answers++;
}

/* --- answering ------------------------------------------------------------ */

static int
type_of(const struct nameserver_record *r)
{
	unsigned char bytes[16];

	if (inet_pton(AF_INET, r->data, bytes) == 1)
		return NAMESERVER_V4;
	return inet_pton(AF_INET6, r->data, bytes) == 1 ? NAMESERVER_V6
							: TYPE_CNAME;
}

/* The name that the records of `name` are another one's; NULL: none. False if
 * nothing is known of the name. */
static bool
put_records(const struct nameserver *s, struct packet *p, const char *name,
    int type, const char **out_next)
{
	bool known = false;

	*out_next = NULL;
	for (size_t i = 0; i < s->count; i++) {
		const struct nameserver_record *r = &s->records[i];
		int is = type_of(r);

		if (strcasecmp(r->name, name) != 0)
			continue;
		known = true;
		if (is == type || is == TYPE_CNAME)
			put_record(p, r, is);
		if (is == TYPE_CNAME)
			*out_next = r->data;
	}
	return known;
}

static int
put_answer(
    const struct nameserver *s, struct packet *p, const char *name, int type)
{
	bool known = true;

	if (s->failure != 0)
		return s->failure;
	for (int i = 0; i < CNAMES_MAX && known && name != NULL; i++) {
		const char *next;

		known = put_records(s, p, name, type, &next);
		name = next;
	}
	return known ? 0 : NXDOMAIN;
}

/* "\3foo\4test\0" as text; the bytes that it takes, 0 for what is none. */
static size_t
read_name(const unsigned char *from, size_t len, char out[256])
{
	size_t at = 0, n = 0;

	while (at < len && from[at] != 0) {
		size_t label = from[at++];

		if (at + label > len || n + label + 1 >= 256)
			return 0;
		if (n > 0)
			out[n++] = '.';
		memcpy(out + n, from + at, label);
		n += label;
		at += label;
	}
	out[n] = '\0';
	return at + 1;
}

static void
answer(struct nameserver *s, struct packet *p, const struct sockaddr *to,
    socklen_t to_len)
{
	char name[256];
	size_t end = HEAD + read_name(p->bytes + HEAD, p->len - HEAD, name) + 4;
	int type, rcode;

	if (end > p->len)
		return;
	type = p->bytes[end - 4] << 8 | p->bytes[end - 3];
	p->len = end;
	pthread_mutex_lock(&s->lock);
	rcode = put_answer(s, p, name, type);
	if (!s->is_mute && s->mute_type != type) {
		bool cut = p->len > MOST;

		p->bytes[2] = (unsigned char)(cut ? 0x83 : 0x81);
		p->bytes[3] = (unsigned char)(0x80 | rcode);
		p->bytes[7] = (unsigned char)(cut ? 0 : p->answers);
		memset(p->bytes + 8, 0, 4);
		(void)!sendto(
		    s->fd, p->bytes, cut ? end : p->len, 0, to, to_len);
	}
	pthread_mutex_unlock(&s->lock);
	s->asked++;
}

static void *
serve(void *arg)
{
	struct nameserver *s = arg;
	struct pollfd fds[2] = {{.fd = s->fd, .events = POLLIN},
	    {.fd = s->wake[0], .events = POLLIN}};

	while (poll(fds, 2, -1) >= 0 && fds[1].revents == 0) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		struct packet p = {.len = 0};
		ssize_t n = recvfrom(s->fd, p.bytes, MOST, MSG_DONTWAIT,
		    (struct sockaddr *)&from, &len);

		if (n <= HEAD + 5)
			continue;
		p.len = (size_t)n;
		answer(s, &p, (struct sockaddr *)&from, len);
	}
	return NULL;
}

/* --- its life ------------------------------------------------------------- */

static void
write_file(char path[64], const char *text)
{
	int fd;

	memcpy(path, "/tmp/meshd-names-XXXXXX", 24);
	fd = mkstemp(path);
	EXPECT_TRUE(fd >= 0);
	EXPECT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

void
nameserver_open(struct nameserver *s)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sin);
	char line[64];

	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	s->fd = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_EQ(bind(s->fd, (struct sockaddr *)&sin, len), 0);
	EXPECT_EQ(getsockname(s->fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(line, sizeof(line), "nameserver 127.0.0.1:%u\n",
	    ntohs(sin.sin_port));
	write_file(s->resolv_conf, line);
	write_file(s->hosts, "192.0.2.9 static.test\n");
	EXPECT_EQ(pipe(s->wake), 0);
	EXPECT_EQ(pthread_create(&s->thread, NULL, serve, s), 0);
}

void
nameserver_close(struct nameserver *s)
{
	close(s->wake[1]); /* the thread sees the end */
	pthread_join(s->thread, NULL);
	close(s->wake[0]);
	close(s->fd);
	pthread_mutex_destroy(&s->lock);
	unlink(s->resolv_conf);
	unlink(s->hosts);
}

void
nameserver_add(
    struct nameserver *s, const char *name, const char *data, uint32_t ttl_s)
{
	struct nameserver_record *r;

	pthread_mutex_lock(&s->lock);
	EXPECT_TRUE(s->count < NAMESERVER_RECORDS);
	r = &s->records[s->count++];
	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(r->data, sizeof(r->data), "%s", data);
	r->ttl_s = ttl_s;
	pthread_mutex_unlock(&s->lock);
}

void
nameserver_clear(struct nameserver *s)
{
	pthread_mutex_lock(&s->lock);
	s->count = 0;
	pthread_mutex_unlock(&s->lock);
}

void
nameserver_set_mute(struct nameserver *s, bool is_mute, int type)
{
	pthread_mutex_lock(&s->lock);
	s->is_mute = is_mute;
	s->mute_type = type;
	pthread_mutex_unlock(&s->lock);
}

void
nameserver_set_failure(struct nameserver *s, int rcode)
{
	pthread_mutex_lock(&s->lock);
	s->failure = rcode;
	pthread_mutex_unlock(&s->lock);
}
