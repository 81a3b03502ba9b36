// SPDX-License-Identifier: Apache-2.0
/* Model: a job is queued; a free worker gets it together with a duplicate of the device's descriptor
 * (SCM_RIGHTS) over a SEQPACKET socket pair; it answers with a result; both are plain structs, since both
 * ends are the same binary, forked. One timer serves all deadlines and the dismissal of idle workers. Each
 * worker has one job at a time. */
#include "worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define RETRY_MS 1000u /* when no process could be had for a queued job */
#define IDLE_MS 5000u  /* a plug of a keyboard is followed by rechecks within this time */

struct queued_job {
	struct skm_job job;
	int device;		 /* ours */
	struct queued_job *next; /* skm_worker_pool::queue_head */
};

struct worker {
	pid_t pid; /* 0 = no worker */
	int socket;
	struct skm_source *source;
	struct skm_worker_pool *pool;
	bool is_busy;
	bool is_outdated; /* forked before the last renewal: leaves when its job is done */
	uint64_t job_id;
	enum skm_job_kind job_kind;
	uint64_t due_ms; /* busy: the deadline; idle: the dismissal */
};

#define ABANDONED_MAX 64

struct skm_worker_pool {
	struct skm_loop *loop;
	struct skm_device_ops ops;
	uint32_t deadline_ms;
	skm_job_done_fn on_done;
	void *user;
	skm_job_judge_fn judge;
	void *judge_user;
	struct skm_source *timer;
	struct worker workers[SKM_WORKERS_MAX];
	struct queued_job *queue_head, *queue_tail;
	pid_t abandoned[ABANDONED_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- inside the worker process
 * ------------------------------------------------------------------------------------- */

static ssize_t receive_job(int socket, struct skm_job *job, int *ret_device)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = job, .iov_len = sizeof(*job)};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf)};
	ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (!header || header->cmsg_type != SCM_RIGHTS || n != (ssize_t)sizeof(*job))
		return -1;
	memcpy(ret_device, CMSG_DATA(header), sizeof(*ret_device));
	return n;
}

static bool send_result(int socket, const struct skm_job_result *result)
{
	return send(socket, result, sizeof(*result), MSG_NOSIGNAL) == (ssize_t)sizeof(*result);
}

/* False when nobody listens any more. */
static bool run_job(const struct skm_worker_pool *pool, struct skm_job *job, int device, int socket)
{
	static struct skm_job_result result;
	memset(&result, 0, sizeof(result));
	result.id = job->id;
	result.kind = job->kind;
	if (job->kind == SKM_JOB_INSPECT) {
		result.code =
			skm_enforcer_inspect(&pool->ops, device, job->port, &result.device, &result.live);
		result.goes_on = result.code == 0 && job->may_open && pool->judge &&
				 !result.live.is_authorized && !result.live.controller_is_open &&
				 pool->judge(pool->judge_user, &result.device, &job->decision);
		/* Told before it is done: the record is written meanwhile. */
		bool is_heard = send_result(socket, &result);
		if (!is_heard || !result.goes_on)
			return is_heard;
		result.kind = SKM_JOB_APPLY;
		result.goes_on = false;
		result.code =
			skm_enforcer_open(&pool->ops, device, &result.device, &job->decision, &result.live);
	} else {
		result.code =
			skm_enforcer_apply(&pool->ops, device, &job->device, &job->decision, &result.live);
	}
	return send_result(socket, &result);
}

static _Noreturn void worker_main(const struct skm_worker_pool *pool, int socket)
{
	sigset_t none;
	(void)sigemptyset(&none);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGHUP, SIG_IGN); /* a reload is the parent's affair */
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_NAME, "sekimorid-usb");
	static struct skm_job job;
	int device = -1;
	bool is_heard = true;
	while (is_heard && receive_job(socket, &job, &device) > 0) {
		is_heard = run_job(pool, &job, device, socket);
		skm_fd_close(&device);
	}
	_exit(0);
}

/* Nothing of the parent's stays open in the child but its end of the pair (and the standard streams). */
static _Noreturn void become_worker(const struct skm_worker_pool *pool, pid_t parent, int socket)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	if (dup2(socket, STDERR_FILENO + 1) < 0)
		_exit(1);
	(void)close_range(STDERR_FILENO + 2, ~0U, 0);
	worker_main(pool, STDERR_FILENO + 1);
}

/* ---- inside the agent
 * ---------------------------------------------------------------------------------------------- */

