// SPDX-License-Identifier: Apache-2.0
/* From the stream that the daemons write to the program that an auditor runs, with nothing in between that is
 * not shipped: what is honest passes, whatever kills the writer; what root does to the files is named. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sample_record.h"
#include "sekimori/stream.h"
#include "sekimori/verify_command.h"
#include "tmpdir.h"

#define SEGMENT_BYTES 65536
#define KILLS 40
#define BOOT_ID "0123456789abcdef0123456789abcdef"

/* log/agent, chain/agent.chain, key. */
static char root[TMPDIR_BYTES];
static uint8_t verifier_key[32];
static struct skm_timestamp now;
static char *out; /* of the last verification */

static char *path_of(const char *name)
{
	static char path[4][TMPDIR_BYTES + 300];
	static unsigned next;
	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[next]), "%s/%s", root, name);
	return path[next];
}

/* Runs the program with stdout in `out`. */
static int run(int argc, char **argv)
{
	const struct skm_verify_command command = {.name = "sekimori-verify", .language = SKM_LANGUAGE_EN};
	size_t size = 0;
	char buf[4096];
	fflush(stdout);
	int kept = dup(1), fd = open(path_of("out"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_eq(dup2(fd, 1), 1);
	int exit_code = skm_verify_command(&command, argc, argv);
	fflush(stdout);
	dup2(kept, 1);
	close(kept);
	free(out);
	FILE *to = open_memstream(&out, &size);
	lseek(fd, 0, SEEK_SET);
	for (ssize_t n; (n = read(fd, buf, sizeof(buf))) > 0;)
		fwrite(buf, 1, (size_t)n, to);
	fclose(to);
	close(fd);
	return exit_code;
}

static int verify(void)
{
	char *argv[] = {(char[]){"sekimori-verify"}, (char[]){"--key"}, path_of("key"), (char[]){"--sealed"},
		path_of("chain/agent.chain.sealed"), path_of("log"), NULL};
	return run(6, argv);
}

static void set(void)
{
	tmpdir_make(root);
	cr_assert_eq(mkdir(path_of("log"), 0755) | mkdir(path_of("log/agent"), 0755) |
			     mkdir(path_of("chain"), 0755),
		0);
	char *argv[] = {
		(char[]){"sekimori-verify"}, (char[]){"--json"}, (char[]){"--new-key"}, path_of("key"), NULL};
	cr_assert_eq(run(4, argv), 0);
	for (size_t i = 0; i < sizeof(verifier_key); i++) {
		unsigned byte = 0;
		cr_assert_eq(sscanf(out + strlen("{\"public_key\":\"") + 2 * i, "%2x", &byte), 1);
		verifier_key[i] = (uint8_t)byte;
	}
	now = (struct skm_timestamp){.realtime_usec = 1795219200000000,
		.boottime_usec = 20000000,
		.monotonic_usec = 20000000,
		.is_synchronised = true};
}

static void unset(void)
{
	tmpdir_remove(root);
	free(out);
	out = NULL;
}

TestSuite(verify_stream, .init = set, .fini = unset, .timeout = 240);

/* Time passes with each record. */
static void stamp(void *user, struct skm_record *record)
{
	(void)user;
	now.realtime_usec += 1000000;
	now.boottime_usec += 1000000;
	now.monotonic_usec += 1000000;
	record->time = now;
	snprintf(record->boot_id, sizeof(record->boot_id), "%s", BOOT_ID);
}

static struct skm_stream *begin(void)
{
	struct skm_stream *stream = NULL;
	const struct skm_stream_chain_options options = {
		.path = path_of("chain/agent.chain"), .verifier_key = verifier_key, .boot_id = BOOT_ID};
	cr_assert_eq(skm_stream_new(path_of("log/agent"), SEGMENT_BYTES, &stream), 0);
	cr_assert_eq(skm_stream_set_chain(stream, &options), 0);
	skm_stream_set_stamp(stream, stamp, NULL);
	return stream;
}

static void append(struct skm_stream *stream, unsigned count)
{
	static const enum skm_event events[] = {SKM_EVENT_EXPORT_DENIED, SKM_EVENT_RESUMED,
		SKM_EVENT_DEVICE_REMOVED, SKM_EVENT_POLICY_CHANGED};
	static struct skm_record record;
	for (unsigned i = 0; i < count; i++) {
		sample_record(events[i % SKM_ARRAY_SIZE(events)], &record);
		stamp(NULL, &record);
		skm_stream_append(stream, &record);
	}
}

static void flush(struct skm_stream *stream)
{
	struct skm_stream_state state;
	int r = skm_stream_flush(stream);
	skm_stream_get_state(stream, &state);
	cr_assert_eq(r, 0, "%s", state.error);
}

/* One run, ended as it should. */
static void live(unsigned groups)
{
	struct skm_stream *stream = begin();
	for (unsigned i = 0; i < groups; i++) {
		append(stream, 1 + i % 7);
		flush(stream);
	}
	skm_stream_checkpoint(stream, "stop");
	flush(stream);
	cr_assert_null(skm_stream_free(stream));
}

#define expect_says(word) cr_expect_not_null(strstr(out, word), "\"%s\" is not in:\n%s", word, out)
#define expect_complete()                             \
	do {                                          \
		cr_expect_eq(verify(), 0, "%s", out); \
		expect_says("complete and verified"); \
	} while (0)

static char *last_segment(void)
{
	struct dirent **names = NULL;
	static char name[300];
	int count = scandir(path_of("log/agent"), &names, NULL, alphasort);
	cr_assert_gt(count, 2);
	snprintf(name, sizeof(name), "log/agent/%.255s", names[count - 1]->d_name);
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return path_of(name);
}

static void copy(const char *from, const char *to)
{
	char command[512];
	snprintf(command, sizeof(command), "cp -a '%s' '%s'", from, to);
	cr_assert_eq(system(command), 0);
}

static off_t size_of(const char *path)
{
	struct stat st;
	cr_assert_eq(stat(path, &st), 0);
	return st.st_size;
}

/* Old segments deleted by the stream itself; then one more by hand. */
Test(verify_stream, what_was_deleted_by_age_is_said_and_a_cut_is_a_gap)
{
	char error[256], state_path[128];
	snprintf(state_path, sizeof(state_path), "%s/state", root);
	const struct skm_stream_retention retention = {
		.age_sec = 60, .collected_path = state_path, .name = "agent"};
	tmpdir_write(root, "sekimori-forward 1\nagent segment=99 offset=1 \n", "state");
	live(200);
	struct skm_stream *stream = begin();
	append(stream, 1);
	flush(stream);
	cr_assert_eq(skm_stream_retire(stream, &retention, error, sizeof(error)), SKM_STREAM_RETIRED);
	cr_assert_eq(skm_stream_retire(stream, &retention, error, sizeof(error)), SKM_STREAM_RETIRED);
	skm_stream_checkpoint(stream, "stop");
	cr_assert_null(skm_stream_free(stream));
	cr_expect_eq(verify(), 0, "%s", out);
	expect_says("complete and verified; records 1..");
	expect_says(" were deleted by age after the collector had them");
	cr_assert_eq(unlink(path_of("log/agent/00000003.jsonl")), 0);
	cr_expect_eq(verify(), 16, "%s", out);
	expect_says("GAP");
}

Test(verify_stream, what_the_daemons_write_is_complete)
{
	live(40);
	expect_complete();
	live(3);
	live(120);
	expect_complete();
	expect_says("stopped properly");
	cr_expect_gt(strcmp(strrchr(last_segment(), '/') + 1, "00000003.jsonl"), 0, "several segments");
}

/* An encrypted /var whose passphrase nobody types for half an hour: everything waited, nothing is lost. */
Test(verify_stream, a_disk_that_comes_after_half_an_hour)
{
	cr_assert_eq(rename(path_of("log/agent"), path_of("away")), 0);
	struct skm_stream *stream = begin();
	append(stream, 3);
	cr_expect_lt(skm_stream_flush(stream), 0);
	now.realtime_usec += INT64_C(1800) * 1000000;
	now.boottime_usec += UINT64_C(1800) * 1000000;
	now.monotonic_usec += UINT64_C(1800) * 1000000;
	cr_assert_eq(rename(path_of("away"), path_of("log/agent")), 0);
	flush(stream);
	append(stream, 3);
	skm_stream_checkpoint(stream, "stop");
	cr_assert_null(skm_stream_free(stream));
	expect_complete();
}

/* Killed in the midst of whatever it does: what was acknowledged is there, and all of it is proven. */
Test(verify_stream, forty_kills_are_forty_honest_histories)
{
	for (unsigned i = 0; i < KILLS; i++) {
		int acknowledged[2];
		char byte;
		cr_assert_eq(pipe(acknowledged), 0);
		fflush(NULL);
		pid_t child = fork();
		if (child == 0) {
			struct skm_stream *stream = begin();
			for (;;) {
				append(stream, 3);
				if (skm_stream_flush(stream) < 0 || write(acknowledged[1], "", 1) != 1)
					_exit(1);
			}
		}
		close(acknowledged[1]);
		for (unsigned groups = 0; groups <= i % 9; groups++)
			cr_assert_eq(read(acknowledged[0], &byte, 1), 1, "round %u", i);
		kill(child, SIGKILL);
		int status = 0;
		cr_assert_eq(waitpid(child, &status, 0), child);
		cr_assert(WIFSIGNALED(status));
		close(acknowledged[0]);
		now.realtime_usec += 100000000;
		now.boottime_usec += 100000000;
		now.monotonic_usec += 100000000;
		int exit_code = verify();
		/* Killed in the midst of write(2), the last line may be torn until the next start. */
		cr_expect(exit_code == 0 || exit_code == SKM_VERIFY_EXIT_FOUND + SKM_FINDING_TORN,
			"round %u: %s", i, out);
	}
	live(1);
	expect_complete();
}

Test(verify_stream, a_torn_line_is_cut_off_and_what_follows_is_complete)
{
	live(10);
	FILE *file = fopen(last_segment(), "ae");
	fputs("{\"time\":17952", file);
	fclose(file);
	cr_expect_eq(verify(), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_TORN, "%s", out);
	live(10);
	expect_complete();
}

/* An older key is no help: the lines behind it are proven and taken in. */
Test(verify_stream, a_key_slot_put_back_is_brought_up_to_date)
{
	live(10);
	copy(path_of("chain/agent.chain"), path_of("slot"));
	live(20);
	copy(path_of("slot"), path_of("chain/agent.chain"));
	live(10);
	expect_complete();
}

/* ---- root ---- */

Test(verify_stream, a_tail_cut_off_while_the_key_went_on)
{
	live(10);
	char *segment = last_segment();
	off_t size = size_of(segment);
	live(2);
	cr_assert_eq(strcmp(segment, last_segment()), 0);
	cr_assert_eq(truncate(segment, size), 0);
	live(2);
	int exit_code = verify();
	cr_expect_eq(exit_code, SKM_VERIFY_EXIT_FOUND + SKM_FINDING_GAP, "%s", out);
}

Test(verify_stream, the_whole_state_lost)
{
	live(10);
	cr_assert_eq(unlink(path_of("chain/agent.chain")), 0);
	live(10);
	cr_expect_eq(verify(), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_RESTART, "%s", out);
	expect_says("another chain begins here");
}

/* Snapshot of everything, put back and continued: genuine in itself. What somebody else saw tells. */
Test(verify_stream, everything_rolled_back_and_continued)
{
	char mark[128];
	live(10);
	copy(path_of("log"), path_of("log.old"));
	copy(path_of("chain/agent.chain"), path_of("slot"));
	live(10);
	expect_complete();
	snprintf(mark, sizeof(mark), "%.120s", strstr(out, "watermark ") + strlen("watermark "));
	mark[strcspn(mark, "\n")] = '\0';
	char command[512];
	snprintf(command, sizeof(command), "rm -r '%s'", path_of("log"));
	cr_assert_eq(system(command), 0);
	copy(path_of("log.old"), path_of("log"));
	copy(path_of("slot"), path_of("chain/agent.chain"));
	now.realtime_usec += 5000;
	live(30);
	expect_complete();
	char *argv[] = {(char[]){"sekimori-verify"}, (char[]){"--key"}, path_of("key"), (char[]){"--sealed"},
		path_of("chain/agent.chain.sealed"), (char[]){"--watermark"}, mark, path_of("log"), NULL};
	cr_expect_eq(run(8, argv), SKM_VERIFY_EXIT_FOUND + SKM_FINDING_FORK, "%s", out);
}
