// SPDX-License-Identifier: Apache-2.0
/* One output, run by systemd; --check and --status are what sekimori-collector asks. */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>

#include "delivery.h"
#include "output_report.h"
#include "sekimori/chain.h"
#include "sekimori/io.h"
#include "sekimori/log.h"
#include "sekimori/notify.h"

#define STORE "/var/lib/sekimori-store"
#define STATE "/var/lib/sekimori-output"
#define IDLE_MS 1000
#define AGAIN_FIRST_MS 200
#define AGAIN_MAX_MS 30000

struct arguments {
	const char *config, *store, *state, *credentials;
	enum skm_language language;
	bool wants_check, wants_status, wants_json;
};

struct program {
	struct arguments arguments;
	struct skm_output_settings settings;
	struct skm_sink_secrets secrets;
	int signals;
	bool is_stopping;
	struct skm_delivery *delivery; /* while there is one */
};

static const char usage_en[] =
	"usage: sekimori-collector-output --config FILE [--store DIR] [--state DIR] [--credentials DIR]\n"
	"       sekimori-collector-output --config FILE --check | --status [--json]\n"
	"systemd and \"sekimori-collector output\" run this\n";
static const char usage_ja[] =
	"使い方: sekimori-collector-output --config FILE [--store DIR] [--state DIR] [--credentials DIR]\n"
	"        sekimori-collector-output --config FILE --check | --status [--json]\n"
	"systemd と「sekimori-collector output」が実行します\n";

static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	{"store", required_argument, NULL, 's'}, {"state", required_argument, NULL, 'S'},
	{"credentials", required_argument, NULL, 'C'}, {"check", no_argument, NULL, 'k'},
	{"status", no_argument, NULL, 't'}, {"json", no_argument, NULL, 'j'},
	{"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >=
			 0;) { // NOLINT(concurrency-mt-unsafe)
		switch (option) {
		case 'c':
			arguments->config = optarg;
			break;
		case 's':
			arguments->store = optarg;
			break;
		case 'S':
			arguments->state = optarg;
			break;
		case 'C':
			arguments->credentials = optarg;
			break;
		case 'k':
			arguments->wants_check = true;
			break;
		case 't':
			arguments->wants_status = true;
			break;
		case 'j':
			arguments->wants_json = true;
			break;
		case 'v':
			(void)printf("sekimori-collector-output %s\n", SKM_VERSION);
			return 0;
		case 'h':
			(void)fputs(skm_text(arguments->language, usage_ja, usage_en), stdout);
			return 0;
		default:
			return 2; /* getopt has said why */
		}
	}
	if (optind == argc && arguments->config)
		return -1;
	(void)fputs(skm_text(arguments->language, usage_ja, usage_en), stderr);
	return 2;
}

/* ---- what it is told ---- */

static void print_fault(const struct skm_output_fault *fault, const struct arguments *arguments)
{
	enum skm_language language = arguments->language;
	(void)fprintf(stderr,
		skm_text(
			language, "%s:%u: %s: %s（使えるもの: %s）\n", "%s:%u: %s: found: %s; allowed: %s\n"),
		arguments->config, fault->line, fault->key, fault->found,
		skm_text(language, fault->allowed_ja, fault->allowed_en)); // NOLINT: no format of ours
}

static bool read_settings(struct program *program)
{
	const struct arguments *arguments = &program->arguments;
	struct skm_output_fault fault;
	SKM_CLEANUP(skm_free) char *text = NULL;
	size_t len = 0;
	int r = skm_file_read_trusted(arguments->config, SKM_OUTPUT_SETTINGS_BYTES_MAX, &text, &len);
	if (r != 0) {
		(void)fprintf(stderr,
			skm_text(arguments->language, "%s を読めません: %s\n", "cannot read %s: %s\n"),
			arguments->config, r < 0 ? strerrordesc_np(-r) : "owner, mode or size");
		return false;
	}
	r = skm_output_settings_parse(text, len, &program->settings, &fault);
	if (r == 0)
		return true;
	print_fault(&fault, arguments);
	return false;
}

/* From the folder that systemd makes (LoadCredential=): root's files, which only this process can read. */
static bool read_secrets(struct program *program)
{
	const char *folder = program->arguments.credentials;
	struct skm_sink_secrets *secrets = &program->secrets;
	struct stat st;
	size_t len = 0;
	if (!folder)
		folder = secure_getenv("CREDENTIALS_DIRECTORY");
	SKM_CLEANUP(skm_fd_close) int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd >= 0 &&
		skm_file_read_at(fd, "password", secrets->password, sizeof(secrets->password), &len) == 0)
		secrets->password[strcspn(secrets->password, "\r\n")] = '\0';
	else
		secrets->password[0] = '\0';
	if (fd >= 0 && fstatat(fd, "certificate", &st, 0) == 0 && st.st_size > 0)
		(void)snprintf(secrets->certificate, sizeof(secrets->certificate), "%s/certificate", folder);
	if (!program->settings.user[0] || secrets->password[0])
		return true;
	skm_log(SKM_SEVERITY_ALERT, "there is no password for %s", program->settings.user);
	return false;
}

