// SPDX-License-Identifier: Apache-2.0
#include "fake_people.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "otp_code.h"

struct people_faults people_faults;

/* ---- system calls ---- */

static bool is_on_disk(int fd)
{
	char link[64], path[512] = "";
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, path, sizeof(path) - 1) < 0 || !strstr(path, "/fallback");
}

static bool fails(enum people_call call, int fd)
{
	people_faults.calls[call]++;
	errno = people_faults.everywhere_error;
	if (errno != 0) {
		if (people_faults.everywhere_error_calls > 0 && --people_faults.everywhere_error_calls == 0)
			people_faults.everywhere_error = 0;
		return true;
	}
	if (people_faults.disk_error == 0 || !is_on_disk(fd))
		return false;
	if (people_faults.disk_error_after > 0) {
		people_faults.disk_error_after--;
		return false;
	}
	errno = people_faults.disk_error;
	return true;
}

static int try_openat(int dirfd, const char *name, int flags, mode_t mode)
{
	people_faults.calls[PEOPLE_OPEN]++;
	return openat(dirfd, name, flags, mode);
}

static ssize_t try_pread(int fd, void *buf, size_t size, off_t offset)
{
	people_faults.calls[PEOPLE_READ]++;
	return pread(fd, buf, size, offset);
}

static ssize_t try_pwrite(int fd, const void *data, size_t len, off_t offset)
{
	return fails(PEOPLE_WRITE, fd) ? -1 : pwrite(fd, data, len, offset);
}

/* No test cuts the power, so nothing is learnt by waiting for the disk. */
static int try_sync(int fd)
{
	return fails(PEOPLE_SYNC, fd) ? -1 : 0;
}

static int try_fallocate(int fd, int mode, off_t offset, off_t len)
{
	people_faults.calls[PEOPLE_OTHER]++;
	return fallocate(fd, mode, offset, len);
}

static int try_renameat(int olddirfd, const char *oldname, int newdirfd, const char *newname)
{
	people_faults.calls[PEOPLE_OTHER]++;
	return renameat(olddirfd, oldname, newdirfd, newname);
}

static int try_unlinkat(int dirfd, const char *name, int flags)
{
	people_faults.calls[PEOPLE_OTHER]++;
	return unlinkat(dirfd, name, flags);
}

static int try_fstat(int fd, struct stat *ret_stat)
{
	people_faults.calls[PEOPLE_OTHER]++;
	return fstat(fd, ret_stat);
}

/* What is not listed is the system's. */
static void make_ops(struct skm_store_ops *ret_ops)
{
	*ret_ops = skm_store_ops_system;
	ret_ops->openat = try_openat;
	ret_ops->pread = try_pread;
	ret_ops->pwrite = try_pwrite;
	ret_ops->fdatasync = try_sync;
	ret_ops->fsync = try_sync;
	ret_ops->fallocate = try_fallocate;
	ret_ops->renameat = try_renameat;
	ret_ops->unlinkat = try_unlinkat;
	ret_ops->fstat = try_fstat;
}

/* ---- the name service ---- */

static const struct {
	const char *name;
	uint32_t uid;
	const char *groups;
} accounts[] = {
	{"root", ROOT, ""},
	{"alice", ALICE, "tax"},
	{"bob", BOB, ""},
	{"carol", CAROL, "sekimori-helpdesk"},
	{"dave", DAVE, "sekimori-auditor"},
	{"erin", ERIN, "sekimori-admin"},
};

static int uid_of(void *user, const char *name, uint32_t *ret_uid)
{
	const struct people *people = user;
	if (people->lookup_error)
		return people->lookup_error;
	cr_assert(skm_user_name_is_possible(name), "the name service was asked for an impossible name");
	if (people->alias && strcmp(name, people->alias) == 0)
		name = "alice";
	if (people->renamed && strcmp(name, "alice") == 0)
		return -ENOENT;
	if (people->renamed && strcmp(name, people->renamed) == 0)
		name = "alice";
	for (size_t i = 0; i < SKM_ARRAY_SIZE(accounts); i++) {
		if (strcmp(accounts[i].name, name) == 0) {
			*ret_uid = accounts[i].uid;
			return 0;
		}
	}
	return -ENOENT;
}

