// SPDX-License-Identifier: Apache-2.0
/* The service in a process of its own, with the real loop, socket, stream, configuration and key files in a
 * folder of the test's; only the logic and the clock are not the real ones. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "sekimori/packet_server.h"
#include "service.h"
#include "tmpdir.h"

#define NOBODY 65534
#define LIST_LENGTH 400
#define KEY_TEXT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

/* What the test and the service both see. */
struct shared {
	int64_t shift_usec;   /* of the wall clock */
	bool is_at_the_epoch; /* the wall clock shows 1970 */
	unsigned requests, settled;
	struct skm_peer peer;
	uint8_t code;
	bool has_key, has_store;
	char version[17];
	uint32_t free_tries;
	enum skm_mfa_require require;
	uint8_t machine[SKM_MACHINE_ID_BYTES];
};

static struct fixture {
	char folder[TMPDIR_BYTES];
	char collected[100], config[100], log[100], chain[100], machine_id[100], state[100], fallback[100],
		key[100], socket[100];
	struct shared *shared;
	uint32_t idle_ms;
	pid_t pid;
	int pid_fd;
} f;

/* ---- the other side ---- */

#define DISTANT_GROUP "corp-staff"

/* A directory that cannot be reached: the name service waits. */
int getgrnam_r(const char *name, struct group *ret_group, char *buf, size_t size, struct group **ret_found)
{
	typeof(getgrnam_r) *real = (typeof(getgrnam_r) *)dlsym(RTLD_NEXT, "getgrnam_r");
	while (strcmp(name, DISTANT_GROUP) == 0)
		(void)pause();
	return real(name, ret_group, buf, size, ret_found);
}

static void fake_now(void *user, struct skm_timestamp *ret_now)
{
	(void)user;
	struct skm_clock real = skm_clock_system();
	real.now(real.user, ret_now);
	ret_now->realtime_usec =
		f.shared->is_at_the_epoch ? 0 : ret_now->realtime_usec + f.shared->shift_usec;
}

static int fake_answer(struct skm_authenticator *authenticator, const struct skm_peer *peer,
	const struct skm_auth_packet *request, skm_send_fn send, void *user)
{
	struct shared *shared = f.shared;
	struct skm_auth_writer writer;
	shared->requests++;
	shared->peer = *peer;
	shared->code = request->code;
	shared->has_key = authenticator->key != NULL;
	shared->has_store = authenticator->store != NULL;
	memcpy(shared->version, authenticator->config->version, sizeof(shared->version));
	memcpy(shared->machine, authenticator->machine, sizeof(shared->machine));
	shared->free_tries = authenticator->config->mfa.free_tries;
	shared->require = authenticator->config->mfa.require;
	if (request->code == SKM_AUTH_DISABLE)
		return -EIO;
	while (request->code == SKM_AUTH_UNLOCK)
		(void)pause(); /* hangs */
	if (request->code == SKM_AUTH_VERIFY) {
		struct skm_record record;
		skm_record_init(&record, SKM_EVENT_AGENT_START);
		(void)snprintf(record.object, sizeof(record.object), "attempt");
		authenticator->record(authenticator->user, &record);
	}
	static char text[2000];
	memset(text, 't', sizeof(text) - 1);
	for (unsigned i = 0; request->code == SKM_AUTH_LIST && i < LIST_LENGTH; i++) {
		skm_auth_write_begin(&writer, SKM_AUTH_MORE);
		skm_auth_write_text(&writer, SKM_AUTH_TAG_TEXT, text);
		int r = send(user, &writer);
		if (r < 0)
			return r;
	}
	skm_auth_write_begin(&writer, SKM_AUTH_OK);
	return send(user, &writer);
}

static void fake_settle(struct skm_authenticator *authenticator)
{
	(void)authenticator;
	f.shared->settled++;
}

