/* SPDX-License-Identifier: MIT
 *
 * place: a directory that the sockets of running groups are in.
 *
 * A user has one, which nobody else may enter.  Root may enter all, and finds
 * them by their supervisors: those of services and containers are in mount
 * namespaces of their own, and are entered by /proc/PID/root.
 */
#ifndef SURETY_CLI_PLACE_H
#define SURETY_CLI_PLACE_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

struct place {
	char dir[96];
	uid_t uid; /* whose it is */
};

/* The one of this user, made if CREATE.  0 or -errno; -EPERM: another's. */
int place_own(struct place *ret, bool create);

/* Calls FN with each place that is not this user's own and has a supervisor
 * running now: with none unless we are root. */
typedef void place_fn(void *ctx, const struct place *place);
void place_others(place_fn *fn, void *ctx);

/* Whether NAME may be a group's: letters, digits and . _ -, one of the first two first. */
enum { PLACE_NAME_MAX = 63 }; /* a report keeps 64 bytes for it */
bool place_is_name(const char *name);

/* Calls FN with the name of each file in PLACE. */
typedef void place_name_fn(void *ctx, const struct place *place, const char *name);
void place_names(const struct place *place, place_name_fn *fn, void *ctx);

/* The address of socket NAME.  0 or -ENAMETOOLONG. */
int place_address(const struct place *place, const char *name, struct sockaddr_un *ret);

/* Connects to it.  A descriptor or -errno; -ECONNREFUSED: nobody listens,
 * -EAGAIN: who listens does not accept for WAIT_MS. */
int place_connect(const struct sockaddr_un *addr, int wait_ms);

#endif
