/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names — where names of endpoints lead; see names.h.
 *
 *	            room            answer
 *	WAITING ----------> ASKED ----------> RESTING --timer--> WAITING
 *	   ^ needed
 *
 * As upstream has it: an answer is good for as long as it says, and for
 * dnsRefreshRate if it says 0. After a failure it is asked again soon, later
 * each time up to that rate, and what was known stays; but a name of which the
 * servers say that it has no address has none any more, where each address is
 * an endpoint of its own.
 */
#define LOG_MODULE "node"

#include "names.h"

#include <stdio.h>
#include <stdlib.h>

enum { OUTCOMES = 2, WORDS_MAX = 512 };

struct name {
	struct names *of;
	char text[NAME_HOST_MAX + 2];
	bool in_order;
	struct loop_resolve *look; /* while it is asked for */
	struct list link;          /* of those that wait for room */
	struct timer next;
	struct addr *addrs;
	size_t count;
	bool is_known;     /* an answer came, whatever it was */
	enum err why;      /* of the last one */
	bool is_narrow;    /* it was asked for one family alone */
	uint32_t failures; /* in a row */
	uint64_t version;
	struct metric_series *outcomes[OUTCOMES]; /* success, failure */
};

struct names {
	struct names_spec spec;
	struct name **items; /* by name */
	size_t count;
	size_t asked;
	struct list waiting;
	uint64_t refresh_us;
	uint64_t versions;
	struct rng rng;
	struct metric_family *updates;
};

static struct slice
text_of(const struct name *n)
{
	return slice_str(n->text);
}

/* --- words ---------------------------------------------------------------- */

static const char *
words_of(const struct name *n)
{
	switch (n->why) {
	case OK:
		return "";
	case ERR_NOT_FOUND:
		return n->is_narrow
			   ? "there is no such name, or it has no address of "
			     "the family that this machine has"
			   : "there is no such name, or it has no address";
	case ERR_TIMEOUT:
		return "the name servers did not answer in time";
	case ERR_UNREACHABLE:
		return "no name server answers; see /etc/resolv.conf";
	case ERR_PROTOCOL:
		return "the name server's answer is of no use; one of more "
		       "than 512 bytes would take TCP, which is not asked by";
	case ERR_INVALID:
		return "it is no name of a host";
	default:
		return err_text(n->why);
	}
}

/* Once for each change of what is so. */
static void
tell(const struct name *n, enum err before)
{
	if (n->why == before)
		return;
	if (n->why != OK)
		log_warn("a name is not resolved",
		    "name=%s why=\"%s\" addresses_kept=%zu", n->text,
		    words_of(n), n->count);
	else
		log_info("a name is resolved again", "name=%s addresses=%zu",
		    n->text, n->count);
}

/* --- what is known -------------------------------------------------------- */

