// SPDX-License-Identifier: Apache-2.0
/* Composition root: builds the parts, wires their callbacks, runs the loop, takes them down in reverse.
 *
 * One round of the loop: events and results change the gatekeeper's state and queue jobs and records; at its
 * end the jobs go to the workers and the records of the whole round are stored with one write and one
 * fdatasync. */
#include "agent.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>

#include "agent_log.h"
#include "agent_settings.h"
#include "console.h"
#include "control_server.h"
#include "forward_notice.h"
#include "gatekeeper.h"
#include "refusal.h"
#include "sekimori/log.h"
#include "sekimori/notify.h"
#include "service_manager.h"
#include "session_server.h"
#include "stop_record.h"

#define LOOK_AGAIN_MS 50u    /* several events of one device are one look */
#define RETRY_FIRST_MS 1000u /* after a deed that failed; doubled up to … */
#define RETRY_MAX_MS 64000u
/* Less may be the moment between the readings of two clocks on a busy machine. */
#define SLEEP_LEAST_USEC ((int64_t)SKM_USEC_PER_SEC)
#define CLOCK_JUMP_USEC (2 * (int64_t)SKM_USEC_PER_SEC)

static const char *const role_groups[] = {"sekimori-auditor", "sekimori-helpdesk", "sekimori-approver",
	"sekimori-admin", SKM_CONTROL_FORWARD_GROUP};

struct agent {
	const struct skm_agent_options *options;
	struct skm_clock clock;
	char boot_id[SKM_BOOT_ID_BYTES];
	struct skm_timestamp started, reconciled;
	uint64_t overflow_count;
	struct skm_forward_notice_gate notices;
	struct skm_settings *settings;
	bool is_audit_mode;
	struct skm_clock_marks clock_marks;

	struct skm_loop *loop;
	struct skm_agent_log *log; /* NULL in the early form */
	struct skm_device_ops ops;
	struct skm_worker_pool *pool;
	struct skm_gatekeeper *gatekeeper;
	struct skm_udev_source *udev;
	struct skm_control_server *control;
	struct skm_session_server *sessions; /* NULL: nobody can be told */
	int signal_fd, clock_fd;
	struct skm_source *signals, *clock_changes;
	struct skm_source *look_again, *reconcile, *watchdog, *retry;
	bool look_again_is_armed;
	uint64_t retry_ms; /* 0 = not armed */
};

/* ---- records
 * ------------------------------------------------------------------------------------------------------- */

static void stamp(void *user, struct skm_record *record)
{
	struct agent *agent = user;
	struct skm_console_user person;
	const struct skm_config *config = agent->settings->config;
	agent->clock.now(agent->clock.user, &record->time);
	memcpy(record->boot_id, agent->boot_id, sizeof(record->boot_id));
	memcpy(record->terminal_number, config->terminal.number, sizeof(record->terminal_number));
	memcpy(record->section, config->terminal.section, sizeof(record->section));
	memcpy(record->policy_version, config->version, sizeof(record->policy_version));
	skm_console_read(agent->options->run_root, agent->options->proc_root, &person);
	record->user_uid = person.uid;
	memcpy(record->user, person.user, sizeof(record->user));
	memcpy(record->login_user, person.login_user, sizeof(record->login_user));
}

static void on_record(void *user, const struct skm_record *record)
{
	struct agent *agent = user;
	struct skm_record stamped = *record;
	stamp(agent, &stamped);
	if (skm_agent_log_append(agent->log, &stamped))
		skm_log_record(&stamped);
}

static int on_flush(void *user)
{
	const struct agent *agent = user;
	return skm_agent_log_flush(agent->log);
}

