/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offer — which programs there are, and what their digests are.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "offer.h"

enum { PATH_LEN = OFFER_PATH_MAX + 32 };

static const char *const archs[OFFER_ARCHS] = {"amd64", "arm64"};

const char *
offer_arch(size_t index)
{
	return archs[index];
}

static const char *
path_of(const struct offer *o, size_t index, char room[PATH_LEN])
{
	if (strcmp(archs[index], OFFER_OWN) == 0)
		return "/proc/self/exe"; /* also after it was replaced */
	(void)snprintf(
	    room, PATH_LEN, "%s/meshd-linux-%s", o->folder, archs[index]);
	return room;
}

/* What tells one file from another, and from itself when it was written to. */
static bool
read_mark(const struct stat *st, struct offered *out)
{
	if (!S_ISREG(st->st_mode) || st->st_size <= 0)
		return false;
	out->is_there = true;
	out->device = (uint64_t)st->st_dev;
	out->inode = (uint64_t)st->st_ino;
	out->size = (uint64_t)st->st_size;
	out->changed_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 +
			  (int64_t)st->st_ctim.tv_nsec;
	return true;
}

static bool
same_mark(const struct offered *a, const struct offered *b)
{
	return a->is_there == b->is_there && a->device == b->device &&
	       a->inode == b->inode && a->size == b->size &&
	       a->changed_ns == b->changed_ns;
}

enum err
offer_init(struct offer *o, const char *state_dir, struct fault *why)
{
	int n = snprintf(o->folder, sizeof(o->folder), "%s/dist", state_dir);

	if (n > 0 && (size_t)n < sizeof(o->folder))
		return OK;
	return fault_set(why, ERR_LIMIT,
	    "the path of the installer's folder has more than %d characters",
	    OFFER_PATH_MAX - 1);
}

static void
look(struct offer *o, size_t index)
{
	char room[PATH_LEN];
	struct offered found = {0};
	struct stat st;
	int fd = open(path_of(o, index, room), O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && fstat(fd, &st) == 0 && read_mark(&st, &found) &&
	    crypto_sha256_file(fd, found.sha256, NULL) != OK)
		found.is_there = false;
	if (fd >= 0)
		(void)close(fd); /* it was only read */
	o->programs[index] = found;
}

void
offer_look(struct offer *o)
{
	for (size_t i = 0; i < OFFER_ARCHS; i++)
		look(o, i);
}

bool
offer_is_current(const struct offer *o)
{
	for (size_t i = 0; i < OFFER_ARCHS; i++) {
		char room[PATH_LEN];
		struct offered now = {0};
		struct stat st;

		if (stat(path_of(o, i, room), &st) == 0)
			(void)read_mark(&st, &now); /* else it is not there */
		if (!same_mark(&now, &o->programs[i]))
			return false;
	}
	return true;
}

int
offer_open(const struct offer *o, size_t index)
{
	char room[PATH_LEN];
	struct offered now = {0};
	struct stat st;
	int fd;

	if (!o->programs[index].is_there)
		return -1;
	fd = open(path_of(o, index, room), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && read_mark(&st, &now) &&
	    same_mark(&now, &o->programs[index]))
		return fd;
	(void)close(fd); /* it was not even read */
	return -1;
}

enum err
offer_digests(const struct offer *o, struct buf *out)
{
	enum err e = OK;

	for (size_t i = 0; e == OK && i < OFFER_ARCHS; i++) {
		char hex[2 * CRYPTO_SHA256_LEN + 1] = "";

		if (!o->programs[i].is_there)
			continue;
		crypto_hex(
		    slice_of(o->programs[i].sha256, CRYPTO_SHA256_LEN), hex);
		e = buf_printf(out, "%s  meshd-linux-%s\n", hex, archs[i]);
	}
	return e;
}
