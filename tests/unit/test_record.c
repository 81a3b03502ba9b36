// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "sample_record.h"
#include "sekimori/io.h"

static char line[SKM_RECORD_LINE_MAX];
static size_t line_len;

/* Formats into an exact heap block, so that AddressSanitizer sees a byte too many; parses back what came out.
 */
static json_t *format(const struct skm_record *record)
{
	char *exact = malloc(SKM_RECORD_LINE_MAX);
	line_len = skm_record_format(record, exact);
	cr_assert(line_len > 0 && line_len <= SKM_RECORD_LINE_MAX, "%zu bytes", line_len);
	memcpy(line, exact, line_len);
	free(exact);
	cr_assert_eq(line[line_len - 1], '\n');
	for (size_t i = 0; i < line_len - 1; i++)
		cr_assert((unsigned char)line[i] >= 0x20 && line[i] != 0x7f, "byte %02x at %zu", line[i], i);
	cr_assert(skm_utf8_is_valid(line, line_len));
	json_error_t error;
	json_t *root = json_loadb(line, line_len, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(root, "%s in %.*s", error.text, (int)line_len, line);
	return root;
}

/* "policy.rule" -> the value, which must exist. */
static json_t *find(json_t *root, const char *path)
{
	char word[64];
	for (const char *at = path; *at;) {
		size_t len = strcspn(at, ".");
		snprintf(word, sizeof(word), "%.*s", (int)len, at);
		root = json_object_get(root, word);
		cr_assert_not_null(root, "%s is missing in %.*s", path, (int)line_len, line);
		at += len + (at[len] == '.');
	}
	return root;
}

static void expect_text(json_t *root, const char *path, const char *expected)
{
	const char *found = json_string_value(find(root, path));
	cr_expect(found && strcmp(found, expected) == 0, "%s is %s, not %s", path,
		found ? found : "no string", expected);
}

static void expect_number(json_t *root, const char *path, json_int_t expected)
{
	json_t *found = find(root, path);
	cr_expect(json_is_integer(found) && json_integer_value(found) == expected, "%s is %lld, not %lld",
		path, json_integer_value(found), expected);
}

static void expect_null(json_t *root, const char *path)
{
	cr_expect(json_is_null(find(root, path)), "%s is not null", path);
}

/* The whole line once, byte for byte: order of members, spelling, no blanks. The chain's verifier depends on
 * it. */
Test(record, one_line_in_full)
{
	struct skm_record record;
	sample_record(SKM_EVENT_DEVICE_PARTIAL, &record);
	snprintf(record.previous_hash, sizeof(record.previous_hash), "%064d", 1);
	snprintf(record.mac, sizeof(record.mac), "%032d", 2);
	json_decref(format(&record));
	static const char expected[] =
		"{\"time\":1795219200123,\"time_dt\":\"2026-11-21T09:00:00.123+09:00\","
		"\"class_uid\":1010,\"class_name\":\"Peripheral Activity\",\"category_uid\":1,\"activity_id\":1,"
		"\"type_uid\":101001,\"severity_id\":3,\"severity\":\"warning\",\"event\":\"DEVICE_PARTIAL\","
		"\"message\":\"device allowed in part\",\"action_id\":4,\"disposition_id\":2,\"outcome\":\"partial\","
		"\"metadata\":{\"version\":\"1.7.0\",\"product\":{\"name\":\"Sekimori\",\"vendor_name\":\"Sekimori\","
		"\"version\":\"" SKM_VERSION
		"\"},\"profiles\":[\"security_control\",\"datetime\"],\"sequence\":17},"
		"\"terminal\":{\"number\":\"PC-042\",\"section\":\"市民課\"},"
		"\"clock\":{\"synchronised\":true,\"offset_usec\":-42,\"boottime_usec\":5000000},"
		"\"actor\":{\"user\":\"tanaka\",\"uid\":1001,\"login_user\":\"tanaka\",\"operator\":null,"
		"\"caller_uid\":null,\"caller_pid\":null},"
		"\"policy\":{\"rule\":\"builtin:default-deny\",\"reason\":\"a device with a recording function\","
		"\"allow_rule\":\"builtin:office\",\"version\":\"89abcdef01234567\"},"
		"\"peripheral_device\":{\"name\":\"Cruzer Blade\",\"vendor_name\":\"SanDisk\",\"model\":\"Cruzer Blade\","
		"\"kind\":\"mass-storage\",\"vid_pid\":\"0781:5567\",\"serial_number\":\"4C530001\","
		"\"descriptor_hash\":\"a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf\","
		"\"port\":\"1-2.3\",\"connect_type\":\"hotplug\",\"descriptor_state\":\"ok\",\"at_start\":false,"
		"\"interfaces\":[{\"id\":\"1:0\",\"class\":\"03:01:01\",\"kind\":\"keyboard\",\"allowed\":true},"
		"{\"id\":\"1:1\",\"class\":\"08:06:50\",\"kind\":\"mass-storage\",\"allowed\":false}],"
		"\"interfaces_omitted\":0},\"object\":null,\"detail\":null,"
		"\"skm\":{\"stream\":\"agent\",\"c\":\"00112233445566778899aabbccddeeff\",\"n\":17,"
		"\"b\":\"0123456789abcdef0123456789abcdef\",\"bn\":3,\"mt\":4000000000,"
		"\"p\":\"0000000000000000000000000000000000000000000000000000000000000001\"},"
		"\"m\":\"00000000000000000000000000000002\"}\n";
	cr_expect_eq(line_len, sizeof(expected) - 1);
	cr_expect_eq(strncmp(line, expected, line_len), 0, "%.*s\n%s", (int)line_len, line, expected);
}

static const char *const person_members[] = {
	"status_id", "user", "service", "src_endpoint", "is_mfa", "auth_factors", "auth"};

/* The same for what stands in the middle of a line about a person. */
Test(record, one_line_about_a_person)
{
	struct skm_record record;
	sample_record(SKM_EVENT_AUTH_OK, &record);
	snprintf(record.auth.reason, sizeof(record.auth.reason), "why");
	json_decref(format(&record));
	static const char expected[] =
		"\"class_uid\":3002,\"class_name\":\"Authentication\",\"category_uid\":3,\"activity_id\":1,"
		"\"type_uid\":300201,\"severity_id\":1,\"severity\":\"info\",\"event\":\"AUTH_OK\","
		"\"message\":\"second factor accepted\",\"action_id\":1,\"disposition_id\":1,"
		"\"outcome\":\"allowed\",\"status_id\":1,\"metadata\":{";
	static const char person[] =
		"\"policy\":{\"rule\":null,\"reason\":null,\"allow_rule\":null,\"version\":\"89abcdef01234567\"},"
		"\"user\":{\"name\":\"sato\",\"uid\":\"1002\"},\"service\":{\"name\":\"sshd\"},"
		"\"src_endpoint\":{\"ip\":\"192.0.2.7\",\"hostname\":null},\"is_mfa\":true,"
		"\"auth_factors\":[{\"factor_type_id\":7,\"factor_type\":\"OTP\"}],"
		"\"auth\":{\"tty\":\"ssh\",\"ruser\":\"tanaka\",\"token\":\"携帯電話\",\"reason\":\"why\"},"
		"\"object\":null,\"detail\":\"what was found and done\",\"skm\":{\"stream\":\"auth\",";
	cr_expect_not_null(
		memmem(line, line_len, expected, sizeof(expected) - 1), "%.*s", (int)line_len, line);
	cr_expect_not_null(memmem(line, line_len, person, sizeof(person) - 1), "%.*s", (int)line_len, line);
}

Test(record, each_event_says_what_it_is)
{
	for (unsigned i = 0; i < SKM_EVENT_COUNT_; i++) {
		enum skm_event event = (enum skm_event)i;
		struct skm_record record;
		sample_record(event, &record);
		json_t *root = format(&record);
		expect_text(root, "event", skm_event_to_string(event));
		expect_text(root, "message", skm_event_to_text(event, false));
		expect_text(root, "severity", skm_severity_to_string(skm_event_severity(event)));
		expect_number(root, "severity_id", (json_int_t)skm_event_severity(event) + 1);
		int class_uid = record.has_device ? 1010 : record.has_auth ? 3002 : 1008;
		cr_assert_eq(record.has_auth, sample_is_about_person(event));
		expect_number(root, "class_uid", class_uid);
		expect_number(root, "category_uid", class_uid / 1000);
		json_int_t activity = json_integer_value(find(root, "activity_id"));
		cr_expect_gt(activity, 0, "%s has no activity", skm_event_to_string(event));
		expect_number(root, "type_uid", class_uid * 100 + activity);
		expect_text(root, "outcome", skm_outcome_to_string(record.outcome));
		if (record.has_auth)
			expect_null(root, "policy.rule");
		else
			expect_text(root, "policy.rule",
				record.has_device ? "builtin:default-deny" : "builtin:agent");
		for (size_t m = 0; m < SKM_ARRAY_SIZE(person_members); m++)
			cr_expect_eq(json_object_get(root, person_members[m]) != NULL, record.has_auth,
				"%s, %s", skm_event_to_string(event), person_members[m]);
		cr_expect_eq(json_object_get(root, "peripheral_device") != NULL, record.has_device);
		cr_expect_eq(json_object_get(root, "count") != NULL, record.count > 0);
		expect_number(root, "metadata.sequence", 17);
		expect_number(root, "skm.n", 17);
		expect_null(root, "skm.p");
		expect_null(root, "m");
		json_decref(root);
	}
}

Test(record, activities_are_those_of_ocsf)
{
	static const struct {
		enum skm_event event;
		int type_uid;
	} expected[] = {
		{SKM_EVENT_EXPORT_DENIED, 101001},
		{SKM_EVENT_DEVICE_REMOVED, 101002},
		{SKM_EVENT_DEVICE_CHANGED, 101099},
		{SKM_EVENT_AGENT_START, 100806},
		{SKM_EVENT_AGENT_STOP, 100807},
		{SKM_EVENT_LOG_FULL, 100810},
		{SKM_EVENT_LOG_RESUMED, 100809},
		{SKM_EVENT_CONTROLLER_OPEN, 100899},
		{SKM_EVENT_CLOCK_JUMP, 100899},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(expected); i++) {
		struct skm_record record;
		sample_record(expected[i].event, &record);
		json_t *root = format(&record);
		expect_number(root, "type_uid", expected[i].type_uid);
		json_decref(root);
	}
}

Test(record, logins_have_a_status_and_a_kind)
{
	static const struct {
		enum skm_event event;
		int activity_id, status_id;
	} expected[] = {
		{SKM_EVENT_AUTH_OK, 1, 1},
		{SKM_EVENT_AUTH_FAIL, 1, 2},
		{SKM_EVENT_AUTH_LOCKED, 1, 2},
		{SKM_EVENT_AUTH_REPLAY, 1, 2},
		{SKM_EVENT_AUTH_CLOCK, 1, 2},
		{SKM_EVENT_AUTH_ERROR, 1, 2},
		{SKM_EVENT_AUTH_DEGRADED, 99, 99},
		{SKM_EVENT_AUTH_DENIED, 1, 2},
		{SKM_EVENT_SUBSTITUTE_ISSUED, 99, 1},
		{SKM_EVENT_SUBSTITUTE_USED, 1, 1},
		{SKM_EVENT_MFA_ENROLLED, 99, 1},
		{SKM_EVENT_MFA_DISABLED, 99, 1},
		{SKM_EVENT_MFA_UNLOCKED, 99, 1},
		{SKM_EVENT_MFA_RECOVERY, 99, 1},
		{SKM_EVENT_MFA_RESYNCED, 99, 1},
		{SKM_EVENT_MFA_LOGIN_ON, 99, 1},
		{SKM_EVENT_MFA_LOGIN_OFF, 99, 1},
	};
	cr_expect_eq(SKM_ARRAY_SIZE(expected), SKM_EVENT_MFA_LOGIN_OFF - SKM_EVENT_AUTH_OK + 1);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(expected); i++) {
		struct skm_record record;
		sample_record(expected[i].event, &record);
		json_t *root = format(&record);
		expect_number(root, "activity_id", expected[i].activity_id);
		expect_number(root, "status_id", expected[i].status_id);
		json_decref(root);

		/* what could not be done is never called a success */
		for (unsigned outcome = 0; outcome < SKM_OUTCOME_COUNT_; outcome++) {
			record.outcome = (enum skm_outcome)outcome;
			root = format(&record);
			json_int_t status = json_integer_value(find(root, "status_id"));
			if (outcome == SKM_OUTCOME_BLOCKED || outcome == SKM_OUTCOME_ERROR)
				cr_expect_neq(status, 1, "%s", skm_event_to_string(record.event));
			else
				cr_expect_eq(status, expected[i].status_id);
			json_decref(root);
		}
	}
}

