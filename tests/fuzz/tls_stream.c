/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_stream — records at either end of TLS, and a man in the middle.
 *
 * The first byte chooses: the rest is what a server hears, what a client
 * hears, or a row of orders for somebody between the two who changes, drops,
 * repeats, cuts and adds bytes; the same where the client comes back by a
 * ticket. Whatever he does: an end opens only to the right peer, what it reads
 * is the beginning of what the other wrote, the end comes only behind all of
 * it, and each closes once, with words if it broke.
 */
#include "tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS_LEN = 300, NOW_MS = 1790000000, STEPS = 8, STEP_S = 4 };

#define WEB "spiffe://mesh.internal/ns/default/sa/web"
#define DB "spiffe://mesh.internal/ns/default/sa/db"

static struct clock_fake fake;
static struct clock fake_clock;
static struct tls_trust *trust;
static struct tls_identity *identities[2]; /* of the client, of the server */
static struct tls_config *configs[2];
static struct tls_tickets *tickets;

/* --- a mesh of two -------------------------------------------------------- */

static struct tls_chain *
issue(const char *uri, const struct tls_key *key, const struct tls_chain *chain,
    const struct tls_key *by)
{
	struct tls_cert_spec spec = {.common_name = S("x"),
	    .uri = slice_str(uri),
	    .is_ca = chain == NULL,
	    .path_len = chain == NULL ? 0 : TLS_NO_PATH_LEN,
	    .not_before_ms = fake.wall_ms - 3600000,
	    .not_after_ms = fake.wall_ms + 3600000,
	    .serial = {1}};
	struct tls_issuer issuer = {chain, by};
	struct tls_chain *out;

	CHECK(tls_cert_issue(&spec, tls_key_spki(key), &issuer, &out, NULL) ==
	      OK);
	return out;
}

static void
make_end(int side, const struct tls_chain *root, const struct tls_key *by)
{
	AUTO(tls_key_unref) struct tls_key *key = tls_key_new();
	AUTO(tls_chain_unref)
	struct tls_chain *leaf = issue(side == 0 ? WEB : DB, key, root, by);

	CHECK(tls_identity_new(leaf, key, &identities[side], NULL) == OK);
}

/* Those who do not know each other yet. */
static void
make_configs(void)
{
	struct tls_config_spec spec = {.role = TLS_CLIENT,
	    .alpn = {"h2"},
	    .clock = &fake_clock,
	    .resume = true};

	CHECK(tls_config_new(&spec, &configs[0]) == OK);
	spec.role = TLS_SERVER;
	spec.resume = false;
	spec.tickets = tickets;
	CHECK(tls_config_new(&spec, &configs[1]) == OK);
}

static void
make_mesh(void)
{
	AUTO(tls_key_unref) struct tls_key *key = NULL;
	AUTO(tls_chain_unref) struct tls_chain *root = NULL;
	struct tls_root_set set = {.trust_domain = S("mesh.internal")};

	CHECK(crypto_init() == OK && tls_init() == OK);
	fake.wall_ms = INT64_C(1000) * NOW_MS;
	fake_clock = clock_fake_as_clock(&fake);
	key = tls_key_new();
	root = issue(NULL, key, NULL, key);
	set.roots = root;
	CHECK(tls_trust_new(&set, 1, /* epoch */ 1, &trust, NULL) == OK);
	make_end(0, root, key);
	make_end(1, root, key);
	tickets = tls_tickets_new();
}

/* --- the two ends --------------------------------------------------------- */

struct end {
	struct stream *stream;
	struct stream *wire; /* the far side of its socket; NULL: gone */
	const char *peer;    /* who it has to be */
	size_t got;
	bool opened;
	bool eof;
	bool closed;
};

static struct end ends[2];

/* Each says the same, so that the beginning is easy to know. */
static char
word_at(size_t i)
{
	return (char)(i * 7 + i / 256);
}

