/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own — which of a server's keys stay, and which are new each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "own.h"
#include "paths.h"
#include "unit.h"

#define NOW_MS INT64_C(1790000000000)

struct place {
	char dir[32];
	struct clock_fake fake;
	struct clock clock;
	struct mesh mesh;
	struct server_spec spec;
};

static void
begin(struct place *p)
{
	*p = (struct place){.dir = "/tmp/meshd-own-XXXXXX"};
	EXPECT_OK(crypto_init());
	EXPECT_OK(tls_init());
	EXPECT_TRUE(mkdtemp(p->dir) != NULL);
	p->fake.wall_ms = NOW_MS;
	p->clock = clock_fake_as_clock(&p->fake);
	p->spec = (struct server_spec){
	    .state_dir = p->dir, .name = "s1", .clock = &p->clock};
	mesh_init(&p->mesh);
	EXPECT_OK(
	    mesh_make(&p->mesh, SERVER_TRUST_DOMAIN, NULL, NULL, NOW_MS, NULL));
}

static void
end(struct place *p)
{
	static const char *const files[] = {
	    PATH_SIGNER_KEY, PATH_SIGNER, PATH_GOSSIP_KEY, PATH_API_KEY};
	char path[SERVER_PATH_MAX];

	mesh_fini(&p->mesh);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		EXPECT_OK(path_of(p->dir, files[i], path, NULL));
		EXPECT_EQ(unlink(path), 0);
	}
	EXPECT_EQ(rmdir(p->dir), 0);
}

static struct tls_cert_info
leaf_of(const struct tls_identity *identity)
{
	return *tls_identity_info(identity);
}

TEST(the_key_of_the_api_survives_renewals_and_restarts)
{
	struct place p;
	struct own o;
	struct tls_cert_info api, control, now;

	begin(&p);
	own_init(&o);
	EXPECT_OK(own_open(&o, &p.spec, &p.mesh, NULL));
	api = leaf_of(o.api_identity);
	control = leaf_of(o.identity);
	EXPECT_FALSE(tls_pin_eq(&api.pin, &control.pin));

	/* Past half of the intermediate's life, so that all is new. */
	clock_fake_advance(&p.fake, UINT64_C(20) * CA_DAY_MS * 1000);
	EXPECT_TRUE(own_is_due(&o, p.fake.wall_ms));
	EXPECT_OK(own_renew(&o, &p.spec, &p.mesh, NULL));
	now = leaf_of(o.api_identity);
	EXPECT_TRUE(tls_pin_eq(&now.pin, &api.pin));
	EXPECT_TRUE(strcmp(now.serial, api.serial) != 0);
	EXPECT_TRUE(now.not_after_ms > api.not_after_ms);
	now = leaf_of(o.identity);
	EXPECT_FALSE(tls_pin_eq(&now.pin, &control.pin));
	own_fini(&o);

	own_init(&o);
	EXPECT_OK(own_open(&o, &p.spec, &p.mesh, NULL));
	now = leaf_of(o.api_identity);
	EXPECT_TRUE(tls_pin_eq(&now.pin, &api.pin));
	own_fini(&o);
	end(&p);
}

TEST(a_key_of_the_api_that_is_damaged_is_not_replaced)
{
	struct place p;
	struct own o;
	char path[SERVER_PATH_MAX];
	struct fault why = {0};

	begin(&p);
	EXPECT_OK(path_of(p.dir, PATH_API_KEY, path, NULL));
	EXPECT_OK(file_replace(path, S("no key"), 0600, NULL));
	own_init(&o);
	EXPECT_NE(own_open(&o, &p.spec, &p.mesh, &why), OK);
	EXPECT_TRUE(strstr(why.text, PATH_API_KEY) != NULL);
	own_fini(&o);
	end(&p);
}
