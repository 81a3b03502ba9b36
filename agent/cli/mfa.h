// SPDX-License-Identifier: Apache-2.0
/* What the verbs of `sekimori mfa` share: their options, the question to authd, and what its outcomes mean to
 * a person.
 *
 * Secrets: whatever holds one is wiped before it goes; codes, URIs and secrets are never taken from nor given
 * to a command line except where the person insists (--uri, --secret); stdout is unbuffered where one is
 * printed. */
#ifndef SKM_MFA_H
#define SKM_MFA_H

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"
#include "qr.h"
#include "sekimori/auth.h"
#include "sekimori/otp.h"

int skm_verb_mfa_enrol(struct skm_cli *cli, int argc, char **argv);
int skm_verb_mfa_list(struct skm_cli *cli, int argc, char **argv);
int skm_verb_mfa_status(struct skm_cli *cli, int argc, char **argv);
int skm_verb_mfa_disable(struct skm_cli *cli, int argc, char **argv);
int skm_verb_mfa_unlock(struct skm_cli *cli, int argc, char **argv);
int skm_verb_mfa_recovery(struct skm_cli *cli, int argc, char **argv);
int skm_verb_mfa_resync(struct skm_cli *cli, int argc, char **argv);
int skm_verb_mfa_import(struct skm_cli *cli, int argc, char **argv);
int skm_verb_mfa_substitute(struct skm_cli *cli, int argc, char **argv);
int skm_verb_mfa_require(struct skm_cli *cli, int argc, char **argv);
int skm_verb_mfa_enable(struct skm_cli *cli, int argc, char **argv);
/* The verbs, one a line, with what they do; static storage. */
const char *skm_mfa_help(enum skm_language language);

/* ---- options ---- */

struct skm_mfa_options {
	const char *socket_path; /* never NULL */
	char user[257];		 /* --user, else "" */
	const char *reason;	 /* "" = not given */
	const char *label;	 /* "" = not given */
	uint64_t token, days;	 /* 0 = not given */
	uint64_t counter;
	struct skm_otp_parameters parameters; /* with defaults */
	bool has_parameters;		      /* one of them was given */
	enum skm_qr_style qr;
	bool has_qr, prints_uri, skips_confirm;
	const char *png;		    /* NULL = none */
	const char *uri_text, *base32;	    /* of import, NULL = not given */
	const struct skm_otpauth *imported; /* what they say */
	bool says_yes, goes_unrecorded, requires_all, requires_enrolled;
	const char *groups[SKM_MFA_GROUPS_MAX];
	size_t group_count;
	const char *grace;	     /* NULL = not given */
	const char *config_path;     /* never NULL */
	const char *root;	     /* of the system's files, "" = the real ones */
	const char *pam_auth_update; /* the program, never NULL */
};

/* Values of getopt_long for the tables of the verbs; a verb takes what its table has. */
enum {
	SKM_MFA_SOCKET = SKM_OPTION_VERB,
	SKM_MFA_USER,
	SKM_MFA_REASON,
	SKM_MFA_LABEL,
	SKM_MFA_TOKEN,
	SKM_MFA_DAYS,
	SKM_MFA_COUNTER,
	SKM_MFA_TYPE,
	SKM_MFA_ALGORITHM,
	SKM_MFA_DIGITS,
	SKM_MFA_PERIOD,
	SKM_MFA_QR,
	SKM_MFA_PNG,
	SKM_MFA_PRINT_URI,
	SKM_MFA_NO_CONFIRM,
	SKM_MFA_URI,
	SKM_MFA_SECRET,
	SKM_MFA_YES,
	SKM_MFA_UNRECORDED,
	SKM_MFA_ALL,
	SKM_MFA_ENROLLED,
	SKM_MFA_GROUP,
	SKM_MFA_GRACE,
	SKM_MFA_CONFIG,
	SKM_MFA_ROOT,
	SKM_MFA_PAM_AUTH_UPDATE,
};
#define SKM_MFA_SOCKET_OPTION                                     \
	{                                                         \
		"socket", required_argument, NULL, SKM_MFA_SOCKET \
	}
#define SKM_MFA_USER_OPTION                                   \
	{                                                     \
		"user", required_argument, NULL, SKM_MFA_USER \
	}

/* Reads all options and refuses operands. False: leave with *ret_exit. */
bool skm_mfa_take_options(struct skm_cli *cli, int argc, char **argv, const struct option *table,
	struct skm_mfa_options *ret_options, int *ret_exit);
