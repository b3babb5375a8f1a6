/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number — a float as the shortest decimal that reads back as the same float.
 */
#ifndef MESHD_NUMBER_H
#define MESHD_NUMBER_H

#include "base/base.h"

enum { NUMBER_TEXT_MAX = 40 };

/* Has a point or an exponent, so that it stays a float. Finite ones only. */
struct slice number_format(double d, char out[NUMBER_TEXT_MAX]);

#endif
