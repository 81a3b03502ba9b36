// SPDX-License-Identifier: Apache-2.0
/* The state as a text: what is written is read back, and nothing else is believed. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "position.h"
#include "tmpdir.h"

static struct skm_forward_state sample(void)
{
	struct skm_forward_state state = {
		.acknowledged = {{.segment = 3, .offset = 12345, .sequence = 42, .missing = 7, .unsent = 2},
			{.segment = 99999999,
				.offset = INT64_MAX,
				.sequence = UINT64_MAX,
				.missing = UINT64_MAX,
				.unsent = UINT64_MAX}},
		.told_missing = {5, UINT64_MAX},
		.told_unsent = {2, UINT64_MAX},
		.warned_not_after_sec = INT64_MAX,
		.warned_days = 30,
	};
	for (size_t i = 0; i < SKM_FORWARD_STREAM_COUNT_; i++) {
		struct skm_position *at = &state.acknowledged[i];
		at->tail_len = i == 0 ? 3 : SKM_POSITION_TAIL_BYTES;
		for (size_t k = 0; k < at->tail_len; k++)
			at->tail[k] = (uint8_t)(0xf0 + k * 7);
	}
	return state;
}

static void expect_same(const struct skm_forward_state *a, const struct skm_forward_state *b)
{
	for (size_t i = 0; i < SKM_FORWARD_STREAM_COUNT_; i++) {
		const struct skm_position *x = &a->acknowledged[i], *y = &b->acknowledged[i];
		cr_expect_eq(x->segment, y->segment);
		cr_expect_eq(x->offset, y->offset);
		cr_expect_eq(x->sequence, y->sequence);
		cr_expect_eq(x->missing, y->missing);
		cr_expect_eq(x->unsent, y->unsent);
		cr_expect_eq(x->tail_len, y->tail_len);
		cr_expect_eq(memcmp(x->tail, y->tail, sizeof(x->tail)), 0);
		cr_expect_eq(a->told_missing[i], b->told_missing[i]);
		cr_expect_eq(a->told_unsent[i], b->told_unsent[i]);
	}
	cr_expect_eq(a->warned_not_after_sec, b->warned_not_after_sec);
	cr_expect_eq(a->warned_days, b->warned_days);
}

Test(forward_position, text_there_and_back)
{
	char text[SKM_FORWARD_STATE_BYTES_MAX];
	struct skm_forward_state state = sample(), found = {0}, nothing = {0};
	size_t len = skm_forward_state_format(&state, text);
	cr_assert_lt(len, sizeof(text));
	cr_assert_eq(skm_forward_state_parse(text, len, &found), 0, "%s", text);
	expect_same(&state, &found);
	len = skm_forward_state_format(&nothing, text);
	cr_assert_eq(skm_forward_state_parse(text, len, &found), 0, "%s", text);
	expect_same(&nothing, &found);
	cr_expect_str_eq(text, "sekimori-forward 1\n"
			       "agent segment=0 offset=0 n=0 missing=0/0 unsent=0/0 tail=\n"
			       "auth segment=0 offset=0 n=0 missing=0/0 unsent=0/0 tail=\n"
			       "certificate not_after=0 warned_days=0\n");
}

Test(forward_position, no_part_of_it_is_believed)
{
	char text[SKM_FORWARD_STATE_BYTES_MAX];
	struct skm_forward_state state = sample(), found = {.warned_days = 7};
	size_t len = skm_forward_state_format(&state, text);
	for (size_t cut = 0; cut < len; cut++)
		cr_expect_eq(skm_forward_state_parse(text, cut, &found), -EBADMSG, "%zu bytes", cut);
	cr_expect_eq(skm_forward_state_parse(text, len + 1, &found), -EBADMSG, "more behind it");
	cr_expect_eq(found.warned_days, 7, "left alone");
}

/* `text` with `from` replaced by `to`. */
static int parse_changed(const char *from, const char *to)
{
	char text[SKM_FORWARD_STATE_BYTES_MAX], changed[2 * SKM_FORWARD_STATE_BYTES_MAX];
	struct skm_forward_state state = sample(), found;
	(void)skm_forward_state_format(&state, text);
	const char *at = strstr(text, from);
	cr_assert_not_null(at, "%s is not in %s", from, text);
	int n = snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return skm_forward_state_parse(changed, (size_t)n, &found);
}

