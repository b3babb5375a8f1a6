/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposed_file — services as the disk and the API have them.
 */
#define LOG_MODULE "node"

#include "codec/codec.h"

#include "exposed.h"

enum { FILE_ARENA_MAX = 64 << 20 };

static enum err
set_item(struct value *map, struct slice key, struct value *item)
{
	return item != NULL ? value_set(map, key, item) : ERR_NO_MEMORY;
}

static struct value *
labels_value(const struct node_expose *e, struct arena *a)
{
	struct value *map = value_new(a, VALUE_MAP);

	for (size_t i = 0; map != NULL && i < e->label_count; i++)
		if (set_item(map, e->labels[i].key,
			value_new_string(a, e->labels[i].value)) != OK)
			return NULL;
	return map;
}

static struct value *
addr_value(const struct addr *addr, struct arena *a)
{
	char text[ADDR_TEXT_MAX];
	struct slice copy;

	return arena_copy(a, slice_str(addr_format(addr, text)), &copy) == OK
		   ? value_new_string(a, copy)
		   : NULL;
}

/* A tree that lies in the resource and in the arena. */
static enum err
set_check(struct value *v, const struct service *s, struct arena *a)
{
	struct value *doc;

	if (s->check == NULL)
		return OK;
	doc = resource_encode(s->check, RESOURCE_AS_WRITTEN, a);
	return doc == NULL ? ERR_NO_MEMORY
			   : set_item(v, S("check"),
				 value_share(value_get(doc, S("spec")), a));
}

static struct value *
service_value(const struct service *s, struct arena *a)
{
	const struct node_expose *e = &s->what;
	struct value *v = value_new(a, VALUE_MAP);

	if (v == NULL ||
	    set_item(v, S("name"), value_new_string(a, e->name)) != OK ||
	    set_item(v, S("namespace"), value_new_string(a, e->ns)) != OK ||
	    set_item(v, S("account"), value_new_string(a, e->account)) != OK ||
	    set_item(v, S("protocol"), value_new_string(a, e->protocol)) !=
		OK ||
	    set_item(v, S("port"), value_new_int(a, e->port)) != OK ||
	    set_item(v, S("weight"), value_new_int(a, e->weight)) != OK ||
	    set_item(v, S("target"), addr_value(&e->target, a)) != OK ||
	    set_item(v, S("labels"), labels_value(e, a)) != OK ||
	    set_check(v, s, a) != OK)
		return NULL;
	return v;
}

static enum err
encode(const struct node *n, struct buf *out)
{
	const struct exposed *x = n->exposed;
	AUTO(arena_fini) struct arena a = {0};
	struct value *root, *list;
	enum err err;

	arena_init(&a, FILE_ARENA_MAX);
	root = value_new(&a, VALUE_MAP);
	list = value_new(&a, VALUE_LIST);
	if (root == NULL)
		return ERR_NO_MEMORY;
	err = set_item(root, S("services"), list);
	for (size_t i = 0; err == OK && i < x->count; i++)
		if (x->items[i]->what.by == NODE_BY_COMMAND &&
		    !x->items[i]->what.is_passing)
			err =
			    value_append(list, service_value(x->items[i], &a));
	if (err == OK)
		err = set_item(root, S("groups"), groups_encode(n, &a));
	return err != OK ? err : codec_json_emit_pretty(root, out);
}

enum err
exposed_save(const struct node *n, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(STATE_FILE_MAX);
	enum err err = encode(n, &text);

	if (err != OK)
		return fault_set(
		    why, err, "the list of services: %s", err_text(err));
	return state_write(&n->state, STATE_EXPOSED, buf_slice(&text), why);
}

static uint16_t
read_number(const struct value *v, struct slice key)
{
	const struct value *n = value_get(v, key);

	if (n == NULL || n->type != VALUE_INT || n->integer < 0 ||
	    n->integer > UINT16_MAX)
		return 0;
	return (uint16_t)n->integer;
}

void
exposed_decode(const struct value *v, struct label labels[GOSSIP_LABELS_MAX],
    struct node_expose *out)
{
	*out = (struct node_expose){
	    .name = value_get_string(v, S("name"), SLICE_NONE),
	    .ns = value_get_string(v, S("namespace"), SLICE_NONE),
	    .account = value_get_string(v, S("account"), SLICE_NONE),
	    .protocol = value_get_string(v, S("protocol"), SLICE_NONE),
	    .port = read_number(v, S("port")),
	    .weight = read_number(v, S("weight")),
	    .labels = labels,
	    .check = value_get(v, S("check"))};

	VALUE_EACH(value_get(v, S("labels")), it)
	if (it->type == VALUE_STRING &&
	    out->label_count < GOSSIP_LABELS_MAX - 1)
		labels[out->label_count++] =
		    (struct label){it->key, it->string};
	if (addr_parse(value_get_string(v, S("target"), SLICE_NONE),
		&out->target) != OK)
		out->target.port = 0; /* refused with words below */
}

static void
load_one(struct exposed *x, const struct value *v)
{
	struct label labels[GOSSIP_LABELS_MAX];
	struct fault why = {0};
	struct node_expose e;

	exposed_decode(v, labels, &e);
	e = exposed_complete(&e);
	if (exposed_put(x, &e, &why) != OK)
		log_warn("exposed service is left out", "why=\"%s\"", why.text);
}

void
exposed_load(struct node *n)
{
	AUTO(buf_fini) struct buf text = BUF(STATE_FILE_MAX);
	AUTO(arena_fini) struct arena a = {0};
	const struct value *root;
	struct fault why = {0};
	enum err err = state_read(&n->state, STATE_EXPOSED, &text, &why);

	arena_init(&a, FILE_ARENA_MAX);
	if (err == ERR_NOT_FOUND)
		return;
	if (err == OK)
		err = codec_json_parse(buf_slice(&text), &a, &root, &why);
	if (err != OK) {
		log_error(
		    "exposed services are not known", "why=\"%s\"", why.text);
		return;
	}
	VALUE_EACH(value_get(root, S("services")), it)
	load_one(n->exposed, it);
	groups_load(n, value_get(root, S("groups")));
}
