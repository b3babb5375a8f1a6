/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explained — an explanation, for people or for programs.
 */
#ifndef MESHD_EXPLAINED_H
#define MESHD_EXPLAINED_H

#include "base/base.h"

#include "output.h"

/* What model_answer() made; an exit status. */
int explained_print(const struct value *v, enum output how);

#endif
