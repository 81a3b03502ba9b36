// SPDX-License-Identifier: Apache-2.0
#include "gatekeeper.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "system_disk.h"

#define CORRECTIONS_MAX 8 /* between two reconciles; then somebody fights us, and the device stays closed */
#define HUNG_WORKERS_MAX 16

struct skm_gatekeeper {
	const char *sys_root, *proc_root;
	struct skm_recorder recorder;
	struct skm_worker_pool *pool;
	struct skm_gatekeeper_rules rules;
	struct skm_registry registry;
	uint64_t last_job_id;
	unsigned generation;
	bool is_starting;
	struct skm_controllers controllers;
};

int skm_gatekeeper_new(const char *sys_root, const char *proc_root, const struct skm_recorder *recorder,
	struct skm_gatekeeper **ret_gatekeeper)
{
	struct skm_gatekeeper *gatekeeper = calloc(1, sizeof(*gatekeeper));
	if (!gatekeeper)
		return -ENOMEM;
	gatekeeper->sys_root = sys_root;
	gatekeeper->proc_root = proc_root;
	gatekeeper->recorder = *recorder;
	gatekeeper->controllers =
		(struct skm_controllers){.sys_root = sys_root, .recorder = &gatekeeper->recorder};
	gatekeeper->is_starting = true;
	*ret_gatekeeper = gatekeeper;
	return 0;
}

struct skm_gatekeeper *skm_gatekeeper_free(struct skm_gatekeeper *gatekeeper)
{
	if (!gatekeeper)
		return NULL;
	skm_registry_finish(&gatekeeper->registry);
	free(gatekeeper);
	return NULL;
}

void skm_gatekeeper_set_pool(struct skm_gatekeeper *gatekeeper, struct skm_worker_pool *pool)
{
	gatekeeper->pool = pool;
}

void skm_gatekeeper_start_is_over(struct skm_gatekeeper *gatekeeper)
{
	gatekeeper->is_starting = false;
}

/* ---- records ---- */

SKM_PRINTF(5, 6)
static void record_device(struct skm_gatekeeper *gatekeeper, const struct skm_entry *entry,
	enum skm_event event, enum skm_outcome outcome, const char *detail, ...)
{
	struct skm_record record;
	skm_record_init(&record, event);
	record.outcome = outcome;
	record.has_device = true;
	record.device = entry->device;
	record.decision = entry->decision;
	record.at_start = entry->at_start;
	va_list arguments;
	va_start(arguments, detail);
	(void)vsnprintf(record.detail, sizeof(record.detail), detail, arguments);
	va_end(arguments);
	gatekeeper->recorder.record(gatekeeper->recorder.user, &record);
}

static void record_decision(
	struct skm_gatekeeper *gatekeeper, const struct skm_entry *entry, const char *detail)
{
	const struct skm_decision *decision = &entry->decision;
	if (entry->is_system_disk)
		record_device(gatekeeper, entry, SKM_EVENT_SYSTEM_DISK, SKM_OUTCOME_OBSERVED,
			"carries a mounted system file system: left as it was found");
	else if (entry->is_observed)
		record_device(
			gatekeeper, entry, SKM_EVENT_DEVICE_OBSERVED, SKM_OUTCOME_OBSERVED, "%s", detail);
	else if (decision->verdict == SKM_VERDICT_ALLOW)
		record_device(gatekeeper, entry, SKM_EVENT_DEVICE_ALLOWED, SKM_OUTCOME_ALLOWED, "%s", detail);
	else if (decision->verdict == SKM_VERDICT_PARTIAL)
		record_device(gatekeeper, entry, SKM_EVENT_DEVICE_PARTIAL, SKM_OUTCOME_PARTIAL, "%s", detail);
	else if (decision->kind == SKM_KIND_NETWORK || decision->kind == SKM_KIND_WIRELESS)
		record_device(gatekeeper, entry, SKM_EVENT_NETDEV_DENIED, SKM_OUTCOME_BLOCKED, "%s", detail);
	else
		record_device(gatekeeper, entry, SKM_EVENT_EXPORT_DENIED, SKM_OUTCOME_BLOCKED, "%s", detail);
}

