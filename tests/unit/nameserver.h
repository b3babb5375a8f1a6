/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nameserver — a DNS server on loopback, on a thread of its own, that says what
 * a test wants it to say.
 */
#ifndef MESHD_TEST_NAMESERVER_H
#define MESHD_TEST_NAMESERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAMESERVER_RECORDS = 64, NAMESERVER_V4 = 1, NAMESERVER_V6 = 28 };

/* An address of either family, or another name: a CNAME. */
struct nameserver_record {
	char name[64];
	char data[64];
	uint32_t ttl_s;
};

struct nameserver {
	int fd;
	int wake[2]; /* a pipe; its end is the thread's */
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows, up to the paths */
	struct nameserver_record records[NAMESERVER_RECORDS];
	size_t count;
	bool is_mute;      /* answers nothing at all */
	int mute_type;     /* or nothing to questions of this one */
	int failure;       /* an rcode for everything; 0: none */
	atomic_uint asked; /* questions that came */
	/* Files that name it, for loop_resolve_setup(). */
	char resolv_conf[64];
	char hosts[64];
};

/* The hosts file knows "static.test" as 192.0.2.9. */
void nameserver_open(struct nameserver *s);
void nameserver_close(struct nameserver *s);

/* One more record, or none any more. */
void nameserver_add(
    struct nameserver *s, const char *name, const char *data, uint32_t ttl_s);
void nameserver_clear(struct nameserver *s);

void nameserver_set_mute(struct nameserver *s, bool is_mute, int type);
void nameserver_set_failure(struct nameserver *s, int rcode);

#endif
