/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recent — the last requests of one writer, to be asked about by their ids.
 */
#include "recent.h"

#include "story.h"

enum { PLACES = 256, PLACE_BYTES = 2048 };

struct place {
	struct flow_record record;
	char texts[PLACE_BYTES - sizeof(struct flow_record)];
};

struct ring {
	struct place *places; /* NULL: nothing was kept yet */
	size_t next;
	size_t count;
};

struct recent {
	struct ring good;
	struct ring bad;
};

struct recent *
recent_new(void)
{
	return mem_new(sizeof(struct recent));
}

void
recent_free(struct recent **rp)
{
	if (*rp == NULL)
		return;
	mem_free(&(*rp)->good.places);
	mem_free(&(*rp)->bad.places);
	mem_free(rp);
}

static bool
is_good(const struct flow_record *f)
{
	return f->flag == FLOW_OK && f->status < 500 && f->try_count == 0;
}

void
recent_note(struct recent *r, const struct flow_record *record)
{
	struct ring *g = is_good(record) ? &r->good : &r->bad;
	struct place *p;

	if (record->kind != FLOW_HTTP || record->request_id.len == 0)
		return;
	if (g->places == NULL)
		g->places = mem_new_array(PLACES, sizeof(*g->places));
	p = &g->places[g->next];
	g->next = (g->next + 1) % PLACES;
	g->count = MIN(g->count + 1, PLACES);
	flow_record_pack(record, p->texts, sizeof(p->texts), &p->record);
}

static enum err
find_in(const struct ring *g, struct slice id, struct buf *out)
{
	size_t oldest = g->count < PLACES ? 0 : g->next;
	enum err e = OK;

	for (size_t i = 0; e == OK && i < g->count; i++) {
		const struct flow_record *f =
		    &g->places[(oldest + i) % PLACES].record;

		if (!slice_eq(f->request_id, id))
			continue;
		e = story_write(f, out);
		if (e == OK)
			e = buf_add_byte(out, '\n');
	}
	return e;
}

enum err
recent_find(const struct recent *r, struct slice id, struct buf *out)
{
	enum err e =
	    find_in(&r->bad, slice_sub(id, 0, FLOW_PACKED_TEXT_MAX), out);

	return e == OK ? find_in(&r->good,
			     slice_sub(id, 0, FLOW_PACKED_TEXT_MAX), out)
		       : e;
}
