/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer — text and JSON of which a peer chose some bytes.
 *
 * These are escaped, so that no request can forge a line.
 */
#ifndef MESHD_TELEMETRY_WRITER_H
#define MESHD_TELEMETRY_WRITER_H

#include "base/base.h"

struct writer {
	struct buf *out;
	bool inside;  /* of an object: a member came before */
	enum err err; /* sticky */
};

void writer_put(struct writer *w, struct slice s);

/* What is no plain ASCII, and quotes, as \u00xx. */
void writer_put_escaped(struct writer *w, struct slice s);

/* --- members of an object; what is empty or unknown is left out ----------- */

void writer_key(struct writer *w, const char *key);
void writer_text(struct writer *w, const char *key, struct slice value);
void writer_number(struct writer *w, const char *key, uint64_t n);
void writer_ms(struct writer *w, const char *key, uint64_t us);
void writer_addr(struct writer *w, const char *key, const struct addr *a);

/* "{" and "}", or brackets: what follows is inside of it, then beside it. */
void writer_open(struct writer *w, char bracket);
void writer_close(struct writer *w, char bracket);

#endif
