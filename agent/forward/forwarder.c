// SPDX-License-Identifier: Apache-2.0
/* Who does what when. After each round of events: what the collector has stored goes to disk, then as much is
 * sent as the window takes, then it is decided what to wait for. Nothing to send: it waits for the kernel to
 * say that a stream grew, and for one timer of the checkpoint period: when the agent has written nothing in
 * it, the collector is told that the machine is on nevertheless. While the agent lives this sends nothing.
 *
 * One connection for both streams: half the handshakes in the morning, half the memory at the collector, and
 * a stream that cannot be stored there stops the other one anyway, since the collector takes one message
 * after the other. The positions are kept apart all the same. */
#include "forwarder.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <time.h>

#include "alive.h"
#include "backoff.h"
#include "certificate.h"
#include "link.h"
#include "segment_reader.h"
#include "sekimori/log.h"
#include "sekimori/notify.h"
#include "sekimori/terminal_name.h"
#include "tls.h"

#define LOOK_AGAIN_MS 60000u /* after a folder that could not be read */
/* While answers keep coming the state is saved so often; what a crash in between costs is sent twice. */
#define SAVE_USEC (SKM_USEC_PER_SEC / 5)
#define TELL_AGAIN_USEC (60 * SKM_USEC_PER_SEC)

struct stream {
	enum skm_forward_stream which;
	char folder[4096];
	struct skm_segment_reader *reader;
	int watch;	    /* inotify's number of the folder; -1 = not watched */
	bool may_have_more; /* false: only an event of the folder can change that */
	int error;	    /* why it could not be read, as it was said last; 0 = it can */
};

/* A message that was sent. */
struct flight {
	uint32_t txnr;
	enum skm_forward_stream stream;
	struct skm_position behind;
	bool is_alive; /* it carries no record */
	bool is_stored;
};

struct skm_forwarder {
	struct skm_forwarder_options options;
	struct skm_config *config;
	struct skm_loop *loop;
	struct skm_forward_state state;
	bool is_unsaved;
	uint64_t saved_usec; /* when it was tried last */
	int save_error, folder_fd, notify_fd;
	struct stream streams[SKM_FORWARD_STREAM_COUNT_];
	unsigned turn; /* which stream is asked first */
	char terminal[SKM_TERMINAL_BYTES];
	struct skm_source *folders, *retry, *look_again, *end;
	struct skm_alive alive;

	struct skm_link *link;
	struct flight flights[SKM_LINK_WINDOW]; /* in the order of sending, from `first` on */
	unsigned first, flight_count;
	struct skm_backoff backoff;
	bool may_connect; /* no wait is on */
	char trouble[SKM_LINK_ERROR_BYTES];
	int64_t not_after_sec; /* of our certificate, as it was loaded last; 0 = never */
	uint64_t tell_after_usec;

	bool is_ending;
	uint64_t end_usec;
};

/* ---- time ---- */

static struct skm_timestamp now(const struct skm_forwarder *forwarder)
{
	struct skm_timestamp time;
	forwarder->options.clock.now(forwarder->options.clock.user, &time);
	return time;
}

static uint64_t next_random(const struct skm_forwarder *forwarder)
{
	return forwarder->options.random(forwarder->options.user);
}

/* ---- what is said ---- */

/* Once for each trouble: weeks of outage are one line. */
static void say_trouble(struct skm_forwarder *forwarder, const char *why)
{
	if (strcmp(forwarder->trouble, why) == 0)
		return;
	(void)snprintf(forwarder->trouble, sizeof(forwarder->trouble), "%s", why);
	skm_log(SKM_SEVERITY_WARNING,
		"cannot send records to the collector %s port %u: %s; they wait on this terminal",
		forwarder->config->forward.host, forwarder->config->forward.port, why);
	char status[SKM_LINK_ERROR_BYTES + 64];
	(void)snprintf(status, sizeof(status), "STATUS=not connected: %s", why);
	(void)skm_notify(status);
}

