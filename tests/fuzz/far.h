/* SPDX-License-Identifier: Apache-2.0 */
/*
 * far — the other end of a connection that a fuzzer speaks by: what is said to
 * it is thrown away.
 */
#ifndef MESHD_TEST_FAR_H
#define MESHD_TEST_FAR_H

#include "net/net.h"

static void
ignore_data(struct stream *s, void *arg, struct slice bytes)
{
	(void)s;
	(void)arg;
	(void)bytes;
}

/* `arg` is the place of the pointer to it, which is NULL from now on. */
static void
far_close(struct stream *s, void *arg, enum err why)
{
	struct stream **far = arg;

	(void)s;
	(void)why;
	*far = NULL;
}

static const struct stream_events far_events = {
    .on_data = ignore_data, .on_close = far_close};

static void
settle(struct loop *l)
{
	loop_turn(l, 0);
	loop_settle(l);
}

#endif
