/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health — are the services of this machine well?
 *
 * What is asked, how and how often a HealthCheckPolicy says; who asks and what
 * comes of the answers is here. All on one loop's thread.
 */
#ifndef MESHD_HEALTH_H
#define MESHD_HEALTH_H

#include "base/base.h"
#include "loop/loop.h"
#include "model/model.h"

enum {
	HEALTH_REASON_MAX = 384, /* words, with the zero */
	HEALTH_OUTPUT_MAX = 200, /* of what a command says */
	HEALTH_BODY_MAX = 64 << 10,
	HEALTH_CHECK_MAX = 4096, /* bytes of `--check` */
	HEALTH_WORDS_MAX = 64,   /* of a command */
	/* Until it was well once, it is asked at least so often. */
	HEALTH_EAGER_US = 1000000
};

/* --- a check in one line -------------------------------------------------- */

/*
 * "http[:PORT][/PATH]", "https…", "tcp[:PORT]", "grpc[:PORT][/SERVICE]" or
 * "exec:COMMAND ARGUMENTS…" (words between blanks, no shell) as a map of
 * HealthCheckPolicy:
 * {"http": {"port": …, "path": …}}. What the words mean is not looked at, that
 * is the kind's. In the arena; texts are borrowed. ERR_INVALID in words.
 */
MUST_USE enum err health_check_parse(struct slice text, struct arena *arena,
    struct value **out, struct fault *why);

/* The other way round, as far as a line can say it. Cut, zero-ended. */
struct slice health_check_text(
    const struct health_check_policy *p, char out[HEALTH_REASON_MAX]);

/* --- a command ------------------------------------------------------------ */

/*
 * A command without a shell: in a process group of its own, in "/", with
 * nothing open but its output, and no environment but PATH. What is left of
 * its group when it ends, or at the timeout, is killed; it is reaped in any
 * case, also after a cancel.
 */
struct health_exec; /* opaque */

struct health_exec_spec {
	struct loop *loop;
	const struct slice *words; /* at most HEALTH_WORDS_MAX */
	size_t word_count;
	uint64_t timeout_us;
	/*
	 * Once unless cancelled, never from inside; it is gone then. Good is
	 * the exit status 0; the first line of its output, cut, is borrowed.
	 */
	void (*done)(
	    void *arg, bool is_good, const char *reason, struct slice said);
	void *arg;
};

struct health_exec *health_exec_open(const struct health_exec_spec *spec);
/* done() will not come; *xp becomes NULL. */
void health_exec_cancel(struct health_exec **xp);

/* --- services and their checks -------------------------------------------- */

enum health_state {
	HEALTH_UNKNOWN, /* not asked yet: nobody may call it */
	HEALTH_HEALTHY,
	HEALTH_UNHEALTHY
};

const char *health_state_name(enum health_state s); /* "unknown" … */

struct health_set; /* opaque */

/* A service that is to be asked. All borrowed, but a reference is taken. */
struct health_wish {
	struct slice ns;
	struct slice name;
	uint16_t port; /* callers': with both names the key */
	struct addr target;
	const struct resource *policy; /* a HealthCheckPolicy */
	/* It is called already, without a check: well until the first answer.
	 */
	bool serves;
};

struct health_report {
	enum health_state state;
	int64_t since_ms;    /* Unix time of the last change */
	struct slice reason; /* "GET /healthz: 503"; borrowed for the turn */
};

/* on_change(arg): a state or its reason is another; never from inside. */
struct health_set *health_set_new(
    struct loop *loop, void (*on_change)(void *arg), void *arg);
void health_set_free(struct health_set **sp);

/*
 * These and no others from now on. Whoever has the same check and target as
 * before stays as it is; with another it keeps its state until the first
 * answer, so that a new policy alone takes nobody out.
 */
void health_set_replace(
    struct health_set *s, const struct health_wish *wishes, size_t count);

/* False: it is not asked. */
bool health_set_find(const struct health_set *s, struct slice ns,
    struct slice name, uint16_t port, struct health_report *out);

#endif
