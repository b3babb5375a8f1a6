/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past — who changed what: of everything, and of one resource.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"
#include "store/store.h"

#include "inside.h"

enum { DIFF_BYTES = 256 << 20 };

struct past_call {
	size_t limit;
	server_past_cb cb;
	void *arg;
};

static struct past_call *
past_call_new(size_t limit, server_past_cb cb, void *arg)
{
	struct past_call *call = mem_new(sizeof(*call));

	*call = (struct past_call){limit, cb, arg};
	return call;
}

static void
answer(struct past_call *call, const struct server_past *past)
{
	call->cb(call->arg, past);
	mem_free(&call);
}

/* --- of everything --- */

static void
on_log(const struct store_log *log, void *arg)
{
	AUTO(mem_free)
	struct server_past_row *rows =
	    mem_new_array(MAX(log->count, 1), sizeof(*rows));
	struct server_past past = {log->err, log->why, rows, log->count};

	for (size_t i = 0; i < log->count; i++)
		rows[i] = (struct server_past_row){
		    .revision = log->entries[i].revision,
		    .time_ms = log->entries[i].time_ms,
		    .actor = log->entries[i].actor,
		    .what = log->entries[i].what};
	answer(arg, &past);
}

void
server_log(struct server *s, size_t limit, server_past_cb cb, void *arg)
{
	store_log_list(s->store, /* before */ 0, limit, on_log,
	    past_call_new(limit, cb, arg));
}

/* --- of one resource --- */

static const struct value *
body_of(const struct store_row *row, struct arena *a)
{
	const struct value *v = NULL;

	if (row->deleted ||
	    codec_json_parse(row->resource.body, a, &v, NULL) != OK)
		return NULL;
	return v;
}

/* Bodies that are no longer readable, or too many of them, are not compared. */
static void
compare(struct server_past_row *out, const struct store_row *row,
    const struct store_row *before, struct arena *a)
{
	const struct value *x = body_of(before, a);
	const struct value *y = body_of(row, a);

	if (x == NULL || y == NULL || diff_values(x, y, a, &out->diff) != OK)
		out->diff = (struct diff){0};
}

static void
on_versions(const struct store_rows *versions, void *arg)
{
	struct past_call *call = arg;
	size_t count = MIN(versions->count, call->limit);
	AUTO(arena_fini) struct arena a;
	AUTO(mem_free)
	struct server_past_row *rows =
	    mem_new_array(MAX(count, 1), sizeof(*rows));
	struct server_past past = {versions->err, versions->why, rows, count};

	arena_init(&a, DIFF_BYTES);
	a.secret = true; /* bodies, maybe of a Secret */
	for (size_t i = 0; i < count; i++) {
		const struct store_row *row = &versions->rows[i];

		rows[i] = (struct server_past_row){.revision = row->revision,
		    .time_ms = row->updated_ms,
		    .actor = row->actor,
		    .what = slice_str(store_outcome_name(row->outcome))};
		if (i + 1 < versions->count)
			compare(&rows[i], row, &versions->rows[i + 1], &a);
	}
	answer(call, &past);
}

void
server_history(struct server *s, const struct resource_key *key, size_t limit,
    server_past_cb cb, void *arg)
{
	struct store_row which = {.table = STORE_RESOURCES,
	    .resource = {.group = key->group,
		.kind = key->kind,
		.ns = key->ns,
		.name = key->name}};

	store_history(
	    s->store, &which, on_versions, past_call_new(limit, cb, arg));
}
