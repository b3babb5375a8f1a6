/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit — units of systemd that are captured and offered while they are active,
 * each as an account of its own.
 *
 * Its cgroup goes and comes with it, and another one has another id. What the
 * unit runs before itself says so in time for the first connection; and we look
 * ourselves, for an agent may have been away when that was said.
 *
 *	units.json	all of them, and where each was last
 */
#define LOG_MODULE "node"

#include "codec/codec.h"

#include "captured.h"

#include <stdio.h>

enum {
	UNIT_MAGIC = 0x756e6974,
	LOOK_US = 1000000,
	WAIT_US = 5 * 1000000,   /* of one that was found to be active */
	AGAIN_US = 10 * 1000000, /* after one that could not be captured */
	TEXT_BYTES = 64 << 10,   /* of one */
	FILE_BYTES = 4 << 20
};

struct unit {
	uint32_t magic;
	struct node *node;
	struct list link;
	char name[NODE_UNIT_MAX];
	char ns[NODE_LABEL_MAX];
	char account[NODE_LABEL_MAX];
	struct buf expose; /* as JSON; empty: nothing is offered */
	char cgroup[CAPTURE_CGROUP_MAX];
	uint64_t ended_id; /* of a cgroup that is about to go */
	uint64_t held_id;  /* of the one that is captured */
	struct ward *ward; /* NULL: it is not active */
	uint64_t again_us;
	node_run_cb ready; /* of who waits for it; NULL: nobody */
	void *arg;
};

struct units {
	struct list all;
	size_t count;
	struct timer look;
};

static struct unit *
find(const struct node *n, struct slice name)
{
	LIST_EACH (&n->units->all, it) {
		struct unit *u = CONTAINER(it, struct unit, link);

		if (slice_eq(slice_str(u->name), name))
			return u;
	}
	return NULL;
}

static enum err
not_known(struct slice name, struct fault *why)
{
	return fault_set(why, ERR_NOT_FOUND,
	    "this agent knows of no unit %.*s; say: meshd expose --unit %.*s",
	    SLICE_ARG(name), SLICE_ARG(name));
}

/* --- the file ------------------------------------------------------------- */

static struct value *
unit_value(const struct unit *u, struct arena *a)
{
	struct value *m = value_new(a, VALUE_MAP);
	const struct value *expose = NULL;

	value_put_text(a, &m, S("unit"), slice_str(u->name));
	value_put_text(a, &m, S("namespace"), slice_str(u->ns));
	value_put_text(a, &m, S("account"), slice_str(u->account));
	value_put_text(a, &m, S("cgroup"), slice_str(u->cgroup));
	value_put_int(a, &m, S("ended"), (int64_t)u->ended_id);
	if (buf_len(&u->expose) > 0 &&
	    codec_json_parse(buf_slice(&u->expose), a, &expose, NULL) == OK)
		value_put(&m, S("expose"), value_share(expose, a));
	return m;
}

static enum err
save(const struct node *n, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(FILE_BYTES);
	AUTO(arena_fini) struct arena a = {0};
	struct value *root, *list;

	arena_init(&a, 4 * (size_t)FILE_BYTES);
	root = value_new(&a, VALUE_MAP);
	list = value_new(&a, VALUE_LIST);
	LIST_EACH (&n->units->all, it)
		value_push(
		    &list, unit_value(CONTAINER(it, struct unit, link), &a));
	value_put(&root, S("units"), list);
	if (root == NULL || codec_json_emit_pretty(root, &text) != OK)
		return fault_set(why, ERR_LIMIT, "the units are too many");
	return state_write(&n->state, STATE_UNITS, buf_slice(&text), why);
}

static void
save_or_say(const struct node *n)
{
	struct fault why = {0};

	if (save(n, &why) != OK)
		log_error("where units are was not kept: a restart will not "
			  "know of it",
		    "why=\"%s\"", why.text);
}

static void
unit_free(struct unit *u)
{
	buf_fini(&u->expose);
	u->magic = 0;
	mem_free(&u);
}

static enum err
read_expose(struct unit *u, const struct value *v, struct fault *why)
{
	struct label labels[GOSSIP_LABELS_MAX];
	struct node_expose x;

	if (v == NULL)
		return OK;
	exposed_decode(v, labels, &x);
	x.ns = slice_str(u->ns);
	x.account = slice_str(u->account);
	return exposed_check_all(u->node, &x, why) == OK
		   ? codec_json_emit(v, &u->expose)
		   : why->code;
}

/* Where it is, unless it says otherwise when it begins. */
static enum err
guess_cgroup(struct unit *u, struct fault *why)
{
	if (snprintf(u->cgroup, sizeof(u->cgroup), "system.slice/%s",
		u->name) >= (int)sizeof(u->cgroup))
		return fault_set(why, ERR_LIMIT, "the unit's name is too long");
	return OK;
}

