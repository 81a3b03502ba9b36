// SPDX-License-Identifier: Apache-2.0
/* The agent as a whole, without a device: what it does when its clock, which is ours, is set. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <umockdev.h>

#include "agent.h"
#include "sekimori/chain.h"
#include "sekimori/clock.h"
#include "sekimori/io.h"
#include "tmpdir.h"

#define DAY 86400
#define PATHS 9

static char root[TMPDIR_BYTES];
static char paths[PATHS][TMPDIR_BYTES + 32];
static unsigned settings_of_clock; /* how often it was set */
static const char *register_text;  /* appears with the first of them; NULL = nothing does */

/* ---- the clock: 800 days behind until it is set ---- */

static void tell_time(void *user, struct skm_timestamp *ret_now)
{
	(void)user;
	struct timespec now;
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	memset(ret_now, 0, sizeof(*ret_now));
	ret_now->boottime_usec = (uint64_t)now.tv_sec * SKM_USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
	ret_now->monotonic_usec = ret_now->boottime_usec;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (settings_of_clock == 0)
		now.tv_sec -= 800 * DAY;
	ret_now->realtime_usec = now.tv_sec * (int64_t)SKM_USEC_PER_SEC + now.tv_nsec / 1000;
}

struct skm_clock __wrap_skm_clock_system(void);
struct skm_clock __wrap_skm_clock_system(void)
{
	return (struct skm_clock){.now = tell_time};
}

static int ring_soon(int fd)
{
	const struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
	return timerfd_settime(fd, 0, &soon, NULL) < 0 ? -errno : 0;
}

int __wrap_skm_clock_watch_open(int *ret_fd);
int __wrap_skm_clock_watch_open(int *ret_fd)
{
	*ret_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return *ret_fd < 0 ? -errno : ring_soon(*ret_fd);
}

/* Set right the first time; the second time it is enough. */
int __wrap_skm_clock_watch_renew(int fd);
int __wrap_skm_clock_watch_renew(int fd)
{
	if (++settings_of_clock == 2)
		(void)raise(SIGTERM); /* blocked: the loop reads it */
	else if (register_text)
		tmpdir_write(root, register_text, "register.csv");
	return ring_soon(fd);
}

/* ---- */

static const char *path_of(unsigned i, const char *name)
{
	(void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", root, name);
	return paths[i];
}

static unsigned count_in_log(const char *text)
{
	static char log[65536];
	size_t len = 0;
	unsigned count = 0;
	char path[TMPDIR_BYTES + 32];
	(void)snprintf(path, sizeof(path), "%s/log/00000001.jsonl", root);
	cr_assert_eq(skm_file_read_at(AT_FDCWD, path, log, sizeof(log), &len), 0);
	for (const char *at = log; (at = strstr(at, text)); at++)
		count++;
	return count;
}

/* An image's file: older than what the battery left of the clock. */
static void write_config(void)
{
	char date[16];
	char config[128];
	struct tm tm;
	time_t soon = time(NULL) + 7 * DAY;
	cr_assert(strftime(date, sizeof(date), "%Y-%m-%d", localtime_r(&soon, &tm)) > 0);
	(void)snprintf(config, sizeof(config),
		"terminal: { number = \"7\"; }; mfa: { grace_until = \"%s\"; };", date);
	tmpdir_write(root, config, "sekimori.conf");
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	cr_assert_eq(utimensat(AT_FDCWD, path_of(0, "sekimori.conf"), times, 0), 0);
}

static void run_agent(void)
{
	g_autoptr(UMockdevTestbed) testbed = umockdev_testbed_new();
	cr_assert(umockdev_in_mock_environment(), "run with umockdev's preload");
	cr_assert_eq(skm_chain_start(), 0);
	tmpdir_write(root, "0", "sys/module/usbcore/parameters/authorized_default");
	tmpdir_write(root, "", "sys/bus/usb/devices/.keep");
	cr_assert(mkdir(path_of(1, "log"), 0700) == 0 && mkdir(path_of(2, "chain"), 0700) == 0);
	const struct skm_agent_options options = {
		.config_path = path_of(0, "sekimori.conf"),
		.log_folder = paths[1],
		.chain_path = path_of(2, "chain/chain"),
		.sys_root = path_of(3, "sys"),
		.proc_root = "/proc",
		.run_root = path_of(4, "run"),
		.collected_path = path_of(5, "collected"),
		.control_path = path_of(6, "control"),
		.session_path = path_of(7, "session"),
		.manager_path = path_of(8, "manager"),
		.udev_group = "udev",
	};
	cr_assert_eq(skm_agent_run(&options), 0);
}

Test(agent, a_file_that_a_clock_behind_made_a_bad_one_is_read_again_when_it_is_set)
{
	tmpdir_make(root);
	write_config();
	run_agent();
	cr_expect_eq(count_in_log("CONFIG_BROKEN"), 1u);
	cr_expect_eq(
		count_in_log("POLICY_CHANGED"), 1u, "the file is good and is not read again for nothing");
	tmpdir_remove(root);
}

/* As when the file system with the register is mounted after the agent has started. */
Test(agent, a_register_that_comes_late_is_read_at_the_next_look)
{
	char config[TMPDIR_BYTES + 64];
	tmpdir_make(root);
	(void)snprintf(config, sizeof(config), "usb: { register = \"%s/register.csv\"; };", root);
	tmpdir_write(root, config, "sekimori.conf");
	register_text = "id,reason,vid_pid,serial\r\nR-1,office,0781:5581,S1\r\n";
	run_agent();
	cr_expect_eq(count_in_log("CONFIG_BROKEN"), 1u);
	cr_expect_eq(count_in_log("POLICY_CHANGED"), 1u);
	tmpdir_remove(root);
}

Test(agent, a_register_that_never_comes_is_told_once)
{
	char config[TMPDIR_BYTES + 64];
	tmpdir_make(root);
	(void)snprintf(config, sizeof(config), "usb: { register = \"%s/register.csv\"; };", root);
	tmpdir_write(root, config, "sekimori.conf");
	run_agent();
	cr_expect_eq(count_in_log("CONFIG_BROKEN"), 1u);
	cr_expect_eq(count_in_log("POLICY_CHANGED"), 0u);
	tmpdir_remove(root);
}
