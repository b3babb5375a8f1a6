/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resume — who may come back by a ticket, and what is known of him then.
 */
#include <stdio.h>

#include "scene.h"
#include "session.h"
#include "ticket.h"
#include "unit.h"

/* web calls db, and both would do it again. */
static void
begin(struct scene *s)
{
	scene_init(s);
	s->client_config.resume = true;
	s->client_spec.server = S("db at home");
	s->client_spec.sni = S("db.default");
	s->server_config.tickets = tls_tickets_new();
}

static void
end(struct scene *s)
{
	scene_fini(s);
	tls_tickets_unref(&s->server_config.tickets);
}

static void
call_again(struct scene *s)
{
	scene_hang_up(s);
	scene_shake(s, 0);
}

/* One more connection; both ends agree on how it came about. */
static bool
is_resumed(struct scene *s)
{
	bool resumed;

	call_again(s);
	EXPECT_STR(s->client.words, "");
	EXPECT_STR(s->server.words, "");
	EXPECT_TRUE(s->client.opened && s->server.opened);
	resumed = tls_stream_is_resumed(s->client.stream);
	EXPECT_EQ(tls_stream_is_resumed(s->server.stream), resumed);
	return resumed;
}

static void
expect_same_peer(const struct tls_peer *p, const struct tls_identity *id)
{
	const struct tls_cert_info *info = tls_identity_info(id);
	struct identity parsed;

	EXPECT_STR(p->uri, info->uri);
	EXPECT_OK(name_identity_parse(slice_str(info->uri), &parsed, NULL));
	EXPECT_SLICE(p->identity.trust_domain, parsed.trust_domain);
	EXPECT_SLICE(p->identity.ns, parsed.ns);
	EXPECT_SLICE(p->identity.account, parsed.account);
	EXPECT_TRUE(tls_pin_eq(&p->pin, &info->pin));
	EXPECT_STR(p->serial, info->serial);
	EXPECT_STR(p->common_name, info->common_name);
	EXPECT_EQ(p->not_before_ms, info->not_before_ms);
	EXPECT_EQ(p->not_after_ms, info->not_after_ms);
}

TEST(who_comes_back_is_known_as_well_as_the_first_time)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	for (int i = 0; i < 5; i++) {
		EXPECT_TRUE(is_resumed(&s));
		expect_same_peer(
		    tls_stream_peer(s.client.stream), s.server_spec.identity);
		expect_same_peer(
		    tls_stream_peer(s.server.stream), s.client_spec.identity);
		EXPECT_SLICE(tls_stream_alpn(s.client.stream), S("h2"));
		EXPECT_SLICE(tls_stream_sni(s.server.stream), S("db.default"));
		EXPECT_OK(stream_write(s.client.stream, S("hello")));
		EXPECT_OK(stream_write(s.server.stream, S("again")));
		scene_run(&s, 5);
		EXPECT_SLICE(buf_slice(&s.server.got), S("hello"));
		EXPECT_SLICE(buf_slice(&s.client.got), S("again"));
	}
	end(&s);
}

TEST(a_ticket_in_chunks_of_seven_bytes_is_one_too)
{
	struct scene s;

	begin(&s);
	scene_shake(&s, 7);
	scene_hang_up(&s);
	scene_shake(&s, 7);
	EXPECT_TRUE(tls_stream_is_resumed(s.client.stream));
	EXPECT_TRUE(tls_stream_is_resumed(s.server.stream));
	end(&s);
}

TEST(another_server_of_the_same_keys_knows_the_ticket)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	tls_config_unref(&s.server_spec.config); /* as on another thread */
	EXPECT_TRUE(is_resumed(&s));
	end(&s);
}

TEST(a_server_that_started_anew_knows_no_ticket)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	tls_config_unref(&s.server_spec.config);
	tls_tickets_unref(&s.server_config.tickets);
	s.server_config.tickets = tls_tickets_new();
	EXPECT_FALSE(is_resumed(&s));
	EXPECT_TRUE(is_resumed(&s));
	end(&s);
}

TEST(a_server_of_another_name_is_another_one)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	s.client_spec.server = S("db elsewhere");
	EXPECT_FALSE(is_resumed(&s));
	s.client_spec.server = S("db at home");
	EXPECT_TRUE(is_resumed(&s));
	s.client_spec.server = SLICE_NONE;
	EXPECT_FALSE(is_resumed(&s));
	end(&s);
}

