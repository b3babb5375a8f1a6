/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err — the table of codes, and faults put into words.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "check.h"
#include "err.h"
#include "slice.h"

enum { FAULTS_FIRST = 8 };

struct err_row {
	const char *name;
	const char *text;
	bool fatal;
};

static const struct err_row err_rows[ERR_COUNT] = {
#define X(name, text, fatal) [name] = {#name, text, fatal},
    ERR_TABLE(X)
#undef X
};

static const struct {
	int errnum;
	enum err code;
} errno_rows[] = {
    {0, OK},
    {EAGAIN, ERR_AGAIN},
    {EINPROGRESS, ERR_AGAIN},
    {EINTR, ERR_AGAIN},
    {EINVAL, ERR_INVALID},
    {ENAMETOOLONG, ERR_LIMIT},
    {EMFILE, ERR_LIMIT},
    {ENFILE, ERR_LIMIT},
    {EMSGSIZE, ERR_LIMIT},
    {EFBIG, ERR_LIMIT},
    {ENOENT, ERR_NOT_FOUND},
    {ENOTDIR, ERR_NOT_FOUND},
    {EEXIST, ERR_EXISTS},
    {EACCES, ERR_PERMISSION},
    {EPERM, ERR_PERMISSION},
    {EROFS, ERR_PERMISSION},
    {ENOSPC, ERR_NO_SPACE},
    {EDQUOT, ERR_NO_SPACE},
    {ENOMEM, ERR_NO_MEMORY},
    {ENOBUFS, ERR_NO_MEMORY},
    {EBUSY, ERR_BUSY},
    {EADDRINUSE, ERR_BUSY},
    {ETIMEDOUT, ERR_TIMEOUT},
    {ECONNREFUSED, ERR_REFUSED},
    {ECONNRESET, ERR_RESET},
    {ECONNABORTED, ERR_RESET},
    {EPIPE, ERR_RESET},
    {ENETUNREACH, ERR_UNREACHABLE},
    {EHOSTUNREACH, ERR_UNREACHABLE},
    {ENETDOWN, ERR_UNREACHABLE},
    {EHOSTDOWN, ERR_UNREACHABLE},
    {EADDRNOTAVAIL, ERR_UNREACHABLE},
    {EAFNOSUPPORT, ERR_UNSUPPORTED},
    {EOPNOTSUPP, ERR_UNSUPPORTED},
    {ENOSYS, ERR_UNSUPPORTED},
    {ECANCELED, ERR_CANCELLED},
    {ENOTCONN, ERR_CLOSED},
    {EPROTO, ERR_PROTOCOL},
};

/* Cuts text that did not fit so that the reader sees it was cut. */
static void
mark_cut(char *text, size_t cap, int wanted)
{
	if (wanted >= 0 && (size_t)wanted >= cap && cap > 4)
		memcpy(text + cap - 4, "...", 4);
}

static void PRINTF_LIKE(3, 0)
    write_text(char *out, size_t cap, const char *fmt, va_list args)
{
	mark_cut(out, cap, vsnprintf(out, cap, fmt, args));
	slice_mend_utf8(out, strlen(out));
}

const char *
err_name(enum err e)
{
	CHECK((unsigned)e < ERR_COUNT);
	return err_rows[e].name;
}

const char *
err_text(enum err e)
{
	CHECK((unsigned)e < ERR_COUNT);
	return err_rows[e].text;
}

bool
err_is_fatal(enum err e)
{
	CHECK((unsigned)e < ERR_COUNT);
	return err_rows[e].fatal;
}

enum err
err_from_errno(int errnum)
{
	for (size_t i = 0; i < ARRAY_LEN(errno_rows); i++)
		if (errno_rows[i].errnum == errnum)
			return errno_rows[i].code;
	return ERR_IO;
}

void
fault_write(struct fault *why, enum err code, const char *fmt, ...)
{
	va_list args;

	if (why == NULL)
		return;
	why->code = code;
	why->line = why->column = 0;
	why->file[0] = why->field[0] = '\0';
	why->id = NULL;
	va_start(args, fmt);
	write_text(why->text, sizeof(why->text), fmt, args);
	va_end(args);
}