/* ---- jobs ---- */

/* What the kernel is to be brought to: the policy's word, or everything while the policy only watches. */
static void plan_of(const struct skm_entry *entry, struct skm_decision *ret_plan)
{
	*ret_plan = entry->decision;
	if (!entry->is_observed)
		return;
	ret_plan->verdict = SKM_VERDICT_ALLOW;
	memset(ret_plan->interface_allowed, true, sizeof(ret_plan->interface_allowed));
}

static void deny_builtin(struct skm_entry *entry, const char *rule, const char *reason)
{
	struct skm_decision *decision = &entry->decision;
	*decision = (struct skm_decision){.verdict = SKM_VERDICT_DENY, .kind = decision->kind};
	(void)snprintf(decision->rule, sizeof(decision->rule), "builtin:%s", rule);
	(void)snprintf(decision->reason, sizeof(decision->reason), "%s", reason);
	entry->is_observed = false;
	entry->is_duplicate = false;
}

static void submit(struct skm_gatekeeper *gatekeeper, struct skm_entry *entry, enum skm_job_kind kind)
{
	static struct skm_job job; /* 4 KB; the agent is single-threaded */
	if (entry->is_opening)
		return; /* on_applied compares with what is decided by then */
	memset(&job, 0, sizeof(job));
	job.id = ++gatekeeper->last_job_id;
	job.kind = kind;
	memcpy(job.port, entry->port, sizeof(job.port));
	if (kind == SKM_JOB_APPLY) {
		job.device = entry->device;
		plan_of(entry, &job.decision);
	} else {
		job.may_open = !entry->is_described;
		entry->is_dirty = false;
	}
	int r = skm_worker_pool_submit(gatekeeper->pool, &job, entry->folder);
	if (r == 0)
		entry->job_id = job.id;
	else
		entry->is_dirty = true; /* the next reconcile tries again; closed until then */
}

/* Records the decision and has it done, in the order the header promises. `is_open`: the kernel has the
 * device open now. */
static void settle(
	struct skm_gatekeeper *gatekeeper, struct skm_entry *entry, bool is_open, const char *detail)
{
	struct skm_decision plan;
	is_open = is_open || entry->is_opening;
	plan_of(entry, &plan);
	if (!entry->is_system_disk && plan.verdict != SKM_VERDICT_DENY &&
		!skm_decision_opens_export(&plan, &entry->device)) {
		/* Somebody waits for a keyboard: while the worker opens it (it may be about it already), we
		 * write down that it may. */
		entry->state = SKM_DEVICE_STATE_NEW;
		submit(gatekeeper, entry, SKM_JOB_APPLY);
		skm_worker_pool_dispatch(gatekeeper->pool);
		record_decision(gatekeeper, entry, detail);
		return;
	}
	record_decision(gatekeeper, entry, detail);
	entry->state = SKM_DEVICE_STATE_SETTLED;
	if (entry->is_system_disk || (plan.verdict == SKM_VERDICT_DENY && !is_open))
		return;
	if (plan.verdict != SKM_VERDICT_DENY && gatekeeper->recorder.flush(gatekeeper->recorder.user) < 0) {
		deny_builtin(entry, "no-record-no-permit", "its record cannot be stored, so it stays closed");
		record_decision(gatekeeper, entry, "");
		if (!is_open)
			return;
	}
	entry->state = SKM_DEVICE_STATE_NEW;
	submit(gatekeeper, entry, SKM_JOB_APPLY);
}

/* ---- judging ---- */

