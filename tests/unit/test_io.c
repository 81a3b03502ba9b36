// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sekimori/io.h"

static char folder[64];

static void make_folder(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/skm-test-io-XXXXXX");
	cr_assert(mkdtemp(folder) != NULL);
}

static void remove_folder(void)
{
	char command[128];
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert(system(command) == 0);
}

static const char *path_of(const char *name)
{
	static char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const void *data, size_t len, mode_t mode)
{
	SKM_CLEANUP(skm_fd_close)
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert(fd >= 0);
	cr_assert(skm_fd_write_all(fd, data, len) == 0);
	cr_assert(fchmod(fd, mode) == 0);
}

TestSuite(io, .init = make_folder, .fini = remove_folder);

Test(io, read_at_counts_binary_bytes_and_terminates)
{
	write_file("a", "x\0y", 3, 0600);
	SKM_CLEANUP(skm_fd_close) int dirfd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char buf[4] = "zzz";
	size_t len = 99;
	cr_assert(skm_file_read_at(dirfd, "a", buf, sizeof(buf), &len) == 0);
	cr_assert(len == 3 && memcmp(buf, "x\0y", 4) == 0);
}

Test(io, read_at_refuses_what_does_not_fit)
{
	write_file("a", "abcd", 4, 0600);
	char buf[5];
	size_t len = 99;
	cr_assert(skm_file_read_at(AT_FDCWD, path_of("a"), buf, 4, &len) == -EFBIG);
	cr_assert(len == 99);
	cr_assert(skm_file_read_at(AT_FDCWD, path_of("a"), buf, 5, &len) == 0 && len == 4);
	cr_assert(skm_file_read_at(AT_FDCWD, path_of("a"), buf, 0, &len) == -EINVAL);
	cr_assert(skm_file_read_at(AT_FDCWD, path_of("none"), buf, 5, &len) == -ENOENT);
	cr_assert(skm_file_read_at(AT_FDCWD, folder, buf, 5, &len) == -EISDIR);
}

Test(io, trusted_reads_the_whole_file)
{
	static char large[300000];
	memset(large, 'k', sizeof(large));
	write_file("a", large, sizeof(large), 0644);
	char *text = NULL;
	size_t len = 0;
	cr_assert(skm_file_read_trusted(path_of("a"), sizeof(large), &text, &len) == 0);
	cr_assert(len == sizeof(large) && memcmp(text, large, len) == 0 && text[len] == '\0');
	free(text);
	write_file("empty", "", 0, 0600);
	cr_assert(skm_file_read_trusted(path_of("empty"), 0, &text, &len) == 0);
	cr_assert(len == 0 && text[0] == '\0');
	free(text);
}

static int trusted(const char *name, size_t max)
{
	char *text = NULL;
	size_t len = 77;
	int r = skm_file_read_trusted(path_of(name), max, &text, &len);
	cr_assert(r != 0 ? text == NULL && len == 77 : text != NULL, "outputs are untouched on failure");
	free(text);
	return r;
}

Test(io, trusted_refuses_by_mode)
{
	static const struct {
		mode_t mode;
		int result;
	} cases[] = {{0600, 0}, {0640, 0}, {0644, 0}, {0755, 0}, {0660, SKM_FILE_WRITABLE_BY_OTHERS},
		{0602, SKM_FILE_WRITABLE_BY_OTHERS}, {0666, SKM_FILE_WRITABLE_BY_OTHERS}};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++) {
		write_file("a", "text", 4, cases[i].mode);
		cr_assert(trusted("a", 10) == cases[i].result, "mode %o", cases[i].mode);
	}
}

Test(io, trusted_refuses_what_is_no_plain_file, .timeout = 20)
{
	write_file("a", "text", 4, 0600);
	cr_assert(symlink("a", path_of("link")) == 0);
	cr_assert(mkfifo(path_of("fifo"), 0600) == 0);
	cr_assert(mkdir(path_of("dir"), 0700) == 0);
	cr_assert(trusted("link", 10) == SKM_FILE_SYMLINK);
	cr_assert(trusted("fifo", 10) == SKM_FILE_NOT_REGULAR, "and it does not wait for a writer");
	cr_assert(trusted("dir", 10) == SKM_FILE_NOT_REGULAR);
	cr_assert(trusted("none", 10) == -ENOENT);
	cr_assert(trusted("a", 4) == 0);
	cr_assert(trusted("a", 3) == SKM_FILE_TOO_LARGE);
	char *text = NULL;
	size_t len = 0;
	cr_assert(skm_file_read_trusted("/dev/null", 10, &text, &len) == SKM_FILE_NOT_REGULAR);
}

