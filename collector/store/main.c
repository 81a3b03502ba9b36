// SPDX-License-Identifier: Apache-2.0
/* Arguments in, exit status out, and between them lines from rsyslog's omprog, one answer for each. */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "byte_buffer.h"
#include "collector.h"
#include "sekimori/io.h"
#include "sekimori/language.h"
#include "sekimori/log.h"
#include "sekimori/parse.h"
#include "terminal_table.h"

#define FOLDER "/var/lib/sekimori-store"
#define TERMINALS "/etc/sekimori-collector/terminals"
#define READ_BYTES 65536
#define LINE_MAX_BYTES ((size_t)8 << 20) /* 128 kB of text, each byte escaped, fit many times */
#define LINES_BETWEEN_TICKS 256
#define TICK_MS 1000
#define SILENT_MIN_MS 60000
#define SILENT_MAX_MS (UINT64_C(7) * 24 * 3600 * 1000)

struct arguments {
	struct skm_collector_options collector;
	struct skm_table_options status;
	enum skm_language language;
	const char *log_path;
	uint8_t verifier_key[SKM_CHAIN_PUBLIC_KEY_BYTES];
	bool wants_status, wants_position, wants_watermarks;
};

static const char usage_en[] =
	"usage: sekimori-store [--mail ADDRESS] [--silent-after 20min] [--verifier-key HEX]\n"
	"                                                                rsyslog (omprog) runs this\n"
	"       sekimori-store --status [--json | --csv]                 what is known of each terminal\n"
	"       sekimori-store --position                                how far the records may be loaded\n"
	"       sekimori-store --watermarks                              what sekimori-verify has to find at least\n"
	"       --folder DIR   --log FILE   --sendmail FILE   --terminals FILE   --lang ja|en   --version   --help\n";
static const char usage_ja[] =
	"使い方: sekimori-store [--mail ADDRESS] [--silent-after 20min] [--verifier-key HEX]\n"
	"                                                                rsyslog（omprog）が実行します\n"
	"        sekimori-store --status [--json | --csv]                端末ごとの収集状況\n"
	"        sekimori-store --position                               取り込み可能な位置\n"
	"        sekimori-store --watermarks                             sekimori-verify が少なくとも見つけるべき位置\n"
	"        --folder DIR   --log FILE   --sendmail FILE   --terminals FILE   --lang ja|en   --version   --help\n";

static const struct option options[] = {{"folder", required_argument, NULL, 'f'},
	{"mail", required_argument, NULL, 'm'}, {"sendmail", required_argument, NULL, 's'},
	{"silent-after", required_argument, NULL, 'q'}, {"verifier-key", required_argument, NULL, 'k'},
	{"status", no_argument, NULL, 'S'}, {"position", no_argument, NULL, 'p'},
	{"watermarks", no_argument, NULL, 'w'}, {"json", no_argument, NULL, 'j'},
	{"csv", no_argument, NULL, 'c'}, {"terminals", required_argument, NULL, 't'},
	{"log", required_argument, NULL, 'L'}, {"lang", required_argument, NULL, 'l'},
	{"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};

static bool take_silence(const char *text, struct arguments *arguments)
{
	uint64_t limit_ms = 0;
	if (skm_parse_duration_ms(text, SILENT_MIN_MS, SILENT_MAX_MS, &limit_ms) < 0) {
		(void)fprintf(stderr, "--silent-after: found: %s; allowed: 1min - 7d, such as 20min\n", text);
		return false;
	}
	arguments->collector.silent_after_sec = (int64_t)(limit_ms / 1000);
	return true;
}

/* It becomes a line of a mail's head. */
static bool take_address(const char *text, struct arguments *arguments)
{
	for (const char *at = text; *at; at++) {
		if (*at <= ' ' || *at > '~') {
			(void)fprintf(stderr, "--mail: found: a blank or a letter beyond ASCII; allowed: one "
					      "address, such as audit@example.lg.jp\n");
			return false;
		}
	}
	arguments->collector.mail_to = text[0] ? text : NULL;
	return true;
}

static bool take_key(const char *text, struct arguments *arguments)
{
	if (strlen(text) != 2 * sizeof(arguments->verifier_key) ||
		skm_hex_parse(text, sizeof(arguments->verifier_key), arguments->verifier_key) < 0) {
		(void)fprintf(stderr, "--verifier-key: allowed: 64 hex digits in small letters\n");
		return false;
	}
	arguments->collector.verifier_key = arguments->verifier_key;
	return true;
}

static bool take_language(const char *text, struct arguments *arguments)
{
	if (skm_language_from_string(text, &arguments->language) == 0)
		return true;
	(void)fprintf(stderr, "--lang: found: %s; allowed: ja, en\n", text);
	return false;
}

/* False: not an option with a value, or a wrong value (then *ret_status is 2). */
static bool take_value(int option, struct arguments *arguments, int *ret_status)
{
	bool is_right = true;
	switch (option) {
	case 'f':
		arguments->collector.folder = optarg;
		return true;
	case 's':
		arguments->collector.sendmail = optarg;
		return true;
	case 't':
		arguments->status.terminals_path = optarg;
		return true;
	case 'L':
		arguments->log_path = optarg;
		return true;
	case 'm':
		is_right = take_address(optarg, arguments);
		break;
	case 'q':
		is_right = take_silence(optarg, arguments);
		break;
	case 'k':
		is_right = take_key(optarg, arguments);
		break;
	case 'l':
		is_right = take_language(optarg, arguments);
		break;
	default:
		return false;
	}
	if (!is_right)
		*ret_status = 2;
	return is_right;
}

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
	int status = -1;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >=
			 0;) { // NOLINT(concurrency-mt-unsafe)
		if (take_value(option, arguments, &status))
			continue;
		if (status >= 0)
			return status;
		switch (option) {
		case 'S':
			arguments->wants_status = true;
			break;
		case 'p':
			arguments->wants_position = true;
			break;
		case 'w':
			arguments->wants_watermarks = true;
			break;
		case 'j':
			arguments->status.form = SKM_TABLE_JSON;
			break;
		case 'c':
			arguments->status.form = SKM_TABLE_CSV;
			break;
		case 'v':
			(void)printf("sekimori-store %s\n", SKM_VERSION);
			return 0;
		case 'h':
			(void)fputs(skm_text(arguments->language, usage_ja, usage_en), stdout);
			return 0;
		default:
			return 2; /* getopt has said why */
		}
	}
	if (optind == argc)
		return -1;
	(void)fputs(skm_text(arguments->language, usage_ja, usage_en), stderr);
	return 2;
}

