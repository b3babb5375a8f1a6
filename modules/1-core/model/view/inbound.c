/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound — where the mesh calls programs of this machine.
 */
#include "inside.h"

void
compile_inbound(struct builder *b)
{
	(void)b;
}
