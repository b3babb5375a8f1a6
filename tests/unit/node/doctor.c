/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor — what each check makes of a machine, which is a folder with /proc
 * and /etc in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checks.h"
#include "unit.h"

#define TCP_HEAD                                                               \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "  \
	"retrnsmt   uid  timeout inode\n"

enum { DAY_MS = 86400000 };

/* 2026-11-26 */
static const int64_t now_ms = INT64_C(1795651200000);

struct found {
	enum doctor_level level;
	char text[FAULT_TEXT_MAX];
	char mend[FAULT_TEXT_MAX];
};

static struct {
	char root[64];
	struct clock_fake time;
	struct clock clock;
	struct doctor doctor;
	struct found found[16];
	size_t count;
} scene;

static const struct doctor_port ports[] = {
    {"hbone", {.family = ADDR_V4, .port = 15008}, false, true},
    {"gossip", {.family = ADDR_V4, .port = 15946}, true, true},
    {"health", {.family = ADDR_V4, .port = 15021}, false, false},
};

static void
on_finding(void *arg, const struct doctor_finding *f)
{
	struct found *to = &scene.found[scene.count++];

	EXPECT_TRUE(arg == &scene);
	CHECK(scene.count <= ARRAY_LEN(scene.found));
	to->level = f->level;
	EXPECT_EQ(f->level == DOCTOR_OK, f->mend.len == 0);
	EXPECT_OK(slice_to_cstr(f->text, to->text, sizeof(to->text)));
	EXPECT_OK(slice_to_cstr(f->mend, to->mend, sizeof(to->mend)));
}

static void
begin(void)
{
	memset(&scene, 0, sizeof(scene));
	scene.time.wall_ms = now_ms;
	scene.clock = clock_fake_as_clock(&scene.time);
	(void)snprintf(
	    scene.root, sizeof(scene.root), "/tmp/meshd-doctor-XXXXXX");
	EXPECT_TRUE(mkdtemp(scene.root) != NULL);
	scene.doctor = (struct doctor){.magic = DOCTOR_MAGIC,
	    .check = "it",
	    .spec = {.root = scene.root,
		.state_dir = scene.root,
		.ports = ports,
		.port_count = ARRAY_LEN(ports),
		.clock = &scene.clock,
		.each = on_finding,
		.arg = &scene}};
	(void)snprintf(scene.doctor.state.dir, sizeof(scene.doctor.state.dir),
	    "%s", scene.root);
}

static void
end(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -r %s", scene.root);
	EXPECT_EQ(system(command), 0);
}

static const char *
at(const char *path)
{
	static char whole[512];

	(void)snprintf(whole, sizeof(whole), "%s%s", scene.root, path);
	return whole;
}

/* A file of the machine, and the folders that it lies in. */
static void
put(const char *path, const char *text)
{
	char folder[512];

	(void)snprintf(folder, sizeof(folder), "%s", at(path));
	*strrchr(folder, '/') = '\0';
	EXPECT_OK(file_make_folder(folder, 0700, NULL, NULL));
	EXPECT_OK(file_replace(at(path), slice_str(text), 0600, NULL));
}

/* Runs the check from the beginning of the list of what was found. */
static void
run(bool (*check)(struct doctor *d))
{
	scene.count = 0;
	EXPECT_TRUE(check(&scene.doctor));
	EXPECT_TRUE(scene.count > 0);
}

/* Which of them it is, by level and by a part of its text; NULL: none. */
static const struct found *
find(enum doctor_level level, const char *words)
{
	for (size_t i = 0; i < scene.count; i++)
		if (scene.found[i].level == level &&
		    strstr(scene.found[i].text, words) != NULL)
			return &scene.found[i];
	return NULL;
}

static void
expect(enum doctor_level level, const char *words, const char *mend)
{
	const struct found *f = find(level, words);

	EXPECT_TRUE(f != NULL);
	if (f != NULL)
		EXPECT_STR(f->mend, mend);
}

