/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit — the numbers that bound what a peer or a file may ask for.
 *
 * One place, so that they can be read together. Those that an operator may
 * change are defaults here and named in meshd.conf(5).
 */
#ifndef MESHD_LIMIT_H
#define MESHD_LIMIT_H

enum {
	/* Configuration files. */
	LIMIT_DOC_BYTES = 16 << 20, /* one file */
	LIMIT_DOC_DEPTH = 64,
	LIMIT_DOC_NODES = 2000000,
	LIMIT_RESOURCE_BYTES = 1 << 20, /* one stored resource */

	/* HTTP/1 and HTTP/2 heads (data plane). */
	LIMIT_HEAD_BYTES = 60 << 10,
	LIMIT_HEAD_FIELDS = 100,

	/* Bytes buffered for one direction of one stream. */
	LIMIT_STREAM_BUFFER = 64 << 10,

	/* HTTP/2 flow control: start, and as far as a keen reader gets. */
	LIMIT_H2_WINDOW_START = 256 << 10,
	LIMIT_H2_STREAM_WINDOW_MAX = 4 << 20,
	/* A hundred streams at their start, and some that have grown. */
	LIMIT_H2_CONN_WINDOW_MAX = 48 << 20,

	/* Gossip. */
	LIMIT_GOSSIP_PACKET = 1200,
	LIMIT_GOSSIP_STREAM = 256 << 10,

	/* API and control stream. */
	LIMIT_API_BODY = 32 << 20,
	LIMIT_GRPC_MESSAGE = 16 << 20
};

#endif
