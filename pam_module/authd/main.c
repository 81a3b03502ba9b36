// SPDX-License-Identifier: Apache-2.0
/* Arguments in, exit status out; everything else is elsewhere. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "key_commands.h"
#include "sekimori/log.h"
#include "sekimori/packet_server.h"
#include "sekimori/text.h"
#include "service.h"

enum mode { MODE_RUN, MODE_CREATE_KEY, MODE_REKEY, MODE_ESCROW_KEYPAIR, MODE_RESTORE_ESCROW };

struct arguments {
	enum mode mode;
	enum skm_language language;
	struct skm_service_options service;
	const char *socket; /* NULL = systemd's */
	const char *file;
	const char *escrow_folder;
};

static const char usage_en[] =
	"usage: sekimori-authd                                  verify second factors (systemd runs this)\n"
	"       sekimori-authd --create-key                     make the machine key; never over another one\n"
	"       sekimori-authd --rekey                          make another one and seal every record with it\n"
	"       sekimori-authd --escrow-keypair FILE            FILE: the secret key; prints the public one\n"
	"       sekimori-authd --restore-escrow FILE [FOLDER]   bring records back with the secret key\n"
	"       --config FILE   --key FILE   --state FOLDER   --fallback FOLDER\n"
	"       --log FOLDER   --chain FILE\n"
	"       --socket PATH                                   listen there instead of on systemd's socket\n"
	"       --lang ja|en   --version   --help\n";
static const char usage_ja[] =
	"使い方: sekimori-authd                                 多要素認証の検証（systemd が実行します）\n"
	"        sekimori-authd --create-key                    マシン鍵を作成（既存の鍵は上書きしません）\n"
	"        sekimori-authd --rekey                         新しい鍵を作り、全登録を封印し直す\n"
	"        sekimori-authd --escrow-keypair FILE           FILE に秘密鍵を作り、公開鍵を表示\n"
	"        sekimori-authd --restore-escrow FILE [FOLDER]  秘密鍵で預託から登録を復元\n"
	"        --config FILE   --key FILE   --state FOLDER   --fallback FOLDER\n"
	"        --log FOLDER   --chain FILE\n"
	"        --socket PATH                                  systemd のソケットの代わりに待ち受ける場所\n"
	"        --lang ja|en   --version   --help\n";

static const struct option options[] = {{"create-key", no_argument, NULL, 'c'},
	{"rekey", no_argument, NULL, 'r'}, {"escrow-keypair", required_argument, NULL, 'e'},
	{"restore-escrow", required_argument, NULL, 'x'}, {"config", required_argument, NULL, 'C'},
	{"key", required_argument, NULL, 'K'}, {"state", required_argument, NULL, 'S'},
	{"fallback", required_argument, NULL, 'F'}, {"log", required_argument, NULL, 'L'},
	{"chain", required_argument, NULL, 'H'}, {"socket", required_argument, NULL, 's'},
	{"lang", required_argument, NULL, 'l'}, {"version", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'}, {0}};

/* The ones that name a place. */
static bool take_path(int option, struct arguments *arguments)
{
	const struct {
		int option;
		const char **path;
	} paths[] = {
		{'C', &arguments->service.config_path},
		{'K', &arguments->service.key_path},
		{'S', &arguments->service.state_folder},
		{'F', &arguments->service.fallback_folder},
		{'L', &arguments->service.log_folder},
		{'H', &arguments->service.chain_path},
		{'s', &arguments->socket},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(paths); i++)
		if (paths[i].option == option) {
			*paths[i].path = optarg;
			return true;
		}
	return false;
}

/* The ones that say what to do; two of them contradict each other. */
static bool take_mode(int option, struct arguments *arguments)
{
	static const char letters[] = "?crex"; /* in the order of enum mode */
	const char *at = strchr(letters, option);
	if (!at || option == '?' || arguments->mode != MODE_RUN)
		return false;
	arguments->mode = (enum mode)(at - letters);
	if (option == 'e' || option == 'x')
		arguments->file = optarg;
	return true;
}

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >=
			 0;) { // NOLINT(concurrency-mt-unsafe)
		if (take_path(option, arguments) || take_mode(option, arguments))
			continue;
		switch (option) {
		case 'l':
			if (skm_language_from_string(optarg, &arguments->language) == 0)
				break;
			(void)fprintf(stderr, "--lang: found: %s; allowed: ja, en\n", optarg);
			return 2;
		case 'v':
			(void)printf("sekimori-authd %s\n", SKM_VERSION);
			return 0;
		case 'h':
			(void)fputs(skm_text(arguments->language, usage_ja, usage_en), stdout);
			return 0;
		case '?':
			return 2; /* getopt has said why */
		default:
			(void)fputs(skm_text(arguments->language, usage_ja, usage_en), stderr);
			return 2;
		}
	}
	if (optind < argc && arguments->mode == MODE_RESTORE_ESCROW)
		arguments->escrow_folder = argv[optind++];
	if (optind == argc)
		return -1;
	(void)fputs(skm_text(arguments->language, usage_ja, usage_en), stderr);
	return 2;
}

