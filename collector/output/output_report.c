// SPDX-License-Identifier: Apache-2.0
/* From the files of both sides, so that it can be asked while the output is stopped or hangs. */
#include "output_report.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "delivery.h"
#include "sekimori/json.h"

#define TIME_BYTES 40

struct report {
	struct skm_output_state state;
	struct skm_day_position stored;
	uint64_t behind_bytes;
	char sent_name[SKM_DAY_NAME_BYTES], stored_name[SKM_DAY_NAME_BYTES], sent_at[TIME_BYTES],
		trouble_at[TIME_BYTES];
};

static void format_time(int64_t sec, char ret_text[TIME_BYTES])
{
	time_t time = (time_t)sec;
	struct tm local;
	if (sec == 0 || !localtime_r(&time, &local) ||
		strftime(ret_text, TIME_BYTES, "%Y-%m-%dT%H:%M:%S%z", &local) == 0)
		ret_text[0] = '\0';
}

static void format_name(const struct skm_day_position *position, char ret_name[SKM_DAY_NAME_BYTES])
{
	ret_name[0] = '\0';
	if (position->day > 0)
		skm_day_name(position->day, position->part, ret_name);
}

static int load_state(
	const struct skm_output_settings *settings, const char *folder, struct skm_output_state *state)
{
	char target[SKM_OUTPUT_TARGET_BYTES];
	SKM_CLEANUP(skm_fd_close) int folderfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folderfd < 0 && errno != ENOENT)
		return -errno;
	int r = folderfd < 0 ? SKM_OUTPUT_STATE_NEW : skm_output_state_load(folderfd, settings->kind, state);
	if (r < 0)
		return r;
	/* What another target has says nothing of this one. */
	skm_output_settings_target(settings, target);
	if (r > 0 || strcmp(state->target, target) != 0) {
		*state = (struct skm_output_state){.trouble_sec = 0};
		memcpy(state->target, target, sizeof(target));
	}
	return 0;
}

static int load(const struct skm_output_settings *settings, const char *store_folder,
	const char *state_folder, struct report *report)
{
	int r = load_state(settings, state_folder, &report->state);
	if (r < 0)
		return r;
	r = skm_delivery_stored_end(store_folder, &report->stored);
	if (r == 0)
		r = skm_delivery_behind(
			store_folder, &report->state.sent, &report->stored, &report->behind_bytes);
	format_name(&report->state.sent, report->sent_name);
	format_name(&report->stored, report->stored_name);
	format_time(report->state.sent_sec, report->sent_at);
	format_time(report->state.trouble_sec, report->trouble_at);
	return r < 0 ? r : 0;
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static void print_json(const struct skm_output_settings *settings, const struct report *report, FILE *file)
{
	char text[4096];
	struct skm_json json;
	skm_json_init(&json, text, sizeof(text));
	skm_json_object_begin(&json, NULL);
	skm_json_string(&json, "output", skm_output_kind_to_string(settings->kind));
	skm_json_string(&json, "target", report->state.target);
	skm_json_string(&json, "sent_file", or_null(report->sent_name));
	skm_json_uint(&json, "sent_offset", report->state.sent.offset);
	skm_json_string(&json, "stored_file", or_null(report->stored_name));
	skm_json_uint(&json, "stored_offset", report->stored.offset);
	skm_json_uint(&json, "behind_bytes", report->behind_bytes);
	skm_json_uint(&json, "records", report->state.records);
	skm_json_uint(&json, "not_records", report->state.strange);
	skm_json_string(&json, "sent_at", or_null(report->sent_at));
	skm_json_string(&json, "trouble_since", or_null(report->trouble_at));
	skm_json_string(&json, "trouble", or_null(report->state.trouble));
	skm_json_object_end(&json);
	(void)fprintf(file, "%s\n", text);
}

static void print_text(const struct report *report, enum skm_language language, FILE *file)
{
	(void)fprintf(file,
		skm_text(language, "%s\n    送信 %" PRIu64 " 件、最終 %s、未送信 %" PRIu64 " バイト\n",
			"%s\n    %" PRIu64 " records sent, the last at %s, %" PRIu64 " bytes are left\n"),
		report->state.target, report->state.records, report->sent_at[0] ? report->sent_at : "-",
		report->behind_bytes);
	if (report->state.strange > 0)
		(void)fprintf(file,
			skm_text(language,
				"    送信対象外の行 %" PRIu64 " 件（記録でないか、どの形でも拒否）\n",
				"    %" PRIu64
				" lines were left out: no records, or refused in every form\n"),
			report->state.strange);
	if (report->state.trouble_sec != 0)
		(void)fprintf(file,
			skm_text(language, "    障害 %s から: %s\n", "    nothing goes since %s: %s\n"),
			report->trouble_at, report->state.trouble);
}

int skm_output_report(const struct skm_output_settings *settings, const char *store_folder,
	const char *state_folder, enum skm_language language, bool is_json, FILE *file)
{
	struct report report = {.behind_bytes = 0};
	int r = load(settings, store_folder, state_folder, &report);
	if (r < 0) {
		(void)fprintf(stderr,
			skm_text(language, "送信状況を読めません: %s\n",
				"cannot read how far the output has come: %s\n"),
			strerrordesc_np(-r));
		return 3;
	}
	if (is_json)
		print_json(settings, &report, file);
	else
		print_text(&report, language, file);
	return report.state.trouble_sec != 0 ? 1 : 0;
}
