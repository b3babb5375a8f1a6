/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats — questions in numbers, and as lines where that is asked for.
 */
#include "inside.h"

static const char *const type_names[TYPES] = {
    "A", "AAAA", "PTR", "SRV", "other"};

static const char *const result_names[RESULTS] = {
    [RESULT_MESH] = "mesh",
    [RESULT_NODATA] = "absent",
    [RESULT_NO_NAME] = "unknown",
    [RESULT_CACHED] = "cached",
    [RESULT_RELAYED] = "relayed",
    [RESULT_FAILED] = "failed",
    [RESULT_REFUSED] = "refused",
    [RESULT_MALFORMED] = "malformed",
};

const char *
result_name(enum result x)
{
	return result_names[x];
}

static unsigned
type_index(uint16_t type)
{
	switch (type) {
	case DNS_A:
		return 0;
	case DNS_AAAA:
		return 1;
	case DNS_PTR:
		return 2;
	case DNS_SRV:
		return 3;
	default:
		return TYPES - 1;
	}
}

void
stats_open(struct resolver *r)
{
	static const char *const labels[] = {"type", "result"};
	static const char *const by_upstream[] = {"upstream"};
	static const double bounds[] = {
	    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
	struct metric_family *f = metric_family_new("meshd_dns_queries_total",
	    "Questions, by type and what came of them.", METRIC_COUNTER, labels,
	    ARRAY_LEN(labels), NULL, 0);

	for (unsigned t = 0; t < TYPES; t++)
		for (unsigned x = 0; x < RESULTS; x++) {
			struct slice values[] = {slice_str(type_names[t]),
			    slice_str(result_names[x])};

			r->counts[t][x] = metric_series_get(f, values);
		}
	f = metric_family_new("meshd_dns_wait_seconds",
	    "How long questions took that could not be answered at once.",
	    METRIC_HISTOGRAM, NULL, 0, bounds, ARRAY_LEN(bounds));
	r->waits = metric_series_get(f, NULL);
	f = metric_family_new("meshd_dns_cache_bytes",
	    "What answers of others take that are kept.", METRIC_GAUGE, NULL, 0,
	    NULL, 0);
	r->cached = metric_series_get(f, NULL);
	r->failures = metric_family_new("meshd_dns_upstream_failures_total",
	    "Questions that a name server did not answer.", METRIC_COUNTER,
	    by_upstream, ARRAY_LEN(by_upstream), NULL, 0);
}

void
stats_upstream_failed(struct resolver *r, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	struct slice value = slice_str(addr_format(a, text));
	struct metric_series *s = metric_series_get(r->failures, &value);

	metric_add(s, 1);
	metric_series_release(s);
}

static bool
is_failure(enum result x)
{
	return x == RESULT_FAILED || x == RESULT_REFUSED ||
	       x == RESULT_MALFORMED;
}

static bool
is_logged(struct resolver *r, enum result x)
{
	const struct resolver_spec *spec = &r->spec;

	if (spec->log == RESOLVER_LOG_OFF ||
	    (spec->log == RESOLVER_LOG_FAILED && !is_failure(x)))
		return false;
	return r->logged++ % MAX(spec->log_each, 1u) == 0;
}

static void
write_line(const struct asker *who, const struct dns_question *q,
    const struct outcome *o)
{
	char name[DNS_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX] = "-";
	const char *why = o->why != NULL       ? o->why
			  : o->decided != NULL ? o->decided->why
					       : "";
	struct slice text = dns_name_text(&q->name, name);

	if (o->upstream != NULL)
		(void)addr_format(o->upstream, to);
	log_info("question",
	    "from=%s name=%.*s type=%s result=%s upstream=%s us=%llu "
	    "why=\"%s\"",
	    addr_format(&who->from, from), SLICE_ARG(text),
	    dns_type_name(q->type, type), result_names[o->result], to,
	    (unsigned long long)o->took_us, why);
}

void
stats_count(struct resolver *r, const struct asker *who,
    const struct dns_question *q, const struct outcome *o)
{
	enum { SECOND_US = 1000000 };

	metric_add(r->counts[type_index(q->type)][o->result], 1);
	if (o->took_us > 0)
		metric_observe(r->waits, (double)o->took_us / SECOND_US);
	if (o->result == RESULT_RELAYED)
		metric_gauge_set(r->cached, (int64_t)dns_cache_bytes(r->cache));
	if (is_logged(r, o->result))
		write_line(who, q, o);
}