static int name_of(void *user, uint32_t uid, char *ret_name, size_t size)
{
	const struct people *people = user;
	if (people->lookup_error)
		return people->lookup_error;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(accounts); i++) {
		if (accounts[i].uid == uid) {
			(void)snprintf(ret_name, size, "%s",
				uid == ALICE && people->renamed ? people->renamed : accounts[i].name);
			return 0;
		}
	}
	return -ENOENT;
}

static int is_member(void *user, const char *name, const char *group)
{
	const struct people *people = user;
	if (people->lookup_error)
		return people->lookup_error;
	for (size_t i = 0; i < SKM_ARRAY_SIZE(accounts); i++) {
		if (strcmp(accounts[i].name, name) == 0)
			return strcmp(accounts[i].groups, group) == 0;
	}
	return -ENOENT;
}

/* ---- clock and recorder ---- */

static void read_clock(void *user, struct skm_timestamp *ret_now)
{
	const struct people *people = user;
	*ret_now = people->now;
}

static void keep_record(void *user, const struct skm_record *record)
{
	struct people *people = user;
	cr_assert_lt(people->record_count, PEOPLE_RECORDS);
	cr_assert_str_eq(record->stream, "auth");
	people->records[people->record_count++] = *record;
}

static int flush(void *user)
{
	struct people *people = user;
	people->flushes++;
	if (people->flush_error)
		return people->flush_error;
	people->flushed = people->record_count;
	return 0;
}

/* ---- making ---- */

static void open_store(struct people *people)
{
	struct skm_authenticator *authenticator = &people->authenticator;
	struct skm_store_options options = {
		.folder = people->state_folder,
		.fallback_folder = people->fallback_folder,
		.ops = &people->ops,
		.key = authenticator->key,
		.free_tries = people->config->mfa.free_tries,
	};
	for (size_t i = 0; i < 16; i++) {
		unsigned byte = 0;
		(void)sscanf(authenticator->boot_id + 2 * i, "%2x", &byte);
		options.boot_id[i] = (uint8_t)byte;
	}
	memcpy(options.machine, authenticator->machine, sizeof(options.machine));
	cr_assert_eq(skm_store_new(&options, &authenticator->store), 0);
}

void people_make(struct people *people)
{
	memset(people, 0, sizeof(*people));
	memset(&people_faults, 0, sizeof(people_faults));
	make_ops(&people->ops);
	tmpdir_make(people->folder);
	(void)snprintf(people->state_folder, sizeof(people->state_folder), "%s/mfa", people->folder);
	(void)snprintf(
		people->fallback_folder, sizeof(people->fallback_folder), "%s/fallback", people->folder);
	cr_assert_eq(mkdir(people->state_folder, 0700), 0);
	cr_assert_eq(mkdir(people->fallback_folder, 0700), 0);
	cr_assert_eq(skm_seal_start(), 0);
	cr_assert_eq(skm_config_default(&people->config), 0);
	memset(people->key.bytes, 7, sizeof(people->key.bytes));
	memset(people->key.id, 8, sizeof(people->key.id));
	people->now = (struct skm_timestamp){
		.realtime_usec = PEOPLE_NOW_SEC * (int64_t)SKM_USEC_PER_SEC,
		.boottime_usec = 5000 * SKM_USEC_PER_SEC,
		.monotonic_usec = 5000 * SKM_USEC_PER_SEC,
		.is_synchronised = true,
		.utc_offset_sec = 9 * 3600,
	};
	people->authenticator = (struct skm_authenticator){
		.config = people->config,
		.users = {.uid_of = uid_of, .name_of = name_of, .is_member = is_member, .user = people},
		.clock = {.now = read_clock, .user = people},
		.boot_id = "00112233445566778899aabbccddeeff",
		.machine = {1, 2, 3},
		.key = &people->key,
		.record = keep_record,
		.flush = flush,
		.user = people,
	};
	open_store(people);
}

