// SPDX-License-Identifier: Apache-2.0
/* The only file that includes jansson. A reader of our own was rejected: reading JSON is where hostile input
 * meets pointers, and this one is old, small and fuzzed. The root daemon has no JSON reader at all; this runs
 * with the rights of who looks. */
#include "record_view.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "sekimori/text.h"

#define OCSF_LOGON 1 /* activity_id of class 3002 */

static const char *string_member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static void view_device(const json_t *device, struct skm_record_view *view)
{
	view->has_device = json_is_object(device);
	view->vendor_name = string_member(device, "vendor_name");
	view->model = string_member(device, "model");
	view->kind = string_member(device, "kind");
	view->vid_pid = string_member(device, "vid_pid");
	view->serial = string_member(device, "serial_number");
	view->port = string_member(device, "port");
}

static void view_auth(const json_t *tree, struct skm_record_view *view)
{
	const json_t *user = json_object_get(tree, "user");
	const json_t *source = json_object_get(tree, "src_endpoint");
	const json_t *auth = json_object_get(tree, "auth");
	const json_t *caller = json_object_get(json_object_get(tree, "actor"), "caller_uid");
	view->has_auth = json_is_object(user);
	view->subject = string_member(user, "name");
	view->is_known = *string_member(user, "uid") != '\0';
	view->is_attempt = json_integer_value(json_object_get(tree, "activity_id")) == OCSF_LOGON;
	view->caller_uid = json_is_integer(caller) ? json_integer_value(caller) : -1;
	view->service = string_member(json_object_get(tree, "service"), "name");
	view->source = string_member(source, "ip");
	if (!*view->source)
		view->source = string_member(source, "hostname");
	view->factor = string_member(json_array_get(json_object_get(tree, "auth_factors"), 0), "factor_type");
	view->tty = string_member(auth, "tty");
	view->ruser = string_member(auth, "ruser");
	view->token = string_member(auth, "token");
	if (view->has_auth && !*view->reason)
		view->reason = string_member(auth, "reason");
}

int skm_record_view_parse(const char *line, size_t len, struct skm_record_view *ret_view)
{
	/* A key that stands twice reads one way here and another way elsewhere: not a record of ours. */
	json_t *tree = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *time = json_object_get(tree, "time");
	const char *event = string_member(tree, "event");
	if (!json_is_integer(time) || !*event) {
		json_decref(tree);
		return SKM_RECORD_VIEW_BROKEN;
	}
	const json_t *actor = json_object_get(tree, "actor");
	const json_t *policy = json_object_get(tree, "policy");
	struct skm_record_view view = {
		.tree = tree,
		.time_ms = json_integer_value(time),
		.number = json_integer_value(json_object_get(json_object_get(tree, "metadata"), "sequence")),
		.count = json_integer_value(json_object_get(tree, "count")),
		.event = event,
		.severity = string_member(tree, "severity"),
		.message = string_member(tree, "message"),
		.outcome = string_member(tree, "outcome"),
		.terminal = string_member(json_object_get(tree, "terminal"), "number"),
		.user = string_member(actor, "user"),
		.login_user = string_member(actor, "login_user"),
		.operator_id = string_member(actor, "operator"),
		.rule = string_member(policy, "rule"),
		.reason = string_member(policy, "reason"),
		.object = string_member(tree, "object"),
		.detail = string_member(tree, "detail"),
	};
	view_device(json_object_get(tree, "peripheral_device"), &view);
	view_auth(tree, &view);
	*ret_view = view;
	return 0;
}

void skm_record_view_finish(struct skm_record_view *view)
{
	json_decref(view->tree);
	*view = (struct skm_record_view){0};
}

int skm_severity_from_string(const char *word, enum skm_severity *ret_severity)
{
	for (unsigned i = 0; i < SKM_SEVERITY_COUNT_; i++) {
		if (strcmp(word, skm_severity_to_string((enum skm_severity)i)) == 0) {
			*ret_severity = (enum skm_severity)i;
			return 0;
		}
	}
	return -EINVAL;
}

static bool is_wanted(const char *wanted, const char *found)
{
	return !wanted || strcmp(wanted, found) == 0;
}

