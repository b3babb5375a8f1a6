/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine — the view of a machine at 10.0.0.7 with the workload app=web of
 * namespace "shop".
 */
#ifndef MESHD_TEST_MACHINE_H
#define MESHD_TEST_MACHINE_H

#include "load.h"

struct machine {
	struct loaded l;
	struct addr addr;
	struct view_exposed_input exposed; /* for tests to fill */
	struct view_input in;
	struct view *v;
};

/* The YAML has to be valid. */
void machine_init(struct machine *m, const char *yaml);
void machine_fini(struct machine *m);

/* Once more, of what was put into `in`. */
void machine_compile(struct machine *m);

#endif
