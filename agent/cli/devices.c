// SPDX-License-Identifier: Apache-2.0
/* `sekimori devices`: what is plugged in and what was decided, one line each, within the 80 columns of a
 * console. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "sekimori/control.h"
#include "sekimori/json.h"
#include "sekimori/text.h"

#define SKM_ASK_TIMEOUT_MS 10000
#define SKM_TABLE_COLUMNS 80
#define SKM_NAME_COLUMNS_MIN 10
#define SKM_RULE_COLUMNS_MIN 13

enum { SKM_OPTION_SOCKET = SKM_OPTION_VERB };

static const char help_ja[] = "使い方: sekimori devices [--json]\n"
			      "\n"
			      "つながっているUSB機器と、それぞれの判定、判定した規則を一覧にします。\n"
			      "  --socket PATH   制御ソケット (試験用)\n"
			      "終了コード: 0 = 表示した、3 = 権限がない、エージェントが応答しない等\n";
static const char help_en[] =
	"Usage: sekimori devices [--json]\n"
	"\n"
	"Lists the USB devices that are plugged in, the verdict on each, and the rule that "
	"decided.\n"
	"  --socket PATH   the control socket (for tests)\n"
	"Exit codes: 0 = shown, 3 = no right to ask, no agent, and the like\n";

struct list {
	struct skm_device_report *reports; /* owned */
	size_t count, capacity;
};

static void list_finish(struct list *list)
{
	free(list->reports);
	*list = (struct list){0};
}

/* Everything is taken in before anything is shown, so that a slow terminal does not make the agent wait. */
static int on_body(void *user, const uint8_t *body, size_t len)
{
	struct list *list = user;
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 16;
		struct skm_device_report *grown = reallocarray(list->reports, capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->reports = grown;
		list->capacity = capacity;
	}
	int r = skm_device_report_decode(body, len, &list->reports[list->count]);
	if (r == 0)
		list->count++;
	return r;
}

enum column {
	COLUMN_PORT,
	COLUMN_VID_PID,
	COLUMN_KIND,
	COLUMN_VERDICT,
	COLUMN_RULE,
	COLUMN_NAME,
	COLUMN_COUNT_
};

/* One line of the table. Strings are as the device gave them: they are cleaned when they are printed. */
struct row {
	char text[COLUMN_COUNT_][2 * SKM_USB_STRING_BYTES + 2];
};

/* What holds now, which is not always what was decided. */
static const char *standing(const struct skm_cli *cli, const struct skm_device_report *report)
{
	if (report->state == SKM_DEVICE_STATE_HUNG)
		return SKM_SAY("応答なし", "hung");
	if (report->state == SKM_DEVICE_STATE_FAILED)
		return SKM_SAY("遮断(障害)", "failed");
	if (report->is_system_disk)
		return SKM_SAY("システム", "system");
	if (report->is_observed)
		return SKM_SAY("監視通過", "observed");
	if (report->state == SKM_DEVICE_STATE_NEW)
		return SKM_SAY("判定中", "judging");
	switch (report->decision.verdict) {
	case SKM_VERDICT_ALLOW:
		return SKM_SAY("許可", "allowed");
	case SKM_VERDICT_PARTIAL:
		return SKM_SAY("一部遮断", "partial");
	case SKM_VERDICT_DENY:
	case SKM_VERDICT_COUNT_:
		break;
	}
	return SKM_SAY("遮断", "refused");
}

static void fill_row(const struct skm_cli *cli, const struct skm_device_report *report, struct row *row)
{
	const struct skm_device *device = &report->device;
	size_t size = sizeof(row->text[0]);
	bool has_both = device->manufacturer[0] && device->product[0];
	(void)snprintf(row->text[COLUMN_PORT], size, "%s", device->port);
	(void)snprintf(row->text[COLUMN_VID_PID], size, "%04x:%04x", device->vendor_id, device->product_id);
	(void)snprintf(row->text[COLUMN_KIND], size, "%s",
		skm_device_kind_to_text(report->decision.kind, cli->language == SKM_LANGUAGE_JA));
	(void)snprintf(row->text[COLUMN_VERDICT], size, "%s", standing(cli, report));
	(void)snprintf(row->text[COLUMN_RULE], size, "%s", report->decision.rule);
	(void)snprintf(row->text[COLUMN_NAME], size, "%s%s%s", device->manufacturer, has_both ? " " : "",
		device->product);
}