/* ---- the loop ---- */

static int open_signals(void)
{
	sigset_t stop;
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigaddset(&stop, SIGINT);
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0 || sigaction(SIGPIPE, &ignore, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* Waits for a signal. */
static bool wait_ms(struct program *program, int timeout_ms)
{
	struct pollfd polled = {.fd = program->signals, .events = POLLIN};
	if (poll(&polled, 1, timeout_ms) > 0)
		program->is_stopping = true;
	return program->is_stopping;
}

static bool is_stopping(void *user)
{
	return wait_ms(user, 0);
}

static int64_t now_sec(void *user)
{
	(void)user;
	return (int64_t)time(NULL);
}

/* Before there is a delivery whose state could hold it. */
static void tell(void *user, const char *trouble)
{
	const struct program *program = user;
	if (program->delivery)
		skm_delivery_tell(program->delivery, trouble);
	else
		skm_log(SKM_SEVERITY_ALERT, "cannot begin: %s", trouble);
}

static int serve(struct program *program)
{
	int again_ms = AGAIN_FIRST_MS;
	while (!is_stopping(program)) {
		int r = skm_delivery_step(program->delivery);
		if (r < 0)
			return r;
		if (r == SKM_DELIVERY_MISFIT)
			tell(program, "the day files are not those that were sent from: "
				      "\"sekimori-collector output KIND --rebuild\" begins anew");
		if (r == SKM_DELIVERY_AGAIN || r == SKM_DELIVERY_MISFIT) {
			(void)wait_ms(program, again_ms);
			again_ms = again_ms * 2 > AGAIN_MAX_MS ? AGAIN_MAX_MS : again_ms * 2;
			continue;
		}
		again_ms = AGAIN_FIRST_MS;
		if (r == SKM_DELIVERY_IDLE)
			(void)wait_ms(program, IDLE_MS);
	}
	return 0;
}

static int deliver(struct program *program, const struct skm_sink *sink)
{
	const struct skm_delivery_options delivery_options = {.store_folder = program->arguments.store,
		.state_folder = program->arguments.state,
		.settings = &program->settings,
		.sink = *sink,
		.is_stopping = is_stopping,
		.now_sec = now_sec,
		.user = program};
	int r = skm_delivery_open(&delivery_options, &program->delivery);
	if (r < 0)
		return r;
	if (r == SKM_DELIVERY_OTHER_TARGET)
		skm_log(SKM_SEVERITY_NOTICE, "another target than before: begins at the first record");
	if (r == SKM_DELIVERY_DAMAGED)
		skm_log(SKM_SEVERITY_WARNING, "the position cannot be read: begins at the first record");
	(void)skm_notify("READY=1");
	r = serve(program);
	program->delivery = skm_delivery_close(program->delivery);
	return r;
}

static int run(struct program *program)
{
	struct skm_sink sink = {.state = NULL};
	const struct skm_sink_host host = {.is_stopping = is_stopping, .tell = tell, .user = program};
	if (!read_secrets(program))
		return 2;
	SKM_CLEANUP(skm_fd_close) int signals = open_signals();
	int r = signals < 0 ? signals : skm_chain_start();
	program->signals = signals;
	if (r == 0)
		r = program->settings.kind == SKM_OUTPUT_KAFKA
			    ? skm_kafka_open(&program->settings, &program->secrets, &host, &sink)
			    : skm_opensearch_open(&program->settings, &program->secrets, &host, &sink);
	if (r == 0)
		r = deliver(program, &sink);
	if (sink.state)
		sink.close(sink.state);
	explicit_bzero(&program->secrets, sizeof(program->secrets));
	if (r < 0)
		skm_log(SKM_SEVERITY_ALERT, "stopped: %s", strerrordesc_np(-r));
	return r < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct program program = {
		.arguments = {.store = STORE, .state = STATE, .language = skm_language_from_environment()},
		.signals = -1};
	const struct arguments *arguments = &program.arguments;
	int status = parse(argc, argv, &program.arguments);
	if (status >= 0)
		return status;
	if (!read_settings(&program))
		return 2;
	(void)umask(0027);
	if (arguments->wants_check)
		return 0;
	if (arguments->wants_status && skm_chain_start() < 0)
		return 3;
	if (arguments->wants_status)
		return skm_output_report(&program.settings, arguments->store, arguments->state,
			arguments->language, arguments->wants_json, stdout);
	return run(&program);
}
