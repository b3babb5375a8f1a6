/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openssl — our ends of TLS against OpenSSL's s_client and s_server.
 *
 * A child runs the tool; it reads its words from a pipe and says what it sees
 * into another. The connection is a unix socket. The tool judges certificates
 * at our own fake time.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scene.h"
#include "unit.h"

enum {
	SAID_MAX = 64 << 20,
	ARGS_MAX = 40,
	DEADLINE_US = 10000000,
	MUCH = 3 << 20
};

/* --- the tool in a child -------------------------------------------------- */

struct tool {
	pid_t pid;
	int in; /* -1: closed */
	int out;
	struct buf said; /* standard output and error */
	struct buf ours; /* what it shall still be told */
	int status;
};

static char dir[64];

static const char *
file(const char *name)
{
	static char paths[8][128];
	static unsigned turn;
	char *path = paths[turn++ % ARRAY_LEN(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void
tool_start(struct tool *t, const char *const *args)
{
	int in[2], out[2];

	*t = (struct tool){.said = BUF(SAID_MAX), .ours = BUF(SAID_MAX)};
	EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
	EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
	t->pid = fork();
	EXPECT_TRUE(t->pid >= 0);
	if (t->pid == 0) {
		char *copy[ARGS_MAX];
		size_t n = 0;

		for (; args[n] != NULL; n++)
			copy[n] = mem_strndup(args[n], strlen(args[n]));
		copy[n] = NULL;
		(void)dup2(in[0], 0);
		(void)dup2(out[1], 1);
		(void)dup2(out[1], 2);
		(void)execvp(copy[0], copy);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	t->in = in[1];
	t->out = out[0];
	EXPECT_EQ(fcntl(t->in, F_SETFL, O_NONBLOCK), 0);
	EXPECT_EQ(fcntl(t->out, F_SETFL, O_NONBLOCK), 0);
}

static void
tool_tell(struct tool *t, struct slice words)
{
	EXPECT_OK(buf_add_slice(&t->ours, words));
}

static void
tool_hang_up(struct tool *t)
{
	if (t->in >= 0)
		close(t->in);
	t->in = -1;
}

/* Moves what can move now, both ways. */
static void
tool_turn(struct tool *t)
{
	static char bytes[64 << 10];
	ssize_t n;

	while (t->out >= 0 && (n = read(t->out, bytes, sizeof(bytes))) > 0)
		EXPECT_OK(buf_add(&t->said, bytes, (size_t)n));
	while (t->in >= 0 && buf_len(&t->ours) > 0) {
		struct slice s = buf_slice(&t->ours);

		n = write(t->in, s.ptr, s.len);
		if (n <= 0)
			break;
		buf_consume(&t->ours, (size_t)n);
	}
}

static bool
tool_has_said(const struct tool *t, const char *words)
{
	struct slice s = buf_slice(&t->said);

	return s.len > 0 && memmem(s.ptr, s.len, words, strlen(words)) != NULL;
}

static bool
tool_is_done(struct tool *t)
{
	if (t->pid > 0 && waitpid(t->pid, &t->status, WNOHANG) == t->pid)
		t->pid = 0;
	return t->pid == 0;
}

static void
tool_end(struct tool *t)
{
	tool_hang_up(t);
	if (!tool_is_done(t)) {
		(void)kill(t->pid, SIGKILL);
		(void)waitpid(t->pid, &t->status, 0);
	}
	close(t->out);
	buf_fini(&t->said);
	buf_fini(&t->ours);
}

/* --- the two of them ------------------------------------------------------ */

static struct scene s;
static struct tool tool;

static void
turn(void)
{
	tool_turn(&tool);
	scene_run(&s, 1);
	poll(&(struct pollfd){.fd = tool.out, .events = POLLIN}, 1, 1);
}

static void
give_up(const char *what)
{
	printf("never so: %s\nserver: %s\nclient: %s\nthe tool said:\n%.*s\n",
	    what, s.server.words, s.client.words,
	    SLICE_ARG(buf_slice(&tool.said)));
	EXPECT_TRUE(false);
}

/* Turns until it is so; a deadline, never a sleep. */
#define UNTIL(condition)                                                       \
	do {                                                                   \
		uint64_t end_ = clock_mono_us(&clock_system) + DEADLINE_US;    \
		while (!(condition)) {                                         \
			if (clock_mono_us(&clock_system) > end_)               \
				give_up(#condition);                           \
			turn();                                                \
		}                                                              \
	} while (0)

static void
save(const char *name, struct slice bytes)
{
	EXPECT_OK(file_replace(file(name), bytes, 0600, NULL));
}

/* The tool's own identity, and the root that it trusts. */
static void
save_identity(const struct tls_identity *id)
{
	AUTO(secret_fini) struct secret key = {0};
	AUTO(buf_fini) struct buf pem = BUF(1 << 16);

	EXPECT_OK(tls_key_pem(tls_identity_key(id), &key));
	save("key.pem", slice_of(key.bytes, key.len));
	EXPECT_OK(tls_chain_pem(tls_identity_chain(id), &pem));
	save("chain.pem", buf_slice(&pem));
	buf_reset(&pem);
	EXPECT_OK(tls_chain_pem(s.mesh.root, &pem));
	save("root.pem", buf_slice(&pem));
}

static void
begin(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	snprintf(dir, sizeof(dir), "/tmp/meshd-openssl-XXXXXX");
	EXPECT_TRUE(mkdtemp(dir) != NULL);
	scene_init(&s);
}

static void
end(void)
{
	static const char *const files[] = {
	    "key.pem", "chain.pem", "root.pem", "socket", "session"};

	tool_end(&tool);
	scene_fini(&s);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		(void)unlink(file(files[i])); /* not all are always there */
	EXPECT_EQ(rmdir(dir), 0);
}

/* Another connection; the tool may be another one. */
static void
end_connection(void)
{
	tool_end(&tool);
	scene_hang_up(&s);
	(void)unlink(file("socket"));
}

static struct sockaddr_un
socket_address(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", file("socket"));
	return a;
}

static void
ignore_data(struct stream *stream, void *arg, struct slice data)
{
	(void)stream;
	(void)arg;
	(void)data;
}

static void
ignore_close(struct stream *stream, void *arg, enum err why)
{
	(void)stream;
	(void)arg;
	(void)why;
}

static const struct stream_events below_events = {
    .on_data = ignore_data, .on_close = ignore_close};

static struct stream *
stream_on(int fd)
{
	EXPECT_TRUE(fd >= 0);
	EXPECT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return net_stream_new(s.loop, fd, &below_events, NULL);
}

#define CALL_US "openssl", "s_client", "-unix", file("socket")
#define COMMON                                                                 \
	"-tls1_3", "-alpn", "h2", "-CAfile", file("root.pem"), "-attime",      \
	    "1790000000", "-verify_return_error"
#define WITH_IDENTITY                                                          \
	"-cert", file("chain.pem"), "-cert_chain", file("chain.pem"), "-key",  \
	    file("key.pem")

/* s_client calls our server; `args` are its own. */
static void
be_called(const char *const *args)
{
	struct sockaddr_un a = socket_address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	EXPECT_EQ(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	EXPECT_EQ(listen(fd, 1), 0);
	tool_start(&tool, args);
	EXPECT_EQ(poll(&p, 1, DEADLINE_US / 1000), 1);
	if (s.server_spec.config == NULL)
		EXPECT_OK(
		    tls_config_new(&s.server_config, &s.server_spec.config));
	EXPECT_OK(tls_stream_server(
	    stream_on(accept4(fd, NULL, NULL, SOCK_CLOEXEC)), &s.server_spec,
	    &end_events, &s.server, &s.server.stream, NULL));
	close(fd);
}

static void
be_called_by(const struct tls_identity *id)
{
	save_identity(id);
	be_called((const char *const[]){CALL_US, COMMON, WITH_IDENTITY, NULL});
}

#define ACCEPTS "ACCEPT 127.0.0.1:"

/* The port that s_server says it got. */
static uint16_t
port_of_tool(void)
{
	struct slice rest = buf_slice(&tool.said), line;
	uint64_t port = 0;

	while (rest.len > 0) {
		line = slice_split(&rest, '\n');
		if (slice_starts(line, S(ACCEPTS)))
			EXPECT_OK(slice_to_u64(
			    slice_sub(line, strlen(ACCEPTS), line.len), &port));
	}
	EXPECT_TRUE(port > 0 && port <= UINT16_MAX);
	return (uint16_t)port;
}

static int
dial(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT_EQ(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void
call_port(uint16_t port)
{
	EXPECT_OK(tls_stream_client(stream_on(dial(port)), &s.client_spec,
	    &end_events, &s.client, &s.client.stream, NULL));
}

/* Our client calls s_server. */
static void
call(const struct tls_identity *id)
{
	/* It cannot name the caller on a unix socket, and gives up. */
	save_identity(id);
	tool_start(&tool,
	    (const char *const[]){"openssl", "s_server", "-accept",
		"127.0.0.1:0", COMMON, WITH_IDENTITY, "-Verify", "5", NULL});
	UNTIL(tool_has_said(&tool, ACCEPTS) &&
	      slice_ends(buf_slice(&tool.said), S("\n")));
	EXPECT_OK(tls_config_new(&s.client_config, &s.client_spec.config));
	call_port(port_of_tool());
}

static bool
has_got(const struct end *e, const char *words)
{
	return slice_ends(buf_slice(&e->got), slice_str(words));
}

/* --- s_client calls us ---------------------------------------------------- */

TEST(openssl_calls_and_each_knows_the_other)
{
	begin();
	be_called_by(s.client_spec.identity);
	UNTIL(s.server.opened && tool_has_said(&tool, "Verification: OK"));
	EXPECT_SLICE(slice_str(tls_stream_peer(s.server.stream)->uri), URI_WEB);
	EXPECT_SLICE(tls_stream_alpn(s.server.stream), S("h2"));
	UNTIL(tool_has_said(&tool, "ALPN protocol: h2"));
	UNTIL(tool_has_said(
	    &tool, "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384"));
	tool_tell(&tool, S("hello\n"));
	UNTIL(has_got(&s.server, "hello\n"));
	EXPECT_OK(stream_write(s.server.stream, S("well met\n")));
	UNTIL(tool_has_said(&tool, "well met\n"));
	/* It was not asked for: who resumes has tickets. */
	EXPECT_FALSE(tool_has_said(&tool, "New Session Ticket"));
	end();
}

TEST(openssl_changes_its_keys_and_asks_for_ours)
{
	begin();
	be_called_by(s.client_spec.identity);
	UNTIL(s.server.opened && tool_has_said(&tool, "Verification: OK"));
	for (int i = 0; i < 3; i++) {
		char words[32];

		tool_tell(&tool, S("K\n")); /* KeyUpdate, and ours too */
		UNTIL(buf_len(&tool.ours) == 0);
		snprintf(words, sizeof(words), "round %d\n", i);
		UNTIL((turn(), tool_has_said(&tool, "KEYUPDATE")));
		tool_tell(&tool, slice_str(words));
		UNTIL(has_got(&s.server, words));
		EXPECT_OK(stream_write(s.server.stream, slice_str(words)));
		UNTIL(tool_has_said(&tool, words));
		buf_reset(&tool.said);
	}
	EXPECT_OK(tls_stream_update_keys(s.server.stream, /* ask */ true));
	EXPECT_OK(stream_write(s.server.stream, S("our turn\n")));
	UNTIL(tool_has_said(&tool, "our turn\n"));
	tool_tell(&tool, S("yours\n"));
	UNTIL(has_got(&s.server, "yours\n"));
	EXPECT_FALSE(s.server.closed);
	end();
}

/* What came before these words was looked at, a ticket, too. */
static void
greet(void)
{
	EXPECT_OK(stream_write(s.server.stream, S("well met\n")));
	UNTIL(tool_has_said(&tool, "well met\n"));
}

TEST(openssl_comes_back_by_our_ticket)
{
	begin();
	s.server_config.tickets = tls_tickets_new();
	save_identity(s.client_spec.identity);
	be_called((const char *const[]){CALL_US, COMMON, WITH_IDENTITY,
	    "-sess_out", file("session"), NULL});
	UNTIL(s.server.opened);
	EXPECT_FALSE(tls_stream_is_resumed(s.server.stream));
	greet();
	EXPECT_EQ(access(file("session"), R_OK), 0);
	end_connection();
	be_called((const char *const[]){
	    CALL_US, COMMON, WITH_IDENTITY, "-sess_in", file("session"), NULL});
	UNTIL(s.server.opened && tool_has_said(&tool, "Reused, TLSv1.3"));
	EXPECT_TRUE(tls_stream_is_resumed(s.server.stream));
	EXPECT_SLICE(slice_str(tls_stream_peer(s.server.stream)->uri), URI_WEB);
	tool_tell(&tool, S("hello\n"));
	UNTIL(has_got(&s.server, "hello\n"));
	tool_tell(&tool, S("K\n")); /* new keys behind a ticket, too */
	UNTIL(tool_has_said(&tool, "KEYUPDATE"));
	tool_tell(&tool, S("again\n"));
	UNTIL(has_got(&s.server, "again\n"));
	greet();
	end();
	tls_tickets_unref(&s.server_config.tickets);
}

/* It sends no share for a group of ours at first, and is asked for one. */
TEST(openssl_says_hello_twice_with_a_ticket_as_well)
{
	begin();
	s.server_config.tickets = tls_tickets_new();
	save_identity(s.client_spec.identity);
	for (int i = 0; i < 2; i++) {
		be_called((const char *const[]){CALL_US, COMMON, WITH_IDENTITY,
		    "-servername", "db.default", "-groups", "P-384:P-256",
		    i == 0 ? "-sess_out" : "-sess_in", file("session"), NULL});
		UNTIL(s.server.opened);
		greet();
		EXPECT_TRUE(tool_has_said(
		    &tool, i == 0 ? "New, TLSv1.3" : "Reused, TLSv1.3"));
		EXPECT_EQ(tls_stream_is_resumed(s.server.stream), i == 1);
		EXPECT_SLICE(tls_stream_sni(s.server.stream), S("db.default"));
		end_connection();
	}
	end();
	tls_tickets_unref(&s.server_config.tickets);
}

/* The tool takes K, Q, R and others for commands where a read begins. */
static char *
make_much(void)
{
	char *bytes = mem_new(MUCH);

	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = "0123456789abcdefghij"[i * i / 7 % 20];
	return bytes;
}

static void
write_all(struct stream *to, struct slice bytes)
{
	while (bytes.len > 0) {
		enum err e = stream_write(to, slice_sub(bytes, 0, 50000));

		EXPECT_TRUE(e == OK || e == ERR_AGAIN);
		bytes = slice_sub(bytes, 50000, bytes.len);
		if (e == ERR_AGAIN)
			UNTIL(!to->full);
	}
}

TEST(much_goes_both_ways_through_openssl)
{
	AUTO(mem_free) char *bytes = make_much();
	struct slice all = slice_of(bytes, MUCH);

	begin();
	save_identity(s.client_spec.identity);
	be_called((const char *const[]){
	    CALL_US, COMMON, WITH_IDENTITY, "-quiet", "-no_ign_eof", NULL});
	tool_tell(&tool, all);
	UNTIL(buf_len(&s.server.got) == MUCH);
	EXPECT_SLICE(buf_slice(&s.server.got), all);
	buf_reset(&tool.said);
	write_all(s.server.stream, all);
	UNTIL(buf_len(&tool.said) >= MUCH);
	EXPECT_SLICE(buf_slice(&tool.said), all);
	end();
}

TEST(the_end_of_openssl_is_an_end_and_no_failure)
{
	begin();
	be_called_by(s.client_spec.identity);
	UNTIL(s.server.opened && tool_has_said(&tool, "Verification: OK"));
	tool_tell(&tool, S("last words\n"));
	UNTIL(has_got(&s.server, "last words\n"));
	tool_hang_up(&tool);
	UNTIL(s.server.eof);
	EXPECT_FALSE(s.server.closed); /* our half is still ours */
	stream_close(s.server.stream, OK);
	UNTIL(s.server.closed && tool_is_done(&tool));
	EXPECT_ERR(s.server.why, OK);
	EXPECT_EQ(tool.status, 0);
	end();
}

TEST(our_end_is_one_for_openssl)
{
	begin();
	be_called_by(s.client_spec.identity);
	UNTIL(s.server.opened && tool_has_said(&tool, "Verification: OK"));
	EXPECT_OK(stream_write(s.server.stream, S("farewell\n")));
	stream_close(s.server.stream, OK);
	UNTIL(s.server.closed && tool_is_done(&tool));
	tool_turn(&tool);
	EXPECT_TRUE(tool_has_said(&tool, "farewell\n"));
	EXPECT_FALSE(tool_has_said(&tool, "unexpected eof"));
	EXPECT_EQ(tool.status, 0);
	end();
}

/* --- certificates that will not do ---------------------------------------- */

/* What is wrong with a leaf, and the alert that says so (RFC 8446 §6.2). */
struct flaw {
	const char *name;
	void (*spoil)(struct tls_cert_spec *spec);
	bool stranger; /* of another root */
	unsigned alert;
};

static void
spoil_nothing(struct tls_cert_spec *spec)
{
	(void)spec;
}

static void
spoil_end(struct tls_cert_spec *spec)
{
	spec->not_after_ms = NOW_MS - HOUR_MS;
}

static void
spoil_beginning(struct tls_cert_spec *spec)
{
	spec->not_before_ms = NOW_MS + HOUR_MS;
}

static void
spoil_domain(struct tls_cert_spec *spec)
{
	spec->uri = S("spiffe://elsewhere/ns/default/sa/web");
}

static void
spoil_shape(struct tls_cert_spec *spec)
{
	spec->uri = S("spiffe://mesh.internal/web");
}

static void
spoil_uri(struct tls_cert_spec *spec)
{
	spec->uri = SLICE_NONE;
}

static const struct flaw flaws[] = {
    {"another root", spoil_nothing, true, 48},
    {"expired", spoil_end, false, 45},
    {"not valid yet", spoil_beginning, false, 45},
    {"another trust domain", spoil_domain, false, 49},
    {"another shape of identity", spoil_shape, false, 49},
    {"no identity", spoil_uri, false, 49},
};

static struct tls_identity *
make_flawed(const struct flaw *f, struct slice uri)
{
	struct authority other;
	struct tls_cert_spec spec = leaf_spec(uri);
	struct tls_identity *id;

	f->spoil(&spec);
	authority_init(&other, "another root");
	id = leaf_new(f->stranger ? &other : &s.mesh, &spec, false);
	authority_fini(&other);
	return id;
}

static void
expect_alert(const char *name, unsigned alert)
{
	char words[64];

	snprintf(words, sizeof(words), "SSL alert number %u", alert);
	printf("%s: %s\n", name, words);
	UNTIL(tool_has_said(&tool, words));
}

TEST(a_client_whose_certificate_will_not_do_is_told_by_the_right_alert)
{
	for (size_t i = 0; i < ARRAY_LEN(flaws); i++) {
		AUTO(tls_identity_unref) struct tls_identity *id = NULL;

		begin();
		id = make_flawed(&flaws[i], URI_WEB);
		be_called_by(id);
		expect_alert(flaws[i].name, flaws[i].alert);
		UNTIL(s.server.closed);
		EXPECT_FALSE(s.server.opened);
		EXPECT_TRUE(s.server.words[0] != '\0');
		end();
	}
}

TEST(a_client_without_a_certificate_is_asked_for_one)
{
	begin();
	save_identity(s.client_spec.identity);
	be_called((const char *const[]){CALL_US, COMMON, NULL});
	expect_alert("none", 116);
	UNTIL(s.server.closed);
	EXPECT_FALSE(s.server.opened);
	EXPECT_ERR(s.server.why, ERR_AUTH);
	end();
}

TEST(tls_1_2_is_refused_as_a_version)
{
	begin();
	save_identity(s.client_spec.identity);
	be_called((const char *const[]){
	    "openssl", "s_client", "-unix", file("socket"), "-tls1_2", NULL});
	expect_alert("TLS 1.2", 70);
	UNTIL(s.server.closed);
	EXPECT_FALSE(s.server.opened);
	end();
}

/* --- we call s_server ----------------------------------------------------- */

TEST(we_call_openssl_and_keys_change_both_ways)
{
	begin();
	call(s.server_spec.identity);
	UNTIL(s.client.opened);
	EXPECT_SLICE(slice_str(tls_stream_peer(s.client.stream)->uri), URI_DB);
	EXPECT_SLICE(tls_stream_alpn(s.client.stream), S("h2"));
	EXPECT_OK(stream_write(s.client.stream, S("hello\n")));
	UNTIL(tool_has_said(&tool, "hello\n"));
	tool_tell(&tool, S("K\n"));
	UNTIL(buf_len(&tool.ours) == 0);
	/* It looks at its words before it looks at ours. */
	EXPECT_OK(stream_write(s.client.stream, S("tick\n")));
	UNTIL(tool_has_said(&tool, "tick\n"));
	tool_tell(&tool, S("with new keys\n"));
	UNTIL(has_got(&s.client, "with new keys\n"));
	EXPECT_OK(tls_stream_update_keys(s.client.stream, /* ask */ true));
	EXPECT_OK(stream_write(s.client.stream, S("and so do we\n")));
	UNTIL(tool_has_said(&tool, "and so do we\n"));
	/* Tickets that it sent were passed over. */
	stream_close(s.client.stream, OK);
	UNTIL(s.client.closed);
	EXPECT_ERR(s.client.why, OK);
	end();
}

TEST(we_come_back_by_the_ticket_of_openssl)
{
	begin();
	s.client_config.resume = true;
	s.client_spec.server = S("openssl");
	call(s.server_spec.identity);
	for (int i = 0; i < 3; i++) {
		char words[32];

		snprintf(words, sizeof(words), "round %d\n", i);
		if (i > 0)
			call_port(port_of_tool());
		UNTIL(s.client.opened);
		EXPECT_EQ(tls_stream_is_resumed(s.client.stream), i > 0);
		EXPECT_SLICE(
		    slice_str(tls_stream_peer(s.client.stream)->uri), URI_DB);
		EXPECT_OK(stream_write(s.client.stream, slice_str(words)));
		UNTIL(tool_has_said(&tool, words));
		stream_close(s.client.stream, OK);
		UNTIL(s.client.closed);
		scene_hang_up(&s);
	}
	end();
}

TEST(a_server_whose_certificate_will_not_do_is_told_by_the_right_alert)
{
	for (size_t i = 0; i < ARRAY_LEN(flaws); i++) {
		AUTO(tls_identity_unref) struct tls_identity *id = NULL;

		begin();
		id = make_flawed(&flaws[i], URI_DB);
		call(id);
		expect_alert(flaws[i].name, flaws[i].alert);
		UNTIL(s.client.closed);
		EXPECT_FALSE(s.client.opened);
		end();
	}
}

TEST(a_server_that_is_somebody_else_is_refused)
{
	AUTO(tls_identity_unref) struct tls_identity *id = NULL;
	struct tls_cert_spec spec =
	    leaf_spec(S("spiffe://mesh.internal/ns/default/sa/other"));

	begin();
	id = leaf_new(&s.mesh, &spec, false);
	call(id);
	expect_alert("somebody else", 49);
	UNTIL(s.client.closed);
	EXPECT_FALSE(s.client.opened);
	EXPECT_ERR(s.client.why, ERR_AUTH);
	end();
}
