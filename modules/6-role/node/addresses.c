/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addresses — where this machine is: as was asked for, or what its interfaces
 * have, which is looked at again and again.
 *
 * DHCP gives a machine another address, a bridge comes up: the others are told,
 * and what stands stays. Without any address what was known stays; there is
 * nobody to tell. What was asked for may be another's who leads here (NAT), so
 * it is never judged; but who had it, and has it no more, is told.
 */
#define LOG_MODULE "node"

#include "inside.h"

#include <stdio.h>

enum { LOOK_US = 3000000, NAMED_MAX = 2 };

static bool
has(const struct addr *addrs, size_t count, const struct addr *a)
{
	for (size_t i = 0; i < count; i++)
		if (addr_eq(&addrs[i], a))
			return true;
	return false;
}

static bool
is_same(const struct node *n, const struct addr *now, size_t count)
{
	for (size_t i = 0; i < count && count == n->addr_count; i++)
		if (!addr_eq(&now[i], &n->addrs[i]))
			return false;
	return count == n->addr_count;
}

/* The first few of them, with commas. */
static char *
join_text(
    const struct addr *addrs, size_t count, char out[NAMED_MAX * ADDR_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < MIN(count, (size_t)NAMED_MAX); i++)
		at += (size_t)snprintf(out + at, NAMED_MAX * ADDR_TEXT_MAX - at,
		    "%s%s", i > 0 ? "," : "", addr_format(&addrs[i], text));
	return out;
}

static void
move_to(struct node *n, const struct addr *now, size_t count)
{
	char was[NAMED_MAX * ADDR_TEXT_MAX], is[NAMED_MAX * ADDR_TEXT_MAX];

	log_info("this machine's addresses are others now", "was=%s are=%s",
	    join_text(n->addrs, n->addr_count, was), join_text(now, count, is));
	memcpy(n->addrs, now, count * sizeof(now[0]));
	n->addr_count = count;
	peers_moved(n);
	publisher_touch(n);
	uplink_retry(n);
}

/* What was asked for, was here, and is here no more. */
static void
look_for_asked(struct node *n, const struct addr *now, size_t count)
{
	char is[NAMED_MAX * ADDR_TEXT_MAX], text[ADDR_TEXT_MAX];
	bool is_here = has(now, count, &n->addrs[0]);

	if (is_here)
		n->addr_was_here = true;
	if (is_here || !n->addr_was_here || count == 0) {
		n->addr_trouble.text[0] = '\0';
		return;
	}
	if (n->addr_trouble.text[0] != '\0')
		return; /* said already */
	(void)fault_set(&n->addr_trouble, ERR_INVALID,
	    "%s, which --address says, is not this machine's any more, and "
	    "others call it in vain; it has %s: start the agent with that "
	    "--address, or with none to follow what it has",
	    addr_format(&n->addrs[0], text), join_text(now, count, is));
	log_error("others cannot reach this machine", "why=\"%s\"",
	    n->addr_trouble.text);
}

static void
on_look(void *arg)
{
	struct addr now[NODE_ADDRS_MAX];
	size_t count = net_machine_addrs(now, ARRAY_LEN(now));
	struct node *n;

	OBJ(n, arg, NODE_MAGIC);
	if (n->addrs_asked)
		look_for_asked(n, now, count);
	else if (count > 0 && !is_same(n, now, count))
		move_to(n, now, count);
	timer_set(&n->addrs_timer, LOOK_US);
}

void
addresses_take(struct node *n, const struct addr *asked, size_t count)
{
	n->addrs_asked = count > 0;
	n->addr_count = MIN(count, (size_t)NODE_ADDRS_MAX);
	for (size_t i = 0; i < n->addr_count; i++) {
		n->addrs[i] = asked[i];
		n->addrs[i].port = 0;
	}
	if (!n->addrs_asked)
		n->addr_count = net_machine_addrs(n->addrs, NODE_ADDRS_MAX);
	timer_init(&n->addrs_timer, n->loop, on_look, n);
}

void
addresses_open(struct node *n)
{
	on_look(n);
}

void
addresses_close(struct node *n)
{
	timer_clear(&n->addrs_timer);
}

void
addresses_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	if (n->addr_trouble.text[0] != '\0')
		each(arg, &(struct node_problem){.kind = "address",
			      .about = S("--address"),
			      .text = slice_str(n->addr_trouble.text)});
}
