/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — the server's own struct, for its files alone.
 */
#ifndef MESHD_SERVER_INSIDE_H
#define MESHD_SERVER_INSIDE_H

#include "cache.h"
#include "server.h"

enum { SERVER_MAGIC = 0x73657276, SERVER_PATH_MAX = 4096 };

struct server {
	uint32_t magic;
	struct server_spec spec;
	struct store *store; /* NULL if it could not even begin */
	struct store_watch *watch;
	struct cache cache;
	struct loop_later later;
	struct fault start_fault;
	uint64_t began_us;
	bool told; /* on_ready was called */
	void (*on_closed)(void *arg);
	void *closed_arg;
};

#endif