void people_restart(struct people *people)
{
	struct skm_authenticator *authenticator = &people->authenticator;
	skm_authenticator_settle(authenticator);
	authenticator->store = skm_store_free(authenticator->store);
	memset(&authenticator->tally, 0, sizeof(authenticator->tally));
	authenticator->latest_sec = 0;
	authenticator->is_degraded = false;
	open_store(people);
}

void people_remove(struct people *people)
{
	people->authenticator.store = skm_store_free(people->authenticator.store);
	people->config = skm_config_free(people->config);
	tmpdir_remove(people->folder);
}

/* ---- asking ---- */

struct skm_peer people_peer(enum people_uid uid)
{
	return (struct skm_peer){
		.uid = uid,
		.pid = 4242,
		.login_uid = uid == ROOT ? SKM_LOGIN_UID_UNSET : uid,
		.is_admin = uid == ROOT || uid == ERIN,
		.is_helpdesk = uid == CAROL,
		.is_reader = uid == CAROL || uid == DAVE || uid == ERIN || uid == ROOT,
	};
}

struct skm_peer people_sudo(enum people_uid login_uid)
{
	struct skm_peer peer = people_peer(ROOT);
	peer.login_uid = login_uid;
	return peer;
}

static void write_some(struct skm_auth_writer *writer, enum skm_auth_tag tag, uint64_t value, uint64_t minus)
{
	if (value > 0)
		skm_auth_write_number(writer, tag, value - minus);
}

static void write_request(struct skm_auth_writer *writer, const struct people_request *request)
{
	skm_auth_write_text(writer, SKM_AUTH_TAG_USER, request->user);
	skm_auth_write_text(writer, SKM_AUTH_TAG_SERVICE, request->service);
	if (request->answer)
		skm_auth_write_bytes(writer, SKM_AUTH_TAG_ANSWER, request->answer,
			request->answer_len ? request->answer_len : strlen(request->answer));
	if (request->answer2)
		skm_auth_write_bytes(
			writer, SKM_AUTH_TAG_ANSWER2, request->answer2, strlen(request->answer2));
	skm_auth_write_text(writer, SKM_AUTH_TAG_REASON, request->reason);
	skm_auth_write_text(writer, SKM_AUTH_TAG_LABEL, request->label);
	if (request->secret)
		skm_auth_write_bytes(writer, SKM_AUTH_TAG_SECRET, request->secret, request->secret_len);
	if (request->ticket)
		skm_auth_write_bytes(writer, SKM_AUTH_TAG_TICKET, request->ticket, request->ticket_len);
	write_some(writer, SKM_AUTH_TAG_FLAGS, request->flags, 0);
	write_some(writer, SKM_AUTH_TAG_TYPE, request->type, 1);
	write_some(writer, SKM_AUTH_TAG_ALGORITHM, request->algorithm, 1);
	write_some(writer, SKM_AUTH_TAG_DIGITS, request->digits, 0);
	write_some(writer, SKM_AUTH_TAG_PERIOD, request->period, 0);
	write_some(writer, SKM_AUTH_TAG_COUNTER, request->counter, 0);
	write_some(writer, SKM_AUTH_TAG_TOKEN, request->token, 0);
	write_some(writer, SKM_AUTH_TAG_DAYS, request->days, 0);
}

static int take_answer(void *user, const struct skm_auth_writer *packet)
{
	struct people *people = user;
	memcpy(people->packet_bytes, packet->buf, packet->len);
	cr_assert_eq(skm_auth_packet_parse(people->packet_bytes, packet->len, &people->answer), 0);
	people->answers++;
	if (people->answer.code == SKM_AUTH_MORE) {
		size_t len = strlen(people->listed);
		(void)snprintf(
			people->listed + len, sizeof(people->listed) - len, "%s\n", people_text(people));
	}
	return 0;
}

