/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format — texts with operators in them, and what these stand for.
 *
 * The one interpreter of Envoy's operators: values of headers that each request
 * makes anew, and lines of the access log. What is not known, or not yet, has
 * no value; what stands in its place is the caller's business.
 */
#ifndef MESHD_FORMAT_H
#define MESHD_FORMAT_H

#include "flow.h"
#include "operators.h"

/* Text, then an operator: "by %REQ(x?y):9%" is {"by ", OPERATOR_REQ, "x", "y",
 * 9}. */
struct view_format_part {
	struct slice text;      /* "%%" is one sign in it */
	enum operator_id id;    /* OPERATOR_NONE for the last part */
	struct slice argument;  /* as written, names of headers in lower case */
	struct slice otherwise; /* the header if there is no other; or empty */
	size_t limit;           /* of the value, in bytes; 0: none */
};

struct view_format {
	const struct view_format_part *parts;
	size_t count;
	struct slice written; /* all of it */
	bool is_inert; /* an operator is in it that the proxy does not make */
};

/* Copies to the arena but for `written`, which is borrowed. ERR_NO_MEMORY. */
MUST_USE enum err format_parse(struct slice written, enum operator_place place,
    struct arena *a, struct view_format *out);

/*
 * Whether a line of the log can be made of it. ERR_INVALID says which operator
 * is none, with the nearest. *out_inert: one of them has no value here.
 */
MUST_USE enum err format_check(
    struct slice written, bool *out_inert, struct fault *why);

/* Of %COMMON_DURATION%: "DS_RX_BEG:US_RX_BEG:us". */
bool format_is_span(struct slice argument);

/* A plain text in which "%%" stands for the sign. */
MUST_USE enum err format_unescape(
    struct slice written, struct arena *a, struct slice *out);

enum { FORMAT_VALUE_MAX = 1024 };

struct format_value {
	struct slice text; /* empty: there is none */
	bool is_number;
	char room[FORMAT_VALUE_MAX]; /* where the text may lie */
};

/* Borrows from the record, or lies in `out`. */
void format_value(const struct view_format_part *p, const struct flow_record *f,
    struct format_value *out);

#endif