SKM_PRINTF(5, 6)
static void record_fact(struct agent *agent, enum skm_event event, enum skm_outcome outcome,
	const char *object, const char *detail, ...)
{
	struct skm_record record;
	skm_record_init(&record, event);
	record.outcome = outcome;
	(void)snprintf(record.rule, sizeof(record.rule), "builtin:agent");
	(void)snprintf(record.object, sizeof(record.object), "%s", object);
	va_list arguments;
	va_start(arguments, detail);
	(void)vsnprintf(record.detail, sizeof(record.detail), detail, arguments);
	va_end(arguments);
	on_record(agent, &record);
}

/* On disk by now: the number that the person is told exists. */
static void on_stored(void *user, const struct skm_record *record)
{
	const struct agent *agent = user;
	struct skm_refusal refusal;
	uid_t uid = 0;
	if (agent->sessions && skm_refusal_from_record(record, &uid, &refusal))
		skm_session_server_tell(agent->sessions, uid, &refusal);
}

static void on_log_resumed(void *user)
{
	struct agent *agent = user;
	skm_gatekeeper_log_resumed(agent->gatekeeper);
}

/* ---- policy
 * -------------------------------------------------------------------------------------------------------- */

/* Mode "audit" is over on the first second after its last day, whatever else happens. A clock that was set
 * back does not bring it back within one run. */
static void apply_rules(struct agent *agent)
{
	struct skm_timestamp now;
	agent->clock.now(agent->clock.user, &now);
	bool was_audit_mode = agent->is_audit_mode;
	agent->is_audit_mode =
		skm_settings_is_audit_mode(agent->settings, now.realtime_usec / (int64_t)SKM_USEC_PER_SEC);
	const struct skm_gatekeeper_rules rules = {
		.policy = agent->settings->policy,
		.is_audit_mode = agent->is_audit_mode,
		.is_initramfs = agent->options->initramfs_devices != NULL,
	};
	if (agent->is_audit_mode)
		record_fact(agent, SKM_EVENT_AUDIT_MODE, SKM_OUTCOME_OBSERVED, "mode audit",
			"devices are recorded and let pass until UNIX time %" PRId64,
			agent->settings->config->usb.audit_until_sec);
	else if (was_audit_mode)
		record_fact(agent, SKM_EVENT_AUDIT_MODE, SKM_OUTCOME_LOGGED, "mode enforce",
			"mode audit is over");
	skm_gatekeeper_set_rules(agent->gatekeeper, &rules);
}

static void arm_reconcile(struct agent *agent)
{
	struct skm_timestamp now;
	agent->clock.now(agent->clock.user, &now);
	uint32_t wait_sec =
		skm_settings_reconcile_sec(agent->settings, now.realtime_usec / (int64_t)SKM_USEC_PER_SEC);
	skm_timer_arm(agent->reconcile, (uint64_t)wait_sec * 1000, 0);
}

/* `is_asked`: somebody wants it, and is told again of what is still wrong. */
static void reload(struct agent *agent, bool is_asked)
{
	struct skm_settings *settings = NULL;
	char error[768];
	(void)skm_notify("RELOADING=1");
	int r = skm_settings_load(
		agent->options->config_path, &agent->clock, &settings, error, sizeof(error));
	if (r != 0) {
		bool is_known = strcmp(agent->settings->error, error) == 0;
		(void)snprintf(agent->settings->error, sizeof(agent->settings->error), "%s", error);
		if (is_asked || !is_known)
			record_fact(agent, SKM_EVENT_CONFIG_BROKEN, SKM_OUTCOME_ERROR,
				agent->options->config_path, "%s; the policy in force stays", error);
	} else {
		struct skm_settings *old = agent->settings;
		agent->settings = settings;
		record_fact(agent, SKM_EVENT_POLICY_CHANGED, SKM_OUTCOME_LOGGED, agent->options->config_path,
			"%s -> %s", old->config->version, settings->config->version);
		apply_rules(agent);
		(void)skm_settings_free(old);
		skm_worker_pool_set_deadline(agent->pool, settings->config->usb.write_deadline_ms);
		(void)skm_udev_source_set_buffer(agent->udev, settings->config->usb.receive_buffer_bytes);
		skm_agent_log_configure(agent->log, settings->config);
		skm_control_server_refresh_roles(agent->control);
		arm_reconcile(agent);
	}
	(void)skm_notify("READY=1");
}