static _Noreturn void serve(int listen_fd)
{
	struct skm_service_options options;
	skm_service_options_default(&options);
	options.config_path = f.config;
	options.log_folder = f.log;
	options.chain_path = f.chain;
	options.collected_path = f.collected;
	options.machine_id_path = f.machine_id;
	options.state_folder = f.state;
	options.fallback_folder = f.fallback;
	options.key_path = f.key;
	options.idle_ms = f.idle_ms;
	options.clock = (struct skm_clock){.now = fake_now};
	options.answer = fake_answer;
	options.settle = fake_settle;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (skm_seal_start() < 0)
		_exit(10);
	_exit(skm_service_run(&options, &listen_fd) == 0 ? 0 : 11);
}

static void run(int listen_fd)
{
	f.pid = fork();
	cr_assert_geq(f.pid, 0);
	if (f.pid == 0)
		serve(listen_fd);
	f.pid_fd = (int)syscall(SYS_pidfd_open, f.pid, 0);
	cr_assert_geq(f.pid_fd, 0);
}

/* The socket listens before the process is there, as with systemd. */
static void start(uint32_t idle_ms)
{
	int listen_fd = -1;
	f.idle_ms = idle_ms;
	cr_assert_eq(skm_packet_listen(f.socket, &listen_fd), 0);
	run(listen_fd);
	(void)close(listen_fd);
}

