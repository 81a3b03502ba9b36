// SPDX-License-Identifier: Apache-2.0
#include "live_authd.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sekimori/packet_server.h"
#include "service.h"

static void fake_now(void *user, struct skm_timestamp *ret_now)
{
	const int64_t *now_sec = user;
	uint64_t usec = (uint64_t)*now_sec * SKM_USEC_PER_SEC;
	*ret_now = (struct skm_timestamp){
		.realtime_usec = (int64_t)usec, .boottime_usec = usec, .monotonic_usec = usec};
}

static _Noreturn void serve(const struct live_authd *authd, int listen_fd)
{
	static const char *const names[] = {"conf", "log", "machine-id", "state", "fallback", "key", "chain"};
	static char paths[SKM_ARRAY_SIZE(names)][TMPDIR_BYTES + 16];
	struct skm_service_options options;
	skm_service_options_default(&options);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(names); i++)
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", authd->folder, names[i]);
	options.config_path = paths[0];
	options.log_folder = paths[1];
	options.machine_id_path = paths[2];
	options.state_folder = paths[3];
	options.fallback_folder = paths[4];
	options.key_path = paths[5];
	options.chain_path = paths[6];
	options.idle_ms = 0;
	options.clock = (struct skm_clock){.now = fake_now, .user = authd->now_sec};
	options.answer = skm_authenticator_answer;
	options.settle = skm_authenticator_settle;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (skm_seal_start() < 0 || skm_key_create(paths[5]) < 0)
		_exit(10);
	_exit(skm_service_run(&options, &listen_fd) == 0 ? 0 : 11);
}

static void make_folder(const struct live_authd *authd, const char *name)
{
	char path[TMPDIR_BYTES + 16];
	(void)snprintf(path, sizeof(path), "%s/%s", authd->folder, name);
	cr_assert_eq(mkdir(path, 0700), 0);
}

void live_authd_start(struct live_authd *authd)
{
	int listen_fd = -1;
	/* In memory where there is such a place: what is tested is not the disk, and races are thousands of
	 * syncs. */
	(void)snprintf(authd->folder, sizeof(authd->folder), "/dev/shm/sekimori-test-XXXXXX");
	if (!mkdtemp(authd->folder))
		tmpdir_make(authd->folder);
	(void)snprintf(authd->socket, sizeof(authd->socket), "%s/auth", authd->folder);
	tmpdir_write(authd->folder, "", "conf");
	tmpdir_write(authd->folder, "0123456789abcdef0123456789abcdef\n", "machine-id");
	make_folder(authd, "log");
	make_folder(authd, "state");
	authd->now_sec = mmap(
		NULL, sizeof(*authd->now_sec), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(authd->now_sec != MAP_FAILED);
	*authd->now_sec = LIVE_AUTHD_NOW_SEC;
	cr_assert_eq(skm_packet_listen(authd->socket, &listen_fd), 0);
	authd->pid = fork();
	cr_assert_geq(authd->pid, 0);
	if (authd->pid == 0)
		serve(authd, listen_fd);
	(void)close(listen_fd);
}

void live_authd_end(struct live_authd *authd)
{
	int status = -1;
	(void)kill(authd->pid, SIGTERM);
	cr_expect_eq(waitpid(authd->pid, &status, 0), authd->pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", (unsigned)status);
	authd->pid = 0;
}

void live_authd_stop(struct live_authd *authd)
{
	if (authd->pid > 0)
		live_authd_end(authd);
	tmpdir_remove(authd->folder);
}
