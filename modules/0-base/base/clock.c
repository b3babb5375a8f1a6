/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock — the machine's clocks, a fake one, and time as text.
 */
#include <time.h>

#include "check.h"
#include "clock.h"

/* 9999-12-31T23:59:59.999Z: a later year has five digits. */
static const int64_t RFC3339_MS_MAX = INT64_C(253402300799999);

static uint64_t
system_mono_us(void *arg UNUSED)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int64_t
system_wall_ms(void *arg UNUSED)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_REALTIME, &t) == 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t
fake_mono_us(void *arg)
{
	const struct clock_fake *f = arg;

	return f->mono_us;
}

static int64_t
fake_wall_ms(void *arg)
{
	const struct clock_fake *f = arg;

	return f->wall_ms;
}

const struct clock clock_system = {system_mono_us, system_wall_ms, NULL};

struct clock
clock_fake_as_clock(struct clock_fake *f)
{
	return (struct clock){fake_mono_us, fake_wall_ms, f};
}

void
clock_fake_advance(struct clock_fake *f, uint64_t us)
{
	/* By whole milliseconds passed, so that small steps add up. */
	f->wall_ms += (int64_t)((f->mono_us + us) / 1000 - f->mono_us / 1000);
	f->mono_us += us;
}

void
clock_format_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_LEN])
{
	int64_t ms = MAX(INT64_C(0), MIN(wall_ms, RFC3339_MS_MAX));
	time_t seconds = (time_t)(ms / 1000);
	struct tm t;

	CHECK(gmtime_r(&seconds, &t) != NULL);
	CHECK(strftime(out, CLOCK_RFC3339_LEN, "%Y-%m-%dT%H:%M:%S", &t) == 19);
	/* The milliseconds by hand: snprintf would be told of no bound. */
	out[19] = '.';
	out[20] = (char)('0' + ms % 1000 / 100);
	out[21] = (char)('0' + ms % 100 / 10);
	out[22] = (char)('0' + ms % 10);
	out[23] = 'Z';
	out[24] = '\0';
}