static void arm_timer(struct skm_worker_pool *pool)
{
	uint64_t next = UINT64_MAX;
	for (size_t i = 0; i < SKM_WORKERS_MAX; i++)
		if (pool->workers[i].pid && pool->workers[i].due_ms < next)
			next = pool->workers[i].due_ms;
	uint64_t now = now_ms();
	if (pool->queue_head && next > now + RETRY_MS)
		next = now + RETRY_MS;
	uint64_t delay = next == UINT64_MAX ? 0 : (next > now ? next - now : 1);
	skm_timer_arm(pool->timer, delay, 0);
}

static void remember_abandoned(struct skm_worker_pool *pool, pid_t pid)
{
	for (size_t i = 0; i < ABANDONED_MAX; i++) {
		if (!pool->abandoned[i]) {
			pool->abandoned[i] = pid;
			return;
		}
	}
}

static void dismiss(struct worker *worker)
{
	worker->source = skm_source_remove(worker->source);
	skm_fd_close(&worker->socket);
	(void)kill(worker->pid, SIGKILL);
	remember_abandoned(worker->pool, worker->pid);
	worker->pid = 0;
	worker->is_busy = false;
}

/* The first worker stays: a fork at each plug would cost more than all the rest of the work. */
static void rest(struct worker *worker)
{
	worker->is_busy = false;
	worker->due_ms = worker == &worker->pool->workers[0] ? UINT64_MAX : now_ms() + IDLE_MS;
}

static void finish_job(struct worker *worker, const struct skm_job_result *result)
{
	struct skm_worker_pool *pool = worker->pool;
	if (result->goes_on) {
		worker->job_kind = SKM_JOB_APPLY;
		worker->due_ms = now_ms() + pool->deadline_ms;
	} else if (worker->is_outdated) {
		dismiss(worker);
	} else {
		rest(worker);
	}
	pool->on_done(pool->user, result);
}

static void fail_job(struct worker *worker, int code)
{
	struct skm_job_result result = {.id = worker->job_id, .kind = worker->job_kind, .code = code};
	bool was_busy = worker->is_busy;
	struct skm_worker_pool *pool = worker->pool;
	dismiss(worker);
	if (was_busy)
		pool->on_done(pool->user, &result);
}

static int on_worker(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct worker *worker = user;
	struct skm_worker_pool *pool = worker->pool;
	static struct skm_job_result
		result; /* 3 KB: not on the stack of every callback; the loop is single-threaded */
	ssize_t n = recv(worker->socket, &result, sizeof(result), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == (ssize_t)sizeof(result) && worker->is_busy && result.id == worker->job_id)
		finish_job(worker, &result);
	else
		fail_job(worker, -EPIPE);
	skm_worker_pool_dispatch(pool);
	return 0;
}

static int start_worker(struct skm_worker_pool *pool, struct worker *worker)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	SKM_CLEANUP(skm_fd_close) int ours = pair[0];
	SKM_CLEANUP(skm_fd_close) int theirs = pair[1];
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become_worker(pool, parent, theirs);
	*worker = (struct worker){.pid = pid, .socket = ours, .pool = pool};
	int r = skm_loop_add_fd(pool->loop, ours, EPOLLIN, on_worker, worker, &worker->source);
	if (r < 0) {
		(void)kill(pid, SIGKILL);
		worker->pid = 0;
		return r;
	}
	(void)skm_fd_take(&ours);
	return 0;
}