static void fill_head(const struct skm_cli *cli, struct row *row)
{
	const char *const heads[COLUMN_COUNT_] = {
		SKM_SAY("ポート", "PORT"),
		"VID:PID",
		SKM_SAY("種類", "KIND"),
		SKM_SAY("判定", "VERDICT"),
		SKM_SAY("規則", "RULE"),
		SKM_SAY("名称", "NAME"),
	};
	for (int i = 0; i < COLUMN_COUNT_; i++)
		(void)snprintf(row->text[i], sizeof(row->text[i]), "%s", heads[i]);
}

/* Each column is as wide as its widest entry, up to what still leaves room for the name, which gets the rest.
 */
static void measure(const struct row *row, size_t widths[COLUMN_COUNT_])
{
	static const size_t most[COLUMN_COUNT_] = {14, 9, 22, 10, 20, 0};
	for (int i = 0; i < COLUMN_NAME; i++) {
		size_t columns = skm_text_columns(row->text[i]);
		if (columns > most[i])
			columns = most[i];
		if (columns > widths[i])
			widths[i] = columns;
	}
}

/* The last column is cut and not padded: no blanks at the end of a line. */
static void print_row(const struct row *row, const size_t widths[COLUMN_COUNT_])
{
	char name[sizeof(row->text[0])];
	for (int i = 0; i < COLUMN_NAME; i++) {
		skm_text_cell(stdout, row->text[i], widths[i]);
		(void)putchar(' ');
	}
	(void)skm_text_clean(row->text[COLUMN_NAME], widths[COLUMN_NAME], name, sizeof(name));
	(void)puts(name);
}

static void print_table(const struct skm_cli *cli, const struct list *list)
{
	struct row row;
	size_t widths[COLUMN_COUNT_] = {0};
	fill_head(cli, &row);
	measure(&row, widths);
	for (size_t i = 0; i < list->count; i++) {
		fill_row(cli, &list->reports[i], &row);
		measure(&row, widths);
	}
	size_t used = 0;
	for (int i = 0; i < COLUMN_NAME; i++)
		used += widths[i] + 1;
	/* A port deep behind hubs is never cut, since it names the device; a rule is, down to what still
	 * tells it. */
	for (; used > SKM_TABLE_COLUMNS - SKM_NAME_COLUMNS_MIN && widths[COLUMN_RULE] > SKM_RULE_COLUMNS_MIN;
		used--)
		widths[COLUMN_RULE]--;
	widths[COLUMN_NAME] = SKM_TABLE_COLUMNS - used; /* the limits of measure() leave at least 6 */
	fill_head(cli, &row);
	print_row(&row, widths);
	for (size_t i = 0; i < list->count; i++) {
		fill_row(cli, &list->reports[i], &row);
		print_row(&row, widths);
	}
	(void)printf(SKM_SAY("%zu台\n", "%zu devices\n"), list->count);
}

static void json_interfaces(struct skm_json *json, const struct skm_device_report *report)
{
	skm_json_array_begin(json, "interfaces");
	for (unsigned i = 0; i < report->device.interface_count && i < SKM_USB_INTERFACES_MAX; i++) {
		const struct skm_usb_interface *interface = &report->device.interfaces[i];
		skm_json_object_begin(json, NULL);
		skm_json_printf(json, "id", "%u:%u", interface->configuration, interface->number);
		skm_json_printf(json, "class", "%02x:%02x:%02x", interface->class_code, interface->subclass,
			interface->protocol);
		skm_json_string(json, "kind", skm_device_kind_to_string(skm_usb_interface_kind(interface)));
		skm_json_bool(json, "allowed", report->decision.interface_allowed[i]);
		skm_json_object_end(json);
	}
	skm_json_array_end(json);
}

