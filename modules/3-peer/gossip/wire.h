/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — how gossip puts things into bytes: parts, and a writer that does not
 * allocate.
 *
 * A packet or a TCP frame carries parts: type (1), length (2), body. Integers
 * are big-endian. An unknown type is skipped, so that members of different
 * versions understand each other; a part that does not parse ends the packet.
 */
#ifndef MESHD_GOSSIP_WIRE_H
#define MESHD_GOSSIP_WIRE_H

#include "gossip.h"

enum part_type {
	PART_PING = 1,     /* seq 4, target 16 (zeroes: whoever you are) */
	PART_PING_REQ = 2, /* seq 4, target 16, address, budget in ms 2 */
	PART_ACK = 3,      /* seq 4 */
	PART_NACK = 4,     /* seq 4 */
	PART_VOUCHER = 5,  /* a voucher; goes before the state that needs it */
	PART_STATE = 6,    /* a signed state */
	PART_OFFERS = 7,   /* signed offers */
	PART_SUSPECT = 8,  /* subject 16, incarnation 8, accuser 16 */
	PART_DEAD = 9,     /* the same */
	PART_PULL = 10,    /* subject 16, enum pull_want 1 */
	PART_TOO_BIG = 11, /* subject 16: its offers come over TCP only */
	PART_ROOT = 12,    /* hash of all buckets and revocations 8 */
	PART_DIGEST = 13,  /* a hash of 8 bytes for each bucket */
	PART_BUCKET = 14,  /* number 1, complete 1, entries of 33 */
	PART_REVOCATION = 15, /* signed by the CA */
	PART_REVOKED = 16,    /* the record_hash, 8, of each that is known */
	PART_PADDING = 255    /* nothing: for the packet's length */
};

enum {
	PART_HEAD = 3,
	DIGEST_BUCKETS = 256,
	BUCKET_ENTRY = GOSSIP_ID_LEN + 8 + 8 + 1
};

enum pull_want {
	WANT_VOUCHER = 1 << 0,
	WANT_STATE = 1 << 1,
	WANT_OFFERS = 1 << 2
};

/* Writes into memory of the caller; past its end it only remembers that. */
struct packer {
	uint8_t *mem;
	size_t len;
	size_t cap;
	bool failed;
};

void pack_u8(struct packer *p, uint8_t v);
void pack_u16(struct packer *p, uint16_t v);
void pack_u32(struct packer *p, uint32_t v);
void pack_u64(struct packer *p, uint64_t v);
void pack_bytes(struct packer *p, const void *bytes, size_t n);
void pack_id(struct packer *p, const struct gossip_id *id);
void pack_addr(struct packer *p, const struct addr *a);

/* Length in one byte (two for 16), then the text; longer text fails. */
void pack_text(struct packer *p, struct slice s);
void pack_text16(struct packer *p, struct slice s);

/* Begins a part; returns what pack_close() needs. */
size_t pack_open(struct packer *p, enum part_type type);

/* Ends it. False, and the packer as before, if it did not fit. */
bool pack_close(struct packer *p, size_t mark);

/* A part whose body is there already. */
bool pack_part(struct packer *p, enum part_type type, struct slice body);

/* The parts with a fixed body. False if it did not fit. */
bool pack_seq(struct packer *p, enum part_type type, uint32_t seq);
bool pack_ping(struct packer *p, uint32_t seq, const struct gossip_id *target);
bool pack_verdict(struct packer *p, enum part_type type,
    const struct gossip_id *subject, uint64_t incarnation,
    const struct gossip_id *accuser);
bool pack_pull(struct packer *p, const struct gossip_id *subject, uint8_t want);

/* Readers; a wrong value sets r->failed. */
struct gossip_id wire_id(struct reader *r);
struct addr wire_addr(struct reader *r);
struct slice wire_text(struct reader *r);
struct slice wire_text16(struct reader *r);

struct part {
	uint8_t type;
	struct slice body;
};

/* False at the end or, with r->failed set, at a part that is cut off. */
bool wire_part_next(struct reader *r, struct part *out);

#endif
