/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh — two proxies in one process: what a program sends goes out by the
 * near one, through a tunnel, and comes in by the far one.
 *
 *	client ─► near ─► relay ─► far ─► service
 *
 * The relay passes bytes between the machines; it counts their connections
 * and can cut them. Certificates are real, of a root made for the test.
 */
#ifndef MESHD_TEST_MESH_H
#define MESHD_TEST_MESH_H

#include "rig.h"

enum { MESH_ACCOUNTS = 4 };

struct mesh {
	enum addr_family family;
	struct tls_key *root_key;
	struct tls_chain *root;
	struct tls_trust *trust;
	struct rig *near;
	struct rig *far;
	struct addr hbone; /* of the far one */
	struct server relay;
	struct server service;
	atomic_bool cut; /* resets what the relay has */
};

/*
 * One service "web" of account "web", called as "client"; both have their
 * certificates. Add to the rigs, then publish.
 */
struct mesh *mesh_new(
    enum addr_family family, const char *protocol, server_fn fn);
void mesh_publish(struct mesh *m);
void mesh_free(struct mesh **mp);

/* A certificate for one more account of default; the caller's. */
struct tls_identity *mesh_identity(struct mesh *m, const char *account);

/* Certificates for these accounts of default, all new; the first is shown
 * when none is named. */
void mesh_credentials(
    struct mesh *m, struct rig *r, const char *const *accounts, size_t count);

/* As above, and what node "test", whose all certificates are, got is revoked.
 */
void mesh_revoke(
    struct mesh *m, struct rig *r, const char *const *accounts, size_t count);

/* One more service on the far node, of that account, listened for here. */
struct view_upstream_input *mesh_service(
    struct mesh *m, const char *name, const char *account);

/* The address that the far node announces for the service of that number. */
struct addr mesh_announced(const struct mesh *m, uint16_t port);

#endif
