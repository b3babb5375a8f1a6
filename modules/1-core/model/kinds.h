/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds — the decoded specs of the kinds that the mesh acts on.
 *
 * Plain structs, filled by the tables in kinds/; the semantics of the fields
 * are Istio's (networking.istio.io/v1). Durations are µs.
 */
#ifndef MESHD_KINDS_H
#define MESHD_KINDS_H

#include "field.h"
#include "kinds/destination_rule.h"
#include "kinds/extension.h"
#include "kinds/gateway.h"
#include "kinds/health_check_policy.h"
#include "kinds/mesh_config.h"
#include "kinds/network.h"
#include "kinds/protocols.h"
#include "kinds/proxy_config.h"
#include "kinds/rate_limit_policy.h"
#include "kinds/security.h"
#include "kinds/selector.h"
#include "kinds/service.h"
#include "kinds/service_entry.h"
#include "kinds/sidecar.h"
#include "kinds/telemetry.h"
#include "kinds/tls_secret.h"
#include "kinds/virtual_service.h"
#include "kinds/workload.h"

#endif
