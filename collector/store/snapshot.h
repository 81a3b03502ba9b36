// SPDX-License-Identifier: Apache-2.0
/* The ledger on disk: `state`, replaced as a whole. It holds everything up to a place in the day files; what
 * stands behind that place is read again at the start. So it may be old, or missing: then all day files are
 * read. */
#ifndef SEKIMORI_STORE_SNAPSHOT_H
#define SEKIMORI_STORE_SNAPSHOT_H

#include "day_file.h"
#include "ledger.h"

#define SKM_SNAPSHOT_NAME "state"

/* 0 or -errno; the old one stays when it fails. */
SKM_NODISCARD int skm_snapshot_save(
	int folderfd, const struct skm_ledger *ledger, const struct skm_day_position *position);
#define SKM_SNAPSHOT_NONE 1    /* there is none */
#define SKM_SNAPSHOT_DAMAGED 2 /* or of another version; the ledger is untouched */
/* 0, one of the above, -errno. Into an empty ledger. */
SKM_NODISCARD int skm_snapshot_load(
	int folderfd, struct skm_ledger *ledger, struct skm_day_position *ret_position);

#endif
