// SPDX-License-Identifier: Apache-2.0
/* The chain's state on a real file, with system calls that fail on command. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "stream_world.h"

TestSuite(chain_file, .init = stream_world_make, .fini = stream_world_remove);

static char other_path[STREAM_PATH_BYTES + 16];

static const char *beside(const char *suffix)
{
	snprintf(other_path, sizeof(other_path), "%s%s", stream_chain_path, suffix);
	return other_path;
}

static int open_with(const uint8_t *verifier_key, struct skm_chain_file **file, struct skm_chain *chain)
{
	return skm_chain_file_open_with_ops(stream_chain_path, verifier_key, &chain_faulty, file, chain);
}

static int open_it(struct skm_chain_file **file, struct skm_chain *chain)
{
	return open_with(stream_verifier_key, file, chain);
}

/* A file, closed again, with so many records in it. */
static struct skm_chain make(unsigned records)
{
	struct skm_chain_file *file = NULL;
	struct skm_chain chain;
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	cr_assert_eq(open_it(&file, &chain), SKM_CHAIN_FILE_NEW);
	for (unsigned i = 0; i < records; i++) {
		skm_chain_extend(&chain, "{", 1, mac);
		cr_assert_eq(skm_chain_file_write(file, &chain, false), 0);
	}
	cr_expect_null(skm_chain_file_close(file));
	return chain;
}

static void expect_state(const struct skm_chain *expected)
{
	struct skm_chain_file *file = NULL;
	struct skm_chain chain;
	cr_assert_eq(open_it(&file, &chain), 0);
	cr_expect_eq(memcmp(&chain, expected, sizeof(chain)), 0);
	skm_chain_file_close(file);
}

static void spoil(off_t offset, size_t len)
{
	static const char garbage[8192] = {1, 2, 3};
	int fd = open(stream_chain_path, O_WRONLY | O_CLOEXEC);
	cr_assert_eq(pwrite(fd, garbage, len, offset), (ssize_t)len);
	close(fd);
}

static unsigned count_sealed(void)
{
	FILE *file = fopen(beside(".sealed"), "re");
	unsigned lines = 0;
	for (int c; file && (c = fgetc(file)) != EOF;)
		lines += c == '\n';
	if (file)
		fclose(file);
	return lines;
}

