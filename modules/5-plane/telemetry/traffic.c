/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic — what was counted, by direction and service.
 *
 * Labels are more than a person looks at; here series are added up. Errors are
 * those of the serving side: 5xx, no answer at all, and of gRPC what
 * OpenTelemetry calls an error of a server.
 */
#include "series.h"
#include "telemetry.h"

#include <string.h>

enum { KEY_MAX = METRIC_VALUE_MAX + 2 };

struct summing {
	struct map rows; /* direction and service → struct telemetry_traffic */
	struct arena *arena;
	bool full;
};

static struct telemetry_traffic *
row_of(struct summing *s, const struct metric_row *from)
{
	struct slice service =
	    from->values[series_label("destination_service")];
	bool out =
	    slice_eq(from->values[series_label("reporter")], S("source"));
	struct telemetry_traffic *t;
	char text[KEY_MAX];
	struct slice key =
	    slice_join(SLICES(out ? S("o") : S("i"), service), text, KEY_MAX);

	t = map_get(&s->rows, key);
	if (t != NULL)
		return t;
	t = arena_alloc(s->arena, sizeof(*t));
	if (t == NULL || arena_copy(s->arena, service, &t->service) != OK) {
		s->full = true;
		return NULL;
	}
	t->is_out = out;
	(void)map_put(&s->rows, key, t); /* it was not there */
	return t;
}

static bool
is_error(const struct metric_row *row)
{
	static const char *const grpc[] = {"2", "4", "12", "13", "14", "15"};
	struct slice code = row->values[series_label("response_code")];
	struct slice status = row->values[series_label("grpc_response_status")];

	for (size_t i = 0; i < ARRAY_LEN(grpc); i++)
		if (slice_eq(status, slice_str(grpc[i])))
			return true;
	return slice_eq(code, S("0")) ||
	       (code.len == 3 && slice_starts(code, S("5")));
}

static void
add_requests(void *arg, const struct metric_row *row)
{
	struct telemetry_traffic *t = row->count > 0 ? row_of(arg, row) : NULL;

	if (t == NULL)
		return;
	t->requests += row->count;
	if (is_error(row))
		t->errors += row->count;
}

static void
add_durations(void *arg, const struct metric_row *row)
{
	struct telemetry_traffic *t = row->count > 0 ? row_of(arg, row) : NULL;

	if (t == NULL)
		return;
	CHECK(row->bound_count <= METRIC_BUCKETS_MAX);
	t->bound_count = row->bound_count;
	memcpy(t->bounds, row->bounds, row->bound_count * sizeof(*t->bounds));
	for (size_t i = 0; i <= row->bound_count; i++)
		t->buckets[i] += row->buckets[i];
}

/* Which member of a row a family adds up to. */
struct counting {
	struct summing *sums;
	size_t member;
};

static void
add_count(void *arg, const struct metric_row *row)
{
	const struct counting *c = arg;
	struct telemetry_traffic *t =
	    row->count > 0 ? row_of(c->sums, row) : NULL;

	if (t != NULL)
		*(uint64_t *)(void *)((char *)t + c->member) += row->count;
}

static void
count(struct summing *s, const char *family, size_t member)
{
	struct counting c = {s, member};

	metrics_each(family, add_count, &c);
}

enum err
telemetry_each_traffic(
    void (*each)(void *arg, const struct telemetry_traffic *t), void *arg)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct summing s = {.arena = &arena};
	struct slice key;
	void *row;

	arena_init(&arena, TELEMETRY_TRAFFIC_BYTES);
	map_init(&s.rows);
	metrics_each("istio_requests_total", add_requests, &s);
	metrics_each("istio_request_duration_milliseconds", add_durations, &s);
	count(&s, "istio_tcp_connections_opened_total",
	    offsetof(struct telemetry_traffic, connections));
	count(&s, "istio_tcp_received_bytes_total",
	    offsetof(struct telemetry_traffic, received));
	count(&s, "istio_tcp_sent_bytes_total",
	    offsetof(struct telemetry_traffic, sent));
	for (size_t i = 0; map_next(&s.rows, &i, &key, &row);)
		each(arg, row);
	map_fini(&s.rows, NULL);
	return s.full ? ERR_LIMIT : OK;
}
