// SPDX-License-Identifier: Apache-2.0
/* Segments that the collector has and that are old enough: deleted, with a record before; and all the reasons
 * why one is not. Faults and kills at each call. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../lib/stream_retire.h"
#include "position.h"
#include "sample_chain.h"
#include "stream_world.h"
#include "tmpdir.h"
#include "verdicts.h"

#define DAY INT64_C(86400)
#define SEGMENT_BYTES 8192
#define BEGIN_SEC INT64_C(1700000000)

static char state_folder[TMPDIR_BYTES], state_path[TMPDIR_BYTES + 16], error[256];
static int64_t now_sec;
static struct skm_stream *stream;

static void stamp(void *user, struct skm_record *record)
{
	(void)user;
	record->time.realtime_usec = now_sec * 1000000;
	snprintf(record->boot_id, sizeof(record->boot_id), STREAM_BOOT_ID);
}

static void open_stream(void)
{
	stream = stream_begin_chained(SEGMENT_BYTES);
	skm_stream_set_stamp(stream, stamp, NULL);
}

static void setup(void)
{
	stream_world_make();
	tmpdir_make(state_folder);
	snprintf(state_path, sizeof(state_path), "%s/state", state_folder);
	now_sec = BEGIN_SEC;
	error[0] = '\0';
	open_stream();
}

static void teardown(void)
{
	stream_heal();
	stream = skm_stream_free(stream);
	tmpdir_remove(state_folder);
	stream_world_remove();
}

TestSuite(stream_retire, .init = setup, .fini = teardown, .timeout = 240);

/* A record each `step_sec`. */
static void write_days(unsigned count, int64_t step_sec)
{
	for (; count > 0; count--, now_sec += step_sec) {
		struct skm_record record;
		skm_record_init(&record, SKM_EVENT_RESUMED);
		stamp(NULL, &record);
		snprintf(record.detail, sizeof(record.detail), "r%u", stream_next_record++);
		skm_stream_append(stream, &record);
		cr_assert_eq(skm_stream_flush(stream), 0, "%s", stream_state(stream).error);
	}
}

