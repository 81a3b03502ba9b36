// SPDX-License-Identifier: Apache-2.0
/* `sekimori log show` and `log follow`: the audit records as people want to read them, or as they are
 * (--json). What is no record is counted and reported, never passed over in silence: a hole in the log is
 * what an auditor looks for. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "log_reader.h"
#include "record_view.h"
#include "sekimori/parse.h"
#include "sekimori/record.h"

#define SKM_LOG_FOLDER "/var/log/sekimori"
#define SKM_LAST_MAX 100000u
#define SKM_FOLLOW_LAST 10u

enum {
	SKM_OPTION_DIR = SKM_OPTION_VERB,
	SKM_OPTION_STREAM,
	SKM_OPTION_SINCE,
	SKM_OPTION_UNTIL,
	SKM_OPTION_EVENT,
	SKM_OPTION_USER,
	SKM_OPTION_VID_PID,
	SKM_OPTION_SERIAL,
	SKM_OPTION_PORT,
	SKM_OPTION_OUTCOME,
	SKM_OPTION_SEVERITY,
	SKM_OPTION_LAST,
	SKM_OPTION_NUMBER,
};

#define HELP_OPTIONS_JA                                                                                  \
	"  --since T, --until T   T = 2026-11-21、\"2026-11-21 09:00\"、today、yesterday、-2h 等\n" \
	"                         (--until の時刻そのものは含みません)\n"                   \
	"  --event ID             EXPORT_DENIED、AUTH_FAIL 等。何度でも書けます\n"            \
	"  --severity S           info、notice、warning、alert: これ以上のもの\n"              \
	"  --outcome O            blocked、allowed、partial、observed、logged、error\n"             \
	"  --user 利用者  --vid-pid 0781:5581  --serial 製造番号  --port 1-2\n"                   \
	"  --number N             受付番号（画面の通知にある番号）の1件\n"             \
	"  --last N               最後のN件\n"                                                       \
	"  --stream agent|auth    agent = 機器、auth = 多要素認証 (省略時 agent)\n"           \
	"  --dir DIR              記録のフォルダー (省略時 " SKM_LOG_FOLDER ")\n"                        \
	"  --json                 記録の行をそのまま出力\n"
#define HELP_OPTIONS_EN                                                                                 \
	"  --since T, --until T   T = 2026-11-21, \"2026-11-21 09:00\", today, yesterday, -2h …\n"    \
	"                         (--until itself is not included)\n"                                   \
	"  --event ID             EXPORT_DENIED, AUTH_FAIL and so on; may be repeated\n"                \
	"  --severity S           info, notice, warning, alert: this and above\n"                       \
	"  --outcome O            blocked, allowed, partial, observed, logged, error\n"                 \
	"  --user NAME  --vid-pid 0781:5581  --serial S  --port 1-2\n"                                  \
	"  --number N             the one with this receipt number, as notices on the screen have it\n" \
	"  --last N               the last N records\n"                                                 \
	"  --stream agent|auth    agent = devices, auth = second factor (default: agent)\n"             \
	"  --dir DIR              where they are (" SKM_LOG_FOLDER ")\n"                                \
	"  --json                 the lines as they are\n"

static const char show_help_ja[] =
	"使い方: sekimori log show [オプション]\n\n監査記録を表示します。\n" HELP_OPTIONS_JA
	"終了コード: 0 = 表示した、1 = 記録として読めない行があった、3 = 読めない\n";
static const char show_help_en[] =
	"Usage: sekimori log show [OPTIONS]\n\nShows audit records.\n" HELP_OPTIONS_EN
	"Exit codes: 0 = shown, 1 = some lines are no records, 3 = cannot be read\n";
static const char follow_help_ja[] =
	"使い方: sekimori log follow [オプション]\n\n監査記録の最後の10件を表示し、続きを待ちます。\n" HELP_OPTIONS_JA;
static const char follow_help_en[] =
	"Usage: sekimori log follow [OPTIONS]\n\nShows the last 10 audit records and waits for more.\n" HELP_OPTIONS_EN;

struct log_request {
	struct skm_record_filter filter;
	const char *folder, *stream;
	size_t last; /* 0 = all */
	bool follows;
};

/* The last lines that passed the filter, while the past is read. */
struct ring {
	char **lines; /* owned, `size` of them, NULL = not used yet */
	size_t size, next;
};

