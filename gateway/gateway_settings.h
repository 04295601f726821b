/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's settings as the options of its parts; those that no setting gives (seeds, counters) are left empty. Pure. */
#ifndef ROUNDTRIP_GATEWAY_SETTINGS_H
#define ROUNDTRIP_GATEWAY_SETTINGS_H

#include "admission.h"
#include "config.h"
#include "degrade.h"

struct degrade_options gateway_degrade_options(const struct config *config);
struct admission_options gateway_admission_options(const struct config *config);

#endif
