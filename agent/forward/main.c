// SPDX-License-Identifier: Apache-2.0
/* Arguments in, the forwarder with the machine's own clock, chance and control socket, signals, exit status
 * out. Nothing that happens on the network ends it. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>

#include "forwarder.h"
#include "sekimori/chain.h"
#include "sekimori/language.h"
#include "sekimori/log.h"
#include "sekimori/notify.h"

#define OPEN_TIMEOUT_MS 30000u
/* The collector answers when its disk has synced, for all terminals in turn. */
#define ANSWER_TIMEOUT_MS 60000u
/* At a shutdown the agent's last records come within this. */
#define QUIET_MS 1500u
#define END_MS 5000u
#define TELL_TIMEOUT_MS 2000u

static const char usage_en[] =
	"usage: sekimori-forward                        send the audit records to the collector (systemd runs this)\n"
	"       --config FILE   --log FOLDER   --state FOLDER   --control SOCKET   --boot-id HEX\n"
	"       --lang ja|en   --version   --help\n";
static const char usage_ja[] =
	"使い方: sekimori-forward                       監査記録を収集サーバーへ送信（systemd が実行します）\n"
	"        --config FILE   --log FOLDER   --state FOLDER   --control SOCKET   --boot-id HEX\n"
	"        --lang ja|en   --version   --help\n";

struct arguments {
	enum skm_language language;
	const char *config_path, *log_root, *state_folder, *control_path, *boot_id;
};

static bool take_boot_id(const char *text, struct arguments *arguments)
{
	uint8_t bytes[(SKM_BOOT_ID_BYTES - 1) / 2];
	if (strlen(text) != SKM_BOOT_ID_BYTES - 1 || skm_hex_parse(text, sizeof(bytes), bytes) < 0) {
		(void)fprintf(stderr, "--boot-id: found: %s; allowed: 32 hex digits\n", text);
		return false;
	}
	arguments->boot_id = text;
	return true;
}

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"log", required_argument, NULL, 'L'}, {"state", required_argument, NULL, 'S'},
		{"control", required_argument, NULL, 's'}, {"boot-id", required_argument, NULL, 'b'},
		{"lang", required_argument, NULL, 'l'}, {"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'}, {0}};
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >=
			 0;) { // NOLINT(concurrency-mt-unsafe)
		switch (option) {
		case 'c':
			arguments->config_path = optarg;
			break;
		case 'L':
			arguments->log_root = optarg;
			break;
		case 'S':
			arguments->state_folder = optarg;
			break;
		case 's':
			arguments->control_path = optarg;
			break;
		case 'b':
			if (!take_boot_id(optarg, arguments))
				return 2;
			break;
		case 'l':
			if (skm_language_from_string(optarg, &arguments->language) == 0)
				break;
			(void)fprintf(stderr, "--lang: found: %s; allowed: ja, en\n", optarg);
			return 2;
		case 'v':
			(void)printf("sekimori-forward %s\n", SKM_VERSION);
			return 0;
		case 'h':
			(void)fputs(skm_text(arguments->language, usage_ja, usage_en), stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (optind == argc)
		return -1;
	(void)fputs(skm_text(arguments->language, usage_ja, usage_en), stderr);
	return 2;
}

struct service {
	const struct arguments *arguments;
	struct skm_clock clock;
	struct skm_loop *loop;
	struct skm_forwarder *forwarder;
	int signal_fd;
	struct skm_source *signals, *watchdog;
};

/* ---- what the forwarder asks of the world ---- */

static uint64_t machine_random(void *user)
{
	(void)user;
	uint64_t value = 0;
	struct timespec now = {0};
	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) == (ssize_t)sizeof(value))
		return value;
	/* The pool is not ready yet: it is no secret, it only must not be the same everywhere. */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_nsec ^ (uint64_t)getpid() << 32;
}

static int tell_agent(void *user, const struct skm_forward_notice *notice)
{
	const struct service *service = user;
	return skm_control_tell(service->arguments->control_path, notice, TELL_TIMEOUT_MS);
}

/* ---- life ---- */