Test(record, factors_are_those_of_ocsf)
{
	static const struct {
		char word[16], type[16];
		int id;
	} expected[] = {{"token", "OTP", 7}, {"recovery", "recovery code", 99},
		{"substitute", "substitute code", 99}, {"123456", "Unknown", 0}, {"tokens", "Unknown", 0}};
	struct skm_record record;
	json_t *root;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(expected); i++) {
		sample_record(SKM_EVENT_AUTH_OK, &record);
		snprintf(record.auth.factor, sizeof(record.auth.factor), "%.15s", expected[i].word);
		root = format(&record);
		json_t *factors = find(root, "auth_factors");
		cr_assert_eq(json_array_size(factors), 1);
		expect_number(json_array_get(factors, 0), "factor_type_id", expected[i].id);
		expect_text(json_array_get(factors, 0), "factor_type", expected[i].type);
		cr_expect_null(
			memmem(line, line_len, "123456\"", 7), "a word that is not ours is not written");
		json_decref(root);
	}
	record.auth.factor[0] = '\0';
	root = format(&record);
	cr_expect_eq(json_array_size(find(root, "auth_factors")), 0);
	json_decref(root);
}

Test(record, a_remote_host_is_an_address_or_a_name)
{
	static const struct {
		const char *rhost;
		bool is_ip;
	} hosts[] = {{"192.0.2.7", true}, {"2001:db8::1", true}, {"::ffff:192.0.2.7", true},
		{"pc-042.example.jp", false}, {"192.0.2", false}, {"192.0.2.7 ", false},
		{"192.0.2.7\n", false}, {"fe80::1%eth0", false}, {"\xff", false}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(hosts); i++) {
		struct skm_record record;
		sample_record(SKM_EVENT_AUTH_FAIL, &record);
		snprintf(record.auth.rhost, sizeof(record.auth.rhost), "%s", hosts[i].rhost);
		json_t *root = format(&record);
		expect_null(root, hosts[i].is_ip ? "src_endpoint.hostname" : "src_endpoint.ip");
		const char *where = hosts[i].is_ip ? "src_endpoint.ip" : "src_endpoint.hostname";
		if (hosts[i].rhost[0] == '\xff')
			expect_text(root, where, "\xef\xbf\xbd");
		else
			expect_text(root, where, hosts[i].rhost);
		json_decref(root);
	}
}

