/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrets — what a Secret holds, looked at; and what lies in the store of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop/loop.h"
#include "secrets.h"
#include "tls/tls.h"
#include "unit.h"

enum { PEM_MAX = 8 << 10, WAIT_MAX_US = 10000000 };
static const int64_t now_ms = INT64_C(1800000000000);
static const int64_t day_ms = INT64_C(24) * 3600 * 1000;

/* --- certificates --------------------------------------------------------- */

struct pair {
	struct secret key;
	struct buf crt;
	struct label parts[2];
	struct tls_secret secret;
	struct findings found;
};

/* Valid from now less a day on, for `days`. */
static void
pair_init(struct pair *p, int64_t days)
{
	AUTO(tls_key_unref) struct tls_key *key = tls_key_new();
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	struct tls_issuer self = {.key = key};
	struct tls_cert_spec spec = {.common_name = S("web"),
	    .not_before_ms = now_ms - day_ms,
	    .not_after_ms = now_ms + days * day_ms,
	    .serial = {1}};

	memset(p, 0, sizeof(*p));
	p->crt = (struct buf)BUF(PEM_MAX);
	EXPECT_OK(
	    tls_cert_issue(&spec, tls_key_spki(key), &self, &chain, NULL));
	EXPECT_OK(tls_chain_pem(chain, &p->crt));
	EXPECT_OK(tls_key_pem(key, &p->key));
	p->parts[0] = (struct label){S("tls.crt"), buf_slice(&p->crt)};
	p->parts[1] =
	    (struct label){S("tls.key"), slice_of(p->key.bytes, p->key.len)};
	p->secret.string_data = (struct labels){p->parts, 2};
}

static void
pair_fini(struct pair *p)
{
	secret_fini(&p->key);
	buf_fini(&p->crt);
	findings_fini(&p->found);
}

static void
init(void)
{
	EXPECT_OK(crypto_init());
	EXPECT_OK(tls_init());
}

TEST(a_certificate_with_its_key_is_taken)
{
	struct pair p;

	init();
	pair_init(&p, 365);
	EXPECT_OK(secrets_check(&p.secret, now_ms, &p.found));
	EXPECT_EQ(p.found.errors.count + p.found.warnings.count, 0);
	pair_fini(&p);
}

TEST(a_key_of_another_certificate_is_refused)
{
	struct pair p, other;

	init();
	pair_init(&p, 365);
	pair_init(&other, 365);
	p.parts[1] = other.parts[1];
	EXPECT_ERR(secrets_check(&p.secret, now_ms, &p.found), ERR_INVALID);
	EXPECT_EQ(p.found.errors.count, 1);
	EXPECT_STR(p.found.errors.items[0].field, "stringData[\"tls.key\"]");
	EXPECT_TRUE(strstr(p.found.errors.items[0].text, "is not the key"));
	pair_fini(&p);
	pair_fini(&other);
}

/* What the tool makes, in `dir`. */
static void
rsa_init(struct pair *p, const char *dir)
{
	char command[256], path[64];
	struct buf key = BUF(PEM_MAX);

	memset(p, 0, sizeof(*p));
	p->crt = (struct buf)BUF(PEM_MAX);
	(void)snprintf(command, sizeof(command),
	    "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout key "
	    "-out crt -days 99 -subj /CN=web 2>/dev/null",
	    dir);
	CHECK(system(command) == 0);
	(void)snprintf(path, sizeof(path), "%s/crt", dir);
	EXPECT_OK(file_read(path, &p->crt, NULL));
	(void)snprintf(path, sizeof(path), "%s/key", dir);
	EXPECT_OK(file_read(path, &key, NULL));
	secret_init(&p->key, buf_slice(&key).len);
	memcpy(p->key.bytes, buf_slice(&key).ptr, p->key.len);
	buf_fini(&key);
	p->parts[0] = (struct label){S("tls.crt"), buf_slice(&p->crt)};
	p->parts[1] =
	    (struct label){S("tls.key"), slice_of(p->key.bytes, p->key.len)};
	p->secret.string_data = (struct labels){p->parts, 2};
}

TEST(an_rsa_key_is_compared_with_its_certificate)
{
	char dir[] = "/tmp/meshd-rsa-XXXXXX", command[64];
	struct pair p, other;
	int64_t now;

	init();
	CHECK(mkdtemp(dir) != NULL);
	rsa_init(&p, dir);
	rsa_init(&other, dir);
	now = clock_wall_ms(&clock_system); /* the tool's, too */
	EXPECT_OK(secrets_check(&p.secret, now, &p.found));
	EXPECT_EQ(p.found.warnings.count, 1);
	EXPECT_TRUE(strstr(p.found.warnings.items[0].text, "P-256") != NULL);
	p.parts[1] = other.parts[1];
	EXPECT_ERR(secrets_check(&p.secret, now, &p.found), ERR_INVALID);
	EXPECT_TRUE(
	    strstr(p.found.errors.items[0].text, "is not the key") != NULL);
	pair_fini(&p);
	pair_fini(&other);
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	CHECK(system(command) == 0);
}

