/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address — which address a name has in the mesh.
 */
#include "address.h"

static bool
is_one(const struct cidr *c)
{
	return c->bits == (c->base.family == ADDR_V4 ? 32 : 128);
}

/* A listener of just this address. */
static bool
is_listened_at(
    const struct view *v, const struct view_scope *of, const struct addr *a)
{
	const struct view_listener *l =
	    view_find_listener(v, of, VIEW_OUTBOUND, a);

	return l != NULL && l->addr.family != ADDR_NONE;
}

const struct view_service *
address_of(const struct view *v, const struct view_scope *of, struct slice name,
    struct addr *io)
{
	const struct view_host *h = view_find_host(v, of, name, io->port);
	const struct view_service *s = h != NULL ? h->service : NULL;
	struct addr a;

	if (s == NULL)
		return NULL;
	if (s->address_count > 0 && is_one(&s->addresses[0]))
		a = s->addresses[0].base;
	else
		a = s->automatic[0];
	a.port = io->port;
	if (a.family == ADDR_NONE ||
	    (s->address_count == 0 && !is_listened_at(v, of, &a)))
		return NULL;
	*io = a;
	return s;
}
