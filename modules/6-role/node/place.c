/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place — where this machine says that it lies: region/zone/subzone.
 *
 * As its settings say, or a program that they name, which asks whoever knows;
 * else as the first of its WorkloadGroups does. Nothing waits for the program:
 * until its answer, and if there is none, the machine lies nowhere, and calls
 * of it have no preference.
 */
#define LOG_MODULE "node"

#include "health/health.h"

#include "inside.h"

#include <ctype.h>
#include <stdio.h>

enum { PLACE_MAGIC = 0x706c6163, PARTS_MAX = 3, TIMEOUT_US = 5 * 1000000 };

struct place {
	uint32_t magic;
	struct node *node;
	char text[GOSSIP_LOCALITY_MAX + 1]; /* of settings or program */
	char command[NODE_LOCALITY_COMMAND_MAX];
	struct health_exec *exec; /* while it runs */
	struct fault problem;     /* no text: none */
};

static bool
is_word(struct slice part)
{
	for (size_t i = 0; i < part.len; i++) {
		char c = part.ptr[i];

		if (!isalnum((unsigned char)c) && c != '.' && c != '_' &&
		    c != '-')
			return false;
	}
	return part.len > 0;
}

MUST_USE enum err
node_locality_check(struct slice text, struct fault *why)
{
	struct slice rest = text;
	size_t parts = 0;

	if (text.len > GOSSIP_LOCALITY_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a locality has at most %d bytes", GOSSIP_LOCALITY_MAX);
	while (rest.len > 0 || parts == 0) {
		struct slice part = slice_split(&rest, '/');

		if (!is_word(part) || ++parts > PARTS_MAX ||
		    slice_ends(text, S("/")))
			return fault_set(why, ERR_INVALID,
			    "\"%.*s\" is no locality: one is region, "
			    "region/zone or region/zone/subzone, each of "
			    "letters, digits and \"._-\"",
			    SLICE_ARG(slice_sub(text, 0, NAME_LABEL_MAX)));
	}
	return OK;
}

/* Peers and callers of this machine hear of it. */
static void
use(struct place *l, struct slice text)
{
	if (slice_eq(text, slice_str(l->text)))
		return;
	(void)snprintf(l->text, sizeof(l->text), "%.*s", SLICE_ARG(text));
	peers_offer(l->node);
	publisher_touch(l->node);
}

static void
on_answer(void *arg, bool is_good, const char *reason, struct slice said)
{
	struct place *l;
	struct fault why = {0};
	enum err e;

	OBJ(l, arg, PLACE_MAGIC);
	l->exec = NULL;
	e = is_good ? node_locality_check(slice_trim(said), &why)
		    : fault_set(&why, ERR_UNREACHABLE, "%s", reason);
	if (e == OK) {
		log_info("locality is known", "locality=%.*s",
		    SLICE_ARG(slice_trim(said)));
		use(l, slice_trim(said));
		return;
	}
	(void)fault_set(&l->problem, e,
	    "the program of the setting locality gave none, so that this "
	    "machine has none: %s",
	    why.text);
	log_warn("locality is not known", "why=\"%s\"", why.text);
}

/* Words between blanks, as a check's command. */
static void
ask(struct place *l)
{
	struct slice words[HEALTH_WORDS_MAX];
	struct slice rest = slice_trim(slice_str(l->command));
	size_t count = 0;

	while (rest.len > 0 && count < HEALTH_WORDS_MAX) {
		words[count++] = slice_split(&rest, ' ');
		rest = slice_trim(rest);
	}
	l->exec =
	    health_exec_open(&(struct health_exec_spec){.loop = l->node->loop,
		.words = words,
		.word_count = count,
		.timeout_us = TIMEOUT_US,
		.done = on_answer,
		.arg = l});
}

void
node_set_place(struct node *n, const struct node_place *p)
{
	struct place *l = n->place;

	health_exec_cancel(&l->exec);
	l->problem.text[0] = '\0';
	(void)snprintf(
	    l->command, sizeof(l->command), "%.*s", SLICE_ARG(p->command));
	if (p->command.len > 0)
		ask(l); /* until then what was known */
	else
		use(l, p->locality);
}

void
place_open(struct node *n, const struct node_place *p)
{
	n->place = mem_new(sizeof(*n->place));
	n->place->magic = PLACE_MAGIC;
	n->place->node = n;
	node_set_place(n, p);
}

void
place_close(struct node *n)
{
	if (n->place == NULL)
		return;
	health_exec_cancel(&n->place->exec);
	n->place->magic = 0;
	mem_free(&n->place);
}

struct slice
place_of(const struct node *n)
{
	return n->place->text[0] != '\0' ? slice_str(n->place->text)
					 : groups_locality(n);
}

void
place_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	const struct node_problem row = {.kind = "locality",
	    .about = slice_str(n->place->command),
	    .text = slice_str(n->place->problem.text)};

	if (row.text.len > 0)
		each(arg, &row);
}