static void json_report(struct skm_json *json, const struct skm_device_report *report)
{
	const struct skm_device *device = &report->device;
	const struct skm_decision *decision = &report->decision;
	char hash[2 * SKM_DESCRIPTOR_HASH_BYTES + 1];
	for (size_t i = 0; i < SKM_DESCRIPTOR_HASH_BYTES; i++)
		(void)snprintf(hash + 2 * i, 3, "%02x", device->descriptor_hash[i]);
	skm_json_object_begin(json, NULL);
	skm_json_string(json, "port", device->port);
	skm_json_printf(json, "vid_pid", "%04x:%04x", device->vendor_id, device->product_id);
	skm_json_string(json, "vendor_name", device->manufacturer);
	skm_json_string(json, "model", device->product);
	skm_json_string(json, "serial_number", device->serial);
	skm_json_string(json, "kind", skm_device_kind_to_string(decision->kind));
	skm_json_string(json, "connect_type", skm_connect_type_to_string(device->connect_type));
	skm_json_uint(json, "bus_number", device->bus_number);
	skm_json_uint(json, "device_number", device->device_number);
	skm_json_printf(json, "release", "%04x", device->release);
	skm_json_string(json, "descriptors", skm_descriptor_state_to_string(device->descriptor_state));
	skm_json_string(json, "descriptor_hash", hash);
	skm_json_string(json, "verdict", skm_verdict_to_string(decision->verdict));
	skm_json_string(json, "rule", decision->rule);
	skm_json_string(json, "reason", decision->reason);
	skm_json_string(json, "allow_rule", decision->allow_rule);
	skm_json_string(json, "state", skm_device_state_to_string((enum skm_device_state)report->state));
	skm_json_bool(json, "system_disk", report->is_system_disk);
	skm_json_bool(json, "observed", report->is_observed);
	json_interfaces(json, report);
	skm_json_object_end(json);
}

/* One device at a time, so that the number of devices has no bound. */
static int print_json(const struct skm_cli *cli, const struct list *list)
{
	static char
		buf[65536]; /* 256 interfaces of under 100 bytes, and escaped strings of under 3 KB each */
	(void)fputs("{\"devices\":[", stdout);
	for (size_t i = 0; i < list->count; i++) {
		struct skm_json json;
		skm_json_init(&json, buf, sizeof(buf));
		json_report(&json, &list->reports[i]);
		if (json.has_overflowed)
			return skm_cli_failure(cli, SKM_SAY("表示できません:", "cannot show"),
				list->reports[i].device.port, ENOBUFS);
		(void)printf("%s%s", i ? "," : "", buf);
	}
	(void)puts("]}");
	return SKM_EXIT_YES;
}

int skm_verb_devices(struct skm_cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		SKM_COMMON_OPTIONS, {"socket", required_argument, NULL, SKM_OPTION_SOCKET}, {0}};
	cli->japanese_help = help_ja;
	cli->english_help = help_en;
	const char *socket_path = SKM_CONTROL_PATH;
	int exit_code = 0;
	for (int option;
		(option = skm_cli_next_option(cli, argc, argv, options, &exit_code)) != SKM_OPTION_END;) {
		if (option == SKM_OPTION_STOP)
			return exit_code;
		socket_path = optarg;
	}
	exit_code = skm_cli_no_operands(cli, argc, argv);
	if (exit_code != 0)
		return exit_code;
	SKM_CLEANUP(list_finish) struct list list = {0};
	int r = skm_control_ask(socket_path, SKM_CONTROL_DEVICES, SKM_ASK_TIMEOUT_MS, on_body, &list);
	if (r != 0)
		return skm_cli_control_failure(cli, r);
	if (cli->json)
		return print_json(cli, &list);
	print_table(cli, &list);
	return SKM_EXIT_YES;
}
