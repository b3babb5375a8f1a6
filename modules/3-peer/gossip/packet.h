/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet — what goes over the wire sealed: datagrams, and TCP calls.
 *
 * Datagram: version 1 · key id 1 · node 16 · boot 8 · counter 8, all in the
 * clear, then ChaCha20-Poly1305 (RFC 8439) under a key derived from the pool's
 * key, node and boot; the counter is the nonce, head and mesh id are the
 * associated data. So no nonce is ever used twice, however many members share
 * the pool's key, and two meshes never understand each other.
 *
 * A call is one request and one answer over TCP: a head with 16 random bytes,
 * a length of 4 bytes, the sealed payload. The answer's key also depends on
 * the request's head, so an answer fits no other call. A request may be
 * replayed; what it asks for is then sealed for who made it.
 */
#ifndef MESHD_GOSSIP_PACKET_H
#define MESHD_GOSSIP_PACKET_H

#include "gossip.h"

enum {
	PACKET_HEAD = 1 + 1 + GOSSIP_ID_LEN + 8 + 8,
	PACKET_PAYLOAD_MAX =
	    LIMIT_GOSSIP_PACKET - PACKET_HEAD - CRYPTO_AEAD_TAG_LEN,
	CALL_HEAD = 1 + 1 + GOSSIP_ID_LEN + 8 + 16,
	CALL_LENGTH = 4, /* behind the head */
	CALL_OVERHEAD = CALL_HEAD + CALL_LENGTH + CRYPTO_AEAD_TAG_LEN,
	CALL_PAYLOAD_MAX = LIMIT_GOSSIP_STREAM - CALL_OVERHEAD,
	PACKET_SENDERS_MAX = 2 * GOSSIP_MEMBERS_MAX
};

/* --- replay windows (RFC 6479) -------------------------------------------- */

enum { WINDOW_WORDS = 4, WINDOW_BITS = (WINDOW_WORDS - 1) * 64 };

struct window {
	uint64_t highest;
	uint64_t bits[WINDOW_WORDS];
};

/* True, and noted, if `counter` is new; false if seen or too old. */
bool window_accept(struct window *w, uint64_t counter);

/* --- sealing -------------------------------------------------------------- */

struct packets; /* keyring, our counter, and every sender's key and window */

struct packets *packets_new(const uint8_t mesh[GOSSIP_MESH_LEN],
    const struct gossip_id *self, uint64_t boot);
void packets_free(struct packets **pp);

/* ERR_INVALID if it is empty or has an id twice. Copies. */
MUST_USE enum err packets_set_keyring(
    struct packets *p, const struct gossip_keyring *k);

size_t packets_senders(const struct packets *p);

struct packet_from {
	struct gossip_id node;
	uint64_t boot;
};

/* Returns the length of the datagram; payload.len <= PACKET_PAYLOAD_MAX. */
size_t packets_seal(
    struct packets *p, struct slice payload, uint8_t out[LIMIT_GOSSIP_PACKET]);

/*
 * ERR_PARSE, ERR_AUTH (no such key, changed, other mesh) or ERR_EXISTS (came
 * already or too late). `out` gets the payload.
 */
MUST_USE enum err packets_open(struct packets *p, struct slice datagram,
    uint8_t out[PACKET_PAYLOAD_MAX], size_t *out_len, struct packet_from *from);

/*
 * Seals a request into CALL_OVERHEAD + payload.len bytes. Its first CALL_HEAD
 * bytes are kept by both sides until the answer: `request_head` below.
 */
void call_seal(struct packets *p, struct slice payload, uint8_t *out);
void call_answer(struct packets *p, const uint8_t request_head[CALL_HEAD],
    struct slice payload, uint8_t *out);

/*
 * The length of a whole message of which `start` has come; 0 as long as that
 * is not known, ERR_LIMIT past LIMIT_GOSSIP_STREAM, ERR_PARSE for rubbish.
 */
MUST_USE enum err call_length(struct slice start, size_t *out);

/*
 * Opens a whole message. request_head is NULL for a request. The payload
 * (message.len - CALL_OVERHEAD bytes) goes to `out`. ERR_AUTH.
 */
MUST_USE enum err call_open(struct packets *p, const uint8_t *request_head,
    struct slice message, uint8_t *out, struct packet_from *from);

#endif
