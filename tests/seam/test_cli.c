// SPDX-License-Identifier: Apache-2.0
/* The verbs that ask the agent, against a server that says what the test wants; what they print is caught
 * from stdout. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cli.h"
#include "control_server.h"
#include "sekimori/text.h"
#include "tmpdir.h"

struct scene {
	struct skm_status status;
	struct skm_device_report reports[6];
	size_t report_count;
};

struct agent {
	char folder[TMPDIR_BYTES];
	char path[TMPDIR_BYTES + 16];
	pid_t pid;
};

static struct scene scene;
static char printed[262144];

static void give_status(void *user, struct skm_status *ret_status)
{
	*ret_status = ((struct scene *)user)->status;
}

static int give_next_device(void *user, const char *after, struct skm_device_report *ret_report)
{
	const struct scene *given = user;
	for (size_t i = 0; i < given->report_count; i++) {
		if (strcmp(given->reports[i].device.port, after) > 0) {
			*ret_report = given->reports[i];
			return 1;
		}
	}
	return 0;
}

static _Noreturn void serve(const char *path, int ready_fd)
{
	const struct skm_control_source asked = {
		.status = give_status, .next_device = give_next_device, .user = &scene};
	struct skm_loop *loop = NULL;
	struct skm_control_server *server = NULL;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (skm_loop_new(&loop) != 0 || skm_control_server_new(loop, path, &asked, NULL, 0, &server) != 0)
		_exit(1);
	if (write(ready_fd, "x", 1) != 1)
		_exit(1);
	_exit(skm_loop_run(loop) < 0);
}

static void agent_start(struct agent *agent)
{
	int pipes[2];
	char sign = 0;
	tmpdir_make(agent->folder);
	(void)snprintf(agent->path, sizeof(agent->path), "%s/control", agent->folder);
	cr_assert_eq(pipe(pipes), 0);
	agent->pid = fork();
	cr_assert_geq(agent->pid, 0);
	if (agent->pid == 0)
		serve(agent->path, pipes[1]);
	(void)close(pipes[1]);
	cr_assert_eq(read(pipes[0], &sign, 1), 1);
	(void)close(pipes[0]);
}

static void agent_stop(struct agent *agent)
{
	(void)kill(agent->pid, SIGKILL);
	(void)waitpid(agent->pid, NULL, 0);
	tmpdir_remove(agent->folder);
}

typedef int (*verb_fn)(struct skm_cli *cli, int argc, char **argv);

/* Runs the verb and leaves its stdout in `printed`. */
static int run(verb_fn verb, enum skm_language language, bool json, const struct agent *agent)
{
	struct skm_cli cli = {.language = language, .json = json};
	char socket_option[TMPDIR_BYTES + 32];
	char name[] = "verb";
	char *argv[] = {name, socket_option, NULL};
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);
	(void)snprintf(socket_option, sizeof(socket_option), "--socket=%s", agent->path);
	(void)fflush(stdout);
	(void)dup2(fileno(file), STDOUT_FILENO);
	optind = 0;
	int exit_code = verb(&cli, 2, argv);
	(void)fflush(stdout);
	(void)dup2(saved, STDOUT_FILENO);
	(void)close(saved);
	rewind(file);
	size_t len = fread(printed, 1, sizeof(printed) - 1, file);
	printed[len] = '\0';
	(void)fclose(file);
	return exit_code;
}

static void expect_printed(const char *text)
{
	cr_expect_not_null(strstr(printed, text), "\"%s\" is not in:\n%s", text, printed);
}

static void need_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("needs root: others must have a role to ask");
	(void)setenv("TZ", "Asia/Tokyo", 1);
	scene = (struct scene){.status = {.version = "0.1.0",
				       .pid = 77,
				       .started_realtime_usec = 1795219200000000,
				       .last_reconcile_realtime_usec = 1795219260000000,
				       .gate_is_closed = true,
				       .gate = {.has_module_parameter = true,
					       .controller_count = 2,
					       .controllers = {{"usb1", 0, 0}, {"usb2", 0, 0}}},
				       .policy_version = "89abcdef01234567",
				       .rule_count = 12,
				       .log_sequence = 345,
				       .device_count = 5,
				       .refused_count = 1}};
}

