/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link — from "host:port" to an open TLS stream to one of the mesh's servers.
 *
 *	RESOLVING --names--> CONNECTING --open--> done
 *	    |                 |   ^ next address
 *	    `-- failure ------+---'-- none left --> done with words
 *
 * A stream that failed is forgotten in its on_close; a cancelled link leaves
 * its stream to close by itself.
 */
#include <stdio.h>

#include "ca/ca.h"

#include "link.h"

enum { LINK_MAGIC = 0x6c696e6b, EXPECTED_MAX = NAME_SPIFFE_MAX + 1 };

struct link {
	uint32_t magic;
	struct link_spec spec;
	char server[CA_TOKEN_SERVER_LEN];
	char trust_domain[NAME_TRUST_DOMAIN_MAX + 1];
	struct tls_pin pin;
	struct slice host;
	uint16_t port;
	struct loop_resolve *resolve; /* while it runs */
	struct loop_later later;
	struct addr addrs[LOOP_RESOLVE_ADDRS_MAX];
	size_t count;
	size_t next;
	struct stream *tcp;
	struct stream *tls;
	struct fault why;
};

static void try_next(struct link *l);

/* The host of "host:port", brackets off, and the port. */
static enum err
link_parse_server(
    struct slice server, struct slice *out_host, uint16_t *out_port)
{
	size_t colon = slice_rfind(server, ':');
	struct slice host = slice_sub(server, 0, colon);
	uint16_t port;

	if (colon == server.len || host.len == 0 ||
	    addr_parse_port(slice_sub(server, colon + 1, server.len), &port) !=
		OK)
		return ERR_PARSE;
	if (host.ptr[0] == '[') {
		if (host.len < 3 || host.ptr[host.len - 1] != ']')
			return ERR_PARSE;
		host = slice_sub(host, 1, host.len - 2);
	}
	*out_host = host;
	*out_port = port;
	return OK;
}

/* --- the end -------------------------------------------------------------- */

static void
link_free(struct link **lp)
{
	struct link *l = *lp;

	loop_later_cancel(&l->later);
	if (l->resolve != NULL)
		loop_resolve_cancel(&l->resolve);
	tls_config_unref(&l->spec.config);
	tls_identity_unref(&l->spec.identity);
	tls_trust_unref(&l->spec.trust);
	l->magic = 0;
	mem_free(lp);
}

/* Nobody waits for it any more. */
static void
drop_stream(struct stream **sp)
{
	struct stream *s = TAKE(*sp);

	if (s == NULL)
		return;
	stream_set_events(s, &stream_deaf, NULL);
	stream_close(s, ERR_CANCELLED);
}

void
link_cancel(struct link **lp)
{
	struct link *l = *lp;

	if (l == NULL)
		return;
	drop_stream(&l->tls);
	drop_stream(&l->tcp);
	link_free(lp);
}

static void
finish(struct link *l, struct stream *open, enum err e)
{
	struct link_spec spec = l->spec;
	struct fault why = l->why;

	link_free(&l);
	spec.done(spec.arg, open, e, e != OK ? &why : NULL);
}

static void
fail(struct link *l)
{
	if (l->why.code == OK)
		(void)fault_set(&l->why, ERR_UNREACHABLE, "it has no address");
	(void)fault_prefix(&l->why, l->why.code, "server %s: ", l->server);
	finish(l, NULL, l->why.code);
}

/* --- TLS ------------------------------------------------------------------ */

static void
on_tls_open(struct stream *s, void *arg)
{
	struct link *l;

	OBJ(l, arg, LINK_MAGIC);
	l->tls = NULL;
	finish(l, s, OK);
}

static void
on_tls_close(struct stream *s, void *arg, enum err why)
{
	const struct fault *words = tls_stream_fault(s);
	struct link *l;

	OBJ(l, arg, LINK_MAGIC);
	l->tls = NULL;
	if (words != NULL && words->code != OK)
		l->why = *words;
	else
		(void)fault_set(&l->why, why != OK ? why : ERR_CLOSED,
		    "the TLS handshake failed (%s)", err_text(why));
	try_next(l);
}

static void
on_early_data(struct stream *s, void *arg, struct slice data)
{
	(void)arg;
	(void)data;
	stream_close(s, ERR_PROTOCOL); /* before on_open nothing may come */
}

static void
start_tls(struct link *l)
{
	static const struct stream_events events = {
	    .on_open = on_tls_open,
	    .on_data = on_early_data,
	    .on_close = on_tls_close,
	};
	char expected[EXPECTED_MAX];
	struct slice wanted;
	struct tls_client_spec spec = {.config = l->spec.config,
	    .identity = l->spec.identity,
	    .trust = l->spec.trust,
	    .root_pin = l->spec.root_pin != NULL ? &l->pin : NULL,
	    .expected = &wanted,
	    .expected_count = 1};
	struct addr ip;
	struct stream *below = l->tcp;

	(void)snprintf(expected, sizeof(expected),
	    "spiffe://%s/ns/" CA_NS_SERVERS "/sa/*", l->trust_domain);
	wanted = slice_str(expected);
	if (addr_parse_ip(l->host, &ip) != OK)
		spec.sni = l->host;
	if (tls_stream_client(below, &spec, &events, l, &l->tls, &l->why) ==
	    OK) {
		l->tcp = NULL;
		return;
	}
	drop_stream(&l->tcp);
	fail(l); /* another address would not help */
}

/* --- TCP ------------------------------------------------------------------ */

static void
on_tcp_open(struct stream *s, void *arg)
{
	struct link *l;

	(void)s;
	OBJ(l, arg, LINK_MAGIC);
	start_tls(l);
}

static void
on_tcp_close(struct stream *s, void *arg, enum err why)
{
	struct link *l;

	(void)s;
	OBJ(l, arg, LINK_MAGIC);
	l->tcp = NULL;
	(void)fault_set(
	    &l->why, why != OK ? why : ERR_CLOSED, "%s", err_text(why));
	try_next(l);
}

static void
try_next(struct link *l)
{
	static const struct stream_events events = {
	    .on_open = on_tcp_open,
	    .on_data = on_early_data,
	    .on_close = on_tcp_close,
	};
	struct net_connect_spec spec = NET_CONNECT_SPEC;

	if (l->next == l->count) {
		fail(l);
		return;
	}
	spec.addr = l->addrs[l->next++];
	spec.addr.port = l->port;
	spec.timeout_us = LINK_CONNECT_US;
	l->tcp = net_connect(l->spec.loop, &spec, &events, l);
}

/* --- names ---------------------------------------------------------------- */

static void
on_names(void *arg, enum err e, const struct addr *addrs, size_t count,
    uint32_t ttl_s)
{
	struct link *l;

	(void)ttl_s;
	OBJ(l, arg, LINK_MAGIC);
	l->resolve = NULL;
	if (e != OK)
		(void)fault_set(
		    &l->why, e, "its name has no address (%s)", err_text(e));
	l->count = MIN(count, ARRAY_LEN(l->addrs));
	if (l->count > 0)
		memcpy(l->addrs, addrs, l->count * sizeof(*addrs));
	try_next(l);
}

static void
fail_later(void *arg)
{
	struct link *l;

	OBJ(l, arg, LINK_MAGIC);
	fail(l);
}

static void
resolve(struct link *l)
{
	if (link_parse_server(slice_str(l->server), &l->host, &l->port) != OK) {
		(void)fault_set(
		    &l->why, ERR_PARSE, "not host:port, e.g. 10.0.0.1:15012");
	} else {
		l->resolve =
		    loop_resolve(l->spec.loop, l->host, ADDR_NONE, on_names, l);
		if (l->resolve != NULL)
			return;
		(void)fault_set(
		    &l->why, ERR_BUSY, "too many names are looked up already");
	}
	loop_later(l->spec.loop, &l->later);
}

struct link *
link_dial(const struct link_spec *spec)
{
	struct link *l = mem_new(sizeof(*l));

	l->magic = LINK_MAGIC;
	l->spec = *spec;
	loop_later_init(&l->later, fail_later, l);
	/* Both come from a token or an answer that was checked for length. */
	CHECK(slice_to_cstr(spec->server, l->server, sizeof(l->server)) == OK);
	CHECK(slice_to_cstr(spec->trust_domain, l->trust_domain,
		  sizeof(l->trust_domain)) == OK);
	if (spec->root_pin != NULL)
		l->pin = *spec->root_pin;
	l->spec.config = tls_config_ref(spec->config);
	if (spec->identity != NULL)
		l->spec.identity = tls_identity_ref(spec->identity);
	if (spec->trust != NULL)
		l->spec.trust = tls_trust_ref(spec->trust);
	resolve(l);
	return l;
}