static bool has_ended(int timeout_ms)
{
	struct pollfd poll_fd = {.fd = f.pid_fd, .events = POLLIN};
	return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void expect_end(int timeout_ms)
{
	int status = -1;
	cr_assert(has_ended(timeout_ms), "it goes on");
	cr_assert_eq(waitpid(f.pid, &status, 0), f.pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", (unsigned)status);
	skm_fd_close(&f.pid_fd);
	(void)unlink(f.socket);
}

static void stop(void)
{
	(void)kill(f.pid, SIGTERM);
	expect_end(10000);
}

static void name(char path[100], const char *file)
{
	(void)snprintf(path, 100, "%s/%s", f.folder, file);
}

static void setup(void)
{
	tmpdir_make(f.folder);
	cr_assert_eq(chmod(f.folder, 0755), 0);
	name(f.config, "sekimori.conf");
	name(f.log, "log");
	name(f.collected, "collected");
	name(f.chain, "chain");
	name(f.machine_id, "machine-id");
	name(f.state, "state");
	name(f.fallback, "fallback");
	name(f.key, "machine.key");
	name(f.socket, "auth");
	cr_assert_eq(mkdir(f.log, 0750), 0);
	cr_assert_eq(mkdir(f.state, 0700), 0);
	tmpdir_write(f.folder, "terminal: { number = \"T-7\"; };\n", "sekimori.conf");
	tmpdir_write(f.folder, "0123456789abcdef0123456789abcdef\n", "machine-id");
	tmpdir_write(f.folder, KEY_TEXT, "machine.key");
	cr_assert_eq(chmod(f.key, 0600), 0);
	f.shared = mmap(NULL, sizeof(*f.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(f.shared != MAP_FAILED);
}

static void teardown(void)
{
	tmpdir_remove(f.folder);
}

TestSuite(service, .init = setup, .fini = teardown, .timeout = 60);

/* ---- callers ---- */

static int connect_now(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = 10};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", f.socket);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	cr_assert_eq(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void send_request(int fd, uint8_t code)
{
	struct skm_auth_writer writer;
	skm_auth_write_begin(&writer, code);
	skm_auth_write_text(&writer, SKM_AUTH_TAG_USER, "sato");
	cr_assert_eq(skm_auth_write_end(&writer), 0);
	cr_assert_eq(send(fd, writer.buf, writer.len, MSG_NOSIGNAL), (ssize_t)writer.len);
}

/* The outcome of the next packet, or -1 when there is none. */
static int outcome_of(int fd)
{
	static uint8_t buf[SKM_AUTH_PACKET_MAX];
	struct skm_auth_packet packet;
	ssize_t n = recv(fd, buf, sizeof(buf), 0);
	if (n <= 0)
		return -1;
	cr_assert_eq(skm_auth_packet_parse(buf, (size_t)n, &packet), 0);
	return packet.code;
}

static int ask(uint8_t code)
{
	int fd = connect_now();
	send_request(fd, code);
	int outcome = outcome_of(fd);
	(void)close(fd);
	return outcome;
}

/* How often the text stands in the log. Records are stored after the answer: wait for them at the end only.
 */
static unsigned count_in_segment(unsigned number, const char *text)
{
	char path[160];
	static char log[256 * 1024];
	(void)snprintf(path, sizeof(path), "%s/%08u.jsonl", f.log, number);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	size_t len = fread(log, 1, sizeof(log) - 1, file);
	(void)fclose(file);
	log[len] = '\0';
	unsigned count = 0;
	for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

static unsigned count_in_log(const char *text)
{
	unsigned count = 0;
	for (unsigned number = 1; number <= 9; number++)
		count += count_in_segment(number, text);
	return count;
}

/* ---- requests ---- */

Test(service, a_request_is_answered_with_what_the_kernel_says_of_the_caller)
{
	start(0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(f.shared->code, SKM_AUTH_PREPARE);
	cr_expect_eq(f.shared->peer.uid, geteuid());
	cr_expect_eq(f.shared->peer.pid, getpid());
	cr_expect_eq(f.shared->peer.is_admin, geteuid() == 0);
	cr_expect_not(f.shared->peer.is_helpdesk);
	cr_expect_eq(f.shared->peer.is_reader, geteuid() == 0);
	cr_expect(f.shared->has_key && f.shared->has_store);
	stop();
}

Test(service, what_is_no_packet_is_a_bad_request)
{
	static const struct {
		const char *bytes;
		size_t len;
	} packets[] = {
		{"\x01", 1}, {"\x09\x01", 2}, {"\x01\x01\x01", 3}, {"\x01\x01\x01\xff\xff", 5}, {"x", 1}};
	start(0);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(packets); i++) {
		int fd = connect_now();
		cr_assert_eq(send(fd, packets[i].bytes, packets[i].len, 0), (ssize_t)packets[i].len);
		cr_expect_eq(outcome_of(fd), SKM_AUTH_BAD_REQUEST, "packet %zu", i);
		(void)close(fd);
	}
	cr_expect_eq(f.shared->requests, 0u);
	stop();
}

Test(service, an_answer_that_fails_ends_the_connection_and_nothing_else)
{
	start(0);
	cr_expect_eq(ask(SKM_AUTH_DISABLE), -1);
	cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK);
	stop();
}

Test(service, a_long_list_arrives_whole)
{
	start(0);
	int fd = connect_now();
	send_request(fd, SKM_AUTH_LIST);
	/* meanwhile others are answered */
	cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK);
	for (unsigned i = 0; i < LIST_LENGTH; i++)
		cr_assert_eq(outcome_of(fd), SKM_AUTH_MORE, "packet %u", i);
	cr_expect_eq(outcome_of(fd), SKM_AUTH_OK);
	cr_expect_eq(outcome_of(fd), -1);
	(void)close(fd);
	stop();
}

Test(service, somebody_with_too_many_connections_is_told_so)
{
	if (geteuid() != 0)
		cr_skip_test("needs root to be another user");
	start(0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = -1;
		if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(99);
		for (unsigned i = 0; i < SKM_SERVICE_CONNECTIONS_PER_USER; i++)
			(void)connect_now();
		fd = connect_now();
		send_request(fd, SKM_AUTH_VERIFY);
		_exit(outcome_of(fd));
	}
	int status = 0;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(WEXITSTATUS(status), SKM_AUTH_BUSY, "%d", WEXITSTATUS(status));
	cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK, "root is answered all the same");
	stop();
}

/* ---- life ---- */

Test(service, it_ends_by_itself_when_nobody_comes)
{
	start(100);
	cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK);
	expect_end(10000);
	cr_expect_geq(f.shared->settled, 1u, "what was only counted is recorded");
	cr_expect_eq(count_in_log("\"attempt\""), 1u);
}

/* Held still, it finds the timer and the caller in one round; the socket is systemd's, and the next one's. */
Test(service, who_comes_at_the_moment_of_its_end_is_the_next_ones)
{
	int listen_fd = -1;
	f.idle_ms = 300;
	cr_assert_eq(skm_packet_listen(f.socket, &listen_fd), 0);
	run(listen_fd);
	int fd = connect_now();
	send_request(fd, SKM_AUTH_PREPARE);
	cr_expect_eq(outcome_of(fd), SKM_AUTH_OK);
	cr_expect_eq(outcome_of(fd), -1, "hung up");
	(void)close(fd);
	(void)kill(f.pid, SIGSTOP);
	(void)poll(NULL, 0, 600);
	fd = connect_now();
	send_request(fd, SKM_AUTH_VERIFY);
	(void)kill(f.pid, SIGCONT);
	cr_assert(has_ended(10000));
	cr_assert_eq(waitpid(f.pid, NULL, 0), f.pid);
	skm_fd_close(&f.pid_fd);
	run(listen_fd);
	cr_expect_eq(outcome_of(fd), SKM_AUTH_OK);
	(void)close(fd);
	(void)close(listen_fd);
	stop();
}

Test(service, it_does_not_end_while_somebody_is_connected)
{
	start(100);
	int fd = connect_now();
	cr_expect_not(has_ended(600));
	send_request(fd, SKM_AUTH_VERIFY);
	cr_expect_eq(outcome_of(fd), SKM_AUTH_OK);
	(void)close(fd);
	expect_end(10000);
}

Test(service, a_full_log_stops_no_login_and_loses_nothing)
{
	cr_assert_eq(rmdir(f.log), 0);
	start(100);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK);
	cr_expect_not(has_ended(600), "records wait");
	cr_assert_eq(mkdir(f.log, 0750), 0);
	expect_end(20000);
	cr_expect_eq(count_in_log("\"attempt\""), 3u);
	cr_expect_eq(count_in_log("LOG_FULL"), 1u);
	cr_expect_eq(count_in_log("LOG_RESUMED"), 1u);
}