/* `is_closed`: nothing can be mounted from it. */
static void judge(struct skm_gatekeeper *gatekeeper, struct skm_entry *entry, bool is_closed)
{
	const struct skm_judge_context context = {
		.serial_is_duplicate = entry->is_duplicate,
		.is_initramfs = gatekeeper->rules.is_initramfs,
	};
	struct skm_system_disks disks;
	skm_policy_judge(gatekeeper->rules.policy, &entry->device, &context, &entry->decision);
	entry->is_system_disk = false;
	entry->is_observed = gatekeeper->rules.is_audit_mode && entry->decision.verdict != SKM_VERDICT_ALLOW;
	if (is_closed || entry->decision.verdict == SKM_VERDICT_ALLOW)
		return;
	skm_system_disks_find(gatekeeper->sys_root, gatekeeper->proc_root, &disks);
	entry->is_system_disk = skm_system_disks_has(&disks, entry->port);
}

static bool same_outcome(const struct skm_entry *a, const struct skm_entry *b)
{
	return a->decision.verdict == b->decision.verdict && a->is_observed == b->is_observed &&
	       a->is_system_disk == b->is_system_disk && strcmp(a->decision.rule, b->decision.rule) == 0 &&
	       memcmp(a->decision.interface_allowed, b->decision.interface_allowed,
		       sizeof(a->decision.interface_allowed)) == 0;
}

/* What comes out differently is recorded and under way. Of devices that show the same serial number, one that
 * is wholly open stays so: somebody works with it. */
static void judge_again(struct skm_gatekeeper *gatekeeper, struct skm_entry *entry, const char *why)
{
	struct skm_entry before = *entry;
	entry->is_duplicate = skm_registry_has_twin(&gatekeeper->registry, entry) &&
			      (before.is_duplicate || before.decision.verdict != SKM_VERDICT_ALLOW);
	judge(gatekeeper, entry, false);
	if (!same_outcome(entry, &before))
		settle(gatekeeper, entry, before.decision.verdict != SKM_VERDICT_DENY || before.is_observed,
			why);
}

static void judge_duplicates_again(struct skm_gatekeeper *gatekeeper)
{
	for (struct skm_entry *entry = gatekeeper->registry.entries; entry; entry = entry->next)
		if (entry->is_duplicate)
			judge_again(gatekeeper, entry, "another one with its serial number has gone");
}

/* In a worker, with the rules as they were when it was forked: only what is for work and wholly allowed. It
 * does not know the other devices, so it judges as if one of them showed the same serial. */
static bool may_open_at_once(void *user, const struct skm_device *device, struct skm_decision *ret_decision)
{
	const struct skm_gatekeeper *gatekeeper = user;
	const struct skm_judge_context context = {
		.serial_is_duplicate = true, .is_initramfs = gatekeeper->rules.is_initramfs};
	skm_policy_judge(gatekeeper->rules.policy, device, &context, ret_decision);
	return ret_decision->verdict == SKM_VERDICT_ALLOW && !skm_decision_opens_export(ret_decision, device);
}

void skm_gatekeeper_set_rules(struct skm_gatekeeper *gatekeeper, const struct skm_gatekeeper_rules *rules)
{
	bool is_first = !gatekeeper->rules.policy;
	gatekeeper->rules = *rules;
	skm_worker_pool_renew(gatekeeper->pool, may_open_at_once, gatekeeper);
	if (is_first)
		return;
	for (struct skm_entry *entry = gatekeeper->registry.entries; entry; entry = entry->next)
		if (entry->is_described)
			judge_again(gatekeeper, entry, "the policy changed");
}

void skm_gatekeeper_log_resumed(struct skm_gatekeeper *gatekeeper)
{
	for (struct skm_entry *entry = gatekeeper->registry.entries; entry; entry = entry->next)
		if (entry->is_described && strcmp(entry->decision.rule, "builtin:no-record-no-permit") == 0)
			judge_again(gatekeeper, entry, "records can be stored again");
}

/* ---- results ---- */

static void report_controller(struct skm_gatekeeper *gatekeeper, const struct skm_job_result *result)
{
	if (result->live.controller_was_open)
		skm_controllers_report(
			&gatekeeper->controllers, result->device.bus_number, result->live.controller_is_open);
}

