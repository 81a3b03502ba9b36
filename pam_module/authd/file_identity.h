// SPDX-License-Identifier: Apache-2.0
/* Was a file written, replaced, made or removed since it was looked at last? */
#ifndef SKM_FILE_IDENTITY_H
#define SKM_FILE_IDENTITY_H

#include <stdbool.h>
#include <sys/stat.h>

/* All zeros: there is none. */
struct skm_file_identity {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

/* True once for each change; *known becomes what is there now. */
bool skm_file_has_changed(const char *path, struct skm_file_identity *known);

#endif
