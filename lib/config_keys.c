// SPDX-License-Identifier: Apache-2.0
/* The table of keys. A key that is not here is refused; one that is here must stand in the shipped file and
 * in both manual pages, with this default (tests/meta/config_keys.sh reads this file: keep .path and
 * .fallback at the beginning of a line). Another module of the same file, such as the second factor, adds its
 * group and keys here, its member to struct skm_config, and needs nothing else. */
#include <stdio.h>
#include <string.h>

#include "config_internal.h"

#define MEMBER(member) \
	.offset = offsetof(struct skm_config, member), .size = sizeof(((struct skm_config *)0)->member)
#define DRAFT(member)                                             \
	.offset = offsetof(struct skm_config_rule_draft, member), \
	.size = sizeof(((struct skm_config_rule_draft *)0)->member)
#define GROUP_TEXT                                        \
	{                                                 \
		"a group: { … }", "グループ: { … }" \
	}

// clang-format off
static const struct skm_config_key keys[] = {
	{
		.path = "terminal",
		.shape = SKM_SHAPE_GROUP,
		.allowed = GROUP_TEXT,
	}, {
		.path = "terminal.number",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_text,
		MEMBER(terminal.number),
		.allowed = {"1 to 64 bytes of printable UTF-8", "印字可能な1〜64バイトのUTF-8文字列"},
	}, {
		.path = "terminal.section",
		.fallback = "",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_text_or_empty,
		MEMBER(terminal.section),
		.allowed = {"at most 128 bytes of printable UTF-8", "印字可能な128バイト以内のUTF-8文字列"},
	}, {
		.path = "terminal.language",
		.fallback = "ja",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_language,
		MEMBER(terminal.language),
		.allowed = {"\"ja\" or \"en\"", "\"ja\" または \"en\""},
	},

	{
		.path = "usb",
		.shape = SKM_SHAPE_GROUP,
		.allowed = GROUP_TEXT,
	}, {
		.path = "usb.mode",
		.fallback = "enforce",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_mode,
		MEMBER(usb.mode),
		.allowed = {"\"enforce\", or \"audit\" together with audit_until",
			"\"enforce\"、または \"audit\"(audit_until とともに)"},
	}, {
		.path = "usb.audit_until",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_last_day,
		MEMBER(usb.audit_until_sec),
		.allowed = {"a date: \"YYYY-MM-DD\"", "日付: \"YYYY-MM-DD\""},
	}, {
		.path = "usb.register",
		.fallback = "",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_path,
		MEMBER(usb.register_path),
		.allowed = {"an absolute path, at most 4095 bytes", "4095バイト以内の絶対パス"},
	}, {
		.path = "usb.reconcile_interval",
		.fallback = "5min",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_duration_sec,
		.min = "10s",
		.max = "1d",
		MEMBER(usb.reconcile_sec),
		.allowed = {"a duration in whole seconds, from \"10s\" to \"1d\"", "秒単位の時間、\"10s\"〜\"1d\""},
	}, {
		.path = "usb.write_deadline",
		.fallback = "5s",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_duration_ms,
		.min = "100ms",
		.max = "1min",
		MEMBER(usb.write_deadline_ms),
		.allowed = {"a duration, from \"100ms\" to \"1min\"", "時間、\"100ms\"〜\"1min\""},
	}, {
		.path = "usb.receive_buffer",
		.fallback = "1M",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_size,
		.min = "4K",
		.max = "128M",
		MEMBER(usb.receive_buffer_bytes),
		.allowed = {"a size, from \"4K\" to \"128M\"", "サイズ、\"4K\"〜\"128M\""},
	}, {
		.path = "usb.rules",
		.shape = SKM_SHAPE_LIST,
		.allowed = {"a list of groups: ( { … }, { … } )", "グループのリスト: ( { … }, { … } )"},
	},

	{
		.path = "usb.rules[].id",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_rule_id,
		.is_required = true,
		DRAFT(id),
		.allowed = {"1 to 64 of A-Z a-z 0-9 . _ : -, not beginning with \"builtin:\"",
			"英数字と . _ : - からなる64文字以内(builtin: で始まるものを除く)"},
	}, {
		.path = "usb.rules[].action",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_rule_action,
		.is_required = true,
		.allowed = {"\"allow\" or \"deny\"", "\"allow\" または \"deny\""},
	}, {
		.path = "usb.rules[].reason",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_text,
		.is_required = true,
		DRAFT(reason),
		.allowed = {"why there is this rule: 1 to 255 bytes of printable UTF-8",
			"この規則の理由: 印字可能な1〜255バイトのUTF-8文字列"},
	}, {
		.path = "usb.rules[].vid_pid",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_rule_vid_pid,
		.criterion = SKM_RULE_VID_PID,
		.allowed = {"vendor and product, four hex digits each: \"0781:5581\"",
			"ベンダーと製品の4桁の16進数: \"0781:5581\""},
	}, {
		.path = "usb.rules[].serial",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_serial,
		.criterion = SKM_RULE_SERIAL,
		DRAFT(serial),
		.allowed = {"a serial number of 1 to 379 bytes", "1〜379バイトのシリアル番号"},
	}, {
		.path = "usb.rules[].hash",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_rule_hash,
		.criterion = SKM_RULE_HASH,
		.allowed = {"64 hex digits", "64桁の16進数"},
	}, {
		.path = "usb.rules[].port",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_rule_port,
		.criterion = SKM_RULE_PORT,
		DRAFT(port),
		.allowed = {"a port as the kernel names it: \"1-2.3\"", "カーネルによるポート名: \"1-2.3\""},
	}, {
		.path = "usb.rules[].connect_type",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_rule_connect_type,
		.criterion = SKM_RULE_CONNECT_TYPE,
		.allowed = {"\"unknown\", \"hotplug\", \"hardwired\" or \"not used\"",
			"\"unknown\"、\"hotplug\"、\"hardwired\"、\"not used\" のいずれか"},
	}, {
		.path = "usb.rules[].class",
		.shape = SKM_SHAPE_STRINGS,
		.set = skm_config_set_rule_class,
		.criterion = SKM_RULE_CLASS,
		.allowed = {"1 to 16 of \"08\", \"08:06\", \"08:06:50\" or a kind such as \"mass-storage\"",
			"\"08\"、\"08:06\"、\"08:06:50\"、または \"mass-storage\" などの種類を1〜16個"},
	}, {
		.path = "usb.rules[].interfaces",
		.shape = SKM_SHAPE_STRINGS,
		.set = skm_config_set_rule_interface,
		.criterion = SKM_RULE_INTERFACES,
		.allowed = {"1 to 32 class triples such as \"07:01:02\"", "\"07:01:02\" の形のクラスコードを1〜32個"},
	},

	{
		.path = "audit",
		.shape = SKM_SHAPE_GROUP,
		.allowed = GROUP_TEXT,
	}, {
		.path = "audit.segment_size",
		.fallback = "16M",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_size,
		.min = "64K",
		.max = "1G",
		MEMBER(audit.segment_bytes),
		.allowed = {"a size, from \"64K\" to \"1G\"", "サイズ、\"64K\"〜\"1G\""},
	}, {
		.path = "audit.checkpoint_interval",
		.fallback = "10min",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_duration_sec,
		.min = "1min",
		.max = "1h",
		MEMBER(audit.checkpoint_sec),
		.allowed = {"a duration in whole seconds, from \"1min\" to \"1h\"", "秒単位の時間、\"1min\"〜\"1h\""},
	}, {
		.path = "audit.retention",
		.fallback = "400d",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_duration_or_never,
		.min = "60d",
		.max = "3650d",
		MEMBER(audit.retention_sec),
		.allowed = {"a duration in whole seconds, from \"60d\" to \"3650d\", or \"never\"",
			"秒単位の時間、\"60d\"〜\"3650d\"、または \"never\""},
	}, {
		.path = "audit.verifier_key",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_verifier_key,
		MEMBER(audit.verifier_key),
		.allowed = {"64 hex digits: the verifier's public key", "64桁の16進数(検証者の公開鍵)"},
	},

	{
		.path = "mfa",
		.shape = SKM_SHAPE_GROUP,
		.allowed = GROUP_TEXT,
	}, {
		.path = "mfa.require",
		.fallback = "all",
		.shape = SKM_SHAPE_STRINGS,
		.set = skm_config_set_mfa_require,
		MEMBER(mfa.require),
		.allowed = {"\"all\", \"enrolled\", or 1 to 16 names of groups of at most 32 bytes",
			"\"all\"、\"enrolled\"、または32バイト以内のグループ名を1〜16個"},
	}, {
		.path = "mfa.grace_until",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_last_day,
		MEMBER(mfa.grace_until_sec),
		.allowed = {"a date at most 366 days ahead: \"YYYY-MM-DD\"", "366日先までの日付: \"YYYY-MM-DD\""},
	}, {
		.path = "mfa.free_tries",
		.fallback = "5",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_number,
		.min = "1",
		.max = "100",
		MEMBER(mfa.free_tries),
		.allowed = {"a whole number, from \"1\" to \"100\"", "整数、\"1\"〜\"100\""},
	}, {
		.path = "mfa.delay",
		.fallback = "15min",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_duration_sec,
		.min = "1s",
		.max = "1h",
		MEMBER(mfa.delay_sec),
		.allowed = {"a duration in whole seconds, from \"1s\" to \"1h\"", "秒単位の時間、\"1s\"〜\"1h\""},
	}, {
		.path = "mfa.delay_max",
		.fallback = "4h",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_duration_sec,
		.min = "1s",
		.max = "1d",
		MEMBER(mfa.delay_max_sec),
		.allowed = {"a duration in whole seconds, from \"1s\" to \"1d\"", "秒単位の時間、\"1s\"〜\"1d\""},
	}, {
		.path = "mfa.window",
		.fallback = "1",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_number,
		.min = "0",
		.max = "2",
		MEMBER(mfa.window_steps),
		.allowed = {"a whole number, from \"0\" to \"2\"", "整数、\"0\"〜\"2\""},
	}, {
		.path = "mfa.drift_max",
		.fallback = "4",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_number,
		.min = "0",
		.max = "10",
		MEMBER(mfa.drift_max_steps),
		.allowed = {"a whole number, from \"0\" to \"10\"", "整数、\"0\"〜\"10\""},
	}, {
		.path = "mfa.look_ahead",
		.fallback = "5",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_number,
		.min = "1",
		.max = "10",
		MEMBER(mfa.look_ahead),
		.allowed = {"a whole number, from \"1\" to \"10\"", "整数、\"1\"〜\"10\""},
	}, {
		/* No fallback here, since the default is two words: skm_config_mfa_defaults. */
		.path = "mfa.algorithms",
		.shape = SKM_SHAPE_STRINGS,
		.set = skm_config_set_mfa_algorithm,
		MEMBER(mfa.algorithms),
		.allowed = {"one or more of \"sha256\", \"sha512\" and \"sha1\"",
			"\"sha256\"、\"sha512\"、\"sha1\" のうち1つ以上"},
	}, {
		.path = "mfa.self_enrol",
		.fallback = "yes",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_yes_no,
		MEMBER(mfa.self_enrol),
		.allowed = {"\"yes\" or \"no\"", "\"yes\" または \"no\""},
	}, {
		.path = "mfa.substitute_days_max",
		.fallback = "7",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_number,
		.min = "1",
		.max = "7",
		MEMBER(mfa.substitute_days_max),
		.allowed = {"a whole number, from \"1\" to \"7\"", "整数、\"1\"〜\"7\""},
	}, {
		.path = "mfa.issuer",
		.fallback = "Sekimori",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_mfa_issuer,
		MEMBER(mfa.issuer),
		.allowed = {"1 to 64 bytes of printable UTF-8 without a colon",
			"コロンを含まない、印字可能な1〜64バイトのUTF-8文字列"},
	}, {
		.path = "mfa.escrow_key",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_mfa_escrow_key,
		MEMBER(mfa.escrow_key),
		.allowed = {"64 hex digits, as sekimori-authd --escrow-keypair prints them",
			"64桁の16進数(sekimori-authd --escrow-keypair の出力)"},
	},

	{
		.path = "forward",
		.shape = SKM_SHAPE_GROUP,
		.allowed = GROUP_TEXT,
	}, {
		.path = "forward.host",
		.fallback = "",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_forward_host,
		MEMBER(forward.host),
		.allowed = {"an IPv4 or IPv6 address; a name is not looked up",
			"IPv4またはIPv6アドレス(名前は不可)"},
	}, {
		.path = "forward.port",
		.fallback = "20514",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_number,
		.min = "1",
		.max = "65535",
		MEMBER(forward.port),
		.allowed = {"a whole number, from \"1\" to \"65535\"", "整数、\"1\"〜\"65535\""},
	}, {
		.path = "forward.name",
		.fallback = "",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_forward_name,
		MEMBER(forward.name),
		.allowed = {"the DNS name in the collector's certificate, without a wildcard",
			"収集サーバー証明書のDNS名(ワイルドカード不可)"},
	}, {
		.path = "forward.ca",
		.fallback = "/etc/sekimori/forward/ca.pem",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_forward_path,
		MEMBER(forward.ca),
		.allowed = {"an absolute path, at most 4095 bytes", "4095バイト以内の絶対パス"},
	}, {
		.path = "forward.cert",
		.fallback = "/etc/sekimori/forward/terminal.pem",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_forward_path,
		MEMBER(forward.cert),
		.allowed = {"an absolute path, at most 4095 bytes", "4095バイト以内の絶対パス"},
	}, {
		.path = "forward.key",
		.fallback = "/etc/sekimori/forward/terminal.key",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_forward_path,
		MEMBER(forward.key),
		.allowed = {"an absolute path, at most 4095 bytes", "4095バイト以内の絶対パス"},
	}, {
		.path = "forward.start_jitter",
		.fallback = "1min",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_duration_ms,
		.min = "0s",
		.max = "1h",
		MEMBER(forward.jitter_ms),
		.allowed = {"a duration, from \"0s\" to \"1h\"", "時間、\"0s\"〜\"1h\""},
	}, {
		.path = "forward.retry_first",
		.fallback = "1s",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_duration_ms,
		.min = "100ms",
		.max = "1h",
		MEMBER(forward.retry_first_ms),
		.allowed = {"a duration, from \"100ms\" to \"1h\"", "時間、\"100ms\"〜\"1h\""},
	}, {
		.path = "forward.retry_max",
		.fallback = "5min",
		.shape = SKM_SHAPE_STRING,
		.set = skm_config_set_duration_ms,
		.min = "1s",
		.max = "1d",
		MEMBER(forward.retry_max_ms),
		.allowed = {"a duration, from \"1s\" to \"1d\"", "時間、\"1s\"〜\"1d\""},
	},
};
// clang-format on

