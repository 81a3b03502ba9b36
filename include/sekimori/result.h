// SPDX-License-Identifier: Apache-2.0
/* Result codes, ownership helpers.
 *
 * Functions that can fail return int:
 *   0          success
 *   negative   -errno: unexpected; hand it up unchanged, never match it against another function's meaning
 *   positive   a documented outcome of that very function (SKM_<MODULE>_<OUTCOME>); its direct caller handles
 * it Outputs are named ret_… , come last, are set on success and left untouched on failure. Libraries do not
 * log; whoever handles an error logs it once: "cannot <do what> <to which object>: <why>". */
#ifndef SEKIMORI_RESULT_H
#define SEKIMORI_RESULT_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define SKM_NODISCARD __attribute__((warn_unused_result))
#define SKM_PRINTF(index, first) __attribute__((format(printf, index, first)))
#define SKM_CLEANUP(destructor) __attribute__((cleanup(destructor)))
#define SKM_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define SKM_CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* An fd that is not open is -1, never 0. */
static inline void skm_fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* Moves the ownership of an fd out of a variable with SKM_CLEANUP(skm_fd_close). */
static inline int skm_fd_take(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

/* For SKM_CLEANUP on a char *, void * or any other pointer that malloc gave. */
static inline void skm_free(void *pointer)
{
	void **owned = pointer;
	free(*owned);
	*owned = NULL;
}

#endif