TEST(what_is_no_certificate_and_no_key_is_refused)
{
	struct pair p;

	init();
	pair_init(&p, 365);
	p.parts[0].value = S("-----BEGIN CERTIFICATE-----\nAAAA\n"
			     "-----END CERTIFICATE-----\n");
	p.parts[1].value = S("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n"
			     "-----END PRIVATE KEY-----\n");
	EXPECT_ERR(secrets_check(&p.secret, now_ms, &p.found), ERR_INVALID);
	EXPECT_EQ(p.found.errors.count, 2);
	for (size_t i = 0; i < p.found.errors.count; i++)
		EXPECT_TRUE(
		    strstr(p.found.errors.items[i].text, "c2V") == NULL);
	pair_fini(&p);
}

TEST(how_long_a_certificate_lasts_is_said)
{
	static const struct {
		int64_t at_ms;
		const char *words;
	} rows[] = {
	    {INT64_C(-2), "is not valid before 2027-01-14"},
	    {INT64_C(3), NULL},
	    {INT64_C(80), "expires soon"},
	    {INT64_C(100), "expired at"},
	};

	init();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair p;

		pair_init(&p, 100);
		EXPECT_OK(secrets_check(
		    &p.secret, now_ms + rows[i].at_ms * day_ms, &p.found));
		EXPECT_EQ(p.found.warnings.count, rows[i].words != NULL);
		if (rows[i].words != NULL)
			EXPECT_TRUE(strstr(
			    p.found.warnings.items[0].text, rows[i].words));
		pair_fini(&p);
	}
}

/* --- at rest -------------------------------------------------------------- */

struct rig {
	char dir[32];
	struct loop *loop;
	struct store *store;
	bool done;
};

static void
on_open(enum err e, const struct fault *why, void *arg)
{
	(void)why;
	EXPECT_OK(e);
	((struct rig *)arg)->done = true;
}

static void
on_close(void *arg)
{
	((struct rig *)arg)->done = true;
}

static void
wait_for(struct rig *r)
{
	uint64_t end = clock_mono_us(&clock_system) + WAIT_MAX_US;

	while (!r->done) {
		loop_turn(r->loop, 100000);
		CHECK(clock_mono_us(&clock_system) < end);
	}
	r->done = false;
}

static void
rig_init(struct rig *r, uint8_t byte)
{
	uint8_t key[CRYPTO_KEY_LEN];
	char path[64];
	struct store_config config = {.path = path, .key = key};

	*r = (struct rig){.dir = "/tmp/meshd-secrets-XXXXXX"};
	CHECK(mkdtemp(r->dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/db", r->dir);
	memset(key, byte, sizeof(key));
	config.loop = r->loop = loop_new(NULL);
	r->store = store_open(&config, on_open, r);
	wait_for(r);
}

static void
rig_fini(struct rig *r)
{
	char command[64];

	store_close(&r->store, on_close, r);
	wait_for(r);
	loop_free(&r->loop);
	(void)snprintf(command, sizeof(command), "rm -r %s", r->dir);
	CHECK(system(command) == 0);
}

static bool
holds(struct slice text, struct slice part)
{
	for (size_t i = 0; i + part.len <= text.len; i++)
		if (slice_starts(slice_sub(text, i, text.len), part))
			return true;
	return false;
}

TEST(a_sealed_body_opens_for_its_own_resource_and_server_alone)
{
	static const struct resource_key key = {
	    {"", 0}, {"Secret", 6}, {"shop", 4}, {"web", 3}};
	struct store_resource row = {
	    .kind = key.kind, .ns = key.ns, .name = key.name};
	AUTO(buf_fini) struct buf body = BUF(1 << 20);
	AUTO(secret_fini) struct secret opened = {0};
	struct slice clear;
	struct rig r, other;
	struct fault why = {0};

	init();
	rig_init(&r, 1);
	rig_init(&other, 2);
	EXPECT_OK(secrets_seal(r.store, &key, S("{\"a\":\"hush\"}"), &body));
	row.body = buf_slice(&body);
	EXPECT_TRUE(secrets_are_in(&row));
	EXPECT_FALSE(holds(row.body, S("hush")));
	EXPECT_OK(secrets_body(r.store, &row, &opened, &clear, &why));
	EXPECT_SLICE(clear, S("{\"a\":\"hush\"}"));
	EXPECT_ERR(
	    secrets_body(other.store, &row, &opened, &clear, &why), ERR_AUTH);
	row.name = S("www");
	EXPECT_ERR(
	    secrets_body(r.store, &row, &opened, &clear, &why), ERR_AUTH);
	EXPECT_TRUE(strstr(why.text, "not sealed here") != NULL);
	row.body = S("{\"sealed\":\"!\"}");
	EXPECT_ERR(
	    secrets_body(r.store, &row, &opened, &clear, &why), ERR_AUTH);
	row.body = S("{\"sealed\":\"\"}");
	EXPECT_ERR(
	    secrets_body(r.store, &row, &opened, &clear, &why), ERR_AUTH);
	row.body = S("{\"apiVersion\":\"v1\"}");
	EXPECT_FALSE(secrets_are_in(&row));
	EXPECT_OK(secrets_body(other.store, &row, &opened, &clear, &why));
	EXPECT_SLICE(clear, row.body);
	rig_fini(&r);
	rig_fini(&other);
}
