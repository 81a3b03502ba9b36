// SPDX-License-Identifier: Apache-2.0
/* Arguments in, the session's desktop and the line to the agent joined, exit status out. Decides nothing, and
 * keeps nothing: what was missed is in the audit log. */
#include <getopt.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>

#include "desktop.h"
#include "subscription.h"

static const char usage_en[] =
	"usage: sekimori-notify            show on this desktop why a USB device was refused (started by the session)\n"
	"       --socket SOCKET   --lang ja|en   --version   --help\n";
static const char usage_ja[] =
	"使い方: sekimori-notify           USB機器が拒否された理由をデスクトップに表示（セッションが起動します）\n"
	"        --socket SOCKET   --lang ja|en   --version   --help\n";

struct arguments {
	enum skm_language language;
	const char *socket;
};

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {{"socket", required_argument, NULL, 's'},
		{"lang", required_argument, NULL, 'l'}, {"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'}, {0}};
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >=
			 0;) { // NOLINT(concurrency-mt-unsafe)
		switch (option) {
		case 's':
			arguments->socket = optarg;
			break;
		case 'l':
			if (skm_language_from_string(optarg, &arguments->language) == 0)
				break;
			(void)fprintf(stderr, "--lang: found: %s; allowed: ja, en\n", optarg);
			return 2;
		case 'v':
			(void)printf("sekimori-notify %s\n", SKM_VERSION);
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

static void on_end(void *user)
{
	g_main_loop_quit(user);
}

static gboolean on_signal(gpointer user)
{
	g_main_loop_quit(user);
	return G_SOURCE_CONTINUE;
}

static void on_refusal(void *user, const struct skm_refusal *refusal)
{
	skm_desktop_show(user, refusal);
}

/* 0 or -errno; -ENOTCONN is said already. */
static int run(const struct arguments *arguments, GMainLoop *loop)
{
	struct skm_desktop *desktop = NULL;
	struct skm_subscription *subscription = NULL;
	int r = skm_desktop_new(arguments->language, on_end, loop, &desktop);
	if (r == 0)
		r = skm_subscription_new(arguments->socket, on_refusal, desktop, &subscription);
	if (r == 0)
		g_main_loop_run(loop);
	(void)skm_subscription_free(subscription);
	(void)skm_desktop_free(desktop);
	return r;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.language = skm_language_from_environment(), .socket = SKM_SESSION_PATH};
	int status = parse(argc, argv, &arguments);
	if (status >= 0)
		return status;
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);
	guint signals[] = {
		g_unix_signal_add(SIGTERM, on_signal, loop), g_unix_signal_add(SIGINT, on_signal, loop)};
	int r = run(&arguments, loop);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(signals); i++)
		(void)g_source_remove(signals[i]);
	g_main_loop_unref(loop);
	return r < 0 ? 1 : 0;
}
