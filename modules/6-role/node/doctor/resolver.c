/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver — does resolv.conf(5) name somebody to ask?
 *
 * Whether he answers, those find out who ask for the servers' names.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "checks.h"

static bool
names_somebody(struct slice text)
{
	while (text.len > 0) {
		struct slice line = slice_split(&text, '\n');

		if (slice_eq(doctor_word(&line), S("nameserver")) &&
		    doctor_word(&line).len > 0)
			return true;
	}
	return false;
}

/* A link of a program that does not run any more leads nowhere. */
static bool
leads_nowhere(const struct doctor *d)
{
	char path[STATE_PATH_MAX];
	struct stat s;

	(void)snprintf(path, sizeof(path), "%s/etc/resolv.conf", d->spec.root);
	return lstat(path, &s) == 0 && S_ISLNK(s.st_mode) &&
	       stat(path, &s) != 0;
}

bool
check_resolver(struct doctor *d)
{
	AUTO(buf_fini) struct buf text = BUF(DOCTOR_FILE_MAX);
	enum err e = doctor_read(d, "/etc/resolv.conf", &text);

	if (e == OK && names_somebody(buf_slice(&text))) {
		doctor_say(
		    d, DOCTOR_OK, "/etc/resolv.conf names a name server");
		return true;
	}
	if (e != OK && leads_nowhere(d)) {
		doctor_mend(d, "systemctl restart systemd-resolved");
		doctor_say(d, DOCTOR_WARNING,
		    "/etc/resolv.conf is a link that leads nowhere: no name "
		    "is found but those of /etc/hosts");
		return true;
	}
	doctor_mend(d, "echo 'nameserver ADDRESS' >>/etc/resolv.conf");
	doctor_say(d, DOCTOR_WARNING,
	    "/etc/resolv.conf %s: no name is found but those of /etc/hosts",
	    e != OK ? err_text(e) : "names no name server");
	return true;
}
