/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sshd — where it listens, by the files of the machine: its own, and those of
 * a socket of systemd's that starts it.
 *
 * Not every user may read all of them (Fedora's sshd_config is root's alone):
 * so whoever says `capture on` looks, too, and tells the agent.
 */
#include "capture.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>

enum { FILE_BYTES = 256 << 10, SSHD_PATH_MAX = 1024 };

static const char own_file[] = "/etc/ssh/sshd_config";
static const char *const files[] = {
    "/etc/systemd/system/ssh.socket", "/etc/systemd/system/sshd.socket"};
static const char *const folders[] = {"/etc/ssh/sshd_config.d",
    "/etc/systemd/system/ssh.socket.d", "/etc/systemd/system/sshd.socket.d",
    "/run/systemd/generator/ssh.socket.d"};

struct finding {
	struct capture_ports *out;
	uint32_t count;
};

static bool
read_file(struct finding *f, const char *path)
{
	AUTO(buf_fini) struct buf text = BUF(FILE_BYTES);

	if (file_read(path, &text, NULL) != OK)
		return false;
	f->count = capture_sshd_ports(buf_slice(&text), f->out, f->count);
	return true;
}

static void
read_folder(struct finding *f, const char *folder)
{
	char path[SSHD_PATH_MAX + NAME_MAX + 2];
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (slice_ends(slice_str(e->d_name), S(".conf")))
			(void)read_file(f, path);
	}
	if (d != NULL)
		(void)closedir(d);
}

uint32_t
capture_sshd_find(const char *root, struct capture_ports out[CAPTURE_LIST_MAX],
    uint32_t count)
{
	struct finding f = {out, count};
	char path[SSHD_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s%s", root, own_file);
	if (!read_file(&f, path)) /* there may be an sshd without */
		f.count = capture_sshd_ports(SLICE_NONE, out, f.count);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", root, files[i]);
		(void)read_file(&f, path);
	}
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", root, folders[i]);
		read_folder(&f, path);
	}
	return f.count;
}
