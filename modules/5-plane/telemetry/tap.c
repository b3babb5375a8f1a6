/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap — flows as they happen, for somebody who looks.
 */
#include "tap.h"

#include "match.h"
#include "story.h"

#include <stdatomic.h>

enum { TAP_MAGIC = 0x74617021, FLYING_MAX = 256 << 10, LINE_MAX_BYTES = 16384 };

struct telemetry_tap {
	uint32_t magic;
	struct telemetry_tap_spec spec;
	bool closed; /* of the loop that asked */
	_Atomic size_t flying;
	_Atomic uint64_t lost;
};

/* What one turn of one worker brought, on its way. */
struct batch {
	struct telemetry_tap *tap;
	struct buf lines;
	size_t count;
};

struct telemetry_tap *
telemetry_tap_new(const struct telemetry_tap_spec *spec)
{
	struct telemetry_tap *t = mem_new(sizeof(*t));

	t->magic = TAP_MAGIC;
	t->spec = *spec;
	return t;
}

void
telemetry_tap_close(struct telemetry_tap *t)
{
	t->closed = true;
}

void
telemetry_tap_free(struct telemetry_tap **tp)
{
	struct telemetry_tap *t = *tp;

	if (t == NULL)
		return;
	CHECK(t->magic == TAP_MAGIC && t->flying == 0);
	telemetry_query_free(&t->spec.match);
	t->magic = 0;
	mem_free(tp);
}

uint64_t
telemetry_tap_take_lost(struct telemetry_tap *t)
{
	return atomic_exchange(&t->lost, 0);
}

void
telemetry_tap_lose(struct telemetry_tap *t, uint64_t lines)
{
	atomic_fetch_add(&t->lost, lines);
}

/* --- on a worker ---------------------------------------------------------- */

/* Half a line is worse than none. */
static bool
add_line(struct tapped *t, const struct flow_record *r)
{
	size_t before = buf_len(&t->lines);

	if (story_write(r, &t->lines) == OK &&
	    buf_add_byte(&t->lines, '\n') == OK)
		return true;
	t->lines.end = t->lines.start + before;
	return false;
}

void
tapped_note(struct tapped *t, const struct flow_record *r)
{
	size_t flying = atomic_load(&t->tap->flying) + buf_len(&t->lines);

	if (r->kind == FLOW_TCP_OPENED || !match_holds(t->tap->spec.match, r))
		return;
	if (t->lines.limit == 0)
		buf_init(&t->lines, FLYING_MAX);
	if (flying + LINE_MAX_BYTES <= FLYING_MAX && add_line(t, r))
		t->count++;
	else
		telemetry_tap_lose(t->tap, 1);
}

/* --- and where it was asked for ------------------------------------------- */

static void
on_batch(void *arg)
{
	struct batch *b = arg;
	struct telemetry_tap *t = b->tap;
	size_t bytes = buf_len(&b->lines);

	if (!t->closed)
		t->spec.on_lines(t->spec.arg, buf_slice(&b->lines), b->count);
	atomic_fetch_sub(&t->flying, bytes);
	buf_fini(&b->lines);
	mem_free(&b);
}

void
tapped_flush(struct tapped *t)
{
	struct batch *b;

	if (t->count == 0)
		return;
	b = mem_new(sizeof(*b));
	*b =
	    (struct batch){.tap = t->tap, .lines = t->lines, .count = t->count};
	t->lines = (struct buf){0};
	t->count = 0;
	atomic_fetch_add(&t->tap->flying, buf_len(&b->lines));
	loop_post(t->tap->spec.loop, on_batch, b);
}
