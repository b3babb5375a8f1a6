/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshakes — mutual TLS 1.3 handshakes a CPU second, ours and OpenSSL's.
 *
 *	handshakes OTHER_TLS.so SECONDS ROUNDS
 *
 * One program, one core, both ends in memory, the same keys and chains (leaf,
 * intermediate and root on P-256), the two in turns; full ones, and those that
 * a ticket of the last one resumes. Prints one JSON object.
 */
#include "other_tls.h"
#include "tls/tls.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { HOUR_MS = 3600000, ROUNDS_MAX = 100, TURNS_MAX = 1000 };

#define CLIENT_URI S("spiffe://mesh.internal/ns/default/sa/client")
#define SERVER_URI S("spiffe://mesh.internal/ns/default/sa/server")
#define DOMAIN S("mesh.internal")

struct authority {
	struct tls_key *root_key, *key;
	struct tls_chain *root, *chain; /* the latter: intermediate, root */
};

/* One end; `open` when its handshake is over. */
struct end {
	struct stream *stream;
	bool open;
};

struct ours {
	struct loop *loop;
	struct tls_client_spec client;
	struct tls_server_spec server;
	struct slice expected;
	struct end ends[2];
	bool knows; /* the client has a ticket */
};

/* --- certificates --- */

static struct tls_chain *
issue(const struct tls_cert_spec *spec, const struct tls_key *subject,
    const struct tls_chain *by, const struct tls_key *key)
{
	struct tls_issuer issuer = {by, key};
	struct tls_chain *out = NULL;

	CHECK(tls_cert_issue(
		  spec, tls_key_spki(subject), &issuer, &out, NULL) == OK);
	return out;
}

static struct tls_cert_spec
cert_spec(struct slice name, struct slice uri, bool is_ca)
{
	int64_t now_ms = clock_wall_ms(&clock_system);

	return (struct tls_cert_spec){.common_name = name,
	    .uri = uri,
	    .is_ca = is_ca,
	    .path_len = TLS_NO_PATH_LEN,
	    .not_before_ms = now_ms - HOUR_MS,
	    .not_after_ms = now_ms + 24 * HOUR_MS,
	    .serial = {1}};
}

static void
authority_init(struct authority *a)
{
	struct tls_cert_spec spec = cert_spec(S("root"), SLICE_NONE, true);
	AUTO(tls_chain_unref) struct tls_chain *alone = NULL;

	a->root_key = tls_key_new();
	a->key = tls_key_new();
	a->root = issue(&spec, a->root_key, NULL, a->root_key);
	spec.common_name = S("intermediate");
	alone = issue(&spec, a->key, a->root, a->root_key);
	CHECK(tls_chain_join(alone, a->root, &a->chain) == OK);
}

static struct tls_identity *
identity_new(const struct authority *a, struct slice uri)
{
	struct tls_cert_spec spec = cert_spec(S("leaf"), uri, false);
	AUTO(tls_key_unref) struct tls_key *key = tls_key_new();
	AUTO(tls_chain_unref)
	struct tls_chain *leaf = issue(&spec, key, a->chain, a->key);
	AUTO(tls_chain_unref) struct tls_chain *upper = NULL;
	AUTO(tls_chain_unref) struct tls_chain *all = NULL;
	struct tls_identity *id = NULL;

	CHECK(tls_chain_part(a->chain, 0, 1, &upper) == OK);
	CHECK(tls_chain_join(leaf, upper, &all) == OK);
	CHECK(tls_identity_new(all, key, &id, NULL) == OK);
	return id;
}

/* --- our half --- */

static void
on_open(struct stream *s, void *arg)
{
	(void)s; /* the end's own */
	((struct end *)arg)->open = true;
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
	CHECK(!"nobody sends anything here");
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	/* ours_shake() cancels them when both are open. */
	if (why != ERR_CANCELLED) {
		(void)fprintf(stderr, "%s\n", tls_stream_fault(s)->text);
		exit(EXIT_FAILURE);
	}
	((struct end *)arg)->stream = NULL;
}

static const struct stream_events events = {
    .on_open = on_open, .on_data = on_data, .on_close = on_close};

static struct tls_config *
config_new(enum tls_role role)
{
	struct tls_config_spec spec = {.role = role,
	    .alpn = {"h2"},
	    .resume = role == TLS_CLIENT,
	    .tickets = role == TLS_SERVER ? tls_tickets_new() : NULL};
	struct tls_config *config = NULL;

	CHECK(tls_config_new(&spec, &config) == OK);
	tls_tickets_unref(&spec.tickets);
	return config;
}

static void
ours_init(struct ours *o, const struct authority *a)
{
	struct tls_root_set set = {DOMAIN, a->root};
	struct tls_trust *trust = NULL;

	CHECK(tls_trust_new(&set, 1, /* epoch */ 1, &trust, NULL) == OK);
	o->loop = loop_new(NULL);
	o->knows = false;
	o->expected = SERVER_URI;
	o->client = (struct tls_client_spec){.config = config_new(TLS_CLIENT),
	    .identity = identity_new(a, CLIENT_URI),
	    .trust = trust,
	    .expected = &o->expected,
	    .expected_count = 1};
	o->server = (struct tls_server_spec){.config = config_new(TLS_SERVER),
	    .identity = identity_new(a, SERVER_URI),
	    .trust = trust,
	    .trust_domain = DOMAIN};
}