static void say_connected(const struct skm_forwarder *forwarder)
{
	char status[128];
	(void)snprintf(status, sizeof(status), "STATUS=connected to %s port %u",
		forwarder->config->forward.host, forwarder->config->forward.port);
	(void)skm_notify(status);
	skm_log(SKM_SEVERITY_INFO, "connected to the collector %s port %u", forwarder->config->forward.host,
		forwarder->config->forward.port);
}

/* ---- what goes on record ---- */

/* 0, or the attempt failed and nothing else is tried for a while. */
static int tell(struct skm_forwarder *forwarder, const struct skm_forward_notice *notice)
{
	uint64_t now_usec = now(forwarder).boottime_usec;
	if (now_usec < forwarder->tell_after_usec)
		return -EAGAIN;
	int r = forwarder->options.tell(forwarder->options.user, notice);
	if (r != 0)
		forwarder->tell_after_usec = now_usec + TELL_AGAIN_USEC;
	else
		forwarder->is_unsaved = true;
	return r;
}

static void tell_count(struct skm_forwarder *forwarder, enum skm_forward_notice_kind kind, unsigned stream,
	uint64_t count, uint64_t *told)
{
	if (count <= *told)
		return;
	const struct skm_forward_notice notice = {
		.kind = (uint8_t)kind, .stream = (uint8_t)stream, .count = count - *told};
	if (tell(forwarder, &notice) == 0)
		*told = count;
}

static void tell_facts(struct skm_forwarder *forwarder)
{
	struct skm_forward_state *state = &forwarder->state;
	for (unsigned i = 0; i < SKM_FORWARD_STREAM_COUNT_; i++) {
		tell_count(forwarder, SKM_FORWARD_NOTICE_MISSING, i, state->acknowledged[i].missing,
			&state->told_missing[i]);
		tell_count(forwarder, SKM_FORWARD_NOTICE_UNSENT, i, state->acknowledged[i].unsent,
			&state->told_unsent[i]);
	}
	uint32_t days = 0;
	int64_t now_sec = now(forwarder).realtime_usec / (int64_t)SKM_USEC_PER_SEC;
	if (forwarder->not_after_sec == 0 ||
		!skm_certificate_warning(state, forwarder->not_after_sec, now_sec, &days))
		return;
	const struct skm_forward_notice notice = {
		.kind = SKM_FORWARD_NOTICE_CERTIFICATE, .days = days, .until_sec = forwarder->not_after_sec};
	if (tell(forwarder, &notice) == 0) {
		state->warned_not_after_sec = forwarder->not_after_sec;
		state->warned_days = days;
	}
}

static void save(struct skm_forwarder *forwarder)
{
	uint64_t now_usec = now(forwarder).boottime_usec;
	if (!forwarder->is_unsaved ||
		(forwarder->flight_count > 0 && now_usec - forwarder->saved_usec < SAVE_USEC))
		return;
	forwarder->saved_usec = now_usec;
	int r = skm_forward_state_save(forwarder->folder_fd, &forwarder->state);
	/* It goes on: what was sent since the last state that could be saved is sent twice after a restart.
	 */
	if (r < 0 && r != forwarder->save_error)
		skm_log(SKM_SEVERITY_WARNING, "cannot save the state in %s: %s",
			forwarder->options.state_folder, strerrordesc_np(-r));
	forwarder->save_error = r;
	forwarder->is_unsaved = r < 0;
}

/* ---- streams ---- */