/* ---- events
 * -------------------------------------------------------------------------------------------------------- */

static int on_usb_event(void *user, const struct skm_usb_event *event)
{
	struct agent *agent = user;
	skm_gatekeeper_on_event(agent->gatekeeper, event);
	return 0;
}

static void on_job(void *user, const struct skm_job_result *result)
{
	struct agent *agent = user;
	skm_gatekeeper_on_job(agent->gatekeeper, result);
}

static int scan(struct agent *agent)
{
	skm_gatekeeper_scan_begin(agent->gatekeeper);
	int r = skm_udev_source_scan(agent->udev, on_usb_event, agent);
	if (r < 0) {
		skm_log(SKM_SEVERITY_ALERT, "cannot list the USB devices: %s", strerrordesc_np(-r));
		return r;
	}
	skm_gatekeeper_scan_end(agent->gatekeeper);
	return 0;
}

static void reconcile(struct agent *agent)
{
	/* What was wrong with the file may not have been in it: a clock for which its dates were too far
	 * ahead, a register on a file system that was mounted later. */
	if (agent->settings->error[0] && !agent->options->initramfs_devices)
		reload(agent, false);
	if (agent->settings->config->usb.mode == SKM_MODE_AUDIT && !agent->settings->audit_is_over)
		apply_rules(agent); /* also when it waits for a clock that can tell its end */
	skm_gatekeeper_check_gate(agent->gatekeeper);
	(void)scan(agent); /* said so already; the next interval tries again */
	agent->clock.now(agent->clock.user, &agent->reconciled);
	arm_reconcile(agent); /* after a clock was set, too: it says when mode "audit" ends */
}

static int on_overflow(void *user)
{
	struct agent *agent = user;
	agent->overflow_count++;
	record_fact(agent, SKM_EVENT_UEVENT_OVERFLOW, SKM_OUTCOME_LOGGED, "kernel events",
		"events were lost (%" PRIu64 " times since the start); everything is looked at again",
		agent->overflow_count);
	reconcile(agent);
	return 0;
}

static int on_look_again(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct agent *agent = user;
	agent->look_again_is_armed = false;
	skm_gatekeeper_look_again(agent->gatekeeper);
	return 0;
}

static int on_retry(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct agent *agent = user;
	skm_gatekeeper_retry(agent->gatekeeper);
	agent->retry_ms = agent->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : agent->retry_ms * 2;
	skm_timer_arm(agent->retry, agent->retry_ms, 0);
	return 0;
}

static int on_reconcile(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	reconcile(user);
	return 0;
}

static int on_watchdog(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	(void)user;
	(void)skm_notify("WATCHDOG=1");
	return 0;
}

static int on_clock_change(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct agent *agent = user;
	struct skm_timestamp now;
	int r = skm_clock_watch_renew(agent->clock_fd);
	agent->clock.now(agent->clock.user, &now);
	int64_t slept_usec = skm_clock_slept_usec(&agent->clock_marks, &now, SLEEP_LEAST_USEC);
	int64_t moved_usec = skm_clock_moved_usec(&agent->clock_marks, &now, CLOCK_JUMP_USEC);
	if (slept_usec)
		record_fact(agent, SKM_EVENT_RESUMED, SKM_OUTCOME_LOGGED, "suspend",
			"slept for %" PRId64 " s", slept_usec / (int64_t)SKM_USEC_PER_SEC);
	if (moved_usec)
		record_fact(agent, SKM_EVENT_CLOCK_JUMP, SKM_OUTCOME_LOGGED, "wall clock",
			"moved by %+" PRId64 " s against the time since boot",
			moved_usec / (int64_t)SKM_USEC_PER_SEC);
	reconcile(agent); /* also after a sleep too short to be told from nothing; a clock is seldom set */
	return r;
}