static void on_first_look(
	struct skm_gatekeeper *gatekeeper, struct skm_entry *entry, const struct skm_job_result *result)
{
	entry->device = result->device;
	entry->is_described = true;
	entry->has_failed = false;
	entry->configuration = result->live.configuration;
	entry->is_duplicate = skm_registry_has_twin(&gatekeeper->registry, entry);
	judge(gatekeeper, entry, !result->live.is_authorized);
	bool is_refused_and_open = entry->decision.verdict == SKM_VERDICT_DENY && result->live.is_authorized;
	settle(gatekeeper, entry, result->live.is_authorized,
		is_refused_and_open && !entry->is_observed ? "was found open; closed" : "");
}

/* Puts right what another hand changed, a limited number of times. */
static void correct(
	struct skm_gatekeeper *gatekeeper, struct skm_entry *entry, const struct skm_live_state *live)
{
	if (++entry->corrections > CORRECTIONS_MAX) {
		deny_builtin(entry, "unstable", "its state was changed again and again by another hand");
		record_device(gatekeeper, entry, SKM_EVENT_DEVICE_ERROR, SKM_OUTCOME_BLOCKED,
			"closed until it is plugged in again");
	} else {
		record_device(gatekeeper, entry, SKM_EVENT_DEVICE_CHANGED, SKM_OUTCOME_BLOCKED,
			"its state was not as decided (authorized %d, configuration %u); put right",
			live->is_authorized, live->configuration);
	}
	submit(gatekeeper, entry, SKM_JOB_APPLY);
}

static void on_success(struct skm_gatekeeper *gatekeeper, struct skm_entry *entry)
{
	entry->state = SKM_DEVICE_STATE_SETTLED;
	if (entry->has_failed)
		record_decision(gatekeeper, entry, "done after it had failed");
	entry->has_failed = false;
}

static void on_later_look(
	struct skm_gatekeeper *gatekeeper, struct skm_entry *entry, const struct skm_job_result *result)
{
	struct skm_decision plan;
	if (!skm_device_equal(&entry->device, &result->device)) {
		record_device(gatekeeper, entry, SKM_EVENT_DEVICE_CHANGED, SKM_OUTCOME_LOGGED,
			"shows another identity than before; judged anew");
		on_first_look(gatekeeper, entry, result);
		judge_duplicates_again(gatekeeper);
		return;
	}
	/* firmware tells where a port is a moment after the device */
	if (entry->device.connect_type != result->device.connect_type) {
		entry->device.connect_type = result->device.connect_type;
		judge_again(gatekeeper, entry, "its connect type became known");
	}
	if (entry->job_id || entry->is_system_disk)
		return;
	plan_of(entry, &plan);
	if (!skm_enforcer_is_satisfied(&entry->device, &plan, &result->live)) {
		if (entry->has_failed)
			submit(gatekeeper, entry, SKM_JOB_APPLY); /* our own deed is still to be done */
		else
			correct(gatekeeper, entry, &result->live);
	} else {
		if (result->live.configuration != entry->configuration && entry->configuration != 0 &&
			result->live.configuration != 0)
			record_device(gatekeeper, entry, SKM_EVENT_DEVICE_CHANGED, SKM_OUTCOME_LOGGED,
				"its configuration was changed from %u to %u by another hand; what was refused stays closed",
				entry->configuration, result->live.configuration);
		on_success(gatekeeper, entry);
	}
	entry->configuration = result->live.configuration;
}

static void on_failure(
	struct skm_gatekeeper *gatekeeper, struct skm_entry *entry, const struct skm_job_result *result)
{
	const char *deed = result->kind == SKM_JOB_INSPECT ? "reading it" : "writing its authorisation";
	if (result->code == -ETIMEDOUT) {
		bool was_hung = entry->state == SKM_DEVICE_STATE_HUNG;
		entry->state = SKM_DEVICE_STATE_HUNG;
		if (!was_hung && !entry->has_failed)
			record_device(gatekeeper, entry, SKM_EVENT_DEVICE_HUNG, SKM_OUTCOME_ERROR,
				"%s did not come back in time", deed);
		entry->has_failed = true;
		return;
	}
	entry->state = SKM_DEVICE_STATE_FAILED;
	if (!entry->has_failed)
		record_device(gatekeeper, entry, SKM_EVENT_DEVICE_ERROR, SKM_OUTCOME_ERROR, "%s failed: %s",
			deed, strerrordesc_np(-result->code));
	entry->has_failed = true;
}

