/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offer — which programs there are, and that what is sent was digested.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "offer.h"
#include "unit.h"

/* Of the other architecture than this machine's, and the folder's path. */
struct scene {
	char state[64], dist[80], path[128];
	size_t other, own;
	struct offer offer;
};

static void
begin(struct scene *s)
{
	*s = (struct scene){0};
	s->own = strcmp(offer_arch(0), OFFER_OWN) == 0 ? 0 : 1;
	s->other = 1 - s->own;
	(void)snprintf(s->state, sizeof(s->state), "/tmp/meshd-offer-XXXXXX");
	EXPECT_TRUE(mkdtemp(s->state) != NULL);
	(void)snprintf(s->dist, sizeof(s->dist), "%s/dist", s->state);
	EXPECT_EQ(mkdir(s->dist, 0700), 0);
	(void)snprintf(s->path, sizeof(s->path), "%s/meshd-linux-%s", s->dist,
	    offer_arch(s->other));
	EXPECT_OK(offer_init(&s->offer, s->state, NULL));
}

static void
end(struct scene *s)
{
	(void)unlink(s->path);
	EXPECT_EQ(rmdir(s->dist), 0);
	EXPECT_EQ(rmdir(s->state), 0);
}

TEST(the_program_that_runs_is_offered_and_others_when_they_are_there)
{
	struct scene s;
	AUTO(buf_fini) struct buf list = BUF(OFFER_DIGESTS_MAX);
	int fd;

	begin(&s);
	EXPECT_FALSE(offer_is_current(&s.offer));
	offer_look(&s.offer);
	EXPECT_TRUE(offer_is_current(&s.offer));
	EXPECT_EQ(offer_open(&s.offer, s.other), -1);
	fd = offer_open(&s.offer, s.own);
	EXPECT_TRUE(fd >= 0);
	EXPECT_EQ(close(fd), 0);
	EXPECT_OK(file_replace(s.path, S("abc"), 0644, NULL));
	EXPECT_FALSE(offer_is_current(&s.offer));
	offer_look(&s.offer);
	EXPECT_OK(offer_digests(&s.offer, &list));
	EXPECT_TRUE(memmem(buf_slice(&list).ptr, buf_slice(&list).len,
			"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff"
			"61f20015ad  meshd-linux-",
			64 + 14) != NULL);
	end(&s);
}

TEST(a_file_that_is_no_longer_what_was_digested_is_not_sent)
{
	struct scene s;

	begin(&s);
	EXPECT_OK(file_replace(s.path, S("abc"), 0644, NULL));
	offer_look(&s.offer);
	EXPECT_OK(file_replace(s.path, S("abd"), 0644, NULL));
	EXPECT_EQ(offer_open(&s.offer, s.other), -1);
	EXPECT_FALSE(offer_is_current(&s.offer));
	end(&s);
}

TEST(an_empty_file_or_a_folder_is_no_program)
{
	struct scene s;

	begin(&s);
	EXPECT_OK(file_replace(s.path, S(""), 0644, NULL));
	offer_look(&s.offer);
	EXPECT_FALSE(s.offer.programs[s.other].is_there);
	EXPECT_EQ(unlink(s.path), 0);
	EXPECT_EQ(mkdir(s.path, 0700), 0);
	offer_look(&s.offer);
	EXPECT_FALSE(s.offer.programs[s.other].is_there);
	EXPECT_EQ(rmdir(s.path), 0);
	end(&s);
}

TEST(a_path_that_is_too_long_is_refused)
{
	struct offer o = {0};
	char path[OFFER_PATH_MAX + 1];
	struct fault why = {0};

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	EXPECT_EQ(offer_init(&o, path, &why), ERR_LIMIT);
	EXPECT_TRUE(strstr(why.text, "has more than") != NULL);
}
