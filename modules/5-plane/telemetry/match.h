/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match — which flows somebody wants to see.
 *
 *	service, and all of: KEY=VALUE  KEY!=VALUE  duration>TIME
 *
 * KEY is one of a table, or header:NAME. VALUE may begin or end with "*";
 * of a status "x" is any digit. What is not there is empty.
 */
#ifndef MESHD_MATCH_H
#define MESHD_MATCH_H

#include "telemetry.h"

bool match_holds(const struct telemetry_query *m, const struct flow_record *r);

#endif
