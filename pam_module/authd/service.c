// SPDX-License-Identifier: Apache-2.0
/* Composition of sekimori-authd: builds the parts, wires their callbacks, runs the loop, takes them down.
 *
 * One thread, one request at a time: a second one cannot race the first, because it has not been read yet.
 * What an administrator changes (configuration, machine key) is looked for before each request by the files'
 * identity, so there is no reload command to forget; a broken configuration leaves the one in force. Records
 * are stored when the answer is out: a login does not wait for the log's disk.
 *
 * Rejected: one process a connection (systemd's Accept=yes), which would need locks around each person. */
#include "service.h"

#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "file_identity.h"
#include "sekimori/log.h"
#include "sekimori/notify.h"
#include "sekimori/packet_server.h"
#include "sekimori/stream.h"

#define LOG_RETRY_MS 5000u
#define CLOCK_JUMP_USEC (60 * (int64_t)SKM_USEC_PER_SEC)

enum { ROLE_ADMIN, ROLE_HELPDESK, ROLE_APPROVER, ROLE_AUDITOR };
static const char *const role_groups[] = {[ROLE_ADMIN] = "sekimori-admin",
	[ROLE_HELPDESK] = "sekimori-helpdesk",
	[ROLE_APPROVER] = "sekimori-approver",
	[ROLE_AUDITOR] = "sekimori-auditor"};

struct service {
	const struct skm_service_options *options;
	struct skm_authenticator authenticator;
	struct skm_config *config;
	struct skm_key key,
		previous_key; /* the second only while records are brought under the first (rekey.h) */
	bool has_previous_key;
	struct skm_file_identity config_file, key_file;
	int64_t clock_offset_usec; /* wall clock minus boot clock */
	bool is_ending, log_was_failing;

	struct skm_loop *loop;
	struct skm_stream *stream;
	struct skm_packet_server *server;
	int signal_fd, clock_fd;
	struct skm_source *signals, *clock_changes, *idle, *log_retry, *checkpoint;
};

/* ---- records ---- */

static void stamp(void *user, struct skm_record *record)
{
	struct service *service = user;
	const struct skm_config *config = service->config;
	record->stream = "auth";
	service->options->clock.now(service->options->clock.user, &record->time);
	memcpy(record->boot_id, service->authenticator.boot_id, sizeof(record->boot_id));
	memcpy(record->terminal_number, config->terminal.number, sizeof(record->terminal_number));
	memcpy(record->section, config->terminal.section, sizeof(record->section));
	memcpy(record->policy_version, config->version, sizeof(record->policy_version));
}

static void on_record(void *user, const struct skm_record *record)
{
	struct service *service = user;
	struct skm_record stamped = *record;
	stamp(service, &stamped);
	skm_log_record(&stamped);
	skm_stream_append(service->stream, &stamped);
}

static int on_flush(void *user)
{
	const struct service *service = user;
	return skm_stream_flush(service->stream);
}

SKM_PRINTF(5, 6)
static void record_fact(struct service *service, enum skm_event event, enum skm_outcome outcome,
	const char *object, const char *detail, ...)
{
	struct skm_record record;
	skm_record_init(&record, event);
	record.outcome = outcome;
	(void)snprintf(record.rule, sizeof(record.rule), "builtin:authd");
	(void)snprintf(record.object, sizeof(record.object), "%s", object);
	va_list arguments;
	va_start(arguments, detail);
	(void)vsnprintf(record.detail, sizeof(record.detail), detail, arguments);
	va_end(arguments);
	on_record(service, &record);
}

/* Stores what the round left, says once when that begins to fail, and comes back to it by a timer. */
static void flush_round(struct service *service)
{
	struct skm_stream_state state;
	int r = skm_stream_flush(service->stream);
	skm_stream_get_state(service->stream, &state);
	bool is_failing = r < 0 || state.is_failing;
	if (is_failing == service->log_was_failing)
		return;
	if (is_failing)
		skm_log(SKM_SEVERITY_ALERT,
			"cannot store audit records in %s: %s; logins go on, %" PRIu64 " wait in memory",
			service->options->log_folder, state.error, state.pending);
	else
		skm_log(SKM_SEVERITY_NOTICE, "audit records are stored again in %s",
			service->options->log_folder);
	if (service->log_retry) /* not yet, while it starts */
		skm_timer_arm(
			service->log_retry, is_failing ? LOG_RETRY_MS : 0, is_failing ? LOG_RETRY_MS : 0);
	service->log_was_failing = is_failing;
}

