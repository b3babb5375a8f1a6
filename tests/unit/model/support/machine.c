/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine — the view of a machine at 10.0.0.7 with the workload app=web of
 * namespace "shop".
 */
#include "machine.h"
#include "unit.h"

static const struct label app[] = {{{"app", 3}, {"web", 3}}};

void
machine_compile(struct machine *m)
{
	view_unref(&m->v);
	EXPECT_OK(view_compile(&m->in, &m->v, NULL));
}

void
machine_init(struct machine *m, const char *yaml)
{
	memset(m, 0, sizeof(*m));
	load(yaml, "m.yaml", &m->l);
	EXPECT_OK(m->l.e);
	EXPECT_OK(addr_parse_ip(S("10.0.0.7"), &m->addr));
	m->in = (struct view_input){.ns = S("shop"),
	    .labels = {app, ARRAY_LEN(app)},
	    .addrs = &m->addr,
	    .addr_count = 1,
	    .resources = (const struct resource *const *)m->l.items,
	    .resource_count = m->l.count};
	machine_compile(m);
}

void
machine_fini(struct machine *m)
{
	view_unref(&m->v);
	loaded_fini(&m->l);
}