enum skm_auth_outcome people_ask(struct people *people, struct skm_peer peer,
	enum skm_auth_operation operation, const struct people_request *request)
{
	struct skm_auth_writer writer;
	struct skm_auth_packet packet;
	skm_auth_write_begin(&writer, (uint8_t)operation);
	write_request(&writer, request);
	cr_assert_eq(skm_auth_write_end(&writer), 0);
	cr_assert_eq(skm_auth_packet_parse(writer.buf, writer.len, &packet), 0);
	people->answers = 0;
	people->listed[0] = '\0';
	cr_assert_eq(
		skm_authenticator_answer(&people->authenticator, &peer, &packet, take_answer, people), 0);
	cr_assert_gt(people->answers, 0);
	cr_assert_neq(people->answer.code, SKM_AUTH_MORE, "the last packet says that more follow");
	return (enum skm_auth_outcome)people->answer.code;
}

enum skm_auth_outcome people_verify(struct people *people, const char *user, const char *answer)
{
	return people_ask(people, people_peer(ROOT), SKM_AUTH_VERIFY,
		&(struct people_request){.user = user, .service = "login", .answer = answer});
}

static uint32_t code_of(const struct people *people, int steps)
{
	uint64_t step = skm_otp_step(people->now.realtime_usec / (int64_t)SKM_USEC_PER_SEC, 30);
	return skm_otp_code(SKM_OTP_SHA256, (const uint8_t *)PEOPLE_SECRET, strlen(PEOPLE_SECRET),
		step + (uint64_t)(int64_t)steps, 6);
}

const char *people_code(const struct people *people, int steps, char ret_code[16])
{
	(void)snprintf(ret_code, 16, "%06u", code_of(people, steps));
	return ret_code;
}

const char *people_wrong_code(const struct people *people, char ret_code[16])
{
	/* None of those near now. */
	uint32_t code = 0;
	for (int steps = -8; steps <= 8; steps++) {
		if (code_of(people, steps) == code) {
			code++;
			steps = -9;
		}
	}
	(void)snprintf(ret_code, 16, "%06u", code);
	return ret_code;
}

void people_enrol(struct people *people, const char *user)
{
	cr_assert_eq(people_ask(people, people_peer(ROOT), SKM_AUTH_IMPORT,
			     &(struct people_request){.user = user,
				     .label = "phone",
				     .secret = PEOPLE_SECRET,
				     .secret_len = strlen(PEOPLE_SECRET)}),
		SKM_AUTH_OK);
	people_forget(people);
}

void people_advance(struct people *people, int64_t sec)
{
	people->now.realtime_usec += sec * (int64_t)SKM_USEC_PER_SEC;
	people->now.boottime_usec += (uint64_t)sec * SKM_USEC_PER_SEC;
	people->now.monotonic_usec += (uint64_t)sec * SKM_USEC_PER_SEC;
}

void people_forget(struct people *people)
{
	people->record_count = people->flushed = 0;
	people->flushes = 0;
	memset(people_faults.calls, 0, sizeof(people_faults.calls));
}

const char *people_text(struct people *people)
{
	static char text[SKM_AUTH_PACKET_MAX];
	(void)skm_auth_packet_text(&people->answer, SKM_AUTH_TAG_TEXT, text, sizeof(text));
	return text;
}

uint64_t people_number(const struct people *people, enum skm_auth_tag tag)
{
	return skm_auth_packet_number(&people->answer, tag, UINT64_MAX);
}

size_t people_count(const struct people *people, enum skm_event event)
{
	size_t count = 0;
	for (size_t i = 0; i < people->record_count; i++)
		count += people->records[i].event == event;
	return count;
}

const struct skm_record *people_only(const struct people *people, enum skm_event event)
{
	const struct skm_record *found = NULL;
	if (people_count(people, event) != 1)
		return NULL;
	for (size_t i = 0; i < people->record_count; i++) {
		if (people->records[i].event == event)
			found = &people->records[i];
	}
	return found;
}

void people_expect_untold(const struct people *people, const char *text)
{
	for (size_t i = 0; i < people->record_count; i++)
		cr_assert_null(memmem(&people->records[i], sizeof(people->records[i]), text, strlen(text)),
			"%s", text);
}
