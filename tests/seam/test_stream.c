// SPDX-License-Identifier: Apache-2.0
/* The audit stream against real folders: what it stores when nothing goes wrong, and on a real disk that
 * fills. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "stream_world.h"

TestSuite(stream, .init = stream_world_make, .fini = stream_world_remove);

/* ---- the ordinary ---- */

Test(stream, stores_in_order_with_one_write_and_one_sync)
{
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 3);
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_append(stream, 10);
	cr_expect_eq(stream_state(stream).pending, 10);
	stream_heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(stream_faults.calls[STREAM_WRITE], 1);
	cr_expect_eq(stream_faults.calls[STREAM_FDATASYNC], 1);
	cr_expect_eq(stream_state(stream).pending, 0);
	cr_expect_eq(stream_state(stream).sequence, 13);
	cr_expect_eq(skm_stream_flush(stream), 0);
	cr_expect_eq(stream_faults.calls[STREAM_WRITE], 1, "nothing to do, and something was done");
	stream_look();
	cr_expect_eq(stream_seen.count, 13);
	cr_expect_eq(stream_seen.next_detail, 13);
	cr_expect_eq(stream_seen.first_sequence, 1);
	skm_stream_free(stream);
}

Test(stream, segments_are_for_the_group_of_the_folder)
{
	umask(0077);
	if (geteuid() == 0)
		cr_assert_eq(chown(stream_folder, (uid_t)-1, 4321), 0);
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 1);
	cr_assert_eq(skm_stream_flush(stream), 0);
	struct stat st, folder_st;
	cr_assert_eq(stat(stream_folder, &folder_st), 0);
	cr_assert_eq(stat(stream_segment_path(1), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	cr_expect_eq(st.st_gid, folder_st.st_gid);
	skm_stream_free(stream);
}

Test(stream, a_group_that_may_not_be_given_is_no_reason_to_stop)
{
	if (geteuid() == 0)
		cr_assert_eq(chown(stream_folder, (uid_t)-1, 4321), 0);
	stream_faults.always[STREAM_FCHOWN] = true;
	stream_faults.error = EPERM;
	struct skm_stream *stream = stream_begin(MEGABYTE);
	stream_append(stream, 1);
	cr_expect_eq(skm_stream_flush(stream), 0);
	skm_stream_free(stream);
}

Test(stream, free_stores_what_waits)
{
	struct skm_stream *stream = NULL;
	cr_assert_eq(skm_stream_new(stream_folder, MEGABYTE, &stream), 0); /* with the system's own calls */
	stream_append(stream, 2);
	cr_expect_null(skm_stream_free(stream));
	cr_expect_null(skm_stream_free(NULL));
	stream_look();
	cr_expect_eq(stream_seen.count, 2);
}

Test(stream, a_restart_continues_the_numbering)
{
	for (unsigned run = 0; run < 4; run++) {
		struct skm_stream *stream = stream_begin(3000);
		stream_append(stream, 5);
		cr_assert_eq(skm_stream_flush(stream), 0);
		skm_stream_free(stream);
	}
	stream_look();
	cr_expect_eq(stream_seen.count, 20);
	cr_expect_eq(stream_seen.next_detail, 20);
	cr_expect_eq(stream_seen.recovered, 0);
}

Test(stream, begins_the_next_segment_when_one_is_full)
{
	struct skm_stream *stream = stream_begin(4000);
	stream_append(stream, 100);
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_look();
	cr_expect_eq(stream_seen.count, 100);
	cr_expect_geq(stream_seen.segments, 20);
	for (unsigned number = 1; number <= stream_seen.segments; number++)
		cr_expect(stream_segment_size(number) > 0 && stream_segment_size(number) <= 4000,
			"segment %u: %ld", number, (long)stream_segment_size(number));
	/* a limit below one line still stores every line */
	skm_stream_set_segment_bytes(stream, 1);
	stream_append(stream, 3);
	unsigned before = stream_seen.segments;
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_look();
	cr_expect_eq(stream_seen.segments, before + 3);
	skm_stream_free(stream);
}

Test(stream, an_empty_segment_is_used_even_if_a_line_is_longer_than_the_limit)
{
	struct skm_stream *stream = stream_begin(1);
	stream_append(stream, 3);
	cr_assert_eq(skm_stream_flush(stream), 0);
	for (unsigned number = 1; number <= 3; number++)
		cr_expect_gt(stream_segment_size(number), 0);
	cr_expect_eq(stream_segment_size(4), -1);
	skm_stream_free(stream);
}

Test(stream, large_queues_go_in_groups)
{
	struct skm_stream *stream = stream_begin(64 * MEGABYTE);
	stream_append(stream, 1000);
	stream_heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	cr_expect(stream_faults.calls[STREAM_WRITE] >= 2 && stream_faults.calls[STREAM_WRITE] < 20,
		"%u writes", stream_faults.calls[STREAM_WRITE]);
	stream_look();
	cr_expect_eq(stream_seen.count, 1000);
	skm_stream_free(stream);
}

/* ---- a real small disk ---- */

/* In a mount namespace of its own. Without the privilege the faults above must do. */
static bool mount_small_disk(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", stream_folder, "tmpfs", 0, "size=64k") == 0;
}

Test(stream, a_real_disk_fills_and_is_freed)
{
	if (!mount_small_disk()) {
		cr_log_warn("no privilege to mount a tmpfs: not tested on a real full disk");
		return;
	}
	char hog[STREAM_PATH_BYTES + 8];
	snprintf(hog, sizeof(hog), "%s/hog", stream_folder);
	int fd = open(hog, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	static const char block[48 * 1024];
	cr_assert_eq(write(fd, block, sizeof(block)), (ssize_t)sizeof(block));
	close(fd);
	struct skm_stream *stream = stream_begin(MEGABYTE);
	unsigned failed = 0;
	for (unsigned i = 0; i < 30; i++) {
		stream_append(stream, 1);
		failed += skm_stream_flush(stream) == -ENOSPC;
	}
	cr_expect_gt(failed, 5);
	cr_assert_eq(unlink(hog), 0);
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_look();
	cr_expect_eq(stream_seen.next_detail, 30);
	cr_expect_eq(stream_seen.full, 1);
	cr_expect_eq(stream_seen.torn, 0);

	/* and read-only */
	skm_stream_reopen(stream);
	cr_assert_eq(mount("none", stream_folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	stream_append(stream, 1);
	cr_expect_eq(skm_stream_flush(stream), -EROFS);
	cr_assert_eq(mount("none", stream_folder, NULL, MS_REMOUNT, NULL), 0);
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_look();
	cr_expect_eq(stream_seen.next_detail, 31);
	skm_stream_free(stream);
	stream_empty(stream_folder);
	cr_expect_eq(umount(stream_folder), 0);
}

/* ---- stamps ---- */

static void stamp(void *user, struct skm_record *record)
{
	snprintf(record->terminal_number, sizeof(record->terminal_number), "%s", (const char *)user);
}

Test(stream, its_own_records_are_stamped)
{
	char terminal[] = "PC-042";
	struct skm_stream *stream = stream_begin(MEGABYTE);
	skm_stream_set_stamp(stream, stamp, terminal);
	stream_faults.always[STREAM_WRITE] = true;
	stream_append(stream, 1);
	cr_expect_eq(skm_stream_flush(stream), -EIO);
	stream_heal();
	cr_assert_eq(skm_stream_flush(stream), 0);
	stream_look();
	for (uint64_t n = 2; n <= 3; n++)
		cr_expect(stream_seen.lines[n] && strstr(stream_seen.lines[n], "\"number\":\"PC-042\""));
	skm_stream_free(stream);
}