static uint64_t records_waiting(const struct service *service)
{
	struct skm_stream_state state;
	skm_stream_get_state(service->stream, &state);
	return state.pending;
}

static const uint8_t *verifier_key_of(const struct skm_config *config)
{
	return config->audit.has_verifier_key ? config->audit.verifier_key : NULL;
}

static int open_log(struct service *service)
{
	const struct skm_config *config = service->config;
	const struct skm_stream_chain_options chain = {.path = service->options->chain_path,
		.verifier_key = verifier_key_of(config),
		.boot_id = service->authenticator.boot_id};
	int r = skm_stream_new(service->options->log_folder, config->audit.segment_bytes, &service->stream);
	if (r < 0)
		return r;
	skm_stream_set_stamp(service->stream, stamp, service);
	return skm_stream_set_chain(service->stream, &chain);
}

/* Armed again only by another interval, so that changes of the file do not put it off. */
static void arm_checkpoint(const struct service *service)
{
	uint64_t interval_ms = service->config->audit.checkpoint_sec * UINT64_C(1000);
	skm_timer_arm(service->checkpoint, interval_ms, interval_ms);
}

static int on_checkpoint(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	const struct service *service = user;
	skm_stream_checkpoint(service->stream, "time");
	return 0;
}

/* ---- the clock ---- */

/* A change of the clock explains codes that are refused, and may be somebody's try to bring an old one back.
 * The comparison stays with the first offset until it was recorded, so that many small steps are one great
 * one. */
static void check_clock(struct service *service)
{
	struct skm_timestamp now;
	service->options->clock.now(service->options->clock.user, &now);
	int64_t offset_usec = now.realtime_usec - (int64_t)now.boottime_usec;
	int64_t moved_usec = offset_usec - service->clock_offset_usec;
	if (moved_usec <= CLOCK_JUMP_USEC && moved_usec >= -CLOCK_JUMP_USEC)
		return;
	service->clock_offset_usec = offset_usec;
	record_fact(service, SKM_EVENT_CLOCK_JUMP, SKM_OUTCOME_LOGGED, "wall clock",
		"moved by %+" PRId64 " s against the time since boot",
		moved_usec / (int64_t)SKM_USEC_PER_SEC);
}

static int arm_clock_changes(const struct service *service)
{
	const struct itimerspec never = {.it_value = {.tv_sec = INT32_MAX}};
	return timerfd_settime(service->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) <
			       0
		       ? -errno
		       : 0;
}

/* The kernel cancels this timer when the wall clock is set. */
static int on_clock_change(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct service *service = user;
	uint64_t expirations;
	(void)!read(service->clock_fd, &expirations, sizeof(expirations));
	check_clock(service);
	return arm_clock_changes(service);
}

/* ---- configuration and key ---- */

/* A group that is misspelt has no members, and then a second factor is required of nobody new: say so. */
static void name_unknown_groups(const struct skm_config *config)
{
	for (unsigned i = 0; i < config->mfa.group_count; i++) {
		char buf[4096];
		struct group group;
		struct group *found = NULL;
		if (getgrnam_r(config->mfa.groups[i], &group, buf, sizeof(buf), &found) == 0 && !found)
			skm_log(SKM_SEVERITY_WARNING, "mfa.require: there is no group %s on this machine now",
				config->mfa.groups[i]);
	}
}

/* 0 with a configuration, or why not in `error`. A clock that stands before the file's last change is wrong,
 * and a wrong clock must not make a good file a bad one (grace_until would seem years away). */
static int load_config(
	const struct service *service, struct skm_config **ret_config, char *error, size_t size)
{
	const char *path = service->options->config_path;
	struct skm_config_error why = {0};
	struct skm_timestamp now;
	service->options->clock.now(service->options->clock.user, &now);
	int64_t now_sec = now.realtime_usec / (int64_t)SKM_USEC_PER_SEC;
	if (now_sec < service->config_file.modified.tv_sec)
		now_sec = service->config_file.modified.tv_sec;
	int r = skm_config_load_file(path, now_sec, ret_config, &why);
	if (r == SKM_CONFIG_INVALID)
		(void)skm_config_error_format(&why, SKM_LANGUAGE_EN, error, size);
	else if (r < 0)
		(void)snprintf(error, size, "cannot load %s: %s", path, strerrordesc_np(-r));
	else
		name_unknown_groups(*ret_config);
	return r;
}

