/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_words — a wish to capture, as the file and the API have it. Pure but
 * for the ids of cgroups, which are looked up.
 */
#include "node.h"

/* One member that is a list; `take` is told each text of it. */
typedef enum err (*take_cb)(
    struct slice text, struct capture_wish *w, struct fault *why);

static enum err
full(struct fault *why)
{
	return fault_set(why, ERR_LIMIT, "at most %d of a kind are captured",
	    CAPTURE_LIST_MAX);
}

static enum err
add_cidr(
    struct slice text, struct cidr *list, uint32_t *count, struct fault *why)
{
	if (*count == CAPTURE_LIST_MAX)
		return full(why);
	if (cidr_parse(text, &list[*count]) != OK)
		return fault_set(why, ERR_PARSE,
		    "\"%.*s\" is neither an address nor a network, as "
		    "10.0.0.0/8 is",
		    SLICE_ARG(text));
	(*count)++;
	return OK;
}

static enum err
add_ports(struct slice text, struct capture_ports *list, uint32_t *count,
    struct fault *why)
{
	enum err e;

	if (*count == CAPTURE_LIST_MAX)
		return full(why);
	e = capture_ports_parse(text, &list[*count], why);
	*count += e == OK;
	return e;
}

static enum err
add_id(struct slice text, uint32_t *list, uint32_t *count, struct fault *why)
{
	uint64_t id;

	if (*count == CAPTURE_LIST_MAX)
		return full(why);
	if (slice_to_u64(text, &id) != OK || id >= UINT32_MAX)
		return fault_set(why, ERR_PARSE,
		    "\"%.*s\" is no number of a user or group",
		    SLICE_ARG(text));
	list[(*count)++] = (uint32_t)id;
	return OK;
}

static enum err
take_out(struct slice text, struct capture_wish *w, struct fault *why)
{
	return add_cidr(text, w->out, &w->out_count, why);
}

static enum err
take_in(struct slice text, struct capture_wish *w, struct fault *why)
{
	return add_ports(text, w->in, &w->in_count, why);
}

static enum err
take_uid(struct slice text, struct capture_wish *w, struct fault *why)
{
	return add_id(text, w->uids, &w->uid_count, why);
}

static enum err
take_gid(struct slice text, struct capture_wish *w, struct fault *why)
{
	return add_id(text, w->gids, &w->gid_count, why);
}

static enum err
take_cgroup(struct slice text, struct capture_wish *w, struct fault *why)
{
	enum err e;

	if (w->cgroup_count == CAPTURE_LIST_MAX)
		return full(why);
	e = capture_cgroup_find(text, &w->cgroups[w->cgroup_count], why);
	w->cgroup_count += e == OK;
	return e;
}

static enum err
take_sshd(struct slice text, struct capture_wish *w, struct fault *why)
{
	return add_ports(text, w->sshd, &w->sshd_count, why);
}

/* Digits and a dash are ports, anything else is a network. */
static enum err
take_exclude(struct slice text, struct capture_wish *w, struct fault *why)
{
	enum err e =
	    slice_find(text, '.') == text.len &&
		    slice_find(text, ':') == text.len
		? add_ports(text, w->except_ports, &w->except_port_count, why)
		: add_cidr(text, w->except, &w->except_count, why);

	if (e == ERR_PARSE)
		return fault_set(why, e,
		    "\"%.*s\" is neither a network nor a port, as 10.0.0.0/8, "
		    "443 and 8000-8099 are",
		    SLICE_ARG(text));
	return e;
}

static const struct {
	const char *key;
	take_cb take;
} lists[] = {{"out", take_out}, {"in", take_in}, {"uids", take_uid},
    {"gids", take_gid}, {"cgroups", take_cgroup}, {"exclude", take_exclude},
    {"sshd", take_sshd}};

static const struct {
	const char *key;
	enum capture_how how;
} flags[] = {{"loopback", CAPTURE_LOOPBACK}, {"dns", CAPTURE_DNS},
    {"failClosed", CAPTURE_CLOSED}, {"tproxy", CAPTURE_SOURCE}};

enum err
node_capture_decode(
    const struct value *v, struct capture_wish *out, struct fault *why)
{
	struct capture_wish *w = out;

	*w = (struct capture_wish){0};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		VALUE_EACH(value_get(v, slice_str(lists[i].key)), it)
		{
			enum err e =
			    it->type == VALUE_STRING
				? lists[i].take(it->string, w, why)
				: fault_set(why, ERR_PARSE,
				      "%s is no list of texts", lists[i].key);

			if (e != OK)
				return e;
		}
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		const struct value *f = value_get(v, slice_str(flags[i].key));

		if (f != NULL && f->type == VALUE_BOOL && f->boolean)
			w->how |= flags[i].how;
	}
	return OK;
}

/* --- the other way -------------------------------------------------------- */

static struct value *
cidrs_value(const struct cidr *c, uint32_t count, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);
	char text[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < count; i++)
		value_push_text(a, &list, slice_str(cidr_format(&c[i], text)));
	return list;
}

static void
push_ports(struct value **list, const struct capture_ports *p, uint32_t count,
    struct arena *a)
{
	for (uint32_t i = 0; i < count; i++)
		value_push_text(a, list,
		    p[i].first == p[i].last
			? arena_printf(a, "%u", (unsigned)p[i].first)
			: arena_printf(a, "%u-%u", (unsigned)p[i].first,
			      (unsigned)p[i].last));
}

static struct value *
ports_value(const struct capture_ports *p, uint32_t count, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);

	push_ports(&list, p, count, a);
	return list;
}

static struct value *
ids_value(const uint32_t *ids, uint32_t count, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);

	for (uint32_t i = 0; i < count; i++)
		value_push_text(
		    a, &list, arena_printf(a, "%u", (unsigned)ids[i]));
	return list;
}

static struct value *
cgroups_value(const struct capture_wish *w, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);

	for (uint32_t i = 0; i < w->cgroup_count; i++)
		value_push_text(a, &list, slice_str(w->cgroups[i].path));
	return list;
}

struct value *
node_capture_encode(const struct capture_wish *w, struct arena *a)
{
	struct value *m = value_new(a, VALUE_MAP);
	struct value *except = cidrs_value(w->except, w->except_count, a);

	push_ports(&except, w->except_ports, w->except_port_count, a);
	value_put(&m, S("out"), cidrs_value(w->out, w->out_count, a));
	value_put(&m, S("in"), ports_value(w->in, w->in_count, a));
	value_put(&m, S("uids"), ids_value(w->uids, w->uid_count, a));
	value_put(&m, S("gids"), ids_value(w->gids, w->gid_count, a));
	value_put(&m, S("cgroups"), cgroups_value(w, a));
	value_put(&m, S("exclude"), except);
	value_put(&m, S("sshd"), ports_value(w->sshd, w->sshd_count, a));
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		value_put_bool(a, &m, slice_str(flags[i].key),
		    (w->how & (uint32_t)flags[i].how) != 0);
	return m;
}
