// SPDX-License-Identifier: Apache-2.0
/* A power cut. System calls that work on a real folder and keep account of what was synced: the contents of
 * each file as of its last fsync or fdatasync, the names of the folder as of its own last fsync. After the
 * cut (the k-th call), every call fails and does nothing; then any of the folders can be had that a file
 * system may show after power comes back. Uses libc alone. One folder at a time. */
#ifndef SKM_TEST_STORE_DISK_H
#define SKM_TEST_STORE_DISK_H

#include "../../pam_module/authd/store.h"

extern const struct skm_store_ops store_disk_ops;

/* All that is in the folder now is on the disk. The calls from the cut_at-th on fail; 0 = none does. */
void store_disk_begin(const char *folder, unsigned cut_at);
/* Was the cut reached? */
bool store_disk_was_cut(void);

/* Without a sync in between, no order of two changes is promised: so also the person's names as written and
 * all others as synced, and the other way round. */
enum store_disk_names {
	STORE_NAMES_SYNCED,
	STORE_NAMES_WRITTEN,
	STORE_NAMES_PERSON_WRITTEN,
	STORE_NAMES_PERSON_SYNCED,
	STORE_NAMES_COUNT
};
enum store_disk_data {
	STORE_DATA_SYNCED,
	STORE_DATA_WRITTEN,
	STORE_DATA_TORN_EVEN,
	STORE_DATA_TORN_ODD,
	STORE_DATA_COUNT
};
/* Makes `target` what is found: names and contents as of the last sync, as written, or, of contents, every
 * other sector of 512 bytes as written. */
void store_disk_after(const char *target, enum store_disk_names names, enum store_disk_data data);
void store_disk_end(void);

#endif
