/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delegates — whether a delegate's rule fits into what its root lets through.
 */
#ifndef MESHD_DELEGATES_H
#define MESHD_DELEGATES_H

#include "../kinds/virtual_service.h"

/*
 * False if a match of the delegate's rule lies within none of the root's: then
 * the rule is left out. Gateways are compared as they stand there.
 */
bool delegate_fits(
    const struct http_route *root, const struct http_route *leaf);

#endif
