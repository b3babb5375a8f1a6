/* SPDX-License-Identifier: Apache-2.0 */
/*
 * served — what one client has of each type, name by name.
 *
 * An entry follows its name's topic in the source, from when the client asks
 * for it or is sent it until the client has let go of it.
 */
#ifndef MESHD_XDS_SERVED_H
#define MESHD_XDS_SERVED_H

#include "source.h"

enum { NONCE_LEN = 24 };

struct sub;

/* One name of one type with this client. */
struct entry {
	struct list follow; /* in its topic */
	struct list due;    /* linked: to be looked at by the next flush */
	struct list flight; /* linked: in the response that is unanswered */
	struct sub *sub;
	struct topic *topic;
	uint64_t due_stamp;  /* of the oldest change that is due; 0: none */
	uint64_t sent_stamp; /* the same, of what is unanswered */
	struct slice reason; /* own memory */
	char *version;       /* NULL: the client has none */
	size_t version_len;
	enum xds_state state;
	bool named;   /* subscribed by its name */
	bool force;   /* answer even if nothing changed */
	bool patched; /* it was sent what is different */
};

/* One type with this client. */
struct sub {
	struct xds_server_stream *stream;
	size_t type;
	struct list everyone; /* in the source, if it hears of every name */
	bool active;          /* was asked for */
	bool wildcard;
	bool must_answer; /* the first question, even with nothing */
	bool waiting;
	uint64_t drains;  /* responses behind which nothing was due */
	uint64_t drained; /* of these, how many are answered */
	char nonce[NONCE_LEN];
	struct map entries; /* name → struct entry */
	size_t named;       /* of them */
	struct list due;
	struct list flight;
};

struct xds_server_stream {
	struct list link; /* in the source, while anything is to be done */
	struct xds_source *source;
	const struct xds_server_ops *ops;
	void *arg;
	bool held;          /* nothing is sent */
	uint64_t responses; /* so far: the nonce */
	struct sub subs[];  /* one for each type of the source */
};

static inline struct slice
entry_name(const struct entry *e)
{
	return topic_name(e->topic);
}

static inline struct slice
entry_version(const struct entry *e)
{
	return slice_of(e->version, e->version_len);
}

/* A new one if there is none. */
struct entry *entry_get(struct sub *sub, struct slice name);

/* Out of its sub's map; drop is for one that is out already. */
void entry_remove(struct entry *e);
void entry_drop(void *entry);

void entry_set_reason(struct entry *e, struct slice reason);

/* Too long for us is none: the client then gets the resource again. */
void entry_set_version(struct entry *e, struct slice version);

/* To be looked at by the next flush; keeps its place if it waits already. */
void entry_set_due(struct entry *e, bool force);

/* The next flush of the source looks at the stream. */
void served_touch(struct xds_server_stream *s);

/* Is this resource for this client? `e` may be NULL. */
bool sub_wants(
    const struct sub *sub, const struct entry *e, const struct xds_resource *r);

/* Marks the name as due if the client must hear of it. */
void sub_judge(struct sub *sub, struct slice name);

/* The same for each that the client has, and for all that there is unless the
 * owner tells of it. */
void sub_judge_all(struct sub *sub);

/* answer.c: sends what is due, if no answer is outstanding. */
void sub_flush(struct sub *sub);

#endif
