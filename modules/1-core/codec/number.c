/* SPDX-License-Identifier: Apache-2.0 */
/*
 * number — a float as the shortest decimal that reads back as the same float.
 */
#include <stdio.h>

#include "number.h"

struct slice
number_format(double d, char out[NUMBER_TEXT_MAX])
{
	(void)slice_from_double(d, out); /* it is text in `out` */
	if (strpbrk(out, ".e") == NULL) {
		size_t len = strlen(out);

		(void)snprintf(out + len, NUMBER_TEXT_MAX - len, ".0");
	}
	return slice_str(out);
}