Test(service, who_is_connected_is_answered_before_the_end)
{
	start(0);
	int fd = connect_now();
	cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK); /* so fd is let in */
	(void)kill(f.pid, SIGHUP);
	(void)kill(f.pid, SIGTERM);
	cr_expect_not(has_ended(300));
	send_request(fd, SKM_AUTH_VERIFY);
	cr_expect_eq(outcome_of(fd), SKM_AUTH_OK);
	expect_end(10000);
	(void)close(fd);
	cr_expect_eq(count_in_log("\"attempt\""), 2u);
}

Test(service, records_are_of_the_stream_auth_and_of_this_terminal)
{
	start(0);
	cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK);
	stop();
	/* the attempt between two checkpoints */
	cr_expect_eq(count_in_log("\"stream\":\"auth\""), 3u);
	cr_expect_eq(count_in_log("T-7"), 3u);
	cr_expect_eq(count_in_log("\"reason\":\"start\""), 1u);
	cr_expect_eq(count_in_log("\"reason\":\"stop\""), 1u);
}

/* ---- configuration ---- */

Test(service, a_changed_configuration_is_in_force_at_the_next_request)
{
	start(0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(f.shared->free_tries, 5u);
	tmpdir_write(f.folder, "mfa: { free_tries = \"2\"; require = \"enrolled\"; };", "sekimori.conf");
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(f.shared->free_tries, 2u);
	cr_expect_eq(f.shared->require, SKM_MFA_REQUIRE_ENROLLED);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	stop();
	cr_expect_eq(count_in_log("POLICY_CHANGED"), 1u);
}

Test(service, a_broken_configuration_leaves_the_old_one_in_force_and_is_recorded_once)
{
	start(0);
	tmpdir_write(f.folder, "mfa: { free_tries = \"2\"; };", "sekimori.conf");
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	tmpdir_write(f.folder, "mfa: { free_tries = \"zwei\"; };", "sekimori.conf");
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(f.shared->free_tries, 2u);
	cr_assert_eq(unlink(f.config), 0);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(f.shared->free_tries, 2u);
	tmpdir_write(f.folder, "mfa: { free_tries = \"3\"; };", "sekimori.conf");
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(f.shared->free_tries, 3u);
	stop();
	cr_expect_eq(count_in_log("CONFIG_BROKEN"), 2u, "once for each change");
	cr_expect_eq(count_in_log("zwei"), 1u);
}

Test(service, with_a_broken_configuration_it_stays_for_the_sake_of_the_old_one)
{
	tmpdir_write(f.folder, "mfa: { require = \"enrolled\"; };", "sekimori.conf");
	start(1000);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	tmpdir_write(f.folder, "mfa: { requires = \"enrolled\"; };", "sekimori.conf");
	cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK);
	cr_assert_not(has_ended(2500));
	cr_expect_geq(f.shared->settled, 1u, "what was only counted is recorded all the same");
	cr_expect_eq(count_in_log("\"attempt\""), 1u);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(f.shared->require, SKM_MFA_REQUIRE_ENROLLED);
	tmpdir_write(f.folder, "mfa: { require = \"all\"; };", "sekimori.conf");
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	expect_end(10000);
}

