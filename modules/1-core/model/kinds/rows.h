/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows — short forms of table rows that many kinds have.
 */
#ifndef MESHD_ROWS_H
#define MESHD_ROWS_H

/* Upstream's, with no counterpart here yet: refused in words. */
#define UNBUILT(field_name, words)                                             \
	{                                                                      \
		.name = field_name, .type = FIELD_ANY, .flags = FIELD_UNBUILT, \
		.doc = words                                                   \
	}

/* Only Kubernetes has what it talks about: warned and dropped. */
#define FOREIGN(field_name, words)                                             \
	{                                                                      \
		.name = field_name, .type = FIELD_ANY, .flags = FIELD_FOREIGN, \
		.doc = words                                                   \
	}

#endif