static void watch_folder(struct skm_forwarder *forwarder, struct stream *stream)
{
	if (stream->watch >= 0)
		return;
	stream->watch = inotify_add_watch(forwarder->notify_fd, stream->folder,
		IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
}

/* Looks for a line; says once when the folder cannot be read, and comes back to it by a timer. */
static bool has_line(
	struct skm_forwarder *forwarder, struct stream *stream, const char **ret_line, size_t *ret_len)
{
	if (!stream->may_have_more)
		return false;
	watch_folder(forwarder, stream); /* before the first byte is read, so that nothing falls in between */
	int r = skm_segment_reader_peek(stream->reader, ret_line, ret_len);
	if (r < 0 && r != stream->error)
		skm_log(SKM_SEVERITY_WARNING, "cannot read the records in %s: %s", stream->folder,
			strerrordesc_np(-r));
	stream->error = r < 0 ? r : 0;
	stream->may_have_more = r == 0;
	if (r < 0 || stream->watch < 0)
		skm_timer_arm(forwarder->look_again, LOOK_AGAIN_MS, 0);
	return r == 0;
}

static int on_folders(struct skm_source *source, uint32_t events, void *user)
{
	(void)events;
	struct skm_forwarder *forwarder = user;
	_Alignas(struct inotify_event) char buf[4096];
	ssize_t n;
	while ((n = read(skm_source_fd(source), buf, sizeof(buf))) > 0)
		for (const char *at = buf; at < buf + n;) {
			struct inotify_event event;
			memcpy(&event, at, sizeof(event));
			at += sizeof(event) + event.len;
			bool is_gone = (event.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0;
			for (size_t i = 0; i < SKM_ARRAY_SIZE(forwarder->streams); i++) {
				struct stream *stream = &forwarder->streams[i];
				/* An overflow (wd -1) belongs to all of them. */
				if (event.wd >= 0 && event.wd != stream->watch)
					continue;
				stream->may_have_more = true;
				if (is_gone && event.wd >= 0) {
					(void)inotify_rm_watch(forwarder->notify_fd, stream->watch);
					stream->watch = -1;
				}
			}
		}
	return 0;
}

static int on_look_again(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_forwarder *forwarder = user;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(forwarder->streams); i++)
		forwarder->streams[i].may_have_more = true;
	return 0;
}

/* ---- the connection ---- */

static void wait_to_retry(struct skm_forwarder *forwarder, uint64_t wait_ms)
{
	forwarder->may_connect = false;
	skm_timer_arm(forwarder->retry, wait_ms > 0 ? wait_ms : 1, 0);
}

/* Nothing that was sent and not acknowledged counts. */
static void drop_link(struct skm_forwarder *forwarder)
{
	forwarder->link = skm_link_free(forwarder->link);
	for (unsigned i = 0; i < forwarder->flight_count; i++)
		forwarder->alive.is_owed |=
			forwarder->flights[(forwarder->first + i) % SKM_LINK_WINDOW].is_alive;
	forwarder->first = forwarder->flight_count = 0;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(forwarder->streams); i++) {
		struct stream *stream = &forwarder->streams[i];
		skm_segment_reader_seek(stream->reader, &forwarder->state.acknowledged[stream->which]);
		stream->may_have_more = true;
	}
}

static void on_end(void *user, const char *why)
{
	struct skm_forwarder *forwarder = user;
	char copy[SKM_LINK_ERROR_BYTES]; /* the reason goes with the link */
	(void)snprintf(copy, sizeof(copy), "%s", why);
	drop_link(forwarder);
	say_trouble(forwarder, copy);
	if (forwarder->is_ending)
		skm_loop_stop(forwarder->loop);
	wait_to_retry(forwarder, skm_backoff_next_ms(&forwarder->backoff, next_random(forwarder)));
}

static int on_stored(void *user, uint32_t txnr)
{
	struct skm_forwarder *forwarder = user;
	struct flight *flight = NULL;
	for (unsigned i = 0; i < forwarder->flight_count && !flight; i++) {
		struct flight *candidate = &forwarder->flights[(forwarder->first + i) % SKM_LINK_WINDOW];
		if (candidate->txnr == txnr && !candidate->is_stored)
			flight = candidate;
	}
	if (!flight)
		return -EBADMSG;
	flight->is_stored = true;
	/* Only what has no gap before it counts. */
	while (forwarder->flight_count > 0 && forwarder->flights[forwarder->first].is_stored) {
		const struct flight *oldest = &forwarder->flights[forwarder->first];
		if (!oldest->is_alive) {
			forwarder->state.acknowledged[oldest->stream] = oldest->behind;
			forwarder->is_unsaved = true;
		}
		forwarder->first = (forwarder->first + 1) % SKM_LINK_WINDOW;
		forwarder->flight_count--;
	}
	skm_backoff_reset(&forwarder->backoff);
	forwarder->trouble[0] = '\0';
	return 0;
}

