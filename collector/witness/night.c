// SPDX-License-Identifier: Apache-2.0
/* One night, in an order that makes every step repeatable: judge the entries that there are, verify, write
 * the heads and the report, sign, append, print. An entry covers all days since the one before, so that no
 * day can fall between two entries, also after a week in which this host was off. Nothing is witnessed that
 * is still being copied, and no day twice unless an administrator says so, which the entry then says too. */
#include "night.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "days.h"
#include "form.h"
#include "heads.h"
#include "sekimori/verify_command.h"
#include "state.h"
#include "verdict.h"

#define REPORT_BYTES_MAX ((size_t)128 << 20)
#define SAY(japanese, english) skm_text(night->language, japanese, english)

struct work {
	const struct skm_witness_night *night;
	int statefd, recordsfd, lockfd;
	struct skm_witness_key key;
	struct skm_witness_book book;
	struct skm_witness_days days;
	struct skm_witness_heads heads;
	struct skm_witness_verdict verdict;
	struct skm_witness_entry entry; /* being made */
	uint64_t changed;		/* entries whose files are not what they were */
	char **arguments;		/* owned, each too */
	size_t argument_count, argument_room;
};

static void work_finish(struct work *work)
{
	for (size_t i = 0; i < work->argument_count; i++)
		free(work->arguments[i]);
	free(work->arguments);
	skm_chain_wipe(&work->key, sizeof(work->key));
	skm_witness_book_finish(&work->book);
	skm_witness_days_finish(&work->days);
	skm_witness_heads_finish(&work->heads);
	skm_fd_close(&work->statefd);
	skm_fd_close(&work->recordsfd);
	skm_fd_close(&work->lockfd);
}

int skm_witness_fail(FILE *out, const char *name, const char *what, const char *object, int error)
{
	(void)fprintf(out, "%s: %s %s: %s\n", name, what, object, error ? strerrordesc_np(error) : "?");
	return SKM_VERIFY_EXIT_UNKNOWN;
}

const char *skm_witness_fault_describe(enum skm_witness_fault fault, enum skm_language language)
{
	switch (fault) {
	case SKM_WITNESS_FAULT_FORM:
		return skm_text(language, "この形式の行ではありません", "it is no line of this file");
	case SKM_WITNESS_FAULT_ROOT:
		return skm_text(language, "内容が証明値と一致しません (書き換え)",
			"its root is not that of its contents: it was changed");
	case SKM_WITNESS_FAULT_SIGNATURE:
		return skm_text(language, "署名が正しくありません", "its signature is wrong");
	case SKM_WITNESS_FAULT_KEY:
		return skm_text(language, "前の行と違う鍵で署名されています",
			"it is signed with another key than the line before");
	case SKM_WITNESS_FAULT_NUMBER:
		return skm_text(language, "番号が続いていません", "its number is not the next one");
	case SKM_WITNESS_FAULT_PREVIOUS:
		return skm_text(language, "前の行の証明値につながりません",
			"it does not continue from the line before");
	case SKM_WITNESS_FAULT_DAYS:
		return skm_text(
			language, "日付が抜けているか、重複しています", "a day is missing or is there twice");
	case SKM_WITNESS_FAULT_NONE:
	case SKM_WITNESS_FAULT_COUNT_:
	default:
		return skm_text(language, "異常ありません", "it is right");
	}
}

/* ---- what is there ---- */

static int open_folder(const struct skm_witness_night *night, const char *path, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return skm_witness_fail(night->out, night->name,
			SAY("フォルダーを開けません:", "cannot open the folder"), path, errno);
	*ret_fd = fd;
	return 0;
}

static int load_key(struct work *work)
{
	const struct skm_witness_night *night = work->night;
	SKM_CLEANUP(skm_free) char *path = NULL;
	if (asprintf(&path, "%s/witness.key", night->etc_path) < 0) {
		path = NULL;
		return SKM_VERIFY_EXIT_UNKNOWN;
	}
	int r = skm_witness_key_load(path, &work->key);
	if (r == 0)
		return 0;
	if (r == SKM_WITNESS_KEY_EXPOSED)
		(void)fprintf(night->out,
			SAY("%s: %s は所有者以外も読み書きできます。chmod 600 で直し、漏れていないか確認してください\n",
				"%s: others than its owner may read or write %s; chmod 600, and ask who has read it\n"),
			night->name, path);
	else if (r == SKM_WITNESS_KEY_FORM)
		(void)fprintf(night->out,
			SAY("%s: %s は署名鍵ではありません\n", "%s: %s is no signing key\n"), night->name,
			path);
	else
		(void)skm_witness_fail(night->out, night->name,
			SAY("署名鍵を読めません:", "cannot read the signing key"), path, -r);
	return SKM_VERIFY_EXIT_UNKNOWN;
}