Test(record, the_class_follows_what_is_known)
{
	struct skm_record record;
	sample_record(SKM_EVENT_AUTH_ERROR, &record);
	record.has_auth = false; /* no key: about the service, not about a person */
	json_t *root = format(&record);
	expect_number(root, "type_uid", 100899);
	for (size_t m = 0; m < SKM_ARRAY_SIZE(person_members); m++)
		cr_expect_null(json_object_get(root, person_members[m]));
	json_decref(root);

	sample_record(SKM_EVENT_CLOCK_JUMP, &record);
	sample_auth(&record);
	root = format(&record);
	expect_number(root, "type_uid", 300299);
	expect_number(root, "status_id", 99);
	json_decref(root);

	sample_record(SKM_EVENT_EXPORT_DENIED, &record);
	sample_auth(&record);
	root = format(&record);
	expect_number(root, "type_uid", 101001);
	for (size_t m = 0; m < SKM_ARRAY_SIZE(person_members); m++)
		cr_expect_null(json_object_get(root, person_members[m]));
	json_decref(root);
}

Test(record, nobody_known_is_null)
{
	static const char *const paths[] = {"user.name", "user.uid", "service.name", "src_endpoint.ip",
		"src_endpoint.hostname", "auth.tty", "auth.ruser", "auth.token", "auth.reason"};
	struct skm_record record;
	skm_record_init(&record, SKM_EVENT_AUTH_FAIL);
	record.has_auth = true;
	json_t *root = format(&record);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(paths); i++)
		expect_null(root, paths[i]);
	json_decref(root);
	record.auth.subject_uid = 0; /* root is somebody */
	root = format(&record);
	expect_text(root, "user.uid", "0");
	json_decref(root);
}

