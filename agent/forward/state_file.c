// SPDX-License-Identifier: Apache-2.0
/* The state on disk: written beside, synced, renamed. The folder is not synced after it: a rename that a
 * power cut takes back leaves the state before it, whole, and costs a few records sent twice; a second sync
 * would be paid for each round of answers. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "position.h"
#include "sekimori/io.h"

static const char name[] = "state";
static const char draft[] = "state.new";

int skm_forward_state_load(int folder_fd, struct skm_forward_state *ret_state)
{
	char text[SKM_FORWARD_STATE_BYTES_MAX];
	size_t len = 0;
	int r = skm_file_read_at(folder_fd, name, text, sizeof(text), &len);
	if (r == -ENOENT)
		return SKM_FORWARD_STATE_NEW;
	if (r == 0)
		r = skm_forward_state_parse(text, len, ret_state);
	return r == -EBADMSG || r == -EFBIG ? SKM_FORWARD_STATE_DAMAGED : r;
}

int skm_forward_state_save(int folder_fd, const struct skm_forward_state *state)
{
	char text[SKM_FORWARD_STATE_BYTES_MAX];
	size_t len = skm_forward_state_format(state, text);
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(folder_fd, draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* The daemons, root without the right to override modes, must see what the collector has before they
	 * delete it; whatever the umask says. A few numbers and a MAC. */
	if (fchmod(fd, 0644) < 0)
		return -errno;
	int r = skm_fd_write_all(fd, text, len);
	if (r < 0)
		return r;
	if (fdatasync(fd) < 0 || renameat(folder_fd, draft, folder_fd, name) < 0)
		return -errno;
	return 0;
}
