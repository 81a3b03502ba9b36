// SPDX-License-Identifier: Apache-2.0
/* By lstat before each request. inotify was rejected: it would watch folders that may be replaced as well,
 * and saves nothing beside the request itself. */
#include "file_identity.h"

#include <string.h>

static struct skm_file_identity identify(const char *path)
{
	struct stat info;
	struct skm_file_identity identity;
	memset(&identity, 0, sizeof(identity)); /* compared as bytes */
	if (lstat(path, &info) < 0)
		return identity;
	identity.device = info.st_dev;
	identity.inode = info.st_ino;
	identity.size = info.st_size;
	identity.modified = info.st_mtim;
	identity.changed = info.st_ctim;
	return identity;
}

bool skm_file_has_changed(const char *path, struct skm_file_identity *known)
{
	struct skm_file_identity now = identify(path);
	if (memcmp(&now, known, sizeof(now)) == 0)
		return false;
	*known = now;
	return true;
}
