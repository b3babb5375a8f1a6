/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh — two proxies in one process, a tunnel between them.
 */
#include "mesh.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { FIRST_PORT = 8080, CERT_LIFE_MS = 3600 * 1000 };

/* --- the way between the machines --- */

static bool
pass(struct wire *from, struct wire *to)
{
	char bytes[16 << 10];
	ssize_t n = recv(from->fd, bytes, sizeof(bytes), 0);

	return n > 0 && wire_send(to, slice_of(bytes, (size_t)n));
}

static void
serve_relay(struct server *s, struct wire *w, unsigned n)
{
	struct mesh *m = CONTAINER(s, struct mesh, relay);
	struct wire far = wire_try(&m->hbone);
	struct linger hard = {.l_onoff = 1};
	bool alive = far.fd >= 0; /* a call may come while both ends go */

	(void)n;
	while (alive && !atomic_load(&m->cut)) {
		struct pollfd p[2] = {
		    {.fd = w->fd, .events = POLLIN},
		    {.fd = far.fd, .events = POLLIN},
		};

		CHECK(poll(p, ARRAY_LEN(p), /* ms */ 10) >= 0);
		if (p[0].revents != 0)
			alive = pass(w, &far);
		if (alive && p[1].revents != 0)
			alive = pass(&far, w);
	}
	if (atomic_load(&m->cut))
		CHECK(setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &hard,
			  sizeof(hard)) == 0);
	wire_close(&far);
}

/* --- certificates --- */

static struct tls_chain *
issue(struct mesh *m, struct slice uri, const struct tls_key *key)
{
	struct tls_issuer by = {m->root, m->root_key};
	int64_t now = clock_wall_ms(&clock_system);
	struct tls_cert_spec spec = {.common_name = S("test"),
	    .uri = uri,
	    .is_ca = uri.len == 0,
	    .path_len = TLS_NO_PATH_LEN,
	    .not_before_ms = now - CERT_LIFE_MS,
	    .not_after_ms = now + CERT_LIFE_MS,
	    .serial = {1}};
	struct tls_chain *out = NULL;

	CHECK(tls_cert_issue(&spec, tls_key_spki(key), &by, &out, NULL) == OK);
	return out;
}

static void
make_root(struct mesh *m)
{
	struct tls_root_set set = {.trust_domain = S("mesh.internal")};

	CHECK(crypto_init() == OK && tls_init() == OK);
	m->root_key = tls_key_new();
	m->root = issue(m, SLICE_NONE, m->root_key);
	set.roots = m->root;
	CHECK(tls_trust_new(&set, 1, /* epoch */ 1, &m->trust, NULL) == OK);
}

static struct tls_identity *
identity_of(struct mesh *m, struct slice uri)
{
	AUTO(tls_key_unref) struct tls_key *key = tls_key_new();
	AUTO(tls_chain_unref) struct tls_chain *leaf = issue(m, uri, key);
	struct tls_identity *out = NULL;

	CHECK(tls_identity_new(leaf, key, &out, NULL) == OK);
	return out;
}

struct tls_identity *
mesh_identity(struct mesh *m, const char *account)
{
	char uri[RIG_TEXT];

	(void)snprintf(uri, sizeof(uri),
	    "spiffe://mesh.internal/ns/default/sa/%s", account);
	return identity_of(m, slice_str(uri));
}

static void
set_credentials(struct mesh *m, struct rig *r, const char *const *accounts,
    size_t count, size_t revocations)
{
	const struct ca_revocation revoked = {
	    .identity = S("spiffe://mesh.internal/ns/meshd-nodes/sa/test"),
	    .since_ms = clock_wall_ms(&clock_system) + CA_BACKDATE_MS};
	struct proxy_identity ids[MESH_ACCOUNTS] = {{.uri = SLICE_NONE}};
	char uris[MESH_ACCOUNTS][RIG_TEXT];
	struct proxy_credentials *c;

	CHECK(count <= MESH_ACCOUNTS);
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(uris[i], RIG_TEXT,
		    "spiffe://mesh.internal/ns/default/sa/%s", accounts[i]);
		ids[i].uri = slice_str(uris[i]);
		ids[i].identity = identity_of(m, ids[i].uri);
	}
	c = proxy_credentials_new(
	    &(struct proxy_credentials_spec){.identities = ids,
		.count = count,
		.trust = m->trust,
		.revocations = &revoked,
		.revocation_count = revocations});
	proxy_set_credentials(r->proxy, c);
	proxy_credentials_unref(&c);
	for (size_t i = 0; i < count; i++)
		tls_identity_unref(&ids[i].identity);
}

void
mesh_credentials(
    struct mesh *m, struct rig *r, const char *const *accounts, size_t count)
{
	set_credentials(m, r, accounts, count, /* revocations */ 0);
}

void
mesh_revoke(
    struct mesh *m, struct rig *r, const char *const *accounts, size_t count)
{
	set_credentials(m, r, accounts, count, /* revocations */ 1);
}

/* --- two proxies --- */

struct addr
mesh_announced(const struct mesh *m, uint16_t port)
{
	struct addr a = m->service.addr;

	a.port = port;
	return a;
}

struct view_upstream_input *
mesh_service(struct mesh *m, const char *name, const char *account)
{
	size_t i = m->far->exposed_count++;
	struct addr at = mesh_announced(m, (uint16_t)(FIRST_PORT + i));
	struct view_endpoint_input *e;

	CHECK(i < RIG_ROWS);
	m->far->exposed[i] = (struct view_exposed_input){
	    .service = slice_str(name),
	    .ns = S("default"),
	    .port = 80,
	    .protocol = m->near->ports[0].protocol,
	    .addr = at,
	    .target = m->service.addr,
	    .account = slice_str(account),
	};
	e = rig_endpoint(m->near, name, &at, NULL);
	e->account = slice_str(account);
	e->tunnel = m->relay.addr;
	rig_listen(m->near, name, m->family);
	return &m->near->upstreams[m->near->upstream_count - 1];
}

struct mesh *
mesh_new(enum addr_family family, const char *protocol, server_fn fn)
{
	static const char *const near[] = {"client"};
	static const char *const far[] = {"web"};
	struct mesh *m = mem_new(sizeof(*m));

	m->family = family;
	make_root(m);
	m->near = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);
	m->far = rig_new(/* workers */ 1, family);
	m->hbone = rig_addr(m->far, "hbone");
	server_open(&m->relay, family, serve_relay, NULL);
	server_open(&m->service, family, fn, NULL);
	mesh_credentials(m, m->near, near, ARRAY_LEN(near));
	mesh_credentials(m, m->far, far, ARRAY_LEN(far));
	rig_service(m->near, "web", protocol);
	(void)mesh_service(m, "web", "web"); /* called as "client" */
	return m;
}

void
mesh_publish(struct mesh *m)
{
	rig_publish(m->near, NULL);
	rig_publish(m->far, NULL);
}

void
mesh_free(struct mesh **mp)
{
	struct mesh *m = *mp;

	rig_free(&m->near);
	rig_free(&m->far);
	server_close(&m->relay);
	server_close(&m->service);
	tls_trust_unref(&m->trust);
	tls_chain_unref(&m->root);
	tls_key_unref(&m->root_key);
	mem_free(mp);
}