static void on_open(void *user)
{
	const struct skm_forwarder *forwarder = user;
	say_connected(forwarder);
}

static int open_transport(
	void *user, int fd, struct skm_transport *ret_transport, char error[SKM_TRANSPORT_ERROR_BYTES])
{
	struct skm_forwarder *forwarder = user;
	const struct skm_config *config = forwarder->config;
	const struct skm_tls_options tls = {.ca_path = config->forward.ca,
		.cert_path = config->forward.cert,
		.key_path = config->forward.key,
		.name = config->forward.name};
	if (!forwarder->options.open_transport)
		return skm_tls_open(&tls, fd, ret_transport, &forwarder->not_after_sec, error);
	return forwarder->options.open_transport(
		forwarder->options.user, config, fd, ret_transport, &forwarder->not_after_sec, error);
}

static void connect_now(struct skm_forwarder *forwarder)
{
	const struct skm_link_options options = {
		.host = forwarder->config->forward.host,
		.port = forwarder->config->forward.port,
		.open_timeout_ms = forwarder->options.open_timeout_ms,
		.answer_timeout_ms = forwarder->options.answer_timeout_ms,
		.transport = {open_transport, forwarder},
	};
	const struct skm_link_handler handler = {
		.on_open = on_open, .on_stored = on_stored, .on_end = on_end, .user = forwarder};
	int r = skm_link_new(forwarder->loop, &options, &handler, &forwarder->link);
	if (r < 0)
		on_end(forwarder, strerrordesc_np(-r)); /* no route, no interface: as good as no answer */
}

static int on_retry(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_forwarder *forwarder = user;
	forwarder->may_connect = true;
	return 0;
}

/* ---- sending ---- */

/* Fills one message with as many lines of the stream as wait and fit. */
static bool send_from(struct skm_forwarder *forwarder, struct stream *stream)
{
	struct skm_message *message = skm_link_message(forwarder->link);
	struct skm_position behind = {0};
	const char *line = NULL;
	size_t len = 0;
	skm_message_begin(message, forwarder->terminal, skm_forward_stream_to_string(stream->which));
	while (has_line(forwarder, stream, &line, &len) && skm_message_add(message, line, len)) {
		if (stream->which == SKM_FORWARD_AGENT)
			skm_alive_record(&forwarder->alive, line, len);
		skm_segment_reader_take(stream->reader, &behind);
	}
	if (message->line_count == 0)
		return false;
	unsigned last = (forwarder->first + forwarder->flight_count++) % SKM_LINK_WINDOW;
	forwarder->flights[last] = (struct flight){
		.txnr = skm_link_send(forwarder->link), .stream = stream->which, .behind = behind};
	if (forwarder->is_ending)
		skm_timer_arm(forwarder->end, forwarder->options.quiet_ms, 0);
	return true;
}

/* The room is there, and no record waits. */
static void send_alive(struct skm_forwarder *forwarder)
{
	skm_message_alive(skm_link_message(forwarder->link), forwarder->terminal,
		skm_forward_stream_to_string(SKM_FORWARD_AGENT));
	unsigned last = (forwarder->first + forwarder->flight_count++) % SKM_LINK_WINDOW;
	forwarder->flights[last] = (struct flight){
		.txnr = skm_link_send(forwarder->link), .stream = SKM_FORWARD_AGENT, .is_alive = true};
	forwarder->alive.is_owed = false;
}

static bool anything_waits(struct skm_forwarder *forwarder)
{
	const char *line = NULL;
	size_t len = 0;
	bool waits = false;
	/* Both: looking is also what watches the folder. */
	for (size_t i = 0; i < SKM_ARRAY_SIZE(forwarder->streams); i++)
		waits = has_line(forwarder, &forwarder->streams[i], &line, &len) || waits;
	return waits;
}