TEST(another_name_in_the_hello_is_no_reason_to_fail)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	s.client_spec.sni = S("db.elsewhere");
	EXPECT_FALSE(is_resumed(&s));
	s.client_spec.sni = SLICE_NONE;
	EXPECT_FALSE(is_resumed(&s));
	EXPECT_TRUE(is_resumed(&s));
	end(&s);
}

/* --- what a ticket rests on --- */

static void
new_identity(struct scene *s, struct tls_identity **id, struct slice uri)
{
	struct tls_cert_spec spec = leaf_spec(uri);

	tls_identity_unref(id);
	*id = leaf_new(&s->mesh, &spec, false);
}

static struct tls_trust *
trust_of(const struct scene *s, uint64_t epoch)
{
	struct tls_root_set set = {S("mesh.internal"), s->mesh.root};
	struct tls_trust *t = NULL;

	EXPECT_OK(tls_trust_new(&set, 1, epoch, &t, NULL));
	return t;
}

TEST(another_state_of_the_bundle_ends_it_on_either_side)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	tls_trust_unref(&s.server_spec.trust);
	s.server_spec.trust = trust_of(&s, /* epoch */ 2);
	EXPECT_FALSE(is_resumed(&s));
	EXPECT_TRUE(is_resumed(&s));
	tls_trust_unref(&s.client_spec.trust);
	s.client_spec.trust = trust_of(&s, /* epoch */ 2);
	EXPECT_FALSE(is_resumed(&s));
	EXPECT_TRUE(is_resumed(&s));
	end(&s);
}

TEST(a_client_with_a_new_certificate_shows_it)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	new_identity(&s, &s.client_spec.identity, URI_WEB);
	EXPECT_FALSE(is_resumed(&s));
	expect_same_peer(
	    tls_stream_peer(s.server.stream), s.client_spec.identity);
	EXPECT_TRUE(is_resumed(&s));
	end(&s);
}

TEST(a_ticket_of_one_identity_is_none_for_another)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	new_identity(&s, &s.server_spec.identity,
	    S("spiffe://mesh.internal/ns/default/sa/other"));
	call_again(&s);
	/* It shows its certificate, and that is not the one that is wanted. */
	EXPECT_FALSE(s.client.opened);
	expect_words(&s.client, "is not among those expected");
	end(&s);
}

TEST(a_new_certificate_of_the_server_leaves_its_tickets_alone)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	new_identity(&s, &s.server_spec.identity, URI_DB);
	EXPECT_TRUE(is_resumed(&s));
	end(&s);
}

TEST(whom_a_client_expects_is_asked_each_time)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	s.expected = S("spiffe://mesh.internal/ns/default/sa/other");
	call_again(&s);
	EXPECT_FALSE(s.client.opened);
	expect_words(&s.client, "is not among those expected");
	end(&s);
}

/* --- time --- */

TEST(a_ticket_is_good_for_an_hour)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	s.time.wall_ms += HOUR_MS - 60000;
	EXPECT_TRUE(is_resumed(&s));
	s.time.wall_ms += HOUR_MS + 1000;
	EXPECT_FALSE(is_resumed(&s));
	s.time.wall_ms -= 5000; /* a clock that was set */
	EXPECT_TRUE(is_resumed(&s));
	s.time.wall_ms -= HOUR_MS;
	EXPECT_FALSE(is_resumed(&s));
	end(&s);
}

/* The server's keys change each hour; the last ones still open. */
TEST(coming_back_again_and_again_lasts_as_long_as_the_certificate)
{
	struct scene s;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	for (int i = 0; i < 100; i++) {
		s.time.wall_ms += HOUR_MS * 70 / 100;
		EXPECT_TRUE(is_resumed(&s));
	}
	s.time.wall_ms = NOW_MS + 72 * HOUR_MS + 1000;
	call_again(&s);
	EXPECT_FALSE(s.client.opened || s.server.opened);
	EXPECT_ERR(s.client.why, ERR_EXPIRED);
	end(&s);
}

TEST(a_ticket_does_not_outlive_the_clients_certificate)
{
	struct scene s;
	struct tls_cert_spec spec = leaf_spec(URI_WEB);

	begin(&s);
	spec.not_after_ms = NOW_MS + HOUR_MS / 2;
	tls_identity_unref(&s.client_spec.identity);
	s.client_spec.identity = leaf_new(&s.mesh, &spec, false);
	EXPECT_FALSE(is_resumed(&s));
	EXPECT_TRUE(is_resumed(&s));
	s.time.wall_ms = NOW_MS + HOUR_MS / 2 + 1000;
	call_again(&s);
	EXPECT_FALSE(s.server.opened);
	EXPECT_ERR(s.server.why, ERR_EXPIRED);
	expect_words(&s.client, "our certificate has expired");
	end(&s);
}

