// SPDX-License-Identifier: Apache-2.0
#include "sekimori/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sekimori/parse.h"

int skm_notify(const char *state)
{
	const char *path = secure_getenv("NOTIFY_SOCKET");
	if (!path || (path[0] != '/' && path[0] != '@'))
		return 0;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	if (len >= sizeof(address.sun_path))
		return -E2BIG;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	SKM_CLEANUP(skm_fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	/* Not waiting: a stuck manager must not stop the gate. */
	ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&address, address_len);
	return n < 0 ? -errno : 0;
}

uint64_t skm_notify_watchdog_usec(void)
{
	const char *usec = secure_getenv("WATCHDOG_USEC");
	const char *pid = secure_getenv("WATCHDOG_PID");
	uint64_t value = 0;
	if (!usec || skm_parse_uint(usec, 1, UINT64_MAX / 2, &value) != 0)
		return 0;
	uint64_t watched = 0;
	if (pid && (skm_parse_uint(pid, 1, INT32_MAX, &watched) != 0 || (pid_t)watched != getpid()))
		return 0;
	return value;
}
