/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric — counting, merging, the bound on series, Prometheus text.
 */
#include <math.h>
#include <stdio.h>

#include "base/base.h"
#include "unit.h"

static const char *const code_and_path[] = {"code", "path"};
static const double bounds[] = {0.5, 1, 2500};

static struct buf out = BUF(8 << 20);

static const char *
rendered(void)
{
	buf_reset(&out);
	EXPECT_OK(metrics_render(&out));
	EXPECT_OK(buf_add_byte(&out, 0));
	return buf_slice(&out).ptr;
}

static struct metric_family *
counter(size_t labels)
{
	return metric_family_new("requests_total", "Requests.", METRIC_COUNTER,
	    code_and_path, labels, NULL, 0);
}

static struct metric_series *
numbered(struct metric_family *f, unsigned n)
{
	char text[16];
	struct slice value =
	    slice_of(text, (size_t)snprintf(text, sizeof(text), "%u", n));

	return metric_series_get(f, &value);
}

static void
end(void)
{
	metrics_fini();
	buf_fini(&out);
}

TEST(a_counter_without_labels_is_one_line)
{
	struct metric_series *s = metric_series_get(counter(0), NULL);

	metric_add(s, 3);
	metric_add(s, 4);
	EXPECT_EQ(metric_value(s), 7);
	EXPECT_STR(rendered(), "# HELP requests_total Requests.\n"
			       "# TYPE requests_total counter\n"
			       "requests_total 7\n");
	end();
}

TEST(label_values_are_escaped_and_cleaned)
{
	struct slice values[] = {S("a\"b\\c\nd"), S("x\xff")};
	struct metric_series *s = metric_series_get(counter(2), values);

	metric_add(s, 1);
	EXPECT_TRUE(metric_series_get(counter(2), values) == s);
	EXPECT_STR(rendered(),
	    "# HELP requests_total Requests.\n"
	    "# TYPE requests_total counter\n"
	    "requests_total{code=\"a\\\"b\\\\c\\nd\",path=\"x_\"} 1\n");
	end();
}

TEST(values_that_share_bytes_are_different_series)
{
	struct slice left[] = {S("ab"), S("c")}, right[] = {S("a"), S("bc")};
	struct metric_family *f = counter(2);

	EXPECT_TRUE(metric_series_get(f, left) != metric_series_get(f, right));
	end();
}

TEST(a_long_label_value_is_cut)
{
	static char wide[METRIC_VALUE_MAX * 2];
	struct slice value = slice_of(wide, sizeof(wide));

	memset(wide, 'x', sizeof(wide));
	metric_add(metric_series_get(counter(1), &value), 1);
	EXPECT_TRUE(strlen(rendered()) < METRIC_VALUE_MAX + 200);
	end();
}

TEST(a_gauge_goes_up_and_down_and_is_set)
{
	struct metric_family *f = metric_family_new(
	    "open", "Back\\slash\nline.", METRIC_GAUGE, NULL, 0, NULL, 0);
	struct metric_series *s = metric_series_get(f, NULL);

	metric_gauge_add(s, 2);
	metric_gauge_add(s, -5);
	EXPECT_EQ(metric_value(s), -3);
	EXPECT_STR(rendered(),
	    "# HELP open Back\\\\slash\\nline.\n# TYPE open gauge\nopen -3\n");
	metric_gauge_add(s, 3);
	metric_gauge_set(s, 9);
	metric_gauge_set(s, 8);
	EXPECT_EQ(metric_value(s), 8);
	end();
}

TEST(a_histogram_has_cumulative_buckets_sum_and_count)
{
	struct metric_family *f = metric_family_new("took", "Time.",
	    METRIC_HISTOGRAM, code_and_path, 1, bounds, ARRAY_LEN(bounds));
	struct slice value = S("200");
	struct metric_series *s = metric_series_get(f, &value);

	metric_observe(s, 0.5);
	metric_observe(s, 0.75);
	metric_observe(s, 1e9);
	metric_observe(s, NAN);
	EXPECT_EQ(metric_value(s), 3);
	EXPECT_STR(rendered(), "# HELP took Time.\n"
			       "# TYPE took histogram\n"
			       "took_bucket{code=\"200\",le=\"0.5\"} 1\n"
			       "took_bucket{code=\"200\",le=\"1\"} 2\n"
			       "took_bucket{code=\"200\",le=\"2500\"} 2\n"
			       "took_bucket{code=\"200\",le=\"+Inf\"} 3\n"
			       "took_sum{code=\"200\"} 1000000001.25\n"
			       "took_count{code=\"200\"} 3\n");
	end();
}

