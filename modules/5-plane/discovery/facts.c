/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts — what a machine tells its servers of itself, beside its record.
 */
#include "codec/codec.h"

#include "inside.h"

enum { FACT_TREE_BYTES = 16 << 10 };

/* --- telling -------------------------------------------------------------- */

struct telling {
	void (*each)(void *arg, struct slice fact);
	void *arg;
	struct arena arena; /* of one fact */
	size_t left_out;
};

static void
put_addr(
    struct arena *a, struct value **m, struct slice key, const struct addr *of)
{
	char text[ADDR_TEXT_MAX];

	value_put_text(a, m, key, slice_str(addr_format(of, text)));
}

static void
tell(struct telling *t, const struct value *fact)
{
	AUTO(buf_fini) struct buf text = BUF(DISCOVERY_FACT_MAX);

	if (fact != NULL && codec_json_emit(fact, &text) == OK)
		t->each(t->arg, buf_slice(&text));
	else
		t->left_out++;
	arena_reset(&t->arena);
}

static void
tell_text(struct telling *t, struct slice key, struct slice text)
{
	struct value *m = value_new(&t->arena, VALUE_MAP);

	value_put_text(&t->arena, &m, key, text);
	tell(t, m);
}

static void
tell_label(struct telling *t, const struct label *l)
{
	struct value *m = value_new(&t->arena, VALUE_MAP);

	value_put_text(&t->arena, &m, S("label"), l->key);
	value_put_text(&t->arena, &m, S("value"), l->value);
	tell(t, m);
}

static void
tell_upstream(struct telling *t, const struct view_upstream_input *u)
{
	struct arena *a = &t->arena;
	struct value *m = value_new(a, VALUE_MAP);

	value_put_text(a, &m, S("upstream"), u->name);
	value_put_text(a, &m, S("host"), u->host);
	value_put_int(a, &m, S("port"), u->port);
	put_addr(a, &m, S("listen"), &u->listen);
	value_put_text(a, &m, S("namespace"), u->ns);
	value_put_text(a, &m, S("account"), u->account);
	tell(t, m);
}

static void
tell_target(struct telling *t, const struct discovery_local *l)
{
	struct value *m = value_new(&t->arena, VALUE_MAP);

	value_put_int(&t->arena, &m, S("port"), l->port);
	put_addr(&t->arena, &m, S("target"), &l->target);
	tell(t, m);
}

size_t
discovery_each_fact(const struct discovery_machine *m,
    void (*each)(void *arg, struct slice fact), void *arg)
{
	struct telling t = {.each = each, .arg = arg};

	arena_init(&t.arena, FACT_TREE_BYTES);
	tell_text(&t, S("namespace"), m->ns);
	if (m->account.len > 0)
		tell_text(&t, S("caller"), m->account);
	if (m->proxy == VIEW_ROUTER)
		tell_text(&t, S("proxy"), S("gateway"));
	for (size_t i = 0; i < m->labels.count; i++)
		tell_label(&t, &m->labels.items[i]);
	for (size_t i = 0; i < m->upstream_count; i++)
		tell_upstream(&t, &m->upstreams[i]);
	for (size_t i = 0; i < m->local_count; i++)
		tell_target(&t, &m->locals[i]);
	arena_fini(&t.arena);
	return t.left_out;
}

/* --- hearing -------------------------------------------------------------- */

/* A machine that is put together. */
struct hearing {
	struct arena *arena;
	struct discovery_machine *m;
	struct view_upstream_input *upstreams;
	struct label *labels;
	struct discovery_local *locals;
	size_t unheard; /* locals of which no target was told */
};

static enum err
read_text(const struct hearing *h, const struct value *v, struct slice key,
    struct slice *out)
{
	return arena_copy(h->arena, value_get_string(v, key, SLICE_NONE), out);
}

static enum err
read_port(const struct value *v, uint16_t *out)
{
	int64_t port = value_get_int(v, S("port"), -1);

	if (port < 0 || port > UINT16_MAX)
		return ERR_INVALID;
	*out = (uint16_t)port;
	return OK;
}

static enum err
read_addr(const struct value *v, struct slice key, struct addr *out)
{
	return addr_parse(value_get_string(v, key, SLICE_NONE), out);
}

