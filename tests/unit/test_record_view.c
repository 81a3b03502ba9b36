// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "record_view.h"
#include "sample_record.h"
#include "sekimori/record.h"

/* The line that the agent really writes: reader and writer are tested against each other, not against a copy.
 */
static size_t format_refusal(char line[SKM_RECORD_LINE_MAX])
{
	static struct skm_record record;
	skm_record_init(&record, SKM_EVENT_EXPORT_DENIED);
	record.outcome = SKM_OUTCOME_BLOCKED;
	record.sequence = 1234;
	record.time.realtime_usec = 1795218600123000;
	strcpy(record.terminal_number, "T-1");
	strcpy(record.user, "sato");
	strcpy(record.login_user, "suzuki");
	record.has_device = true;
	strcpy(record.device.port, "1-2");
	record.device.vendor_id = 0x0781;
	record.device.product_id = 0x55ab;
	strcpy(record.device.product, "Ultra \x1b[2J");
	strcpy(record.device.serial, "S1");
	record.decision.kind = SKM_KIND_STORAGE;
	strcpy(record.decision.rule, "builtin:default-deny");
	strcpy(record.decision.reason, "not registered");
	return skm_record_format(&record, line);
}

static struct skm_record_view view_refusal(void)
{
	static char line[SKM_RECORD_LINE_MAX];
	struct skm_record_view view;
	size_t len = format_refusal(line);
	cr_assert_eq(skm_record_view_parse(line, len - 1, &view), 0);
	return view;
}

Test(record_view, what_the_agent_writes_is_read)
{
	struct skm_record_view view = view_refusal();
	cr_expect_eq(view.time_ms, 1795218600123);
	cr_expect_eq(view.number, 1234);
	cr_expect_str_eq(view.event, "EXPORT_DENIED");
	cr_expect_str_eq(view.severity, "warning");
	cr_expect_str_eq(view.outcome, "blocked");
	cr_expect_str_eq(view.terminal, "T-1");
	cr_expect_str_eq(view.user, "sato");
	cr_expect_str_eq(view.login_user, "suzuki");
	cr_expect_str_eq(view.operator_id, "", "null reads as nothing");
	cr_expect_str_eq(view.rule, "builtin:default-deny");
	cr_expect_str_eq(view.reason, "not registered");
	cr_expect(view.has_device);
	cr_expect_str_eq(view.kind, "mass-storage");
	cr_expect_str_eq(view.vid_pid, "0781:55ab");
	cr_expect_str_eq(view.serial, "S1");
	cr_expect_str_eq(view.port, "1-2");
	skm_record_view_finish(&view);
}

Test(record_view, what_is_no_record_is_told)
{
	const char *const broken[] = {
		"",
		"x",
		"{",
		"[]",
		"null",
		"{}",
		"{\"time\":1}",
		"{\"event\":\"AGENT_START\"}",
		"{\"time\":\"1\",\"event\":\"AGENT_START\"}",
		"{\"time\":1.5,\"event\":\"AGENT_START\"}",
		"{\"time\":1,\"event\":\"\"}",
		"{\"time\":1,\"event\":7}",
		"{\"time\":1,\"event\":\"A\"} trailing",
		"{\"time\":1,\"event\":\"A\",\"event\":\"B\"}",
		"{\"time\":1,\"event\":\"\\u0000\"}",
		"{\"time\":1,\"event\":\"\xff\"}",
		"{\"time\":99999999999999999999,\"event\":\"A\"}",
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(broken); i++) {
		struct skm_record_view view;
		cr_expect_eq(skm_record_view_parse(broken[i], strlen(broken[i]), &view),
			SKM_RECORD_VIEW_BROKEN, "%s", broken[i]);
	}
}

Test(record_view, members_of_a_wrong_type_read_as_nothing)
{
	const char line[] = "{\"time\":-1,\"event\":\"A\",\"actor\":[],\"policy\":\"x\",\"terminal\":1,"
			    "\"peripheral_device\":[1],\"count\":\"many\",\"detail\":{}}";
	struct skm_record_view view;
	char out[512] = "";
	cr_assert_eq(skm_record_view_parse(line, sizeof(line) - 1, &view), 0);
	cr_expect_str_eq(view.user, "");
	cr_expect_str_eq(view.rule, "");
	cr_expect_not(view.has_device);
	FILE *file = fmemopen(out, sizeof(out), "w");
	skm_record_view_print(file, SKM_LANGUAGE_EN, &view);
	(void)fclose(file);
	cr_expect_not_null(strstr(out, "] A"), "an event that we do not know is shown by its id: %s", out);
	skm_record_view_finish(&view);
}

