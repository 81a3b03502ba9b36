// SPDX-License-Identifier: Apache-2.0
/* The order of things. There is a conversation in every attempt, also when the answer is known before:
 * kscreenlocker takes a result within 50 ms for a broken service, SDDM hangs without a prompt, and a stranger
 * must not learn from a missing prompt who is locked or does not exist. PAM_SUCCESS and PAM_IGNORE come out
 * of outcome.c alone, for a whole and valid answer of authd (and PAM_IGNORE out of the split line).
 *
 * An answer that cannot be a code (the login password once more, sshd's placeholder, 1 MiB) is not sent, so
 * that it is not counted and the password does not leave the process. */
#include "pam_sekimori.h"

#include <security/pam_ext.h>
#include <string.h>
#include <syslog.h>

#include "conversation.h"
#include "options.h"
#include "question.h"
#include "split_data.h"

#define FAIL_DELAY_USEC 2000000 /* libpam varies it by half, applications may set it aside: no throttle */
#define DIGITS_DEFAULT 6	/* of a split field, when authd did not say */
#define TEXT_BYTES 256

struct call {
	pam_handle_t *pamh;
	bool is_silent, has_bad_options;
	struct skm_pam_options options;
	struct skm_pam_question question;
	enum skm_language language;
	bool draws_kanji;
};

/* ---- what both lines begin with ---- */

static const char *item_of(pam_handle_t *pamh, int type)
{
	const void *item = NULL;
	return pam_get_item(pamh, type, &item) == PAM_SUCCESS ? item : NULL;
}

static void choose_language(struct call *call, int said_by_authd)
{
	if (!call->draws_kanji)
		call->language = SKM_LANGUAGE_EN;
	else if (said_by_authd >= 0)
		call->language = (enum skm_language)said_by_authd;
}

static int begin_call(pam_handle_t *pamh, int flags, int argc, const char **argv, struct call *ret_call)
{
	(void)pam_fail_delay(pamh, FAIL_DELAY_USEC);
	struct call call = {.pamh = pamh, .is_silent = ((unsigned)flags & PAM_SILENT) != 0};
	int bad = 0;
	call.has_bad_options = skm_pam_options_parse(argc, argv, &call.options, &bad) < 0;
	if (call.has_bad_options)
		pam_syslog(pamh, LOG_ERR, "cannot use this line: argument \"%s\" is unknown or of no use",
			argv[bad]);
	call.language = call.options.language;
	call.draws_kanji = skm_auth_text_draws_kanji(item_of(pamh, PAM_SERVICE), item_of(pamh, PAM_TTY));
	choose_language(&call, -1);

	const char *user = NULL;
	int r = pam_get_user(pamh, &user, NULL);
	if (r == PAM_CONV_AGAIN || r == PAM_INCOMPLETE)
		return PAM_INCOMPLETE;
	if (r != PAM_SUCCESS || !user)
		return PAM_CONV_ERR;
	call.question = (struct skm_pam_question){
		.pamh = pamh, .socket = call.options.socket, .user = user, .budget_ms = SKM_PAM_PATIENCE_MS};
	*ret_call = call;
	return PAM_SUCCESS;
}

/* lightdm-gtk-greeter puts "Your password is incorrect" in the place of an error, of which the person would
 * learn that the wrong thing was wrong; a piece of information it leaves standing until the next answer
 * (authentication_complete_cb: have_pam_error). */
static bool keeps_only_information(pam_handle_t *pamh)
{
	const char *service = item_of(pamh, PAM_SERVICE);
	return service && strcmp(service, "lightdm") == 0;
}

static void tell(const struct call *call, int style, enum skm_auth_text text,
	const struct skm_auth_text_values *values)
{
	if (call->is_silent)
		return;
	if (style == PAM_ERROR_MSG && keeps_only_information(call->pamh))
		style = PAM_TEXT_INFO;
	char line[TEXT_BYTES];
	skm_auth_text_format(text, call->language, values, line, sizeof(line));
	skm_pam_tell_person(call->pamh, style, line);
}

