// SPDX-License-Identifier: Apache-2.0
/* Who asks is told of each record when it is on disk, with the number that stands there: not before, not
 * twice, and none is passed over. */
#include <criterion/criterion.h>

#include "stream_world.h"

#define MANY 100 /* several groups */

static struct {
	unsigned count, own;
	uint64_t last;
	bool is_out_of_order;
	bool was_early;
} told;

static void on_stored(void *user, const struct skm_record *record)
{
	(void)user;
	told.count++;
	told.own += record->event != SKM_EVENT_EXPORT_DENIED;
	told.is_out_of_order = told.is_out_of_order || record->sequence != told.last + 1;
	told.last = record->sequence;
	told.was_early = told.was_early || stream_faults.calls[STREAM_FDATASYNC] == 0;
}

TestSuite(stream_stored, .init = stream_world_make, .fini = stream_world_remove);

Test(stream_stored, each_record_once_and_after_the_sync)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	skm_stream_set_stored(stream, on_stored, NULL);
	stream_append(stream, MANY);
	cr_expect_eq(told.count, 0, "nothing is on disk yet");
	stream_heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(told.count, MANY);
	cr_expect_eq(told.last, MANY);
	cr_expect_not(told.is_out_of_order);
	cr_expect_not(told.was_early);
	cr_expect_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(told.count, MANY);
	skm_stream_free(stream);
}

Test(stream_stored, what_could_not_be_synced_is_told_when_it_is)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	skm_stream_set_stored(stream, on_stored, NULL);
	stream_append(stream, 2);
	stream_faults.always[STREAM_FDATASYNC] = true;
	cr_assert_lt(skm_stream_flush(stream), 0);
	cr_expect_eq(told.count, 0);
	stream_heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_geq(told.count, 2u + 2u, "LOG_FULL and LOG_RESUMED as well");
	cr_expect_not(told.is_out_of_order);
	skm_stream_free(stream);
}