Test(record_view, each_filter_accepts_and_refuses)
{
	struct skm_record_view view = view_refusal();
	struct skm_record_filter filter = SKM_RECORD_FILTER_ALL;
	cr_expect(skm_record_filter_accepts(&filter, &view));

	filter.since_ms = view.time_ms;
	filter.until_ms = view.time_ms + 1;
	cr_expect(skm_record_filter_accepts(&filter, &view), "since is included");
	filter.until_ms = view.time_ms;
	cr_expect_not(skm_record_filter_accepts(&filter, &view), "until is not");
	filter = SKM_RECORD_FILTER_ALL;
	filter.since_ms = view.time_ms + 1;
	cr_expect_not(skm_record_filter_accepts(&filter, &view));

	filter = SKM_RECORD_FILTER_ALL;
	filter.number = view.number;
	cr_expect(
		view.number > 0 && skm_record_filter_accepts(&filter, &view), "%lld", (long long)view.number);
	filter.number++;
	cr_expect_not(skm_record_filter_accepts(&filter, &view));

	filter = SKM_RECORD_FILTER_ALL;
	filter.has_events = true;
	cr_expect_not(skm_record_filter_accepts(&filter, &view));
	filter.events[SKM_EVENT_EXPORT_DENIED] = true;
	cr_expect(skm_record_filter_accepts(&filter, &view));

	filter = SKM_RECORD_FILTER_ALL;
	filter.severity_min = SKM_SEVERITY_WARNING;
	cr_expect(skm_record_filter_accepts(&filter, &view));
	filter.severity_min = SKM_SEVERITY_ALERT;
	cr_expect_not(skm_record_filter_accepts(&filter, &view));
	skm_record_view_finish(&view);
}

Test(record_view, each_word_to_search_by_accepts_and_refuses)
{
	struct skm_record_view view = view_refusal();
	const struct {
		size_t offset;
		const char *right, *wrong;
	} words[] = {
		{offsetof(struct skm_record_filter, user), "sato", "sat"},
		{offsetof(struct skm_record_filter, user), "suzuki", "tanaka"},
		{offsetof(struct skm_record_filter, vid_pid), "0781:55AB", "0781:55ac"},
		{offsetof(struct skm_record_filter, serial), "S1", "s1"},
		{offsetof(struct skm_record_filter, port), "1-2", "1-2.1"},
		{offsetof(struct skm_record_filter, outcome), "blocked", "allowed"},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(words); i++) {
		struct skm_record_filter filter = SKM_RECORD_FILTER_ALL;
		const char **member = (const char **)(void *)((char *)&filter + words[i].offset);
		*member = words[i].right;
		cr_expect(skm_record_filter_accepts(&filter, &view), "%s", words[i].right);
		*member = words[i].wrong;
		cr_expect_not(skm_record_filter_accepts(&filter, &view), "%s", words[i].wrong);
	}
	skm_record_view_finish(&view);
}

Test(record_view, people_read_it_in_their_language_and_unharmed)
{
	struct skm_record_view view = view_refusal();
	char ja[2048] = "";
	char en[2048] = "";
	FILE *file = fmemopen(ja, sizeof(ja), "w");
	skm_record_view_print(file, SKM_LANGUAGE_JA, &view);
	(void)fclose(file);
	file = fmemopen(en, sizeof(en), "w");
	skm_record_view_print(file, SKM_LANGUAGE_EN, &view);
	(void)fclose(file);
	cr_expect_not_null(strstr(ja, "[警告] 持ち出し試行を遮断  利用者 sato"), "%s", ja);
	cr_expect_not_null(strstr(ja, "規則 builtin:default-deny  理由 not registered"), "%s", ja);
	cr_expect_not_null(strstr(en, "[warning] export attempt blocked  user sato"), "%s", en);
	cr_expect_not_null(strstr(en, "mass storage 0781:55ab"), "%s", en);
	cr_expect_null(strchr(en, '\x1b'));
	skm_record_view_finish(&view);
}