static void on_closed_again(struct skm_gatekeeper *gatekeeper, struct skm_entry *entry,
	const struct skm_job_result *result, const char *detail)
{
	record_decision(gatekeeper, entry, detail);
	entry->state = result->live.is_authorized ? SKM_DEVICE_STATE_FAILED : SKM_DEVICE_STATE_SETTLED;
}

static void on_applied(
	struct skm_gatekeeper *gatekeeper, struct skm_entry *entry, const struct skm_job_result *result)
{
	struct skm_decision plan;
	char detail[SKM_DRIVER_NAME_BYTES + 64];
	switch (result->code) {
	case 0:
		plan_of(entry, &plan);
		if (entry->is_system_disk || skm_enforcer_is_satisfied(&entry->device, &plan, &result->live))
			on_success(gatekeeper, entry);
		else
			submit(gatekeeper, entry, SKM_JOB_APPLY); /* the rules changed while it was opened */
		entry->configuration = result->live.configuration;
		break;
	case SKM_ENFORCER_MISMATCH:
		deny_builtin(entry, "mismatch", "it shows interfaces that its descriptors did not announce");
		on_closed_again(gatekeeper, entry, result, "closed again");
		break;
	case SKM_ENFORCER_DRIVER:
		deny_builtin(entry, "driver", "a driver took it that does not belong to what it says it is");
		(void)snprintf(detail, sizeof(detail), "closed again; the driver was %s",
			result->live.foreign_driver);
		on_closed_again(gatekeeper, entry, result, detail);
		break;
	case SKM_ENFORCER_CONTROLLER_OPEN:
		report_controller(gatekeeper, result);
		if (!entry->has_failed)
			record_device(gatekeeper, entry, SKM_EVENT_DEVICE_ERROR, SKM_OUTCOME_BLOCKED,
				"not opened: its controller would open every interface");
		entry->state = SKM_DEVICE_STATE_FAILED;
		entry->has_failed = true;
		break;
	default:
		on_failure(gatekeeper, entry, result);
	}
}

void skm_gatekeeper_on_job(struct skm_gatekeeper *gatekeeper, const struct skm_job_result *result)
{
	struct skm_entry *entry = skm_registry_find_job(&gatekeeper->registry, result->id);
	if (!entry)
		return; /* unplugged meanwhile */
	entry->is_opening = result->goes_on;
	if (!entry->is_opening)
		entry->job_id = 0;
	if (result->code == SKM_ENFORCER_GONE) {
		/* The removal is on its way, or was lost and a scan will find out; an interface that vanished
		 * under us is worth another look. */
		entry->is_dirty = skm_entry_is_alive(entry);
		return;
	}
	if (result->kind == SKM_JOB_APPLY) {
		on_applied(gatekeeper, entry, result);
	} else if (result->code != 0) {
		if (!entry->is_described)
			deny_builtin(entry, "unreadable", "it could not be read, so it stays closed");
		on_failure(gatekeeper, entry, result);
	} else {
		report_controller(gatekeeper, result);
		if (entry->is_described)
			on_later_look(gatekeeper, entry, result);
		else
			on_first_look(gatekeeper, entry, result);
	}
}

/* ---- events ---- */

static void forget(struct skm_gatekeeper *gatekeeper, struct skm_entry *entry)
{
	record_device(gatekeeper, entry, SKM_EVENT_DEVICE_REMOVED, SKM_OUTCOME_LOGGED,
		entry->is_described ? "" : "was gone before it could be read");
	skm_registry_remove(&gatekeeper->registry, entry);
	judge_duplicates_again(gatekeeper);
}

