/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor — the table of checks, and the driver that goes through it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "checks.h"

struct check {
	const char *name;
	bool is_fast;
	bool of_server; /* servers have it, too */
	bool (*run)(struct doctor *d);
};

/* In the order of telling: what others rest on comes first. */
static const struct check checks[] = {
    {"clock", true, true, check_clock},
    {"state", true, true, check_state},
    {"certificate", true, true, check_certificate},
    {"token", true, true, check_token},
    {"ports", true, true, check_ports},
    {"limits", true, true, check_limits},
    {"resolver", false, false, check_resolver},
    {"firewall", false, true, check_firewall},
    {"servers", false, false, check_servers},
    {"gossip", false, false, check_gossip},
};

const char *
doctor_level_name(enum doctor_level level)
{
	static const char *const names[] = {
	    [DOCTOR_OK] = "ok",
	    [DOCTOR_WARNING] = "warning",
	    [DOCTOR_PROBLEM] = "problem",
	};

	return names[level];
}

/* --- telling -------------------------------------------------------------- */

void
doctor_mend(struct doctor *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(d->mend, sizeof(d->mend), fmt, ap); /* may be cut */
	va_end(ap);
}

/* Some of it others wrote, and it goes to a terminal. */
static struct slice
clean(char *text)
{
	size_t len = strlen(text);

	slice_mend_utf8(text, len);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	return slice_of(text, len);
}

void
doctor_say(struct doctor *d, enum doctor_level level, const char *fmt, ...)
{
	char text[FAULT_TEXT_MAX];
	struct doctor_finding f = {.check = d->check, .level = level};
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap); /* may be cut */
	va_end(ap);
	CHECK(n >= 0 && (level == DOCTOR_OK || d->mend[0] != '\0'));
	f.text = clean(text);
	if (level != DOCTOR_OK)
		f.mend = clean(d->mend);
	d->spec.each(d->spec.arg, &f);
	d->mend[0] = '\0';
}

char *
doctor_span(int64_t ms, char out[DOCTOR_SPAN_MAX])
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}};
	int64_t size = ms < 0 ? -ms : ms;

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (size >= units[i].ms) {
			(void)snprintf(out, DOCTOR_SPAN_MAX, "%lld %s",
			    (long long)(size / units[i].ms), units[i].unit);
			return out;
		}
	(void)snprintf(
	    out, DOCTOR_SPAN_MAX, "%lld s", (long long)(size / 1000));
	return out;
}

/* --- reading -------------------------------------------------------------- */

enum err
doctor_read(const struct doctor *d, const char *path, struct buf *out)
{
	char whole[STATE_PATH_MAX];
	int n = snprintf(whole, sizeof(whole), "%s%s", d->spec.root, path);
	char bytes[4096];
	enum err e = OK;
	FILE *f;
	size_t got;

	if (n < 0 || n >= (int)sizeof(whole))
		return ERR_LIMIT;
	f = fopen(whole, "re");
	if (f == NULL)
		return err_from_errno(errno);
	/* Not file_read(): files of /proc say that they are empty. */
	while (e == OK && (got = fread(bytes, 1, sizeof(bytes), f)) > 0)
		e = buf_add(out, bytes, got);
	(void)fclose(f);                /* only read */
	return e == ERR_LIMIT ? OK : e; /* its beginning will do */
}

enum err
doctor_read_number(const struct doctor *d, const char *path, uint64_t *out)
{
	AUTO(buf_fini) struct buf text = BUF(DOCTOR_FILE_MAX);
	enum err e = doctor_read(d, path, &text);
	struct slice rest = buf_slice(&text);

	return e != OK ? e : slice_to_u64(doctor_word(&rest), out);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

struct slice
doctor_word(struct slice *line)
{
	size_t from = 0, to;
	struct slice word;

	while (from < line->len && is_space(line->ptr[from]))
		from++;
	for (to = from; to < line->len && !is_space(line->ptr[to]);)
		to++;
	word = slice_sub(*line, from, to - from);
	*line = slice_sub(*line, to, line->len - to);
	return word;
}

int64_t
doctor_now_ms(const struct doctor *d)
{
	return clock_wall_ms(d->spec.clock);
}

/* --- the driver ----------------------------------------------------------- */

/* What may be read of the folder; what is wrong with it, others say. */
static void
read_member(struct doctor *d)
{
	AUTO(buf_fini) struct buf text = BUF_SECRET(STATE_FILE_MAX);

	if (d->spec.is_server ||
	    state_read(&d->state, STATE_MEMBERSHIP, &text, NULL) != OK)
		return;
	d->is_member = wire_membership_decode(
			   buf_slice(&text), &d->member, NULL, NULL) == OK;
}

static void
doctor_init(struct doctor *d, const struct doctor_spec *spec)
{
	*d = (struct doctor){.magic = DOCTOR_MAGIC, .spec = *spec};
	(void)snprintf(
	    d->state.dir, sizeof(d->state.dir), "%s", spec->state_dir);
	read_member(d);
}

static void
doctor_fini(struct doctor *d)
{
	loop_later_cancel(&d->later);
	errand_cancel(&d->errand);
	echo_close(&d->echo);
	membership_fini(&d->member);
	ca_token_fini(&d->token);
	d->magic = 0;
}

void
doctor_glance(const struct doctor_spec *spec)
{
	struct doctor d;

	doctor_init(&d, spec);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		d.check = checks[i].name;
		if (checks[i].is_fast &&
		    (checks[i].of_server || !spec->is_server))
			CHECK(checks[i].run(&d));
	}
	doctor_fini(&d);
}

/* Each check of the role, until one says that it takes longer. */
void
doctor_go_on(struct doctor *d)
{
	CHECK(d->magic == DOCTOR_MAGIC);
	while (d->next < ARRAY_LEN(checks)) {
		const struct check *c = &checks[d->next++];

		d->check = c->name;
		if ((c->of_server || !d->spec.is_server) && !c->run(d))
			return;
	}
	d->done(d->spec.arg);
}

static void
on_later(void *arg)
{
	doctor_go_on(arg);
}

struct doctor *
doctor_open(const struct doctor_spec *spec, struct loop *loop,
    struct net_factory *factory, void (*done)(void *arg))
{
	struct doctor *d = mem_new(sizeof(*d));

	doctor_init(d, spec);
	d->loop = loop;
	d->factory = factory;
	d->done = done;
	loop_later_init(&d->later, on_later, d);
	loop_later(loop, &d->later);
	return d;
}

void
doctor_close(struct doctor **dp)
{
	if (*dp == NULL)
		return;
	doctor_fini(*dp);
	mem_free(dp);
}
