/* SPDX-License-Identifier: Apache-2.0 */
/*
 * set — the services that are asked, each with its timer, its judge and what
 * is told of it.
 */
#define LOG_MODULE "health"

#include "ask.h"
#include "codec/codec.h"
#include "judge.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	SET_MAGIC = 0x68736574,
	ITEM_MAGIC = 0x6869746d,
	KEY_MAX = 2 * (NAME_LABEL_MAX + 1) + SLICE_U64_MAX,
	SPEC_ARENA_MAX = 1 << 20,
	SPEC_BYTES_MAX = 256 << 10,
	US_A_S = 1000000,
	NOT_ASKED = -1
};

struct item {
	uint32_t magic;
	struct health_set *set;
	char key[KEY_MAX]; /* "ns/name/port" */
	char ns[NAME_LABEL_MAX + 1];
	char name[NAME_LABEL_MAX + 1];
	struct addr target;
	struct resource *policy;
	struct judge judge;
	int64_t since_ms;
	char reason[HEALTH_REASON_MAX];
	struct ask *ask; /* while one is under way */
	struct timer timer;
	struct metric_series *results[2]; /* bad, good */
	struct metric_series *state;
	uint64_t round; /* of the set, when it was last wished for */
};

struct health_set {
	uint32_t magic;
	struct loop *loop;
	void (*on_change)(void *arg);
	void *arg;
	struct rng rng;
	struct map items; /* by key */
	uint64_t round;
	struct metric_family *checks;
	struct metric_family *states;
};

static void
key_of(struct slice ns, struct slice name, uint16_t port, char out[KEY_MAX])
{
	(void)snprintf(out, KEY_MAX, "%.*s/%.*s/%u",
	    SLICE_ARG(slice_sub(ns, 0, NAME_LABEL_MAX)),
	    SLICE_ARG(slice_sub(name, 0, NAME_LABEL_MAX)), (unsigned)port);
}

static const struct health_check_policy *
policy_of(const struct item *i)
{
	return i->policy->spec;
}

static struct judge_rules
rules_of(const struct item *i)
{
	const struct health_check_policy *p = policy_of(i);

	return (struct judge_rules){.interval_us = p->interval,
	    .delay_us = p->initial_delay,
	    .healthy = (unsigned)p->healthy_threshold,
	    .unhealthy = (unsigned)p->unhealthy_threshold};
}

/* --- answers -------------------------------------------------------------- */

static void
set_timer(struct item *i)
{
	struct judge_rules rules = rules_of(i);

	timer_set(&i->timer, judge_wait_us(&i->judge, &rules,
				 loop_now_us(i->set->loop), &i->set->rng));
}

static void
tell_log(const struct item *i)
{
	if (i->judge.state == HEALTH_HEALTHY)
		log_info("service is healthy", "service=%s why=\"%s\"", i->key,
		    i->reason);
	else
		log_warn("service is unhealthy", "service=%s why=\"%s\"",
		    i->key, i->reason);
}

static void
changed(struct item *i, const char *reason)
{
	(void)snprintf(i->reason, sizeof(i->reason), "%s", reason);
	i->since_ms = clock_wall_ms(loop_clock(i->set->loop));
	metric_gauge_set(i->state, i->judge.state == HEALTH_HEALTHY);
	tell_log(i);
	i->set->on_change(i->set->arg);
}

/* Well again, but held: since when it is unhealthy stays as it is. */
static void
held(struct item *i, uint64_t held_us)
{
	(void)snprintf(i->reason, sizeof(i->reason),
	    "it is well again, but goes up and down: held back for %" PRIu64
	    "s",
	    (held_us + US_A_S - 1) / US_A_S);
	log_warn(
	    "service is held back", "service=%s why=\"%s\"", i->key, i->reason);
	i->set->on_change(i->set->arg);
}

static void
on_answer(void *arg, bool is_good, const char *reason)
{
	struct judge_rules rules;
	struct item *i;
	uint64_t now_us;
	bool was_held, is_new;

	OBJ(i, arg, ITEM_MAGIC);
	i->ask = NULL;
	rules = rules_of(i);
	now_us = loop_now_us(i->set->loop);
	was_held = i->judge.held_well;
	metric_add(i->results[is_good], 1);
	is_new = judge_take(&i->judge, &rules, now_us, is_good);
	if (is_new || (was_held && !i->judge.held_well))
		changed(i, reason);
	else if (i->judge.held_well && !was_held)
		held(i, judge_held_us(&i->judge, now_us));
	set_timer(i);
}

static void
on_timer(void *arg)
{
	struct item *i;

	OBJ(i, arg, ITEM_MAGIC);
	i->ask = ask_open(&(struct ask_spec){.loop = i->set->loop,
	    .policy = policy_of(i),
	    .target = i->target,
	    .done = on_answer,
	    .arg = i});
}

/* --- items ---------------------------------------------------------------- */

static void
open_metrics(struct item *i)
{
	struct slice port = slice_str(strrchr(i->key, '/') + 1);
	struct slice labels[] = {
	    slice_str(i->ns), slice_str(i->name), port, S("")};

	for (int good = 0; good < 2; good++) {
		labels[3] = good ? S("success") : S("failure");
		i->results[good] = metric_series_get(i->set->checks, labels);
	}
	i->state = metric_series_get(i->set->states, labels);
	metric_gauge_set(i->state, i->judge.state == HEALTH_HEALTHY);
}