static void on_missed(struct skm_gatekeeper *gatekeeper, const struct skm_usb_event *event, int r)
{
	struct skm_entry entry = {.at_start = gatekeeper->is_starting};
	(void)snprintf(entry.device.port, sizeof(entry.device.port), "%s", event->name);
	entry.device.vendor_id = event->vendor_id;
	entry.device.product_id = event->product_id;
	deny_builtin(&entry, "unreadable", "it could not be read, so it stays closed");
	if (r == -ENOENT || r == -ENODEV)
		record_device(gatekeeper, &entry, SKM_EVENT_DEVICE_REMOVED, SKM_OUTCOME_LOGGED,
			"was gone before its event was read");
	else
		record_device(gatekeeper, &entry, SKM_EVENT_DEVICE_ERROR, SKM_OUTCOME_BLOCKED,
			"cannot be watched: %s", strerrordesc_np(-r));
}

static void on_device_added(struct skm_gatekeeper *gatekeeper, const struct skm_usb_event *event)
{
	struct skm_entry *entry = skm_registry_find(&gatekeeper->registry, event->name);
	if (entry && skm_entry_is_alive(entry)) {
		entry->generation = gatekeeper->generation;
		return;
	}
	if (entry)
		forget(gatekeeper, entry); /* its removal was lost, and another one has its port */
	int r = skm_registry_add(&gatekeeper->registry, event->name, event->syspath, &entry);
	if (r < 0) {
		on_missed(gatekeeper, event, r);
		return;
	}
	memcpy(entry->device.port, entry->port, sizeof(entry->port));
	entry->device.vendor_id = event->vendor_id;
	entry->device.product_id = event->product_id;
	entry->at_start = gatekeeper->is_starting;
	entry->generation = gatekeeper->generation;
	submit(gatekeeper, entry, SKM_JOB_INSPECT);
	skm_worker_pool_dispatch(gatekeeper->pool); /* the other events of the plug can wait */
}

/* The device an interface belongs to: "1-2:1.0" => "1-2". */
static struct skm_entry *find_owner(struct skm_gatekeeper *gatekeeper, const char *name)
{
	char port[SKM_USB_PORT_BYTES];
	size_t len = strcspn(name, ":");
	if (len >= sizeof(port))
		return NULL;
	memcpy(port, name, len);
	port[len] = '\0';
	return skm_registry_find(&gatekeeper->registry, port);
}

/* "3-0:1.0" of controller "usb3": see skm_controller_close. */
static void on_root_hub_interface(struct skm_gatekeeper *gatekeeper, const struct skm_usb_event *event)
{
	char controller[16];
	(void)snprintf(
		controller, sizeof(controller), "usb%.*s", (int)strcspn(event->name, "-"), event->name);
	if (event->action == SKM_USB_ADD)
		skm_controllers_check(&gatekeeper->controllers, controller);
}

void skm_gatekeeper_on_event(struct skm_gatekeeper *gatekeeper, const struct skm_usb_event *event)
{
	if (event->object == SKM_USB_CONTROLLER) {
		if (event->action == SKM_USB_REMOVE)
			skm_controllers_forget(&gatekeeper->controllers, event->name);
		else
			skm_controllers_check(&gatekeeper->controllers, event->name);
		return;
	}
	struct skm_entry *entry = find_owner(gatekeeper, event->name);
	if (event->object == SKM_USB_DEVICE && event->action == SKM_USB_ADD)
		on_device_added(gatekeeper, event);
	else if (event->object == SKM_USB_INTERFACE && strstr(event->name, "-0:"))
		on_root_hub_interface(gatekeeper, event);
	else if (entry && (event->object != SKM_USB_DEVICE || event->action != SKM_USB_REMOVE))
		entry->is_dirty = true;
	else if (entry && skm_entry_is_alive(entry))
		on_missed(gatekeeper, event, -ENOENT); /* of the one before at this port: it waited */
	else if (entry)
		forget(gatekeeper, entry);
}

