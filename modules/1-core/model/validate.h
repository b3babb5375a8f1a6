/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate — where a check stands, how it reports, and checks that many share.
 */
#ifndef MESHD_VALIDATE_H
#define MESHD_VALIDATE_H

#include "field.h"
#include "resource.h"

/* One place of the document that is being decoded or checked. */
struct check {
	const char *file;
	struct findings *found;
	struct arena *arena;
	const struct value *node; /* what stands there; NULL if nothing does */
	uint32_t line;            /* of the nearest thing that stands */
	uint32_t column;
	uint32_t inert; /* what was said of what is around it, so not again */
	resource_json_cb parse_json;
	char path[FAULT_FIELD_MAX]; /* "spec.http[0]"; cut if it is longer */
};

/* Reports at the place. */
void check_error(struct check *c, enum err code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void check_warning(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The same of something that an analyzer of upstream's finds: "IST0130". */
void check_warning_id(struct check *c, const char *id, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/*
 * Says that nothing acts on what stands here yet, by the flags FIELD_INERT and
 * FIELD_GUARD of a field, a word or a kind; nothing if neither is set.
 */
void check_in_force(struct check *c, uint32_t flags);

/* The same in other words, where the value decides. */
void check_inert(struct check *c, uint32_t flags, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* message_decode() from a place on: the file, the arena, what was said. */
const void *message_decode_at(const struct check *c, const struct message *m,
    const struct value *v, const char *path);

/* A place inside: "weight", "hosts[2]"; it need not be in the document. */
struct check check_member(const struct check *c, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/* The member of a map of strings: path["key"]. */
struct check check_entry(const struct check *c, struct slice key);

/* True if the document has this member, and not as null. */
bool check_given(const struct check *c, const char *member);

/* Checks of one value, for the tables. */
void check_duration(struct check *c, const void *us);     /* ≥ 1 ms, whole */
void check_dns_label(struct check *c, const void *slice); /* RFC 1123 */
void check_subset_name(struct check *c, const void *slice); /* any case */
void check_host(struct check *c, const void *slice);        /* no wildcard */
void check_wildcard_host(struct check *c, const void *slice);
void check_label(struct check *c, const void *label);        /* key and value */
void check_wanted_label(struct check *c, const void *label); /* to look for */
void check_regex(struct check *c, const void *slice); /* RE2; 1-1024 bytes */

/* Says of "*x.y" that it is not looked for; "*" and "*.y" are. */
void check_pattern_in_force(struct check *c, struct slice host);

/*
 * True if every name that `a` stands for is one of `b`'s. A star at the
 * beginning stands for any text, as upstream compares hosts.
 */
bool host_is_inside(struct slice a, struct slice b);

bool is_alnum(char c);
/* RFC 1123, capitals too: at most 63 letters, digits and dashes inside. */
bool is_dns_label(struct slice s);

/* RFC 9110 §5.6.2. */
bool is_token(struct slice s);

#endif
