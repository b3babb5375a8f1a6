/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows — short forms of the rows and tables of messages.
 */
#ifndef MESHD_ROWS_H
#define MESHD_ROWS_H

#include "../field.h"

/*
 * One row: the struct without `struct`, the name in the document, the member,
 * its type; then whatever else, as .flags = …, .check = …, .doc = "…".
 */
#define ROW(of_struct, field_name, member, field_type, ...)                    \
	{                                                                      \
		.name = field_name, .type = field_type,                        \
		.offset = offsetof(struct of_struct, member), __VA_ARGS__      \
	}

/* The same, of messages: `table` without its ending _message. */
#define ROW_OF(of_struct, field_name, member, table, ...)                      \
	ROW(of_struct, field_name, member, FIELD_MESSAGE,                      \
	    .of = &table##_message, __VA_ARGS__)
#define ROWS_OF(of_struct, field_name, member, table, more_flags, ...)         \
	ROW(of_struct, field_name, member, FIELD_MESSAGE,                      \
	    .of = &table##_message, .flags = FIELD_REPEATED | (more_flags),    \
	    __VA_ARGS__)

/* What a message is, from its struct, its name and its rows. */
#define MESSAGE(of_struct, message_name, rows, ...)                            \
	{                                                                      \
		.name = message_name, .size = sizeof(struct of_struct),        \
		.fields = rows, .field_count = ARRAY_LEN(rows), __VA_ARGS__    \
	}

/* One without a field: that it is there says all. */
#define EMPTY_MESSAGE(message_name, ...)                                       \
	{                                                                      \
		.name = message_name, .size = sizeof(struct message_head),     \
		__VA_ARGS__                                                    \
	}

/* The rows of a struct whose member `scope` is a struct policy_scope. */
#define SELECTOR_ROW(of_struct)                                                \
	ROW_OF(of_struct, "selector", scope.selector, policy_selector,         \
	    .doc = "Workloads that it is for; absent: all of the namespace.")
#define TARGETS_ROW(of_struct)                                                 \
	ROWS_OF(of_struct, "targetRefs", scope.target_refs, target_ref,        \
	    FIELD_ONE_NAME, .most = 16,                                        \
	    .doc = "Resources that it is attached to, at most 16.")
#define POLICY_SCOPE_ROWS(of_struct)                                           \
	SELECTOR_ROW(of_struct),                                               \
	    ROW_OF(of_struct, "targetRef", scope.target_ref, target_ref,       \
		.flags = FIELD_ONE_NAME,                                       \
		.doc = "The older form of targetRefs, for one target."),       \
	    TARGETS_ROW(of_struct)

/* Only Kubernetes has what it talks about: warned and dropped. */
#define FOREIGN(field_name, words)                                             \
	{                                                                      \
		.name = field_name, .type = FIELD_ANY, .flags = FIELD_FOREIGN, \
		.doc = words                                                   \
	}

#endif