static int load_config(struct service *service, struct skm_config **ret_config)
{
	struct skm_config_error error;
	struct skm_timestamp now;
	service->clock.now(service->clock.user, &now);
	int r = skm_config_load_file(service->arguments->config_path,
		now.realtime_usec / (int64_t)SKM_USEC_PER_SEC, ret_config, &error);
	if (r == SKM_CONFIG_INVALID) {
		char text[1024];
		(void)skm_config_error_format(&error, SKM_LANGUAGE_EN, text, sizeof(text));
		skm_log(SKM_SEVERITY_ALERT, "cannot use the configuration: %s", text);
	} else if (r < 0) {
		skm_log(SKM_SEVERITY_ALERT, "cannot load the configuration %s: %s",
			service->arguments->config_path, strerrordesc_np(-r));
	}
	return r;
}

static void reload(struct service *service)
{
	struct skm_config *config = NULL;
	(void)skm_notify("RELOADING=1");
	if (load_config(service, &config) == 0)
		skm_forwarder_reconfigure(service->forwarder, &config);
	(void)skm_notify("READY=1");
}

static int on_signal(struct skm_source *source, uint32_t events, void *user)
{
	(void)events;
	struct service *service = user;
	struct signalfd_siginfo info;
	if (read(skm_source_fd(source), &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGHUP) {
		reload(service);
	} else {
		(void)skm_notify("STOPPING=1");
		skm_forwarder_end(service->forwarder);
	}
	return 0;
}

static int on_watchdog(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	(void)user;
	(void)skm_notify("WATCHDOG=1");
	return 0;
}

static int add_sources(struct service *service)
{
	sigset_t mask;
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	service->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (service->signal_fd < 0)
		return -errno;
	int r = skm_loop_add_fd(
		service->loop, service->signal_fd, EPOLLIN, on_signal, service, &service->signals);
	uint64_t watchdog_ms = skm_notify_watchdog_usec() / 2000;
	if (r == 0 && watchdog_ms > 0) {
		r = skm_loop_add_timer(
			service->loop, CLOCK_MONOTONIC, on_watchdog, service, &service->watchdog);
		if (r == 0)
			skm_timer_arm(service->watchdog, watchdog_ms, watchdog_ms);
	}
	return r;
}

static int start(struct service *service)
{
	SKM_CLEANUP(skm_config_freep) struct skm_config *config = NULL;
	const struct skm_forwarder_options options = {
		.log_root = service->arguments->log_root,
		.state_folder = service->arguments->state_folder,
		.clock = service->clock,
		.random = machine_random,
		.tell = tell_agent,
		.user = service,
		.boot_id = service->arguments->boot_id,
		.open_timeout_ms = OPEN_TIMEOUT_MS,
		.answer_timeout_ms = ANSWER_TIMEOUT_MS,
		.quiet_ms = QUIET_MS,
		.end_ms = END_MS,
	};
	int r = skm_loop_new(&service->loop);
	if (r == 0)
		r = add_sources(service);
	/* A broken file at start: there is no collector in the defaults, so it waits for a better one. */
	if (r == 0 && load_config(service, &config) != 0)
		r = skm_config_default(&config);
	if (r == 0)
		r = skm_forwarder_new(service->loop, &options, &config, &service->forwarder);
	return r;
}

static int serve(const struct arguments *arguments)
{
	struct service service = {.arguments = arguments, .clock = skm_clock_system(), .signal_fd = -1};
	int r = start(&service);
	if (r == 0) {
		skm_forwarder_start(service.forwarder);
		(void)skm_notify("READY=1");
		r = skm_loop_run(service.loop);
	}
	if (r < 0)
		skm_log(SKM_SEVERITY_ALERT, "stopped: %s; the records wait on this terminal",
			strerrordesc_np(-r));
	service.forwarder = skm_forwarder_free(service.forwarder);
	service.signals = skm_source_remove(service.signals);
	service.watchdog = skm_source_remove(service.watchdog);
	skm_fd_close(&service.signal_fd);
	service.loop = skm_loop_free(service.loop);
	return r < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.language = skm_language_from_environment(),
		.config_path = SKM_CONFIG_PATH,
		.log_root = SKM_FORWARD_LOG_ROOT,
		.state_folder = SKM_FORWARD_STATE_FOLDER,
		.control_path = SKM_CONTROL_PATH};
	int status = parse(argc, argv, &arguments);
	if (status >= 0)
		return status;
	(void)umask(0077);
	(void)prctl(PR_SET_DUMPABLE, 0); /* the key is in memory while it connects */
	return serve(&arguments);
}
