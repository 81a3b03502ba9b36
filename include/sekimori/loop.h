// SPDX-License-Identifier: Apache-2.0
/* The event loop: a thin epoll wrapper. Level-triggered; callbacks may remove any source, themselves
 * included; nothing is global. Timers are timerfds, so an idle agent sleeps until the kernel has something to
 * say. */
#ifndef SEKIMORI_LOOP_H
#define SEKIMORI_LOOP_H

#include <stdint.h>

#include "sekimori/result.h"

struct skm_loop;
struct skm_source;

/* `events` is a mask of EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR, EPOLLPRI. Return 0 to go on; a negative errno
 * ends the loop. */
typedef int (*skm_source_fn)(struct skm_source *source, uint32_t events, void *user);
/* Runs after each round of callbacks. Same results. */
typedef int (*skm_round_fn)(void *user);

SKM_NODISCARD int skm_loop_new(struct skm_loop **ret_loop);
struct skm_loop *skm_loop_free(struct skm_loop *loop); /* removes what sources remain; NULL is fine */
void skm_loop_set_after_round(struct skm_loop *loop, skm_round_fn after_round, void *user);

/* Watches an fd that stays the caller's. 0 or -errno. */
SKM_NODISCARD int skm_loop_add_fd(struct skm_loop *loop, int fd, uint32_t events, skm_source_fn on_event,
	void *user, struct skm_source **ret_source);
SKM_NODISCARD int skm_source_set_events(struct skm_source *source, uint32_t events);
/* A timer (CLOCK_BOOTTIME or CLOCK_MONOTONIC), not armed yet; owns its fd. The callback need not read it. */
SKM_NODISCARD int skm_loop_add_timer(struct skm_loop *loop, int clock_id, skm_source_fn on_event, void *user,
	struct skm_source **ret_source);
/* First after delay_ms, then every interval_ms (0 = once). delay_ms 0 disarms. Cannot fail for a timer that
 * was added here. */
void skm_timer_arm(struct skm_source *timer, uint64_t delay_ms, uint64_t interval_ms);
int skm_source_fd(const struct skm_source *source);
/* NULL is fine. Returns NULL. Never touches the caller's fd. */
struct skm_source *skm_source_remove(struct skm_source *source);

/* Waits for at most timeout_ms (-1 = for ever) and runs the callbacks of one round. 0, or what a callback
 * returned. */
SKM_NODISCARD int skm_loop_run_once(struct skm_loop *loop, int timeout_ms);
/* Until skm_loop_stop (returns 0) or an error. */
SKM_NODISCARD int skm_loop_run(struct skm_loop *loop);
void skm_loop_stop(struct skm_loop *loop);

#endif
