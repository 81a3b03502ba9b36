// SPDX-License-Identifier: Apache-2.0
/* `sekimori status`: the answer to "is this terminal closed?", worst news first. When the agent is silent,
 * the kernel is asked itself: the gate does not depend on the agent, and that is what people want to know at
 * that moment. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "sekimori/clock.h"
#include "sekimori/control.h"
#include "sekimori/json.h"
#include "sekimori/text.h"

#define SKM_ASK_TIMEOUT_MS 5000
#define SKM_LABEL_COLUMNS 16

enum { SKM_OPTION_SOCKET = SKM_OPTION_VERB, SKM_OPTION_SYS };

static const char help_ja[] = "使い方: sekimori status [--json]\n"
			      "\n"
			      "関門 (カーネルの設定)、方式、設定、記録、機器の状態を表示します。\n"
			      "エージェントが応答しないときは、カーネルの関門を直接確認します。\n"
			      "  --socket PATH   制御ソケット (試験用)\n"
			      "  --sys DIR       /sys の代わり (試験用)\n"
			      "終了コード: 0 = すべて正常、1 = 要確認、3 = 権限がない等で判断できない\n";
static const char help_en[] =
	"Usage: sekimori status [--json]\n"
	"\n"
	"Shows the gate (the kernel's settings), the mode, the configuration, the log and "
	"the devices.\n"
	"When the agent does not answer, the kernel's gate is looked at directly.\n"
	"  --socket PATH   the control socket (for tests)\n"
	"  --sys DIR       instead of /sys (for tests)\n"
	"Exit codes: 0 = all is well, 1 = look into it, 3 = could not tell (no right to ask)\n";

static void label(const char *text)
{
	skm_text_cell(stdout, text, SKM_LABEL_COLUMNS);
}

static void local_time_of_usec(uint64_t usec, char ret_text[SKM_LOCAL_TIME_BYTES])
{
	skm_cli_local_time((int64_t)(usec / SKM_USEC_PER_SEC), ret_text);
}

/* A system disk does not count: it is left open on purpose and for good, and is named all the same. */
static bool is_well(const struct skm_status *status)
{
	return status->gate_is_closed && skm_gate_is_closed(&status->gate) &&
	       status->mode == SKM_MODE_ENFORCE && !status->config_is_broken && !status->log_is_failing &&
	       status->log_lost == 0 && status->hung_count == 0;
}

static void print_controller(const struct skm_cli *cli, const struct skm_controller *controller)
{
	label("");
	skm_text_cell(stdout, controller->name, 8);
	if (skm_controller_is_closed(controller))
		(void)puts(SKM_SAY("閉", "closed"));
	else
		(void)printf("%s (authorized_default=%d, interface_authorized_default=%d)\n",
			SKM_SAY("開", "OPEN"), controller->authorized_default,
			controller->interface_authorized_default);
}

static void print_gate(const struct skm_cli *cli, const struct skm_gate_state *gate)
{
	label(SKM_SAY("関門", "Gate"));
	if (skm_gate_is_closed(gate))
		(void)puts(SKM_SAY("閉 (許可のないUSB機器は使えません)",
			"closed (no USB device works unless permitted)"));
	else
		(void)puts(SKM_SAY("開いています: 許可のないUSB機器が使える状態です",
			"OPEN: USB devices work without a permit"));
	if (gate->has_module_parameter) {
		label("");
		skm_text_cell(stdout, SKM_SAY("今後", "future"), 8);
		if (gate->module_default == 0)
			(void)puts(SKM_SAY(
				"閉 (これから現れるUSBコントローラ)", "closed (controllers to come)"));
		else
			(void)printf("%s (usbcore.authorized_default=%d)\n", SKM_SAY("開", "OPEN"),
				gate->module_default);
	}
	for (unsigned i = 0; i < gate->controller_count; i++)
		print_controller(cli, &gate->controllers[i]);
	if (gate->controller_count == 0) {
		label("");
		(void)puts(SKM_SAY("USBコントローラはありません", "no USB host controller"));
	}
	if (gate->has_more) {
		label("");
		(void)puts(SKM_SAY("USBコントローラが多すぎて確認できないものがあります",
			"there are more controllers than could be looked at"));
	}
}

static void last_day_text(int64_t end_sec, char ret_text[SKM_LOCAL_TIME_BYTES])
{
	skm_cli_local_time(end_sec - 1, ret_text);
	ret_text[strcspn(ret_text, " ")] = '\0';
}

