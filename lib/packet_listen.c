// SPDX-License-Identifier: Apache-2.0
/* Where a packet server's listening socket comes from: a path of our own, or systemd's hand. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "sekimori/packet_server.h"
#include "sekimori/parse.h"

#define BACKLOG 128	 /* waiting in the kernel; costs no descriptor of ours */
#define FIRST_GIVEN_FD 3 /* SD_LISTEN_FDS_START */

/* A socket file that nobody listens on is what a killed server left; anything else is not ours to take away.
 */
static int clear_the_way(const struct sockaddr_un *address)
{
	struct stat info;
	if (lstat(address->sun_path, &info) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(info.st_mode))
		return -EEXIST;
	SKM_CLEANUP(skm_fd_close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

int skm_packet_listen(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	int r = clear_the_way(&address);
	if (r < 0)
		return r;
	SKM_CLEANUP(skm_fd_close) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* The mode independent of our umask. Everybody may knock; who may ask is decided at the door. The
	 * mode comes last: whoever may knock is heard. */
	if (listen(fd, BACKLOG) < 0 || chmod(path, 0666) < 0) {
		r = -errno;
		(void)unlink(path);
		return r;
	}
	*ret_fd = skm_fd_take(&fd);
	return 0;
}

static bool has_option(int fd, int option, int wanted)
{
	int value = 0;
	socklen_t len = sizeof(value);
	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && len == sizeof(value) &&
	       value == wanted;
}

int skm_packet_listen_given(int *ret_fd)
{
	const char *pid = secure_getenv("LISTEN_PID");
	const char *count = secure_getenv("LISTEN_FDS");
	uint64_t for_pid = 0;
	uint64_t fds = 0;
	/* Meant for another process: inherited by accident. */
	if (!pid || !count || skm_parse_uint(pid, 1, INT32_MAX, &for_pid) != 0 || (pid_t)for_pid != getpid())
		return SKM_PACKET_NOT_GIVEN;
	if (skm_parse_uint(count, 1, 1, &fds) != 0)
		return -EPROTO;
	if (!has_option(FIRST_GIVEN_FD, SO_DOMAIN, AF_UNIX) ||
		!has_option(FIRST_GIVEN_FD, SO_TYPE, SOCK_SEQPACKET) ||
		!has_option(FIRST_GIVEN_FD, SO_ACCEPTCONN, 1))
		return -EPROTO;
	int flags = fcntl(FIRST_GIVEN_FD, F_GETFL);
	if (flags < 0 || fcntl(FIRST_GIVEN_FD, F_SETFL, flags | O_NONBLOCK) < 0 ||
		fcntl(FIRST_GIVEN_FD, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	*ret_fd = FIRST_GIVEN_FD;
	return 0;
}