static struct item *
item_new(struct health_set *s, const struct health_wish *w, const char *key)
{
	struct item *i = mem_new(sizeof(*i));

	i->magic = ITEM_MAGIC;
	i->set = s;
	(void)snprintf(i->key, sizeof(i->key), "%s", key);
	(void)snprintf(i->ns, sizeof(i->ns), "%.*s", SLICE_ARG(w->ns));
	(void)snprintf(i->name, sizeof(i->name), "%.*s", SLICE_ARG(w->name));
	judge_init(&i->judge, w->serves ? HEALTH_HEALTHY : HEALTH_UNKNOWN);
	(void)snprintf(
	    i->reason, sizeof(i->reason), "it has not been asked yet");
	i->since_ms = clock_wall_ms(loop_clock(s->loop));
	timer_init(&i->timer, s->loop, on_timer, i);
	open_metrics(i);
	return i;
}

/* The first answer to another question decides. */
static void
item_begin(struct item *i, const struct health_wish *w)
{
	ask_cancel(&i->ask);
	resource_unref(&i->policy);
	i->policy = resource_ref(w->policy);
	i->target = w->target;
	judge_renew(&i->judge);
	set_timer(i);
}

static void
item_free(void *value)
{
	struct item *i = value;

	ask_cancel(&i->ask);
	timer_clear(&i->timer);
	for (int good = 0; good < 2; good++)
		metric_series_release(i->results[good]);
	metric_gauge_set(i->state, NOT_ASKED);
	metric_series_release(i->state);
	resource_unref(&i->policy);
	i->magic = 0;
	mem_free(&i);
}

/* --- the same question? --------------------------------------------------- */

static enum err
spell(const struct resource *r, struct arena *arena, struct buf *out)
{
	const struct value *doc =
	    resource_encode(r, RESOURCE_AS_WRITTEN, arena);
	const struct value *spec =
	    doc != NULL ? value_get(doc, S("spec")) : NULL;

	return spec != NULL ? codec_json_emit(spec, out) : ERR_NO_MEMORY;
}

static bool
is_same(const struct item *i, const struct health_wish *w)
{
	AUTO(buf_fini) struct buf a = BUF(SPEC_BYTES_MAX);
	AUTO(buf_fini) struct buf b = BUF(SPEC_BYTES_MAX);
	AUTO(arena_fini) struct arena arena = {0};

	if (i->policy == NULL || !addr_eq(&i->target, &w->target))
		return false;
	if (i->policy == w->policy)
		return true;
	arena_init(&arena, SPEC_ARENA_MAX);
	return spell(i->policy, &arena, &a) == OK &&
	       spell(w->policy, &arena, &b) == OK &&
	       slice_eq(buf_slice(&a), buf_slice(&b));
}

static void
put(struct health_set *s, const struct health_wish *w)
{
	char key[KEY_MAX];
	struct item *i;

	key_of(w->ns, w->name, w->port, key);
	i = map_get(&s->items, slice_str(key));
	if (i == NULL) {
		i = item_new(s, w, key);
		(void)map_put(&s->items, slice_str(key), i);
	}
	if (!is_same(i, w))
		item_begin(i, w);
	i->round = s->round;
}

static void
drop_others(struct health_set *s)
{
	struct slice key;
	void *value;
	size_t at = 0;

	while (map_next(&s->items, &at, &key, &value)) {
		struct item *i = value;

		if (i->round == s->round)
			continue;
		(void)map_remove(&s->items, slice_str(i->key)); /* it is `i` */
		item_free(i);
		at = 0; /* the map is another */
	}
}

/* --- the owner's side ----------------------------------------------------- */

void
health_set_replace(
    struct health_set *s, const struct health_wish *wishes, size_t count)
{
	s->round++;
	for (size_t i = 0; i < count; i++)
		put(s, &wishes[i]);
	drop_others(s);
}

bool
health_set_find(const struct health_set *s, struct slice ns, struct slice name,
    uint16_t port, struct health_report *out)
{
	const struct item *i;
	char key[KEY_MAX];

	key_of(ns, name, port, key);
	i = map_get(&s->items, slice_str(key));
	if (i == NULL)
		return false;
	*out = (struct health_report){.state = i->judge.state,
	    .since_ms = i->since_ms,
	    .reason = slice_str(i->reason)};
	return true;
}

struct health_set *
health_set_new(struct loop *loop, void (*on_change)(void *arg), void *arg)
{
	static const char *const labels[] = {
	    "namespace", "service", "port", "result"};
	struct health_set *s = mem_new(sizeof(*s));

	s->magic = SET_MAGIC;
	s->loop = loop;
	s->on_change = on_change;
	s->arg = arg;
	rng_init_random(&s->rng);
	map_init(&s->items);
	s->checks = metric_family_new("meshd_health_checks_total",
	    "Answers to health checks of this machine's services",
	    METRIC_COUNTER, labels, 4, NULL, 0);
	s->states = metric_family_new("meshd_health_state",
	    "1: the service is healthy by its check, 0: it is not, -1: it "
	    "is not asked any more",
	    METRIC_GAUGE, labels, 3, NULL, 0);
	return s;
}

void
health_set_free(struct health_set **sp)
{
	struct health_set *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	map_fini(&s->items, item_free);
	s->magic = 0;
	mem_free(&s);
}