/* It was edited after the service had ended; and what the first boot finds broken, no earlier one explains.
 */
Test(service, the_next_process_has_the_configuration_that_was_right_last)
{
	tmpdir_write(f.folder, "mfa: { require = \"enrolled\"; };", "sekimori.conf");
	start(0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	tmpdir_write(f.folder, "mfa: { require = \"enrolled\"; free_tries = \"2\"; };", "sekimori.conf");
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	stop();
	tmpdir_write(f.folder, "mfa: { requires = \"enrolled\"; };", "sekimori.conf");
	for (unsigned i = 0; i < 2; i++) {
		start(0);
		cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
		cr_expect_eq(f.shared->require, SKM_MFA_REQUIRE_ENROLLED);
		cr_expect_eq(f.shared->free_tries, 2u);
		stop();
	}
	cr_expect_eq(count_in_log("CONFIG_BROKEN"), 2u, "by each process");
	tmpdir_remove(f.fallback); /* a boot */
	start(0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(f.shared->require, SKM_MFA_REQUIRE_ALL);
	stop();
}

Test(service, with_a_broken_configuration_at_start_a_factor_is_required_of_everybody)
{
	tmpdir_write(f.folder, "mfa: { require = \"enrolled\"; free_trys = \"2\"; };", "sekimori.conf");
	start(1000);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(f.shared->require, SKM_MFA_REQUIRE_ALL);
	cr_expect_str_eq(f.shared->version, "builtin");
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	expect_end(10000); /* it holds nothing that the next one would not have */
	cr_expect_eq(count_in_log("CONFIG_BROKEN"), 1u);
}

/* Only whoever has no token depends on who is in the group. */
Test(service, a_directory_that_hangs_is_not_asked_about_groups_before_anybody_is_answered)
{
	tmpdir_write(f.folder, "mfa: { require = [ \"" DISTANT_GROUP "\" ]; };", "sekimori.conf");
	start(0);
	cr_assert_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	tmpdir_write(f.folder, "mfa: { require = [ \"" DISTANT_GROUP "\", \"root\" ]; };", "sekimori.conf");
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	stop();
}

Test(service, a_broken_usb_register_is_no_matter_of_logins)
{
	tmpdir_write(f.folder,
		"usb: { register = \"/no/such/register.csv\"; }; mfa: { free_tries = \"2\"; };",
		"sekimori.conf");
	start(0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(f.shared->free_tries, 2u);
	stop();
	cr_expect_eq(count_in_log("CONFIG_BROKEN"), 0u);
}

Test(service, a_clock_at_the_epoch_does_not_make_a_good_file_a_bad_one)
{
	char text[128];
	time_t soon = time(NULL) + 7 * 86400;
	char date[16];
	struct tm tm;
	(void)strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&soon, &tm));
	(void)snprintf(text, sizeof(text), "mfa: { free_tries = \"2\"; grace_until = \"%s\"; };", date);
	tmpdir_write(f.folder, text, "sekimori.conf");
	f.shared->is_at_the_epoch = true;
	start(0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(f.shared->free_tries, 2u);
	stop();
}

/* ---- the chain ---- */

/* The verifier's key may be set before the chain begins, also while the service runs. */
Test(service, the_first_key_is_sealed_to_the_verifier)
{
	char sealed[100];
	name(sealed, "chain.sealed");
	start(0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	tmpdir_write(f.folder,
		"audit: { checkpoint_interval = \"1min\"; verifier_key = "
		"\"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a\"; };\n",
		"sekimori.conf");
	cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK);
	stop();
	cr_expect_eq(access(sealed, F_OK), 0);
	cr_expect_eq(count_in_log("POLICY_CHANGED"), 1u);
	cr_expect_eq(count_in_log("without a verifier's key"), 0u);
}

Test(service, a_run_continues_the_chain_of_the_one_before)
{
	for (unsigned i = 0; i < 3; i++) {
		start(0);
		cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK);
		stop();
	}
	cr_expect_eq(count_in_log("\"n\":9,"), 1u);
	cr_expect_eq(count_in_log("CHAIN_BROKEN"), 0u);
	cr_expect_eq(count_in_log("\"bn\":1,"), 9u);
	cr_expect_eq(count_in_log("without a verifier's key"), 1u, "said once");
}

/* It lives for a minute at a time, and still its old segments go: before it ends. */
Test(service, old_segments_go_when_it_is_idle)
{
	char first[100];
	name(first, "log/00000001.jsonl");
	tmpdir_write(f.folder,
		"audit: { segment_size = \"64K\"; retention = \"60d\"; };\n"
		"forward: { host = \"192.0.2.1\"; name = \"collector.example\"; };\n",
		"sekimori.conf");
	start(0);
	for (unsigned i = 0; i < 150; i++) {
		f.shared->shift_usec += INT64_C(86400) * 1000000;
		cr_assert_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK);
	}
	stop();
	start(1000);
	cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK);
	expect_end(20000);
	cr_expect_eq(access(first, F_OK), 0, "nobody has collected it");
	tmpdir_write(f.folder, "sekimori-forward 1\nauth segment=2 offset=1 \n", "collected");
	start(1000);
	cr_expect_eq(ask(SKM_AUTH_VERIFY), SKM_AUTH_OK);
	expect_end(20000);
	cr_expect_neq(access(first, F_OK), 0);
	cr_expect_eq(count_in_log("LOG_DELETED"), 1u);
	cr_expect_eq(count_in_log("CHAIN_BROKEN"), 0u);
}