/* ---- the line to rsyslog ---- */

static int answer(const char *word)
{
	char line[256];
	int len = snprintf(line, sizeof(line), "%s\n", word);
	return skm_fd_write_all(STDOUT_FILENO, line, (size_t)len);
}

/* Answers every whole line in `text` and leaves the rest. */
static int answer_lines(struct skm_collector *collector, struct skm_bytes *text)
{
	size_t from = 0;
	unsigned lines = 0;
	for (;;) {
		char *newline = memchr(text->data + from, '\n', text->len - from);
		if (!newline)
			break;
		size_t len = (size_t)(newline - (text->data + from));
		int r = answer(skm_collector_line(collector, text->data + from, len));
		if (r < 0)
			return r;
		from += len + 1;
		if (++lines % LINES_BETWEEN_TICKS == 0)
			skm_collector_tick(collector);
	}
	memmove(text->data, text->data + from, text->len - from);
	text->len -= from;
	return text->len > LINE_MAX_BYTES ? -EMSGSIZE : 0;
}

/* 1: rsyslog closed the line. */
static int read_some(struct skm_bytes *text)
{
	int r = skm_bytes_reserve(text, READ_BYTES);
	if (r < 0)
		return r;
	ssize_t n = read(STDIN_FILENO, text->data + text->len, READ_BYTES);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	text->len += (size_t)n;
	return n == 0 ? 1 : 0;
}

/* SIGTERM and SIGINT become readable here, so that neither interrupts what is under way. */
static int open_signals(void)
{
	sigset_t stop;
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigaddset(&stop, SIGINT);
	/* rsyslog may go away in the middle of an answer: that is an error of the write, not our death. */
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0 || sigaction(SIGPIPE, &ignore, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int serve(struct skm_collector *collector)
{
	SKM_CLEANUP(skm_bytes_free) struct skm_bytes text = {.data = NULL};
	SKM_CLEANUP(skm_fd_close) int signals = open_signals();
	if (signals < 0)
		return signals;
	/* "Ready": the protocol begins with it. */
	int r = answer("OK");
	while (r == 0) {
		struct pollfd polled[] = {
			{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
		int ready = poll(polled, SKM_ARRAY_SIZE(polled), TICK_MS);
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready > 0 && polled[1].revents != 0)
			return 0;
		if (ready > 0)
			r = read_some(&text);
		if (r == 0 && ready > 0)
			r = answer_lines(collector, &text);
		skm_collector_tick(collector);
	}
	return r < 0 ? r : 0;
}

/* omprog gives its program a stderr that leads nowhere. */
static int open_log(const char *path)
{
	SKM_CLEANUP(skm_fd_close)
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
	return fd < 0 || dup2(fd, STDERR_FILENO) < 0 ? -errno : 0;
}

static int run(const struct arguments *arguments)
{
	struct skm_collector *collector = NULL;
	int l = arguments->log_path ? open_log(arguments->log_path) : 0;
	if (l < 0)
		skm_log(SKM_SEVERITY_WARNING, "cannot open %s: %s", arguments->log_path, strerrordesc_np(-l));
	int r = skm_collector_open(&arguments->collector, &collector);
	if (r < 0) {
		skm_log(SKM_SEVERITY_ALERT, "cannot open the store %s: %s", arguments->collector.folder,
			r == -EBUSY ? "another sekimori-store works there" : strerrordesc_np(-r));
		return 1;
	}
	r = serve(collector);
	if (r < 0 && r != -EPIPE)
		skm_log(SKM_SEVERITY_ALERT, "stopped: %s", strerrordesc_np(-r));
	collector = skm_collector_close(collector);
	return r < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.language = skm_language_from_environment(), .status = {.terminals_path = TERMINALS}};
	skm_collector_options_default(&arguments.collector);
	arguments.collector.folder = FOLDER;
	int status = parse(argc, argv, &arguments);
	if (status >= 0)
		return status;
	(void)umask(0027);
	if (arguments.wants_position)
		return skm_table_print_position(arguments.collector.folder, stdout);
	if (arguments.wants_watermarks)
		return skm_table_print_watermarks(arguments.collector.folder, stdout);
	if (!arguments.wants_status)
		return run(&arguments);
	arguments.status.folder = arguments.collector.folder;
	arguments.status.language = arguments.language;
	return skm_table_print(&arguments.status, stdout);
}
