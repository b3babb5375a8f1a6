/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths — the files of the state directory.
 */
#ifndef MESHD_SERVER_PATHS_H
#define MESHD_SERVER_PATHS_H

#include "base/base.h"

enum { SERVER_PATH_MAX = 4096 };

#define PATH_SEAL "seal.key"         /* opens what the store has sealed */
#define PATH_STORE "mesh.db"         /* with -wal and -shm beside it */
#define PATH_SIGNER_KEY "signer.key" /* this server's intermediate */
#define PATH_SIGNER "signer.pem"
#define PATH_API_KEY "api.key"       /* shown at the API's port */
#define PATH_GOSSIP_KEY "gossip.key" /* of this server as a member */
#define PATH_PEERS "peers"           /* members that it knew last */

/* May this process use the folder? Else in words what to do. */
MUST_USE enum err path_check_folder(const char *dir, struct fault *why);

/* "<dir>/<file>"; ERR_LIMIT. */
MUST_USE enum err path_of(const char *dir, const char *file,
    char out[SERVER_PATH_MAX], struct fault *why);

#endif