/* ---- key and machine ---- */

Test(service, a_key_that_comes_later_is_found)
{
	cr_assert_eq(unlink(f.key), 0);
	start(0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_not(f.shared->has_key);
	cr_expect(f.shared->has_store);
	tmpdir_write(f.folder, "nonsense\n", "machine.key");
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_not(f.shared->has_key);
	cr_assert_eq(unlink(f.key), 0);
	cr_assert_eq(skm_seal_start(), 0);
	cr_assert_eq(skm_key_create(f.key), 0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect(f.shared->has_key && f.shared->has_store);
	cr_assert_eq(unlink(f.key), 0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_not(f.shared->has_key, "what is sealed with a key that is gone would be lost");
	stop();
}

/* The first half of HMAC-SHA256(machine-id, program's id), computed by Python's hmac. */
static const uint8_t wanted_machine[SKM_MACHINE_ID_BYTES] = {
	0x74, 0xf5, 0x37, 0x19, 0x8f, 0x26, 0x2e, 0xaf, 0xdc, 0x36, 0x4c, 0x88, 0xfc, 0xe5, 0x78, 0x60};

Test(service, the_machine_is_named_by_a_hash)
{
	uint8_t machine[SKM_MACHINE_ID_BYTES] = {0};
	cr_assert_eq(skm_seal_start(), 0);
	cr_assert_eq(skm_machine_id_read(f.machine_id, machine), 0);
	cr_expect_arr_eq(machine, wanted_machine, sizeof(machine));
	start(0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_arr_eq(f.shared->machine, wanted_machine, sizeof(wanted_machine));
	stop();
}

Test(service, what_is_no_machine_id)
{
	static const char *const texts[] = {"", "\n", "uninitialized\n", "0123456789abcdef0123456789abcde\n",
		"0123456789abcdef0123456789abcdeg\n", "0123456789ABCDEF0123456789abcdef\n",
		"0123456789abcdef0123456789abcdef\nx", "00000000000000000000000000000000\n",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"};
	uint8_t machine[SKM_MACHINE_ID_BYTES] = {7};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(texts); i++) {
		tmpdir_write(f.folder, texts[i], "machine-id");
		cr_expect_eq(skm_machine_id_read(f.machine_id, machine), -EBADMSG, "%s", texts[i]);
	}
	cr_assert_eq(unlink(f.machine_id), 0);
	cr_expect_eq(skm_machine_id_read(f.machine_id, machine), -ENOENT);
	cr_expect_eq(machine[0], 7);
	start(0); /* it serves all the same: the answer is the authenticator's */
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	stop();
}

/* ---- the manager ---- */

/* The next word to it, "" when none comes in that time. */
static const char *word(int fd, int timeout_ms)
{
	static char text[32];
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	ssize_t n = poll(&poll_fd, 1, timeout_ms) == 1 ? recv(fd, text, sizeof(text) - 1, 0) : 0;
	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(service, the_watchdog_hears_from_a_service_that_waits_and_not_from_one_that_hangs)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", f.folder);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	(void)setenv("NOTIFY_SOCKET", address.sun_path, 1);
	(void)setenv("WATCHDOG_USEC", "20000", 1);
	start(0);
	cr_expect_str_eq(word(fd, 10000), "READY=1");
	for (unsigned i = 0; i < 3; i++)
		cr_expect_str_eq(word(fd, 10000), "WATCHDOG=1");
	int hung = connect_now();
	send_request(hung, SKM_AUTH_UNLOCK);
	while (f.shared->requests == 0)
		(void)word(fd, 10000);
	while (*word(fd, 500)) /* those that were sent before */
		;
	cr_expect_str_empty(word(fd, 100), "it hangs, and says that it does not");
	(void)kill(f.pid, SIGKILL);
	(void)waitpid(f.pid, NULL, 0);
	(void)close(hung);
}

/* ---- the clock ---- */

Test(service, a_jump_of_the_clock_is_recorded)
{
	start(0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	f.shared->shift_usec = 3600 * (int64_t)SKM_USEC_PER_SEC;
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	f.shared->shift_usec = 0;
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	stop();
	cr_expect_eq(count_in_log("CLOCK_JUMP"), 2u);
	cr_expect_eq(count_in_log("moved by +3600 s") + count_in_log("moved by +3599 s"), 1u);
	cr_expect_eq(count_in_log("moved by -3600 s") + count_in_log("moved by -3599 s"), 1u);
}

Test(service, small_steps_of_the_clock_add_up)
{
	start(0);
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	f.shared->shift_usec = 40 * (int64_t)SKM_USEC_PER_SEC;
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	cr_expect_eq(count_in_log("CLOCK_JUMP"), 0u);
	f.shared->shift_usec = 80 * (int64_t)SKM_USEC_PER_SEC;
	cr_expect_eq(ask(SKM_AUTH_PREPARE), SKM_AUTH_OK);
	stop();
	cr_expect_eq(count_in_log("CLOCK_JUMP"), 1u);
}