struct log_run {
	const struct skm_cli *cli;
	const struct log_request *request;
	struct ring ring; /* size 0: lines are printed at once */
	uint64_t broken_count;
};

static void ring_finish(struct ring *ring)
{
	for (size_t i = 0; i < ring->size; i++)
		free(ring->lines[i]);
	free(ring->lines);
	*ring = (struct ring){0};
}

static int ring_push(struct ring *ring, const char *line, size_t len)
{
	char *copy = strndup(line, len);
	if (!copy)
		return -ENOMEM;
	free(ring->lines[ring->next]);
	ring->lines[ring->next] = copy;
	ring->next = (ring->next + 1) % ring->size;
	return 0;
}

static int wrong_value(const struct skm_cli *cli, const char *option, const char *allowed)
{
	char what[128];
	(void)snprintf(
		what, sizeof(what), SKM_SAY("%s の値が正しくありません", "wrong value for %s"), option);
	return skm_cli_usage_error(cli, what, optarg, allowed);
}

static int take_time(const struct skm_cli *cli, const char *option, int64_t *ret_ms)
{
	int64_t sec = 0;
	/* Bounds that no multiplication by 1000 leaves. */
	if (skm_parse_point_in_time(optarg, (int64_t)time(NULL), &sec) < 0 || sec > INT64_MAX / 1000 ||
		sec < INT64_MIN / 1000)
		return wrong_value(cli, option,
			"2026-11-21, \"2026-11-21 09:00\", 2026-11-21T09:00:00+09:00, today, yesterday, -2h");
	*ret_ms = sec * 1000;
	return 0;
}

static int take_event(const struct skm_cli *cli, struct skm_record_filter *filter)
{
	enum skm_event event;
	if (skm_event_from_string(optarg, &event) == 0) {
		filter->events[event] = true;
		filter->has_events = true;
		return 0;
	}
	char allowed[1024];
	size_t len = 0;
	for (unsigned i = 0; i < SKM_EVENT_COUNT_ && len < sizeof(allowed); i++)
		len += (size_t)snprintf(allowed + len, sizeof(allowed) - len, "%s%s", i ? ", " : "",
			skm_event_to_string((enum skm_event)i));
	return wrong_value(cli, "--event", allowed);
}

static int take_outcome(const struct skm_cli *cli, struct skm_record_filter *filter)
{
	for (unsigned i = 0; i < SKM_OUTCOME_COUNT_; i++) {
		if (strcmp(optarg, skm_outcome_to_string((enum skm_outcome)i)) == 0) {
			filter->outcome = optarg;
			return 0;
		}
	}
	return wrong_value(cli, "--outcome", "blocked, allowed, partial, observed, logged, error");
}

static int take_last(const struct skm_cli *cli, size_t *ret_last)
{
	uint64_t last = 0;
	if (skm_parse_uint(optarg, 1, SKM_LAST_MAX, &last) < 0)
		return wrong_value(cli, "--last", "1 - 100000");
	*ret_last = (size_t)last;
	return 0;
}

static int take_number(const struct skm_cli *cli, int64_t *ret_number)
{
	uint64_t number = 0;
	if (skm_parse_uint(optarg, 1, INT64_MAX, &number) < 0)
		return wrong_value(cli, "--number", "1, 2, 3 …");
	*ret_number = (int64_t)number;
	return 0;
}

static int take_stream(const struct skm_cli *cli, const char **ret_stream)
{
	if (strcmp(optarg, "agent") != 0 && strcmp(optarg, "auth") != 0)
		return wrong_value(cli, "--stream", "agent, auth");
	*ret_stream = optarg;
	return 0;
}

