/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — blocking sockets for both ends of a test: clients and small servers.
 */
#include "wire.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CONNS_MAX = 4096, CHUNK = 64 << 10, IN_MAX = 256 << 20 };

/* --- one end ---------------------------------------------------------------
 */

struct wire
wire_of(int fd)
{
	struct timeval wait = {.tv_sec = WIRE_WAIT_MS / 1000};
	int one = 1;

	CHECK(fd >= 0);
	CHECK(
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
	CHECK(
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0);
	/* A head and its body in two writes must not wait for an ACK. */
	CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	return (struct wire){.fd = fd, .in = BUF(IN_MAX)};
}

static int
socket_for(const struct addr *a)
{
	return socket(
	    a->family == ADDR_V6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
}

struct wire
wire_try(const struct addr *to)
{
	struct sockaddr_storage ss;
	unsigned len = addr_to_sockaddr(to, (struct sockaddr *)&ss);
	struct wire w = wire_of(socket_for(to));

	if (connect(w.fd, (struct sockaddr *)&ss, len) != 0)
		wire_close(&w);
	return w;
}

struct wire
wire_dial(const struct addr *to)
{
	struct wire w = wire_try(to);

	CHECK(w.fd >= 0);
	return w;
}

void
wire_close(struct wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	buf_fini(&w->in);
}

bool
wire_send(struct wire *w, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = send(w->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes = slice_sub(bytes, (size_t)n, bytes.len);
	}
	return true;
}

bool
wire_say(struct wire *w, const char *text)
{
	return wire_send(w, slice_str(text));
}

void
wire_shut(struct wire *w)
{
	(void)shutdown(w->fd, SHUT_WR);
}

void
wire_reset(struct wire *w)
{
	struct linger hard = {.l_onoff = 1};

	CHECK(
	    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0);
	wire_close(w);
}

static bool
more(struct wire *w)
{
	char *room;
	ssize_t n;

	CHECK(buf_reserve(&w->in, CHUNK, &room) == OK);
	n = recv(w->fd, room, CHUNK, 0);
	CHECK(n >= 0 || errno != EAGAIN); /* a test that waits in vain */
	if (n <= 0)
		return false;
	buf_commit(&w->in, (size_t)n);
	return true;
}

bool
wire_take(struct wire *w, size_t n, struct slice *out)
{
	while (buf_len(&w->in) < n)
		if (!more(w))
			return false;
	*out = slice_sub(buf_slice(&w->in), 0, n);
	buf_consume(&w->in, n);
	return true;
}

bool
wire_some(struct wire *w, struct slice *out)
{
	if (buf_len(&w->in) == 0 && !more(w))
		return false;
	return wire_take(w, buf_len(&w->in), out);
}

bool
wire_until(struct wire *w, const char *mark, struct slice *out)
{
	size_t len = strlen(mark);
	const char *at;

	while ((at = buf_len(&w->in) < len
			 ? NULL
			 : memmem(buf_slice(&w->in).ptr, buf_len(&w->in), mark,
			       len)) == NULL)
		if (!more(w))
			return false;
	*out = slice_sub(
	    buf_slice(&w->in), 0, (size_t)(at - buf_slice(&w->in).ptr) + len);
	buf_consume(&w->in, out->len);
	return true;
}

bool
wire_is_over(struct wire *w)
{
	return buf_len(&w->in) == 0 && !more(w);
}

struct slice
wire_hello(const char *host, uint8_t out[WIRE_HELLO_MAX])
{
	size_t n = strlen(host);
	const uint8_t head[] = {
	    22, 3, 1, 0, (uint8_t)(n + 56), 1, 0, 0, (uint8_t)(n + 52), 3, 3};
	const uint8_t rest[] = {0, 0, 2, 0x13, 1, 1, 0, 0, (uint8_t)(n + 9), 0,
	    0, 0, (uint8_t)(n + 5), 0, (uint8_t)(n + 3), 0, 0, (uint8_t)n};
	size_t len = sizeof(head) + 32 + sizeof(rest) + n;

	CHECK(len <= WIRE_HELLO_MAX && n < 100);
	memset(out, 0, len);
	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head) + 32, rest, sizeof(rest));
	memcpy(out + len - n, host, n);
	return slice_of(out, len);
}

/* --- messages --- */

bool
head_has(const char *head, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = head; at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncasecmp(at, line, len) == 0 && at[len] == '\r')
			return true;
	}
	return false;
}