/* Comes before all else, so that nobody takes a terminal for closed that lets everything pass. */
static void shout_audit_mode(const struct skm_cli *cli, const struct skm_status *status)
{
	char day[SKM_LOCAL_TIME_BYTES];
	last_day_text(status->audit_until_sec, day);
	(void)printf(SKM_SAY("!!! 監視モードです。USB機器は遮断されず、記録されるだけです。期限: %s !!!\n",
			     "!!! AUDIT MODE: USB DEVICES ARE NOT REFUSED, ONLY RECORDED. UNTIL %s !!!\n"),
		day);
}

static void print_policy(const struct skm_cli *cli, const struct skm_status *status)
{
	label(SKM_SAY("方式", "Mode"));
	(void)puts(status->mode == SKM_MODE_ENFORCE
			   ? SKM_SAY("遮断 (enforce)", "enforce")
			   : SKM_SAY("監視のみ (audit)", "AUDIT (nothing is refused)"));
	label(SKM_SAY("設定", "Configuration"));
	(void)printf(SKM_SAY("%s 版 %s 規則 %" PRIu64 "件\n", "%s, version %s, %" PRIu64 " rules\n"),
		status->config_is_broken ? SKM_SAY("ファイルに誤りがあり、以前の設定で動いています。",
						   "THE FILE IS BROKEN, older settings are in force")
					 : SKM_SAY("正常", "in force"),
		status->policy_version, status->rule_count);
	if (status->config_is_broken) {
		label("");
		skm_text_print(stdout, status->config_error);
		(void)putchar('\n');
	}
}

static void print_log(const struct skm_cli *cli, const struct skm_status *status)
{
	label(SKM_SAY("記録", "Log"));
	if (status->log_is_failing) {
		(void)printf(SKM_SAY("保存できません。%" PRIu64 "件が待機中: ",
				     "CANNOT BE STORED, %" PRIu64 " records wait: "),
			status->log_pending);
		skm_text_print(stdout, status->log_error);
		(void)putchar('\n');
	} else {
		(void)printf(SKM_SAY("正常 (最終番号 %" PRIu64 ")\n", "stored (last number %" PRIu64 ")\n"),
			status->log_sequence);
	}
	if (status->log_lost) {
		label("");
		(void)printf(SKM_SAY("起動後に失われた記録: %" PRIu64 "件\n",
				     "LOST since the agent's start: %" PRIu64 " records\n"),
			status->log_lost);
	}
}

static void print_devices(const struct skm_cli *cli, const struct skm_status *status)
{
	label(SKM_SAY("機器", "Devices"));
	(void)printf(SKM_SAY("%u台 (遮断 %u、一部遮断 %u、応答なし %u)\n",
			     "%u (%u refused, %u in part, %u hung)\n"),
		status->device_count, status->refused_count, status->partial_count, status->hung_count);
	if (!status->system_disk_count)
		return;
	label(SKM_SAY("システムの媒体", "System disks"));
	uint32_t named = 0;
	for (; named < status->system_disk_count && named < SKM_SYSTEM_DISKS_NAMED_MAX; named++) {
		skm_text_print(stdout, status->system_disks[named]);
		(void)putchar(' ');
	}
	if (named < status->system_disk_count)
		(void)printf(SKM_SAY("ほか%u台 ", "and %u more "), status->system_disk_count - named);
	(void)puts(SKM_SAY("(OSが使用中のため遮断しません)", "(carry the running system: left open)"));
}

static void print_agent(const struct skm_cli *cli, const struct skm_status *status)
{
	char time[SKM_LOCAL_TIME_BYTES];
	label(SKM_SAY("最終点検", "Last check"));
	if (status->last_reconcile_realtime_usec) {
		local_time_of_usec(status->last_reconcile_realtime_usec, time);
		(void)puts(time);
	} else {
		(void)puts(SKM_SAY("まだありません", "none yet"));
	}
	label(SKM_SAY("通知の溢れ", "Overflows"));
	(void)printf(SKM_SAY("%" PRIu64 "回\n", "%" PRIu64 "\n"), status->overflow_count);
	local_time_of_usec(status->started_realtime_usec, time);
	label(SKM_SAY("エージェント", "Agent"));
	(void)printf(SKM_SAY("版 %s PID %d %s から動作中\n", "version %s, PID %d, running since %s\n"),
		status->version, status->pid, time);
}

