/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render — what was decided, as a message.
 */
#include "decide.h"

/* False: it is longer than names may be, and the record is left out. */
static bool
name_of(const struct decided_row *row, struct dns_name *out)
{
	char text[DECIDED_HOST_MAX + DNS_LABEL_MAX + 1];
	struct slice s = row->host;

	if (row->label.len > 0)
		s = slice_join(
		    SLICES(row->label, S("."), row->host), text, sizeof(text));
	return s.len > 0 && dns_name_parse(s, out) == OK;
}

static void
put_row(struct dns_writer *w, const struct decided_row *row,
    const struct dns_question *q, uint32_t ttl_s, uint32_t serial)
{
	struct dns_name name;

	switch (row->type) {
	case DNS_A:
	case DNS_AAAA:
		if (row->host.len == 0)
			dns_put_addr(
			    w, DNS_ANSWER, &q->name, ttl_s, &row->addr);
		else if (name_of(row, &name))
			dns_put_addr(w,
			    row->additional ? DNS_ADDITIONAL : DNS_ANSWER,
			    &name, ttl_s, &row->addr);
		break;
	case DNS_SRV:
		if (name_of(row, &name))
			dns_put_srv(w, &q->name, ttl_s, row->port, &name);
		break;
	case DNS_HINFO:
		dns_put_hinfo(w, &q->name, ttl_s);
		break;
	case DNS_SOA:
		dns_put_soa(w, DNS_ANSWER, &q->name, ttl_s, serial);
		break;
	default: /* CNAME, PTR */
		if (name_of(row, &name))
			dns_put_name(w, row->type, &q->name, ttl_s, &name);
	}
}

/* Who is told that there is nothing may believe it for a while (RFC 2308). */
static void
put_absence(struct dns_writer *w, const struct decided *d,
    const struct dns_question *q, uint32_t ttl_s, uint32_t serial)
{
	struct dns_name zone;

	if (d->zone.len == 0 || dns_name_parse(d->zone, &zone) != OK)
		zone = q->name;
	dns_put_soa(w, DNS_AUTHORITY, &zone, ttl_s, serial);
}

struct slice
decided_render(const struct decided *d, struct slice asked,
    const struct dns_question *q, const struct view *v, uint32_t ttl_s,
    char *out, size_t limit)
{
	uint32_t serial = v != NULL ? (uint32_t)view_generation(v) : 0;
	unsigned rcode = d->what == DECIDED_NO_NAME   ? DNS_NXDOMAIN
			 : d->what == DECIDED_REFUSED ? DNS_REFUSED
						      : DNS_NOERROR;
	struct dns_writer w;

	dns_answer_begin(&w, out, limit, asked, q,
	    rcode == DNS_REFUSED ? DNS_RA : DNS_RA | DNS_AA);
	for (size_t i = 0; i < d->count; i++)
		put_row(&w, &d->rows[i], q, ttl_s, serial);
	if (d->count == 0 && rcode != DNS_REFUSED)
		put_absence(&w, d, q, ttl_s, serial);
	return dns_answer_end(&w, rcode);
}
