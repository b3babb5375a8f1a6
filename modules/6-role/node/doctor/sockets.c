/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockets — who listens on this machine.
 *
 * /proc/net tells who listens by the socket's inode, which a descriptor of its
 * process leads to. Of processes of others only root may know.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "checks.h"

enum {
	TCP_LISTEN = 0x0a,
	UDP_BOUND = 0x07,
	TABLE_BYTES_MAX = 8 << 20 /* listeners come first */
};

/* --- /proc/net ------------------------------------------------------------ */

static bool
read_hex(struct slice text, uint8_t *out, size_t len)
{
	if (text.len != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = slice_hex_digit(text.ptr[2 * i]);
		int low = slice_hex_digit(text.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* "0100007F:3AA0": words of four bytes, each as the machine has it. */
static bool
read_addr(struct slice text, struct addr *out)
{
	struct slice ip = slice_split(&text, ':');
	size_t len = ip.len / 2;
	uint8_t bytes[16], port[2];

	if ((len != 4 && len != 16) || !read_hex(ip, bytes, len) ||
	    !read_hex(text, port, sizeof(port)))
		return false;
	*out = (struct addr){.family = len == 4 ? ADDR_V4 : ADDR_V6,
	    .port = (uint16_t)(port[0] << 8 | port[1])};
	for (size_t i = 0; i < len; i++)
		out->bytes[i] = bytes[i / 4 * 4 + 3 - i % 4];
	return true;
}

/* sl, local, remote, st, queues, timer, retransmitted, uid, timeout, inode */
bool
doctor_socket_read(struct slice line, bool is_udp, struct doctor_socket *out)
{
	uint8_t state;

	(void)doctor_word(&line);
	if (!read_addr(doctor_word(&line), &out->addr))
		return false;
	(void)doctor_word(&line);
	if (!read_hex(doctor_word(&line), &state, 1) ||
	    state != (is_udp ? UDP_BOUND : TCP_LISTEN))
		return false;
	for (int i = 0; i < 3; i++)
		(void)doctor_word(&line);
	if (slice_to_u64(doctor_word(&line), &out->uid) != OK)
		return false;
	(void)doctor_word(&line);
	return slice_to_u64(doctor_word(&line), &out->inode) == OK;
}

/* --- /proc/PID ------------------------------------------------------------ */

static bool
has_descriptor(const char *folder, uint64_t inode)
{
	char path[4 * STATE_PATH_MAX], target[64], wanted[64];
	const struct dirent *e;
	DIR *dir = opendir(folder);
	bool found = false;

	if (dir == NULL)
		return false;
	(void)snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
	while (!found && (e = readdir(dir)) != NULL) {
		ssize_t n;

		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		n = readlink(path, target, sizeof(target));
		found = n > 0 && slice_eq(slice_of(target, (size_t)n),
				     slice_str(wanted));
	}
	(void)closedir(dir); /* only read */
	return found;
}

static void
read_line(const struct doctor *d, uint64_t pid, const char *file, char *out,
    size_t out_len)
{
	AUTO(buf_fini) struct buf text = BUF(DOCTOR_FILE_MAX);
	char path[64];
	struct slice rest;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu64 "/%s", pid, file);
	out[0] = '\0';
	if (doctor_read(d, path, &text) != OK)
		return;
	rest = buf_slice(&text);
	rest = slice_split(&rest, '\n');
	(void)snprintf(out, out_len, "%.*s", SLICE_ARG(rest));
}

/* "0::/system.slice/nginx.service" → "nginx.service" */
static void
read_unit(const struct doctor *d, struct doctor_socket *h)
{
	struct slice line;
	size_t slash;

	read_line(d, h->pid, "cgroup", h->unit, sizeof(h->unit));
	line = slice_str(h->unit);
	slash = slice_rfind(line, '/');
	line = slash < line.len ? slice_sub(line, slash + 1, line.len) : line;
	if (slice_ends(line, S(".service")))
		memmove(h->unit, line.ptr, line.len + 1);
	else
		h->unit[0] = '\0';
}

void
doctor_socket_owner(const struct doctor *d, struct doctor_socket *h)
{
	char path[STATE_PATH_MAX], folder[2 * STATE_PATH_MAX];
	const struct dirent *e;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/proc", d->spec.root);
	dir = opendir(path);
	if (dir == NULL)
		return;
	while (h->pid == 0 && (e = readdir(dir)) != NULL) {
		uint64_t pid;

		if (slice_to_u64(slice_str(e->d_name), &pid) != OK)
			continue;
		(void)snprintf(
		    folder, sizeof(folder), "%s/%s/fd", path, e->d_name);
		if (has_descriptor(folder, h->inode))
			h->pid = pid;
	}
	(void)closedir(dir); /* only read */
	if (h->pid == 0)
		return;
	read_line(d, h->pid, "comm", h->name, sizeof(h->name));
	read_unit(d, h);
}

/* --- all of them ---------------------------------------------------------- */

static void
each_in(const struct doctor *d, const char *path,
    void (*each)(void *arg, const struct doctor_socket *s), void *arg)
{
	AUTO(buf_fini) struct buf text = BUF(TABLE_BYTES_MAX);
	struct slice rest;

	if (doctor_read(d, path, &text) != OK)
		return; /* a kernel without IPv6 */
	rest = buf_slice(&text);
	while (rest.len > 0) {
		struct doctor_socket s = {.inode = 0};

		if (!doctor_socket_read(
			slice_split(&rest, '\n'), /* is_udp */ false, &s))
			continue;
		doctor_socket_owner(d, &s);
		each(arg, &s);
	}
}

void
doctor_each_listener(const char *root,
    void (*each)(void *arg, const struct doctor_socket *s), void *arg)
{
	const struct doctor d = {.spec = {.root = root}};

	each_in(&d, "/proc/net/tcp", each, arg);
	each_in(&d, "/proc/net/tcp6", each, arg);
}
