/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faulty — a disk and a memory that fail when the test says so.
 */
#ifndef MESHD_TEST_FAULTY_H
#define MESHD_TEST_FAULTY_H

#include "base/base.h"

enum faulty_kind { FAULTY_WRITE, FAULTY_SYNC, FAULTY_READ, FAULTY_KINDS };

struct faulty {
	/* Operations of the kind so far. */
	uint64_t count[FAULTY_KINDS];
	/* The one that fails, from 1; 0: none. */
	uint64_t fail_at[FAULTY_KINDS];
	/* All from there on fail as well. */
	bool lasting;
	/* SQLite's code for it. */
	int code;
};

/* The one disk of the process; its VFS is called FAULTY_VFS. */
extern struct faulty faulty;

#define FAULTY_VFS "faulty"

/* Makes the VFS known, once. */
void faulty_register(void);

/* Nothing fails, counts are 0. */
void faulty_reset(void);

/*
 * SQLite's memory: the n-th allocation from now on fails; 0: none. Before the
 * first use of SQLite in the process faulty_memory_register() must have run.
 */
void faulty_memory_register(void);
void faulty_memory_fail_at(uint64_t n);
bool faulty_memory_has_failed(void);

#endif