static bool has_user(const char *wanted, const struct skm_record_view *view)
{
	return !wanted || strcmp(wanted, view->user) == 0 || strcmp(wanted, view->login_user) == 0 ||
	       strcmp(wanted, view->operator_id) == 0 || strcmp(wanted, view->subject) == 0 ||
	       strcmp(wanted, view->ruser) == 0;
}

static bool has_event(const struct skm_record_filter *filter, const struct skm_record_view *view)
{
	enum skm_event event;
	return !filter->has_events ||
	       (skm_event_from_string(view->event, &event) == 0 && filter->events[event]);
}

/* A severity that we do not know may be worse than all we know: it is shown. */
static bool is_severe(enum skm_severity min, const struct skm_record_view *view)
{
	enum skm_severity severity = SKM_SEVERITY_ALERT;
	return skm_severity_from_string(view->severity, &severity) < 0 || severity >= min;
}

bool skm_record_filter_accepts(const struct skm_record_filter *filter, const struct skm_record_view *view)
{
	return (filter->number == 0 || filter->number == view->number) && view->time_ms >= filter->since_ms &&
	       view->time_ms < filter->until_ms && has_event(filter, view) &&
	       is_severe(filter->severity_min, view) && has_user(filter->user, view) &&
	       (!filter->vid_pid || strcasecmp(filter->vid_pid, view->vid_pid) == 0) &&
	       is_wanted(filter->serial, view->serial) && is_wanted(filter->port, view->port) &&
	       is_wanted(filter->outcome, view->outcome);
}

/* A word and its text where we know it, else the word as it stands. */
static const char *severity_text(enum skm_language language, const char *word)
{
	static const char *const japanese[SKM_SEVERITY_COUNT_] = {
		[SKM_SEVERITY_INFO] = "情報",
		[SKM_SEVERITY_NOTICE] = "通知",
		[SKM_SEVERITY_WARNING] = "警告",
		[SKM_SEVERITY_ALERT] = "重大",
	};
	enum skm_severity severity;
	if (skm_severity_from_string(word, &severity) < 0)
		return word;
	return skm_text(language, japanese[severity], word);
}

static const char *event_text(enum skm_language language, const struct skm_record_view *view)
{
	enum skm_event event;
	if (skm_event_from_string(view->event, &event) == 0)
		return skm_event_to_text(event, language == SKM_LANGUAGE_JA);
	return *view->message ? view->message : view->event;
}

static const char *kind_text(enum skm_language language, const char *word)
{
	enum skm_device_kind kind;
	if (skm_device_kind_from_string(word, &kind) < 0)
		return word;
	return skm_device_kind_to_text(kind, language == SKM_LANGUAGE_JA);
}

static void print_part(FILE *file, const char *name, const char *value)
{
	if (!*value)
		return;
	(void)fprintf(file, "  %s ", name);
	skm_text_print(file, value);
}

static bool is_plain(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	return true;
}

static void print_between_quotes(FILE *file, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\"\\");
		char *piece = strndup(text, len);
		skm_text_print(file, piece ? piece : "…");
		free(piece);
		text += len;
		if (*text)
			(void)fprintf(file, "\\%c", *text++);
	}
}

/* A name that a stranger chose. Anything but one word stands between quotes that it cannot leave: it could
 * else go on with "  user root", and read like another part of the line. */
static void print_quoted(FILE *file, const char *text)
{
	if (is_plain(text)) {
		skm_text_print(file, text);
		return;
	}
	(void)fputc('"', file);
	print_between_quotes(file, text);
	(void)fputc('"', file);
}

static void print_name(FILE *file, const char *name, const char *value)
{
	if (!*value)
		return;
	(void)fprintf(file, "  %s ", name);
	print_quoted(file, value);
}

static void print_device(FILE *file, enum skm_language language, const struct skm_record_view *view)
{
	(void)fputs("    ", file);
	skm_text_print(file, kind_text(language, view->kind));
	(void)fputc(' ', file);
	skm_text_print(file, view->vid_pid);
	if (*view->vendor_name || *view->model) {
		(void)fputs(" \"", file);
		print_between_quotes(file, view->vendor_name);
		(void)fputs(*view->vendor_name && *view->model ? " " : "", file);
		print_between_quotes(file, view->model);
		(void)fputc('"', file);
	}
	print_name(file, skm_text(language, "製造番号", "serial"), view->serial);
	print_name(file, skm_text(language, "ポート", "port"), view->port);
	(void)fputc('\n', file);
}