static void hex_to_bytes(const char *hex, uint8_t *ret_bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		const char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
		ret_bytes[i] = (uint8_t)strtoul(two, NULL, 16);
	}
}

/* Anew when the key or what the store needs of the configuration is another one. */
static int open_store(struct service *service)
{
	struct skm_authenticator *authenticator = &service->authenticator;
	const struct skm_config *config = service->config;
	struct skm_store_options options = {
		.folder = service->options->state_folder,
		.fallback_folder = service->options->fallback_folder,
		.ops = &skm_store_ops_system,
		.key = authenticator->key,
		.previous_key = service->has_previous_key ? &service->previous_key : NULL,
		.escrow_public_key = config->mfa.has_escrow_key ? config->mfa.escrow_key : NULL,
		.free_tries = config->mfa.free_tries,
	};
	memcpy(options.machine, authenticator->machine, sizeof(options.machine));
	hex_to_bytes(authenticator->boot_id, options.boot_id, sizeof(options.boot_id));
	/* The old one first: it may hold the folder's lock. */
	authenticator->store = skm_store_free(authenticator->store);
	return skm_store_new(&options, &authenticator->store);
}

static void load_key(struct service *service)
{
	struct skm_authenticator *authenticator = &service->authenticator;
	const char *path = service->options->key_path;
	skm_key_clear(&service->key);
	skm_key_clear(&service->previous_key);
	authenticator->key = NULL;
	service->has_previous_key = skm_key_load_previous(service->options->credentials_folder, path,
					    &service->previous_key) == 0;
	int r = skm_key_load(service->options->credentials_folder, path, &service->key);
	if (r == 0)
		authenticator->key = &service->key;
	else if (r == SKM_KEY_ABSENT)
		skm_log(SKM_SEVERITY_ALERT,
			"there is no machine key: neither the credential %s nor %s (sekimori-authd --create-key)",
			SKM_KEY_CREDENTIAL, path);
	else if (r == SKM_KEY_INVALID)
		skm_log(SKM_SEVERITY_ALERT,
			"cannot use the machine key %s: found: other contents, or rights for others; allowed: 64 "
			"hex digits, root only",
			path);
	else
		skm_log(SKM_SEVERITY_ALERT, "cannot read the machine key %s: %s", path, strerrordesc_np(-r));
}

static int take_config(struct service *service)
{
	struct skm_config *config = NULL;
	char error[768];
	if (load_config(service, &config, error, sizeof(error)) != 0) {
		record_fact(service, SKM_EVENT_CONFIG_BROKEN, SKM_OUTCOME_ERROR,
			service->options->config_path, "%s; the configuration in force stays", error);
		return 0;
	}
	struct skm_config *old = service->config;
	service->config = config;
	service->authenticator.config = config;
	record_fact(service, SKM_EVENT_POLICY_CHANGED, SKM_OUTCOME_LOGGED, service->options->config_path,
		"%s -> %s", old->version, config->version);
	/* The store may point to the old one's escrow key. */
	int r = open_store(service);
	if (config->audit.checkpoint_sec != old->audit.checkpoint_sec)
		arm_checkpoint(service);
	(void)skm_config_free(old);
	skm_stream_set_segment_bytes(service->stream, config->audit.segment_bytes);
	skm_stream_set_verifier_key(service->stream, verifier_key_of(config));
	skm_packet_server_refresh_roles(service->server);
	return r;
}

static int refresh(struct service *service)
{
	int r = 0;
	check_clock(service);
	if (skm_file_has_changed(service->options->key_path, &service->key_file)) {
		load_key(service);
		r = open_store(service);
	}
	if (r == 0 && skm_file_has_changed(service->options->config_path, &service->config_file))
		r = take_config(service);
	/* A store that could not be made (memory) is tried again with each request. */
	if (r == 0 && !service->authenticator.store)
		r = open_store(service);
	return r;
}

/* ---- requests ---- */

static int on_send(void *user, const struct skm_auth_writer *packet)
{
	int r = skm_auth_write_end(packet);
	return r < 0 ? r : skm_packet_send(user, packet->buf, packet->len);
}

static int send_outcome(struct skm_packet_connection *connection, enum skm_auth_outcome outcome)
{
	struct skm_auth_writer writer;
	skm_auth_write_begin(&writer, (uint8_t)outcome);
	return on_send(connection, &writer);
}

