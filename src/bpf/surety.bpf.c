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

#include "bpf/abi.h"
#include "bpf/kern.h"
#include "bpf/ledger.bpf.h"
#include "bpf/refusal.bpf.h"
#include "bpf/mark.bpf.h"
#include "bpf/space.bpf.h"
#include "bpf/object.bpf.h"
#include "bpf/charge.bpf.h"
#include "bpf/release.bpf.h"
#include "bpf/shmem.bpf.h"
#include "bpf/noreserve.bpf.h"
#include "bpf/member.bpf.h"
#include "bpf/control.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