/* --- revocation --- */

static struct {
	const char *uri; /* who is revoked */
	unsigned from;   /* the call from which on it is known */
	unsigned calls;
} revoked;

static enum err
refuse_revoked(void *arg, const struct tls_peer *peer, struct fault *why)
{
	(void)arg;
	if (++revoked.calls < revoked.from || revoked.uri == NULL ||
	    strcmp(peer->uri, revoked.uri) != 0)
		return OK;
	return fault_set(why, ERR_DENIED, "%s was revoked", peer->uri);
}

static void
begin_with_revocation(struct scene *s)
{
	begin(s);
	memset(&revoked, 0, sizeof(revoked));
	s->client_config.check = refuse_revoked;
	s->server_config.check = refuse_revoked;
	EXPECT_FALSE(is_resumed(s));
	EXPECT_TRUE(is_resumed(s));
	scene_hang_up(s);
	revoked.calls = 0;
}

TEST(a_revoked_client_does_not_come_back)
{
	struct scene s;

	begin_with_revocation(&s);
	revoked.uri = "spiffe://mesh.internal/ns/default/sa/web";
	scene_shake(&s, 0);
	EXPECT_FALSE(s.server.opened);
	expect_words(&s.server, "sa/web was revoked");
	expect_words(&s.client, "our certificate is revoked");
	end(&s);
}

TEST(a_revoked_server_is_not_come_back_to)
{
	struct scene s;

	begin_with_revocation(&s);
	revoked.uri = "spiffe://mesh.internal/ns/default/sa/db";
	scene_shake(&s, 0);
	EXPECT_FALSE(s.client.opened || s.server.opened);
	expect_words(&s.client, "sa/db was revoked");
	end(&s);
}

/* Behind the ticket, before the end of the handshake. */
TEST(a_revocation_that_comes_meanwhile_counts)
{
	struct scene s;

	begin_with_revocation(&s);
	revoked.uri = "spiffe://mesh.internal/ns/default/sa/web";
	revoked.from = 4; /* the client's two, and the server's first */
	scene_shake(&s, 0);
	EXPECT_FALSE(s.server.opened);
	expect_words(&s.server, "sa/web was revoked");
	EXPECT_TRUE(s.client.closed);
	scene_hang_up(&s);
	revoked.uri = NULL;
	scene_shake(&s, 0);
	EXPECT_TRUE(s.client.opened && s.server.opened);
	end(&s);
}

/* --- tickets in the wrong hands --- */

/* What `s` would offer next time, as somebody on the way sees it. */
static void
overhear(struct scene *s, mbedtls_ssl_session *out)
{
	unsigned char bytes[2048];
	size_t len = 0;
	struct tls *t;

	mbedtls_ssl_session_init(out);
	EXPECT_FALSE(is_resumed(s));
	scene_hang_up(s);
	scene_connect(s, 0);
	t = (struct tls *)s->client.stream;
	EXPECT_TRUE(t->shake->known != NULL);
	EXPECT_EQ(mbedtls_ssl_session_save(t->ssl.private_session_negotiate,
		      bytes, sizeof(bytes), &len),
	    0);
	EXPECT_EQ(mbedtls_ssl_session_load(out, bytes, len), 0);
	scene_hang_up(s);
}

TEST(who_has_a_ticket_but_not_its_secret_is_refused)
{
	struct scene s;
	mbedtls_ssl_session session;

	begin(&s);
	overhear(&s, &session);
	session.private_resumption_key[0] ^= 1;
	scene_connect(&s, 0);
	EXPECT_EQ(mbedtls_ssl_set_session(
		      &((struct tls *)s.client.stream)->ssl, &session),
	    0);
	scene_run(&s, 40);
	EXPECT_FALSE(s.client.opened || s.server.opened);
	EXPECT_TRUE(s.server.closed && s.client.closed);
	mbedtls_ssl_session_free(&session);
	end(&s);
}

/*
 * The server opens the ticket and finds web in it, but then does not take it,
 * since its age is wrong. Who shows another certificate is not web.
 */