static struct skm_peer peer_of(const struct skm_packet_connection *connection)
{
	const struct skm_packet_caller *caller = skm_packet_caller_of(connection);
	return (struct skm_peer){
		.uid = caller->uid,
		.pid = caller->pid,
		.login_uid = skm_peer_login_uid("/proc", caller->pid),
		.is_admin = caller->uid == 0 || caller->roles & 1u << ROLE_ADMIN,
		.is_helpdesk = caller->roles & 1u << ROLE_HELPDESK,
		.is_reader = caller->uid == 0 || caller->roles != 0,
	};
}

static int on_request(void *user, struct skm_packet_connection *connection, const uint8_t *packet, size_t len)
{
	struct service *service = user;
	struct skm_auth_packet request;
	if (skm_auth_packet_parse(packet, len, &request) < 0)
		return send_outcome(connection, SKM_AUTH_BAD_REQUEST);
	int r = refresh(service);
	if (r < 0) {
		skm_log(SKM_SEVERITY_ALERT, "cannot answer: %s", strerrordesc_np(-r));
		return send_outcome(connection, SKM_AUTH_UNAVAILABLE);
	}
	struct skm_peer peer = peer_of(connection);
	r = service->options->answer(&service->authenticator, &peer, &request, on_send, connection);
	/* Who has hung up meanwhile is no fault of ours. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		skm_log(SKM_SEVERITY_WARNING, "cannot answer uid %u: %s", (unsigned)peer.uid,
			strerrordesc_np(-r));
	return r < 0 ? r : SKM_PACKET_DONE;
}

/* ---- life ---- */

static int on_idle(struct skm_source *source, uint32_t events, void *user)
{
	(void)events;
	struct service *service = user;
	uint64_t idle_ms = skm_packet_server_idle_ms(service->server);
	if (idle_ms < service->options->idle_ms) {
		skm_timer_arm(source, service->options->idle_ms - idle_ms, 0);
		return 0;
	}
	service->options->settle(&service->authenticator);
	flush_round(service);
	if (records_waiting(service) > 0)
		skm_timer_arm(source, LOG_RETRY_MS, 0);
	else
		skm_loop_stop(service->loop);
	return 0;
}

static int on_nothing(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	(void)user;
	return 0; /* the round's end does the work */
}

static int on_signal(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct service *service = user;
	struct signalfd_siginfo info;
	if (read(service->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	if (info.ssi_signo == SIGHUP)
		return 0; /* nothing to do: changed files are seen at the next request */
	service->is_ending = true;
	skm_packet_server_close_door(service->server);
	return 0;
}

static int after_round(void *user)
{
	struct service *service = user;
	flush_round(service);
	if (service->is_ending && skm_packet_server_connections(service->server) == 0)
		skm_loop_stop(service->loop);
	return 0;
}

static int open_signals(struct service *service)
{
	sigset_t mask;
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	service->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (service->signal_fd < 0)
		return -errno;
	return skm_loop_add_fd(
		service->loop, service->signal_fd, EPOLLIN, on_signal, service, &service->signals);
}

static int open_timers(struct service *service)
{
	int r = skm_loop_add_timer(service->loop, CLOCK_MONOTONIC, on_nothing, service, &service->log_retry);
	if (r == 0)
		r = skm_loop_add_timer(service->loop, CLOCK_BOOTTIME, on_idle, service, &service->idle);
	if (r == 0)
		r = skm_loop_add_timer(
			service->loop, CLOCK_BOOTTIME, on_checkpoint, service, &service->checkpoint);
	if (r < 0)
		return r;
	arm_checkpoint(service);
	skm_timer_arm(service->idle, service->options->idle_ms, 0);
	service->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (service->clock_fd < 0)
		return -errno;
	r = arm_clock_changes(service);
	return r < 0 ? r
		     : skm_loop_add_fd(service->loop, service->clock_fd, EPOLLIN, on_clock_change, service,
			       &service->clock_changes);
}

static int open_server(struct service *service, int *listen_fd)
{
	const struct skm_packet_options options = {
		.patience_ms = SKM_SERVICE_PATIENCE_MS,
		.per_user_max = SKM_SERVICE_CONNECTIONS_PER_USER,
		.total_max = SKM_SERVICE_CONNECTIONS_MAX,
		.role_groups = role_groups,
		.role_group_count = SKM_ARRAY_SIZE(role_groups),
	};
	struct skm_packet_handler handler = {.on_request = on_request, .user = service};
	struct skm_auth_writer busy;
	skm_auth_write_begin(&busy, SKM_AUTH_BUSY);
	if (skm_auth_write_end(&busy) < 0 || busy.len > sizeof(handler.busy.data))
		return -EMSGSIZE;
	memcpy(handler.busy.data, busy.buf, busy.len);
	handler.busy.len = busy.len;
	return skm_packet_server_new(service->loop, listen_fd, &options, &handler, &service->server);
}

/* Without a machine-id the records of this machine cannot be told from those of another: they do not open,
 * and each login says so. */
static int identify_machine(struct service *service)
{
	struct skm_authenticator *authenticator = &service->authenticator;
	int r = skm_machine_id_read(service->options->machine_id_path, authenticator->machine);
	if (r < 0)
		skm_log(SKM_SEVERITY_ALERT, "cannot read %s: %s; no record of this machine can be used",
			service->options->machine_id_path, strerrordesc_np(-r));
	return skm_boot_id_read(authenticator->boot_id);
}

/* The stream comes before everything that may have something to record. */
static int start(struct service *service, int *listen_fd)
{
	const struct skm_service_options *options = service->options;
	struct skm_config *config = NULL;
	char error[768] = "";
	struct skm_timestamp now;
	int r = identify_machine(service);
	if (r < 0)
		return r;
	(void)skm_file_has_changed(options->config_path, &service->config_file);
	if (load_config(service, &config, error, sizeof(error)) != 0)
		r = skm_config_default(&config);
	if (r < 0)
		return r;
	service->config = config;
	service->authenticator.config = config;
	(void)skm_file_has_changed(options->key_path, &service->key_file);
	load_key(service);
	options->clock.now(options->clock.user, &now);
	service->clock_offset_usec = now.realtime_usec - (int64_t)now.boottime_usec;
	r = open_log(service);
	if (r < 0)
		return r;
	if (error[0])
		record_fact(service, SKM_EVENT_CONFIG_BROKEN, SKM_OUTCOME_ERROR, options->config_path,
			"%s; the defaults are in force: a second factor is required of everybody", error);
	r = open_store(service);
	if (r == 0)
		r = skm_loop_new(&service->loop);
	if (r == 0)
		r = open_signals(service);
	if (r == 0)
		r = open_timers(service);
	if (r == 0)
		r = open_server(service, listen_fd);
	if (r == 0)
		skm_loop_set_after_round(service->loop, after_round, service);
	return r;
}

static void take_down(struct service *service)
{
	if (service->stream) {
		flush_round(service);
		if (records_waiting(service) > 0)
			skm_log(SKM_SEVERITY_ALERT,
				"%" PRIu64 " audit records are lost: they could not be stored",
				records_waiting(service));
	}
	service->server = skm_packet_server_free(service->server);
	service->authenticator.store = skm_store_free(service->authenticator.store);
	service->stream = skm_stream_free(service->stream);
	service->loop = skm_loop_free(service->loop);
	skm_fd_close(&service->signal_fd);
	skm_fd_close(&service->clock_fd);
	service->config = skm_config_free(service->config);
	skm_key_clear(&service->key);
	skm_key_clear(&service->previous_key);
}

void skm_service_options_default(struct skm_service_options *ret_options)
{
	*ret_options = (struct skm_service_options){
		.config_path = SKM_CONFIG_PATH,
		.log_folder = SKM_AUTH_LOG_FOLDER,
		.chain_path = SKM_AUTH_CHAIN_PATH,
		.machine_id_path = SKM_MACHINE_ID_PATH,
		.state_folder = SKM_STORE_FOLDER,
		.fallback_folder = SKM_STORE_FALLBACK_FOLDER,
		.key_path = SKM_KEY_PATH,
		.idle_ms = SKM_SERVICE_IDLE_MS,
		.clock = skm_clock_system(),
	};
}

int skm_service_run(const struct skm_service_options *options, int *listen_fd)
{
	struct service service = {.options = options, .signal_fd = -1, .clock_fd = -1};
	service.authenticator.users = skm_users_system();
	service.authenticator.clock = options->clock;
	service.authenticator.record = on_record;
	service.authenticator.flush = on_flush;
	service.authenticator.user = &service;
	int r = start(&service, listen_fd);
	if (r == 0) {
		(void)skm_notify("READY=1"); /* a manager that does not hear us stops us by itself */
		r = skm_loop_run(service.loop);
		(void)skm_notify("STOPPING=1");
		options->settle(&service.authenticator);
		skm_stream_checkpoint(service.stream, "stop");
	}
	take_down(&service);
	return r;
}