static int take_option(const struct skm_cli *cli, int option, struct log_request *request)
{
	struct skm_record_filter *filter = &request->filter;
	switch (option) {
	case SKM_OPTION_DIR:
		request->folder = optarg;
		return 0;
	case SKM_OPTION_STREAM:
		return take_stream(cli, &request->stream);
	case SKM_OPTION_SINCE:
		return take_time(cli, "--since", &filter->since_ms);
	case SKM_OPTION_UNTIL:
		return take_time(cli, "--until", &filter->until_ms);
	case SKM_OPTION_EVENT:
		return take_event(cli, filter);
	case SKM_OPTION_USER:
		filter->user = optarg;
		return 0;
	case SKM_OPTION_VID_PID:
		filter->vid_pid = optarg;
		return 0;
	case SKM_OPTION_SERIAL:
		filter->serial = optarg;
		return 0;
	case SKM_OPTION_PORT:
		filter->port = optarg;
		return 0;
	case SKM_OPTION_OUTCOME:
		return take_outcome(cli, filter);
	case SKM_OPTION_SEVERITY:
		if (skm_severity_from_string(optarg, &filter->severity_min) < 0)
			return wrong_value(cli, "--severity", "info, notice, warning, alert");
		return 0;
	case SKM_OPTION_NUMBER:
		return take_number(cli, &filter->number);
	default:
		return take_last(cli, &request->last);
	}
}

static int parse_request(
	struct skm_cli *cli, int argc, char **argv, struct log_request *request, bool *ret_is_done)
{
	static const struct option options[] = {SKM_COMMON_OPTIONS,
		{"dir", required_argument, NULL, SKM_OPTION_DIR},
		{"stream", required_argument, NULL, SKM_OPTION_STREAM},
		{"since", required_argument, NULL, SKM_OPTION_SINCE},
		{"until", required_argument, NULL, SKM_OPTION_UNTIL},
		{"event", required_argument, NULL, SKM_OPTION_EVENT},
		{"user", required_argument, NULL, SKM_OPTION_USER},
		{"vid-pid", required_argument, NULL, SKM_OPTION_VID_PID},
		{"serial", required_argument, NULL, SKM_OPTION_SERIAL},
		{"port", required_argument, NULL, SKM_OPTION_PORT},
		{"outcome", required_argument, NULL, SKM_OPTION_OUTCOME},
		{"severity", required_argument, NULL, SKM_OPTION_SEVERITY},
		{"last", required_argument, NULL, SKM_OPTION_LAST},
		{"number", required_argument, NULL, SKM_OPTION_NUMBER}, {0}};
	int exit_code = 0;
	*ret_is_done = true;
	for (int option;
		(option = skm_cli_next_option(cli, argc, argv, options, &exit_code)) != SKM_OPTION_END;) {
		if (option == SKM_OPTION_STOP)
			return exit_code;
		exit_code = take_option(cli, option, request);
		if (exit_code != 0)
			return exit_code;
	}
	exit_code = skm_cli_no_operands(cli, argc, argv);
	*ret_is_done = exit_code != 0;
	return exit_code;
}

static void print_line(
	const struct skm_cli *cli, const char *line, size_t len, const struct skm_record_view *view)
{
	if (cli->json) {
		(void)fwrite(line, 1, len, stdout);
		(void)putchar('\n');
	} else {
		skm_record_view_print(stdout, cli->language, view);
	}
}

static void report_broken(struct log_run *run)
{
	const struct skm_cli *cli = run->cli;
	run->broken_count++;
	if (run->request->follows && run->ring.size == 0)
		(void)fprintf(stderr, "sekimori: %s\n",
			SKM_SAY("記録として読めない行があります。", "a line is no record"));
}

static int take_line(struct log_run *run, const char *line, size_t len)
{
	struct skm_record_view view;
	if (skm_record_view_parse(line, len, &view) != 0) {
		report_broken(run);
		return 0;
	}
	int r = 0;
	if (skm_record_filter_accepts(&run->request->filter, &view)) {
		if (run->ring.size)
			r = ring_push(&run->ring, line, len);
		else
			print_line(run->cli, line, len, &view);
	}
	skm_record_view_finish(&view);
	return r;
}

/* From here on lines are printed as they come. */
static void print_ring(struct log_run *run)
{
	for (size_t i = 0; i < run->ring.size; i++) {
		const char *line = run->ring.lines[(run->ring.next + i) % run->ring.size];
		struct skm_record_view view;
		if (!line || skm_record_view_parse(line, strlen(line), &view) != 0)
			continue;
		print_line(run->cli, line, strlen(line), &view);
		skm_record_view_finish(&view);
	}
	ring_finish(&run->ring);
}

