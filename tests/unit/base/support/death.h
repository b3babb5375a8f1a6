/* SPDX-License-Identifier: Apache-2.0 */
/*
 * death — asks whether a call ends the process, as a failed CHECK does.
 */
#ifndef MESHD_TEST_DEATH_H
#define MESHD_TEST_DEATH_H

#include <stdbool.h>

/* Runs f in a child process with stderr closed; true if it aborted. */
bool dies(void (*f)(void));

#endif