static int take_lock(struct work *work)
{
	const struct skm_witness_night *night = work->night;
	work->lockfd = openat(work->statefd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (work->lockfd >= 0 && flock(work->lockfd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return skm_witness_fail(night->out, night->name,
		SAY("実行中のものがあるか、書けません:", "another run is at work, or cannot write in"),
		night->state_path, errno);
}

static int load_book(struct work *work)
{
	const struct skm_witness_night *night = work->night;
	int r = skm_witness_book_load(work->statefd, &work->book);
	if (r < 0)
		return skm_witness_fail(night->out, night->name, SAY("読めません:", "cannot read"),
			SKM_WITNESS_BOOK_NAME, -r);
	if (work->book.fault != SKM_WITNESS_FAULT_NONE) {
		(void)fprintf(night->out,
			SAY("%s: witness.jsonl の%zu行目: %s。証明は続けません\n",
				"%s: witness.jsonl, line %zu: %s; nothing is witnessed\n"),
			night->name, work->book.count + 1,
			skm_witness_fault_describe(work->book.fault, night->language));
		return SKM_WITNESS_EXIT_CHANGED;
	}
	if (work->book.torn_bytes > 0)
		(void)fprintf(night->out,
			SAY("witness.jsonl の最後の行が途中で切れています (%zu バイト、書き込み中の電源断)。作り直します\n",
				"witness.jsonl ends with an unfinished line (%zu bytes, a power cut while writing); "
				"it is made anew\n"),
			work->book.torn_bytes);
	if (work->book.count > 0 &&
		memcmp(work->book.entries[0].key, work->key.public_key, sizeof(work->key.public_key)) != 0) {
		(void)fprintf(night->out,
			SAY("%s: 署名鍵が witness.jsonl の鍵と違います。新しい鍵には新しいフォルダーを使います\n",
				"%s: the signing key is not that of witness.jsonl; a new key begins a new folder\n"),
			night->name);
		return SKM_WITNESS_EXIT_CHANGED;
	}
	return 0;
}

static int prepare(struct work *work)
{
	const struct skm_witness_night *night = work->night;
	int exit_code = open_folder(night, night->state_path, &work->statefd);
	if (exit_code == 0)
		exit_code = open_folder(night, night->records_path, &work->recordsfd);
	if (exit_code == 0)
		exit_code = take_lock(work);
	if (exit_code == 0)
		exit_code = load_key(work);
	if (exit_code == 0)
		exit_code = load_book(work);
	if (exit_code != 0)
		return exit_code;
	int r = skm_witness_days_list(work->recordsfd, &work->days);
	return r < 0 ? skm_witness_fail(night->out, night->name, SAY("読めません:", "cannot read"),
			       night->records_path, -r)
		     : 0;
}

/* Are the files of earlier nights still what was witnessed? */
static int judge_earlier(struct work *work)
{
	const struct skm_witness_night *night = work->night;
	for (size_t i = 0; i < work->book.count; i++) {
		const struct skm_witness_entry *entry = &work->book.entries[i];
		char day[SKM_WITNESS_DAY_BYTES];
		if (!skm_witness_book_counts(&work->book, i) || entry->number == night->again)
			continue;
		int r = skm_witness_days_compare(&work->days, entry);
		if (r < 0)
			return skm_witness_fail(night->out, night->name, SAY("読めません:", "cannot read"),
				night->records_path, -r);
		if (r == SKM_WITNESS_SAME || (r == SKM_WITNESS_GONE && night->may_begin_late))
			continue;
		work->changed++;
		skm_witness_day_format(entry->last_day, day);
		(void)fprintf(night->out,
			SAY("%s: 証明 %" PRIu64 " (%s まで) の日別ファイルが、証明した時から変わりました\n",
				"%s: the day files of entry %" PRIu64
				" (up to %s) are not what was witnessed\n"),
			night->name, entry->number, day);
	}
	return 0;
}

/* ---- which days ---- */

enum { DAYS_NEW, DAYS_KNOWN, DAYS_NONE };

static uint64_t days_between(uint32_t first, uint32_t last)
{
	uint64_t count = 0;
	for (; first < last; first = skm_witness_day_after(first))
		count++;
	return count;
}

static void no_days(struct work *work, int *ret_exit)
{
	const struct skm_witness_night *night = work->night;
	char day[SKM_WITNESS_DAY_BYTES];
	skm_witness_day_format(night->day, day);
	const struct skm_witness_entry *last =
		work->book.count > 0 ? &work->book.entries[work->book.count - 1] : NULL;
	uint64_t waiting = last ? days_between(work->book.last_day, night->day) : UINT64_MAX;
	(void)fprintf(night->out,
		SAY("%s までの新しい日別ファイルがありません。コピーされましたか\n",
			"there is no new day file up to %s; was it copied?\n"),
		day);
	/* A quiet week-end does not make last Friday's finding good. */
	*ret_exit = !last || waiting > night->idle_days ? SKM_VERIFY_EXIT_UNKNOWN : (int)last->exit_code;
}

static int choose_days(struct work *work, int *ret_exit)
{
	const struct skm_witness_night *night = work->night;
	struct skm_witness_entry *entry = &work->entry;
	char asked[SKM_WITNESS_DAY_BYTES], last[SKM_WITNESS_DAY_BYTES];
	if (night->again > 0) {
		if (night->again > work->book.count) {
			(void)fprintf(night->out,
				SAY("%s: そのような証明はありません\n", "%s: there is no such entry\n"),
				night->name);
			*ret_exit = SKM_VERIFY_EXIT_USAGE;
			return DAYS_NONE;
		}
		entry->again = night->again;
		entry->first_day = work->book.entries[night->again - 1].first_day;
		entry->last_day = work->book.entries[night->again - 1].last_day;
		return DAYS_NEW;
	}
	skm_witness_day_format(night->day, asked);
	skm_witness_day_format(work->book.last_day, last);
	if (night->day == work->book.last_day)
		return DAYS_KNOWN;
	if (night->day < work->book.last_day) {
		(void)fprintf(night->out,
			SAY("%s: %s までと言われましたが、%s まで証明済みです。時計が戻っていませんか。何もしません\n",
				"%s: up to %s was asked for, and %s is witnessed already; was the clock set back? "
				"Nothing is done\n"),
			night->name, asked, last);
		*ret_exit = SKM_VERIFY_EXIT_UNKNOWN;
		return DAYS_NONE;
	}
	/* Up to the last day that has a file: a clock that runs ahead must not claim days to come. */
	for (size_t i = 0; i < work->days.count; i++) {
		uint32_t day = work->days.files[i].day;
		if (day <= work->book.last_day || day > night->day)
			continue;
		entry->first_day = entry->first_day ? entry->first_day : day;
		entry->last_day = day;
	}
	if (entry->last_day == 0) {
		no_days(work, ret_exit);
		return DAYS_NONE;
	}
	if (work->book.last_day)
		entry->first_day = skm_witness_day_after(work->book.last_day);
	return DAYS_NEW;
}

/* ---- verification ---- */

static int argue(struct work *work, const char *folder, const char *text)
{
	if (work->argument_count + 1 >= work->argument_room) {
		size_t room = work->argument_room ? 2 * work->argument_room : 32;
		char **wider = reallocarray(work->arguments, room, sizeof(*wider));
		if (!wider)
			return -ENOMEM;
		work->arguments = wider;
		work->argument_room = room;
	}
	char *copy = NULL;
	if (asprintf(&copy, "%s%s%s", folder ? folder : "", folder ? "/" : "", text) < 0)
		return -ENOMEM;
	work->arguments[work->argument_count++] = copy;
	work->arguments[work->argument_count] = NULL;
	return 0;
}

static int is_sealed(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');
	return entry->d_name[0] != '.' && dot && strcmp(dot, ".sealed") == 0;
}

/* The verifier's key, and all that is sealed to it. */
static int argue_keys(struct work *work)
{
	const struct skm_witness_night *night = work->night;
	SKM_CLEANUP(skm_free) char *folder = NULL;
	struct dirent **names = NULL;
	if (asprintf(&folder, "%s/sealed", night->etc_path) < 0) {
		folder = NULL;
		return -ENOMEM;
	}
	int count = scandir(folder, &names, is_sealed, alphasort);
	if (count < 0)
		return -errno;
	int r = argue(work, NULL, "--key");
	if (r == 0)
		r = argue(work, night->etc_path, "verifier.key");
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = argue(work, NULL, "--sealed");
		if (r == 0)
			r = argue(work, folder, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return r;
}

/* Last night's heads: what was seen then must be there. */
static int argue_watermarks(struct work *work)
{
	char name[SKM_WITNESS_NAME_BYTES];
	uint8_t root[SKM_WITNESS_HASH_BYTES];
	if (work->book.count == 0)
		return 0;
	const struct skm_witness_entry *last = &work->book.entries[work->book.count - 1];
	skm_witness_name(last->number, "heads", name);
	int r = skm_witness_heads_load(&work->heads, work->statefd, name);
	if (r < 0)
		return r;
	skm_witness_heads_root(&work->heads, root);
	if (memcmp(root, last->heads_root, sizeof(root)) != 0)
		return -EBADMSG;
	r = argue(work, NULL, "--watermarks");
	return r == 0 ? argue(work, work->night->state_path, name) : r;
}

static int argue_all(struct work *work)
{
	const struct skm_witness_night *night = work->night;
	int r = argue(work, NULL, night->verifier_path);
	if (r == 0)
		r = argue(work, NULL, "--json");
	if (r == 0)
		r = argue(work, NULL, "--mixed");
	if (r == 0 && night->may_begin_late)
		r = argue(work, NULL, "--begins-late");
	if (r == 0 && night->heartbeat)
		r = argue(work, NULL, "--heartbeat");
	if (r == 0 && night->heartbeat)
		r = argue(work, NULL, night->heartbeat);
	if (r == 0)
		r = night->is_chain_only ? argue(work, NULL, "--chain-only") : argue_keys(work);
	if (r == 0)
		r = argue_watermarks(work);
	if (r == 0)
		r = argue(work, NULL, "--");
	uint32_t last =
		work->entry.last_day > work->book.last_day ? work->entry.last_day : work->book.last_day;
	for (size_t i = 0; r == 0 && i < work->days.count; i++) {
		if (work->days.files[i].day <= last)
			r = argue(work, night->records_path, work->days.files[i].name);
	}
	return r;
}

/* Into NNNNNN.report.json of the entry to be. */
static int run_verifier(struct work *work)
{
	char name[SKM_WITNESS_NAME_BYTES];
	SKM_CLEANUP(skm_free) char *report = NULL;
	size_t len = 0;
	int exit_code = 0;
	skm_witness_name(work->entry.number, "report.json", name);
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(work->statefd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	int r = skm_witness_program_run(work->arguments, fd, -1, &exit_code);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0)
		r = skm_witness_file_read(work->statefd, name, REPORT_BYTES_MAX, &report, &len);
	return r == 0 ? skm_witness_verdict_read(report, len, exit_code, &work->heads, &work->verdict) : r;
}

static int verify(struct work *work)
{
	const struct skm_witness_night *night = work->night;
	int r = argue_all(work);
	if (r < 0)
		return skm_witness_fail(night->out, night->name,
			SAY("検証の準備ができません (鍵、前夜の位置):",
				"cannot prepare the verification (keys, last night's heads) in"),
			night->etc_path, -r);
	r = run_verifier(work);
	return r < 0 ? skm_witness_fail(night->out, night->name, SAY("検証できません:", "cannot verify with"),
			       night->verifier_path, -r)
		     : 0;
}

/* ---- the entry ---- */

static void fill_entry(struct work *work)
{
	struct skm_witness_entry *entry = &work->entry;
	const struct skm_witness_entry *before =
		work->book.count > 0 ? &work->book.entries[work->book.count - 1] : NULL;
	time_t now = time(NULL);
	struct tm utc;
	if (!gmtime_r(&now, &utc) ||
		strftime(entry->made, sizeof(entry->made), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		(void)snprintf(entry->made, sizeof(entry->made), "1970-01-01T00:00:00Z");
	if (before)
		memcpy(entry->previous, before->root, sizeof(entry->previous));
	entry->changed = work->changed;
	entry->chains = work->heads.count;
	entry->is_complete = work->verdict.is_complete;
	entry->exit_code = work->verdict.exit_code;
	memcpy(entry->findings, work->verdict.findings, sizeof(entry->findings));
	memcpy(entry->report_hash, work->verdict.report_hash, sizeof(entry->report_hash));
	memcpy(entry->key, work->key.public_key, sizeof(entry->key));
	skm_witness_entry_root(entry, entry->root);
	skm_witness_sign(&work->key, entry->root, entry->signature);
}

static int write_entry(struct work *work)
{
	const struct skm_witness_night *night = work->night;
	char name[SKM_WITNESS_NAME_BYTES];
	skm_witness_name(work->entry.number, "heads", name);
	skm_witness_heads_root(&work->heads, work->entry.heads_root);
	int r = skm_witness_heads_store(&work->heads, work->statefd, name);
	fill_entry(work);
	if (r == 0)
		r = skm_witness_book_append(
			work->statefd, &skm_witness_append_ops_system, &work->book, &work->entry);
	return r < 0 ? skm_witness_fail(night->out, night->name, SAY("書けません:", "cannot write in"),
			       night->state_path, -r)
		     : 0;
}

/* Nothing is witnessed that is not whole. */
static int sum_days(struct work *work)
{
	const struct skm_witness_night *night = work->night;
	const char *file = night->records_path;
	int r = skm_witness_days_sum(&work->days, &work->entry, &file);
	if (r < 0)
		return skm_witness_fail(night->out, night->name, SAY("読めません:", "cannot read"), file, -r);
	if (r == 0)
		return 0;
	(void)fprintf(night->out,
		SAY("%s: %s の最後の行が途中です。コピーが終わってからもう一度実行してください。証明は作りません\n",
			"%s: %s ends within a line; run again when it is copied. Nothing is witnessed\n"),
		night->name, file);
	return SKM_VERIFY_EXIT_UNKNOWN;
}

static int print_form(const struct work *work, const struct skm_witness_entry *entry)
{
	const struct skm_witness_night *night = work->night;
	char name[SKM_WITNESS_NAME_BYTES];
	const uint8_t *earlier = entry->again > 0 ? work->book.entries[entry->again - 1].root : NULL;
	skm_witness_form_print(night->out, entry, earlier);
	skm_witness_name(entry->number, "txt", name);
	int fd = openat(work->statefd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file) {
		int error = errno;
		skm_fd_close(&fd);
		return skm_witness_fail(
			night->out, night->name, SAY("書けません:", "cannot write"), name, error);
	}
	skm_witness_form_print(file, entry, earlier);
	bool is_written = fflush(file) == 0 && !ferror(file);
	int error = errno;
	(void)fclose(file);
	return is_written ? 0
			  : skm_witness_fail(
				    night->out, night->name, SAY("書けません:", "cannot write"), name, error);
}

static int make_entry(struct work *work)
{
	work->entry.number = work->book.count + 1;
	int exit_code = sum_days(work);
	if (exit_code == 0)
		exit_code = verify(work);
	if (exit_code == 0)
		exit_code = write_entry(work);
	if (exit_code == 0)
		exit_code = print_form(work, &work->entry);
	return exit_code == 0 ? (int)work->entry.exit_code : exit_code;
}

static int work_do(struct work *work)
{
	int exit_code = prepare(work);
	if (exit_code == 0)
		exit_code = judge_earlier(work);
	if (exit_code != 0)
		return exit_code;
	switch (choose_days(work, &exit_code)) {
	case DAYS_NEW:
		exit_code = make_entry(work);
		break;
	case DAYS_KNOWN: {
		const struct skm_witness_entry *last =
			skm_witness_book_find(&work->book, work->book.last_day);
		exit_code = print_form(work, last);
		exit_code = exit_code == 0 ? (int)last->exit_code : exit_code;
		break;
	}
	default:
		break;
	}
	return work->changed > 0 ? SKM_WITNESS_EXIT_CHANGED : exit_code;
}

int skm_witness_night_run(const struct skm_witness_night *night)
{
	struct work work = {.night = night, .statefd = -1, .recordsfd = -1, .lockfd = -1};
	int exit_code = work_do(&work);
	work_finish(&work);
	return exit_code;
}