static int ask_person(
	const struct call *call, enum skm_auth_text question, unsigned digits, char **ret_answer)
{
	char line[TEXT_BYTES];
	skm_auth_text_format(question, call->language, &(struct skm_auth_text_values){.number = digits}, line,
		sizeof(line));
	return skm_pam_ask_person(call->pamh, line, ret_answer);
}

static struct skm_pam_verdict prepare(struct call *call, uint64_t flags)
{
	struct skm_pam_verdict verdict = skm_pam_prepare(&call->question, flags);
	choose_language(call, verdict.language);
	if (verdict.outcome < 0)
		pam_syslog(call->pamh, LOG_ERR, "cannot ask the verification service at %s: %s",
			call->options.socket, strerrordesc_np(-verdict.outcome));
	return verdict;
}

/* ---- the plain line ---- */

static void tell_accepted(const struct call *call, const struct skm_pam_verdict *verdict)
{
	struct skm_auth_text_values values = {.number = verdict->left};
	if (verdict->factor == SKM_AUTH_FACTOR_RECOVERY && verdict->says_left)
		tell(call, PAM_TEXT_INFO, SKM_AUTH_TEXT_RECOVERY_USED, &values);
	else if (verdict->factor == SKM_AUTH_FACTOR_RECOVERY || verdict->factor == SKM_AUTH_FACTOR_SUBSTITUTE)
		tell(call, PAM_TEXT_INFO, SKM_AUTH_TEXT_SUBSTITUTE_USED, &values);
}

/* The one way from an outcome to a PAM code. */
static int conclude(const struct call *call, const struct skm_pam_verdict *verdict)
{
	int code = skm_pam_code(verdict->outcome);
	if (code == PAM_SUCCESS) {
		tell_accepted(call, verdict);
		return code;
	}
	struct skm_auth_text_values values = {
		.number = verdict->tries, .number2 = verdict->wait_min, .until_sec = verdict->until_sec};
	enum skm_auth_text text = skm_pam_text(verdict->outcome);
	if (text == SKM_AUTH_TEXT_NOT_REQUIRED && verdict->until_sec > 0)
		text = SKM_AUTH_TEXT_GRACE;
	tell(call, code == PAM_IGNORE ? PAM_TEXT_INFO : PAM_ERROR_MSG, text, &values);
	return code;
}

static int refuse(const struct call *call, int outcome)
{
	return conclude(call, &(struct skm_pam_verdict){.outcome = outcome, .language = -1});
}

/* What an application gives that cannot ask a second question: the password again, or what sshd puts in its
 * place (auth-pam.c: these bytes, over and over, as long as what was typed). */
static bool is_not_from_the_person(const struct call *call, const char *answer)
{
	static const char placeholder[] = "\b\n\r\177INCORRECT";
	if (!*answer)
		return false; /* just the return key */
	const char *password = item_of(call->pamh, PAM_AUTHTOK);
	if (password && strcmp(answer, password) == 0)
		return true;
	size_t len = strlen(answer);
	size_t placeholder_len = sizeof(placeholder) - 1;
	return strncmp(answer, placeholder, len < placeholder_len ? len : placeholder_len) == 0;
}

static int verify(struct call *call, const char *answer, uint64_t flags)
{
	size_t len = strnlen(answer, SKM_PAM_ANSWER_MAX + 1);
	if (len > SKM_PAM_ANSWER_MAX)
		return refuse(call, SKM_AUTH_NOT_A_CODE);
	struct skm_pam_verdict verdict = skm_pam_verify(&call->question, answer, len, flags);
	choose_language(call, verdict.language);
	if (verdict.outcome < 0)
		pam_syslog(call->pamh, LOG_ERR, "cannot have a code verified at %s: %s", call->options.socket,
			strerrordesc_np(-verdict.outcome));
	return conclude(call, &verdict);
}

