/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settled — services that the machine's own files say, and how one is read.
 *
 * What cannot be offered is told as a problem, and the rest is: a file that
 * was right when it was written may clash with what was exposed since.
 */
#define LOG_MODULE "node"

#include "inside.h"

enum { PROBLEMS_BYTES_MAX = 1 << 20 };

struct settled {
	struct arena arena; /* of problems */
	struct node_problem problems[NODE_EXPOSED_MAX];
	size_t count;
};

static enum err
read_port(
    const struct value *v, struct slice key, uint16_t *out, struct fault *why)
{
	int64_t n = value_get_int(v, key, 0);

	if (n < 0 || n > UINT16_MAX)
		return fault_set(
		    why, ERR_INVALID, "%.*s is no port", SLICE_ARG(key));
	*out = (uint16_t)n;
	return OK;
}

enum err
node_expose_read(const struct value *v, struct label labels[GOSSIP_LABELS_MAX],
    struct node_expose *out, struct fault *why)
{
	struct slice target = value_get_string(v, S("target"), S(""));
	uint16_t port = 0;
	enum err e = read_port(v, S("port"), &port, why);

	*out = (struct node_expose){.labels = labels, .port = port};
	if (e != OK)
		return e;
	out->name = value_get_string(v, S("name"), S(""));
	out->ns = value_get_string(v, S("namespace"), SLICE_NONE);
	out->account = value_get_string(v, S("account"), SLICE_NONE);
	out->protocol = value_get_string(v, S("protocol"), SLICE_NONE);
	out->check = value_get(v, S("check"));
	if (out->check != NULL && out->check->type != VALUE_MAP)
		return fault_set(why, ERR_INVALID,
		    "check is no map, as the spec of a HealthCheckPolicy is");
	if (addr_parse(target, &out->target) != OK)
		return fault_set(why, ERR_INVALID,
		    "target \"%.*s\" is no address with a port",
		    SLICE_ARG(target));
	VALUE_EACH(value_get(v, S("labels")), it)
	if (it->type == VALUE_STRING && out->label_count < GOSSIP_LABELS_MAX)
		labels[out->label_count++] =
		    (struct label){it->key, it->string};
	return OK;
}

static void
on_refused(void *arg, const struct node_expose *e, const struct fault *why)
{
	struct settled *s = arg;
	struct node_problem *p = &s->problems[s->count];

	log_warn("a service of a file is not offered", "at=%.*s why=\"%s\"",
	    SLICE_ARG(e->origin), why->text);
	p->kind = "service";
	if (s->count < ARRAY_LEN(s->problems) &&
	    arena_copy(&s->arena, e->origin, &p->about) == OK &&
	    arena_copy(&s->arena, slice_str(why->text), &p->text) == OK)
		s->count++;
}

void
node_set_services(struct node *n, const struct node_expose *list, size_t count)
{
	struct settled *s = n->settled;

	arena_reset(&s->arena);
	s->count = 0;
	if (exposed_set(n, NODE_BY_SETTINGS, list, count, on_refused, s))
		node_identities_changed(n);
}

void
settled_open(struct node *n)
{
	n->settled = mem_new(sizeof(*n->settled));
	arena_init(&n->settled->arena, PROBLEMS_BYTES_MAX);
}

void
settled_close(struct node *n)
{
	if (n->settled == NULL)
		return;
	arena_fini(&n->settled->arena);
	mem_free(&n->settled);
}

void
settled_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	for (size_t i = 0; i < n->settled->count; i++)
		each(arg, &n->settled->problems[i]);
}
