/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder — the configuration that a folder holds, read as a whole.
 *
 * Blocks on the disk: for a job. What changes while it is read is found out
 * by who watches it, and read again.
 */
#ifndef MESHD_FOLDER_H
#define MESHD_FOLDER_H

#include "files/files.h"
#include "model/model.h"

struct folder {
	const char *path; /* set by the caller */
	/* The files themselves, without what is in them: 0 if there are none.
	 */
	uint64_t fingerprint;
	struct files files; /* with all mistakes */
	struct resource **resources;
	size_t count;
	size_t cap;
	enum err err; /* it cannot be read as a whole, or has mistakes */
	struct fault why;
};

/* Everything. Zero it before, folder_fini() after. */
void folder_read(struct folder *f);
void folder_fini(struct folder *f);

/*
 * Whether a file came, went or was written, told by names, times and sizes:
 * cheap, for looking now and then.
 */
uint64_t folder_fingerprint(const char *path);

#endif