Test(record, outcomes_map_to_action_and_disposition)
{
	static const struct {
		char word[16];
		int action_id, disposition_id;
	} expected[SKM_OUTCOME_COUNT_] = {
		[SKM_OUTCOME_BLOCKED] = {"blocked", 2, 2},
		[SKM_OUTCOME_ALLOWED] = {"allowed", 1, 1},
		[SKM_OUTCOME_PARTIAL] = {"partial", 4, 2},
		[SKM_OUTCOME_OBSERVED] = {"observed", 3, 15},
		[SKM_OUTCOME_LOGGED] = {"logged", 3, 17},
		[SKM_OUTCOME_ERROR] = {"error", 0, 27},
	};
	for (unsigned i = 0; i < SKM_OUTCOME_COUNT_; i++) {
		struct skm_record record;
		sample_record(SKM_EVENT_EXPORT_DENIED, &record);
		record.outcome = (enum skm_outcome)i;
		json_t *root = format(&record);
		expect_text(root, "outcome", expected[i].word);
		expect_number(root, "action_id", expected[i].action_id);
		expect_number(root, "disposition_id", expected[i].disposition_id);
		json_decref(root);
	}
}

Test(record, unknown_is_null_and_never_left_out)
{
	struct skm_record record;
	skm_record_init(&record, SKM_EVENT_AGENT_START);
	json_t *root = format(&record);
	static const char *const paths[] = {"terminal.number", "terminal.section", "actor.user", "actor.uid",
		"actor.login_user", "actor.operator", "actor.caller_uid", "actor.caller_pid", "policy.rule",
		"policy.reason", "policy.allow_rule", "policy.version", "object", "detail", "skm.b", "skm.p",
		"m"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(paths); i++)
		expect_null(root, paths[i]);
	expect_text(root, "skm.stream", "agent");
	cr_expect_not(json_is_true(find(root, "clock.synchronised")));
	json_decref(root);
}

