/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields — what of the configuration is not in force, for `version --fields`.
 */
#ifndef MESHD_CLI_FIELDS_H
#define MESHD_CLI_FIELDS_H

#include "output.h"

/* One a line: "MSH0001 VirtualService.spec.http.fault". An exit status. */
int fields_print_inert(enum output how);

#endif
