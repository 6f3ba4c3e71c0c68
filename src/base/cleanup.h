/* SPDX-License-Identifier: MIT
 *
 * cleanup: values that release themselves at the end of their scope.
 * An automatic close keeps errno and leaves -1 behind.
 */
#ifndef SURETY_BASE_CLEANUP_H
#define SURETY_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void close_fd(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		(void)close(*fd); /* nothing can be done about a failed close here */
		errno = saved;
		*fd = -1;
	}
}

static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void close_file(FILE **f)
{
	if (*f)
		(void)fclose(*f); /* readers only: nothing is lost */
}

static inline void close_dir(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

#define autoclose __attribute__((cleanup(close_fd)))
#define autofree __attribute__((cleanup(free_ptr)))
#define autofclose __attribute__((cleanup(close_file)))
#define autoclosedir __attribute__((cleanup(close_dir)))

#endif
