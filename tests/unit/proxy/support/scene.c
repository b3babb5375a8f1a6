/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene — one listener, one service, and one connection of a client.
 */
#include "scene.h"

#include "unit.h"

void
ask(struct wire *w, const char *request, struct reply *out)
{
	EXPECT_TRUE(wire_say(w, request));
	reply_read(w, request[0] == 'H' ? "HEAD" : "GET", out);
}

void
wire_post(struct wire *w, size_t bytes)
{
	AUTO(buf_fini) struct buf out = BUF(bytes + 256);

	EXPECT_OK(buf_printf(&out,
	    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: %zu\r\n\r\n",
	    bytes));
	for (size_t i = 0; i < bytes; i++)
		EXPECT_OK(buf_add_byte(&out, 'x'));
	EXPECT_TRUE(wire_send(w, buf_slice(&out)));
}

bool
body_has(const struct reply *r, const char *text)
{
	return buf_len(&r->body) > 0 &&
	       memmem(buf_slice(&r->body).ptr, buf_len(&r->body), text,
		   strlen(text)) != NULL;
}

/* RFC 9113 §6.5.1: it is the first of the SETTINGS. */
uint32_t
wire_streams_announced(struct wire *w)
{
	static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				    "\0\0\0\4\0\0\0\0\0";
	struct slice head, first;
	struct reader r;

	EXPECT_TRUE(wire_send(w, slice_of(hello, sizeof(hello) - 1)));
	EXPECT_TRUE(wire_take(w, 9, &head));
	EXPECT_TRUE(wire_take(w, 6, &first));
	r = READER(first);
	EXPECT_EQ(reader_u16(&r), 3);
	return reader_u32(&r);
}

struct scene *
scene_with(server_fn fn, const char *text, const char *yaml)
{
	struct scene *s = mem_new(sizeof(*s));
	struct addr at;

	s->rig = rig_web(fn, text, "http", &s->server);
	if (yaml != NULL)
		rig_publish(s->rig, yaml);
	at = rig_addr(s->rig, "web");
	s->client = wire_dial(&at);
	return s;
}

struct scene *
scene_new(server_fn fn, const char *text)
{
	return scene_with(fn, text, NULL);
}

void
scene_free(struct scene **sp)
{
	struct scene *s = *sp;

	wire_close(&s->client);
	rig_free(&s->rig);
	server_close(&s->server);
	reply_fini(&s->reply);
	mem_free(sp);
}

void
scene_ask(struct scene *s, const char *request)
{
	reply_fini(&s->reply);
	ask(&s->client, request, &s->reply);
}

void
serve_text(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	while (server_head(s, w, &head))
		wire_say(w, s->text);
}

void
serve_silence(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	while (server_head(s, w, &head))
		continue;
}