Test(io, trusted_refuses_another_owner)
{
	if (geteuid() != 0)
		cr_skip_test("only root can give a file away");
	write_file("a", "text", 4, 0644);
	cr_assert(chown(path_of("a"), 4242, 4242) == 0);
	cr_assert(trusted("a", 10) == SKM_FILE_WRONG_OWNER);
	/* the same file is fine for its owner, and root's file for everybody */
	write_file("b", "text", 4, 0644);
	cr_assert(chmod(folder, 0755) == 0);
	pid_t child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		char *text = NULL;
		size_t len = 0;
		bool is_fine = setresuid(4242, 4242, 4242) == 0 &&
			       skm_file_read_trusted(path_of("a"), 10, &text, &len) == 0 &&
			       skm_file_read_trusted(path_of("b"), 10, &text, &len) == 0;
		_exit(is_fine ? 0 : 1);
	}
	int status = 0;
	cr_assert(waitpid(child, &status, 0) == child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void on_signal(int number)
{
	(void)number;
}

Test(io, write_all_goes_on_after_a_short_write, .timeout = 60)
{
	/* A signal makes write(2) to a full pipe return what it has written so far. */
	int fds[2];
	cr_assert(pipe2(fds, O_CLOEXEC) == 0);
	const int capacity = fcntl(fds[0], F_GETPIPE_SZ);
	static char data[500000];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i % 251);
	struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
	cr_assert(sigaction(SIGUSR1, &action, NULL) == 0);
	pid_t child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		close(fds[0]);
		_exit(skm_fd_write_all(fds[1], data, sizeof(data)) == 0 ? 0 : 1);
	}
	close(fds[1]);
	int filled = 0;
	while (filled < capacity && filled < (int)sizeof(data))
		cr_assert(ioctl(fds[0], FIONREAD, &filled) == 0);
	cr_assert(kill(child, SIGUSR1) == 0);
	static char back[2 * sizeof(data)];
	size_t len = 0;
	cr_assert(skm_fd_read_all(fds[0], back, sizeof(back), &len) == 0);
	close(fds[0]);
	int status = 0;
	cr_assert(waitpid(child, &status, 0) == child && status == 0);
	cr_assert(len == sizeof(data) && memcmp(data, back, len) == 0);
}

Test(io, write_all_hands_up_the_error)
{
	SKM_CLEANUP(skm_fd_close) int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	cr_assert(skm_fd_write_all(fd, "x", 1) == -ENOSPC);
	cr_assert(skm_fd_write_all(-1, "x", 1) == -EBADF);
	cr_assert(skm_fd_write_all(-1, "", 0) == 0);
	char back[1];
	size_t len = 7;
	cr_assert(skm_fd_read_all(-1, back, sizeof(back), &len) == -EBADF && len == 7);
}

Test(utf8, sequences)
{
	static const struct {
		char text[8];
		size_t given, length;
	} cases[] = {
		{"a", 1, 1},
		{"\x7f", 1, 1},
		{"\xc2\x80", 2, 2},
		{"\xdf\xbf", 2, 2},
		{"\xe0\xa0\x80", 3, 3},
		{"\xed\x9f\xbf", 3, 3},
		{"\xef\xbf\xbf", 3, 3},
		{"\xf0\x90\x80\x80", 4, 4},
		{"\xf4\x8f\xbf\xbf", 4, 4},
		{"", 0, 0},
		{"\x80", 1, 0},	    /* a continuation first */
		{"\xc0\xaf", 2, 0}, /* overlong slash */
		{"\xc1\xbf", 2, 0},
		{"\xe0\x9f\xbf", 3, 0},	    /* overlong */
		{"\xed\xa0\x80", 3, 0},	    /* surrogate */
		{"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong */
		{"\xf4\x90\x80\x80", 4, 0}, /* U+110000 */
		{"\xf5\x80\x80\x80", 4, 0},
		{"\xff", 1, 0},
		{"\xe3\x81\x82", 2, 0}, /* cut off */
		{"\xe3\x81", 3, 0},	/* a NUL in it */
		{"\xf0\x90\x80", 3, 0},
	};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(cases); i++)
		cr_assert(skm_utf8_sequence((const unsigned char *)cases[i].text, cases[i].given) ==
				  cases[i].length,
			"case %zu", i);
}

Test(utf8, text)
{
	cr_assert(skm_utf8_is_valid("市民課", strlen("市民課")));
	cr_assert(skm_utf8_is_valid("", 0));
	cr_assert(skm_utf8_is_valid("a\0b", 3));
	cr_assert(!skm_utf8_is_valid("市民課", strlen("市民課") - 1));
	cr_assert(!skm_utf8_is_valid("\x8e\x73", 2), "Shift_JIS");
}
