// SPDX-License-Identifier: Apache-2.0
/* What the verbs of `sekimori` share: options, exit codes, and the way to the daemon's own check modes.
 *
 * A verb is a function (argc, argv) where argv[0] is the verb itself. Facts go to stdout, everything else to
 * stderr, in the person's language. A verb never writes state behind the daemons' backs. */
#ifndef SKM_CLI_H
#define SKM_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "sekimori/language.h"

enum skm_exit {
	SKM_EXIT_YES = 0,     /* yes, all is well */
	SKM_EXIT_NO = 1,      /* no, or something was found */
	SKM_EXIT_USAGE = 2,   /* the command line is wrong */
	SKM_EXIT_UNKNOWN = 3, /* could not tell */
};

struct skm_cli {
	enum skm_language language;
	bool json;
	const char *japanese_help, *english_help; /* of the verb; static storage */
};

/* Both texts stand side by side; `cli` is in scope by that name wherever people are spoken to. */
#define SKM_SAY(japanese, english) skm_text(cli->language, japanese, english)

/* getopt_long's `val` of verb-specific options starts at SKM_OPTION_VERB, so that no letter is taken by
 * accident. */
enum {
	SKM_OPTION_END = -1,
	SKM_OPTION_STOP = -2, /* leave with *ret_exit: help was asked for and printed, or the usage was wrong
				 and was told */
	SKM_OPTION_JSON = 256,
	SKM_OPTION_LANG,
	SKM_OPTION_HELP,
	SKM_OPTION_VERSION,
	SKM_OPTION_VERB,
};
/* The first rows of every verb's option table. */
#define SKM_COMMON_OPTIONS                                                                                \
	{"json", no_argument, NULL, SKM_OPTION_JSON}, {"lang", required_argument, NULL, SKM_OPTION_LANG}, \
	{                                                                                                 \
		"help", no_argument, NULL, SKM_OPTION_HELP                                                \
	}

/* The next option of the verb (its val; the argument is in `optarg`), SKM_OPTION_END (operands begin at
 * `optind`) or SKM_OPTION_STOP. Common options are dealt with inside. `options` ends with a row of zeros. */
int skm_cli_next_option(
	struct skm_cli *cli, int argc, char **argv, const struct option *options, int *ret_exit);
/* The same, but stops at the first operand: for the options before the verb. */
int skm_cli_next_global_option(
	struct skm_cli *cli, int argc, char **argv, const struct option *options, int *ret_exit);
/* "sekimori: what is wrong: found (allowed: …)" and a pointer to --help; returns SKM_EXIT_USAGE. */
int skm_cli_usage_error(const struct skm_cli *cli, const char *what, const char *found, const char *allowed);
/* "sekimori: …" with the error's own words; for what could not be done. Returns SKM_EXIT_UNKNOWN. */
int skm_cli_failure(const struct skm_cli *cli, const char *what, const char *object, int error);
/* Complains about operands that a verb does not take: 0, or SKM_EXIT_USAGE. */
int skm_cli_no_operands(const struct skm_cli *cli, int argc, char **argv);

/* Becomes the daemon's program with these arguments (argv[0] included, NULL at the end), in the person's
 * language. Returns only when that failed: SKM_EXIT_UNKNOWN, said. */
int skm_cli_become_daemon(const struct skm_cli *cli, const char *program, char **arguments);
/* "./-x" for "-x": an operand that another program must not take for an option. 0 or -ENOMEM; free
 * *ret_operand. */
SKM_NODISCARD int skm_cli_operand(const char *text, char **ret_operand);

/* What the agent said to a question that failed, for people. Returns the exit code. */
int skm_cli_control_failure(const struct skm_cli *cli, int result);

/* "2026-11-21 09:00:00" of the local time. */
#define SKM_LOCAL_TIME_BYTES 64
void skm_cli_local_time(int64_t sec, char ret_text[SKM_LOCAL_TIME_BYTES]);

int skm_verb_status(struct skm_cli *cli, int argc, char **argv);
int skm_verb_devices(struct skm_cli *cli, int argc, char **argv);
int skm_verb_config_check(struct skm_cli *cli, int argc, char **argv);
int skm_verb_policy_test(struct skm_cli *cli, int argc, char **argv);
int skm_verb_log_show(struct skm_cli *cli, int argc, char **argv);
int skm_verb_log_follow(struct skm_cli *cli, int argc, char **argv);
int skm_verb_log_verify(struct skm_cli *cli, int argc, char **argv); /* exit codes: verify_command.h */

#endif
