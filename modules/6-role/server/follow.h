/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow — the server keeps to what a folder holds.
 *
 * What the folder brought and nobody else, is put in force and taken away as
 * its files say, at one stroke; a mistake anywhere leaves everything as it is.
 */
#ifndef MESHD_FOLLOW_H
#define MESHD_FOLLOW_H

#include "server.h"

struct follow; /* opaque */

/* Begins to follow spec.config_dir. */
struct follow *follow_open(struct server *s);

/*
 * Ends; what is under way is finished, then server_part_gone(PART_FOLLOW).
 * Leaves NULL.
 */
void follow_close(struct follow **fp);

/* Configuration has changed: what was in its way may be gone. */
void follow_changed(struct follow *f);

void follow_status(const struct follow *f, struct server_folder *out);

#endif
