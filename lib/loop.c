// SPDX-License-Identifier: Apache-2.0
/* An epoll wrapper of a few short functions, because the agent waits for six kinds of descriptors and nothing
 * else; sd-event would pull in libsystemd, libev hides its state in globals.
 *
 * Model: epoll hands out pointers to sources. A source that is removed inside a round may still stand in the
 * array of events that epoll_wait returned, so it is only marked (loop == NULL) and freed when the round is
 * over. */
#include "sekimori/loop.h"

#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

struct skm_source {
	struct skm_loop *loop; /* NULL once removed */
	int fd;
	bool is_timer; /* then fd is ours */
	skm_source_fn on_event;
	void *user;
	struct skm_source *next, *previous; /* skm_loop::sources, or skm_loop::removed (next only) */
};

struct skm_loop {
	int epoll_fd;
	bool is_stopped;
	struct skm_source *sources;
	struct skm_source *removed;
	skm_round_fn after_round;
	void *after_round_user;
};

int skm_loop_new(struct skm_loop **ret_loop)
{
	struct skm_loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		int r = -errno;
		free(loop);
		return r;
	}
	*ret_loop = loop;
	return 0;
}

static void free_removed(struct skm_loop *loop)
{
	while (loop->removed) {
		struct skm_source *source = loop->removed;
		loop->removed = source->next;
		free(source);
	}
}

struct skm_loop *skm_loop_free(struct skm_loop *loop)
{
	if (!loop)
		return NULL;
	while (loop->sources)
		(void)skm_source_remove(loop->sources);
	free_removed(loop);
	skm_fd_close(&loop->epoll_fd);
	free(loop);
	return NULL;
}

void skm_loop_set_after_round(struct skm_loop *loop, skm_round_fn after_round, void *user)
{
	loop->after_round = after_round;
	loop->after_round_user = user;
}

int skm_loop_add_fd(struct skm_loop *loop, int fd, uint32_t events, skm_source_fn on_event, void *user,
	struct skm_source **ret_source)
{
	struct skm_source *source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	*source = (struct skm_source){.loop = loop, .fd = fd, .on_event = on_event, .user = user};
	struct epoll_event event = {.events = events, .data.ptr = source};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int r = -errno;
		free(source);
		return r;
	}
	source->next = loop->sources;
	if (source->next)
		source->next->previous = source;
	loop->sources = source;
	*ret_source = source;
	return 0;
}

int skm_source_set_events(struct skm_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	return epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

int skm_loop_add_timer(struct skm_loop *loop, int clock_id, skm_source_fn on_event, void *user,
	struct skm_source **ret_source)
{
	SKM_CLEANUP(skm_fd_close) int fd = timerfd_create(clock_id, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	struct skm_source *timer = NULL;
	int r = skm_loop_add_fd(loop, fd, EPOLLIN, on_event, user, &timer);
	if (r < 0 || !timer)
		return r;
	timer->is_timer = true;
	(void)skm_fd_take(&fd);
	*ret_source = timer;
	return 0;
}

static struct timespec timespec_of_ms(uint64_t ms)
{
	return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000L};
}

void skm_timer_arm(struct skm_source *timer, uint64_t delay_ms, uint64_t interval_ms)
{
	struct itimerspec spec = {
		.it_value = timespec_of_ms(delay_ms), .it_interval = timespec_of_ms(interval_ms)};
	(void)timerfd_settime(timer->fd, 0, &spec, NULL);
}

int skm_source_fd(const struct skm_source *source)
{
	return source->fd;
}

struct skm_source *skm_source_remove(struct skm_source *source)
{
	if (!source || !source->loop)
		return NULL;
	struct skm_loop *loop = source->loop;
	/* The fd is still open here by contract, so this cannot fail for a reason that we could mend. */
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	if (source->is_timer)
		skm_fd_close(&source->fd);
	if (source->previous)
		source->previous->next = source->next;
	else
		loop->sources = source->next;
	if (source->next)
		source->next->previous = source->previous;
	source->loop = NULL;
	source->next = loop->removed;
	loop->removed = source;
	return NULL;
}

static int dispatch(struct skm_source *source, uint32_t events)
{
	if (!source->loop)
		return 0; /* removed by a callback earlier in this round */
	if (source->is_timer) {
		uint64_t expirations;
		/* EAGAIN: re-armed since; ECANCELED: the clock was set. The callback is to run for the latter
		 * only. */
		if (read(source->fd, &expirations, sizeof(expirations)) < 0 && errno == EAGAIN)
			return 0;
	}
	return source->on_event(source, events, source->user);
}

int skm_loop_run_once(struct skm_loop *loop, int timeout_ms)
{
	struct epoll_event events[32];
	int n = epoll_wait(loop->epoll_fd, events, SKM_ARRAY_SIZE(events), timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	int r = 0;
	for (int i = 0; i < n && r >= 0; i++)
		r = dispatch(events[i].data.ptr, events[i].events);
	if (r >= 0 && loop->after_round)
		r = loop->after_round(loop->after_round_user);
	free_removed(loop);
	return r < 0 ? r : 0;
}

int skm_loop_run(struct skm_loop *loop)
{
	loop->is_stopped = false;
	int r = 0;
	while (!loop->is_stopped && r == 0)
		r = skm_loop_run_once(loop, -1);
	return r;
}

void skm_loop_stop(struct skm_loop *loop)
{
	loop->is_stopped = true;
}