TestSuite(cli, .init = need_root, .timeout = 30);

Test(cli, status_is_0_only_when_all_is_well)
{
	const struct skm_status well = scene.status;
	struct skm_status bad[8];
	for (size_t i = 0; i < SKM_ARRAY_SIZE(bad); i++)
		bad[i] = well;
	bad[0].gate_is_closed = false;
	bad[1].gate.controllers[1].interface_authorized_default = 1;
	bad[2].gate.module_default = 1;
	bad[3].mode = SKM_MODE_AUDIT;
	bad[4].config_is_broken = true;
	bad[5].log_is_failing = true;
	bad[6].log_lost = 1;
	bad[7].hung_count = 1;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(bad); i++) {
		struct agent agent;
		scene.status = bad[i];
		agent_start(&agent);
		cr_expect_eq(
			run(skm_verb_status, SKM_LANGUAGE_EN, false, &agent), SKM_EXIT_NO, "case %zu", i);
		expect_printed("THIS NEEDS ATTENTION");
		cr_expect_eq(run(skm_verb_status, SKM_LANGUAGE_EN, true, &agent), SKM_EXIT_NO, "case %zu", i);
		expect_printed("{\"well\":false,");
		agent_stop(&agent);
	}
	struct agent agent;
	scene.status = well;
	scene.status.system_disk_count = 1;
	(void)snprintf(scene.status.system_disks[0], SKM_USB_PORT_BYTES, "2-1");
	agent_start(&agent);
	cr_expect_eq(run(skm_verb_status, SKM_LANGUAGE_EN, false, &agent), SKM_EXIT_YES);
	expect_printed("2-1 (carry the running system: left open)");
	agent_stop(&agent);
}

Test(cli, status_says_it_in_both_languages)
{
	struct agent agent;
	agent_start(&agent);
	cr_expect_eq(run(skm_verb_status, SKM_LANGUAGE_JA, false, &agent), SKM_EXIT_YES);
	expect_printed("この端末は正常に保護されています。");
	expect_printed("usb2    閉\n");
	expect_printed("正常 版 89abcdef01234567 規則 12件");
	expect_printed("5台 (遮断 1、一部遮断 0、応答なし 0)");
	expect_printed("最終点検        2026-11-21 09:01:00\n");
	cr_expect_eq(run(skm_verb_status, SKM_LANGUAGE_EN, false, &agent), SKM_EXIT_YES);
	expect_printed("This terminal is protected.");
	expect_printed("version 0.1.0, PID 77, running since 2026-11-21 09:00:00");
	cr_expect_eq(run(skm_verb_status, SKM_LANGUAGE_EN, true, &agent), SKM_EXIT_YES);
	expect_printed("\"started\":\"2026-11-21T09:00:00.000+09:00\"");
	expect_printed("\"mode\":\"enforce\",\"audit_until\":null");
	agent_stop(&agent);
}

Test(cli, audit_mode_is_shouted_first_with_its_last_day)
{
	struct agent agent;
	scene.status.mode = SKM_MODE_AUDIT;
	scene.status.audit_until_sec =
		1798729200; /* 2027-01-01 00:00 in Japan: the last day is the one before */
	agent_start(&agent);
	(void)run(skm_verb_status, SKM_LANGUAGE_JA, false, &agent);
	cr_expect_eq(
		strncmp(printed, "!!! 監視モードです。", strlen("!!! 監視モードです。")), 0, "%s", printed);
	expect_printed("期限: 2026-12-31 !!!\n");
	(void)run(skm_verb_status, SKM_LANGUAGE_EN, false, &agent);
	cr_expect_eq(strncmp(printed, "!!! AUDIT MODE", 14), 0, "%s", printed);
	agent_stop(&agent);
}

