/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world — a server and several clients, whatever happens between them.
 *
 * Changes, slow and lost messages, refusals, clients that come back, from the
 * disk too, and a server that is started again, in any order: once all is
 * quiet, each client has what the server has of what concerns it.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "pair.h"

enum { CLIENTS = 3, NAMES = 10, STEPS = 150, SEEDS = 2000, BODY_MAX = 256 };

/* What there is; version 0: nothing. */
struct thing {
	unsigned version;
	bool bad; /* clients refuse it */
};

struct world {
	uint64_t seed;
	struct rng rng;
	struct xds_source *source;
	struct thing things[NAMES];
	unsigned versions;
	struct pair clients[CLIENTS];
};

static struct world w;

static size_t
any(size_t count)
{
	return (size_t)rng_below(&w.rng, count);
}

static struct slice
name_of(size_t n, char out[8])
{
	(void)snprintf(out, 8, "n%zu", n);
	return slice_str(out);
}

/* Its body; long enough for a difference to be worth it. */
static struct slice
body_of(unsigned version, bool bad, char out[BODY_MAX])
{
	int len = snprintf(out, BODY_MAX,
	    "%s, %60s, and it is the version %u, %60s", bad ? "bad" : "good",
	    "as it ever was", version, "as it will always be");

	return slice_of(out, (size_t)len);
}

static bool
concerns(const struct pair *p, size_t name)
{
	return p->interests >> name & 1;
}

/* As an owner does that knows what concerns whom. */
static void
tell(struct pair *p, size_t name)
{
	char text[8];

	if (p->stream != NULL && concerns(p, name))
		xds_server_stream_refilter_name(
		    p->stream, S(PAIR_TOLD), name_of(name, text));
}

static void
tell_all(struct pair *p)
{
	for (size_t i = 0; i < NAMES; i++)
		tell(p, i);
}

struct texts {
	char name[8], version[16], body[BODY_MAX];
};

static struct xds_resource
resource_of(size_t name, struct texts *out)
{
	const struct thing *t = &w.things[name];

	(void)snprintf(out->version, sizeof(out->version), "%u", t->version);
	return (struct xds_resource){.type_url = S(PAIR_TOLD),
	    .name = name_of(name, out->name),
	    .version = slice_str(out->version),
	    .body = body_of(t->version, t->bad, out->body)};
}

static void
publish(size_t name)
{
	const struct thing *t = &w.things[name];
	struct texts texts;
	struct xds_resource r = resource_of(name, &texts);

	if (t->version > 0)
		EXPECT_OK(xds_source_put(w.source, &r));
	else
		xds_source_remove(w.source, r.type_url, r.name);
	for (size_t i = 0; i < CLIENTS; i++)
		tell(&w.clients[i], name);
}

/* What it was before, as an owner tells of what it still has. */
static void
tell_base(size_t name)
{
	const struct thing *t = &w.things[name];
	struct texts texts;
	struct xds_resource r = resource_of(name, &texts);

	if (t->version > 0 && any(4) != 0)
		xds_source_base(w.source, &r);
	if (any(8) == 0)
		xds_source_forget(w.source);
}

static void
change(void)
{
	size_t name = any(NAMES);

	tell_base(name);
	xds_source_stamp(w.source, w.versions + 1);
	w.things[name] = (struct thing){.bad = any(5) == 0};
	if (any(4) != 0)
		w.things[name].version = ++w.versions;
	publish(name);
	xds_source_stamp(w.source, 0);
}

static enum err
no_body(void *arg, const struct xds_resource *r, struct buf *out)
{
	(void)arg;
	(void)r;
	(void)out;
	return ERR_INTERNAL; /* all are put with theirs */
}

static void
start_server(void)
{
	w.source = xds_source_new(no_body, NULL);
	xds_source_add_type(w.source, S(PAIR_OTHER), XDS_TOLD_ALL);
	xds_source_add_type(w.source, S(PAIR_TOLD), XDS_TOLD_BY_OWNER);
}

/* What it had is stored, with the same versions. */
static void
restart_server(void)
{
	for (size_t i = 0; i < CLIENTS; i++)
		pair_disconnect(&w.clients[i]);
	xds_source_free(&w.source);
	start_server();
	for (size_t i = 0; i < NAMES; i++)
		if (w.things[i].version > 0)
			publish(i);
	for (size_t i = 0; i < CLIENTS; i++)
		w.clients[i].source = w.source;
}

static void
subscribe(struct pair *p)
{
	EXPECT_OK(xds_client_subscribe(p->client, S(PAIR_TOLD), S("")));
}