static void collected(uint32_t segment)
{
	struct skm_forward_state state = {0};
	int fd = open(state_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(fd >= 0);
	if (segment > 0)
		state.acknowledged[SKM_FORWARD_AGENT] = (struct skm_position){.segment = segment,
			.offset = 100,
			.sequence = 7,
			.tail_len = SKM_POSITION_TAIL_BYTES};
	/* the other stream must not be taken for this one */
	state.acknowledged[SKM_FORWARD_AUTH] = (struct skm_position){
		.segment = 99999, .offset = 100, .sequence = 7, .tail_len = SKM_POSITION_TAIL_BYTES};
	cr_assert_eq(skm_forward_state_save(fd, &state), 0);
	close(fd);
}

static int retire(int64_t age_sec)
{
	const struct skm_stream_retention retention = {
		.age_sec = (uint64_t)age_sec, .collected_path = state_path, .name = "agent"};
	return skm_stream_retire(stream, &retention, error, sizeof(error));
}

static unsigned count_segments(unsigned *ret_lowest)
{
	unsigned count = 0;
	*ret_lowest = 0;
	for (unsigned number = 1; number < 1000; number++) {
		if (stream_segment_size(number) < 0)
			continue;
		count++;
		*ret_lowest = *ret_lowest ? *ret_lowest : number;
	}
	return count;
}

static unsigned lowest(void)
{
	unsigned number;
	(void)count_segments(&number);
	return number;
}

/* All lines of the folder to the verifier, with the key. */
static void judge(struct verdicts *ret_verdicts)
{
	static char text[4 << 20];
	size_t len = 0;
	struct sample_chain chain = {0};
	for (unsigned number = 1; number < 1000; number++) {
		int fd = open(stream_segment_path(number), O_RDONLY | O_CLOEXEC);
		for (ssize_t n; fd >= 0 && (n = read(fd, text + len, sizeof(text) - len)) > 0;)
			len += (size_t)n;
		if (fd >= 0)
			close(fd);
	}
	stream_first_key(chain.chain.id, chain.first_key);
	const struct judging judging = {.key_of = &chain};
	judge_bytes(text, len, &judging, ret_verdicts);
}

/* How many lines of the stream hold the text; ret_line (may be NULL) is the last of them. */
static unsigned grep(const char *text, char ret_line[SKM_RECORD_LINE_MAX])
{
	unsigned count = 0;
	for (unsigned number = 1; number < 1000; number++) {
		char line[SKM_RECORD_LINE_MAX];
		FILE *file = fopen(stream_segment_path(number), "re");
		while (file && fgets(line, sizeof(line), file)) {
			if (!strstr(line, text))
				continue;
			count++;
			if (ret_line)
				memcpy(ret_line, line, sizeof(line));
		}
		if (file)
			fclose(file);
	}
	return count;
}

static unsigned deletions(void)
{
	return grep("\"event\":\"LOG_DELETED\"", NULL);
}

/* ---- what is deleted ---- */

Test(stream_retire, what_is_collected_and_old_goes_with_a_record)
{
	unsigned first = 0;
	struct verdicts verdicts;
	write_days(100, 10 * DAY);
	unsigned before = count_segments(&first);
	cr_assert_gt(before, 6);
	collected(before);
	cr_assert_eq(retire(400 * DAY), SKM_STREAM_RETIRED, "%s", error);
	cr_expect_eq(lowest(), 2);
	unsigned deleted = 1;
	while (retire(400 * DAY) == SKM_STREAM_RETIRED)
		deleted++;
	cr_expect_eq(deleted, lowest() - 1);
	/* what is left goes back for 400 days, and no further than it must */
	cr_expect_lt(deleted, before - 2);
	cr_expect_gt(deleted, before / 2 - 3, "%u of %u", deleted, before);
	judge(&verdicts);
	cr_expect(verdicts.chain.begins_late);
	cr_expect_eq(verdicts.chain.deleted_until, verdicts.chain.first - 1);
	cr_expect(verdicts.is_complete, "the log itself accounts for what was before");
}

Test(stream_retire, the_record_names_what_is_gone)
{
	struct skm_old_segment old;
	unsigned lines = 0;
	char line[SKM_RECORD_LINE_MAX], record[SKM_RECORD_LINE_MAX];
	write_days(60, 10 * DAY);
	collected(100);
	FILE *file = fopen(stream_segment_path(1), "re");
	while (fgets(line, sizeof(line), file))
		lines++;
	fclose(file);
	cr_assert_eq(retire(60 * DAY), SKM_STREAM_RETIRED);
	cr_assert_eq(grep("\"event\":\"LOG_DELETED\"", record), 1);
	cr_expect_not_null(strstr(record, "\"object\":\"00000001.jsonl\""), "%s", record);
	const char *detail = strstr(record, "\"detail\":\"") + strlen("\"detail\":\"");
	cr_assert_eq(skm_deletion_parse(detail, strcspn(detail, "\""), &old), 0, "%s", detail);
	cr_expect_eq(old.first, 1);
	cr_expect_eq(old.last, lines);
	char hash[2 * SKM_CHAIN_HASH_BYTES + 1], next[128], number[64];
	skm_hex_format(old.hash, sizeof(old.hash), hash);
	snprintf(next, sizeof(next), "\"p\":\"%s\"}", hash);
	cr_assert_eq(grep(next, line), 1, "the next one continues from it");
	snprintf(number, sizeof(number), "\"n\":%u,", lines + 1);
	cr_expect_not_null(strstr(line, number), "%s", line);
}

/* The agent's gate waits meanwhile. */
Test(stream_retire, many_segments_cost_few_looks)
{
	unsigned first = 0;
	write_days(3000, DAY / 6);
	cr_assert_gt(count_segments(&first), 300);
	collected(99999);
	stream_heal();
	cr_assert_eq(retire(400 * DAY), SKM_STREAM_RETIRED, "%s", error);
	cr_expect_lt(stream_faults.calls[STREAM_OPENAT], 200);
	cr_expect_lt(stream_faults.calls[STREAM_PREAD], 200);
	unsigned deleted = 1;
	while (retire(400 * DAY) == SKM_STREAM_RETIRED)
		deleted++;
	/* 500 days, and what is left goes back for 400 */
	unsigned left = count_segments(&first);
	cr_expect_eq(first, deleted + 1);
	cr_expect_gt(left * 100, (left + deleted) * 79);
	cr_expect_lt(left * 100, (left + deleted) * 81, "%u of %u", left, left + deleted);
}

/* ---- what is not ---- */

Test(stream_retire, nothing_that_the_collector_does_not_have)
{
	write_days(100, 10 * DAY);
	cr_expect_eq(retire(60 * DAY), 0, "there is no state");
	collected(0);
	cr_expect_eq(retire(60 * DAY), 0, "nothing was ever acknowledged");
	collected(1);
	cr_expect_eq(retire(60 * DAY), 0, "the segment may go on behind the position");
	collected(2);
	cr_expect_eq(retire(60 * DAY), SKM_STREAM_RETIRED);
	cr_expect_eq(retire(60 * DAY), 0);
	cr_expect_eq(lowest(), 2);
}

Test(stream_retire, nothing_too_young_whatever_the_forwarder_says)
{
	write_days(100, DAY);
	collected(99999);
	cr_expect_eq(retire(101 * DAY), 0);
	cr_expect_eq(retire(0), 0, "never");
	cr_expect_eq(lowest(), 1);
	cr_expect_eq(retire(60 * DAY), SKM_STREAM_RETIRED);
}

Test(stream_retire, never_the_two_newest)
{
	unsigned first = 0;
	collected(99999);
	while (count_segments(&first) < 2)
		write_days(1, 10 * DAY);
	write_days(1, 10 * DAY);
	cr_expect_eq(retire(1), 0);
	while (count_segments(&first) < 3)
		write_days(1, 10 * DAY);
	cr_expect_eq(retire(1), SKM_STREAM_RETIRED);
	cr_expect_eq(lowest(), 2);
	cr_expect_eq(retire(1), 0);
}

/* Ten years ahead by mistake, and back after a while: nobody's records are older for it than two weeks. */
Test(stream_retire, a_clock_that_jumps_deletes_nothing)
{
	write_days(40, DAY);
	now_sec += 3650 * DAY;
	write_days(40, DAY / 24);
	collected(99999);
	cr_expect_eq(retire(60 * DAY), 0);
	now_sec -= 3650 * DAY;
	write_days(40, DAY / 24);
	cr_expect_eq(retire(60 * DAY), 0);
	cr_expect_eq(lowest(), 1);
}

/* A battery that is empty: each boot begins in 1970, until the network sets the clock. */
Test(stream_retire, a_clock_that_jumps_each_morning_deletes_nothing)
{
	int64_t real_sec = now_sec;
	for (unsigned day = 0; day < 40; day++) {
		now_sec = 1000;
		write_days(2, 10);
		now_sec = real_sec + day * DAY;
		write_days(2, 10);
	}
	collected(99999);
	cr_expect_eq(retire(60 * DAY), 0);
	cr_expect_eq(lowest(), 1);
}

Test(stream_retire, a_state_that_is_none_is_an_error)
{
	static const char *const texts[] = {"", "sekimori-forward 2\nagent segment=9 \n",
		"sekimori-forward 1\n", "sekimori-forward 1\nagent segment= \n",
		"sekimori-forward 1\nagent segment=9", "sekimori-forward 1\nagent segment=999999999999 \n",
		"sekimori-forward 1\nauth segment=9 offset=1\n", "sekimori-forward 1\nagent segment=-1 \n"};
	write_days(100, 10 * DAY);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(texts); i++) {
		tmpdir_write(state_folder, texts[i], "state");
		cr_expect_eq(retire(60 * DAY), -EBADMSG, "%s", texts[i]);
		cr_expect_not_null(strstr(error, state_path), "%s", error);
	}
	cr_assert_eq(unlink(state_path), 0);
	cr_assert_eq(symlink("/etc/passwd", state_path), 0);
	cr_expect_eq(retire(60 * DAY), -ELOOP);
	cr_assert_eq(unlink(state_path), 0);
	cr_assert_eq(mkfifo(state_path, 0600), 0);
	cr_expect_eq(retire(60 * DAY), -EBADMSG, "and it does not wait for a writer");
	cr_expect_eq(lowest(), 1);
}

