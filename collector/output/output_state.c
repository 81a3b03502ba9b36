// SPDX-License-Identifier: Apache-2.0
/* The position is only ever behind what the other side has: it is written after the answer. Written beside,
 * synced, renamed. A damaged one is told and everything is sent again, since a second time harms nobody and a
 * hole would. */
#include "output_state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sekimori/io.h"

size_t skm_output_state_format(
	const struct skm_output_state *state, char ret_text[SKM_OUTPUT_STATE_BYTES_MAX])
{
	char name[SKM_DAY_NAME_BYTES] = "-", trouble[SKM_OUTPUT_TROUBLE_BYTES];
	if (state->sent.day > 0)
		skm_day_name(state->sent.day, state->sent.part, name);
	(void)snprintf(trouble, sizeof(trouble), "%s", state->trouble);
	for (char *at = trouble; *at; at++) {
		if (*at < ' ' || *at > '~')
			*at = '?';
	}
	return (size_t)snprintf(ret_text, SKM_OUTPUT_STATE_BYTES_MAX,
		"target=%s\nfile=%s\noffset=%" PRIu64 "\ntail=%s\nrecords=%" PRIu64 "\nstrange=%" PRIu64
		"\nsent_at=%" PRId64 "\ntrouble_since=%" PRId64 "\ntrouble=%s\n",
		state->target, name, state->sent.offset, state->tail, state->records, state->strange,
		state->sent_sec, state->trouble_sec, trouble);
}

/* The value of the next line, which has to be of `key`; NULL when it is not. Ends it with a NUL. */
static char *take_value(char **text, const char *key)
{
	size_t len = strlen(key);
	if (strncmp(*text, key, len) != 0 || (*text)[len] != '=')
		return NULL;
	char *value = *text + len + 1;
	char *end = strchr(value, '\n');
	if (!end)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return value;
}

static bool take_text(char **text, const char *key, char *ret_value, size_t size)
{
	const char *value = take_value(text, key);
	if (!value || strlen(value) >= size)
		return false;
	memcpy(ret_value, value, strlen(value) + 1);
	return true;
}

static bool take_number(char **text, const char *key, uint64_t *ret_number)
{
	const char *value = take_value(text, key);
	if (!value || value[0] < '0' || value[0] > '9')
		return false;
	*ret_number = strtoull(value, NULL, 10);
	return true;
}

static bool take_time(char **text, const char *key, int64_t *ret_sec)
{
	uint64_t number = 0;
	if (!take_number(text, key, &number) || number > INT64_MAX)
		return false;
	*ret_sec = (int64_t)number;
	return true;
}

int skm_output_state_parse(const char *text, size_t len, struct skm_output_state *ret_state)
{
	struct skm_output_state state = {0};
	char copy[SKM_OUTPUT_STATE_BYTES_MAX], again[SKM_OUTPUT_STATE_BYTES_MAX], name[SKM_DAY_NAME_BYTES];
	char *at = copy;
	if (len >= sizeof(copy))
		return -EBADMSG;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!take_text(&at, "target", state.target, sizeof(state.target)) ||
		!take_text(&at, "file", name, sizeof(name)) ||
		!take_number(&at, "offset", &state.sent.offset) ||
		!take_text(&at, "tail", state.tail, sizeof(state.tail)) ||
		!take_number(&at, "records", &state.records) ||
		!take_number(&at, "strange", &state.strange) || !take_time(&at, "sent_at", &state.sent_sec) ||
		!take_time(&at, "trouble_since", &state.trouble_sec) ||
		!take_text(&at, "trouble", state.trouble, sizeof(state.trouble)))
		return -EBADMSG;
	if (strcmp(name, "-") != 0 && skm_day_parse(name, &state.sent.day, &state.sent.part) < 0)
		return -EBADMSG;
	/* Every number in its one spelling, nothing behind the last line. */
	if (skm_output_state_format(&state, again) != len || memcmp(again, text, len) != 0)
		return -EBADMSG;
	*ret_state = state;
	return 0;
}

static void name_file(enum skm_output_kind kind, const char *end, char ret_name[32])
{
	(void)snprintf(ret_name, 32, "%s.state%s", skm_output_kind_to_string(kind), end);
}

int skm_output_state_load(int folderfd, enum skm_output_kind kind, struct skm_output_state *ret_state)
{
	char name[32], text[SKM_OUTPUT_STATE_BYTES_MAX];
	size_t len = 0;
	name_file(kind, "", name);
	int r = skm_file_read_at(folderfd, name, text, sizeof(text), &len);
	if (r == -ENOENT)
		return SKM_OUTPUT_STATE_NEW;
	if (r == 0)
		r = skm_output_state_parse(text, len, ret_state);
	return r == -EBADMSG || r == -EFBIG ? SKM_OUTPUT_STATE_DAMAGED : r;
}

int skm_output_state_save(int folderfd, enum skm_output_kind kind, const struct skm_output_state *state)
{
	char name[32], draft[32], text[SKM_OUTPUT_STATE_BYTES_MAX];
	size_t len = skm_output_state_format(state, text);
	name_file(kind, "", name);
	name_file(kind, ".new", draft);
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(folderfd, draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	int r = skm_fd_write_all(fd, text, len);
	if (r < 0)
		return r;
	if (fdatasync(fd) < 0 || renameat(folderfd, draft, folderfd, name) < 0)
		return -errno;
	return 0;
}