Test(record, names_everybody_who_is_known)
{
	struct skm_record record;
	sample_record(SKM_EVENT_POLICY_CHANGED, &record);
	record.user_uid = 0;
	snprintf(record.operator_id, sizeof(record.operator_id), "S-1234");
	record.stream = "auth";
	json_t *root = format(&record);
	expect_number(root, "actor.uid", 0); /* root is somebody */
	expect_number(root, "actor.caller_uid", 0);
	expect_number(root, "actor.caller_pid", 4711);
	expect_text(root, "actor.operator", "S-1234");
	expect_text(root, "skm.stream", "auth");
	json_decref(root);
}

Test(record, the_rule_is_always_named_for_a_device)
{
	struct skm_record record;
	sample_record(SKM_EVENT_DEVICE_ERROR, &record);
	snprintf(record.rule, sizeof(record.rule), "builtin:gate");
	json_t *root = format(&record);
	expect_text(root, "policy.rule", "builtin:gate");
	json_decref(root);

	record.rule[0] = record.decision.rule[0] = '\0';
	root = format(&record);
	expect_text(root, "policy.rule", "builtin:unnamed");
	json_decref(root);
}

Test(record, a_nameless_device_is_called_by_its_kind)
{
	struct skm_record record;
	sample_record(SKM_EVENT_EXPORT_DENIED, &record);
	record.device.product[0] = record.device.manufacturer[0] = record.device.serial[0] = '\0';
	json_t *root = format(&record);
	expect_text(root, "peripheral_device.name", "mass-storage");
	expect_null(root, "peripheral_device.model");
	expect_null(root, "peripheral_device.serial_number");
	json_decref(root);
}

