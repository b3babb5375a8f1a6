/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address — which address a name has in the mesh.
 */
#ifndef MESHD_ADDRESS_H
#define MESHD_ADDRESS_H

#include "view.h"

/*
 * The first that is written for its service, or the automatic one where
 * somebody listens at it; the port stays. The service, or NULL: a name has no
 * address of its own.
 */
const struct view_service *address_of(const struct view *v,
    const struct view_scope *of, struct slice name, struct addr *io);

#endif