static int on_signal(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct agent *agent = user;
	struct signalfd_siginfo info;
	if (read(agent->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	if (info.ssi_signo == SIGCHLD)
		skm_worker_pool_reap(agent->pool);
	else if (info.ssi_signo != SIGHUP)
		skm_loop_stop(agent->loop);
	else if (!agent->options->initramfs_devices)
		reload(agent, true);
	return 0;
}

static int after_round(void *user)
{
	struct agent *agent = user;
	/* deeds first: while workers talk to devices, we talk to the disk */
	skm_worker_pool_dispatch(agent->pool);
	skm_agent_log_end_round(agent->log);
	if (skm_gatekeeper_has_dirty(agent->gatekeeper) && !agent->look_again_is_armed) {
		skm_timer_arm(agent->look_again, LOOK_AGAIN_MS, 0);
		agent->look_again_is_armed = true;
	}
	bool has_failed = skm_gatekeeper_has_failed(agent->gatekeeper);
	if (has_failed == (agent->retry_ms > 0))
		return 0;
	agent->retry_ms = has_failed ? RETRY_FIRST_MS : 0;
	skm_timer_arm(agent->retry, agent->retry_ms, 0);
	return 0;
}

/* ---- answers
 * ------------------------------------------------------------------------------------------------------- */

static void on_status(void *user, struct skm_status *ret_status)
{
	struct agent *agent = user;
	const struct skm_settings *settings = agent->settings;
	struct skm_stream_state log;
	struct skm_status status = {.pid = getpid(), .overflow_count = agent->overflow_count};
	(void)snprintf(status.version, sizeof(status.version), "%s", SKM_VERSION);
	status.started_realtime_usec = (uint64_t)agent->started.realtime_usec;
	status.last_reconcile_realtime_usec = (uint64_t)agent->reconciled.realtime_usec;
	if (skm_gate_read(agent->options->sys_root, &status.gate) == 0)
		status.gate_is_closed = skm_gate_is_closed(&status.gate);
	status.mode = agent->is_audit_mode ? SKM_MODE_AUDIT : SKM_MODE_ENFORCE;
	status.audit_until_sec = agent->is_audit_mode ? settings->config->usb.audit_until_sec : 0;
	memcpy(status.policy_version, settings->config->version, sizeof(status.policy_version));
	status.rule_count = settings->config->usb.rules.count;
	status.config_is_broken = settings->error[0] != '\0';
	memcpy(status.config_error, settings->error, sizeof(status.config_error));
	skm_agent_log_get_state(agent->log, &log);
	status.log_is_failing = log.is_failing;
	memcpy(status.log_error, log.error, sizeof(status.log_error));
	status.log_pending = log.pending;
	status.log_lost = log.lost;
	status.log_sequence = log.sequence;
	skm_gatekeeper_get_counts(agent->gatekeeper, &status);
	*ret_status = status;
}

static int on_next_device(void *user, const char *after, struct skm_device_report *ret_report)
{
	const struct agent *agent = user;
	return skm_gatekeeper_next_device(agent->gatekeeper, after, ret_report);
}

/* Stored at once: the forwarder takes our answer for done and does not say it again. */
static int on_notice(
	void *user, const struct skm_packet_caller *caller, const struct skm_forward_notice *notice)
{
	struct agent *agent = user;
	struct skm_record record;
	struct skm_timestamp now;
	agent->clock.now(agent->clock.user, &now);
	int r = skm_forward_notice_take(&agent->notices, notice, now.boottime_usec, &record);
	if (r < 0)
		return r;
	record.caller_uid = caller->uid;
	record.caller_pid = caller->pid;
	on_record(agent, &record);
	return on_flush(agent);
}

/* ---- life
 * ----------------------------------------------------------------------------------------------------------
 */

static int open_signals(struct agent *agent)
{
	sigset_t mask;
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGHUP);
	(void)sigaddset(&mask, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	agent->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (agent->signal_fd < 0)
		return -errno;
	return skm_loop_add_fd(agent->loop, agent->signal_fd, EPOLLIN, on_signal, agent, &agent->signals);
}

static int open_timers(struct agent *agent)
{
	int r = skm_loop_add_timer(agent->loop, CLOCK_MONOTONIC, on_look_again, agent, &agent->look_again);
	if (r == 0)
		r = skm_loop_add_timer(agent->loop, CLOCK_BOOTTIME, on_reconcile, agent, &agent->reconcile);
	if (r == 0)
		r = skm_loop_add_timer(agent->loop, CLOCK_MONOTONIC, on_retry, agent, &agent->retry);
	if (r == 0)
		r = skm_loop_add_timer(agent->loop, CLOCK_MONOTONIC, on_watchdog, agent, &agent->watchdog);
	if (r < 0)
		return r;
	uint64_t watchdog_ms = skm_notify_watchdog_usec() / 2000;
	if (watchdog_ms)
		skm_timer_arm(agent->watchdog, watchdog_ms, watchdog_ms);
	arm_reconcile(agent);
	r = skm_clock_watch_open(&agent->clock_fd);
	if (r < 0)
		return r;
	skm_clock_mark(&agent->clock_marks, &agent->started);
	return skm_loop_add_fd(
		agent->loop, agent->clock_fd, EPOLLIN, on_clock_change, agent, &agent->clock_changes);
}

static int open_log(struct agent *agent)
{
	const struct skm_agent_log_options options = {
		.folder = agent->options->log_folder,
		.chain_path = agent->options->chain_path,
		.collected_path = agent->options->collected_path,
		.proc_root = agent->options->proc_root,
		.boot_id = agent->boot_id,
		.stamp = stamp,
		.on_resumed = on_log_resumed,
		.on_stored = on_stored,
		.user = agent,
	};
	return skm_agent_log_new(agent->loop, &options, agent->settings->config, &agent->log);
}

static int open_gate(struct agent *agent)
{
	const struct skm_recorder recorder = {.record = on_record, .flush = on_flush, .user = agent};
	const struct skm_udev_handler handler = {
		.on_event = on_usb_event, .on_overflow = on_overflow, .user = agent};
	const struct skm_config *config = agent->settings->config;
	agent->ops = skm_sysfs_ops(agent->options->sys_root);
	int r = skm_gatekeeper_new(
		agent->options->sys_root, agent->options->proc_root, &recorder, &agent->gatekeeper);
	if (r == 0)
		r = skm_worker_pool_new(
			agent->loop, &agent->ops, config->usb.write_deadline_ms, on_job, agent, &agent->pool);
	if (r < 0)
		return r;
	skm_gatekeeper_set_pool(agent->gatekeeper, agent->pool);
	return skm_udev_source_new(agent->loop, agent->options->udev_group, config->usb.receive_buffer_bytes,
		&handler, &agent->udev);
}

/* The gate is worth more than the answers: without a socket it still does its work, and one does not wait for
 * the other. */
static void open_sockets(struct agent *agent)
{
	const struct skm_agent_options *options = agent->options;
	const struct skm_control_source source = {
		.status = on_status, .next_device = on_next_device, .notice = on_notice, .user = agent};
	int control = skm_control_server_new(agent->loop, options->control_path, &source, role_groups,
		SKM_ARRAY_SIZE(role_groups), &agent->control);
	int session = skm_session_server_new(agent->loop, options->session_path, &agent->sessions);
	if (control < 0 || session < 0)
		skm_log(SKM_SEVERITY_ALERT, "cannot open the socket %s: %s",
			control < 0 ? options->control_path : options->session_path,
			strerrordesc_np(control < 0 ? -control : -session));
}

static int build(struct agent *agent)
{
	bool is_early = agent->options->initramfs_devices != NULL;
	int r = skm_loop_new(&agent->loop);
	if (r == 0)
		r = open_signals(agent);
	if (r == 0 && !is_early)
		r = open_log(agent);
	if (r == 0)
		r = open_timers(agent);
	if (r == 0)
		r = open_gate(agent);
	if (r == 0 && !is_early)
		open_sockets(agent);
	return r;
}

static void take_down(struct agent *agent)
{
	agent->control = skm_control_server_free(agent->control);
	agent->sessions = skm_session_server_free(agent->sessions);
	agent->udev = skm_udev_source_free(agent->udev);
	agent->gatekeeper = skm_gatekeeper_free(agent->gatekeeper);
	agent->pool = skm_worker_pool_free(agent->pool);
	agent->log = skm_agent_log_free(agent->log);
	agent->loop = skm_loop_free(agent->loop);
	skm_fd_close(&agent->signal_fd);
	skm_fd_close(&agent->clock_fd);
	agent->settings = skm_settings_free(agent->settings);
}

/* Closed first, then listening, then looking: nothing that is plugged in meanwhile is missed, nothing is open
 * meanwhile. */
static int start(struct agent *agent)
{
	record_fact(agent, SKM_EVENT_AGENT_START, SKM_OUTCOME_LOGGED, "sekimorid", "version %s, pid %d",
		SKM_VERSION, (int)getpid());
	if (agent->settings->error[0])
		record_fact(agent, SKM_EVENT_CONFIG_BROKEN, SKM_OUTCOME_ERROR, agent->options->config_path,
			"%s; the built-in policy is in force", agent->settings->error);
	apply_rules(agent);
	skm_gatekeeper_check_gate(agent->gatekeeper);
	skm_loop_set_after_round(agent->loop, after_round, agent);
	int r = scan(agent);
	if (r < 0)
		return r;
	skm_gatekeeper_start_is_over(agent->gatekeeper);
	agent->reconciled = agent->started;
	(void)after_round(agent);
	(void)skm_notify(
		"READY=1\nSTATUS=gate closed"); /* a manager that does not hear us stops us by itself */
	return 0;
}

void skm_agent_options_default(struct skm_agent_options *ret_options)
{
	*ret_options = (struct skm_agent_options){
		.config_path = SKM_CONFIG_PATH,
		.sys_root = "/sys",
		.proc_root = "/proc",
		.run_root = "/run",
		.log_folder = "/var/log/sekimori/agent",
		.chain_path = "/var/lib/sekimori/chain/agent/chain",
		.collected_path = SKM_STREAM_COLLECTED_PATH,
		.control_path = SKM_CONTROL_PATH,
		.manager_path = SKM_MANAGER_SOCKET,
		.session_path = SKM_SESSION_PATH,
		.udev_group = "kernel",
	};
}

int skm_agent_run(const struct skm_agent_options *options)
{
	struct agent agent = {
		.options = options, .clock = skm_clock_system(), .signal_fd = -1, .clock_fd = -1};
	agent.clock.now(agent.clock.user, &agent.started);
	int r = skm_boot_id_read(agent.boot_id);
	if (r < 0)
		return r;
	if (options->initramfs_devices)
		r = skm_settings_early(options->initramfs_devices, &agent.settings);
	else
		r = skm_settings_load_or_default(options->config_path, &agent.clock, &agent.settings);
	if (r == 0)
		r = build(&agent);
	if (r == 0)
		r = start(&agent);
	if (r == 0)
		r = skm_loop_run(agent.loop);
	if (agent.gatekeeper) {
		(void)skm_notify("STOPPING=1");
		struct skm_record stop;
		skm_stop_record(options->manager_path, options->proc_root, r, &stop);
		on_record(&agent, &stop);
		skm_agent_log_end_round(agent.log);
	}
	take_down(&agent);
	return r;
}