static void
expect_well(void)
{
	EXPECT_EQ(scene.count, 1);
	EXPECT_EQ(scene.found[0].level, DOCTOR_OK);
}

/* --- the clock ------------------------------------------------------------ */

TEST(a_clock_before_there_was_a_meshd_is_a_problem)
{
	begin();
	run(check_clock);
	expect_well();
	scene.time.wall_ms = 1000;
	run(check_clock);
	expect(DOCTOR_PROBLEM, "1970-01-01", "timedatectl set-ntp true");
	end();
}

static void
judge_at(int64_t off_ms)
{
	scene.count = 0;
	judge_time(&scene.doctor, "10.0.0.1:15012", now_ms - off_ms);
	EXPECT_EQ(scene.count, 1);
}

TEST(a_clock_is_judged_as_the_server_judges_who_joins)
{
	begin();
	judge_at(CA_SKEW_WARN_MS);
	expect_well();
	judge_at(-CA_SKEW_WARN_MS);
	expect_well();
	judge_at(CA_SKEW_WARN_MS + 1);
	expect(DOCTOR_WARNING, "5 min ahead of", "timedatectl set-ntp true");
	judge_at(-CA_BACKDATE_MS);
	expect(DOCTOR_WARNING, "2 h behind", "timedatectl set-ntp true");
	judge_at(-INT64_C(365) * DAY_MS);
	expect(DOCTOR_PROBLEM, "365 d behind", "timedatectl set-ntp true");
	end();
}

/* --- ports ---------------------------------------------------------------- */

/* 0.0.0.0:15008 listens; 127.0.0.1:15021 is a connection; rubbish is none. */
static const char tcp[] = TCP_HEAD
    "   0: 00000000:3AA0 00000000:0000 0A 00000000:00000000 00:00000000 "
    "00000000   997        0 123 1 0\n"
    "   1: 0100007F:3AAD 0100007F:9999 01 00000000:00000000 00:00000000 "
    "00000000     0        0 124 1 0\n"
    "rubbish\n   2: 00:1\n";

static void
put_process(const char *name, const char *cgroup)
{
	put("/proc/42/comm", name);
	put("/proc/42/cgroup", cgroup);
	put("/proc/42/fd/x", "");
	(void)unlink(at("/proc/42/fd/7"));
	EXPECT_EQ(symlink("socket:[123]", at("/proc/42/fd/7")), 0);
}

TEST(a_port_that_another_program_has_is_told_with_its_unit)
{
	begin();
	put("/proc/net/tcp", tcp);
	put_process("nginx\n", "0::/system.slice/nginx.service\n");
	run(check_ports);
	EXPECT_EQ(scene.count, 1);
	expect(DOCTOR_PROBLEM,
	    "TCP port 0.0.0.0:15008 (hbone) is held by nginx (process 42)",
	    "systemctl stop nginx.service");
	put_process("nginx\n", "0::/user.slice/session-1.scope\n");
	run(check_ports);
	expect(DOCTOR_PROBLEM, "process 42", "kill 42");
	end();
}

TEST(a_port_that_meshd_has_is_well_unless_another_starts)
{
	begin();
	put("/proc/net/tcp", tcp);
	put_process("meshd\n", "0::/\n");
	run(check_ports);
	expect_well();
	scene.doctor.spec.is_starting = true;
	run(check_ports);
	expect(DOCTOR_WARNING, "held by meshd (process 42)", "kill 42");
	end();
}

TEST(a_process_that_may_not_be_looked_at_is_told_by_its_user)
{
	begin();
	put("/proc/net/tcp", tcp);
	run(check_ports);
	expect(DOCTOR_WARNING, "by a process of user 997",
	    "sudo ss -lptun 'sport = :15008'");
	scene.doctor.spec.is_running = true; /* it is the agent that answers */
	run(check_ports);
	expect_well();
	end();
}