Test(chain_file, is_made_and_found_again)
{
	struct skm_chain chain = make(3);
	cr_expect_eq(chain.sequence, 3);
	expect_state(&chain);
	struct stat st;
	cr_assert_eq(stat(stream_chain_path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect_eq(st.st_size, 4096 + 512);
	cr_expect_neq(access(beside(".new"), F_OK), 0);
	cr_assert_eq(stat(beside(".sealed"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
}

Test(chain_file, close_takes_null)
{
	cr_expect_null(skm_chain_file_close(NULL));
}

Test(chain_file, the_first_key_is_sealed_to_the_verifier)
{
	struct skm_chain_file *file = NULL;
	struct skm_chain chain;
	uint8_t sealed[SKM_CHAIN_SEALED_KEY_BYTES], key[SKM_CHAIN_KEY_BYTES];
	char id[2 * SKM_CHAIN_ID_BYTES + 1], line[400] = "";
	cr_assert_eq(open_it(&file, &chain), SKM_CHAIN_FILE_NEW);
	skm_hex_format(chain.id, sizeof(chain.id), id);
	FILE *text = fopen(beside(".sealed"), "re");
	cr_assert_not_null(fgets(line, sizeof(line), text));
	fclose(text);
	cr_assert_eq(strncmp(line, id, strlen(id)), 0);
	cr_assert_eq(strlen(line), strlen(id) + 1 + 2 * sizeof(sealed) + 1);
	for (size_t i = 0; i < sizeof(sealed); i++)
		cr_assert_eq(sscanf(line + strlen(id) + 1 + 2 * i, "%2hhx", &sealed[i]), 1);
	cr_assert_eq(skm_chain_open_key(stream_verifier_key, stream_verifier_secret, sealed, key), 0);
	cr_expect_eq(memcmp(key, chain.key, sizeof(key)), 0);
	skm_chain_file_close(file);
}

Test(chain_file, without_a_verifier_nothing_is_sealed)
{
	struct skm_chain_file *file = NULL;
	struct skm_chain chain;
	cr_assert_eq(open_with(NULL, &file, &chain), SKM_CHAIN_FILE_NEW);
	skm_chain_file_close(file);
	cr_expect_neq(access(beside(".sealed"), F_OK), 0);
}

/* A key that was used is not to be found anywhere in the file. */
Test(chain_file, no_former_key_stays_readable)
{
	struct skm_chain_file *file = NULL;
	struct skm_chain chain;
	uint8_t mac[SKM_CHAIN_MAC_BYTES], bytes[8192];
	cr_assert_eq(open_it(&file, &chain), SKM_CHAIN_FILE_NEW);
	for (unsigned i = 0; i < 5; i++) {
		struct skm_chain before = chain;
		skm_chain_extend(&chain, "{", 1, mac);
		cr_assert_eq(skm_chain_file_write(file, &chain, i % 2), 0);
		int fd = open(stream_chain_path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, bytes, sizeof(bytes));
		close(fd);
		cr_expect_null(memmem(bytes, (size_t)n, before.key, sizeof(before.key)), "record %u", i);
		cr_expect_not_null(memmem(bytes, (size_t)n, chain.key, sizeof(chain.key)));
	}
	skm_chain_file_close(file);
}

/* ---- damage ---- */

Test(chain_file, either_slot_will_do)
{
	struct skm_chain chain = make(2);
	spoil(0, 512);
	expect_state(&chain);
	struct skm_chain_file *file = NULL;
	cr_assert_eq(open_it(&file, &chain), 0);
	cr_assert_eq(skm_chain_file_write(file, &chain, true), 0);
	skm_chain_file_close(file);
	spoil(4096, 512);
	expect_state(&chain);
}

Test(chain_file, the_newer_slot_counts)
{
	struct skm_chain chain = make(2);
	struct skm_chain_file *file = NULL;
	uint8_t mac[SKM_CHAIN_MAC_BYTES];
	cr_assert_eq(open_it(&file, &chain), 0);
	skm_chain_extend(&chain, "{", 1, mac);
	/* fstat, lock, open and two reads of slots are behind us: the second write of two fails */
	stream_heal();
	stream_faults.first = stream_faults.last = 2;
	cr_assert_eq(skm_chain_file_write(file, &chain, false), -EIO);
	stream_heal();
	skm_chain_file_close(file);
	expect_state(&chain);
}

Test(chain_file, any_changed_byte_spoils_a_slot)
{
	make(1);
	for (off_t offset = 0; offset < 512; offset += 7) {
		char byte = 0;
		int fd = open(stream_chain_path, O_RDWR | O_CLOEXEC);
		for (unsigned slot = 0; slot < 2; slot++) {
			cr_assert_eq(pread(fd, &byte, 1, offset + slot * 4096), 1);
			byte ^= 4;
			cr_assert_eq(pwrite(fd, &byte, 1, offset + slot * 4096), 1);
		}
		close(fd);
		struct skm_chain_file *file = NULL;
		struct skm_chain chain;
		cr_assert_eq(open_it(&file, &chain), SKM_CHAIN_FILE_DAMAGED, "byte %ld", (long)offset);
		cr_expect_eq(chain.sequence, 0);
		skm_chain_file_close(file);
	}
}

Test(chain_file, a_damaged_one_is_kept_and_another_chain_begun)
{
	static const size_t lengths[] = {0, 1, 511, 512};
	struct skm_chain before = make(1), chain;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(lengths); i++) {
		struct skm_chain_file *file = NULL;
		struct stat st;
		spoil(0, 8);
		cr_assert_eq(truncate(stream_chain_path, (off_t)lengths[i]), 0);
		cr_assert_eq(open_it(&file, &chain), SKM_CHAIN_FILE_DAMAGED, "%zu bytes", lengths[i]);
		cr_expect_neq(memcmp(chain.id, before.id, sizeof(chain.id)), 0);
		skm_chain_file_close(file);
		cr_assert_eq(stat(beside(".damaged"), &st), 0);
		cr_expect_eq(st.st_size, (off_t)lengths[i]);
		expect_state(&chain);
	}
	cr_expect_eq(count_sealed(), 5, "the keys of former chains are kept");
}

Test(chain_file, follows_no_link_and_waits_for_no_pipe)
{
	struct skm_chain_file *file = NULL;
	struct skm_chain chain;
	char target[STREAM_PATH_BYTES + 16];
	snprintf(target, sizeof(target), "%s", beside(".elsewhere"));
	cr_assert_eq(symlink(target, stream_chain_path), 0);
	cr_expect_eq(open_it(&file, &chain), SKM_CHAIN_FILE_DAMAGED);
	skm_chain_file_close(file);
	cr_expect_neq(access(target, F_OK), 0);
	cr_assert_eq(unlink(stream_chain_path), 0);
	cr_assert_eq(mkfifo(stream_chain_path, 0600), 0);
	cr_expect_eq(open_it(&file, &chain), SKM_CHAIN_FILE_DAMAGED);
	skm_chain_file_close(file);
}

Test(chain_file, the_mode_is_mended)
{
	struct skm_chain chain = make(1);
	struct stat st;
	cr_assert_eq(chmod(stream_chain_path, 0644), 0);
	expect_state(&chain);
	cr_assert_eq(stat(stream_chain_path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
}

/* ---- two at once ---- */

Test(chain_file, belongs_to_one_process)
{
	struct skm_chain_file *file = NULL;
	struct skm_chain chain;
	cr_assert_eq(open_it(&file, &chain), SKM_CHAIN_FILE_NEW);
	pid_t pid = fork();
	if (pid == 0) {
		struct skm_chain_file *other = NULL;
		_exit(open_it(&other, &chain) == -EWOULDBLOCK && !other ? 0 : 1);
	}
	int status = -1;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	skm_chain_file_close(file);
	expect_state(&chain);
}

/* ---- faults ---- */

/* Whatever fails while it is made: it is made the next time, whole, and its key is among the sealed ones. */
static unsigned make_with_faults(unsigned first, unsigned last, bool is_short)
{
	struct skm_chain_file *file = NULL;
	struct skm_chain chain = {.sequence = 77};
	stream_world_empty();
	stream_heal();
	stream_faults.first = first;
	stream_faults.last = last;
	stream_faults.is_short = is_short;
	int r = open_it(&file, &chain);
	unsigned calls = stream_faults.total;
	stream_heal();
	if (r < 0) {
		cr_expect_null(file);
		cr_expect_eq(chain.sequence, 77, "an output was touched");
		r = open_it(&file, &chain);
	}
	cr_assert_geq(r, 0, "fault %u", first);
	skm_chain_file_close(file);
	expect_state(&chain);
	char id[2 * SKM_CHAIN_ID_BYTES + 1], line[400];
	bool is_sealed = false;
	skm_hex_format(chain.id, sizeof(chain.id), id);
	FILE *text = fopen(beside(".sealed"), "re");
	while (text && fgets(line, sizeof(line), text)) {
		cr_expect_eq(strlen(line), 32u + 1 + 160 + 1, "half a line");
		is_sealed = is_sealed || strncmp(line, id, strlen(id)) == 0;
	}
	if (text)
		fclose(text);
	cr_expect(is_sealed, "fault %u", first);
	return calls;
}

Test(chain_file, any_fault_while_it_is_made)
{
	unsigned calls = make_with_faults(0, 0, false);
	cr_assert_gt(calls, 12);
	for (unsigned k = 1; k <= calls; k++) {
		make_with_faults(k, k, false);
		make_with_faults(k, k, true);
		make_with_faults(k, k + 2, true);
	}
}

Test(chain_file, a_fault_while_it_is_opened_loses_nothing)
{
	struct skm_chain chain = make(3);
	for (unsigned k = 1; k <= 5; k++) {
		struct skm_chain_file *file = NULL;
		struct skm_chain found;
		stream_heal();
		stream_faults.first = stream_faults.last = k;
		int r = open_it(&file, &found);
		stream_heal();
		cr_expect_eq(r, -EIO, "call %u", k);
		expect_state(&chain);
	}
	cr_expect_eq(count_sealed(), 1);
}

Test(chain_file, a_folder_that_is_not_there_is_not_made)
{
	struct skm_chain_file *file = NULL;
	struct skm_chain chain;
	cr_expect_eq(skm_chain_file_open("/nowhere/to/be/found/chain", NULL, &file, &chain), -ENOENT);
}
