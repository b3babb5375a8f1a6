/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer — a client or a service of either version; see peer.h.
 */
#include "peer.h"

#include <stdio.h>
#include <sys/socket.h>

enum { BODY_MAX = 256 << 20 };

void
peer_client(struct peer *p, struct wire *w, bool is_h2)
{
	memset(p, 0, sizeof(*p));
	p->wire = w;
	p->is_h2 = is_h2;
	if (is_h2)
		h2_client(&p->h2, w, (struct h2_how){0});
}

/* What the client's preface begins with is no method of HTTP/1.1. */
void
peer_server(struct peer *p, struct wire *w)
{
	char first[3];

	memset(p, 0, sizeof(*p));
	p->wire = w;
	p->is_h2 = recv(w->fd, first, sizeof(first), MSG_PEEK | MSG_WAITALL) ==
		       (ssize_t)sizeof(first) &&
		   memcmp(first, "PRI", sizeof(first)) == 0;
	if (p->is_h2)
		h2_server(&p->h2, w, (struct h2_how){0});
}

void
peer_fini(struct peer *p)
{
	if (p->is_h2)
		h2_fini(&p->h2);
}

/* --- sending --- */

void
peer_head(struct peer *p, const char *head, bool end)
{
	bool answers = slice_starts(slice_str(head), S("HTTP/"));

	(void)snprintf(p->method, sizeof(p->method), "%.*s",
	    (int)strcspn(head, " "), head);
	if (!p->is_h2) {
		p->chunked = head_has(head, "transfer-encoding: chunked");
		(void)wire_say(p->wire, head);
	} else if (answers) {
		h2_respond(&p->h2, p->now, head, end);
	} else {
		p->now = h2_request(&p->h2, head, end);
		p->earlies = 0;
	}
}

void
peer_body(struct peer *p, struct slice bytes)
{
	char size[32];

	if (p->is_h2) {
		h2_data(&p->h2, p->now, bytes, /* end */ false);
		(void)h2_sent(&p->h2, p->now);
		return;
	}
	(void)snprintf(size, sizeof(size), "%zx\r\n", bytes.len);
	/* Whether it went shows in what comes back. */
	(void)!(!p->chunked || wire_say(p->wire, size));
	(void)wire_send(p->wire, bytes);
	(void)!(!p->chunked || wire_say(p->wire, "\r\n"));
}

void
peer_end(struct peer *p, const char *trailers)
{
	if (p->is_h2) {
		if (trailers != NULL)
			h2_trailers(&p->h2, p->now, trailers);
		else
			h2_data(&p->h2, p->now, SLICE_NONE, /* end */ true);
		return;
	}
	if (!p->chunked)
		return;
	(void)wire_say(p->wire, "0\r\n");
	(void)wire_say(p->wire, trailers != NULL ? trailers : "");
	(void)wire_say(p->wire, "\r\n");
}

/* --- reading --- */

static void
copy_text(const char *text, char *out, size_t cap)
{
	CHECK(text == NULL || strlen(text) < cap);
	(void)snprintf(out, cap, "%s", text != NULL ? text : "");
}

static void
read_h2_reply(struct peer *p, struct reply *out)
{
	struct h2_stream *s = p->now;

	memset(out, 0, sizeof(*out));
	buf_init(&out->body, BODY_MAX);
	(void)H2_UNTIL(
	    &p->h2, s->earlies > p->earlies || s->head != NULL || s->closed);
	if (s->earlies > p->earlies) {
		p->earlies = s->earlies;
		copy_text(s->early, out->head, sizeof(out->head));
		out->status = (out->head[7] - '0') * 100 +
			      (out->head[8] - '0') * 10 + out->head[9] - '0';
		out->whole = true;
		return;
	}
	out->whole = h2_whole(&p->h2, s);
	out->status = s->status;
	copy_text(s->head, out->head, sizeof(out->head));
	copy_text(s->trailers, out->trailers, sizeof(out->trailers));
	CHECK(buf_add_slice(&out->body, buf_slice(&s->body)) == OK);
}

void
peer_reply(struct peer *p, struct reply *out)
{
	if (p->is_h2)
		read_h2_reply(p, out);
	else
		reply_read(p->wire, p->method, out);
}

bool
peer_next(struct peer *p)
{
	struct slice head;

	if (p->is_h2) {
		p->now = h2_next(&p->h2);
		if (p->now == NULL)
			return false;
		copy_text(p->now->head, p->request, sizeof(p->request));
		return true;
	}
	if (!wire_until(p->wire, "\r\n\r\n", &head))
		return false;
	CHECK(slice_to_cstr(head, p->request, sizeof(p->request)) == OK);
	return true;
}

bool
peer_rest(struct peer *p, struct buf *body, char trailers[1024])
{
	trailers[0] = 0;
	if (!p->is_h2)
		return server_message(
		    p->wire, slice_str(p->request), body, trailers);
	if (!h2_whole(&p->h2, p->now))
		return false;
	CHECK(buf_add_slice(body, buf_slice(&p->now->body)) == OK);
	copy_text(p->now->trailers, trailers, 1024);
	return true;
}

void
serve_mirror(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	char trailers[1024];

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		AUTO(buf_fini) struct buf body = BUF(BODY_MAX);

		atomic_fetch_add(&s->requests, 1);
		if (!peer_rest(p, &body, trailers))
			continue;
		peer_head(p,
		    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
		    /* end */ false);
		peer_body(p, slice_str(p->request));
		if (buf_len(&body) > 0)
			peer_body(p, buf_slice(&body));
		if (trailers[0] != 0)
			peer_body(p, slice_str(trailers));
		peer_end(p, "x-mirrored: all\r\n");
	}
	peer_fini(p);
}

/* --- a proxy between them --- */

struct duo *
duo_new(struct way way, server_fn fn, const char *text, const char *yaml)
{
	struct duo *d = mem_new(sizeof(*d));
	const char *protocol = way.web   ? "grpc-web"
			       : way.up2 ? "http2"
					 : "http";
	struct addr at;

	if (way.tunnel) {
		d->mesh = mesh_new(ADDR_V4, protocol, fn);
		d->mesh->service.text = text;
		d->rig = d->mesh->near;
		d->server = &d->mesh->service;
		rig_publish(d->mesh->far, NULL);
		rig_publish(d->rig, yaml);
	} else {
		d->rig = rig_web(fn, text, protocol, &d->own);
		d->server = &d->own;
		if (yaml != NULL)
			rig_publish(d->rig, yaml);
	}
	at = rig_addr(d->rig, "web");
	d->wire = wire_dial(&at);
	peer_client(&d->client, &d->wire, way.down2);
	return d;
}

void
duo_free(struct duo **dp)
{
	struct duo *d = *dp;

	wire_close(&d->wire);
	peer_fini(&d->client);
	reply_fini(&d->reply);
	if (d->mesh != NULL) {
		mesh_free(&d->mesh);
	} else {
		rig_free(&d->rig);
		server_close(&d->own);
	}
	mem_free(dp);
}

void
duo_read(struct duo *d)
{
	reply_fini(&d->reply);
	peer_reply(&d->client, &d->reply);
}

void
duo_ask(struct duo *d, const char *head)
{
	peer_head(&d->client, head, /* end */ true);
	duo_read(d);
}

void
duo_post(struct duo *d)
{
	peer_head(&d->client,
	    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\n",
	    /* end */ false);
	peer_body(&d->client, S("hi"));
	peer_end(&d->client, NULL);
	duo_read(d);
}
