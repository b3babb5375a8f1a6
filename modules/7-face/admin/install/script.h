/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script — packaging/install.sh as this server serves it, and the lines that
 * call it. Pure.
 */
#ifndef MESHD_ADMIN_SCRIPT_H
#define MESHD_ADMIN_SCRIPT_H

#include "base/base.h"

enum {
	SCRIPT_BYTES_MAX = 64 << 10,
	SCRIPT_LINE_MAX = 8 << 10,
	SCRIPT_PIN_LEN = 8 + 44 + 1 /* "sha256//", base64 and the zero */
};

/* What differs from server to server. None of it is a secret. */
struct script_facts {
	struct slice version;
	struct slice pin;       /* as curl's --pinnedpubkey takes it */
	struct slice servers;   /* "https://10.0.0.1:15080 https://…" */
	struct slice digests;   /* lines of sha256sum */
	struct slice key;       /* PEM of the public key of the pin */
	struct slice signature; /* of the digests, in base64 */
};

/*
 * Appends the script with the facts in it as a shell's words. ERR_INVALID, in
 * words, for a fact with a byte that a shell might take for more than text.
 */
MUST_USE enum err script_render(
    const struct script_facts *f, struct buf *out, struct fault *why);

/* How a machine joins by a token; each is for people to paste. */
struct script_lines {
	struct buf curl;   /* one line; curl checks the server's key */
	struct buf wget;   /* one line; it checks the script's digest itself */
	struct buf manual; /* what to bring there by any means, and to call */
};

void script_lines_init(struct script_lines *l);
void script_lines_fini(struct script_lines *l);

/* `script` is what script_render() made of the facts. */
MUST_USE enum err script_lines(const struct script_facts *f,
    struct slice script, struct slice token, struct script_lines *out);

#endif