const struct skm_config_key *skm_config_keys(size_t *ret_count)
{
	*ret_count = SKM_ARRAY_SIZE(keys);
	return keys;
}

/* The name of the key when it is directly in the group, else NULL: "usb", "usb.mode" => "mode". */
static const char *name_in_group(const struct skm_config_key *key, const char *group)
{
	size_t len = strlen(group);
	if (strncmp(key->path, group, len) != 0)
		return NULL;
	const char *name = key->path + len;
	if (len > 0) {
		if (*name != '.')
			return NULL;
		name++;
	}
	return strchr(name, '.') ? NULL : name;
}

const struct skm_config_key *skm_config_key_find(const char *group, const char *name)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(keys); i++) {
		const char *candidate = name_in_group(&keys[i], group);
		if (candidate && strcmp(candidate, name) == 0)
			return &keys[i];
	}
	return NULL;
}

void skm_config_key_list(const char *group, char *buf, size_t size)
{
	size_t used = 0;
	buf[0] = '\0';
	for (size_t i = 0; i < SKM_ARRAY_SIZE(keys); i++) {
		const char *name = name_in_group(&keys[i], group);
		if (!name)
			continue;
		int n = snprintf(buf + used, size - used, "%s%s", used > 0 ? ", " : "", name);
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}