/* Puts the caller's own name where --user was not given. 0, or the exit code, said. */
int skm_mfa_default_user(const struct skm_cli *cli, struct skm_mfa_options *options);
/* Complains when an option that the verb cannot do without is missing. 0 or SKM_EXIT_USAGE. */
int skm_mfa_need(const struct skm_cli *cli, bool is_given, const char *option);

/* ---- authd ---- */

/* The last packet of an answer, copied. Wipe with skm_mfa_answer_clear: it may hold a secret. */
struct skm_mfa_answer {
	enum skm_auth_outcome outcome;
	bool had_code; /* the request held one: WRONG is said of it, else of a person who does not exist */
	char text[SKM_AUTH_PACKET_MAX];
	uint8_t ticket[SKM_AUTH_PACKET_MAX];
	size_t ticket_len;
	uint64_t tries, wait_sec, factor, diagnosis, until_sec;
	int64_t offset_sec;
};
void skm_mfa_answer_clear(struct skm_mfa_answer *answer);

/* What is done with each packet but the last; negative ends it. */
typedef int (*skm_mfa_more_fn)(void *user, const char *text);
/* Asks and wipes the request. 0: *ret_answer is what ended it. -errno as skm_auth_ask. `on_more` may be NULL
 * (then more than one packet is -EBADMSG). */
SKM_NODISCARD int skm_mfa_ask(const char *socket_path, struct skm_auth_writer *request,
	skm_mfa_more_fn on_more, void *user, struct skm_mfa_answer *ret_answer);
/* Says why there is no answer; returns SKM_EXIT_UNKNOWN. */
int skm_mfa_no_answer(const struct skm_cli *cli, int result);
/* Says what an outcome other than OK means; returns the exit code. */
int skm_mfa_refused(const struct skm_cli *cli, const char *user, const struct skm_mfa_answer *answer);
/* What a program reads in place of the facts: "outcome", and "user" unless it is "". */
#define SKM_MFA_REFUSAL_JSON_BYTES 2048
void skm_mfa_refusal_json(
	const char *user, const struct skm_mfa_answer *answer, char ret_object[SKM_MFA_REFUSAL_JSON_BYTES]);
/* Asks, and says what went wrong: 0 = OK, else the exit code. */
SKM_NODISCARD int skm_mfa_do(const struct skm_cli *cli, const struct skm_mfa_options *options,
	struct skm_auth_writer *request, struct skm_mfa_answer *ret_answer);
/* The same for what people may do to their own factor with a code of what they have: when authd asks for one
 * (PROMPT), the person is asked, three times at most. `write` makes the request; `code` NULL = without one.
 */
typedef void (*skm_mfa_write_fn)(
	struct skm_auth_writer *request, const struct skm_mfa_options *options, const char *code);
SKM_NODISCARD int skm_mfa_do_proved(const struct skm_cli *cli, const struct skm_mfa_options *options,
	skm_mfa_write_fn write, struct skm_mfa_answer *ret_answer);
/* Can another code mend it? */
bool skm_mfa_may_try_again(enum skm_auth_outcome outcome);
#define SKM_MFA_TRIES_MAX 3
#define SKM_MFA_CODE_BYTES 256

/* ---- people ---- */

/* One line from stdin, without its end; a prompt only where a person sits there. Reads byte by byte, so that
 * nothing that was typed stays in a buffer of the library. 0; -ENODATA at the end; -EMSGSIZE; -errno. */
SKM_NODISCARD int skm_mfa_read_line(const char *prompt, char *ret_line, size_t size);
/* "yes" or "はい" typed in full? False also when nobody can be asked. */
bool skm_mfa_confirms(const struct skm_cli *cli, const char *question);
/* stdout forgets what it printed. Call before anything is printed. */
void skm_mfa_unbuffer(void);
/* Recovery codes, one a line in `text`, with what to do with them. */
void skm_mfa_print_recovery(const struct skm_cli *cli, const char *user, const char *text);

/* Has authd put on record what root is about to do to the machine: SWITCH or POLICY. Asks, and says what went
 * wrong; where it could not be recorded and --unrecorded was not given, that it was not done either. 0, or
 * the exit code. */
SKM_NODISCARD int skm_mfa_announce(
	const struct skm_cli *cli, const struct skm_mfa_options *options, struct skm_auth_writer *request);

/* In the system's log, with who. */
void skm_mfa_log(const char *what);

/* `mfa disable` without a person: the login as it was before `mfa enable`. Returns the exit code. */
int skm_mfa_machine_disable(const struct skm_cli *cli, const struct skm_mfa_options *options);

struct skm_json;
/* "recovery_codes": […] */
void skm_mfa_json_lines(struct skm_json *json, const char *key, const char *text);

#endif
