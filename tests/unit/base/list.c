/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list — order, removal, removal while walking.
 */
#include "base/base.h"
#include "unit.h"

struct node {
	int n;
	struct list link;
};

static int
sum_of(const struct list *head)
{
	int sum = 0;

	/* In decimal, so that the order shows. */
	LIST_EACH (head, it)
		sum = sum * 10 + CONTAINER(it, struct node, link)->n;
	return sum;
}

TEST(nodes_stand_in_the_order_of_pushing)
{
	struct node a = {1, {0}}, b = {2, {0}}, c = {3, {0}};
	struct list head;

	list_init(&head);
	EXPECT_TRUE(list_empty(&head));
	EXPECT_TRUE(LIST_FIRST(&head, struct node, link) == NULL);
	list_push_back(&head, &b.link);
	list_push_back(&head, &c.link);
	list_push_front(&head, &a.link);
	EXPECT_EQ(sum_of(&head), 123);
	EXPECT_TRUE(LIST_FIRST(&head, struct node, link) == &a);
}

TEST(a_node_may_be_removed_twice_and_while_walking)
{
	struct node nodes[] = {{1, {0}}, {2, {0}}, {3, {0}}}, lone = {9, {0}};
	struct list head;

	list_init(&head);
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		list_push_back(&head, &nodes[i].link);
	list_remove(&lone.link);
	list_remove(&nodes[1].link);
	list_remove(&nodes[1].link);
	EXPECT_EQ(sum_of(&head), 13);
	LIST_EACH (&head, it)
		list_remove(it);
	EXPECT_TRUE(list_empty(&head));
}