Test(record, hostile_strings_stay_strings)
{
	static const char *const texts[] = {"\",\"m\":\"0", "a\nb\rc\td", "\x1b[2J\x1b]0;x\x07", "\\", "\\\"",
		"\x7f\x01", "\xff\xfe",
		"a\xe2\x80\xae"
		"b",
		"</script>", "${jndi:x}",
		"\xc2\x9b"
		"31m",
		"{}", "\xed\xa0\x80"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(texts); i++) {
		struct skm_record record;
		sample_record(SKM_EVENT_EXPORT_DENIED, &record);
		snprintf(record.device.serial, sizeof(record.device.serial), "%s", texts[i]);
		snprintf(record.device.product, sizeof(record.device.product), "%s", texts[i]);
		snprintf(record.user, sizeof(record.user), "%s", texts[i]);
		json_t *root = format(&record);
		cr_expect_null(memchr(line, 0x1b, line_len));
		cr_expect_null(strstr(line, "\xe2\x80\xae"));
		cr_expect_null(strstr(line, "\xc2\x9b"));
		if (skm_utf8_is_valid(texts[i], strlen(texts[i]))) {
			expect_text(root, "peripheral_device.serial_number", texts[i]);
			expect_text(root, "actor.user", texts[i]);
		} else {
			const char *found = json_string_value(find(root, "peripheral_device.serial_number"));
			cr_expect(found && strstr(found, "\xef\xbf\xbd"));
		}
		expect_null(root, "m");
		json_decref(root);
	}
}

Test(record, hostile_names_stay_names)
{
	static const char *const texts[] = {"\",\"m\":\"0", "root\n{\"event\":\"AUTH_OK\"}",
		"../../etc/shadow", "%s%n", "\x1b]0;x\x07", "\xff\xfe", "a\xe2\x80\xae"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(texts); i++) {
		struct skm_record record;
		sample_record(SKM_EVENT_AUTH_FAIL, &record);
		struct skm_auth_facts *auth = &record.auth;
		const struct {
			char *text;
			size_t size;
			const char *path;
		} members[] = {{auth->subject, sizeof(auth->subject), "user.name"},
			{auth->service, sizeof(auth->service), "service.name"},
			{auth->rhost, sizeof(auth->rhost), "src_endpoint.hostname"},
			{auth->tty, sizeof(auth->tty), "auth.tty"},
			{auth->ruser, sizeof(auth->ruser), "auth.ruser"},
			{auth->token, sizeof(auth->token), "auth.token"},
			{auth->reason, sizeof(auth->reason), "auth.reason"}};
		for (size_t m = 0; m < SKM_ARRAY_SIZE(members); m++)
			snprintf(members[m].text, members[m].size, "%s", texts[i]);
		json_t *root = format(&record);
		for (size_t m = 0; m < SKM_ARRAY_SIZE(members); m++) {
			if (skm_utf8_is_valid(texts[i], strlen(texts[i])))
				expect_text(root, members[m].path, texts[i]);
			else
				expect_text(root, members[m].path, "\xef\xbf\xbd\xef\xbf\xbd");
		}
		expect_text(root, "event", "AUTH_FAIL");
		expect_null(root, "m");
		json_decref(root);
	}
}

/* Two hostile names that differ in their last byte are two names. */
Test(record, a_name_is_never_cut)
{
	struct skm_record record;
	sample_record(SKM_EVENT_AUTH_FAIL, &record);
	memset(record.auth.subject, 0x01, sizeof(record.auth.subject) - 1);
	json_t *root = format(&record);
	expect_text(root, "user.name", record.auth.subject);
	json_decref(root);
}

