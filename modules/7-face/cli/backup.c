/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup — server backup, server restore.
 */
#include "base/base.h"
#include "server/server.h"

#include "api.h"
#include "body.h"
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4000 };

#define KEY_ENDING ".key"

/* --- backup --- */

/* The server's own folder is another than ours. */
static enum err
whole_path(const char *path, char out[PATH_BYTES], struct fault *why)
{
	char here[PATH_BYTES] = "";
	int n;

	if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return fault_set(why, err_from_errno(errno),
		    "cannot tell where this is: %s", strerror(errno));
	n = snprintf(out, PATH_BYTES, "%s%s%s", here, here[0] ? "/" : "", path);
	return n > 0 && n < PATH_BYTES ? OK
				       : fault_set(why, ERR_LIMIT,
					     "the path is too long: %s", path);
}

/* Beside the backup, readable by us alone. */
static enum err
copy_key(const char *state, const char *path, struct fault *why)
{
	AUTO(buf_fini) struct buf key = BUF_SECRET(CRYPTO_KEY_LEN + 1);
	char from[PATH_BYTES], to[PATH_BYTES];
	enum err e;

	if (snprintf(from, PATH_BYTES, "%s/seal.key", state) >= PATH_BYTES ||
	    snprintf(to, PATH_BYTES, "%s" KEY_ENDING, path) >= PATH_BYTES)
		return fault_set(why, ERR_LIMIT, "the path is too long");
	e = file_read_private(from, &key, why);
	if (e == OK)
		e = file_replace(to, buf_slice(&key), 0600, why);
	return e;
}

static void
say_done(const char *path, const struct value *answer, bool with_key,
    const char *state)
{
	const struct value *n = value_get(answer, S("revision"));

	(void)printf("%s holds the mesh as of revision %lld\n", path,
	    n != NULL && n->type == VALUE_INT ? (long long)n->integer : 0);
	if (with_key)
		(void)printf("%s" KEY_ENDING
			     " OPENS EVERY SECRET IN IT, the root's key among "
			     "them: keep the two apart\n",
		    path);
	else
		(void)printf("THE KEY IS NOT IN IT: without %s/seal.key "
			     "nobody can restore it; keep a copy of that, "
			     "elsewhere\n",
		    state);
}

static int
backup(struct options *o)
{
	AUTO(api_answer_fini) struct api_answer a = {0};
	AUTO(body_fini) struct body b;
	const char *state = options_text(o, "state");
	bool with_key = options_flag(o, "with-key");
	char path[PATH_BYTES];
	struct fault why = {0};
	int code;

	body_init(&b);
	if (o->arg_count != 1)
		return command_fail(
		    CLI_EXIT_USAGE, "say where to: server backup FILE");
	if (whole_path(o->args[0], path, &why) != OK)
		return cli_fault(&why);
	body_text(&b, "path", path);
	if (api_ask(o,
		&(struct api_question){
		    API_SERVER_HERE, "POST", "/v1/backup", b.map},
		&a, &why) != OK)
		return cli_fault(&why);
	code = api_refused(&a);
	if (code != CLI_EXIT_OK)
		return code;
	if (with_key && copy_key(state, path, &why) != OK)
		return cli_fault(&why);
	say_done(path, a.body, with_key, state);
	return CLI_EXIT_OK;
}

static const struct option_row backup_rows[] = {
    {"with-key", 0, OPTION_FLAG, NULL, NULL, false,
	"also FILE.key, which opens all secrets in it"},
    OPTION_STATE,
    OPTION_SOCKET,
};

const struct command command_server_backup = {
    .name = "server backup",
    .args = "FILE",
    .words = 1,
    .summary = "copy the mesh to a file while its server runs",
    .section = "server",
    .rows = backup_rows,
    .row_count = ARRAY_LEN(backup_rows),
    .run = backup,
};

/* --- restore --- */

static int
restore(struct options *o)
{
	struct server_restore_spec spec = {
	    .state_dir = options_text(o, "state"),
	    .key_file = options_text(o, "key"),
	};
	char key[PATH_BYTES], when[CLOCK_RFC3339_LEN];
	struct server_restored done;
	struct fault why = {0};

	if (o->arg_count != 1)
		return command_fail(
		    CLI_EXIT_USAGE, "say what from: server restore FILE");
	spec.file = o->args[0];
	if (snprintf(key, sizeof(key), "%s" KEY_ENDING, spec.file) >=
	    PATH_BYTES)
		return command_fail(CLI_EXIT_USAGE, "the path is too long");
	if (spec.key_file == NULL)
		spec.key_file = key;
	if (server_restore(&spec, &done, &why) != OK)
		return cli_fault(&why);
	clock_format_rfc3339(done.time_ms, when);
	(void)printf("%s holds the mesh as of revision %" PRIu64
		     ", %s; start it: meshd server run\n"
		     "what has changed or joined since is not in it: machines "
		     "that joined later join again\n",
	    spec.state_dir, done.revision, when);
	return CLI_EXIT_OK;
}

static const struct option_row restore_rows[] = {
    {"key", 0, OPTION_TEXT, "FILE", NULL, false,
	"seal.key as it was beside it, else FILE.key"},
    OPTION_STATE,
};

const struct command command_server_restore = {
    .name = "server restore",
    .args = "FILE",
    .words = 1,
    .summary = "make a server's state from a backup",
    .section = "server",
    .rows = restore_rows,
    .row_count = ARRAY_LEN(restore_rows),
    .run = restore,
};