/* What cannot be understood may be what somebody wants to be rid of. */
Test(stream_retire, nothing_that_cannot_be_understood)
{
	write_days(100, 10 * DAY);
	collected(99999);
	stream_segment_put(1, "torn");
	cr_expect_eq(retire(60 * DAY), 0);
	stream_segment_put(1, "\n");
	cr_expect_eq(retire(60 * DAY), 0);
	cr_expect_eq(lowest(), 1);
}

Test(stream_retire, not_while_records_cannot_be_stored)
{
	write_days(100, 10 * DAY);
	collected(99999);
	stream_faults.always[STREAM_WRITE] = true;
	stream_append(stream, 1);
	cr_expect_eq(retire(60 * DAY), 0);
	cr_expect_eq(lowest(), 1, "deleted without a record");
	stream_heal();
	cr_expect_eq(retire(60 * DAY), SKM_STREAM_RETIRED);
}

/* What the chain's state on disk goes back to stays, however old. */
Test(stream_retire, not_while_the_chain_s_state_cannot_be_stored)
{
	write_days(100, 10 * DAY);
	collected(99999);
	stream_faults.always[CHAIN_PWRITE] = true;
	write_days(1, DAY);
	cr_expect_eq(retire(60 * DAY), 0);
	cr_expect_eq(lowest(), 1);
}