static void fill_reports(void)
{
	scene.report_count = SKM_ARRAY_SIZE(scene.reports);
	for (size_t i = 0; i < scene.report_count; i++) {
		struct skm_device_report *report = &scene.reports[i];
		(void)snprintf(report->device.port, SKM_USB_PORT_BYTES, "1-%zu", i + 1);
		report->device.vendor_id = 0x0781;
		report->device.product_id = 0x5581;
		report->state = SKM_DEVICE_STATE_SETTLED;
		report->decision.kind = SKM_KIND_STORAGE;
		strcpy(report->decision.rule, "builtin:default-deny");
		strcpy(report->device.product, "Ultra");
	}
	strcpy(scene.reports[0].device.manufacturer, "サンディスク株式会社の長い名前の部門");
	strcpy(scene.reports[1].device.product, "\x1b[2J\x1b]0;owned\x07\xe2\x80\xae"
						"evil\n1-9 0000:0000 keyboard allowed");
	memset(scene.reports[2].decision.rule, 'r', SKM_RULE_ID_BYTES - 1);
	memset(scene.reports[3].device.product, 'p', SKM_USB_STRING_BYTES - 1);
	memset(scene.reports[3].device.manufacturer, '\x01', SKM_USB_STRING_BYTES - 1);
	scene.reports[3].state = SKM_DEVICE_STATE_HUNG;
	scene.reports[4].decision.verdict = SKM_VERDICT_ALLOW;
	scene.reports[4].decision.kind = SKM_KIND_KEYBOARD;
	strcpy(scene.reports[5].device.port, "12-1.2.3.4.5.6");
	scene.reports[5].is_system_disk = true;
	scene.reports[5].device.interface_count = SKM_USB_INTERFACES_MAX;
}

static void expect_table(size_t rows)
{
	size_t count = 0;
	for (char *line = strtok(printed, "\n"); line; line = strtok(NULL, "\n")) {
		cr_expect_leq(skm_text_columns(line), 80u, "%s", line);
		for (const char *at = line; *at; at++)
			cr_expect((unsigned char)*at >= 0x20 && *at != 0x7f, "a control character in: %s",
				line);
		cr_expect_null(strstr(line, "\xe2\x80\xae"), "%s", line);
		count++;
	}
	cr_expect_eq(count, rows + 2, "a head, the devices, the count");
}

Test(cli, the_table_fits_a_console_and_is_harmless)
{
	struct agent agent;
	fill_reports();
	agent_start(&agent);
	for (int language = 0; language < SKM_LANGUAGE_COUNT_; language++) {
		cr_expect_eq(run(skm_verb_devices, (enum skm_language)language, false, &agent), SKM_EXIT_YES);
		expect_table(scene.report_count);
	}
	(void)run(skm_verb_devices, SKM_LANGUAGE_JA, false, &agent);
	expect_printed("1-4            0781:5581 USBメモリ等の記憶装置 応答なし builtin:def");
	expect_printed("1-5            0781:5581 キーボード            許可     builtin:def");
	expect_printed("12-1.2.3.4.5.6 0781:5581 USBメモリ等の記憶装置 システム");
	expect_printed("6台\n");
	agent_stop(&agent);
}

Test(cli, devices_in_json_are_whole)
{
	struct agent agent;
	fill_reports();
	agent_start(&agent);
	cr_expect_eq(run(skm_verb_devices, SKM_LANGUAGE_JA, true, &agent), SKM_EXIT_YES);
	expect_printed("{\"devices\":[{\"port\":\"1-1\",\"vid_pid\":\"0781:5581\"");
	expect_printed("\"vendor_name\":\"サンディスク株式会社の長い名前の部門\"");
	expect_printed("\"model\":\"\\u001b[2J");
	expect_printed("\"state\":\"hung\"");
	cr_expect_null(strchr(printed, '\x1b'));
	agent_stop(&agent);
}

Test(cli, no_device_is_no_error)
{
	struct agent agent;
	agent_start(&agent);
	cr_expect_eq(run(skm_verb_devices, SKM_LANGUAGE_EN, false, &agent), SKM_EXIT_YES);
	expect_printed("0 devices\n");
	cr_expect_eq(run(skm_verb_devices, SKM_LANGUAGE_EN, true, &agent), SKM_EXIT_YES);
	cr_expect_str_eq(printed, "{\"devices\":[]}\n");
	agent_stop(&agent);
}
