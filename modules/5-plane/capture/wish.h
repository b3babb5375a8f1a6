/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wish — what rules and checks of a wish have in common. Pure.
 */
#ifndef MESHD_CAPTURE_WISH_H
#define MESHD_CAPTURE_WISH_H

#include "capture.h"

/* Of all agents and servers, where nobody says otherwise. */
enum { WISH_MESH_PORTS = 5 };
extern const struct capture_ports wish_mesh_ports[WISH_MESH_PORTS];

/* "80", "8000-8099" */
const char *wish_ports_text(
    const struct capture_ports *p, char out[SLICE_U64_MAX]);

#endif
