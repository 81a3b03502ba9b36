// SPDX-License-Identifier: Apache-2.0
/* Real worker processes, a device in memory: what hangs there must not hang here. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fake_device.h"
#include "worker.h"

struct fixture {
	struct skm_loop *loop;
	struct skm_worker_pool *pool;
	struct fake_device fake;
	unsigned done;
	struct skm_job_result results[32];
};

static void on_done(void *user, const struct skm_job_result *result)
{
	struct fixture *fixture = user;
	fixture->results[fixture->done++] = *result;
}

static void open_fixture(struct fixture *fixture, uint32_t deadline_ms)
{
	struct skm_device_ops ops = fake_device_ops(&fixture->fake);
	cr_assert_eq(skm_loop_new(&fixture->loop), 0);
	cr_assert_eq(
		skm_worker_pool_new(fixture->loop, &ops, deadline_ms, on_done, fixture, &fixture->pool), 0);
}

static void close_fixture(struct fixture *fixture)
{
	(void)skm_worker_pool_free(fixture->pool);
	(void)skm_loop_free(fixture->loop);
}

static void submit_look(struct fixture *fixture, uint64_t id, bool may_open)
{
	static struct skm_job job;
	job = (struct skm_job){.id = id, .kind = SKM_JOB_INSPECT, .port = "1-2", .may_open = may_open};
	int folder = open("/", O_PATH | O_CLOEXEC);
	cr_assert_eq(skm_worker_pool_submit(fixture->pool, &job, folder), 0);
	(void)close(folder);
}

static void submit(struct fixture *fixture, uint64_t id)
{
	submit_look(fixture, id, true);
}

static void wait_for(struct fixture *fixture, unsigned count)
{
	for (int i = 0; i < 3000 && fixture->done < count; i++)
		cr_assert_eq(skm_loop_run_once(fixture->loop, 20), 0);
	cr_assert_eq(fixture->done, count, "only %u of %u jobs came back", fixture->done, count);
}

Test(worker, runs_jobs_in_other_processes)
{
	static struct fixture fixture;
	fake_device_init(&fixture.fake, "1-2", &fake_storage, 1);
	open_fixture(&fixture, 30000);
	for (uint64_t id = 1; id <= 20; id++)
		submit(&fixture, id);
	cr_expect_eq(fixture.done, 0, "nothing happens inside submit");
	skm_worker_pool_dispatch(fixture.pool);
	wait_for(&fixture, 20);
	bool seen[21] = {false};
	for (unsigned i = 0; i < 20; i++) {
		cr_expect_eq(fixture.results[i].code, 0);
		cr_expect_eq(fixture.results[i].device.vendor_id, 0x0781);
		cr_expect(!seen[fixture.results[i].id]);
		seen[fixture.results[i].id] = true;
	}
	cr_expect_eq(fixture.fake.calls, 0, "the device was touched in this process");
	close_fixture(&fixture);
}

Test(worker, a_hanging_device_costs_its_deadline_and_nothing_else)
{
	static struct fixture fixture;
	fake_device_init(&fixture.fake, "1-2", &fake_storage, 1);
	fixture.fake.hang_at = 3;
	open_fixture(&fixture, 50);
	submit(&fixture, 1);
	skm_worker_pool_dispatch(fixture.pool);
	wait_for(&fixture, 1);
	cr_expect_eq(fixture.results[0].code, -ETIMEDOUT);
	fixture.fake.hang_at = 0; /* workers are forked anew: they see this */
	skm_worker_pool_set_deadline(fixture.pool, 30000);
	submit(&fixture, 2);
	skm_worker_pool_dispatch(fixture.pool);
	wait_for(&fixture, 2);
	cr_expect_eq(fixture.results[1].code, 0);
	for (int i = 0; i < 3000 && skm_worker_pool_hung_count(fixture.pool); i++) {
		struct timespec moment = {.tv_nsec = 1000000};
		(void)nanosleep(&moment, NULL);
		skm_worker_pool_reap(fixture.pool);
	}
	cr_expect_eq(skm_worker_pool_hung_count(fixture.pool), 0, "the killed worker was never reaped");
	close_fixture(&fixture);
}

static int die(void *user, int device, const char *name, char *buf, size_t size, size_t *ret_len)
{
	(void)user;
	(void)device;
	(void)name;
	(void)buf;
	(void)size;
	(void)ret_len;
	(void)raise(SIGKILL);
	return 0;
}

Test(worker, a_dead_worker_is_a_failed_job)
{
	static struct fixture fixture;
	fake_device_init(&fixture.fake, "1-2", &fake_storage, 1);
	struct skm_device_ops ops = fake_device_ops(&fixture.fake);
	ops.read = die;
	cr_assert_eq(skm_loop_new(&fixture.loop), 0);
	cr_assert_eq(skm_worker_pool_new(fixture.loop, &ops, 30000, on_done, &fixture, &fixture.pool), 0);
	submit(&fixture, 1);
	submit(&fixture, 2);
	skm_worker_pool_dispatch(fixture.pool);
	wait_for(&fixture, 2);
	cr_expect_eq(fixture.results[0].code, -EPIPE);
	cr_expect_eq(fixture.results[1].code, -EPIPE);
	close_fixture(&fixture);
}