/* What is in our memory opens every account of this machine: not into a core file, not to a debugger of
 * another process, and, where we may, not into swap. Only without a limit: with one, Argon2's memory for a
 * recovery code would be refused. */
static void keep_memory_private(void)
{
	struct rlimit limit;
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

static int serve(const struct arguments *arguments)
{
	SKM_CLEANUP(skm_fd_close) int listen_fd = -1;
	int r = arguments->socket ? skm_packet_listen(arguments->socket, &listen_fd)
				  : skm_packet_listen_given(&listen_fd);
	if (r == SKM_PACKET_NOT_GIVEN) {
		(void)fprintf(stderr, "%s\n",
			skm_text(arguments->language,
				"systemd からソケットを渡されていません。systemctl start sekimori-authd.socket "
				"で起動するか、--socket PATH を指定してください",
				"no socket was passed: start it with systemctl start sekimori-authd.socket, or give "
				"--socket PATH"));
		return 2;
	}
	if (r < 0) {
		skm_log(SKM_SEVERITY_ALERT, "cannot listen on %s: %s",
			arguments->socket ? arguments->socket : "the socket that systemd passed",
			strerrordesc_np(-r));
		return 1;
	}
	r = skm_service_run(&arguments->service, &listen_fd);
	if (arguments->socket)
		(void)unlink(arguments->socket);
	if (r < 0)
		skm_log(SKM_SEVERITY_ALERT,
			"stopped: %s; logins that need a second factor are refused meanwhile",
			strerrordesc_np(-r));
	return r < 0 ? 1 : 0;
}

static int run(const struct arguments *arguments)
{
	(void)umask(0077);
	keep_memory_private();
	if (skm_seal_start() < 0) {
		skm_log(SKM_SEVERITY_ALERT, "cannot start libsodium");
		return 1;
	}
	const struct skm_key_command command = {.paths = &arguments->service,
		.language = arguments->language,
		.file = arguments->file,
		.escrow_folder = arguments->escrow_folder};
	switch (arguments->mode) {
	case MODE_CREATE_KEY:
		return skm_key_command_create(&command);
	case MODE_REKEY:
		return skm_key_command_rekey(&command);
	case MODE_ESCROW_KEYPAIR:
		return skm_key_command_escrow_keypair(&command);
	case MODE_RESTORE_ESCROW:
		return skm_key_command_restore_escrow(&command);
	case MODE_RUN:
	default:
		return serve(arguments);
	}
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.language = skm_language_from_environment()};
	skm_service_options_default(&arguments.service);
	arguments.service.answer = skm_authenticator_answer;
	arguments.service.settle = skm_authenticator_settle;
	arguments.service.credentials_folder = secure_getenv("CREDENTIALS_DIRECTORY");
	int status = parse(argc, argv, &arguments);
	if (status < 0)
		status = run(&arguments);
	return skm_text_finish("sekimori-authd", arguments.language, status);
}
