/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway — where anybody calls a gateway.
 */
#include "inside.h"

void
compile_gateway(struct builder *b)
{
	(void)b;
}
