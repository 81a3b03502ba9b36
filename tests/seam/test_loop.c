// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <sys/epoll.h>
#include <time.h>

#include "sekimori/loop.h"

struct seen {
	struct skm_source *sources[2];
	unsigned calls, rounds;
};

static int on_pipe(struct skm_source *source, uint32_t events, void *user)
{
	struct seen *seen = user;
	(void)events;
	seen->calls++;
	/* whichever comes first takes both away: the other one's event of this round must not be delivered */
	for (int i = 0; i < 2; i++)
		seen->sources[i] = skm_source_remove(seen->sources[i]);
	(void)source;
	return 0;
}

static int on_round(void *user)
{
	struct seen *seen = user;
	seen->rounds++;
	return 0;
}

Test(loop, a_callback_may_remove_any_source)
{
	struct skm_loop *loop = NULL;
	struct seen seen = {0};
	int pipes[2][2];
	cr_assert_eq(skm_loop_new(&loop), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(pipe(pipes[i]), 0);
		cr_assert_eq(
			skm_loop_add_fd(loop, pipes[i][0], EPOLLIN, on_pipe, &seen, &seen.sources[i]), 0);
		cr_assert_eq(write(pipes[i][1], "x", 1), 1);
	}
	skm_loop_set_after_round(loop, on_round, &seen);
	cr_assert_eq(skm_loop_run_once(loop, 1000), 0);
	cr_assert_eq(skm_loop_run_once(loop, 0), 0);
	cr_expect_eq(seen.calls, 1);
	cr_expect_eq(seen.rounds, 2);
	(void)skm_loop_free(loop);
}

static int stop_it(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	skm_loop_stop(user);
	return 0;
}

static int fail_it(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	(void)user;
	return -EIO;
}

Test(loop, timers_fire_and_errors_end_it)
{
	struct skm_loop *loop = NULL;
	struct skm_source *timer = NULL;
	cr_assert_eq(skm_loop_new(&loop), 0);
	cr_assert_eq(skm_loop_add_timer(loop, CLOCK_MONOTONIC, stop_it, loop, &timer), 0);
	skm_timer_arm(timer, 1, 0);
	cr_expect_eq(skm_loop_run(loop), 0);
	timer = skm_source_remove(timer);
	cr_assert_eq(skm_loop_add_timer(loop, CLOCK_MONOTONIC, fail_it, NULL, &timer), 0);
	skm_timer_arm(timer, 1, 0);
	cr_expect_eq(skm_loop_run(loop), -EIO);
	skm_timer_arm(timer, 0, 0);
	cr_expect_eq(skm_loop_run_once(loop, 0), 0, "disarmed");
	(void)skm_loop_free(loop);
}
