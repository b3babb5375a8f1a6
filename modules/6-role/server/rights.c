/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights — what a role may do; the one place where that is decided.
 *
 *	viewer   reads everything; that will never be a key
 *	editor   and writes resources of its namespaces
 *	admin    and everything else
 *
 * Users of the server's machine have a role as holders of tokens have.
 */
#include "server.h"

enum err
server_may(const struct server_actor *a, enum ca_role needed, struct fault *why)
{
	if (a->role >= needed)
		return OK;
	return fault_set(why, ERR_DENIED,
	    "%s may only %s; this takes the role %s, which root and the user "
	    "that meshd runs as have at its socket",
	    a->name, a->role < CA_ROLE_EDITOR ? "read" : "write configuration",
	    ca_role_name(needed));
}

enum err
server_may_write(const struct server_actor *a, const struct resource_key *key,
    struct fault *why)
{
	char text[RESOURCE_KEY_MAX];
	enum err e = server_may(a, CA_ROLE_EDITOR, why);

	if (e != OK || a->role >= CA_ROLE_ADMIN)
		return e;
	/* What lies in no namespace is everybody's. */
	if (key->ns.len > 0 && ca_grant_has_namespace(&a->grant, key->ns))
		return OK;
	return fault_set(why, ERR_DENIED,
	    "%s may write in the namespaces %s, but not %s", a->name,
	    a->grant.namespaces, resource_key_format(key, text));
}
