/* SPDX-License-Identifier: Apache-2.0 */
/*
 * services — what a machine offers, by files in a folder.
 */
#ifndef MESHD_SERVICES_H
#define MESHD_SERVICES_H

#include "cli.h"

/* One that is all zero is empty. */
void cli_services_fini(struct cli_services *s);

/*
 * What *.conf of the folder say, in the order of their names; of NULL the
 * usual folder, which need not be there. ERR_… with file and line.
 */
MUST_USE enum err cli_services_read(
    struct cli_services *s, const char *folder, struct fault *why);

#endif
