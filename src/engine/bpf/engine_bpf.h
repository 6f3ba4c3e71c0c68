/* SPDX-License-Identifier: MIT
 *
 * engine_bpf: the parts of the bpf engine's contract.
 */
#ifndef SURETY_ENGINE_BPF_ENGINE_BPF_H
#define SURETY_ENGINE_BPF_ENGINE_BPF_H

#include "engine/engine.h"
#include "engine/groups.h"

void bpf_probe(struct probe_report *ret);

/* Lets others attach and detach; g stays open. */
void groups_unlock(struct groups *g);

#endif