Test(forward_position, refuses)
{
	static const char *const changes[][2] = {
		{"forward 1", "forward 2"},
		{"segment=3", "segment=03"},
		{"segment=3", "segment=-3"},
		{"segment=3", "segment=4294967296"},
		{"segment=3", "segment=0"}, /* an offset in no segment */
		{"offset=12345", "offset=0"},
		{"offset=12345", "offset=3"}, /* no room for its own tail */
		{"offset=12345", "offset=9223372036854775808"},
		{"n=42", "n=18446744073709551616"},
		{"n=42", "n="},
		{"missing=5/7", "missing=8/7"}, /* told more than there was */
		{"unsent=2/2", "unsent=3/2"},
		{"tail=f0f7fe", "tail=f0f7f"},
		{"tail=f0f7fe", "tail=f0f7FE"},
		{"tail=f0f7fe", "tail=f0f7zz"},
		{"warned_days=30", "warned_days=30 "},
		{"auth ", "agent "},
	};
	cr_assert_eq(parse_changed("n=42", "n=43"), 0);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(changes); i++)
		cr_expect_eq(parse_changed(changes[i][0], changes[i][1]), -EBADMSG, "%s", changes[i][1]);
	char tail[2 * SKM_POSITION_TAIL_BYTES + 8] = "tail=";
	memset(tail + 5, 'a', 2 * SKM_POSITION_TAIL_BYTES + 2);
	cr_expect_eq(parse_changed("tail=f0f7fe", tail), -EBADMSG, "too long a tail");
}

Test(forward_position, stream_names)
{
	cr_expect_str_eq(skm_forward_stream_to_string(SKM_FORWARD_AGENT), "agent");
	cr_expect_str_eq(skm_forward_stream_to_string(SKM_FORWARD_AUTH), "auth");
	cr_expect_str_eq(skm_forward_stream_to_string(SKM_FORWARD_STREAM_COUNT_), "unknown");
}

/* ---- on disk ---- */

static char root[TMPDIR_BYTES];
static int folder;

static void setup(void)
{
	tmpdir_make(root);
	folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(folder, 0);
}

static void teardown(void)
{
	(void)close(folder);
	tmpdir_remove(root);
}

TestSuite(forward_state_file, .init = setup, .fini = teardown);

Test(forward_state_file, saved_and_loaded)
{
	struct skm_forward_state state = sample(), found = {0};
	cr_expect_eq(skm_forward_state_load(folder, &found), SKM_FORWARD_STATE_NEW);
	cr_assert_eq(skm_forward_state_save(folder, &state), 0);
	cr_assert_eq(skm_forward_state_load(folder, &found), 0);
	expect_same(&state, &found);
	state.acknowledged[0].offset++;
	cr_assert_eq(skm_forward_state_save(folder, &state), 0);
	cr_assert_eq(skm_forward_state_load(folder, &found), 0);
	cr_expect_eq(found.acknowledged[0].offset, 12346);
	struct stat st;
	cr_assert_eq(fstatat(folder, "state", &st, 0), 0);
	cr_expect_eq(st.st_mode & 07777, 0644);
	cr_expect_eq(fstatat(folder, "state.new", &st, 0), -1, "nothing is left beside it");
}

Test(forward_state_file, damaged)
{
	struct skm_forward_state found = {.warned_days = 7};
	tmpdir_write(root, "sekimori-forward 1\nagent", "state");
	cr_expect_eq(skm_forward_state_load(folder, &found), SKM_FORWARD_STATE_DAMAGED);
	char large[SKM_FORWARD_STATE_BYTES_MAX + 100];
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	tmpdir_write(root, large, "state");
	cr_expect_eq(skm_forward_state_load(folder, &found), SKM_FORWARD_STATE_DAMAGED);
	tmpdir_write(root, "", "state");
	cr_expect_eq(skm_forward_state_load(folder, &found), SKM_FORWARD_STATE_DAMAGED);
	cr_expect_eq(found.warned_days, 7);
}

Test(forward_state_file, a_failed_save_leaves_the_old_one)
{
	struct skm_forward_state state = sample(), found = {0};
	cr_assert_eq(skm_forward_state_save(folder, &state), 0);
	state.warned_days = 7;
	/* A file of more than 10 bytes cannot be written: as on a full disk, some of them are. */
	struct rlimit limit = {10, 10};
	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(skm_forward_state_save(folder, &state), -EFBIG);
	cr_assert_eq(skm_forward_state_load(folder, &found), 0);
	cr_expect_eq(found.warned_days, 30);
}

Test(forward_state_file, a_draft_that_is_a_link_is_not_followed)
{
	struct skm_forward_state state = sample();
	tmpdir_write(root, "precious", "victim");
	cr_assert_eq(symlinkat("victim", folder, "state.new"), 0);
	cr_expect_eq(skm_forward_state_save(folder, &state), -ELOOP);
	tmpdir_expect(root, "precious", "victim");
}