static bool judge_all(void *user, const struct skm_device *device, struct skm_decision *ret_decision)
{
	const bool *may_open = user;
	(void)device;
	*ret_decision = (struct skm_decision){.verdict = SKM_VERDICT_ALLOW};
	memset(ret_decision->interface_allowed, true, sizeof(ret_decision->interface_allowed));
	return *may_open;
}

static void run_one(struct fixture *fixture, uint64_t id, unsigned results)
{
	fixture->done = 0;
	submit(fixture, id);
	skm_worker_pool_dispatch(fixture->pool);
	wait_for(fixture, results);
}

Test(worker, what_may_be_opened_at_once_is_told_and_then_done)
{
	static struct fixture fixture;
	bool may_open = true;
	fake_device_init(&fixture.fake, "1-2", &fake_keyboard, 1);
	open_fixture(&fixture, 30000);
	run_one(&fixture, 1, 1);
	cr_expect(!fixture.results[0].goes_on, "nobody said what it may open");
	skm_worker_pool_renew(fixture.pool, judge_all, &may_open);
	run_one(&fixture, 2, 2);
	cr_expect_eq(fixture.results[0].kind, SKM_JOB_INSPECT);
	cr_expect(fixture.results[0].goes_on && !fixture.results[0].live.is_authorized, "told first");
	cr_expect_eq(fixture.results[1].kind, SKM_JOB_APPLY);
	cr_expect_eq(fixture.results[1].id, 2);
	cr_expect_eq(fixture.results[1].code, 0);
	cr_expect(!fixture.results[1].goes_on && fixture.results[1].live.is_authorized);
	close_fixture(&fixture);
}

Test(worker, judges_with_what_was_known_at_the_last_renewal)
{
	static struct fixture fixture;
	bool may_open = false;
	fake_device_init(&fixture.fake, "1-2", &fake_storage, 1);
	open_fixture(&fixture, 30000);
	skm_worker_pool_renew(fixture.pool, judge_all, &may_open);
	skm_worker_pool_dispatch(fixture.pool); /* the first worker is forked here */
	may_open = true;
	run_one(&fixture, 1, 1);
	cr_expect(!fixture.results[0].goes_on, "a worker cannot know better than when it was forked");
	skm_worker_pool_renew(fixture.pool, judge_all, &may_open);
	run_one(&fixture, 2, 2);
	cr_expect(fixture.results[0].goes_on);
	close_fixture(&fixture);
}

Test(worker, one_that_is_busy_at_a_renewal_gets_no_more_jobs)
{
	static struct fixture fixture;
	bool may_open = true;
	fake_device_init(&fixture.fake, "1-2", &fake_keyboard, 1);
	open_fixture(&fixture, 30000);
	skm_worker_pool_renew(fixture.pool, judge_all, &may_open);
	submit_look(&fixture, 1, false);
	skm_worker_pool_dispatch(fixture.pool);
	may_open = false;
	skm_worker_pool_renew(fixture.pool, judge_all, &may_open);
	wait_for(&fixture, 1);
	cr_expect(!fixture.results[0].goes_on, "it was not asked to");
	run_one(&fixture, 2, 1);
	cr_expect(!fixture.results[0].goes_on, "it still lives by the old rules");
	close_fixture(&fixture);
}

static int hang(void *user, int device, const char *name, const char *value)
{
	(void)user;
	(void)device;
	(void)name;
	(void)value;
	while (pause() < 0) {
	}
	return 0;
}

Test(worker, one_that_hangs_while_it_opens_is_a_deed_that_hangs)
{
	static struct fixture fixture;
	bool may_open = true;
	fake_device_init(&fixture.fake, "1-2", &fake_keyboard, 1);
	struct skm_device_ops ops = fake_device_ops(&fixture.fake);
	ops.write = hang;
	cr_assert_eq(skm_loop_new(&fixture.loop), 0);
	cr_assert_eq(skm_worker_pool_new(fixture.loop, &ops, 300, on_done, &fixture, &fixture.pool), 0);
	skm_worker_pool_renew(fixture.pool, judge_all, &may_open);
	run_one(&fixture, 1, 2);
	cr_expect(fixture.results[0].goes_on);
	cr_expect_eq(fixture.results[1].kind, SKM_JOB_APPLY);
	cr_expect_eq(fixture.results[1].code, -ETIMEDOUT);
	cr_expect(!fixture.results[1].goes_on);
	close_fixture(&fixture);
}