static void
look_elsewhere(struct pair *p)
{
	char text[8];
	uint64_t before = p->interests;

	p->interests = rng_u64(&w.rng);
	for (size_t i = 0; p->stream != NULL && i < NAMES; i++)
		if ((before ^ p->interests) >> i & 1)
			xds_server_stream_refilter_name(
			    p->stream, S(PAIR_TOLD), name_of(i, text));
}

static void
come_or_go(struct pair *p)
{
	if (p->stream == NULL)
		pair_connect(p);
	else if (any(3) == 0)
		pair_disconnect(p);
	else if (any(4) == 0)
		xds_server_stream_hold(p->stream, any(2) == 0);
	else if (any(8) == 0) {
		pair_restart_client(p);
		subscribe(p);
	}
}

static void
step(void)
{
	struct pair *p = &w.clients[any(CLIENTS)];

	switch (any(9)) {
	case 0:
	case 1:
		change();
		break;
	case 2:
		xds_source_flush(w.source);
		break;
	case 3:
	case 4:
		if (p->stream != NULL && any(2) == 0)
			(void)pair_up(p);
		else if (p->stream != NULL)
			(void)pair_down(p);
		break;
	case 5:
		if (p->open_count > 0)
			pair_settle(p);
		break;
	case 6:
		look_elsewhere(p);
		break;
	case 7:
		if (any(20) == 0)
			restart_server();
		break;
	default:
		come_or_go(p);
	}
}

/* --- at rest --- */

/* Of each name a client's version, 0 if it has none. */
struct found {
	unsigned version[NAMES];
	size_t others;
};

static void
note(struct found *f, struct slice name, struct slice version)
{
	uint64_t n, v;

	if (slice_to_u64(slice_sub(name, 1, name.len), &n) != OK ||
	    n >= NAMES || slice_to_u64(version, &v) != OK)
		f->others++;
	else
		f->version[n] = (unsigned)v;
}

static void
note_held(void *arg, const struct xds_resource *r)
{
	struct found *f = arg;
	char body[BODY_MAX];
	uint64_t v;

	note(f, r->name, r->version);
	if (slice_to_u64(r->version, &v) != OK ||
	    !slice_eq(r->body, body_of((unsigned)v, /* bad */ false, body)))
		f->others++;
}

static void
note_refused(void *arg, const struct xds_status *s)
{
	note(arg, s->name, s->version);
}

static bool
is_right(const struct pair *p)
{
	struct found held = {.others = 0}, refused = {.others = 0};
	bool right = true;

	xds_client_each(p->client, note_held, &held);
	xds_client_each_refused(p->client, note_refused, &refused);
	for (size_t i = 0; i < NAMES; i++) {
		const struct thing *t = &w.things[i];
		unsigned wanted = concerns(p, i) ? t->version : 0;

		if (wanted > 0 && t->bad)
			right &= refused.version[i] == wanted &&
				 held.version[i] < wanted;
		else
			right &= refused.version[i] == 0 &&
				 held.version[i] == wanted;
	}
	return right && held.others == 0 && refused.others == 0 &&
	       xds_client_is_synced(p->client) &&
	       xds_server_stream_is_quiet(p->stream);
}

static void
come_to_rest(struct pair *p)
{
	if (p->stream == NULL)
		pair_connect(p);
	xds_server_stream_hold(p->stream, false);
	pair_run(p);
}

static void
one_run(uint64_t seed)
{
	bool right = true;

	w = (struct world){.seed = seed};
	rng_init(&w.rng, seed);
	start_server();
	for (size_t i = 0; i < CLIENTS; i++) {
		pair_init_over(&w.clients[i], w.source);
		w.clients[i].hold = true;
		w.clients[i].on_names = tell_all;
		subscribe(&w.clients[i]);
	}
	for (size_t i = 0; i < STEPS; i++)
		step();
	for (size_t i = 0; i < CLIENTS; i++)
		come_to_rest(&w.clients[i]);
	for (size_t i = 0; i < CLIENTS; i++)
		right &= is_right(&w.clients[i]);
	if (!right)
		printf("seed %llu\n", (unsigned long long)seed);
	EXPECT_TRUE(right);
	for (size_t i = 0; i < CLIENTS; i++) {
		w.clients[i].source = NULL;
		pair_fini(&w.clients[i]);
	}
	xds_source_free(&w.source);
}

TEST(whatever_happens_each_client_ends_with_what_the_server_has_for_it)
{
	struct rng rng;

	rng_init_random(&rng);
	for (int i = 0; i < SEEDS; i++)
		one_run(rng_u64(&rng));
}