static int
by_addr(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

static bool
has_same(const struct name *n, const struct addr *addrs, size_t count)
{
	if (n->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!addr_eq(&n->addrs[i], &addrs[i]))
			return false;
	return true;
}

/* Servers turn the order round; where it means nothing nothing has changed. */
static bool
take_addrs(struct name *n, const struct addr *addrs, size_t count)
{
	struct addr all[LOOP_RESOLVE_ADDRS_MAX];

	count = MIN(count, ARRAY_LEN(all));
	if (count > 0)
		memcpy(all, addrs, count * sizeof(*all));
	if (!n->in_order && count > 1)
		qsort(all, count, sizeof(*all), by_addr);
	if (has_same(n, all, count))
		return false;
	mem_free(&n->addrs);
	n->addrs = mem_new_array(MAX(count, (size_t)1), sizeof(*all));
	memcpy(n->addrs, all, count * sizeof(*all));
	n->count = count;
	return true;
}

/* True if views have to know of it. */
static bool
take_answer(struct name *n, enum err e, const struct addr *addrs, size_t count)
{
	enum err before = n->why;
	bool is_news = !n->is_known;

	n->is_known = true;
	n->why = e;
	if (e == OK || (e == ERR_NOT_FOUND && !n->in_order))
		is_news |= take_addrs(n, addrs, count);
	if (n->count == 0)
		is_news |= e != before;
	tell(n, before);
	return is_news;
}

/* --- when it is asked again ----------------------------------------------- */

static uint64_t
delay_us(struct name *n, uint32_t ttl_s)
{
	uint64_t most = n->of->refresh_us, us = NAMES_AGAIN_US;

	if (n->why == OK) {
		n->failures = 0;
		return ttl_s > 0 ? ttl_s * UINT64_C(1000000) : most;
	}
	for (uint32_t i = 0; i < n->failures && us < most; i++)
		us *= 2;
	us = MIN(us, most);
	n->failures++;
	/* So that those that failed together do not come back together. */
	return us / 2 + rng_below(&n->of->rng, us / 2 + 1);
}

/* --- asking --------------------------------------------------------------- */

static void ask(struct name *n);

static void
ask_waiting(struct names *all)
{
	struct name *n;

	while (all->asked < NAMES_ASKED_MAX &&
	       (n = LIST_FIRST(&all->waiting, struct name, link)) != NULL) {
		list_remove(&n->link);
		ask(n);
	}
}

static void
on_answer(void *arg, enum err e, const struct addr *addrs, size_t count,
    uint32_t ttl_s)
{
	struct name *n = arg;
	struct names *all = n->of;
	bool is_news;

	n->look = NULL;
	all->asked--;
	metric_add(n->outcomes[e != OK], 1);
	is_news = take_answer(n, e, addrs, count);
	timer_set(&n->next, delay_us(n, ttl_s));
	if (is_news) {
		n->version = ++all->versions;
		all->spec.on_change(all->spec.arg);
	}
	ask_waiting(all);
}

static void
ask(struct name *n)
{
	struct names *all = n->of;
	enum addr_family family = all->spec.family();

	timer_clear(&n->next);
	if (n->look != NULL)
		return;
	if (all->asked == NAMES_ASKED_MAX) {
		list_remove(&n->link); /* it may be there already */
		list_push_back(&all->waiting, &n->link);
		return;
	}
	n->is_narrow = family != ADDR_NONE;
	n->look =
	    loop_resolve(all->spec.loop, text_of(n), family, on_answer, n);
	if (n->look != NULL)
		all->asked++;
	else /* others ask for very much */
		timer_set(&n->next, NAMES_AGAIN_US);
}

static void
on_due(void *arg)
{
	ask(arg);
}

/* --- which are needed ----------------------------------------------------- */

static struct name *
name_new(struct names *all, struct slice text)
{
	static const char *const outcomes[OUTCOMES] = {"success", "failure"};
	struct name *n = mem_new(sizeof(*n));

	n->of = all;
	/* A view's names were checked when they were written. */
	CHECK(slice_to_cstr(text, n->text, sizeof(n->text)) == OK);
	list_init(&n->link);
	timer_init(&n->next, all->spec.loop, on_due, n);
	for (size_t i = 0; i < OUTCOMES; i++)
		n->outcomes[i] = metric_series_get(all->updates,
		    (const struct slice[]){text, slice_str(outcomes[i])});
	return n;
}

static void
name_free(struct name **np)
{
	struct name *n = *np;

	if (n == NULL)
		return;
	if (n->look != NULL) {
		loop_resolve_cancel(&n->look);
		n->of->asked--;
	}
	list_remove(&n->link);
	timer_clear(&n->next);
	for (size_t i = 0; i < OUTCOMES; i++)
		metric_series_release(n->outcomes[i]);
	mem_free(&n->addrs);
	mem_free(np);
}

/* What is known is in another order than it came in, or was. */
static void
set_order(struct name *n, bool in_order)
{
	if (n->in_order == in_order)
		return;
	n->in_order = in_order;
	if (n->is_known)
		ask(n);
}

/* It is known no more. */
static void
forget(struct names *all, size_t i)
{
	name_free(&all->items[i]);
	all->versions++;
}

void
names_follow(struct names *all, const struct view_name *needed, size_t count,
    uint64_t refresh_us)
{
	struct name **items =
	    mem_new_array(MAX(count, (size_t)1), sizeof(*items));
	size_t old = 0;

	all->refresh_us = MAX(refresh_us, (uint64_t)NAMES_REFRESH_MIN_US);
	for (size_t i = 0; i < count; i++) {
		int order = -1;

		while (old < all->count &&
		       (order = slice_cmp(
			    text_of(all->items[old]), needed[i].name)) < 0)
			forget(all, old++);
		if (old < all->count && order == 0) {
			items[i] = all->items[old++];
			set_order(items[i], needed[i].in_order);
			continue;
		}
		items[i] = name_new(all, needed[i].name);
		items[i]->in_order = needed[i].in_order;
		ask(items[i]);
	}
	while (old < all->count)
		forget(all, old++);
	mem_free(&all->items);
	all->items = items;
	all->count = count;
	ask_waiting(all);
}

void
names_retry(struct names *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i]->why != OK)
			ask(all->items[i]);
}

/* --- what others ask ------------------------------------------------------ */

const struct view_name_input *
names_inputs(const struct names *all, struct arena *arena, size_t *out_count)
{
	struct view_name_input *out =
	    arena_alloc_array(arena, MAX(all->count, (size_t)1), sizeof(*out));

	*out_count = out != NULL ? all->count : 0;
	for (size_t i = 0; i < *out_count; i++) {
		const struct name *n = all->items[i];

		out[i] = (struct view_name_input){.name = text_of(n),
		    .version = n->version,
		    .addrs = n->addrs,
		    .count = n->count};
		if (n->is_known && n->count == 0)
			out[i].reason = slice_str(words_of(n));
	}
	return out;
}

uint64_t
names_state(const struct names *all)
{
	return all->versions + 1;
}

void
names_each_failure(const struct names *all,
    void (*each)(void *arg, struct slice name, struct slice words), void *arg)
{
	char text[WORDS_MAX];

	for (size_t i = 0; i < all->count; i++) {
		const struct name *n = all->items[i];

		if (n->why == OK)
			continue;
		(void)snprintf(text, sizeof(text),
		    "its name is not resolved: %s; %s", words_of(n),
		    n->count > 0 ? "calls go to the addresses of before"
				 : "calls to it fail");
		each(arg, text_of(n), slice_str(text));
	}
}

/* --- its life ------------------------------------------------------------- */

struct names *
names_new(const struct names_spec *spec)
{
	static const char *const labels[] = {"name", "result"};
	struct names *all = mem_new(sizeof(*all));

	all->spec = *spec;
	all->refresh_us = NAMES_REFRESH_MIN_US;
	list_init(&all->waiting);
	rng_init_random(&all->rng);
	all->updates = metric_family_new("meshd_dns_updates_total",
	    "Look-ups of names that endpoints have.", METRIC_COUNTER, labels,
	    ARRAY_LEN(labels), NULL, 0);
	return all;
}

void
names_free(struct names **np)
{
	struct names *all = *np;

	if (all == NULL)
		return;
	for (size_t i = 0; i < all->count; i++)
		name_free(&all->items[i]);
	mem_free(&all->items);
	mem_free(np);
}