/* Everything that is there. 0 or -errno. */
static int read_present(struct log_run *run, struct skm_log_reader *reader)
{
	for (;;) {
		const char *line = NULL;
		size_t len = 0;
		int r = skm_log_reader_next(reader, &line, &len);
		switch (r) {
		case SKM_LOG_LINE:
			r = take_line(run, line, len);
			break;
		case SKM_LOG_DAMAGED:
			report_broken(run);
			r = 0;
			break;
		case SKM_LOG_UNFINISHED:
			/* To who follows, the rest may be on its way. */
			if (!run->request->follows)
				report_broken(run);
			r = 0;
			break;
		case SKM_LOG_WAIT:
			print_ring(run);
			return 0;
		default:
			break;
		}
		if (r < 0)
			return r;
	}
}

static int tell_failure(const struct skm_cli *cli, const char *folder, int error)
{
	int exit_code = skm_cli_failure(
		cli, SKM_SAY("監査記録を読めません:", "cannot read the audit records in"), folder, error);
	if (error == -EACCES || error == -EPERM)
		(void)fprintf(stderr, "%s\n",
			SKM_SAY("グループ sekimori-auditor に入っている必要があります。",
				"It takes membership of the group sekimori-auditor."));
	return exit_code;
}

static int tell_end(const struct log_run *run)
{
	const struct skm_cli *cli = run->cli;
	if (run->broken_count == 0)
		return SKM_EXIT_YES;
	(void)fflush(stdout);
	(void)fprintf(stderr,
		SKM_SAY("sekimori: 記録として読めない行が%llu行あります。\n",
			"sekimori: %llu lines are no records\n"),
		(unsigned long long)run->broken_count);
	return SKM_EXIT_NO;
}

static int follow(struct log_run *run, struct skm_log_reader *reader, const char *folder)
{
	int r = skm_log_reader_watch(reader);
	if (r < 0)
		return tell_failure(run->cli, folder, r);
	for (;;) {
		r = read_present(run, reader);
		if (fflush(stdout) != 0)
			return SKM_EXIT_UNKNOWN; /* main says it */
		if (r == 0)
			r = skm_log_reader_wait(reader);
		if (r < 0)
			return tell_failure(run->cli, folder, r);
	}
}

static int read_folder(struct log_run *run, const char *folder)
{
	SKM_CLEANUP(skm_log_reader_freep) struct skm_log_reader *reader = NULL;
	int r = skm_log_reader_new(folder, &reader);
	if (r == 0 && run->request->follows)
		return follow(run, reader, folder);
	if (r == 0)
		r = read_present(run, reader);
	return r < 0 ? tell_failure(run->cli, folder, r) : tell_end(run);
}

static int run_log(const struct skm_cli *cli, const struct log_request *request)
{
	struct log_run run = {.cli = cli, .request = request};
	char *folder = NULL;
	if (request->last)
		run.ring.lines = calloc(request->last, sizeof(*run.ring.lines));
	run.ring.size = run.ring.lines ? request->last : 0;
	if ((request->last && !run.ring.lines) ||
		asprintf(&folder, "%s/%s", request->folder, request->stream) < 0) {
		ring_finish(&run.ring);
		return tell_failure(cli, request->folder, -ENOMEM);
	}
	int exit_code = read_folder(&run, folder);
	free(folder);
	ring_finish(&run.ring);
	return exit_code;
}

static int run_verb(struct skm_cli *cli, int argc, char **argv, struct log_request *request)
{
	bool is_done = false;
	int exit_code = parse_request(cli, argc, argv, request, &is_done);
	return is_done ? exit_code : run_log(cli, request);
}

int skm_verb_log_show(struct skm_cli *cli, int argc, char **argv)
{
	struct log_request request = {
		.filter = SKM_RECORD_FILTER_ALL, .folder = SKM_LOG_FOLDER, .stream = "agent"};
	cli->japanese_help = show_help_ja;
	cli->english_help = show_help_en;
	return run_verb(cli, argc, argv, &request);
}

int skm_verb_log_follow(struct skm_cli *cli, int argc, char **argv)
{
	struct log_request request = {.filter = SKM_RECORD_FILTER_ALL,
		.folder = SKM_LOG_FOLDER,
		.stream = "agent",
		.last = SKM_FOLLOW_LAST,
		.follows = true};
	cli->japanese_help = follow_help_ja;
	cli->english_help = follow_help_en;
	return run_verb(cli, argc, argv, &request);
}
