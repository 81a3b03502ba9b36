// SPDX-License-Identifier: Apache-2.0
/* Composition of sekimori-authd: builds the parts, wires their callbacks, runs the loop, takes them down.
 *
 * One thread, one request at a time: a second one cannot race the first, because it has not been read yet.
 * The price is that one that hangs keeps everybody out: so systemd's watchdog ends it, and the socket, which
 * is systemd's, has kept those who came meanwhile.
 *
 * Rejected: one process a connection (systemd's Accept=yes), which would need locks around each person. */
#include "service.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>

#include "sekimori/log.h"
#include "sekimori/notify.h"
#include "service_internal.h"

enum { ROLE_ADMIN, ROLE_HELPDESK, ROLE_APPROVER, ROLE_AUDITOR };
static const char *const role_groups[] = {[ROLE_ADMIN] = "sekimori-admin",
	[ROLE_HELPDESK] = "sekimori-helpdesk",
	[ROLE_APPROVER] = "sekimori-approver",
	[ROLE_AUDITOR] = "sekimori-auditor"};

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
	struct skm_service *service = user;
	struct skm_auth_packet request;
	if (skm_auth_packet_parse(packet, len, &request) < 0)
		return send_outcome(connection, SKM_AUTH_BAD_REQUEST);
	int r = skm_service_refresh(service);
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
	struct skm_service *service = user;
	uint64_t idle_ms = skm_packet_server_idle_ms(service->server);
	if (idle_ms < service->options->idle_ms) {
		skm_timer_arm(source, service->options->idle_ms - idle_ms, 0);
		return 0;
	}
	service->options->settle(&service->authenticator);
	skm_service_flush_round(service);
	skm_service_retire(service);
	if (skm_service_records_waiting(service) > 0)
		skm_timer_arm(source, SKM_SERVICE_LOG_RETRY_MS, 0);
	else if (service->config_is_broken) /* each process would record it anew */
		skm_timer_arm(source, service->options->idle_ms, 0);
	else {
		/* Who came in this same round stays in the queue, for the next process. */
		skm_packet_server_close_door(service->server);
		skm_loop_stop(service->loop);
	}
	return 0;
}

static int on_nothing(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	(void)user;
	return 0; /* the round's end does the work */
}

/* A round that does not end, as with a name service that hangs, is one that this does not come from. */
static int on_watchdog(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	(void)user;
	(void)skm_notify("WATCHDOG=1");
	return 0;
}

static int on_signal(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_service *service = user;
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
	struct skm_service *service = user;
	skm_service_flush_round(service);
	if (service->is_ending && skm_packet_server_connections(service->server) == 0)
		skm_loop_stop(service->loop);
	return 0;
}

static int open_signals(struct skm_service *service)
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

static int open_timers(struct skm_service *service)
{
	int r = skm_loop_add_timer(service->loop, CLOCK_MONOTONIC, on_nothing, service, &service->log_retry);
	if (r == 0)
		r = skm_loop_add_timer(service->loop, CLOCK_BOOTTIME, on_idle, service, &service->idle);
	if (r == 0)
		r = skm_service_open_checkpoints(service);
	if (r < 0)
		return r;
	skm_timer_arm(service->idle, service->options->idle_ms, 0);
	return skm_service_open_clock(service);
}

/* Half the time that systemd gives: one timer that comes late is no hang. */
static int open_watchdog(struct skm_service *service)
{
	uint64_t every_ms = skm_notify_watchdog_usec() / 2000;
	if (every_ms == 0)
		return 0;
	int r = skm_loop_add_timer(service->loop, CLOCK_MONOTONIC, on_watchdog, service, &service->watchdog);
	if (r == 0)
		skm_timer_arm(service->watchdog, every_ms, every_ms);
	return r;
}

static int open_server(struct skm_service *service, int *listen_fd)
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
static int identify_machine(struct skm_service *service)
{
	struct skm_authenticator *authenticator = &service->authenticator;
	int r = skm_machine_id_read(service->options->machine_id_path, authenticator->machine);
	if (r < 0)
		skm_log(SKM_SEVERITY_ALERT, "cannot read %s: %s; no record of this machine can be used",
			service->options->machine_id_path, strerrordesc_np(-r));
	return skm_boot_id_read(authenticator->boot_id);
}

static int start(struct skm_service *service, int *listen_fd)
{
	char error[768] = "";
	int r = identify_machine(service);
	if (r == 0)
		r = skm_service_load_files(service, error, sizeof(error));
	if (r < 0)
		return r;
	skm_service_begin_clock(service);
	r = skm_service_open_stream(service);
	if (r < 0)
		return r;
	if (error[0])
		skm_service_record_fact(service, SKM_EVENT_CONFIG_BROKEN, SKM_OUTCOME_ERROR,
			service->options->config_path, "%s; %s", error,
			service->config_is_broken
				? "the configuration in force stays"
				: "the defaults are in force: a second factor is required of everybody");
	r = skm_service_open_store(service);
	if (r == 0)
		r = skm_loop_new(&service->loop);
	if (r == 0)
		r = open_signals(service);
	if (r == 0)
		r = open_timers(service);
	if (r == 0)
		r = open_watchdog(service);
	if (r == 0)
		r = open_server(service, listen_fd);
	if (r == 0)
		skm_loop_set_after_round(service->loop, after_round, service);
	return r;
}

static void take_down(struct skm_service *service)
{
	if (service->stream) {
		skm_service_flush_round(service);
		if (skm_service_records_waiting(service) > 0)
			skm_log(SKM_SEVERITY_ALERT,
				"%" PRIu64 " audit records are lost: they could not be stored",
				skm_service_records_waiting(service));
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
		.collected_path = SKM_STREAM_COLLECTED_PATH,
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
	struct skm_service service = {.options = options, .signal_fd = -1, .clock_fd = -1};
	service.authenticator.users = skm_users_system();
	service.authenticator.clock = options->clock;
	service.authenticator.record = skm_service_on_record;
	service.authenticator.flush = skm_service_on_flush;
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
