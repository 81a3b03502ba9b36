// SPDX-License-Identifier: Apache-2.0
/* One table, so that an event cannot have an id without its severity and both texts. The catalogue for people
 * is docs/sekimori-events.7.scd; a test compares the two. */
#include <string.h>

#include "sekimori/event.h"

struct event_entry {
	const char *id;
	enum skm_severity severity;
	const char *japanese;
	const char *english;
};

#define EVENT(name, level, ja, en) \
	[SKM_EVENT_##name] = {     \
		.id = #name, .severity = SKM_SEVERITY_##level, .japanese = (ja), .english = (en)}

static const struct event_entry events[SKM_EVENT_COUNT_] = {
	EVENT(DEVICE_ALLOWED, INFO, "機器の使用を許可", "device allowed"),
	EVENT(DEVICE_PARTIAL, WARNING, "機器の一部機能を遮断", "device allowed in part"),
	EVENT(EXPORT_DENIED, WARNING, "持ち出し試行を遮断", "export attempt blocked"),
	EVENT(NETDEV_DENIED, WARNING, "通信機器の接続を遮断", "network device blocked"),
	EVENT(DEVICE_OBSERVED, WARNING, "遮断対象の機器を検知（監視モードのため通過）",
		"device let pass that the policy refuses (audit mode)"),
	EVENT(DEVICE_CHANGED, ALERT, "接続中の機器の構成変化を検知", "attached device changed"),
	EVENT(DEVICE_REMOVED, INFO, "機器の取り外し", "device removed"),
	EVENT(DEVICE_HUNG, WARNING, "機器の応答なし", "device does not answer"),
	EVENT(DEVICE_ERROR, WARNING, "機器の制御に失敗（遮断を継続）", "device could not be set as decided"),
	EVENT(SYSTEM_DISK, NOTICE, "システムが使用中のディスクのため遮断対象外", "system disk left open"),
	EVENT(CONTROLLER_CLOSED, NOTICE, "USBコントローラを遮断状態に設定", "host controller closed"),
	EVENT(CONTROLLER_OPEN, ALERT, "遮断されていないUSBコントローラを検知", "host controller found open"),
	EVENT(UEVENT_OVERFLOW, WARNING, "機器通知のあふれ（全機器を再検査）",
		"device event queue overflowed"),
	EVENT(FLOOD_COUNTED, WARNING, "多数の同種記録を件数で記録", "records of a flood, counted"),
	EVENT(RESUMED, INFO, "休止状態からの復帰（全機器を再検査）", "machine resumed"),
	EVENT(AGENT_START, INFO, "エージェントの開始", "agent started"),
	/* Not an alert: every office terminal stops its agent every evening, and the gate stays closed
	   without it. */
	EVENT(AGENT_STOP, NOTICE, "エージェントの停止", "agent stopped"),
	EVENT(POLICY_CHANGED, NOTICE, "設定の変更", "policy changed"),
	EVENT(CONFIG_BROKEN, WARNING, "設定ファイルの誤り（従前の設定を継続）", "configuration refused"),
	EVENT(AUDIT_MODE, ALERT, "監視モード（遮断なしの記録のみ）", "audit mode"),
	EVENT(FORWARD_CERTIFICATE, WARNING, "端末証明書の期限（収集サーバーへの送信）",
		"certificate for the collector ends"),
	EVENT(FORWARD_LOSS, ALERT, "未送信の記録の消失を検知", "records were lost before they were sent"),
	EVENT(LOG_FULL, ALERT, "記録の保存に失敗（満杯・書込不可）", "records could not be stored"),
	EVENT(LOG_RESUMED, NOTICE, "記録の保存を再開", "records are stored again"),
	EVENT(LOG_RECOVERED, WARNING, "記録ファイルの修復", "audit log repaired"),
	EVENT(LOG_DELETED, NOTICE, "収集済みで保存期間を過ぎた記録ファイルの削除",
		"collected audit records deleted by age"),
	EVENT(CHECKPOINT, INFO, "チェックポイント", "checkpoint"),
	EVENT(CHAIN_BROKEN, ALERT, "記録の改ざんの疑い", "log chain broken"),
	EVENT(AUTH_OK, INFO, "多要素認証 成功", "second factor accepted"),
	EVENT(AUTH_FAIL, NOTICE, "多要素認証 失敗", "second factor refused"),
	EVENT(AUTH_LOCKED, WARNING, "認証の一時停止（連続失敗）", "authentication locked for a while"),
	EVENT(AUTH_REPLAY, WARNING, "使用済みコードの再使用を拒否", "code replay refused"),
	EVENT(AUTH_CLOCK, WARNING, "時刻の逆行により認証を拒否", "code refused: the clock was set back"),
	EVENT(AUTH_ERROR, ALERT, "認証情報の読み書きに失敗", "second factor could not be checked"),
	EVENT(AUTH_DEGRADED, WARNING, "認証状態の損傷を検知（制限付きで継続）",
		"damaged state found and replaced"),
	EVENT(AUTH_DENIED, WARNING, "権限のない認証要求を拒否", "caller may not ask this"),
	EVENT(SUBSTITUTE_ISSUED, WARNING, "代用コードの発行", "substitute code issued"),
	EVENT(SUBSTITUTE_USED, WARNING, "代用コードの使用", "substitute code used"),
	EVENT(MFA_ENROLLED, NOTICE, "多要素認証の登録", "second factor enrolled"),
	EVENT(MFA_DISABLED, WARNING, "多要素認証の登録削除", "second factor removed"),
	EVENT(MFA_UNLOCKED, NOTICE, "認証の一時停止の解除", "authentication unlocked"),
	EVENT(MFA_RECOVERY, NOTICE, "代用コード一式の再発行", "recovery codes issued"),
	EVENT(MFA_RESYNCED, NOTICE, "トークンの再同期", "token resynchronised"),
	EVENT(MFA_LOGIN_ON, NOTICE, "ログイン時の多要素認証の有効化",
		"login made to ask for a second factor"),
	/* For everybody at once, which is more than any person's removal. */
	EVENT(MFA_LOGIN_OFF, ALERT, "ログイン時の多要素認証の無効化",
		"login made to ask for no second factor"),
	EVENT(CLOCK_JUMP, WARNING, "時刻の大幅な変更を検知", "wall clock jumped"),
	EVENT(COLLECTOR_START, INFO, "収集の開始", "collector started"),
	EVENT(COLLECTOR_STOP, NOTICE, "収集の停止", "collector stopped"),
	EVENT(COLLECTOR_ALARM, ALERT, "収集記録の異常", "collected records are not as they should be"),
	EVENT(COLLECTOR_NOTICE, NOTICE, "収集状況の変化", "collection changed"),
};

static const char *const severities[SKM_SEVERITY_COUNT_] = {
	[SKM_SEVERITY_INFO] = "info",
	[SKM_SEVERITY_NOTICE] = "notice",
	[SKM_SEVERITY_WARNING] = "warning",
	[SKM_SEVERITY_ALERT] = "alert",
};

/* A value that is none of the enum's is a bug elsewhere; the record of it must still be written, and be seen.
 */
static const struct event_entry unknown = {.id = "UNKNOWN",
	.severity = SKM_SEVERITY_ALERT,
	.japanese = "不明な事象",
	.english = "unknown event"};

static const struct event_entry *lookup(enum skm_event event)
{
	return (unsigned)event < SKM_EVENT_COUNT_ ? &events[event] : &unknown;
}

const char *skm_event_to_string(enum skm_event event)
{
	return lookup(event)->id;
}

int skm_event_from_string(const char *word, enum skm_event *ret_event)
{
	for (unsigned i = 0; i < SKM_EVENT_COUNT_; i++) {
		if (strcmp(word, events[i].id) == 0) {
			*ret_event = (enum skm_event)i;
			return 0;
		}
	}
	return -EINVAL;
}

enum skm_severity skm_event_severity(enum skm_event event)
{
	return lookup(event)->severity;
}

const char *skm_severity_to_string(enum skm_severity severity)
{
	return (unsigned)severity < SKM_SEVERITY_COUNT_ ? severities[severity] : "alert";
}

const char *skm_event_to_text(enum skm_event event, bool japanese)
{
	const struct event_entry *entry = lookup(event);
	return japanese ? entry->japanese : entry->english;
}