TEST(series_past_the_limit_are_counted_as_other)
{
	struct metric_family *f = counter(1);

	for (unsigned i = 0; i < METRIC_SERIES_MAX + 5; i++)
		metric_add(numbered(f, i), 1);
	EXPECT_EQ(metric_value(numbered(f, 0)), 2 - 1);
	EXPECT_EQ(metric_value(numbered(f, METRIC_SERIES_MAX + 99)), 5);
	EXPECT_TRUE(
	    strstr(rendered(), "requests_total{code=\"other\"} 5\n") != NULL);
	end();
}

TEST(a_series_given_back_is_shown_until_its_place_is_needed)
{
	struct metric_family *f = counter(1);
	struct metric_series *first, *second;

	for (unsigned i = 0; i < METRIC_SERIES_MAX; i++)
		metric_add(numbered(f, i), 1);
	first = numbered(f, 7);
	metric_series_release(first);
	metric_series_release(first);
	EXPECT_TRUE(strstr(rendered(), "{code=\"7\"} 1\n") != NULL);
	second = numbered(f, 100000);
	EXPECT_TRUE(first == second);
	EXPECT_EQ(metric_value(second), 0);
	EXPECT_TRUE(strstr(rendered(), "{code=\"7\"}") == NULL);
	EXPECT_TRUE(strstr(rendered(), "{code=\"100000\"} 0\n") != NULL);
	end();
}

TEST(a_series_that_comes_back_goes_on_counting)
{
	struct metric_series *s = numbered(counter(1), 7);

	metric_add(s, 5);
	metric_series_release(s);
	EXPECT_TRUE(numbered(counter(1), 7) == s);
	EXPECT_EQ(metric_value(s), 5);
	end();
}

TEST(a_second_registration_is_the_first_family)
{
	EXPECT_TRUE(counter(1) == counter(1));
	EXPECT_STR(rendered(), "# HELP requests_total Requests.\n"
			       "# TYPE requests_total counter\n");
	end();
}

TEST(text_that_does_not_fit_is_a_limit)
{
	struct buf small = BUF(40);

	metric_add(metric_series_get(counter(0), NULL), 3);
	EXPECT_ERR(metrics_render(&small), ERR_LIMIT);
	buf_fini(&small);
	end();
}

/* --- rows ----------------------------------------------------------------- */

struct seen {
	size_t rows;
	uint64_t count;
	uint64_t over; /* of a histogram, above all bounds */
};

static void
see(void *arg, const struct metric_row *row)
{
	struct seen *s = arg;

	s->rows += slice_eq(row->values[0], S("a"));
	s->count += row->count;
	if (row->bound_count > 0)
		s->over += row->buckets[row->bound_count];
}

TEST(rows_are_told_of_a_family_by_its_name)
{
	static const char *const labels[] = {"who"};
	static const double two[] = {1, 2};
	struct seen s = {0};
	struct metric_family *f = metric_family_new(
	    "rows_total", "r", METRIC_COUNTER, labels, 1, NULL, 0);
	struct metric_family *h = metric_family_new(
	    "rows_ms", "r", METRIC_HISTOGRAM, labels, 1, two, 2);
	struct metric_series *count = metric_series_get(f, &S("a"));
	struct metric_series *ms = metric_series_get(h, &S("a"));

	metric_add(count, 3);
	metric_observe(ms, 1.5);
	metric_observe(ms, 9);
	metrics_each("rows_total", see, &s);
	EXPECT_EQ(s.rows, 1);
	EXPECT_EQ(s.count, 3);
	s = (struct seen){0};
	metrics_each("rows_ms", see, &s);
	EXPECT_EQ(s.count, 2);
	EXPECT_EQ(s.over, 1);
	metrics_each("nothing", see, &s);
	EXPECT_EQ(s.rows, 1);
	metric_series_release(count);
	metric_series_release(ms);
	metrics_fini();
}
