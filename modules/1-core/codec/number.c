/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number — a float as the shortest decimal that reads back as the same float.
 */
#include <stdio.h>
#include <stdlib.h>

#include "number.h"

struct slice
number_format(double d, char out[NUMBER_TEXT_MAX])
{
	/* 17 digits are always enough (IEEE 754-2019 §5.12.2). */
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(out, NUMBER_TEXT_MAX, "%.*g", digits,
		    d); /* at most 24 characters */
		if (strtod(out, NULL) == d)
			break;
	}
	if (strpbrk(out, ".e") == NULL) {
		size_t len = strlen(out);

		(void)snprintf(out + len, NUMBER_TEXT_MAX - len, ".0");
	}
	return slice_str(out);
}