static int print_status(const struct skm_cli *cli, const struct skm_status *status)
{
	if (status->mode == SKM_MODE_AUDIT)
		shout_audit_mode(cli, status);
	bool well = is_well(status);
	(void)puts(well ? SKM_SAY("この端末は正常に保護されています。", "This terminal is protected.")
			: SKM_SAY("確認が必要です。", "THIS NEEDS ATTENTION."));
	(void)putchar('\n');
	print_gate(cli, &status->gate);
	print_policy(cli, status);
	print_log(cli, status);
	print_devices(cli, status);
	print_agent(cli, status);
	return well ? SKM_EXIT_YES : SKM_EXIT_NO;
}

static void json_time(struct skm_json *json, const char *key, uint64_t usec)
{
	if (!usec) {
		skm_json_null(json, key);
		return;
	}
	struct skm_timestamp timestamp = {.realtime_usec = (int64_t)usec};
	time_t sec = (time_t)(usec / SKM_USEC_PER_SEC);
	struct tm local;
	if (localtime_r(&sec, &local))
		timestamp.utc_offset_sec = (int32_t)local.tm_gmtoff;
	char text[SKM_RFC3339_BYTES];
	skm_timestamp_format(&timestamp, text);
	skm_json_string(json, key, text);
}

static void json_gate(struct skm_json *json, const struct skm_gate_state *gate, bool is_closed)
{
	skm_json_object_begin(json, "gate");
	skm_json_bool(json, "closed", is_closed);
	if (gate->has_module_parameter)
		skm_json_int(json, "module_authorized_default", gate->module_default);
	else
		skm_json_null(json, "module_authorized_default");
	skm_json_bool(json, "has_more", gate->has_more);
	skm_json_array_begin(json, "controllers");
	for (unsigned i = 0; i < gate->controller_count; i++) {
		const struct skm_controller *controller = &gate->controllers[i];
		skm_json_object_begin(json, NULL);
		skm_json_string(json, "name", controller->name);
		skm_json_bool(json, "closed", skm_controller_is_closed(controller));
		skm_json_int(json, "authorized_default", controller->authorized_default);
		skm_json_int(json, "interface_authorized_default", controller->interface_authorized_default);
		skm_json_object_end(json);
	}
	skm_json_array_end(json);
	skm_json_object_end(json);
}

static void json_policy(struct skm_json *json, const struct skm_status *status)
{
	skm_json_string(json, "mode", skm_mode_to_string((enum skm_mode)status->mode));
	json_time(json, "audit_until",
		status->mode == SKM_MODE_AUDIT && status->audit_until_sec > 0
			? (uint64_t)status->audit_until_sec * SKM_USEC_PER_SEC
			: 0);
	skm_json_object_begin(json, "config");
	skm_json_bool(json, "broken", status->config_is_broken);
	skm_json_string(json, "error", status->config_error);
	skm_json_string(json, "version", status->policy_version);
	skm_json_uint(json, "rules", status->rule_count);
	skm_json_object_end(json);
	skm_json_object_begin(json, "log");
	skm_json_bool(json, "failing", status->log_is_failing);
	skm_json_string(json, "error", status->log_error);
	skm_json_uint(json, "pending", status->log_pending);
	skm_json_uint(json, "lost", status->log_lost);
	skm_json_uint(json, "sequence", status->log_sequence);
	skm_json_object_end(json);
}

static void json_devices(struct skm_json *json, const struct skm_status *status)
{
	skm_json_object_begin(json, "devices");
	skm_json_uint(json, "count", status->device_count);
	skm_json_uint(json, "refused", status->refused_count);
	skm_json_uint(json, "partial", status->partial_count);
	skm_json_uint(json, "hung", status->hung_count);
	skm_json_uint(json, "system_disk_count", status->system_disk_count);
	skm_json_array_begin(json, "system_disks");
	for (uint32_t i = 0; i < status->system_disk_count && i < SKM_SYSTEM_DISKS_NAMED_MAX; i++)
		skm_json_string(json, NULL, status->system_disks[i]);
	skm_json_array_end(json);
	skm_json_object_end(json);
	skm_json_uint(json, "overflows", status->overflow_count);
	json_time(json, "last_reconcile", status->last_reconcile_realtime_usec);
}

