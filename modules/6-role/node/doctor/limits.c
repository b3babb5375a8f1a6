/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits — of the kernel's bounds, those that a proxy meets first.
 */
#include <inttypes.h>
#include <sys/resource.h>

#include "checks.h"

enum {
	FILES_FEW = 8192,  /* a proxied connection has two */
	PORTS_FEW = 10000, /* of this machine's own connections */
	BACKLOG = NET_BACKLOG,
	TRACKED_PERCENT = 80 /* of what conntrack takes */
};

static const char range_file[] = "/proc/sys/net/ipv4/ip_local_port_range";
static const char kept_file[] = "/proc/sys/net/ipv4/ip_local_reserved_ports";
static const char tracked_file[] = "/proc/sys/net/netfilter/nf_conntrack_count";
static const char trackable_file[] = "/proc/sys/net/netfilter/nf_conntrack_max";

/* What a start may raise it to. Of an agent that runs: systemd's unit. */
static bool
judge_files(struct doctor *d)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_max >= FILES_FEW)
		return true;
	doctor_mend(d, "ulimit -Hn 524288 # of a unit: LimitNOFILE=524288");
	doctor_say(d, DOCTOR_WARNING,
	    "a process here may open %" PRIu64
	    " files; a proxied connection takes "
	    "two",
	    (uint64_t)l.rlim_max);
	return false;
}

static bool
judge_backlog(struct doctor *d)
{
	uint64_t n;

	if (doctor_read_number(d, "/proc/sys/net/core/somaxconn", &n) != OK ||
	    n >= BACKLOG)
		return true;
	doctor_mend(d, "sysctl -w net.core.somaxconn=4096");
	doctor_say(d, DOCTOR_WARNING,
	    "%" PRIu64
	    " connections may wait to be accepted; a burst of more is "
	    "refused",
	    n);
	return false;
}

/* "15000-15100,15946" */
static bool
is_reserved(const struct doctor *d, uint64_t port)
{
	AUTO(buf_fini) struct buf text = BUF(DOCTOR_FILE_MAX);
	struct slice rest;

	if (doctor_read(d, kept_file, &text) != OK)
		return false;
	rest = buf_slice(&text);
	rest = doctor_word(&rest);
	while (rest.len > 0) {
		struct slice item = slice_split(&rest, ',');
		struct slice first = slice_split(&item, '-');
		uint64_t low, high;

		if (slice_to_u64(first, &low) != OK)
			return false;
		if (item.len == 0 || slice_to_u64(item, &high) != OK)
			high = low;
		if (port >= low && port <= high)
			return true;
	}
	return false;
}

/* A connection of any program may take the number before we do. */
static bool
judge_overlap(struct doctor *d, uint64_t low, uint64_t high)
{
	for (size_t i = 0; i < d->spec.port_count; i++) {
		uint16_t port = d->spec.ports[i].addr.port;

		if (port < low || port > high || is_reserved(d, port))
			continue;
		doctor_mend(d, "sysctl -w "
			       "net.ipv4.ip_local_reserved_ports=15000-15090,"
			       "15443,15946");
		doctor_say(d, DOCTOR_WARNING,
		    "connections of this machine may take port %u (%s), for "
		    "they get %" PRIu64 " to %" PRIu64,
		    port, d->spec.ports[i].name, low, high);
		return false;
	}
	return true;
}

static bool
judge_range(struct doctor *d)
{
	AUTO(buf_fini) struct buf text = BUF(DOCTOR_FILE_MAX);
	struct slice rest;
	uint64_t low, high;

	if (doctor_read(d, range_file, &text) != OK)
		return true;
	rest = buf_slice(&text);
	if (slice_to_u64(doctor_word(&rest), &low) != OK ||
	    slice_to_u64(doctor_word(&rest), &high) != OK || high < low)
		return true;
	if (high - low + 1 >= PORTS_FEW)
		return judge_overlap(d, low, high);
	doctor_mend(d, "sysctl -w net.ipv4.ip_local_port_range='32768 60999'");
	doctor_say(d, DOCTOR_WARNING,
	    "this machine has %" PRIu64 " ports (%" PRIu64 " to %" PRIu64
	    ") for its own "
	    "connections to one address",
	    high - low + 1, low, high);
	return false;
}

static bool
judge_conntrack(struct doctor *d)
{
	uint64_t count, most;

	if (doctor_read_number(d, tracked_file, &count) != OK ||
	    doctor_read_number(d, trackable_file, &most) != OK || most == 0 ||
	    count * 100 < most * TRACKED_PERCENT)
		return true;
	doctor_mend(
	    d, "sysctl -w net.netfilter.nf_conntrack_max=%" PRIu64, 2 * most);
	doctor_say(d, count >= most ? DOCTOR_PROBLEM : DOCTOR_WARNING,
	    "the kernel tracks %" PRIu64 " connections of %" PRIu64
	    " that it can; what is "
	    "beyond gets lost",
	    count, most);
	return false;
}

bool
check_limits(struct doctor *d)
{
	bool good = judge_files(d);

	good = judge_backlog(d) && good;
	good = judge_range(d) && good;
	good = judge_conntrack(d) && good;
	if (good)
		doctor_say(d, DOCTOR_OK,
		    "the kernel's limits leave room: files, backlog, ports, "
		    "tracked connections");
	return true;
}