Test(stream_retire, a_stream_without_a_chain_keeps_all)
{
	struct skm_stream *chained = stream;
	stream_empty(stream_folder);
	stream = stream_begin(SEGMENT_BYTES);
	skm_stream_set_stamp(stream, stamp, NULL);
	write_days(100, 10 * DAY);
	collected(99999);
	cr_expect_eq(retire(60 * DAY), 0);
	stream = skm_stream_free(stream);
	stream = chained;
}

/* ---- faults and kills ---- */

Test(stream_retire, an_unlink_that_fails_is_tried_again_and_told_once)
{
	write_days(100, 10 * DAY);
	collected(99999);
	stream_faults.always[STREAM_UNLINKAT] = true;
	cr_expect_eq(retire(400 * DAY), -EIO);
	cr_expect_str_eq(error, "cannot delete 00000001.jsonl: Input/output error");
	cr_expect_eq(retire(400 * DAY), -EIO);
	cr_expect_eq(deletions(), 1);
	stream_heal();
	cr_expect_eq(retire(400 * DAY), SKM_STREAM_RETIRED);
	cr_expect_eq(deletions(), 1);
	cr_expect_eq(lowest(), 2);
}

/* Of the many reads in a row a few stand for all. */
static bool is_worth_a_fault(const char *order, unsigned k)
{
	char read = 'A' + STREAM_PREAD;
	return order[k - 1] != read || k < 3 || order[k - 2] != read || order[k] != read;
}

