/* SPDX-License-Identifier: Apache-2.0 */
/*
 * documents — what is said of each document by itself, and of one that is
 * given twice.
 */
#include "inside.h"

static void
tell_fault(struct analysis *a, const struct item *it, const char *id,
    const struct fault *f)
{
	struct place p = place_at(it, NULL, "%s", f->field);

	p.line = f->line;
	p.always = true;
	tell(a, id, &p, "%s", f->text);
}

/* Advice under a code of its own, unless an analyzer gives it, too. */
static const char *
id_of_warning(const struct fault *f)
{
	if (f->id == NULL)
		return "IST0133";
	return strcmp(f->id, "IST0134") == 0 ? NULL : f->id;
}

void
analyze_schema(struct analysis *a)
{
	for (size_t i = 0; i < a->items.count; i++) {
		const struct item *it = &a->items.items[i];
		const struct findings *f = it->found;

		for (size_t j = 0; f != NULL && j < f->errors.count; j++)
			tell_fault(a, it, "IST0106", &f->errors.items[j]);
		/* That another kind is skipped is no advice. */
		for (size_t j = 0;
		     f != NULL && it->r != NULL && j < f->warnings.count; j++) {
			const char *id = id_of_warning(&f->warnings.items[j]);

			if (id != NULL)
				tell_fault(a, it, id, &f->warnings.items[j]);
		}
	}
}

void
analyze_duplicates(struct analysis *a)
{
	for (size_t i = 0; i < a->twice.count; i++) {
		struct place p =
		    place_at(&a->twice.items[i], NULL, "metadata.name");

		p.always = true;
		tell(a, "MSH0108", &p,
		    "a later document is the same resource; this one does not "
		    "count");
	}
}