static int send_job(const struct worker *worker, const struct queued_job *queued)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	union {
		const struct skm_job *in;
		void *out;
	} job = {.in = &queued->job};
	struct iovec iov = {.iov_base = job.out, .iov_len = sizeof(queued->job)};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &queued->device, sizeof(int));
	return sendmsg(worker->socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A worker that is there before one that would have to be forked. */
static struct worker *find_worker(struct skm_worker_pool *pool)
{
	struct worker *absent = NULL;
	for (size_t i = 0; i < SKM_WORKERS_MAX; i++) {
		struct worker *worker = &pool->workers[i];
		if (!worker->pid && !absent)
			absent = worker;
		else if (worker->pid && !worker->is_busy)
			return worker;
	}
	if (absent && start_worker(pool, absent) < 0)
		return NULL;
	return absent;
}

static struct queued_job *pop_job(struct skm_worker_pool *pool)
{
	struct queued_job *queued = pool->queue_head;
	pool->queue_head = queued->next;
	if (!pool->queue_head)
		pool->queue_tail = NULL;
	return queued;
}

static void free_job(struct queued_job *queued)
{
	skm_fd_close(&queued->device);
	free(queued);
}

/* The first is forked when nobody waits for it. If no process can be had, the first job asks again. */
static void keep_first(struct skm_worker_pool *pool)
{
	if (!pool->workers[0].pid && start_worker(pool, &pool->workers[0]) == 0)
		rest(&pool->workers[0]);
}

void skm_worker_pool_dispatch(struct skm_worker_pool *pool)
{
	while (pool->queue_head) {
		struct worker *worker = find_worker(pool);
		if (!worker)
			break; /* all busy, or no process to be had: the timer comes back to it */
		struct queued_job *queued = pop_job(pool);
		worker->is_busy = true;
		worker->job_id = queued->job.id;
		worker->job_kind = queued->job.kind;
		worker->due_ms = now_ms() + pool->deadline_ms;
		int r = send_job(worker, queued);
		free_job(queued);
		if (r < 0)
			fail_job(worker, r);
	}
	keep_first(pool);
	arm_timer(pool);
}

static int on_timer(struct skm_source *source, uint32_t events, void *user)
{
	(void)source;
	(void)events;
	struct skm_worker_pool *pool = user;
	uint64_t now = now_ms();
	for (size_t i = 0; i < SKM_WORKERS_MAX; i++) {
		struct worker *worker = &pool->workers[i];
		if (!worker->pid || worker->due_ms > now)
			continue;
		if (worker->is_busy)
			fail_job(worker, -ETIMEDOUT);
		else
			dismiss(worker);
	}
	skm_worker_pool_dispatch(pool);
	return 0;
}

int skm_worker_pool_new(struct skm_loop *loop, const struct skm_device_ops *ops, uint32_t deadline_ms,
	skm_job_done_fn on_done, void *user, struct skm_worker_pool **ret_pool)
{
	struct skm_worker_pool *pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	*pool = (struct skm_worker_pool){
		.loop = loop, .ops = *ops, .deadline_ms = deadline_ms, .on_done = on_done, .user = user};
	for (size_t i = 0; i < SKM_WORKERS_MAX; i++)
		pool->workers[i].socket = -1;
	int r = skm_loop_add_timer(loop, CLOCK_MONOTONIC, on_timer, pool, &pool->timer);
	if (r < 0) {
		free(pool);
		return r;
	}
	*ret_pool = pool;
	return 0;
}

struct skm_worker_pool *skm_worker_pool_free(struct skm_worker_pool *pool)
{
	if (!pool)
		return NULL;
	for (size_t i = 0; i < SKM_WORKERS_MAX; i++)
		if (pool->workers[i].pid)
			dismiss(&pool->workers[i]);
	while (pool->queue_head)
		free_job(pop_job(pool));
	pool->timer = skm_source_remove(pool->timer);
	skm_worker_pool_reap(pool);
	free(pool);
	return NULL;
}

void skm_worker_pool_set_deadline(struct skm_worker_pool *pool, uint32_t deadline_ms)
{
	pool->deadline_ms = deadline_ms;
	/* It keeps what it was forked with: after a reload that is the memory of the old policy. */
	if (pool->workers[0].pid && !pool->workers[0].is_busy)
		dismiss(&pool->workers[0]);
}

void skm_worker_pool_renew(struct skm_worker_pool *pool, skm_job_judge_fn judge, void *user)
{
	pool->judge = judge;
	pool->judge_user = user;
	for (size_t i = 0; i < SKM_WORKERS_MAX; i++) {
		struct worker *worker = &pool->workers[i];
		worker->is_outdated = worker->is_busy;
		if (worker->pid && !worker->is_busy)
			dismiss(worker);
	}
}

int skm_worker_pool_submit(struct skm_worker_pool *pool, const struct skm_job *job, int device)
{
	SKM_CLEANUP(skm_fd_close) int copy = fcntl(device, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	struct queued_job *queued = malloc(sizeof(*queued));
	if (!queued)
		return -ENOMEM;
	queued->job = *job;
	queued->device = skm_fd_take(&copy);
	queued->next = NULL;
	if (pool->queue_tail)
		pool->queue_tail->next = queued;
	else
		pool->queue_head = queued;
	pool->queue_tail = queued;
	return 0;
}

void skm_worker_pool_reap(struct skm_worker_pool *pool)
{
	for (size_t i = 0; i < ABANDONED_MAX; i++)
		if (pool->abandoned[i] && waitpid(pool->abandoned[i], NULL, WNOHANG) != 0)
			pool->abandoned[i] = 0;
}

bool skm_worker_pool_is_busy(const struct skm_worker_pool *pool)
{
	bool is_busy = pool->queue_head != NULL;
	for (size_t i = 0; i < SKM_WORKERS_MAX; i++)
		is_busy |= pool->workers[i].pid && pool->workers[i].is_busy;
	return is_busy;
}

unsigned skm_worker_pool_hung_count(const struct skm_worker_pool *pool)
{
	unsigned count = 0;
	for (size_t i = 0; i < ABANDONED_MAX; i++)
		count += pool->abandoned[i] != 0;
	return count;
}