static void
on_open(struct stream *s, void *arg)
{
	struct end *e = arg;
	char words[WORDS_LEN];

	CHECK(!e->opened && tls_stream_peer(s) != NULL);
	CHECK(strcmp(tls_stream_peer(s)->uri, e->peer) == 0);
	CHECK(slice_eq(tls_stream_alpn(s), S("h2")));
	e->opened = true;
	for (size_t i = 0; i < WORDS_LEN; i++)
		words[i] = word_at(i);
	if (stream_write(s, slice_of(words, WORDS_LEN)) == OK)
		stream_shutdown(s);
}

static void
on_data(struct stream *s, void *arg, struct slice bytes)
{
	struct end *e = arg;

	(void)s;
	CHECK(e->opened && !e->eof && e->got + bytes.len <= WORDS_LEN);
	for (size_t i = 0; i < bytes.len; i++)
		CHECK(bytes.ptr[i] == word_at(e->got + i));
	e->got += bytes.len;
}

static void
on_eof(struct stream *s, void *arg)
{
	struct end *e = arg;

	CHECK(e->opened && !e->eof && e->got == WORDS_LEN);
	e->eof = true;
	stream_close(s, OK);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct end *e = arg;
	const struct fault *words = tls_stream_fault(s);

	CHECK(!e->closed);
	CHECK(why == OK || why == ERR_CANCELLED || words->text[0] != '\0');
	CHECK(why != OK || e->eof);
	e->closed = true;
	e->stream = NULL;
}

static const struct stream_events end_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_close = on_close,
};

static void
open_client(struct stream *below, struct end *e)
{
	struct slice expected = S(DB);
	struct tls_client_spec spec = {.config = configs[0],
	    .identity = identities[0],
	    .trust = trust,
	    .expected = &expected,
	    .expected_count = 1,
	    .server = S("db")};

	e->peer = DB;
	CHECK(tls_stream_client(
		  below, &spec, &end_events, e, &e->stream, NULL) == OK);
}

static void
open_server(struct stream *below, struct end *e)
{
	struct tls_server_spec spec = {.config = configs[1],
	    .identity = identities[1],
	    .trust = trust,
	    .trust_domain = S("mesh.internal")};

	e->peer = WEB;
	CHECK(tls_stream_server(
		  below, &spec, &end_events, e, &e->stream, NULL) == OK);
}

/* --- between them --------------------------------------------------------- */

static struct reader orders;
static bool tampered;

static void
forward(struct end *to, struct slice bytes)
{
	/* Who is gone hears nothing; that is his loss. */
	if (to->wire != NULL && bytes.len > 0 &&
	    stream_write(to->wire, bytes) > ERR_AGAIN)
		tampered = true;
}

static void
forward_changed(struct end *to, struct slice bytes, uint8_t where, uint8_t how)
{
	AUTO(mem_free) char *copy = mem_strndup(bytes.ptr, bytes.len);

	copy[where * bytes.len / 256] ^= (char)how;
	forward(to, slice_of(copy, bytes.len));
}

static void
obey(struct end *to, struct slice bytes)
{
	uint8_t order = reader_u8(&orders);
	uint8_t where = reader_u8(&orders);
	uint8_t how = reader_u8(&orders);
	size_t cut = where * bytes.len / 256;

	if (orders.failed || order % 8 == 0) {
		forward(to, bytes);
		return;
	}
	tampered = true;
	switch (order % 8) {
	case 1:
		forward_changed(to, bytes, where, how);
		break;
	case 2: /* lost */
		break;
	case 3:
		forward(to, bytes);
		forward(to, bytes);
		break;
	case 4:
		forward(to, slice_sub(bytes, 0, cut));
		break;
	case 5:
		forward(to, slice_sub(bytes, 0, cut));
		forward(to, slice_of(&how, 1));
		forward(to, slice_sub(bytes, cut, bytes.len));
		break;
	case 6:
		forward(to, slice_sub(bytes, 0, cut));
		if (to->wire != NULL)
			stream_close(to->wire, how & 1 ? ERR_RESET : OK);
		break;
	default: /* back to who said it */
		forward(to == ends ? ends + 1 : ends, bytes);
		break;
	}
}

