// SPDX-License-Identifier: Apache-2.0
/* Everything that can hang on a bad device happens in worker processes: reading a string descriptor and
 * writing `authorized` take the kernel's device lock, and a device that does not answer holds it for as long
 * as it likes (USBGuard's issue #673: daemon in D state, unkillable). Processes, not threads: a process in D
 * state can be left behind, a thread cannot.
 *
 * One worker waits for work; more are forked when there is more, and leave when there has been none for a
 * while. A job that misses its deadline is reported as -ETIMEDOUT; its worker is killed and, if the kernel
 * does not let it go, abandoned and reaped whenever it ends.
 *
 * A worker that looked at a keyboard opens it without asking back: each change of process costs up to a tick
 * of the scheduler on a busy machine, and the person waits. What it may open so is the caller's word
 * (skm_job_judge_fn), and the caller judges for itself what it is told. */
#ifndef SEKIMORI_WORKER_H
#define SEKIMORI_WORKER_H

#include "enforcer.h"
#include "sekimori/loop.h"

#define SKM_WORKERS_MAX 4

enum skm_job_kind { SKM_JOB_INSPECT, SKM_JOB_APPLY };

/* Values: they travel through a socket to another process of the same binary. */
struct skm_job {
	uint64_t id;
	enum skm_job_kind kind;
	char port[SKM_USB_PORT_BYTES];
	bool may_open;		      /* INSPECT: if the worker's own judgement says so too */
	struct skm_device device;     /* APPLY */
	struct skm_decision decision; /* APPLY */
};

struct skm_job_result {
	uint64_t id;
	enum skm_job_kind kind;
	bool goes_on;		  /* INSPECT: it is being opened; an APPLY result with the same id follows */
	int code;		  /* what the enforcer returned; -ETIMEDOUT: hung; -EPIPE: the worker died */
	struct skm_device device; /* INSPECT, code 0 */
	struct skm_live_state live; /* code >= 0 */
};

typedef void (*skm_job_done_fn)(void *user, const struct skm_job_result *result);
/* Called in a worker, with the memory that `user` points to as it was when the worker was forked. Pure. True:
 * the decision may be done at once. */
typedef bool (*skm_job_judge_fn)(
	void *user, const struct skm_device *device, struct skm_decision *ret_decision);

struct skm_worker_pool;

/* `ops` is used in the workers only. 0 or -errno. */
SKM_NODISCARD int skm_worker_pool_new(struct skm_loop *loop, const struct skm_device_ops *ops,
	uint32_t deadline_ms, skm_job_done_fn on_done, void *user, struct skm_worker_pool **ret_pool);
/* Kills the workers without waiting for them. */
struct skm_worker_pool *skm_worker_pool_free(struct skm_worker_pool *pool);
void skm_worker_pool_set_deadline(struct skm_worker_pool *pool, uint32_t deadline_ms);
/* What `judge` looks at is another now: workers forked earlier get no more jobs (one that has a job ends it).
 * NULL until the first call: no worker opens anything by itself. */
void skm_worker_pool_renew(struct skm_worker_pool *pool, skm_job_judge_fn judge, void *user);

/* Queues a job; `device` is borrowed (a duplicate is kept). 0 or -ENOMEM, -EMFILE: then on_done is not
 * called. */
SKM_NODISCARD int skm_worker_pool_submit(struct skm_worker_pool *pool, const struct skm_job *job, int device);
/* Hands queued jobs to workers, as many as there are, and sees to it that one waits for the next; to be
 * called once after a round of events. Results come through on_done, never from inside submit. */
void skm_worker_pool_dispatch(struct skm_worker_pool *pool);
/* After SIGCHLD. */
void skm_worker_pool_reap(struct skm_worker_pool *pool);
/* Is a job waiting or under way? */
bool skm_worker_pool_is_busy(const struct skm_worker_pool *pool);
/* Workers that missed their deadline and have not ended yet. */
unsigned skm_worker_pool_hung_count(const struct skm_worker_pool *pool);

#endif
