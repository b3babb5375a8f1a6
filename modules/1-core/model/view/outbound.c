/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbound — where programs of this machine call the mesh.
 */
#include "inside.h"

void
compile_outbound(struct builder *b)
{
	(void)b;
}