static void
ours_open(struct ours *o)
{
	struct net_pair_spec pair = {0};
	struct stream *low[2];

	o->ends[0] = o->ends[1] = (struct end){0};
	net_pair_new(o->loop, &pair, &low[0], &low[1]);
	CHECK(tls_stream_client(low[0], &o->client, &events, &o->ends[0],
		  &o->ends[0].stream, NULL) == OK);
	CHECK(tls_stream_server(low[1], &o->server, &events, &o->ends[1],
		  &o->ends[1].stream, NULL) == OK);
	for (int i = 0; i < TURNS_MAX && !(o->ends[0].open && o->ends[1].open);
	     i++)
		loop_turn(o->loop, 0);
	CHECK(o->ends[0].open && o->ends[1].open);
}

static void
ours_shake(struct ours *o, bool resume)
{
	bool resumed;

	o->client.server = resume ? S("server") : SLICE_NONE;
	ours_open(o);
	if (resume)
		loop_settle(o->loop); /* its ticket arrives */
	resumed = tls_stream_is_resumed(o->ends[1].stream);
	for (int i = 0; i < 2; i++)
		stream_close(o->ends[i].stream, ERR_CANCELLED);
	loop_settle(o->loop);
	CHECK(o->ends[0].stream == NULL && o->ends[1].stream == NULL);
	CHECK(resumed == (resume && o->knows));
	o->knows |= resume;
}

/* --- the other half --- */

/* Stays until the process ends. */
static const char *
text_of(struct slice bytes)
{
	char *text = mem_new(bytes.len + 1);

	memcpy(text, bytes.ptr, bytes.len);
	text[bytes.len] = 0;
	return text;
}

static const char *
chain_text(const struct tls_chain *c)
{
	AUTO(buf_fini) struct buf pem = BUF(1 << 16);

	CHECK(tls_chain_pem(c, &pem) == OK);
	return text_of(buf_slice(&pem));
}

static const char *
key_text(const struct tls_identity *id)
{
	AUTO(secret_fini) struct secret pem = {0};

	CHECK(tls_key_pem(tls_identity_key(id), &pem) == OK);
	return text_of(slice_of(pem.bytes, pem.len));
}

static const struct other_tls *
other_load(const char *path, const struct ours *o, const struct authority *a)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct tls_identity *client = o->client.identity;
	const struct tls_identity *server = o->server.identity;
	const struct other_tls *other;

	if (library == NULL) {
		(void)fprintf(stderr, "%s\n", dlerror());
		exit(EXIT_FAILURE);
	}
	other = dlsym(library, "other_tls");
	CHECK(other != NULL);
	other->init(&(struct other_tls_spec){.root = chain_text(a->root),
	    .client_chain = chain_text(tls_identity_chain(client)),
	    .client_key = key_text(client),
	    .server_chain = chain_text(tls_identity_chain(server)),
	    .server_key = key_text(server)});
	return other;
}

/* --- measuring --- */

static double
cpu_s(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Handshakes a CPU second; `other` NULL measures ours. */
static double
rate(struct ours *o, const struct other_tls *other, bool resume, double seconds)
{
	double from = cpu_s();
	unsigned count = 0;

	for (; cpu_s() - from < seconds; count++) {
		if (other != NULL)
			other->shake(resume);
		else
			ours_shake(o, resume);
	}
	return count / (cpu_s() - from);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_size);
	return values[count / 2];
}

static void
run(const char *library, double seconds, size_t rounds)
{
	double mine[2][ROUNDS_MAX], others[2][ROUNDS_MAX];
	struct authority a;
	struct ours o;
	const struct other_tls *other;

	CHECK(crypto_init() == OK && tls_init() == OK);
	authority_init(&a);
	ours_init(&o, &a);
	other = other_load(library, &o, &a);
	for (size_t i = 0; i < 2 * rounds; i++) {
		bool resume = i % 2 != 0;

		mine[resume][i / 2] = rate(&o, NULL, resume, seconds);
		others[resume][i / 2] = rate(&o, other, resume, seconds);
	}
	(void)printf(
	    "{\"ours\": %.1f, \"other\": %.1f, \"ours_resumed\": %.1f, "
	    "\"other_resumed\": %.1f, \"version\": \"%s\"}\n",
	    median(mine[0], rounds), median(others[0], rounds),
	    median(mine[1], rounds), median(others[1], rounds),
	    other->version());
}

int
main(int argc, char **argv)
{
	uint64_t seconds, rounds;

	if (argc != 4 || slice_to_u64(slice_str(argv[2]), &seconds) != OK ||
	    slice_to_u64(slice_str(argv[3]), &rounds) != OK || rounds < 1 ||
	    rounds > ROUNDS_MAX) {
		(void)fputs(
		    "usage: handshakes OTHER_TLS.so SECONDS ROUNDS\n", stderr);
		return EXIT_FAILURE;
	}
	run(argv[1], (double)seconds, (size_t)rounds);
	return EXIT_SUCCESS;
}
