/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offer — the programs that the installer can bring, and their digests.
 *
 * That of this machine's architecture is the one that runs, /proc/self/exe;
 * others lie in dist/ of the state folder, as meshd-linux-ARCH. Blocks on the
 * disk: for jobs, save for offer_is_current() and offer_open(), which look at
 * names alone.
 */
#ifndef MESHD_ADMIN_OFFER_H
#define MESHD_ADMIN_OFFER_H

#include "base/base.h"

enum {
	OFFER_ARCHS = 2, /* that packages are made for */
	OFFER_PATH_MAX = 256,
	OFFER_DIGESTS_MAX = 256 /* bytes of the list */
};

/* Of this program. */
#if defined(__x86_64__)
#define OFFER_OWN "amd64"
#elif defined(__aarch64__)
#define OFFER_OWN "arm64"
#else
#define OFFER_OWN ""
#endif

/* "amd64", "arm64". */
const char *offer_arch(size_t index);

struct offer {
	char folder[OFFER_PATH_MAX];
	struct offered {
		bool is_there;
		uint64_t device, inode, size;
		int64_t changed_ns;
		uint8_t sha256[CRYPTO_SHA256_LEN];
	} programs[OFFER_ARCHS];
};

/* Of zeroes; nothing is offered before offer_look(). ERR_LIMIT. */
MUST_USE enum err offer_init(
    struct offer *o, const char *state_dir, struct fault *why);

/* Reads and digests what is there. */
void offer_look(struct offer *o);

/* Whether the files are those that were looked at. */
bool offer_is_current(const struct offer *o);

/* The file of the index-th architecture, as it was digested, or -1. */
int offer_open(const struct offer *o, size_t index);

/* Lines as sha256sum writes them; appends. */
MUST_USE enum err offer_digests(const struct offer *o, struct buf *out);

#endif