static void send_or_connect(struct skm_forwarder *forwarder)
{
	if (forwarder->config->forward.host[0] == '\0')
		return;
	if (!forwarder->link) {
		if (forwarder->may_connect && !forwarder->is_ending &&
			(anything_waits(forwarder) || forwarder->alive.is_owed))
			connect_now(forwarder);
		return;
	}
	/* The streams take turns, message by message: a long one does not hold up a short one. */
	for (unsigned asked = 0; asked < SKM_FORWARD_STREAM_COUNT_ && skm_link_has_room(forwarder->link);) {
		struct stream *stream = &forwarder->streams[forwarder->turn];
		forwarder->turn = (forwarder->turn + 1) % SKM_FORWARD_STREAM_COUNT_;
		asked = send_from(forwarder, stream) ? 0 : asked + 1;
	}
	if (forwarder->alive.is_owed && !forwarder->is_ending && skm_link_has_room(forwarder->link))
		send_alive(forwarder);
}

static int after_round(void *user)
{
	struct skm_forwarder *forwarder = user;
	tell_facts(forwarder);
	save(forwarder);
	send_or_connect(forwarder);
	if (forwarder->is_ending && now(forwarder).boottime_usec >= forwarder->end_usec)
		skm_loop_stop(forwarder->loop);
	return 0;
}

/* ---- life ---- */

static int on_quiet(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_forwarder *forwarder = user;
	/* What is on its way is waited for, up to end_ms. */
	if (forwarder->flight_count == 0 || now(forwarder).boottime_usec >= forwarder->end_usec)
		skm_loop_stop(forwarder->loop);
	else
		skm_timer_arm(forwarder->end, forwarder->options.quiet_ms, 0);
	return 0;
}

static void take_config(struct skm_forwarder *forwarder, struct skm_config **config)
{
	skm_config_freep(&forwarder->config);
	forwarder->config = *config;
	*config = NULL;
	forwarder->backoff = (struct skm_backoff){.first_ms = forwarder->config->forward.retry_first_ms,
		.max_ms = forwarder->config->forward.retry_max_ms};
	skm_terminal_name(forwarder->config->terminal.number, forwarder->terminal);
}

static int load_state(struct skm_forwarder *forwarder)
{
	const char *folder = forwarder->options.state_folder;
	forwarder->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (forwarder->folder_fd < 0)
		return -errno;
	int r = skm_forward_state_load(forwarder->folder_fd, &forwarder->state);
	if (r == SKM_FORWARD_STATE_DAMAGED)
		skm_log(SKM_SEVERITY_WARNING, "the state in %s is damaged: all records are sent again",
			folder);
	return r < 0 ? r : 0;
}

static int open_streams(struct skm_forwarder *forwarder)
{
	for (unsigned i = 0; i < SKM_FORWARD_STREAM_COUNT_; i++) {
		struct stream *stream = &forwarder->streams[i];
		*stream = (struct stream){
			.which = (enum skm_forward_stream)i, .watch = -1, .may_have_more = true};
		int n = snprintf(stream->folder, sizeof(stream->folder), "%s/%s", forwarder->options.log_root,
			skm_forward_stream_to_string(stream->which));
		if ((size_t)n >= sizeof(stream->folder))
			return -ENAMETOOLONG;
		int r = skm_segment_reader_new(stream->folder, &stream->reader);
		if (r < 0)
			return r;
		skm_segment_reader_seek(stream->reader, &forwarder->state.acknowledged[i]);
	}
	return 0;
}