TEST(a_socket_of_ipv6_or_udp_is_found_too)
{
	begin();
	put("/proc/net/udp6", TCP_HEAD
	    "  10: 00000000000000000000000000000000:3E4A "
	    "00000000000000000000000000000000:0000 07 00000000:00000000 "
	    "00:00000000 00000000     0        0 9 2 0 0\n");
	run(check_ports);
	EXPECT_EQ(scene.count, 1);
	expect(DOCTOR_WARNING, "UDP port [::]:15946 (gossip)",
	    "sudo ss -lptun 'sport = :15946'");
	end();
}

/* --- limits --------------------------------------------------------------- */

#define RANGE "/proc/sys/net/ipv4/ip_local_port_range"
#define RESERVED "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define TRACKED "/proc/sys/net/netfilter/nf_conntrack_"

TEST(bounds_of_the_kernel_that_are_low_are_told)
{
	begin();
	run(check_limits); /* nothing of all this is there */
	put("/proc/sys/net/core/somaxconn", "128\n");
	put(RANGE, "60000\t60999\n");
	put(TRACKED "count", "81\n");
	put(TRACKED "max", "100\n");
	run(check_limits);
	expect(DOCTOR_WARNING, "128 connections may wait",
	    "sysctl -w net.core.somaxconn=4096");
	expect(DOCTOR_WARNING, "1000 ports (60000 to 60999)",
	    "sysctl -w net.ipv4.ip_local_port_range='32768 60999'");
	expect(DOCTOR_WARNING, "81 connections of 100",
	    "sysctl -w net.netfilter.nf_conntrack_max=200");
	put(TRACKED "count", "100\n");
	run(check_limits);
	EXPECT_TRUE(find(DOCTOR_PROBLEM, "100 connections of 100") != NULL);
	end();
}

TEST(a_port_of_ours_that_a_client_may_get_has_to_be_reserved)
{
	begin();
	put(RANGE, "1024\t65535\n");
	run(check_limits);
	EXPECT_TRUE(
	    find(DOCTOR_WARNING, "may take port 15008 (hbone)") != NULL);
	put(RESERVED, "15008,15000-15005\n");
	run(check_limits);
	EXPECT_TRUE(find(DOCTOR_WARNING, "port 15946 (gossip)") != NULL);
	put(RESERVED, "8080,15000-15100,15946\n");
	run(check_limits);
	EXPECT_TRUE(find(DOCTOR_WARNING, "may take") == NULL);
	end();
}

/* --- names ---------------------------------------------------------------- */

TEST(resolv_conf_has_to_name_somebody)
{
	begin();
	run(check_resolver);
	EXPECT_TRUE(find(DOCTOR_WARNING, "not found") != NULL);
	put("/etc/resolv.conf", "# nameserver 10.0.0.1\nsearch example.com\n");
	run(check_resolver);
	EXPECT_TRUE(find(DOCTOR_WARNING, "names no name server") != NULL);
	put("/etc/resolv.conf", "search a\nnameserver\t10.0.0.1\n");
	run(check_resolver);
	expect_well();
	EXPECT_EQ(unlink(at("/etc/resolv.conf")), 0);
	EXPECT_EQ(symlink("../run/gone", at("/etc/resolv.conf")), 0);
	run(check_resolver);
	expect(DOCTOR_WARNING, "a link that leads nowhere",
	    "systemctl restart systemd-resolved");
	end();
}

/* --- rules ---------------------------------------------------------------- */

static void
judge_rules(
    void (*judge)(struct doctor *d, struct slice text), const char *text)
{
	scene.count = 0;
	judge(&scene.doctor, slice_str(text));
	EXPECT_TRUE(scene.count > 0);
}

