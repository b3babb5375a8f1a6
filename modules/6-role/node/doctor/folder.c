/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder — is the state directory where the role can read, write and keep it
 * from others?
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "checks.h"

/* Less than this and a snapshot may not fit; less than that, soon. */
enum { ROOM_LEAST = 16 << 20, ROOM_FEW = 128 << 20, OTHERS = 077 };

static const char *
dir_of(const struct doctor *d)
{
	return d->state.dir;
}

/* True if it is there to be looked at. */
static bool
is_there(struct doctor *d, struct stat *out)
{
	const char *dir = dir_of(d);

	if (stat(dir, out) == 0 && S_ISDIR(out->st_mode))
		return true;
	if (errno == ENOENT && stat(dir, out) != 0) {
		doctor_say(d, DOCTOR_OK, "%s is not there yet", dir);
	} else if (errno == EACCES) {
		doctor_mend(d, "sudo meshd doctor --state %s", dir);
		doctor_say(d, DOCTOR_WARNING, "%s is not ours to look at", dir);
	} else {
		doctor_mend(d, "mv %s %s.old", dir, dir);
		doctor_say(d, DOCTOR_PROBLEM, "%s is no folder", dir);
	}
	return false;
}

/* --- its files ------------------------------------------------------------ */

/* The first of each kind stands for all of them. */
struct files {
	char open[2 * STATE_PATH_MAX];    /* others may read it */
	char foreign[2 * STATE_PATH_MAX]; /* another user's than the folder */
	unsigned mode, uid;
	bool is_hidden; /* the folder may not be read */
};

static void
look_at_file(struct files *out, const char *path, unsigned owner)
{
	struct stat s;

	if (lstat(path, &s) != 0 || !S_ISREG(s.st_mode))
		return;
	if ((s.st_mode & OTHERS) != 0 && out->open[0] == '\0') {
		(void)snprintf(out->open, sizeof(out->open), "%s", path);
		out->mode = s.st_mode & 0777;
	}
	if (s.st_uid != owner && out->foreign[0] == '\0') {
		(void)snprintf(out->foreign, sizeof(out->foreign), "%s", path);
		out->uid = s.st_uid;
	}
}

static void
look_at_files(struct files *out, const char *path, unsigned owner)
{
	char file[2 * STATE_PATH_MAX];
	const struct dirent *e;
	DIR *dir = opendir(path);

	if (dir == NULL) {
		out->is_hidden = out->is_hidden || errno == EACCES;
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		(void)snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		look_at_file(out, file, owner);
	}
	(void)closedir(dir); /* only read */
}

static bool
judge_files(struct doctor *d, unsigned owner)
{
	struct files f = {.mode = 0};
	char identities[STATE_PATH_MAX];

	look_at_files(&f, dir_of(d), owner);
	if (state_path(&d->state, "identities", identities) == OK)
		look_at_files(&f, identities, owner);
	if (f.open[0] != '\0') {
		doctor_mend(d, "chmod 600 %s", f.open);
		doctor_say(d, DOCTOR_PROBLEM,
		    "others may read %s (mode %04o), so it is refused", f.open,
		    f.mode);
	}
	if (f.foreign[0] != '\0') {
		doctor_mend(d, "chown -R %u %s", owner, dir_of(d));
		doctor_say(d, DOCTOR_PROBLEM,
		    "%s is of user %u, the folder of user %u", f.foreign, f.uid,
		    owner);
	}
	if (f.is_hidden) {
		doctor_mend(d, "sudo meshd doctor --state %s", dir_of(d));
		doctor_say(d, DOCTOR_WARNING,
		    "what is in %s is for user %u to read; nothing is known "
		    "of it",
		    dir_of(d), owner);
	}
	return f.open[0] == '\0' && f.foreign[0] == '\0' && !f.is_hidden;
}

/* --- the disk ------------------------------------------------------------- */

static bool
judge_disk(struct doctor *d)
{
	const char *dir = dir_of(d);
	struct statvfs s;
	uint64_t room;

	if (statvfs(dir, &s) != 0)
		return true;
	room = (uint64_t)s.f_bavail * s.f_frsize;
	if ((s.f_flag & ST_RDONLY) != 0) {
		doctor_mend(d,
		    "mount -o remount,rw \"$(findmnt -n -o TARGET -T %s)\"",
		    dir);
		doctor_say(d, DOCTOR_PROBLEM,
		    "%s is on a disk that cannot be written", dir);
		return false;
	}
	if (room >= ROOM_FEW && (s.f_files == 0 || s.f_favail > 0))
		return true;
	doctor_mend(d, "du -xh %s/.. | sort -h | tail", dir);
	doctor_say(d, room < ROOM_LEAST ? DOCTOR_PROBLEM : DOCTOR_WARNING,
	    "%s has room for %" PRIu64 " MiB and %" PRIu64 " files more", dir,
	    room >> 20, (uint64_t)s.f_favail);
	return false;
}

bool
check_state(struct doctor *d)
{
	struct stat s;
	bool good = true;

	if (!is_there(d, &s))
		return true;
	if ((s.st_mode & OTHERS) != 0) {
		doctor_mend(d, "chmod 700 %s", dir_of(d));
		doctor_say(d, DOCTOR_WARNING,
		    "others may look into %s (mode %04o)", dir_of(d),
		    (unsigned)(s.st_mode & 0777));
		good = false;
	}
	good = judge_files(d, s.st_uid) && good;
	good = judge_disk(d) && good;
	if (good)
		doctor_say(d, DOCTOR_OK, "%s is user %u's alone, with room",
		    dir_of(d), (unsigned)s.st_uid);
	return true;
}