static int add_sources(struct skm_forwarder *forwarder)
{
	forwarder->notify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (forwarder->notify_fd < 0)
		return -errno;
	int r = skm_loop_add_fd(
		forwarder->loop, forwarder->notify_fd, EPOLLIN, on_folders, forwarder, &forwarder->folders);
	if (r == 0)
		r = skm_loop_add_timer(
			forwarder->loop, CLOCK_BOOTTIME, on_retry, forwarder, &forwarder->retry);
	if (r == 0)
		r = skm_loop_add_timer(
			forwarder->loop, CLOCK_BOOTTIME, on_look_again, forwarder, &forwarder->look_again);
	if (r == 0)
		r = skm_loop_add_timer(forwarder->loop, CLOCK_BOOTTIME, on_quiet, forwarder, &forwarder->end);
	if (r == 0)
		r = skm_alive_begin(forwarder->loop, forwarder->options.boot_id, &forwarder->alive);
	return r;
}

int skm_forwarder_new(struct skm_loop *loop, const struct skm_forwarder_options *options,
	struct skm_config **config, struct skm_forwarder **ret_forwarder)
{
	struct skm_forwarder *forwarder = calloc(1, sizeof(*forwarder));
	if (!forwarder)
		return -ENOMEM;
	forwarder->options = *options;
	forwarder->loop = loop;
	forwarder->folder_fd = forwarder->notify_fd = -1;
	take_config(forwarder, config);
	int r = load_state(forwarder);
	if (r == 0)
		r = open_streams(forwarder);
	if (r == 0)
		r = add_sources(forwarder);
	if (r < 0) {
		(void)skm_forwarder_free(forwarder);
		return r;
	}
	*ret_forwarder = forwarder;
	return 0;
}

static void say_settings(const struct skm_forwarder *forwarder)
{
	if (forwarder->config->forward.host[0] != '\0')
		return;
	skm_log(SKM_SEVERITY_NOTICE,
		"no collector is configured (forward.host): the records stay on this terminal");
	(void)skm_notify("STATUS=no collector is configured (forward.host)");
}

void skm_forwarder_start(struct skm_forwarder *forwarder)
{
	say_settings(forwarder);
	skm_loop_set_after_round(forwarder->loop, after_round, forwarder);
	skm_alive_arm(&forwarder->alive, forwarder->config, forwarder->options.alive_first_ms,
		forwarder->options.alive_ms);
	wait_to_retry(forwarder,
		skm_backoff_start_ms(forwarder->config->forward.jitter_ms, next_random(forwarder)));
}

void skm_forwarder_reconfigure(struct skm_forwarder *forwarder, struct skm_config **config)
{
	drop_link(forwarder);
	take_config(forwarder, config);
	forwarder->trouble[0] = '\0';
	say_settings(forwarder);
	skm_alive_arm(&forwarder->alive, forwarder->config, forwarder->options.alive_first_ms,
		forwarder->options.alive_ms);
	wait_to_retry(forwarder, 0);
}

void skm_forwarder_end(struct skm_forwarder *forwarder)
{
	if (!forwarder->link || !skm_link_is_open(forwarder->link)) {
		skm_loop_stop(forwarder->loop);
		return;
	}
	forwarder->is_ending = true;
	forwarder->end_usec = now(forwarder).boottime_usec + (uint64_t)forwarder->options.end_ms * 1000;
	skm_timer_arm(forwarder->end, forwarder->options.quiet_ms, 0);
}

const struct skm_forward_state *skm_forwarder_state(const struct skm_forwarder *forwarder)
{
	return &forwarder->state;
}

struct skm_forwarder *skm_forwarder_free(struct skm_forwarder *forwarder)
{
	if (!forwarder)
		return NULL;
	forwarder->link = skm_link_free(forwarder->link);
	forwarder->folders = skm_source_remove(forwarder->folders);
	forwarder->retry = skm_source_remove(forwarder->retry);
	forwarder->look_again = skm_source_remove(forwarder->look_again);
	forwarder->end = skm_source_remove(forwarder->end);
	skm_alive_end(&forwarder->alive);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(forwarder->streams); i++)
		forwarder->streams[i].reader = skm_segment_reader_free(forwarder->streams[i].reader);
	skm_fd_close(&forwarder->notify_fd);
	skm_fd_close(&forwarder->folder_fd);
	skm_config_freep(&forwarder->config);
	free(forwarder);
	return NULL;
}
