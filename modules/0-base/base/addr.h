/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addr — one type for every address: IPv4 or IPv6, with or without a port.
 *
 * Addresses compare by value. An IPv4-mapped IPv6 address becomes IPv4 on the
 * way in. An endpoint's key also has the network that it lies in.
 */
#ifndef MESHD_ADDR_H
#define MESHD_ADDR_H

#include "slice.h"

enum addr_family { ADDR_NONE = 0, ADDR_V4 = 4, ADDR_V6 = 6 };

struct addr {
	uint8_t family;    /* enum addr_family */
	uint8_t bytes[16]; /* network order; IPv4 in the first four, rest 0 */
	uint16_t port;     /* host order; 0 is none */
};

enum { ADDR_TEXT_MAX = 64 }; /* "[…]:65535" and the zero */

/* "10.0.0.1", "::1", "[::1]"; no name, no port, no zone. */
MUST_USE enum err addr_parse_ip(struct slice text, struct addr *out);

/* "10.0.0.1:80", "[::1]:80"; the port is needed. */
MUST_USE enum err addr_parse(struct slice text, struct addr *out);

/* "1-65535", decimal. */
MUST_USE enum err addr_parse_port(struct slice text, uint16_t *out);

/*
 * "10.0.0.1:80" or "[::1]:80"; without a port just the IP; "-" for ADDR_NONE.
 * Returns out.
 */
char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);

/* Just the IP, no brackets. */
char *addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX]);

bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_ip_eq(const struct addr *a, const struct addr *b);
int addr_cmp(const struct addr *a, const struct addr *b);
bool addr_is_loopback(const struct addr *a);
bool addr_is_any(const struct addr *a);

/* One machine's, of more than its own link. */
bool addr_is_global_unicast(const struct addr *a);

struct sockaddr;

/* `out` has room for a sockaddr_storage; returns the length used. */
unsigned addr_to_sockaddr(const struct addr *a, struct sockaddr *out);

/* ERR_UNSUPPORTED for another family, ERR_PARSE for less than a family. */
MUST_USE enum err addr_from_sockaddr(
    const struct sockaddr *sa, unsigned len, struct addr *out);

struct cidr {
	struct addr base;
	uint8_t bits;
};

/*
 * "10.0.0.0/8", or a lone IP as /32 or /128; bits of the host are cleared.
 * ERR_PARSE, or ERR_LIMIT for more bits than the address has.
 */
MUST_USE enum err cidr_parse(struct slice text, struct cidr *out);

/* The range of so many bits around an address. */
void cidr_around(const struct addr *a, uint8_t bits, struct cidr *out);

/* "10.0.0.0/8". Returns out. */
char *cidr_format(const struct cidr *c, char out[ADDR_TEXT_MAX]);

/* Without regard to ports; families do not mix. */
bool cidr_contains(const struct cidr *c, const struct addr *a);

#endif
