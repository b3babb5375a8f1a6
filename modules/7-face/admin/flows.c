/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flows — an agent's paths that tell of its traffic: as it happens, what
 * happened to one request, and what was counted.
 *
 * Requests name whoever asks for what: the first two are for admins.
 */
#include "inside.h"

#include <stdio.h>

enum {
	TAPPING_MAGIC = 0x74617078,
	MATCHES_MAX = TELEMETRY_CONDITIONS_MAX,
	TEXT_BYTES = 256 << 20
};

/* --- tap ------------------------------------------------------------------ */

/*	OPEN --client gone, so many, so long--> over: this object is gone
 */
struct tapping {
	uint32_t magic;
	struct admin *admin;
	struct http_exchange *exchange;
	struct node_tap *tap;
	struct timer timer;
	uint64_t left; /* lines; 0: any number */
	bool limited;
	bool full; /* the client is slow */
};

static struct tapping *
tapping_of(void *arg)
{
	struct tapping *t;

	OBJ(t, arg, TAPPING_MAGIC);
	return t;
}

static void
tapping_free(struct tapping *t)
{
	timer_clear(&t->timer);
	node_tap_close(&t->tap);
	t->magic = 0;
	mem_free(&t);
}

/* The exchange ends by itself. */
static void
on_gone(void *arg)
{
	tapping_free(tapping_of(arg));
}

static void
finish(struct tapping *t)
{
	struct http_exchange *x = t->exchange;

	http_exchange_on_gone(x, NULL, NULL);
	tapping_free(t);
	http_exchange_end(x);
}

static void
write_some(struct tapping *t, struct slice bytes)
{
	/* One that has left is told by on_gone. */
	t->full = http_exchange_write(t->exchange, bytes) != OK;
}

static void
tell_lost(struct tapping *t)
{
	uint64_t lost = telemetry_tap_take_lost(node_tap_flows(t->tap));
	char line[64];
	int n;

	if (lost == 0)
		return;
	n = snprintf(
	    line, sizeof(line), "{\"lost\":%llu}\n", (unsigned long long)lost);
	write_some(t, slice_of(line, (size_t)n));
}

static void
on_drained(void *arg)
{
	struct tapping *t = tapping_of(arg);

	t->full = false;
	tell_lost(t);
}

static void
on_time(void *arg)
{
	struct tapping *t = tapping_of(arg);

	tell_lost(t);
	finish(t);
}

/* So many lines from the beginning. */
static struct slice
first_lines(struct slice all, uint64_t count)
{
	struct slice rest = all;

	for (uint64_t i = 0; i < count && rest.len > 0; i++)
		(void)slice_split(&rest, '\n'); /* where it ends is all */
	return slice_sub(all, 0, all.len - rest.len);
}

static void
on_lines(void *arg, struct slice lines, size_t count)
{
	struct tapping *t = tapping_of(arg);
	struct telemetry_tap *flows = node_tap_flows(t->tap);

	if (t->full) {
		telemetry_tap_lose(flows, count);
		return;
	}
	tell_lost(t);
	if (t->limited && count >= t->left) {
		write_some(t, first_lines(lines, t->left));
		finish(t);
		return;
	}
	t->left -= t->limited ? count : 0;
	write_some(t, lines);
}

/* Any form of the name; "*" is any service. The view may not know it. */
static enum err
read_service(const struct admin *a, struct slice asked, struct arena *arena,
    struct slice *out, struct fault *why)
{
	const struct view *v = node_view(a->spec.node);
	const struct view_host *h;

	*out = SLICE_NONE;
	if (asked.len == 0 || slice_eq(asked, S("*")))
		return OK;
	h = v != NULL ? view_find_host(v, NULL, asked, 0) : NULL;
	if (h == NULL)
		return fault_set(why, ERR_NOT_FOUND,
		    "no service %.*s is known here; see them with: meshd "
		    "services",
		    SLICE_ARG(slice_sub(asked, 0, NAME_HOST_MAX)));
	return arena_copy(arena, h->host, out);
}

static enum err
read_query(const struct admin *a, const struct value *body, struct arena *arena,
    struct telemetry_query **out, struct fault *why)
{
	struct slice texts[MATCHES_MAX], service;
	size_t count = 0;
	enum err e = read_service(a,
	    value_get_string(body, S("service"), S("")), arena, &service, why);

	VALUE_EACH(value_get(body, S("match")), it)
	{
		if (it->type != VALUE_STRING || count == MATCHES_MAX)
			return fault_set(why, ERR_LIMIT,
			    "at most %d conditions, each a text", MATCHES_MAX);
		texts[count++] = it->string;
	}
	return e == OK ? telemetry_query_new(service, texts, count, out, why)
		       : e;
}