TEST(a_closed_chain_of_nft_has_to_let_peers_in)
{
	begin();
	judge_rules(judge_nft,
	    "table inet filter { # handle 1\n"
	    "\tchain input { # handle 1\n"
	    "\t\ttype filter hook input priority filter; policy drop;\n"
	    "\t\tct state established,related accept # handle 4\n"
	    "\t\tiif \"lo\" accept # handle 5\n"
	    "\t\ttcp dport { 22, 15000-15010 } accept # handle 6\n"
	    "\t}\n"
	    "\tchain output { # handle 2\n"
	    "\t\ttype filter hook output priority filter; policy drop;\n"
	    "\t}\n}\n");
	EXPECT_EQ(scene.count, 1);
	expect(DOCTOR_WARNING, "none names udp port 15946 (gossip)",
	    "nft insert rule inet filter input udp dport 15946 accept");
	judge_rules(judge_nft,
	    "table inet filter {\n\tchain input {\n"
	    "\t\ttype filter hook input priority filter; policy drop;\n"
	    "\t\tip saddr 10.0.0.0/8 accept # handle 6\n\t}\n}\n");
	expect_well();
	end();
}

TEST(a_rule_that_drops_or_sends_elsewhere_is_taken_away_by_its_handle)
{
	begin();
	judge_rules(judge_nft,
	    "table ip x {\n\tchain in {\n"
	    "\t\ttype filter hook input priority 0; policy accept;\n"
	    "\t\ttcp dport 15008 counter packets 0 bytes 0 drop # handle 3\n"
	    "\t\ttcp dport 80 drop # handle 4\n\t}\n"
	    "\tchain out {\n"
	    "\t\ttype nat hook output priority -100; policy accept;\n"
	    "\t\tmeta l4proto tcp redirect to :15001 # handle 7\n"
	    "\t\tip daddr 10.96.0.1 dnat to 10.0.0.1 # handle 8\n\t}\n"
	    "\tchain svc {\n\t\tdnat to 10.0.0.9 # handle 9\n\t}\n}\n"
	    "table inet meshd {\n\tchain out {\n"
	    "\t\ttype nat hook output priority -100; policy accept;\n"
	    "\t\tmeta l4proto tcp redirect to :15001\n\t}\n}\n");
	EXPECT_EQ(scene.count, 2);
	expect(DOCTOR_WARNING, "keeps out what comes to port 15008",
	    "nft delete rule ip x in handle 3");
	expect(DOCTOR_WARNING, "sends elsewhere what goes to port 15008",
	    "nft delete rule ip x out handle 7");
	end();
}

TEST(what_a_sidecar_left_behind_in_legacy_iptables_is_found)
{
	begin();
	judge_rules(judge_iptables,
	    "*nat\n:OUTPUT ACCEPT [0:0]\n:ISTIO_REDIRECT - [0:0]\n"
	    "-A OUTPUT -p tcp -j ISTIO_OUTPUT\n"
	    "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001\n"
	    "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT "
	    "--to-destination 172.17.0.2:80\nCOMMIT\n"
	    "*filter\n:INPUT DROP [0:0]\n"
	    "-A INPUT -i lo -j ACCEPT\n"
	    "-A INPUT -m state --state ESTABLISHED -j ACCEPT\n"
	    "-A INPUT -p tcp -m multiport --dports 22,15008 -j ACCEPT\n"
	    "COMMIT\n");
	EXPECT_EQ(scene.count, 2);
	expect(DOCTOR_WARNING, "a rule of nat sends elsewhere",
	    "iptables -t nat -D ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports "
	    "15001");
	expect(DOCTOR_WARNING, "none names udp port 15946",
	    "iptables -I INPUT -p udp --dport 15946 -j ACCEPT");
	judge_rules(judge_iptables, "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n");
	expect_well();
	end();
}

/* --- the folder and what lies in it --------------------------------------- */

TEST(a_folder_that_others_may_look_into_is_told)
{
	begin();
	put("/node.key", "secret");
	run(check_state);
	EXPECT_TRUE(find(DOCTOR_WARNING, "others") == NULL);
	EXPECT_EQ(chmod(scene.root, 0750), 0);
	EXPECT_EQ(chmod(at("/node.key"), 0640), 0);
	run(check_state);
	EXPECT_TRUE(find(DOCTOR_WARNING, "(mode 0750)") != NULL);
	EXPECT_TRUE(find(DOCTOR_PROBLEM, "node.key (mode 0640)") != NULL);
	end();
}