/* The longest of everything, with what grows most when it is escaped: still one whole line, with the chain at
 * its end. */
Test(record, the_worst_fits)
{
	static const char *const units[] = {"\x01", "\"", "\\", "x", "\x7f", "\xff", "\xe2\x80\xae",
		"\xc2\x9b", "\xe9\x96\xa2", "\xf0\xa9\xb8\xbd"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(units); i++) {
		for (unsigned event = 0; event <= SKM_EVENT_COUNT_; event++) {
			struct skm_record record;
			skm_record_init(&record, (enum skm_event)event);
			sample_fill(&record, units[i]);
			json_t *root = format(&record);
			size_t shown = json_array_size(find(root, "peripheral_device.interfaces"));
			cr_expect_geq(shown, 8, "unit %zu: %zu interfaces", i, shown);
			expect_number(root, "peripheral_device.interfaces_omitted",
				(json_int_t)(SKM_USB_INTERFACES_MAX - shown));
			expect_number(root, "skm.n", INT64_MAX);
			expect_number(root, "count", INT64_MAX);
			json_decref(root);

			record.has_device = false;
			record.has_auth = true;
			root = format(&record);
			expect_text(root, "user.uid", "9223372036854775807");
			cr_expect(json_is_string(find(root, "auth.reason")));
			expect_number(root, "skm.n", INT64_MAX);
			json_decref(root);
		}
	}
}

Test(record, shows_interfaces_until_the_line_is_full)
{
	struct skm_record record;
	sample_record(SKM_EVENT_EXPORT_DENIED, &record);
	record.device.interface_count = UINT16_MAX; /* more than there is room for in the struct */
	json_t *root = format(&record);
	size_t shown = json_array_size(find(root, "peripheral_device.interfaces"));
	cr_expect(shown > 50 && shown < SKM_USB_INTERFACES_MAX);
	expect_number(
		root, "peripheral_device.interfaces_omitted", (json_int_t)(SKM_USB_INTERFACES_MAX - shown));
	json_decref(root);

	record.device.interface_count =
		32; /* the kernel's limit of one configuration is never cut for ordinary names */
	root = format(&record);
	cr_expect_eq(json_array_size(find(root, "peripheral_device.interfaces")), 32);
	expect_number(root, "peripheral_device.interfaces_omitted", 0);
	json_decref(root);
}

/* 126 UTF-16 units, whatever they are: the serial number tells two devices apart, so it is the one that is
 * never cut. */
Test(record, interfaces_have_their_numbers)
{
	struct skm_record record;
	sample_record(SKM_EVENT_EXPORT_DENIED, &record);
	record.device.interface_count = 1;
	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		char expected[16];
		record.device.interfaces[0].configuration = (uint8_t)(UINT8_MAX - i);
		record.device.interfaces[0].number = (uint8_t)i;
		snprintf(expected, sizeof(expected), "%u:%u", UINT8_MAX - i, i);
		json_t *root = format(&record);
		json_t *interface = json_array_get(find(root, "peripheral_device.interfaces"), 0);
		cr_expect_str_eq(json_string_value(find(interface, "id")), expected);
		json_decref(root);
	}
}

Test(record, a_serial_number_is_never_cut)
{
	struct skm_record record;
	sample_record(SKM_EVENT_EXPORT_DENIED, &record);
	memset(record.device.serial, 0x01, 126);
	record.device.serial[126] = '\0';
	json_t *root = format(&record);
	cr_expect_eq(strlen(json_string_value(find(root, "peripheral_device.serial_number"))), 126);
	json_decref(root);
}

Test(record, what_is_cut_is_marked)
{
	struct skm_record record;
	sample_record(SKM_EVENT_EXPORT_DENIED, &record);
	memset(record.device.product, 0x01, sizeof(record.device.product) - 1);
	json_t *root = format(&record);
	const char *model = json_string_value(find(root, "peripheral_device.model"));
	cr_assert_gt(strlen(model), 3);
	cr_expect_str_eq(model + strlen(model) - 3, "\xe2\x80\xa6");
	json_decref(root);
}
