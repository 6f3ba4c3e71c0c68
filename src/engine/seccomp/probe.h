/* SPDX-License-Identifier: MIT
 *
 * probe: whether the seccomp engine works here, tried and not inferred.
 */
#ifndef SURETY_ENGINE_SECCOMP_PROBE_H
#define SURETY_ENGINE_SECCOMP_PROBE_H

#include "engine/engine.h"

/* engine_ops.probe */
void seccomp_probe(struct probe_report *ret);

#endif