void skm_gatekeeper_check_gate(struct skm_gatekeeper *gatekeeper)
{
	skm_controllers_check_all(&gatekeeper->controllers);
}

bool skm_gatekeeper_has_dirty(const struct skm_gatekeeper *gatekeeper)
{
	for (const struct skm_entry *entry = gatekeeper->registry.entries; entry; entry = entry->next)
		if (entry->is_dirty && !entry->job_id && entry->state != SKM_DEVICE_STATE_HUNG)
			return true;
	return false;
}

void skm_gatekeeper_look_again(struct skm_gatekeeper *gatekeeper)
{
	for (struct skm_entry *entry = gatekeeper->registry.entries; entry; entry = entry->next)
		if (entry->is_dirty && !entry->job_id && entry->state != SKM_DEVICE_STATE_HUNG)
			submit(gatekeeper, entry, SKM_JOB_INSPECT);
}

bool skm_gatekeeper_has_failed(const struct skm_gatekeeper *gatekeeper)
{
	for (const struct skm_entry *entry = gatekeeper->registry.entries; entry; entry = entry->next)
		if (entry->has_failed)
			return true;
	return false;
}

void skm_gatekeeper_retry(struct skm_gatekeeper *gatekeeper)
{
	bool may_retry_hung = skm_worker_pool_hung_count(gatekeeper->pool) < HUNG_WORKERS_MAX;
	for (struct skm_entry *entry = gatekeeper->registry.entries; entry; entry = entry->next)
		if (entry->has_failed && !entry->job_id &&
			(entry->state != SKM_DEVICE_STATE_HUNG || may_retry_hung))
			submit(gatekeeper, entry, SKM_JOB_INSPECT);
}

void skm_gatekeeper_scan_begin(struct skm_gatekeeper *gatekeeper)
{
	gatekeeper->generation++;
}

void skm_gatekeeper_scan_end(struct skm_gatekeeper *gatekeeper)
{
	bool may_retry_hung = skm_worker_pool_hung_count(gatekeeper->pool) < HUNG_WORKERS_MAX;
	for (struct skm_entry *entry = gatekeeper->registry.entries, *next; entry; entry = next) {
		next = entry->next;
		if (entry->generation != gatekeeper->generation && !skm_entry_is_alive(entry)) {
			forget(gatekeeper, entry);
			continue;
		}
		entry->corrections = 0;
		if (entry->state == SKM_DEVICE_STATE_HUNG && may_retry_hung && !entry->job_id)
			submit(gatekeeper, entry, SKM_JOB_INSPECT);
		else
			entry->is_dirty = true;
	}
}

/* ---- answers ---- */

void skm_gatekeeper_get_counts(const struct skm_gatekeeper *gatekeeper, struct skm_status *status)
{
	for (const struct skm_entry *entry = gatekeeper->registry.entries; entry; entry = entry->next) {
		status->device_count++;
		status->refused_count +=
			entry->decision.verdict == SKM_VERDICT_DENY && !entry->is_system_disk;
		status->partial_count += entry->decision.verdict == SKM_VERDICT_PARTIAL;
		status->hung_count += entry->state == SKM_DEVICE_STATE_HUNG;
		if (entry->is_system_disk && status->system_disk_count < SKM_ARRAY_SIZE(status->system_disks))
			memcpy(status->system_disks[status->system_disk_count++], entry->port,
				sizeof(entry->port));
	}
}

int skm_gatekeeper_next_device(
	const struct skm_gatekeeper *gatekeeper, const char *after, struct skm_device_report *ret_report)
{
	const struct skm_entry *entry = skm_registry_next(&gatekeeper->registry, after);
	if (!entry)
		return 0;
	*ret_report = (struct skm_device_report){
		.device = entry->device,
		.decision = entry->decision,
		.state = (uint8_t)entry->state,
		.is_system_disk = entry->is_system_disk,
		.is_observed = entry->is_observed,
	};
	return 1;
}
