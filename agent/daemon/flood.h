// SPDX-License-Identifier: Apache-2.0
/* What comes in floods: the first records in full, the others counted. A loose contact, or somebody who wants
 * to fill the disk or hide one record among a million, makes the same device come and go without end.
 *
 * For each record the owner asks skm_flood_take. Records of one device that say the same (event, outcome,
 * device with all its strings, rule, person, detail) are written in full SKM_FLOOD_SAME_FULL times within a
 * window; from then on they are counted until a whole window has passed without one. So what another device
 * does meanwhile is written in full.
 *
 * A device that shows another identity each time would be another device each time. So what one rule decides
 * at one port of the machine, hubs and all behind it (a device cannot choose where it is plugged in), has a
 * limit too: SKM_FLOOD_WIDE_FULL, and then a count of its own. Should there be more ports and rules than can
 * be told apart, the count is that of the event alone. Coarser, never less: in full plus counts is always
 * what came.
 *
 * Never counted: what opens something that can carry data out, what the policy does not decide about a
 * device (starts, stops, controllers found open, the policy, the log), and whatever no memory is left for.
 *
 * Pure: time is the records' own. Memory is bounded; the table is about 20 KiB, and 6 KiB more for each
 * count that runs. */
#ifndef SEKIMORI_FLOOD_H
#define SEKIMORI_FLOOD_H

#include "sekimori/record.h"

#define SKM_FLOOD_WINDOW_SEC 60
/* Of the same, in full, within a window: as often as a hand or a loose contact manages at one port, where
 * debouncing and two resets take a quarter of a second (USB 2.0, 7.1.7.3). An attempt is on record in full
 * until it cannot be one. */
#define SKM_FLOOD_SAME_FULL 240
/* By one rule at one port of the machine, which may be a hub's; and of one event, of what the table has no
 * room for. Above the other, so that what one device uses up leaves room for the next. */
#define SKM_FLOOD_WIDE_FULL 960

#define SKM_FLOOD_SAME_MAX 128 /* that are told apart */
#define SKM_FLOOD_PORT_MAX 64
/* Counts that may have to be told at once. */
#define SKM_FLOOD_COUNTS_MAX (SKM_FLOOD_SAME_MAX + SKM_FLOOD_PORT_MAX + SKM_EVENT_COUNT_)

struct skm_flood;

SKM_NODISCARD int skm_flood_new(struct skm_flood **ret_flood); /* 0 or -ENOMEM */
struct skm_flood *skm_flood_free(struct skm_flood *flood);     /* NULL is fine. Returns NULL */

/* The record is complete but for its place in the stream; its boot time does not go back. True: it is to be
 * written in full. False: it is counted, and skm_flood_next will say so. */
SKM_NODISCARD bool skm_flood_take(struct skm_flood *flood, const struct skm_record *record);
/* Hands out a count that is due (the first one of a flood is at once, so that it is on record that counting
 * has begun; then one each window), or with `is_all` any that is not zero: a record FLOOD_COUNTED, whose time
 * is that of the last record counted. False: no more. */
SKM_NODISCARD bool skm_flood_next(
	struct skm_flood *flood, uint64_t boottime_usec, bool is_all, struct skm_record *ret_record);
/* At which boot time the next count is due; UINT64_MAX = none waits. */
uint64_t skm_flood_due_usec(const struct skm_flood *flood);

#endif
