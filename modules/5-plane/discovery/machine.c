/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine — what one machine is, and what its view is made of.
 */
#include "inside.h"

/* What discovery has to know of it. */
static struct discovery_input
input_for(const struct discovery_machine *m, const struct discovery_input *mesh)
{
	struct discovery_input in = *mesh;

	in.self = m->id;
	in.issued_s = m->issued_s;
	in.node = m->name;
	in.network = m->network;
	in.locality = m->locality;
	in.families = m->families;
	in.locals = m->locals;
	in.local_count = m->local_count;
	return in;
}

enum err
discovery_view_input(struct discovery *d, const struct discovery_machine *m,
    const struct discovery_input *mesh, struct discovery_output *found,
    struct view_input *out)
{
	const struct discovery_input in = input_for(m, mesh);
	enum err e = discovery_update(d, &in, found);

	if (e != OK)
		return e;
	*out = (struct view_input){.proxy = m->proxy,
	    .domain = m->domain,
	    .trust_domain = m->trust_domain,
	    .ns = m->ns,
	    .account = m->account,
	    .labels = m->labels,
	    .network = m->network,
	    .locality = m->locality,
	    .identity = m->identity,
	    .resources = mesh->resources,
	    .resource_count = mesh->resource_count,
	    .services = found->services,
	    .service_count = found->service_count,
	    .servings = found->servings,
	    .serving_count = found->serving_count,
	    .lists_version = found->lists_version,
	    .moved_since = found->moved_since,
	    .moved = found->moved,
	    .moved_count = found->moved_count,
	    .upstreams = m->upstreams,
	    .upstream_count = m->upstream_count,
	    .exposed = found->exposed,
	    .exposed_count = found->exposed_count,
	    .addrs = m->addrs,
	    .addr_count = m->addr_count,
	    .knows_members = true};
	return OK;
}
