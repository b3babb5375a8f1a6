/* SPDX-License-Identifier: Apache-2.0 */
/*
 * other_tls — OpenSSL's half of the handshake bench, a library of its own.
 *
 * It is loaded, not linked: its libcrypto and the one below our TLS have the
 * same names for different functions.
 */
#ifndef MESHD_BENCH_OTHER_TLS_H
#define MESHD_BENCH_OTHER_TLS_H

#include <stdbool.h>

/* PEM texts; a chain has the leaf first. */
struct other_tls_spec {
	const char *root;
	const char *client_chain;
	const char *client_key;
	const char *server_chain;
	const char *server_key;
};

/* The library's one symbol, "other_tls". */
struct other_tls {
	const char *(*version)(void);
	/* Ends the process with a word on standard error if it cannot. */
	void (*init)(const struct other_tls_spec *spec);
	/*
	 * One mutual TLS 1.3 handshake, both ends in memory: full, or resumed
	 * by the ticket of the last that was, if there is one.
	 */
	void (*shake)(bool resume);
};

#endif