static const char *factor_text(enum skm_language language, const char *word)
{
	static const struct {
		const char *word, *japanese, *english;
	} texts[] = {
		{"OTP", "確認コード", "verification code"},
		{"recovery code", "代用コード（本人保管）", "recovery code"},
		{"substitute code", "代用コード（期限付き）", "substitute code"},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(texts); i++) {
		if (strcmp(word, texts[i].word) == 0)
			return skm_text(language, texts[i].japanese, texts[i].english);
	}
	return word;
}

/* Who: the person whose factor it is; else who sat at the console. A name that nobody has is marked: it may
 * have been made up to be read here. */
static void print_user(FILE *file, enum skm_language language, const struct skm_record_view *view)
{
	const char *label = skm_text(language, "利用者", "user");
	if (!view->has_auth) {
		print_part(file, label, *view->user ? view->user : view->login_user);
		return;
	}
	(void)fprintf(file, "  %s ", label);
	print_quoted(file, view->subject);
	if (!view->is_known)
		(void)fputs(skm_text(language, "（該当者なし）", " (no such user)"), file);
}

/* Every login is asked for by root: that says nothing. Who asked for an administrative act is half of it. */
static bool names_caller(const struct skm_record_view *view)
{
	return view->caller_uid > 0 || (view->caller_uid == 0 && !view->is_attempt);
}

static void print_auth(FILE *file, enum skm_language language, const struct skm_record_view *view)
{
	if (!*view->service && !*view->source && !*view->tty && !*view->ruser && !*view->factor &&
		!*view->token && !names_caller(view))
		return;
	(void)fputs("  ", file);
	print_name(file, skm_text(language, "サービス", "service"), view->service);
	print_part(file, skm_text(language, "認証方法", "factor"), factor_text(language, view->factor));
	print_name(file, skm_text(language, "トークン", "token"), view->token);
	print_name(file, skm_text(language, "接続元", "from"), view->source);
	print_name(file, "tty", view->tty);
	print_name(file, skm_text(language, "要求元の利用者", "asked by"), view->ruser);
	if (names_caller(view))
		(void)fprintf(file, skm_text(language, "  要求元のUID %" PRId64, "  asked by uid %" PRId64),
			view->caller_uid);
	(void)fputc('\n', file);
}

static void print_why(FILE *file, enum skm_language language, const struct skm_record_view *view)
{
	if (!*view->rule && !*view->reason && !*view->detail && !*view->object)
		return;
	(void)fputs("  ", file);
	print_part(file, skm_text(language, "対象", "object"), view->object);
	print_part(file, skm_text(language, "規則", "rule"), view->rule);
	print_part(file, skm_text(language, "理由", "reason"), view->reason);
	print_part(file, skm_text(language, "詳細", "detail"), view->detail);
	(void)fputc('\n', file);
}

void skm_record_view_print(FILE *file, enum skm_language language, const struct skm_record_view *view)
{
	char time[SKM_LOCAL_TIME_BYTES];
	int64_t sec = view->time_ms / 1000 - (view->time_ms % 1000 < 0);
	skm_cli_local_time(sec, time);
	(void)fprintf(file, "%s [", time);
	skm_text_print(file, severity_text(language, view->severity));
	(void)fputs("] ", file);
	skm_text_print(file, event_text(language, view));
	print_user(file, language, view);
	print_part(file, skm_text(language, "操作者", "operator"), view->operator_id);
	print_part(file, skm_text(language, "端末", "terminal"), view->terminal);
	if (view->count > 0)
		(void)fprintf(file, skm_text(language, "  %" PRId64 "件", "  (%" PRId64 ")"), view->count);
	(void)fputc('\n', file);
	if (view->has_device)
		print_device(file, language, view);
	if (view->has_auth)
		print_auth(file, language, view);
	print_why(file, language, view);
}
