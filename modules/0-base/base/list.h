/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list — a doubly linked ring; the links lie inside the objects.
 */
#ifndef MESHD_LIST_H
#define MESHD_LIST_H

#include "attr.h"

struct list {
	struct list *prev;
	struct list *next;
};

static inline void
list_init(struct list *head)
{
	head->prev = head->next = head;
}

static inline bool
list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void
list_insert_after(struct list *at, struct list *node)
{
	node->prev = at;
	node->next = at->next;
	at->next->prev = node;
	at->next = node;
}

static inline void
list_push_front(struct list *head, struct list *node)
{
	list_insert_after(head, node);
}

static inline void
list_push_back(struct list *head, struct list *node)
{
	list_insert_after(head->prev, node);
}

/* Takes it out; harmless for a node that is in no list (init'ed or zeroed). */
static inline void
list_remove(struct list *node)
{
	if (node->next == NULL)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->prev = node->next = node;
}

/* False for a node that is in no list (init'ed or zeroed). */
static inline bool
list_is_linked(const struct list *node)
{
	return node->next != NULL && node->next != node;
}

#define LIST_FIRST(head, type, member)                                         \
	(list_empty(head) ? NULL : CONTAINER((head)->next, type, member))

/* Safe against removal of `it` itself inside the body. */
#define LIST_EACH(head, it)                                                    \
	for (struct list *it = (head)->next, *it##_next = it->next;            \
	     it != (head); it = it##_next, it##_next = it->next)

#endif