static void
on_wire_data(struct stream *s, void *arg, struct slice bytes)
{
	struct end *from = arg;

	(void)s;
	obey(from == ends ? ends + 1 : ends, bytes);
}

static void
on_wire_eof(struct stream *s, void *arg)
{
	struct end *to = arg == ends ? ends + 1 : ends;

	(void)s;
	if (to->wire != NULL)
		stream_shutdown(to->wire);
}

static void
on_wire_close(struct stream *s, void *arg, enum err why)
{
	struct end *e = arg;

	(void)s;
	(void)why;
	e->wire = NULL;
}

static const struct stream_events wire_events = {
    .on_data = on_wire_data, .on_eof = on_wire_eof, .on_close = on_wire_close};

/* --- a run ---------------------------------------------------------------- */

static void
settle(struct loop *l)
{
	loop_turn(l, 0);
	loop_settle(l);
}

static void
let_time_pass(struct loop *l)
{
	for (int i = 0; i < STEPS; i++) {
		clock_fake_advance(&fake, STEP_S * 1000000);
		settle(l);
	}
}

static struct stream *
open_wire(struct loop *l, struct end *e)
{
	static const struct net_pair_spec pair;
	struct stream *below;

	net_pair_new(l, &pair, &below, &e->wire);
	stream_set_events(e->wire, &wire_events, e);
	return below;
}

static void
close_all(struct loop *l)
{
	for (int i = 0; i < 2; i++) {
		if (ends[i].stream != NULL)
			stream_close(ends[i].stream, ERR_CANCELLED);
		if (ends[i].wire != NULL)
			stream_close(ends[i].wire, ERR_RESET);
	}
	let_time_pass(l);
}

static void
speak_to(struct loop *l, int side, struct slice bytes)
{
	struct end *e = &ends[side];

	(side == 0 ? open_client : open_server)(open_wire(l, e), e);
	orders = READER(SLICE_NONE);
	settle(l);
	forward(e, bytes);
	settle(l);
	let_time_pass(l);
	/* Nobody gets in who cannot sign. */
	CHECK(!e->opened && e->closed);
}

static void
stand_between(struct loop *l, struct slice bytes)
{
	open_client(open_wire(l, &ends[0]), &ends[0]);
	open_server(open_wire(l, &ends[1]), &ends[1]);
	orders = READER(bytes);
	tampered = false;
	settle(l);
	let_time_pass(l);
	for (int i = 0; i < 2; i++)
		CHECK(tampered || (ends[i].eof && ends[i].closed));
}

/* Nobody is there, and the client gets its ticket. */
static void
make_known(struct loop *l)
{
	stand_between(l, SLICE_NONE);
	close_all(l);
	CHECK(ends[0].eof && ends[1].eof);
	memset(ends, 0, sizeof(ends));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(loop_free) struct loop *l = NULL;
	struct slice rest;

	if (trust == NULL)
		make_mesh();
	if (size == 0 || size > 1 << 14)
		return 0;
	rest = slice_of(data + 1, size - 1);
	memset(ends, 0, sizeof(ends));
	fake.mono_us = 1;
	fake.wall_ms = INT64_C(1000) * NOW_MS;
	l = loop_new(&fake_clock);
	make_configs();
	if (data[0] % 4 == 3)
		make_known(l);
	if (data[0] % 4 < 2)
		speak_to(l, data[0] % 4, rest);
	else
		stand_between(l, rest);
	close_all(l);
	CHECK(ends[1].stream == NULL && ends[0].stream == NULL);
	tls_config_unref(&configs[0]);
	tls_config_unref(&configs[1]);
	return 0;
}
