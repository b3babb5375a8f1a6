/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model — what a mesh is: its resources, and one proxy's view of them.
 *
 * Pure: plain data in, plain data out, no I/O. Its parts are headers of their
 * own so that each reads as a page; nobody outside includes them one by one.
 */
#ifndef MESHD_MODEL_H
#define MESHD_MODEL_H

#include "access.h"
#include "analysis.h"
#include "authn.h"
#include "cel/cel.h"
#include "diff.h"
#include "effects.h"
#include "explain.h"
#include "explain_access.h"
#include "field.h"
#include "fields.h"
#include "flow.h"
#include "hosts.h"
#include "kinds.h"
#include "overview.h"
#include "resource.h"
#include "settings.h"
#include "view.h"

#endif