/* What a device says of itself can leave its quotes no more than a name can. */
Test(record_view, a_device_that_names_itself_like_the_rest_of_its_line)
{
	static const char line[] =
		"{\"time\":1,\"event\":\"EXPORT_DENIED\",\"peripheral_device\":{\"vendor_name\":\"Canon\","
		"\"model\":\"Scanner\\\"  serial A1B2C3  port 1-9\",\"kind\":\"mass-storage\","
		"\"vid_pid\":\"0781:5581\",\"serial_number\":\"REAL77  port 1-9\",\"port\":\"1-2\"}}";
	struct skm_record_view view;
	char out[1024] = "";
	cr_assert_eq(skm_record_view_parse(line, sizeof(line) - 1, &view), 0);
	FILE *file = fmemopen(out, sizeof(out), "w");
	skm_record_view_print(file, SKM_LANGUAGE_EN, &view);
	(void)fclose(file);
	cr_expect_not_null(
		strstr(out, "    mass storage 0781:5581 \"Canon Scanner\\\"  serial A1B2C3  port 1-9\""
			    "  serial \"REAL77  port 1-9\"  port 1-2\n"),
		"%s", out);
	skm_record_view_finish(&view);
}

/* A line about a person as authd writes it, changed by `change`, read and printed. */
static char out[4096];
static void print_person(void (*change)(struct skm_record *), enum skm_language language)
{
	static char line[SKM_RECORD_LINE_MAX];
	static struct skm_record record;
	struct skm_record_view view;
	sample_record(SKM_EVENT_AUTH_FAIL, &record);
	record.detail[0] = '\0';
	if (change)
		change(&record);
	size_t len = skm_record_format(&record, line);
	cr_assert_eq(skm_record_view_parse(line, len - 1, &view), 0);
	memset(out, 0, sizeof(out));
	FILE *file = fmemopen(out, sizeof(out), "w");
	skm_record_view_print(file, language, &view);
	(void)fclose(file);
	skm_record_view_finish(&view);
}

#define EXPECT_PRINTED(text) cr_expect_not_null(strstr(out, (text)), "\"%s\" is not in %s", (text), out)
#define EXPECT_NOT_PRINTED(text) cr_expect_null(strstr(out, (text)), "\"%s\" is in %s", (text), out)

Test(record_view, a_login_says_who_where_from_and_how)
{
	print_person(NULL, SKM_LANGUAGE_EN);
	EXPECT_PRINTED("[notice] second factor refused  user sato  terminal PC-042\n");
	EXPECT_PRINTED("    service sshd  factor verification code  token \"携帯電話\"  from 192.0.2.7"
		       "  tty ssh  asked by tanaka\n");
	EXPECT_NOT_PRINTED("uid"); /* every login is asked for by root */
	print_person(NULL, SKM_LANGUAGE_JA);
	EXPECT_PRINTED("[通知] 多要素認証 失敗  利用者 sato  端末 PC-042\n");
	EXPECT_PRINTED("    サービス sshd  認証方法 確認コード  トークン \"携帯電話\"  接続元 192.0.2.7"
		       "  tty ssh  要求元の利用者 tanaka\n");
}

static void by_recovery_code(struct skm_record *record)
{
	strcpy(record->auth.factor, "recovery");
	strcpy(record->auth.rhost, "pc-7.example.jp");
}

static void by_substitute_code(struct skm_record *record)
{
	strcpy(record->auth.factor, "substitute");
}

Test(record_view, each_factor_has_its_words)
{
	print_person(by_recovery_code, SKM_LANGUAGE_EN);
	EXPECT_PRINTED("factor recovery code");
	EXPECT_PRINTED("from pc-7.example.jp");
	print_person(by_recovery_code, SKM_LANGUAGE_JA);
	EXPECT_PRINTED("認証方法 代用コード（本人保管）");
	print_person(by_substitute_code, SKM_LANGUAGE_EN);
	EXPECT_PRINTED("factor substitute code");
	print_person(by_substitute_code, SKM_LANGUAGE_JA);
	EXPECT_PRINTED("認証方法 代用コード（期限付き）");
}

static void issue(struct skm_record *record)
{
	sample_record(SKM_EVENT_SUBSTITUTE_ISSUED, record);
}

static void unlock_by_root(struct skm_record *record)
{
	sample_record(SKM_EVENT_MFA_UNLOCKED, record);
	record->caller_uid = 0;
}

static void deny(struct skm_record *record)
{
	sample_record(SKM_EVENT_AUTH_DENIED, record);
	record->caller_uid = 1007;
}