void
fault_write_before(struct fault *why, enum err code, const char *fmt, ...)
{
	char old[FAULT_TEXT_MAX];
	va_list args;
	size_t len;

	if (why == NULL)
		return;
	why->code = code;
	memcpy(old, why->text, sizeof(old));
	va_start(args, fmt);
	write_text(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	len = strlen(why->text);
	mark_cut(why->text, sizeof(why->text),
	    (int)len +
		snprintf(why->text + len, sizeof(why->text) - len, "%s", old));
	slice_mend_utf8(why->text, strlen(why->text));
}

void
fault_at(struct fault *why, const char *file, uint32_t line, uint32_t col)
{
	if (why == NULL)
		return;
	why->line = line;
	why->column = col;
	mark_cut(why->file, sizeof(why->file),
	    snprintf(why->file, sizeof(why->file), "%s", file ? file : ""));
	slice_mend_utf8(why->file, strlen(why->file));
}

void
fault_in(struct fault *why, const char *field)
{
	mark_cut(why->field, sizeof(why->field),
	    snprintf(why->field, sizeof(why->field), "%s", field));
	slice_mend_utf8(why->field, strlen(why->field));
}

void
fault_format(const struct fault *why, char *out, size_t out_len)
{
	char place[32] = "";
	bool has_file = why->file[0] != '\0';
	bool has_field = why->field[0] != '\0';

	if (why->line != 0 && why->column != 0)
		(void)snprintf(place, sizeof(place), "%u:%u: ", why->line,
		    why->column); /* two 32-bit numbers fit */
	else if (why->line != 0)
		(void)snprintf(place, sizeof(place), "%u: ", why->line);
	else if (has_file)
		(void)snprintf(place, sizeof(place), " ");
	mark_cut(out, out_len,
	    snprintf(out, out_len, "%s%s%s%s%s%s%s%s%s", why->file,
		has_file ? ":" : "", place, why->field, has_field ? ": " : "",
		why->text, why->id != NULL ? " [" : "",
		why->id != NULL ? why->id : "", why->id != NULL ? "]" : ""));
}

void
faults_fini(struct faults *f)
{
	mem_free(&f->items);
	f->count = f->dropped = 0;
}

static bool
is_same_place(const struct fault *a, const struct fault *b)
{
	return a->line == b->line && a->column == b->column &&
	       strcmp(a->file, b->file) == 0;
}

static bool
is_there(const struct faults *f, const struct fault *why)
{
	for (size_t i = 0; i < f->count; i++)
		if (is_same_place(&f->items[i], why) &&
		    strcmp(f->items[i].field, why->field) == 0 &&
		    strcmp(f->items[i].text, why->text) == 0)
			return true;
	return false;
}

void
faults_add(struct faults *f, const struct fault *why)
{
	if (is_there(f, why))
		return;
	if (f->count == FAULTS_MAX) {
		f->dropped++;
		return;
	}
	/* Grown whenever the count reaches a power of two from FIRST on. */
	if (f->count == 0)
		f->items = mem_new_array(FAULTS_FIRST, sizeof(*f->items));
	else if (f->count >= FAULTS_FIRST && (f->count & (f->count - 1)) == 0)
		f->items = mem_resize(
		    f->items, f->count, f->count * 2, sizeof(*f->items));
	f->items[f->count++] = *why;
}

static bool
is_before(const struct fault *a, const struct fault *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* Where the i-th belongs among those before, which are sorted. */
static size_t
place_of(const struct faults *f, size_t i)
{
	const struct fault *x = &f->items[i];
	size_t to = i;

	for (size_t k = 0; k < i; k++)
		if (strcmp(f->items[k].file, x->file) == 0)
			to = k + 1;
	while (to > 0 && strcmp(f->items[to - 1].file, x->file) == 0 &&
	       is_before(x, &f->items[to - 1]))
		to--;
	return to;
}

void
faults_sort(struct faults *f)
{
	for (size_t i = 1; i < f->count; i++) {
		struct fault x = f->items[i];
		size_t to = place_of(f, i);

		memmove(&f->items[to + 1], &f->items[to], (i - to) * sizeof(x));
		f->items[to] = x;
	}
}
