// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * surety: strict commitment for groups, in the kernel.
 *
 * security_vm_enough_memory_mm() is asked before every charge that the kernel
 * makes, and may refuse it: then nothing is counted and the call fails as in
 * vm.overcommit_memory=2.  It sees charges only; the functions that give them
 * back are hooked one by one below.  Which function charges what, and which
 * gives it back, is docs/ACCOUNTING.md.
 *
 *	who asks				what it is put to
 *	mmap brk mprotect mremap, a stack	the address space passed
 *	fork					the child's, since uprobe_dup_mmap()
 *	execve's first				a new address space, entered here
 *	shmem, one page or a whole object	the object: marks say which
 *
 * The host's own test comes after ours, and the call may still fail: then the
 * hook on the end of the call takes the charge back.
 *
 * Handled badly: a task that is preempted inside a hook and followed on the same
 * processor by one that enters the same hook makes the kernel leave that out.
 * Only kernels with full preemption do so; they count it and surety groups shows it.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "abi.h"
#include "kern.h"
#include "ledger.bpf.h"
#include "refusal.bpf.h"
#include "mark.bpf.h"
#include "space.bpf.h"
#include "object.bpf.h"
#include "charge.bpf.h"
#include "release.bpf.h"
#include "shmem.bpf.h"
#include "noreserve.bpf.h"
#include "member.bpf.h"
#include "control.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