static int put_json(const struct skm_cli *cli, const struct skm_json *json, int exit_code)
{
	if (json->has_overflowed)
		return skm_cli_failure(cli, SKM_SAY("表示できません:", "cannot show"), "status", ENOBUFS);
	(void)puts(json->buf);
	return exit_code;
}

static int print_status_json(const struct skm_cli *cli, const struct skm_status *status)
{
	char buf[32768];
	struct skm_json json;
	skm_json_init(&json, buf, sizeof(buf));
	skm_json_object_begin(&json, NULL);
	skm_json_bool(&json, "well", is_well(status));
	skm_json_object_begin(&json, "agent");
	skm_json_bool(&json, "answers", true);
	skm_json_string(&json, "version", status->version);
	skm_json_int(&json, "pid", status->pid);
	json_time(&json, "started", status->started_realtime_usec);
	skm_json_object_end(&json);
	json_gate(&json, &status->gate, status->gate_is_closed && skm_gate_is_closed(&status->gate));
	json_policy(&json, status);
	json_devices(&json, status);
	skm_json_object_end(&json);
	return put_json(cli, &json, is_well(status) ? SKM_EXIT_YES : SKM_EXIT_NO);
}

static int print_gate_json(const struct skm_cli *cli, const struct skm_gate_state *gate, int result)
{
	char buf[32768];
	struct skm_json json;
	skm_json_init(&json, buf, sizeof(buf));
	skm_json_object_begin(&json, NULL);
	skm_json_bool(&json, "well", false);
	skm_json_object_begin(&json, "agent");
	skm_json_bool(&json, "answers", false);
	skm_json_string(&json, "error", strerror(-result));
	skm_json_object_end(&json);
	json_gate(&json, gate, skm_gate_is_closed(gate));
	skm_json_object_end(&json);
	return put_json(cli, &json, SKM_EXIT_NO);
}

static int tell_without_agent(const struct skm_cli *cli, const char *sys_root, int result)
{
	(void)skm_cli_control_failure(cli, result);
	struct skm_gate_state gate;
	int r = skm_gate_read(sys_root, &gate);
	if (r < 0) {
		(void)skm_cli_failure(cli,
			SKM_SAY("カーネルの関門を確認できません:", "cannot look at the kernel's gate in"),
			sys_root, r);
		return SKM_EXIT_NO;
	}
	if (cli->json)
		return print_gate_json(cli, &gate, result);
	(void)puts(SKM_SAY("確認が必要です。エージェントが応答しません。",
		"THIS NEEDS ATTENTION. The agent does not answer."));
	if (skm_gate_is_closed(&gate))
		(void)puts(SKM_SAY(
			"それでもカーネルの関門は閉じています。新しくつないだUSB機器は動作しません。",
			"The kernel's gate is closed all the same: no USB device plugged in now will work."));
	(void)putchar('\n');
	print_gate(cli, &gate);
	return SKM_EXIT_NO;
}

static int on_body(void *user, const uint8_t *body, size_t len)
{
	return skm_status_decode(body, len, user);
}

int skm_verb_status(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {SKM_COMMON_OPTIONS,
		{"socket", required_argument, NULL, SKM_OPTION_SOCKET},
		{"sys", required_argument, NULL, SKM_OPTION_SYS}, {0}};
	cli->japanese_help = help_ja;
	cli->english_help = help_en;
	const char *socket_path = SKM_CONTROL_PATH;
	const char *sys_root = "/sys";
	int exit_code = 0;
	for (int option;
		(option = skm_cli_next_option(cli, argc, argv, options, &exit_code)) != SKM_OPTION_END;) {
		if (option == SKM_OPTION_STOP)
			return exit_code;
		if (option == SKM_OPTION_SOCKET)
			socket_path = optarg;
		else
			sys_root = optarg;
	}
	exit_code = skm_cli_no_operands(cli, argc, argv);
	if (exit_code != 0)
		return exit_code;
	struct skm_status status = {0};
	int r = skm_control_ask(socket_path, SKM_CONTROL_STATUS, SKM_ASK_TIMEOUT_MS, on_body, &status);
	if (r > 0)
		return skm_cli_control_failure(cli, r);
	if (r < 0)
		return tell_without_agent(cli, sys_root, r);
	return cli->json ? print_status_json(cli, &status) : print_status(cli, &status);
}