static enum err
fill(struct unit *u, const struct value *v, struct fault *why)
{
	struct slice cgroup = value_get_string(v, S("cgroup"), S(""));
	enum err e = slice_to_cstr(
	    value_get_string(v, S("unit"), S("")), u->name, sizeof(u->name));

	if (e == OK)
		e = slice_to_cstr(
		    value_get_string(v, S("namespace"), S("default")), u->ns,
		    sizeof(u->ns));
	if (e == OK)
		e = slice_to_cstr(
		    value_get_string(v, S("account"), S("default")), u->account,
		    sizeof(u->account));
	if (e != OK || u->name[0] == '\0')
		return fault_set(why, ERR_INVALID,
		    "the unit, its namespace or its account has no name, or "
		    "one that is too long");
	u->ended_id = (uint64_t)value_get_int(v, S("ended"), 0);
	if (cgroup.len == 0 ||
	    slice_to_cstr(cgroup, u->cgroup, sizeof(u->cgroup)) != OK)
		e = guess_cgroup(u, why);
	return e == OK ? read_expose(u, value_get(v, S("expose")), why) : e;
}

/* It is in no list yet. NULL: in words why not. */
static struct unit *
unit_new(struct node *n, const struct value *v, struct fault *why)
{
	struct unit *u = mem_new(sizeof(*u));

	u->magic = UNIT_MAGIC;
	u->node = n;
	buf_init(&u->expose, TEXT_BYTES);
	if (fill(u, v, why) == OK)
		return u;
	unit_free(u);
	return NULL;
}

static void
add(struct node *n, struct unit *u)
{
	list_push_back(&n->units->all, &u->link);
	n->units->count++;
}

static void
load(struct node *n)
{
	AUTO(buf_fini) struct buf text = BUF(FILE_BYTES);
	AUTO(arena_fini) struct arena a = {0};
	const struct value *root = NULL;
	struct fault why = {0};
	enum err e = state_read(&n->state, STATE_UNITS, &text, &why);

	arena_init(&a, 16 * (size_t)FILE_BYTES);
	if (e == ERR_NOT_FOUND)
		return;
	if (e == OK)
		e = codec_json_parse(buf_slice(&text), &a, &root, &why);
	if (e != OK)
		log_error("units are not known", "why=\"%s\"", why.text);
	VALUE_EACH(value_get(root, S("units")), it)
	{
		struct unit *u = unit_new(n, it, &why);

		if (u != NULL)
			add(n, u);
		else
			log_warn("a unit is left out", "why=\"%s\"", why.text);
	}
}

/* --- its program ---------------------------------------------------------- */

static void
tell(struct unit *u, enum err e, const struct fault *why)
{
	node_run_cb ready = u->ready;

	u->ready = NULL;
	if (ready != NULL)
		ready(u->arg, e, why);
}

static void
end(struct unit *u)
{
	const struct fault over = {
	    .code = ERR_CANCELLED, .text = "the unit ended meanwhile"};

	node_run_end(&u->ward);
	u->held_id = 0;
	tell(u, ERR_CANCELLED, &over);
}

static void
cannot(struct unit *u, enum err e, const struct fault *why)
{
	node_run_end(&u->ward);
	u->held_id = 0;
	u->again_us = loop_now_us(u->node->loop) + AGAIN_US;
	tell(u, e, why);
}

static void
on_ready(void *arg, enum err e, const struct fault *why)
{
	struct unit *u;

	OBJ(u, arg, UNIT_MAGIC);
	if (e != OK)
		cannot(u, e, why);
	else
		tell(u, OK, why);
}

static void
begin(struct unit *u, uint64_t wait_us)
{
	AUTO(arena_fini) struct arena a = {0};
	struct label labels[GOSSIP_LABELS_MAX];
	struct capture_cgroup now = {0};
	struct fault why = {0};
	struct node_expose x;
	struct node_run spec = {.unit = slice_str(u->name),
	    .cgroup = slice_str(u->cgroup),
	    .ns = slice_str(u->ns),
	    .account = slice_str(u->account),
	    .is_anew = u->ready != NULL,
	    .wait_us = wait_us};
	const struct value *expose = NULL;
	enum err e = capture_cgroup_find(spec.cgroup, &now, &why);

	arena_init(&a, 16 * TEXT_BYTES);
	if (e == OK && buf_len(&u->expose) > 0)
		e = codec_json_parse(buf_slice(&u->expose), &a, &expose, &why);
	if (e == OK && expose != NULL) {
		exposed_decode(expose, labels, &x);
		spec.expose = &x;
	}
	if (e == OK)
		e = node_run_begin(u->node, &spec, on_ready, u, &u->ward, &why);
	u->held_id = now.id;
	if (e == OK)
		return;
	log_warn(
	    "a unit is not captured", "unit=%s why=\"%s\"", u->name, why.text);
	cannot(u, e, &why);
}

