/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main — picks a subcommand; brings the layers of a role up in order and down
 * in reverse.
 */
#define LOG_MODULE "main"

#include "admin/admin.h"
#include "base/base.h"
#include "cli/cli.h"
#include "loop/loop.h"
#include "net/net.h"
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* --- the server --- */

struct process {
	struct loop *loop;
	struct net_factory *factory;
	struct server *server;
	struct admin *admin;
	struct loop_signal term;
	struct loop_signal interrupt;
	const char *socket;
	int code;
};

/* systemd's protocol (sd_notify(3)); without systemd it does nothing. */
static void
notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = path == NULL ? 0 : strlen(path);
	int fd;

	if (len == 0 || len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody listening is not our failure. */
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	(void)close(fd); /* a datagram was sent or not by now */
}

static void
on_closed(void *arg)
{
	struct process *p = arg;

	loop_stop(p->loop);
}

static void
stop(struct process *p, int code)
{
	if (p->server == NULL)
		return;
	notify("STOPPING=1");
	p->code = code;
	admin_close(&p->admin);
	server_close(&p->server, on_closed, p);
}

static void
on_signal(void *arg)
{
	log_info("stopping", "reason=signal");
	stop(arg, CLI_EXIT_OK);
}

static void
fail(struct process *p, const struct fault *why)
{
	stop(p, cli_fault(why));
}

static void
on_api_open(void *arg, enum err e, const struct fault *why)
{
	struct process *p = arg;

	if (e != OK) {
		fail(p, why);
		return;
	}
	log_info("serving", "socket=%s version=%s", p->socket, MESHD_VERSION);
	notify("READY=1");
}

static void
on_ready(void *arg, enum err e, const struct fault *why)
{
	struct process *p = arg;

	if (e != OK) {
		fail(p, why);
		return;
	}
	p->admin = admin_open(&(struct admin_spec){
	    .loop = p->loop,
	    .factory = p->factory,
	    .socket_path = p->socket,
	    .server = p->server,
	    .admin_uid = (uint32_t)geteuid(),
	    .on_open = on_api_open,
	    .arg = p,
	});
}

/* The folder of the socket; /run is empty after every boot. */
static enum err
make_socket_folder(const char *socket_path, struct fault *why)
{
	struct slice path = slice_str(socket_path);
	char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	path.len = MIN(slice_rfind(path, '/'), path.len);
	if (slice_to_cstr(path, dir, sizeof(dir)) != OK)
		return fault_set(why, ERR_LIMIT,
		    "the path of a socket is at most %zu bytes long: %s",
		    sizeof(dir) - 1, socket_path);
	if (dir[0] == 0 || mkdir(dir, 0755) == 0 || errno == EEXIST)
		return OK;
	return fault_set(why, err_from_errno(errno), "cannot make %s: %s", dir,
	    strerror(errno));
}

static enum err
open_all(
    struct process *p, const struct cli_server *settings, struct fault *why)
{
	enum err e = make_socket_folder(settings->socket_path, why);

	p->socket = settings->socket_path;
	if (e == OK)
		e = net_factory_inherit_env(p->factory, why);
	if (e == OK)
		e = loop_signal_open(&p->term, p->loop, SIGTERM, on_signal, p);
	if (e == OK)
		e = loop_signal_open(
		    &p->interrupt, p->loop, SIGINT, on_signal, p);
	if (e != OK)
		return e;
	p->server = server_open(&(struct server_spec){
	    .loop = p->loop,
	    .state_dir = settings->state_dir,
	    .on_ready = on_ready,
	    .arg = p,
	});
	return OK;
}

static int
run_server(const struct cli_server *settings)
{
	struct process p = {.code = CLI_EXIT_OK};
	struct fault why = {0};

	p.loop = loop_new(NULL);
	p.factory = net_factory_new();
	if (open_all(&p, settings, &why) == OK)
		loop_run(p.loop);
	else
		p.code = cli_fault(&why);
	loop_signal_close(&p.term);
	loop_signal_close(&p.interrupt);
	net_factory_free(&p.factory);
	loop_free(&p.loop);
	return p.code;
}

static const struct cli_roles roles = {
    .server = run_server,
};

int
main(int argc, char **argv)
{
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return CLI_EXIT_FAILED;
	if (crypto_init() != OK) {
		(void)fputs("meshd: the system gives no randomness\n", stderr);
		return CLI_EXIT_FAILED;
	}
	return cli_run(argc, argv, &roles);
}