static enum err
hear_upstream(struct hearing *h, const struct value *v)
{
	struct view_upstream_input *u = &h->upstreams[h->m->upstream_count];
	enum err e = read_text(h, v, S("upstream"), &u->name);

	if (e == OK)
		e = read_text(h, v, S("host"), &u->host);
	if (e == OK)
		e = read_text(h, v, S("namespace"), &u->ns);
	if (e == OK)
		e = read_text(h, v, S("account"), &u->account);
	if (e == OK)
		e = read_port(v, &u->port);
	if (e == OK)
		e = read_addr(v, S("listen"), &u->listen);
	if (e == OK)
		h->m->upstream_count++;
	return e;
}

static enum err
hear_proxy(struct hearing *h, const struct value *v)
{
	if (!slice_eq(
		value_get_string(v, S("proxy"), SLICE_NONE), S("gateway")))
		return ERR_INVALID;
	h->m->proxy = VIEW_ROUTER;
	return OK;
}

static enum err
hear_label(struct hearing *h, const struct value *v)
{
	struct label *l = &h->labels[h->m->labels.count];
	enum err e = read_text(h, v, S("label"), &l->key);

	if (e == OK)
		e = read_text(h, v, S("value"), &l->value);
	if (e == OK)
		h->m->labels.count++;
	return e;
}

/* A record and what is told come by different ways. */
static enum err
hear_target(struct hearing *h, const struct value *v)
{
	struct addr target;
	uint16_t port = 0;
	enum err e = read_port(v, &port);

	if (e == OK)
		e = read_addr(v, S("target"), &target);
	if (e != OK)
		return e;
	for (size_t i = 0; i < h->m->local_count; i++) {
		if (h->locals[i].port != port)
			continue;
		h->locals[i].target = target;
		h->unheard -= h->unheard > 0;
		return OK;
	}
	h->m->mismatches++;
	return OK;
}

static enum err
hear(struct hearing *h, struct slice fact)
{
	AUTO(arena_fini) struct arena tree = {0};
	const struct value *v;
	enum err e;

	arena_init(&tree, FACT_TREE_BYTES);
	e = codec_json_parse(fact, &tree, &v, NULL);
	if (e != OK)
		return e;
	if (value_get(v, S("upstream")) != NULL)
		return hear_upstream(h, v);
	if (value_get(v, S("target")) != NULL)
		return hear_target(h, v);
	if (value_get(v, S("namespace")) != NULL)
		return read_text(h, v, S("namespace"), &h->m->ns);
	if (value_get(v, S("caller")) != NULL)
		return read_text(h, v, S("caller"), &h->m->account);
	if (value_get(v, S("proxy")) != NULL)
		return hear_proxy(h, v);
	if (value_get(v, S("label")) != NULL)
		return hear_label(h, v);
	return v->type == VALUE_MAP ? OK : ERR_INVALID;
}

static enum err
begin(struct hearing *h, size_t count)
{
	struct discovery_machine *m = h->m;

	h->upstreams =
	    arena_alloc_array(h->arena, count + 1, sizeof(*h->upstreams));
	h->locals =
	    arena_alloc_array(h->arena, m->local_count + 1, sizeof(*h->locals));
	h->labels = arena_alloc_array(h->arena, count + 1, sizeof(*h->labels));
	if (h->upstreams == NULL || h->locals == NULL || h->labels == NULL)
		return ERR_LIMIT;
	if (m->local_count > 0)
		memcpy(
		    h->locals, m->locals, m->local_count * sizeof(*h->locals));
	m->locals = h->locals;
	m->upstreams = h->upstreams;
	m->upstream_count = 0;
	m->labels = (struct labels){h->labels, 0};
	m->mismatches = 0;
	h->unheard = m->local_count;
	return OK;
}

enum err
discovery_take_facts(const struct slice *facts, size_t count,
    struct arena *arena, struct discovery_machine *m, struct fault *why)
{
	struct hearing h = {.arena = arena, .m = m};
	enum err e = count > DISCOVERY_FACTS_MAX ? ERR_LIMIT : begin(&h, count);

	if (e != OK)
		return fault_set(why, ERR_LIMIT,
		    "a machine may tell at most %d facts of itself",
		    DISCOVERY_FACTS_MAX);
	for (size_t i = 0; i < count; i++) {
		e = hear(&h, facts[i]);
		if (e != OK)
			return fault_set(why, ERR_INVALID,
			    "what it tells of itself is not understood: %.*s",
			    SLICE_ARG(slice_sub(facts[i], 0, 100)));
	}
	m->mismatches += h.unheard;
	return OK;
}
