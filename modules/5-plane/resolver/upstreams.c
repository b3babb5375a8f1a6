/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstreams — who is asked for what the mesh does not know; see upstreams.h.
 */
#include "upstreams.h"

static struct upstream *
find(struct upstreams *u, const struct addr *a)
{
	for (size_t i = 0; i < u->count; i++)
		if (addr_eq(&u->all[i].addr, a))
			return &u->all[i];
	return NULL;
}

void
upstreams_set(struct upstreams *u, const struct addr *addrs, size_t count)
{
	struct upstreams before = *u;

	u->count = 0;
	for (size_t i = 0; i < count && u->count < UPSTREAMS_MAX; i++) {
		const struct upstream *same = find(&before, &addrs[i]);

		if (find(u, &addrs[i]) != NULL)
			continue;
		u->all[u->count] =
		    same != NULL ? *same : (struct upstream){.addr = addrs[i]};
		u->all[u->count++].loops = false; /* to be found out anew */
	}
}

/* It is tried by one question, others wait for what comes of that. */
static void
begin_trial(struct upstream *s, uint64_t now_us)
{
	if (s->failures > 0)
		s->dead_until_us = now_us + UPSTREAM_DEAD_US;
}

int
upstreams_next(struct upstreams *u, uint32_t tried, uint64_t now_us)
{
	int soonest = -1;

	for (size_t i = 0; i < u->count; i++) {
		struct upstream *s = &u->all[i];

		if (s->loops || (tried & (UINT32_C(1) << i)))
			continue;
		if (s->dead_until_us <= now_us) {
			begin_trial(s, now_us);
			return (int)i;
		}
		if (soonest < 0 ||
		    s->dead_until_us < u->all[soonest].dead_until_us)
			soonest = (int)i;
	}
	return soonest;
}

void
upstreams_failed(struct upstreams *u, const struct addr *a, uint64_t now_us)
{
	struct upstream *s = find(u, a);
	uint64_t wait = UPSTREAM_DEAD_US;

	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->failures && wait < UPSTREAM_DEAD_MAX_US;
	     i++)
		wait *= 2;
	s->failures += s->failures < UINT32_MAX;
	s->dead_until_us = now_us + MIN(wait, (uint64_t)UPSTREAM_DEAD_MAX_US);
}

void
upstreams_answered(struct upstreams *u, const struct addr *a)
{
	struct upstream *s = find(u, a);

	if (s == NULL)
		return;
	s->failures = 0;
	s->dead_until_us = 0;
}

bool
upstreams_loops(struct upstreams *u, const struct addr *a)
{
	struct upstream *s = find(u, a);

	if (s == NULL || s->loops)
		return false;
	s->loops = true;
	return true;
}

/* --- resolv.conf(5) ------------------------------------------------------- */

static struct slice
next_word(struct slice *rest)
{
	size_t len = 0;
	struct slice word;

	*rest = slice_trim(*rest);
	while (
	    len < rest->len && rest->ptr[len] != ' ' && rest->ptr[len] != '\t')
		len++;
	word = slice_sub(*rest, 0, len);
	*rest = slice_sub(*rest, len, rest->len);
	return word;
}

size_t
resolv_conf_read(struct slice text, struct addr *out, size_t cap)
{
	size_t count = 0;

	while (text.len > 0 && count < cap) {
		struct slice line = slice_split(&text, '\n');
		struct addr a;

		if (!slice_eq(next_word(&line), S("nameserver")) ||
		    addr_parse_ip(next_word(&line), &a) != OK)
			continue; /* one of a zone, too: fe80::1%eth0 */
		a.port = UPSTREAM_PORT;
		out[count++] = a;
	}
	return count;
}
