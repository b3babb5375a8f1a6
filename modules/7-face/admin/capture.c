/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture — an agent's paths about what is captured on its machine.
 */
#include "inside.h"

enum { CONFIRM_S_MAX = 86400 };

static void
turn_on(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	struct capture_wish wish;
	struct fault why = {0};
	int64_t confirm_s;
	enum err e;

	if (body == NULL)
		return;
	confirm_s = value_get_int(body, S("confirmSeconds"), 0);
	e = node_capture_decode(body, &wish, &why);
	if (e == OK && (confirm_s < 0 || confirm_s > CONFIRM_S_MAX))
		e = fault_set(&why, ERR_INVALID, "confirmSeconds is 0 to %d",
		    CONFIRM_S_MAX);
	if (e != OK)
		admin_refuse(x, e, &why);
	else
		node_capture_on(a->spec.node, &wish,
		    (uint64_t)confirm_s * 1000000, admin_done, x);
}

static void
turn_off(struct admin *a, struct http_exchange *x)
{
	node_capture_off(a->spec.node, admin_done, x);
}

static void
confirm(struct admin *a, struct http_exchange *x)
{
	node_capture_confirm(a->spec.node, admin_done, x);
}

static bool
is_any_brief(const struct capture_report *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->counts[i].is_brief)
			return true;
	return false;
}

/* How long conntrack remembers what has ended; empty: nothing goes out. */
static struct slice
words_of_ended(const struct node_capture_state *s, struct arena *a)
{
	const struct capture_wish *w = s->wish;

	if (is_any_brief(s->report))
		return arena_printf(a,
		    "what programs here called is forgotten %d s after its end",
		    CAPTURE_BRIEF_S);
	if (w == NULL || !s->report->loaded ||
	    (w->out_count == 0 && w->own_count == 0))
		return SLICE_NONE;
	return S("what programs here called is remembered as long as all else "
		 "of this machine: its kernel has no NF_CONNTRACK_TIMEOUT");
}

static void
on_state(void *arg, const struct node_capture_state *s)
{
	struct http_exchange *x = arg;
	const struct admin_peer *p = http_exchange_conn_arg(x);
	struct arena *a = http_exchange_arena(x);
	struct value *m = json_map(a), *rules = json_list(a);

	if (s->report->e != OK) {
		admin_refuse(x, s->report->e, &s->report->why);
		return;
	}
	for (size_t i = 0; i < s->report->count; i++) {
		const struct capture_count *c = &s->report->counts[i];
		struct value *r = json_map(a);

		json_text(
		    a, &r, S("chain"), slice_str(capture_chain_name(c->chain)));
		json_number(a, &r, S("connections"), (int64_t)c->packets);
		json_text(a, &r, S("rule"), slice_str(c->text));
		json_push(&rules, r);
	}
	json_bool(a, &m, S("possible"), s->possible);
	json_bool(a, &m, S("captures"), s->wish != NULL);
	json_bool(a, &m, S("loaded"), s->report->loaded);
	json_number(a, &m, S("confirmWithinMs"), (int64_t)(s->left_us / 1000));
	json_text(a, &m, S("trouble"), s->trouble);
	json_text(a, &m, S("ended"), words_of_ended(s, a));
	if (s->wish != NULL)
		json_put(&m, S("wish"), node_capture_encode(s->wish, a));
	admin_put_runs(p->admin, a, &m);
	json_put(&m, S("rules"), rules);
	admin_answer(x, m);
}

static void
show(struct admin *a, struct http_exchange *x)
{
	node_capture_read(a->spec.node, on_state, x);
}

const struct admin_route admin_capture_routes[] = {
    {"POST", "/v1/capture/on", CA_ROLE_ADMIN, turn_on},
    {"POST", "/v1/capture/off", CA_ROLE_ADMIN, turn_off},
    {"POST", "/v1/capture/confirm", CA_ROLE_ADMIN, confirm},
    {"GET", "/v1/capture", CA_ROLE_VIEWER, show},
};
const size_t admin_capture_route_count = ARRAY_LEN(admin_capture_routes);