TEST(a_folder_that_is_none_or_is_not_there_is_told_apart)
{
	begin();
	put("/file", "");
	(void)snprintf(scene.doctor.state.dir, sizeof(scene.doctor.state.dir),
	    "%s/none", scene.root);
	run(check_state);
	expect_well();
	(void)snprintf(scene.doctor.state.dir, sizeof(scene.doctor.state.dir),
	    "%s/file", scene.root);
	run(check_state);
	EXPECT_TRUE(find(DOCTOR_PROBLEM, "is no folder") != NULL);
	end();
}

/* One of a mesh of its own, which lives from a day ago to in six. */
static void
put_certificate(const struct tls_key *key)
{
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	AUTO(buf_fini) struct buf pem = BUF(TLS_CHAIN_BYTES_MAX);
	struct tls_issuer self = {NULL, key};
	struct tls_cert_spec spec = {.common_name = S("node"),
	    .uri = S("spiffe://mesh/ns/meshd-nodes/sa/node"),
	    .not_before_ms = now_ms - DAY_MS,
	    .not_after_ms = now_ms + 6 * (int64_t)DAY_MS};

	EXPECT_OK(
	    tls_cert_issue(&spec, tls_key_spki(key), &self, &chain, NULL));
	EXPECT_OK(tls_chain_pem(chain, &pem));
	EXPECT_OK(file_replace(at("/node.pem"), buf_slice(&pem), 0600, NULL));
}

TEST(a_certificate_is_judged_by_its_life_and_its_key)
{
	AUTO(tls_key_unref) struct tls_key *key = NULL, *other = NULL;

	begin();
	EXPECT_OK(tls_init());
	key = tls_key_new();
	other = tls_key_new();
	run(check_certificate);
	expect(DOCTOR_WARNING, "has not joined a mesh", "meshd join TOKEN");
	scene.doctor.spec.is_starting = true;
	run(check_certificate);
	expect_well();
	put_certificate(key);
	EXPECT_OK(tls_key_save(key, at("/node.key"), NULL));
	run(check_certificate);
	expect_well();
	scene.time.wall_ms = now_ms - 2 * (int64_t)DAY_MS;
	run(check_certificate);
	expect(DOCTOR_PROBLEM, "begins in 1 d", "timedatectl set-ntp true");
	scene.time.wall_ms = now_ms + 4 * (int64_t)DAY_MS;
	run(check_certificate);
	EXPECT_TRUE(find(DOCTOR_WARNING, "ends in 2 d") != NULL);
	scene.time.wall_ms = now_ms + 9 * (int64_t)DAY_MS;
	run(check_certificate);
	EXPECT_TRUE(find(DOCTOR_PROBLEM, "ended 3 d ago") != NULL);
	scene.time.wall_ms = now_ms;
	EXPECT_OK(tls_key_save(other, at("/node.key"), NULL));
	run(check_certificate);
	EXPECT_TRUE(find(DOCTOR_PROBLEM, "for another key") != NULL);
	EXPECT_OK(file_replace(at("/node.pem"), S("rubbish"), 0600, NULL));
	run(check_certificate);
	EXPECT_TRUE(find(DOCTOR_PROBLEM, "node.pem cannot be used") != NULL);
	end();
}

/* --- all of it ------------------------------------------------------------ */

TEST(a_glance_asks_nobody_and_tells_no_terminal_what_to_do)
{
	begin();
	put("/proc/net/tcp", tcp);
	put_process("bad\033[2J\n", "0::/\n");
	doctor_glance(&scene.doctor.spec);
	EXPECT_TRUE(find(DOCTOR_PROBLEM, "held by bad?[2J") != NULL);
	EXPECT_TRUE(find(DOCTOR_OK, "this machine's clock says") != NULL);
	end();
}
