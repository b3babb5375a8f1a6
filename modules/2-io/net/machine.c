/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine — which addresses this machine has.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

static bool
is_link_local(const struct addr *a)
{
	/* 169.254.0.0/16 (RFC 3927 §2.1), fe80::/10 (RFC 4291 §2.5.6) */
	return a->family == ADDR_V4
		   ? a->bytes[0] == 169 && a->bytes[1] == 254
		   : a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static bool
read_one(const struct ifaddrs *i, enum addr_family family, struct addr *out)
{
	unsigned len = family == ADDR_V4 ? sizeof(struct sockaddr_in)
					 : sizeof(struct sockaddr_in6);

	return i->ifa_addr != NULL && (i->ifa_flags & IFF_UP) &&
	       addr_from_sockaddr(i->ifa_addr, len, out) == OK &&
	       out->family == family && !addr_is_loopback(out) &&
	       !is_link_local(out);
}

/* A kernel without IPv6 makes no such socket; /proc may not be there. */
struct addr
net_any_addr(uint16_t port)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return (struct addr){
	    .family = fd >= 0 ? ADDR_V6 : ADDR_V4, .port = port};
}

bool
net_has_addr(const struct addr *a)
{
	struct addr any_port = *a;
	struct sockaddr_storage ss;
	unsigned len;
	bool has;
	int fd;

	any_port.port = 0;
	len = addr_to_sockaddr(&any_port, (struct sockaddr *)&ss);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno != EAFNOSUPPORT; /* no descriptor is no answer */
	has = bind(fd, (struct sockaddr *)&ss, len) == 0 ||
	      errno != EADDRNOTAVAIL;
	close(fd);
	return has;
}

size_t
net_machine_addrs(struct addr *out, size_t cap)
{
	static const enum addr_family families[] = {ADDR_V4, ADDR_V6};
	struct ifaddrs *all;
	size_t n = 0;

	if (getifaddrs(&all) != 0)
		return 0;
	for (size_t f = 0; f < ARRAY_LEN(families); f++)
		for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
			struct addr a;

			if (n < cap && read_one(i, families[f], &a)) {
				a.port = 0;
				out[n++] = a;
			}
		}
	freeifaddrs(all);
	return n;
}
