/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions — where sshd listens, and whose connections to it stand.
 */
#include "capture.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

TEST(ports_of_sshd_are_read_from_its_file)
{
	struct capture_ports p[CAPTURE_LIST_MAX];

	EXPECT_EQ(capture_sshd_ports(S(""), p, 0), 1);
	EXPECT_EQ(p[0].first, 22);
	EXPECT_EQ(capture_sshd_ports(S("# Port 1\nport  2222\r\n"
				       "Port=2223\nPort 2222\n"
				       "ListenAddress 10.0.0.1:2224\n"
				       "ListenAddress [::1]:2225\n"
				       "ListenAddress 10.0.0.1\n"
				       "Port nonsense\nPort"),
		      p, 0),
	    4);
	EXPECT_EQ(p[0].first, 2222);
	EXPECT_EQ(p[1].first, 2223);
	EXPECT_EQ(p[2].first, 2224);
	EXPECT_EQ(p[3].first, 2225);
}

TEST(ports_of_a_socket_that_starts_sshd_are_read)
{
	struct capture_ports p[CAPTURE_LIST_MAX];

	EXPECT_EQ(capture_sshd_ports(S("[Socket]\nListenStream=\n"
				       "ListenStream=2222\n"
				       "ListenStream = 0.0.0.0:2223\n"
				       "ListenStream=[::]:2224\n"
				       "ListenStream=/run/ssh.sock\n"),
		      p, 0),
	    3);
	EXPECT_EQ(p[0].first, 2222);
	EXPECT_EQ(p[1].first, 2223);
	EXPECT_EQ(p[2].first, 2224);
}

static void
put(const char *root, const char *folder, const char *file, const char *text)
{
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s%s", root, folder);
	EXPECT_OK(file_make_folder(path, 0755, NULL, NULL));
	(void)snprintf(path, sizeof(path), "%s%s/%s", root, folder, file);
	EXPECT_OK(file_replace(path, slice_str(text), 0644, NULL));
}

static bool
are(const struct capture_ports *p, uint32_t count, const uint16_t *want)
{
	for (uint32_t i = 0; i < count; i++) {
		bool found = false;

		for (uint32_t k = 0; k < count; k++)
			found |= p[k].first == want[i] && p[k].last == want[i];
		if (!found)
			return false;
	}
	return true;
}

TEST(all_files_that_say_where_sshd_listens_are_read)
{
	static const uint16_t want[] = {2201, 2202, 2203, 2204};
	struct capture_ports p[CAPTURE_LIST_MAX];
	char root[] = "/tmp/meshd-sshd-XXXXXX", command[64];

	EXPECT_TRUE(mkdtemp(root) != NULL);
	EXPECT_EQ(capture_sshd_find(root, p, 0), 1); /* there is none of them */
	EXPECT_EQ(p[0].first, 22);
	put(root, "/etc/ssh", "sshd_config", "Port 2201\n");
	put(root, "/etc/ssh/sshd_config.d", "a.conf", "Port 2202\n");
	put(root, "/etc/ssh/sshd_config.d", "a.bak", "Port 1\n");
	put(root, "/etc/systemd/system", "ssh.socket", "ListenStream=2203\n");
	put(root, "/etc/systemd/system/ssh.socket.d", "a.conf",
	    "ListenStream=[::]:2204\n");
	EXPECT_EQ(capture_sshd_find(root, p, 0), 4);
	EXPECT_TRUE(are(p, 4, want));
	(void)snprintf(command, sizeof(command), "rm -r %s", root);
	EXPECT_EQ(system(command), 0);
}

TEST(more_ports_than_there_is_room_for_are_left_out)
{
	AUTO(buf_fini) struct buf text = BUF(4096);
	struct capture_ports p[CAPTURE_LIST_MAX];

	for (int i = 1; i <= CAPTURE_LIST_MAX + 5; i++)
		EXPECT_OK(buf_printf(&text, "Port %d\n", i));
	EXPECT_EQ(capture_sshd_ports(buf_slice(&text), p, 0), CAPTURE_LIST_MAX);
}

#define HEAD                                                                   \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n"

TEST(only_connections_that_stand_at_such_a_port_are_sessions)
{
	static const struct capture_ports ssh = {22, 22};
	struct slice v4 = S(HEAD
	    "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:0000\n"
	    "   1: 0200000A:0016 0300000A:C350 01 00000000:00000000 00:0000\n"
	    "   2: 0200000A:0016 0300000A:C351 06 00000000:00000000 00:0000\n"
	    "   3: 0200000A:0050 0300000A:C352 01 00000000:00000000 00:0000\n");
	struct slice v6 =
	    S(HEAD "   0: 000080FE000000000000000002000000:0016 "
		   "000080FE000000000000000003000000:C353 01 00000000\n");
	char text[ADDR_TEXT_MAX];
	struct addr out[4];

	EXPECT_EQ(capture_sessions(v4, &ssh, 1, out, 0, 4), 1);
	EXPECT_STR(addr_format(&out[0], text), "10.0.0.3:50000");
	EXPECT_EQ(capture_sessions(v6, &ssh, 1, out, 1, 4), 2);
	EXPECT_EQ(out[1].family, ADDR_V6);
	EXPECT_EQ(out[1].port, 50003);
	EXPECT_EQ(capture_sessions(v4, &ssh, 1, out, 4, 4), 4); /* full */
}

TEST(a_table_that_is_none_has_no_sessions)
{
	static const struct capture_ports ssh = {1, 65535};
	struct addr out[4];

	EXPECT_EQ(
	    capture_sessions(S("\n\n: : :\n1: 2:3 4:5 01"), &ssh, 1, out, 0, 4),
	    0);
	EXPECT_EQ(capture_sessions(
		      S("1: 0000000:16 00000000:0016 01"), &ssh, 1, out, 0, 4),
	    0);
	EXPECT_EQ(capture_sessions(S("1: 0000000G:0016 00000000:0016 01"), &ssh,
		      1, out, 0, 4),
	    0);
}