static bool
field(const char *head, const char *name, char *out, size_t cap)
{
	size_t len = strlen(name);

	for (const char *at = head; at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncasecmp(at, name, len) != 0 || at[len] != ':')
			continue;
		at += len + 1;
		at += strspn(at, " ");
		(void)snprintf(out, cap, "%.*s", (int)strcspn(at, "\r\n"), at);
		return true;
	}
	return false;
}

static bool
read_chunks(struct wire *w, struct buf *body, char *trailers, size_t cap)
{
	struct slice s;
	size_t n;

	for (;;) {
		if (!wire_until(w, "\r\n", &s))
			return false;
		n = strtoul(s.ptr, NULL, 16);
		if (n == 0)
			break;
		if (!wire_take(w, n + 2, &s))
			return false;
		CHECK(buf_add(body, s.ptr, n) == OK);
	}
	for (trailers[0] = 0; wire_until(w, "\r\n", &s) && s.len > 2;)
		(void)snprintf(trailers + strlen(trailers),
		    cap - strlen(trailers), "%.*s", SLICE_ARG(s));
	return s.len == 2;
}

static bool
read_body(struct wire *w, const char *head, bool until_end, struct buf *body,
    char *trailers, size_t cap)
{
	char value[128];
	struct slice s;

	if (field(head, "transfer-encoding", value, sizeof(value)))
		return read_chunks(w, body, trailers, cap);
	if (field(head, "content-length", value, sizeof(value))) {
		if (!wire_take(w, strtoul(value, NULL, 10), &s))
			return false;
		CHECK(buf_add_slice(body, s) == OK);
		return true;
	}
	if (!until_end)
		return true;
	while (more(w))
		continue;
	CHECK(buf_add_slice(body, buf_slice(&w->in)) == OK);
	buf_reset(&w->in);
	return true;
}

void
reply_read(struct wire *w, const char *method, struct reply *out)
{
	struct slice s;
	uint64_t status;

	memset(out, 0, sizeof(*out));
	buf_init(&out->body, IN_MAX);
	if (!wire_until(w, "\r\n\r\n", &s))
		return;
	CHECK(slice_to_cstr(s, out->head, sizeof(out->head)) == OK);
	CHECK(slice_to_u64(
		  slice_of(out->head + strlen("HTTP/1.1 "), 3), &status) == OK);
	out->status = (int)status;
	out->whole = true;
	if (strcmp(method, "HEAD") == 0 || out->status < 200 ||
	    out->status == 204 || out->status == 304)
		return;
	out->whole = read_body(w, out->head, /* until_end */ true, &out->body,
	    out->trailers, sizeof(out->trailers));
}

void
reply_fini(struct reply *r)
{
	buf_fini(&r->body);
}

/* --- servers ----------------------------------------------------------------
 */

struct visit {
	struct server *server;
	int fd;
	unsigned n;
	pthread_t thread;
};

struct server_inside {
	server_fn fn;
	int fd;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	struct visit *visits[CONNS_MAX];
	unsigned count;
};

static void *
visit_run(void *arg)
{
	struct visit *v = arg;
	struct wire w = wire_of(v->fd);

	v->server->inside->fn(v->server, &w, v->n);
	pthread_mutex_lock(&v->server->inside->lock);
	v->fd = -1;
	wire_close(&w);
	pthread_mutex_unlock(&v->server->inside->lock);
	return NULL;
}

/* For one more: the place of one that is over, if there is any. */
static struct visit **
place_for_visit(struct server_inside *in)
{
	for (unsigned i = 0; i < in->count; i++) {
		if (in->visits[i]->fd >= 0)
			continue;
		pthread_join(in->visits[i]->thread, NULL);
		mem_free(&in->visits[i]);
		return &in->visits[i];
	}
	CHECK(in->count < CONNS_MAX);
	return &in->visits[in->count++];
}

static void *
accept_run(void *arg)
{
	struct server *s = arg;
	struct server_inside *in = s->inside;
	int fd;

	while ((fd = accept(in->fd, NULL, NULL)) >= 0) {
		struct visit *v = mem_new(sizeof(*v));

		pthread_mutex_lock(&in->lock);
		*v = (struct visit){.server = s, .fd = fd};
		v->n = atomic_fetch_add(&s->connections, 1);
		*place_for_visit(in) = v;
		CHECK(pthread_create(&v->thread, NULL, visit_run, v) == 0);
		pthread_mutex_unlock(&in->lock);
	}
	return NULL;
}