static void
begin(struct tapping *t, const struct value *body)
{
	int64_t count = value_get_int(body, S("count"), 0);
	int64_t ms = value_get_int(body, S("durationMs"), 0);

	t->limited = count > 0;
	t->left = count > 0 ? (uint64_t)count : 0;
	if (ms > 0)
		timer_set(&t->timer, (uint64_t)ms * 1000);
	http_exchange_on_gone(t->exchange, on_gone, t);
	http_exchange_begin(
	    t->exchange, 200, S("application/x-ndjson"), on_drained, t);
}

static void
tap(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	struct telemetry_query *query = NULL;
	struct fault why = {0};
	struct tapping *t;
	enum err e;

	if (body == NULL)
		return;
	t = mem_new(sizeof(*t));
	*t =
	    (struct tapping){.magic = TAPPING_MAGIC, .admin = a, .exchange = x};
	timer_init(&t->timer, a->spec.loop, on_time, t);
	e = read_query(a, body, http_exchange_arena(x), &query, &why);
	if (e == OK)
		e = node_tap_open(
		    a->spec.node, query, on_lines, t, &t->tap, &why);
	if (e == OK) {
		begin(t, body);
		return;
	}
	tapping_free(t);
	admin_refuse(x, e, &why);
}

/* --- why ------------------------------------------------------------------ */

/* Lines, as {"items": [...]}. */
static void
on_found(void *arg, struct slice lines)
{
	AUTO(buf_fini) struct buf text = BUF(TEXT_BYTES);
	struct http_exchange *x = arg;
	enum err e = buf_add_slice(&text, S("{\"items\":["));
	const char *between = "";

	while (e == OK && lines.len > 0) {
		struct slice line = slice_split(&lines, '\n');

		e = buf_printf(&text, "%s%.*s", between, SLICE_ARG(line));
		between = ",";
	}
	if (e == OK)
		e = buf_add_slice(&text, S("]}\n"));
	if (e != OK)
		admin_answer(x, NULL);
	else
		http_exchange_respond(
		    x, 200, S("application/json"), buf_slice(&text));
}

static void
why(struct admin *a, struct http_exchange *x)
{
	struct slice id = admin_param(x, S("id"));
	struct fault fault = {0};

	if (id.len == 0)
		admin_refuse(x,
		    fault_set(&fault, ERR_INVALID,
			"say which request, by its x-request-id"),
		    &fault);
	else
		node_find_requests(a->spec.node, id, on_found, x);
}

/* --- what was counted ----------------------------------------------------- */

struct rows {
	struct arena *arena;
	struct value *list;
};

static void
put_durations(
    struct arena *a, struct value **m, const struct telemetry_traffic *t)
{
	struct value *buckets = json_list(a), *bounds = json_list(a);

	for (size_t i = 0; i <= t->bound_count; i++)
		json_push(&buckets, value_new_int(a, (int64_t)t->buckets[i]));
	for (size_t i = 0; i < t->bound_count; i++)
		json_push(
		    &bounds, value_new_int(a, (int64_t)(t->bounds[i] * 1000)));
	json_put(m, S("durations"), buckets);
	json_put(m, S("boundsUs"), bounds);
}

static void
add_traffic(void *arg, const struct telemetry_traffic *t)
{
	struct rows *r = arg;
	struct value *m = json_map(r->arena);

	json_text(r->arena, &m, S("direction"), t->is_out ? S("out") : S("in"));
	json_text(r->arena, &m, S("service"), t->service);
	json_number(r->arena, &m, S("requests"), (int64_t)t->requests);
	json_number(r->arena, &m, S("errors"), (int64_t)t->errors);
	if (t->bound_count > 0)
		put_durations(r->arena, &m, t);
	json_number(r->arena, &m, S("connections"), (int64_t)t->connections);
	json_number(r->arena, &m, S("bytesReceived"), (int64_t)t->received);
	json_number(r->arena, &m, S("bytesSent"), (int64_t)t->sent);
	json_push(&r->list, m);
}

static void
traffic(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct rows r = {arena, json_list(arena)};
	struct value *m = json_map(arena);

	if (telemetry_each_traffic(add_traffic, &r) != OK)
		r.list = NULL;
	json_number(arena, &m, S("atUs"),
	    (int64_t)clock_mono_us(loop_clock(a->spec.loop)));
	json_put(&m, S("items"), r.list);
	admin_answer(x, m);
}

const struct admin_route admin_flow_routes[] = {
    {"POST", "/v1/tap", CA_ROLE_ADMIN, tap},
    {"GET", "/v1/why", CA_ROLE_ADMIN, why},
    {"GET", "/v1/traffic", CA_ROLE_VIEWER, traffic},
};
const size_t admin_flow_route_count = ARRAY_LEN(admin_flow_routes);