static int ask_and_verify(struct call *call, const struct skm_pam_verdict *prepared)
{
	SKM_CLEANUP(skm_pam_answer_free) char *answer = NULL;
	int r = ask_person(call, SKM_AUTH_TEXT_PROMPT, prepared->digits, &answer);
	if (r != PAM_SUCCESS)
		return r;
	if (call->has_bad_options)
		return refuse(call, SKM_AUTH_BAD_REQUEST);
	if (is_not_from_the_person(call, answer)) {
		pam_syslog(call->pamh, LOG_NOTICE,
			"the application answered the question for the code with the login password: it cannot "
			"ask twice; see \"split\" in pam_sekimori(8)");
		tell(call, PAM_ERROR_MSG, SKM_AUTH_TEXT_SAME_ANSWER, &(struct skm_auth_text_values){0});
		return PAM_AUTH_ERR;
	}
	return verify(call, answer, 0);
}

static int authenticate(struct call *call)
{
	SKM_CLEANUP(skm_pam_answer_free) char *split_code = NULL;
	bool was_split = skm_pam_split_take(call->pamh, &split_code);
	struct skm_pam_verdict prepared = {.language = -1};
	if (!call->has_bad_options) {
		prepared = prepare(call, 0);
		if (prepared.outcome == SKM_AUTH_NOT_REQUIRED)
			return conclude(call, &prepared);
	}
	if (!was_split)
		return ask_and_verify(call, &prepared);
	if (call->has_bad_options)
		return refuse(call, SKM_AUTH_BAD_REQUEST);
	if (!*split_code)
		return refuse(call, SKM_AUTH_WRONG); /* a second question would get the first answer */
	return verify(call, split_code, SKM_AUTH_FLAG_SPLIT);
}

/* ---- the split line ---- */

static int set_password(pam_handle_t *pamh, const char *field, size_t len)
{
	char *password = strndup(field, len);
	if (!password)
		return PAM_BUF_ERR;
	int r = pam_set_item(pamh, PAM_AUTHTOK, password);
	skm_pam_answer_free(&password);
	return r;
}

/* `field` may be PAM_AUTHTOK itself, which is gone once it is set. */
static void divide(struct call *call, const char *field, unsigned digits)
{
	size_t password_len = strlen(field);
	(void)skm_pam_split(field, digits ? digits : DIGITS_DEFAULT, &password_len);
	/* the code first: a password without its code would make the plain line ask */
	if (skm_pam_split_keep(call->pamh, field + password_len) != PAM_SUCCESS)
		return;
	if (set_password(call->pamh, field, password_len) != PAM_SUCCESS)
		skm_pam_split_forget(call->pamh);
}

static int split(struct call *call)
{
	skm_pam_split_forget(call->pamh);
	if (call->has_bad_options)
		return PAM_SYSTEM_ERR;
	const char *service = item_of(call->pamh, PAM_SERVICE);
	if (!service || !skm_pam_options_names_service(&call->options, service))
		return PAM_IGNORE;
	struct skm_pam_verdict prepared = prepare(call, SKM_AUTH_FLAG_SPLIT);
	if (prepared.outcome == SKM_AUTH_NOT_REQUIRED)
		return PAM_IGNORE;
	const char *known = item_of(call->pamh, PAM_AUTHTOK);
	if (known) { /* a module before us has asked */
		divide(call, known, prepared.digits);
		return PAM_IGNORE;
	}
	SKM_CLEANUP(skm_pam_answer_free) char *field = NULL;
	int r = ask_person(call, SKM_AUTH_TEXT_SPLIT_PROMPT, prepared.digits, &field);
	if (r == PAM_SUCCESS)
		divide(call, field, prepared.digits);
	return r == PAM_INCOMPLETE ? r : PAM_IGNORE;
}

/* ---- what libpam calls ---- */

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct call call;
	int r = begin_call(pamh, flags, argc, argv, &call);
	if (r != PAM_SUCCESS)
		return r;
	return call.options.is_split ? split(&call) : authenticate(&call);
}

/* We have no credentials to set, and must not hinder: libpam judges pam_setcred(3) by the action that
 * authenticate chose (a line that was ignored there is ignored here whatever it returns); a line that counted
 * must not fall back to PAM_IGNORE, which as the only module would mean "permission denied". */
EXPORTED int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh;
	(void)flags;
	(void)argc;
	(void)argv;
	return PAM_SUCCESS;
}
