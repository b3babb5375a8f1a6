/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file — whole files, read within a bound and replaced at one stroke.
 *
 * These calls block on the disk: for start-up, the control loop and jobs,
 * never for a worker.
 */
#ifndef MESHD_FILE_H
#define MESHD_FILE_H

#include "buf.h"

/*
 * Replaces `path` with `bytes`: a new file of that mode beside it, fsync,
 * rename, fsync of the folder. After a crash either the old or the new one is
 * there, whole. ERR_PERMISSION, ERR_NO_SPACE, ERR_NOT_FOUND, ERR_IO in words.
 */
MUST_USE enum err file_replace(
    const char *path, struct slice bytes, unsigned mode, struct fault *why);

/*
 * Removes what file_replace() had begun in a folder when its process was
 * killed. For its only user, before anything is written there.
 */
void file_sweep(const char *folder);

/*
 * The folder, of that mode, and those above it that are missing (0755). True
 * in *out_made, which may be NULL, if it was not there. In words: which of
 * them cannot be made, or is there and no folder (ERR_EXISTS).
 */
MUST_USE enum err file_make_folder(
    const char *path, unsigned mode, bool *out_made, struct fault *why);

/* Appends to `out`, whose limit bounds the file (ERR_LIMIT). */
MUST_USE enum err file_read(
    const char *path, struct buf *out, struct fault *why);

/* The same for what nobody but the owner may read, else ERR_PERMISSION. */
MUST_USE enum err file_read_private(
    const char *path, struct buf *out, struct fault *why);

#endif
