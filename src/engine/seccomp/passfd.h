/* SPDX-License-Identifier: MIT
 *
 * passfd: the listener descriptor, from the process that loaded the filter to
 * its supervisor.
 */
#ifndef SURETY_ENGINE_SECCOMP_PASSFD_H
#define SURETY_ENGINE_SECCOMP_PASSFD_H

#include <stdbool.h>

/* FD is a descriptor, or -errno to tell that there is none.  Returns 0 or -errno. */
int passfd_send(int sock, int fd, bool wait_killable);

/* Returns the descriptor, the -errno that was sent, or -ECONNRESET. */
int passfd_receive(int sock, bool *ret_wait_killable);

#endif
