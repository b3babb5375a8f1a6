/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows — how the registry reads rows of the store.
 */
#ifndef MESHD_SERVER_ROWS_H
#define MESHD_SERVER_ROWS_H

#include "registry.h"

/* ERR_PARSE, ERR_INVALID, ERR_LIMIT: nobody can work with this row. */
MUST_USE enum err rows_node_decode(
    const struct store_row *row, struct registry_node *out);

#endif
