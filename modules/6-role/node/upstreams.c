/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstreams — the named listeners that programs on this machine connect to.
 */
#include "inside.h"

enum { TEXT_MAX = 4 << 20 };

struct upstreams {
	struct arena arena;
	struct view_upstream_input *items;
	size_t count;
};

static enum err
check(const struct node_upstream *u, size_t count, struct fault *why)
{
	if (count > NODE_UPSTREAMS_MAX)
		return fault_set(why, ERR_LIMIT,
		    "there may be at most %d upstreams", NODE_UPSTREAMS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (u[i].name.len == 0 || u[i].host.len == 0 ||
		    u[i].listen.port == 0)
			return fault_set(why, ERR_INVALID,
			    "upstream %zu is not name=address:port", i + 1);
		for (size_t j = 0; j < i; j++)
			if (slice_eq(u[i].name, u[j].name) ||
			    addr_eq(&u[i].listen, &u[j].listen))
				return fault_set(why, ERR_INVALID,
				    "upstreams %.*s and %.*s have the same "
				    "name or address",
				    SLICE_ARG(u[j].name), SLICE_ARG(u[i].name));
	}
	return OK;
}

static enum err
copy(struct upstreams *to, const struct node_upstream *from,
    struct view_upstream_input *out)
{
	struct arena *a = &to->arena;
	enum err err = arena_copy(a, from->name, &out->name);

	if (err == OK)
		err = arena_copy(a, from->host, &out->host);
	if (err == OK)
		err = arena_copy(a, from->ns, &out->ns);
	if (err == OK)
		err = arena_copy(a, from->account, &out->account);
	out->port = from->port;
	out->listen = from->listen;
	return err;
}

static void
upstreams_free(struct upstreams **up)
{
	if (*up == NULL)
		return;
	arena_fini(&(*up)->arena);
	mem_free(up);
}

static enum err
upstreams_new(const struct node_upstream *u, size_t count,
    struct upstreams **out, struct fault *why)
{
	AUTO(upstreams_free) struct upstreams *fresh = mem_new(sizeof(*fresh));
	enum err err;

	arena_init(&fresh->arena, TEXT_MAX);
	err = check(u, count, why);
	if (err != OK)
		return err;
	fresh->items = arena_alloc_array(
	    &fresh->arena, MAX(count, 1), sizeof(*fresh->items));
	if (fresh->items == NULL)
		return fault_set(why, ERR_NO_MEMORY, "too many upstreams");
	for (size_t i = 0; i < count; i++) {
		err = copy(fresh, &u[i], &fresh->items[i]);
		if (err != OK)
			return fault_set(why, err,
			    "the names of the upstreams are too long");
	}
	fresh->count = count;
	*out = TAKE(fresh);
	return OK;
}

void
upstreams_open(struct node *n)
{
	CHECK(upstreams_new(NULL, 0, &n->upstreams, NULL) == OK);
}

void
upstreams_close(struct node *n)
{
	upstreams_free(&n->upstreams);
}

MUST_USE enum err
node_set_upstreams(struct node *n, const struct node_upstream *upstreams,
    size_t count, struct fault *why)
{
	struct upstreams *fresh;
	enum err err = upstreams_new(upstreams, count, &fresh, why);

	if (err != OK)
		return err;
	upstreams_free(&n->upstreams);
	n->upstreams = fresh;
	upstreams_want_identities(n);
	facts_refresh(n);
	publisher_touch(n);
	return OK;
}

size_t
upstreams_count(const struct node *n)
{
	return n->upstreams->count;
}

static struct slice
or_else(struct slice s, const char *otherwise)
{
	return s.len > 0 ? s : slice_str(otherwise);
}

const struct view_upstream_input *
upstreams_inputs(const struct node *n, struct arena *arena)
{
	const struct upstreams *u = n->upstreams;
	struct view_upstream_input *out =
	    arena_alloc_array(arena, MAX(u->count, 1), sizeof(*out));

	for (size_t i = 0; out != NULL && i < u->count; i++) {
		out[i] = u->items[i];
		out[i].ns = or_else(out[i].ns, n->ns);
		out[i].account = or_else(out[i].account, n->account);
	}
	return out;
}

void
upstreams_want_identities(struct node *n)
{
	const struct upstreams *u = n->upstreams;

	if (n->account[0] != '\0')
		identities_want(n, slice_str(n->ns), slice_str(n->account));
	for (size_t i = 0; i < u->count; i++)
		if (u->items[i].account.len > 0)
			identities_want(n, or_else(u->items[i].ns, n->ns),
			    u->items[i].account);
}