static void
look_at(struct unit *u)
{
	struct capture_cgroup now = {0};
	enum err e = capture_cgroup_find(slice_str(u->cgroup), &now, NULL);

	if (e != OK)
		now.id = 0;
	if (u->ward != NULL && now.id != u->held_id)
		end(u);
	if (u->ward == NULL && now.id != 0 && now.id != u->ended_id &&
	    sm_is(&u->node->sm, NODE_RUNNING) &&
	    publisher_view(u->node) != NULL &&
	    loop_now_us(u->node->loop) >= u->again_us)
		begin(u, WAIT_US);
}

static void
on_look(void *arg)
{
	struct node *n;

	OBJ(n, arg, NODE_MAGIC);
	LIST_EACH (&n->units->all, it)
		look_at(CONTAINER(it, struct unit, link));
	if (n->units->count > 0)
		timer_set(&n->units->look, LOOK_US);
}

/* --- the local API -------------------------------------------------------- */

static void
drop(struct node *n, struct unit *u)
{
	end(u);
	list_remove(&u->link);
	n->units->count--;
	unit_free(u);
	captured_settle(n->captured);
}

/* Where it is, and what became of it there. */
static void
replace(struct node *n, struct unit *u)
{
	struct unit *before = find(n, slice_str(u->name));

	if (before != NULL) {
		memcpy(u->cgroup, before->cgroup, sizeof(u->cgroup));
		u->ended_id = before->ended_id;
		drop(n, before);
	}
	add(n, u);
	captured_settle(n->captured);
}

enum err
node_unit_put(struct node *n, const struct value *v, struct fault *why)
{
	struct unit *u;
	enum err e = captured_may(n->captured, why);

	if (e != OK && e != ERR_BUSY) /* it is in no mesh yet */
		return e;
	u = unit_new(n, v, why);
	if (u == NULL)
		return why->code;
	e = node_may_be(n, slice_str(u->ns), slice_str(u->account), why);
	if (e != OK) {
		unit_free(u);
		return e;
	}
	replace(n, u);
	identities_want(n, slice_str(u->ns), slice_str(u->account));
	timer_set(&n->units->look, 0);
	return save(n, why);
}

enum err
node_unit_remove(struct node *n, struct slice name, struct fault *why)
{
	struct unit *u = find(n, name);

	if (u == NULL)
		return not_known(name, why);
	drop(n, u);
	return save(n, why);
}

void
node_unit_started(struct node *n, struct slice name, struct slice cgroup,
    uint64_t wait_us, node_run_cb ready, void *arg)
{
	struct unit *u = find(n, name);
	struct fault why = {0};

	if (u == NULL) {
		ready(arg, not_known(name, &why), &why);
		return;
	}
	end(u);
	if (slice_to_cstr(cgroup, u->cgroup, sizeof(u->cgroup)) != OK) {
		ready(arg,
		    fault_set(&why, ERR_LIMIT, "its cgroup's path is too long"),
		    &why);
		return;
	}
	u->ended_id = 0;
	save_or_say(n);
	u->ready = ready;
	u->arg = arg;
	begin(u, wait_us);
}

/* Its cgroup is still there for a while. */
enum err
node_unit_stopped(struct node *n, struct slice name, struct fault *why)
{
	struct unit *u = find(n, name);
	struct capture_cgroup now = {0};

	if (u == NULL)
		return not_known(name, why);
	end(u);
	if (capture_cgroup_find(slice_str(u->cgroup), &now, NULL) != OK)
		now.id = 0;
	u->ended_id = now.id;
	save_or_say(n);
	return OK;
}

/* --- birth and end -------------------------------------------------------- */

bool
units_any(const struct node *n)
{
	return n->units != NULL && n->units->count > 0;
}

void
units_open(struct node *n)
{
	n->units = mem_new(sizeof(*n->units));
	list_init(&n->units->all);
	timer_init(&n->units->look, n->loop, on_look, n);
	load(n);
	if (n->units->count > 0)
		timer_set(&n->units->look, LOOK_US);
}

/* Whoever waits is gone by now. */
void
units_stop(struct node *n)
{
	timer_clear(&n->units->look);
	LIST_EACH (&n->units->all, it) {
		struct unit *u = CONTAINER(it, struct unit, link);

		u->ready = NULL;
		node_run_end(&u->ward);
	}
}

void
units_close(struct node *n)
{
	if (n->units == NULL)
		return;
	units_stop(n);
	LIST_EACH (&n->units->all, it) {
		struct unit *u = CONTAINER(it, struct unit, link);

		list_remove(it);
		unit_free(u);
	}
	mem_free(&n->units);
}