Test(record_view, an_act_says_for_whom_by_whom_and_why)
{
	print_person(issue, SKM_LANGUAGE_EN);
	EXPECT_PRINTED("[warning] substitute code issued  user sato");
	EXPECT_PRINTED("asked by uid 1001\n");
	EXPECT_PRINTED("reason 携帯電話の紛失");
	print_person(issue, SKM_LANGUAGE_JA);
	EXPECT_PRINTED("代用コードの発行  利用者 sato");
	EXPECT_PRINTED("要求元のUID 1001\n");
	EXPECT_PRINTED("理由 携帯電話の紛失");
	print_person(unlock_by_root, SKM_LANGUAGE_EN);
	EXPECT_PRINTED("asked by uid 0\n");
	print_person(deny, SKM_LANGUAGE_EN);
	EXPECT_PRINTED("asked by uid 1007\n");
}

static void name_of_nobody(struct skm_record *record)
{
	record->auth.subject_uid = -1;
	strcpy(record->auth.subject, "x\n2026 \x1b[2J  user root \"q\" \\ \xff");
	strcpy(record->auth.token, "t  reason none");
	strcpy(record->auth.rhost, "h  tty x");
}

static void no_name(struct skm_record *record)
{
	record->auth.subject_uid = -1;
	record->auth.subject[0] = '\0';
}

/* A name can neither leave its line nor its quotes. */
Test(record_view, a_made_up_name_is_seen_to_be_one)
{
	print_person(name_of_nobody, SKM_LANGUAGE_EN);
	EXPECT_PRINTED(
		"user \"x\xef\xbf\xbd"
		"2026 \xef\xbf\xbd[2J  user root \\\"q\\\" \\\\ \xef\xbf\xbd\" (no such user)  terminal");
	EXPECT_PRINTED("token \"t  reason none\"");
	EXPECT_PRINTED("from \"h  tty x\"");
	size_t lines = 0;
	for (const char *c = out; *c; c++)
		lines += *c == '\n';
	cr_expect_eq(lines, 2, "%s", out);
	print_person(name_of_nobody, SKM_LANGUAGE_JA);
	EXPECT_PRINTED("（該当者なし）  端末");
	print_person(no_name, SKM_LANGUAGE_EN);
	EXPECT_PRINTED("user \"\" (no such user)");
}

Test(record_view, people_are_found_by_name)
{
	static char line[SKM_RECORD_LINE_MAX];
	struct skm_record record;
	struct skm_record_view view;
	static const struct {
		const char *name;
		bool is_found;
	} names[] = {{"sato", true}, {"tanaka", true}, {"console", true}, {"携帯電話", false}, {"", false}};
	sample_record(SKM_EVENT_AUTH_OK, &record);
	strcpy(record.user, "console");
	strcpy(record.login_user, "console");
	strcpy(record.operator_id, "console");
	size_t len = skm_record_format(&record, line);
	cr_assert_eq(skm_record_view_parse(line, len - 1, &view), 0);
	cr_expect_eq(view.caller_uid, 0);
	cr_expect(view.has_auth && view.is_known && view.is_attempt);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++) {
		struct skm_record_filter filter = SKM_RECORD_FILTER_ALL;
		filter.user = names[i].name;
		cr_expect_eq(
			skm_record_filter_accepts(&filter, &view), names[i].is_found, "%s", names[i].name);
	}
	skm_record_view_finish(&view);
}

Test(record_view, wrong_types_about_a_person_read_as_nothing)
{
	const char line[] =
		"{\"time\":1,\"event\":\"AUTH_OK\",\"activity_id\":\"1\",\"user\":{\"name\":1,\"uid\":0},"
		"\"service\":[],\"src_endpoint\":{\"ip\":null},\"auth_factors\":{\"0\":1},\"auth\":1,"
		"\"actor\":{\"caller_uid\":\"x\"}}";
	struct skm_record_view view;
	cr_assert_eq(skm_record_view_parse(line, sizeof(line) - 1, &view), 0);
	cr_expect(view.has_auth && !view.is_known && !view.is_attempt);
	cr_expect_eq(view.caller_uid, -1);
	const char *const texts[] = {view.subject, view.service, view.source, view.tty, view.ruser,
		view.factor, view.token, view.reason};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(texts); i++)
		cr_expect_str_eq(texts[i], "");
	skm_record_view_finish(&view);
}
