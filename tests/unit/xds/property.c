/* SPDX-License-Identifier: Apache-2.0 */
/*
 * property — whatever happens, at rest the client has what concerns it.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "pair.h"

enum { RUNS = 300, STEPS = 120 };

static struct pair p;

static void
step(struct rng *rng, uint64_t *version)
{
	char name[16];
	char text[16];

	snprintf(name, sizeof(name), "n%d", (int)rng_below(rng, 10));
	snprintf(text, sizeof(text), "%d", (int)++*version);
	switch (rng_below(rng, 9)) {
	case 0:
	case 1:
		pair_put(&p, name, text, "body");
		break;
	case 2:
		pair_remove(&p, name);
		break;
	case 3:
		xds_source_flush(p.source);
		break;
	case 4:
		if (p.stream != NULL)
			pair_up(&p);
		break;
	case 5:
		if (p.stream != NULL)
			pair_down(&p);
		break;
	case 6:
		if (p.open_count > 0)
			pair_settle(&p);
		break;
	case 7:
		p.interests = rng_u64(rng);
		if (p.stream != NULL)
			xds_server_stream_refilter(p.stream, S(PAIR_TYPE));
		break;
	default:
		if (p.stream != NULL && rng_below(rng, 3) == 0)
			pair_disconnect(&p);
		else if (p.stream == NULL)
			pair_connect(&p);
	}
}

static void
one_run(uint64_t seed)
{
	uint64_t version = 0;
	char wanted[PAIR_TEXT_MAX];
	struct rng rng;

	rng_init(&rng, seed);
	pair_init(&p);
	p.hold = true;
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("")));
	for (int i = 0; i < STEPS; i++)
		step(&rng, &version);
	if (p.stream == NULL)
		pair_connect(&p);
	pair_run(&p);
	snprintf(wanted, sizeof(wanted), "%s", pair_source_set(&p));
	if (strcmp(pair_set(&p), wanted) != 0)
		printf("seed %llu\n", (unsigned long long)seed);
	EXPECT_STR(pair_set(&p), wanted);
	EXPECT_TRUE(xds_client_is_synced(p.client));
	EXPECT_TRUE(xds_server_stream_is_quiet(p.stream));
	pair_fini(&p);
}

TEST(at_rest_the_clients_set_is_the_servers_filtered_set)
{
	struct rng rng;

	rng_init_random(&rng);
	for (int i = 0; i < RUNS; i++)
		one_run(rng_u64(&rng));
}

/* The same with names that come and go instead of the wildcard. */
static void
name_step(struct rng *rng, uint64_t *version, uint64_t *names)
{
	char name[16];
	int n = (int)rng_below(rng, 10);

	if (rng_below(rng, 3) != 0) {
		step(rng, version);
		return;
	}
	snprintf(name, sizeof(name), "n%d", n);
	*names ^= UINT64_C(1) << n;
	if (*names >> n & 1)
		EXPECT_OK(xds_client_subscribe(
		    p.client, S(PAIR_TYPE), slice_str(name)));
	else
		xds_client_unsubscribe(p.client, S(PAIR_TYPE), slice_str(name));
}

TEST(at_rest_a_client_of_names_has_those_names)
{
	struct rng rng;

	rng_init_random(&rng);
	for (int i = 0; i < RUNS; i++) {
		uint64_t seed = rng_u64(&rng);
		uint64_t version = 0;
		uint64_t names = 0;
		char wanted[PAIR_TEXT_MAX];
		struct rng run;

		rng_init(&run, seed);
		pair_init(&p);
		p.hold = true;
		for (int s = 0; s < STEPS; s++)
			name_step(&run, &version, &names);
		if (p.stream == NULL)
			pair_connect(&p);
		pair_run(&p);
		p.interests &= names;
		snprintf(wanted, sizeof(wanted), "%s", pair_source_set(&p));
		if (strcmp(pair_set(&p), wanted) != 0)
			printf("seed %llu\n", (unsigned long long)seed);
		EXPECT_STR(pair_set(&p), wanted);
		pair_fini(&p);
	}
}