TEST(a_ticket_that_is_not_taken_lends_nobody_its_name)
{
	struct scene s;
	mbedtls_ssl_session session;
	const struct tls_peer *p;

	begin(&s);
	overhear(&s, &session);
	new_identity(&s, &s.client_spec.identity,
	    S("spiffe://mesh.internal/ns/default/sa/eve"));
	session.private_ticket_age_add += 3600000;
	scene_connect(&s, 0);
	EXPECT_EQ(mbedtls_ssl_set_session(
		      &((struct tls *)s.client.stream)->ssl, &session),
	    0);
	scene_run(&s, 40);
	EXPECT_TRUE(s.client.opened && s.server.opened);
	EXPECT_FALSE(tls_stream_is_resumed(s.server.stream));
	p = tls_stream_peer(s.server.stream);
	EXPECT_STR(p->uri, "spiffe://mesh.internal/ns/default/sa/eve");
	mbedtls_ssl_session_free(&session);
	end(&s);
}

TEST(a_changed_ticket_is_passed_over)
{
	struct scene s;
	mbedtls_ssl_session session;

	begin(&s);
	overhear(&s, &session);
	for (size_t i = 0; i < session.private_ticket_len; i += 13) {
		session.private_ticket[i] ^= 1;
		scene_connect(&s, 0);
		EXPECT_EQ(mbedtls_ssl_set_session(
			      &((struct tls *)s.client.stream)->ssl, &session),
		    0);
		scene_run(&s, 40);
		EXPECT_TRUE(s.client.opened && s.server.opened);
		EXPECT_FALSE(tls_stream_is_resumed(s.server.stream));
		session.private_ticket[i] ^= 1;
		scene_hang_up(&s);
		/* What the client was given now is no part of this. */
		tls_config_unref(&s.client_spec.config);
	}
	mbedtls_ssl_session_free(&session);
	end(&s);
}

/* --- the inside of a ticket --- */

TEST(what_a_ticket_says_is_read_back_or_refused)
{
	struct scene s;
	struct ticket k = {.issued_ms = NOW_MS,
	    .epoch = 7,
	    .server = {1, 2, 3},
	    .session = S("the library's")};
	AUTO(ticket_fini) struct ticket back = {0};
	AUTO(buf_fini) struct buf plain = BUF(1 << 12);
	struct slice all;

	begin(&s);
	EXPECT_FALSE(is_resumed(&s));
	k.peer = (struct tls_peer *)(uintptr_t)tls_stream_peer(s.server.stream);
	EXPECT_OK(ticket_write(&k, &plain));
	all = buf_slice(&plain);
	EXPECT_OK(ticket_read(all, &back));
	EXPECT_EQ(back.issued_ms, NOW_MS);
	EXPECT_EQ(back.epoch, 7);
	EXPECT_MEM(back.server, k.server, sizeof(k.server));
	EXPECT_SLICE(back.session, S("the library's"));
	expect_same_peer(back.peer, s.client_spec.identity);
	for (size_t n = 0; n < all.len - k.session.len; n++) {
		struct ticket none = {0};

		EXPECT_ERR(ticket_read(slice_sub(all, 0, n), &none), ERR_PARSE);
		EXPECT_TRUE(none.peer == NULL);
	}
	end(&s);
}

/* --- the bounds --- */

TEST(a_client_remembers_the_servers_that_it_called_last)
{
	struct scene s;
	char name[32];

	begin(&s);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "server %d", i);
		s.client_spec.server = slice_str(name);
		s.time.wall_ms = NOW_MS; /* all within an hour */
		EXPECT_FALSE(is_resumed(&s));
	}
	s.client_spec.server = S("server 40");
	EXPECT_FALSE(is_resumed(&s));
	s.client_spec.server = S("server 60");
	EXPECT_TRUE(is_resumed(&s));
	s.client_spec.server = S("server 299");
	EXPECT_TRUE(is_resumed(&s));
	end(&s);
}

TEST(tickets_are_for_servers_that_ask_and_comebacks_for_clients)
{
	struct tls_config_spec spec = {.role = TLS_SERVER};
	struct tls_config *config = NULL;

	EXPECT_OK(crypto_init());
	EXPECT_OK(tls_init());
	spec.tickets = tls_tickets_new();
	spec.ask = TLS_ASK_OPTIONAL;
	EXPECT_ERR(tls_config_new(&spec, &config), ERR_INVALID);
	spec.ask = TLS_ASK_NONE;
	EXPECT_ERR(tls_config_new(&spec, &config), ERR_INVALID);
	spec.role = TLS_CLIENT;
	EXPECT_ERR(tls_config_new(&spec, &config), ERR_INVALID);
	tls_tickets_unref(&spec.tickets);
	spec.role = TLS_SERVER;
	spec.resume = true;
	EXPECT_ERR(tls_config_new(&spec, &config), ERR_INVALID);
	EXPECT_TRUE(config == NULL);
}