/* Nothing is lost and nothing broken, whichever call fails. */
Test(stream_retire, each_call_fails_once)
{
	char order[sizeof(stream_faults.order)];
	write_days(60, 10 * DAY);
	collected(99999);
	stream_heal();
	cr_assert_eq(retire(60 * DAY), SKM_STREAM_RETIRED);
	unsigned calls = stream_faults.total;
	memcpy(order, stream_faults.order, sizeof(order));
	cr_assert(calls > 20 && calls < sizeof(order), "%u", calls);
	for (unsigned k = 1; k <= calls; k++) {
		struct verdicts verdicts;
		unsigned first = lowest();
		if (!is_worth_a_fault(order, k))
			continue;
		stream_heal();
		stream_faults.first = stream_faults.last = k;
		int r = retire(60 * DAY);
		stream_heal();
		cr_expect(r <= 1 && lowest() <= first + 1, "call %u: %d", k, r);
		write_days(8, 10 * DAY);
		judge(&verdicts);
		cr_assert_eq(verdicts.chain.findings[SKM_FINDING_GAP], 0, "call %u", k);
		cr_assert_eq(verdicts.chain.findings[SKM_FINDING_EDIT], 0, "call %u", k);
		cr_assert_eq(verdicts.chain.findings[SKM_FINDING_FORGE], 0, "call %u", k);
	}
	cr_expect_gt(lowest(), 5);
}

static struct shared {
	unsigned calls;
	char order[sizeof(stream_faults.order)];
} * shared;

static void live(unsigned k)
{
	pid_t pid = fork();
	if (pid == 0) {
		open_stream();
		write_days(10, 10 * DAY);
		stream_heal();
		stream_faults.first = stream_faults.last = k;
		stream_faults.kills = true;
		int r = retire(60 * DAY);
		shared->calls = stream_faults.total;
		memcpy(shared->order, stream_faults.order, sizeof(shared->order));
		_exit(r == SKM_STREAM_RETIRED ? 0 : 1);
	}
	int status = 0;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	bool has_retired = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	cr_assert(k == 0 ? has_retired : was_killed || has_retired, "call %u: %x", k, (unsigned)status);
	now_sec += 100 * DAY;
}

Test(stream_retire, killed_at_each_call)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(shared != MAP_FAILED);
	write_days(60, 10 * DAY);
	collected(99999);
	stream = skm_stream_free(stream);
	live(0);
	struct shared whole = *shared;
	cr_assert(whole.calls > 20 && whole.calls < sizeof(whole.order), "%u", whole.calls);
	unsigned lives = 0;
	for (unsigned k = 1; k <= whole.calls; k++) {
		struct verdicts verdicts;
		if (!is_worth_a_fault(whole.order, k))
			continue;
		live(k);
		lives++;
		judge(&verdicts);
		cr_assert_eq(verdicts.chain.findings[SKM_FINDING_GAP], 0, "call %u", k);
		cr_assert(verdicts.is_complete, "call %u", k);
	}
	cr_expect_gt(lives, 10);
	/* what a killed one had told but not deleted, the next one deletes */
	unsigned first = lowest();
	live(0);
	cr_expect_eq(lowest(), first + 1);
	cr_expect_eq(grep("\"event\":\"CHAIN_BROKEN\"", NULL), 0);
}

/* ---- whoever deletes without the record ---- */

Test(stream_retire, a_deletion_by_hand_is_a_gap_as_before)
{
	struct verdicts verdicts;
	write_days(100, 10 * DAY);
	collected(99999);
	cr_assert_eq(retire(400 * DAY), SKM_STREAM_RETIRED);
	cr_assert_eq(unlink(stream_segment_path(2)), 0);
	judge(&verdicts);
	cr_expect_eq(verdicts.chain.findings[SKM_FINDING_GAP], 1);
	cr_expect_eq(verdicts.chain.deleted_until, 0);
	cr_expect_not(verdicts.is_complete);
}

/* Nor does the record about one segment explain that another one is missing in the middle. */
Test(stream_retire, a_hole_behind_what_was_deleted_is_a_gap)
{
	struct verdicts verdicts;
	write_days(100, 10 * DAY);
	collected(99999);
	cr_assert_eq(retire(400 * DAY), SKM_STREAM_RETIRED);
	cr_assert_eq(unlink(stream_segment_path(4)), 0);
	judge(&verdicts);
	cr_expect_eq(verdicts.chain.findings[SKM_FINDING_GAP], 1);
	cr_expect_gt(verdicts.chain.deleted_until, 0);
	cr_expect_not(verdicts.is_complete);
}
