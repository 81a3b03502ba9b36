// SPDX-License-Identifier: Apache-2.0
/* One output: from the day files to a sink, and how far it has come. */
#ifndef SEKIMORI_OUTPUT_DELIVERY_H
#define SEKIMORI_OUTPUT_DELIVERY_H

#include "output_settings.h"
#include "output_state.h"
#include "sink.h"

struct skm_delivery_options {
	const char *store_folder, *state_folder;
	const struct skm_output_settings *settings;
	struct skm_sink sink;		 /* stays the caller's */
	bool (*is_stopping)(void *user); /* asked often */
	int64_t (*now_sec)(void *user);	 /* UNIX time */
	void *user;
};

struct skm_delivery;

#define SKM_DELIVERY_OTHER_TARGET 1 /* everything is sent again: the settings name another target */
#define SKM_DELIVERY_DAMAGED 2	    /* the same: the position cannot be read */
/* 0 or one of the above, with *ret_delivery set; -errno. */
SKM_NODISCARD int skm_delivery_open(
	const struct skm_delivery_options *options, struct skm_delivery **ret_delivery);
struct skm_delivery *skm_delivery_close(struct skm_delivery *delivery);

#define SKM_DELIVERY_IDLE 1   /* everything that is stored for good was sent */
#define SKM_DELIVERY_AGAIN 2  /* nothing goes now; the trouble is in the state */
#define SKM_DELIVERY_MISFIT 3 /* the files are not those that the position was made from: begin anew */
/* Sends one batch and moves the position. 0: some was sent, there may be more; one of the above; -errno. */
SKM_NODISCARD int skm_delivery_step(struct skm_delivery *delivery);
const struct skm_output_state *skm_delivery_state(const struct skm_delivery *delivery);
/* For the sink's host. */
void skm_delivery_tell(struct skm_delivery *delivery, const char *trouble);

/* Up to where the store vouches for its files. 0; 1: nothing has arrived yet (or its state is being made
 * again); -errno. */
SKM_NODISCARD int skm_delivery_stored_end(const char *store_folder, struct skm_day_position *ret_end);
/* Bytes of the day files between two places. 0 or -errno. */
SKM_NODISCARD int skm_delivery_behind(const char *store_folder, const struct skm_day_position *from,
	const struct skm_day_position *end, uint64_t *ret_bytes);

#endif