static int
listen_any(enum addr_family family, struct addr *out)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd;

	CHECK(addr_parse_ip(
		  family == ADDR_V6 ? S("::1") : S("127.0.0.1"), out) == OK);
	fd = socket_for(out);
	CHECK(bind(fd, (struct sockaddr *)&ss,
		  addr_to_sockaddr(out, (struct sockaddr *)&ss)) == 0);
	CHECK(listen(fd, 128) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&ss, &len) == 0);
	CHECK(addr_from_sockaddr((struct sockaddr *)&ss, len, out) == OK);
	return fd;
}

void
server_open(
    struct server *s, enum addr_family family, server_fn fn, const char *text)
{
	*s = (struct server){.text = text};
	s->inside = mem_new(sizeof(*s->inside));
	s->inside->fn = fn;
	s->inside->fd = listen_any(family, &s->addr);
	CHECK(pthread_mutex_init(&s->inside->lock, NULL) == 0);
	CHECK(pthread_create(&s->inside->thread, NULL, accept_run, s) == 0);
}

void
server_refuse(struct server *s)
{
	if (s->inside->fd < 0)
		return;
	(void)shutdown(s->inside->fd, SHUT_RDWR);
	pthread_join(s->inside->thread, NULL);
	close(s->inside->fd);
	s->inside->fd = -1;
}

void
server_close(struct server *s)
{
	struct server_inside *in = s->inside;

	server_refuse(s);
	pthread_mutex_lock(&in->lock);
	for (unsigned i = 0; i < in->count; i++)
		if (in->visits[i]->fd >= 0)
			(void)shutdown(in->visits[i]->fd, SHUT_RDWR);
	pthread_mutex_unlock(&in->lock);
	for (unsigned i = 0; i < in->count; i++) {
		pthread_join(in->visits[i]->thread, NULL);
		mem_free(&in->visits[i]);
	}
	pthread_mutex_destroy(&in->lock);
	mem_free(&s->inside);
}

/*
 * Below those that the kernel gives away (ip_local_port_range), since other
 * programs' connections have these meanwhile, and each process elsewhere.
 */
struct addr
closed_port(enum addr_family family)
{
	enum { FIRST = 12000, COUNT = 20000 };
	static uint32_t next; /* 0: not begun */
	struct sockaddr_storage ss;
	struct addr a;
	bool is_free = false;

	CHECK(addr_parse_ip(
		  family == ADDR_V6 ? S("::1") : S("127.0.0.1"), &a) == OK);
	while (next == 0)
		crypto_random(&next, sizeof(next));
	while (!is_free) {
		int fd = socket_for(&a);

		a.port = (uint16_t)(FIRST + next++ % COUNT);
		is_free =
		    bind(fd, (struct sockaddr *)&ss,
			addr_to_sockaddr(&a, (struct sockaddr *)&ss)) == 0;
		close(fd);
	}
	return a;
}

bool
server_head(struct server *s, struct wire *w, struct slice *out)
{
	if (!wire_until(w, "\r\n\r\n", out))
		return false;
	atomic_fetch_add(&s->requests, 1);
	return true;
}

bool
server_message(
    struct wire *w, struct slice head, struct buf *out, char trailers[1024])
{
	AUTO(mem_free) char *text = mem_strndup(head.ptr, head.len);

	return read_body(w, text, /* until_end */ false, out, trailers, 1024);
}

bool
server_body(struct wire *w, struct slice head, struct buf *out)
{
	char trailers[1024];

	return server_message(w, head, out, trailers);
}

static bool
answer(struct wire *w, bool head_only, struct slice body)
{
	char head[128];

	(void)snprintf(head, sizeof(head),
	    "HTTP/1.1 200 OK\r\ncontent-length: %zu\r\n\r\n", body.len);
	return wire_say(w, head) && (head_only || wire_send(w, body));
}

void
serve_ok(struct server *s, struct wire *w, unsigned n)
{
	struct slice text = S("ok\n"), head;

	(void)n;
	if (s->text != NULL)
		text = slice_str(s->text);
	while (server_head(s, w, &head)) {
		AUTO(buf_fini) struct buf body = BUF(IN_MAX);
		bool head_only = slice_starts(head, S("HEAD"));

		if (!server_body(w, head, &body) || !answer(w, head_only, text))
			return;
	}
}

void
serve_echo(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	while (server_head(s, w, &head)) {
		AUTO(buf_fini) struct buf body = BUF(IN_MAX);

		CHECK(buf_add_slice(&body, head) == OK);
		head = buf_slice(&body);
		AUTO(buf_fini) struct buf rest = BUF(IN_MAX);
		if (!server_body(w, head, &rest))
			return;
		CHECK(buf_add_slice(&body, buf_slice(&rest)) == OK);
		if (!answer(w, /* head_only */ false, buf_slice(&body)))
			return;
	}
}
