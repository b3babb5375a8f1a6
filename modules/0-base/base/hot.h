/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot — memory of what each request makes and ends.
 *
 * malloc keeps seven blocks of a size at hand for a thread; a proxy has
 * hundreds of requests at once, and beyond seven a block costs ten times as
 * much. What is given back here waits for the next of its size, for the thread
 * that gave it, up to a bound; so whoever frees has to say the size. A thread
 * that ends what others made keeps none of it, but as much as it took itself.
 */
#ifndef MESHD_HOT_H
#define MESHD_HOT_H

#include "attr.h"

/* As mem_new() and mem_free(); both have to be told the same size. */
void *hot_new(size_t size) MUST_USE;
void hot_free(void *p_address, size_t size);

/* As mem_try(): not zeroed, may be NULL. Freed as above. */
void *hot_try(size_t size) MUST_USE;

/* To malloc, all that waits for this thread. */
void hot_give_back(void);

#endif
