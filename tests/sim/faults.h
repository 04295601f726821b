/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong, drawn from the seed. */
#ifndef ROUNDTRIP_SIM_FAULTS_H
#define ROUNDTRIP_SIM_FAULTS_H

#include "world.h"

/** The profile of a schedule. */
struct profile profile_draw(uint64_t seed);
/** Faults from now until faults_heal(). */
void faults_begin(void);
/** Everything works again; who is frozen wakes, who is cut off is connected. */
void faults_heal(void);

#endif
