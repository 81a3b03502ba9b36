// SPDX-License-Identifier: Apache-2.0
/* The order of things: take in, write evidence, sync, keep, answer. Only the day files are synced for an
 * answer. Everything else (ledger, index) is made again from them: a start reads what stands behind the last
 * snapshot, which is half a minute of records.
 *
 * A database as the first store was rejected: it would have to be up for an answer to be given, and evidence
 * that a program can update is none. It is loaded from the files, whenever it is there. */
#include "store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "aside.h"
#include "print_index.h"
#include "sekimori/log.h"
#include "snapshot.h"

#define RESERVE_BYTES ((off_t)4 << 20) /* given up when the disk is full, so that this can be told */
#define SNAPSHOT_USEC (30 * SKM_USEC_PER_SEC)
#define SNAPSHOT_SOON_USEC SKM_USEC_PER_SEC
#define WATCH_USEC (10 * SKM_USEC_PER_SEC)
#define FOREIGN_USEC (60 * SKM_USEC_PER_SEC)
#define REPLAY_GROUP 4096
#define ANSWER_BYTES 160

struct skm_store {
	struct skm_store_options options;
	int folderfd, recordsfd, asidefd, indexfd, lockfd;
	struct skm_day_files *records, *aside;
	struct skm_print_index *index;
	struct skm_ledger *ledger;
	struct skm_alarms *alarms;
	/* of the message or transaction at hand */
	struct skm_text record_lines, aside_lines;
	struct skm_notice *notices;
	size_t notice_count, notice_size;
	bool is_in_transaction;
	bool is_broken;	  /* the transaction: a part of it was forgotten, so none may be committed */
	uint64_t foreign; /* in it */

	uint64_t foreign_untold;
	struct skm_notice last_foreign;
	bool is_open, is_failing, is_index_failing, has_reserve, is_dirty;
	struct skm_timestamp opened;
	uint64_t snapshot_usec, watch_usec, foreign_usec; /* when next */
	uint64_t replayed;
	char answer[ANSWER_BYTES];
};

void skm_store_options_default(struct skm_store_options *options)
{
	*options = (struct skm_store_options){.sendmail = "/usr/sbin/sendmail",
		.silent_after_sec = 1200,
		.clock = skm_clock_system(),
		.ops = &skm_day_ops_system};
}

static struct skm_timestamp now(const struct skm_store *store)
{
	struct skm_timestamp time;
	store->options.clock.now(store->options.clock.user, &time);
	return time;
}

/* Wall time at the opening and what has gone by since: silence is measured with it, and a clock that is set
 * right must not silence a thousand terminals. */
static int64_t listening_sec(const struct skm_store *store, const struct skm_timestamp *time)
{
	int64_t usec =
		store->opened.realtime_usec + (int64_t)(time->boottime_usec - store->opened.boottime_usec);
	return usec / (int64_t)SKM_USEC_PER_SEC;
}

static uint32_t day_of(const struct skm_timestamp *time)
{
	time_t local = (time_t)(time->realtime_usec / (int64_t)SKM_USEC_PER_SEC) + time->utc_offset_sec;
	struct tm date;
	if (!gmtime_r(&local, &date) || date.tm_year < 70 || date.tm_year > 8099)
		return 19700101;
	return (uint32_t)(date.tm_year + 1900) * 10000 + (uint32_t)(date.tm_mon + 1) * 100 +
	       (uint32_t)date.tm_mday;
}

/* ---- what is told ---- */

static void on_notice(void *user, const struct skm_notice *notice)
{
	struct skm_store *store = user;
	if (store->notice_count == store->notice_size) {
		size_t size = store->notice_size ? store->notice_size * 2 : 16;
		struct skm_notice *notices = reallocarray(store->notices, size, sizeof(*notices));
		if (!notices) {
			skm_log(SKM_SEVERITY_ALERT, "no memory to tell %s of %s",
				skm_notice_to_string(notice->kind), notice->terminal);
			return;
		}
		store->notices = notices;
		store->notice_size = size;
	}
	store->notices[store->notice_count++] = *notice;
}

static void tell_all(struct skm_store *store, const struct skm_timestamp *time)
{
	if (store->notice_count == 0)
		return;
	for (size_t i = 0; i < store->notice_count; i++) {
		skm_alarms_raise(store->alarms, &store->notices[i]);
		/* The records alone do not show it again after a restart; told once a chain, so it is rare.
		 */
		if (store->notices[i].kind == SKM_NOTICE_FORK)
			store->snapshot_usec = 0;
	}
	store->notice_count = 0;
	/* It waits in memory when it fails, and stderr has told. */
	(void)!skm_alarms_flush(store->alarms);
	/* So that a restart does not tell again. */
	if (store->snapshot_usec > time->boottime_usec + SNAPSHOT_SOON_USEC)
		store->snapshot_usec = time->boottime_usec + SNAPSHOT_SOON_USEC;
}

/* The first is told at once, what follows within a minute as a number: a port scanner, or one broken
 * terminal, sends thousands. */
static void tell_foreign(struct skm_store *store, const struct skm_timestamp *time)
{
	if (store->foreign_untold == 0 || time->boottime_usec < store->foreign_usec)
		return;
	struct skm_notice *notice = &store->last_foreign;
	(void)snprintf(notice->text, sizeof(notice->text),
		"%" PRIu64 " messages or records that are none were put aside", store->foreign_untold);
	on_notice(store, notice);
	store->foreign_untold = 0;
	store->foreign_usec = time->boottime_usec + FOREIGN_USEC;
}

/* ---- one message ---- */

static int put_aside(struct skm_store *store, enum skm_notice_kind why, const struct skm_wire *wire,
	const char *bytes, size_t len)
{
	struct skm_timestamp time = now(store);
	int r = skm_aside_add(&store->aside_lines, &time, skm_notice_to_string(why), wire, bytes, len);
	if (r < 0 || why != SKM_NOTICE_FOREIGN)
		return r;
	store->foreign++;
	store->last_foreign = (struct skm_notice){.kind = SKM_NOTICE_FOREIGN};
	(void)snprintf(store->last_foreign.terminal, sizeof(store->last_foreign.terminal), "%s",
		wire->terminal[0] ? wire->terminal : wire->address);
	memcpy(store->last_foreign.stream, wire->stream, sizeof(wire->stream));
	return 0;
}

static int take_record(
	struct skm_store *store, const struct skm_wire *wire, int64_t heard_sec, const char *line, size_t len)
{
	struct skm_facts facts;
	enum skm_judgement judgement = SKM_JUDGED_ASIDE;
	struct skm_arrival arrival = {wire->terminal, wire->stream, wire->address, heard_sec};
	/* A stream of another name than the envelope's is somebody's mistake or trick, and no record of it.
	 */
	if (skm_facts_parse(line, len, &facts) < 0 || strcmp(facts.stream, wire->stream) != 0)
		return put_aside(store, SKM_NOTICE_FOREIGN, wire, line, len);
	int r = skm_ledger_take(store->ledger, &facts, &arrival, &judgement);
	if (r < 0 || judgement == SKM_JUDGED_DROP)
		return r;
	if (judgement != SKM_JUDGED_STORE)
		return put_aside(store, judgement == SKM_JUDGED_FORK ? SKM_NOTICE_FORK : SKM_NOTICE_MISMATCH,
			wire, line, len);
	r = skm_print_index_add(store->index, facts.chain_id, facts.sequence, facts.hash);
	if (r == 0)
		r = skm_text_add(&store->record_lines, line, len);
	if (r == 0)
		r = skm_text_add(&store->record_lines, "\n", 1);
	return r;
}

static int take_message(struct skm_store *store, char *line, size_t len)
{
	struct skm_wire wire;
	const char *record = NULL;
	size_t record_len = 0;
	struct skm_timestamp time = now(store);
	int64_t heard_sec = listening_sec(store, &time);
	skm_wire_parse(line, len, &wire);
	if (!wire.is_ours || wire.payload_len == 0)
		return put_aside(store, SKM_NOTICE_FOREIGN, &wire, wire.payload, wire.payload_len);
	while (skm_wire_next(&wire, &record, &record_len)) {
		int r = take_record(store, &wire, heard_sec, record, record_len);
		if (r < 0)
			return r;
	}
	return 0;
}

/* As if none of it had come: it will come again. */
static void forget(struct skm_store *store)
{
	skm_ledger_undo(store->ledger);
	skm_print_index_drop(store->index);
	store->record_lines.len = store->aside_lines.len = 0;
	store->notice_count = 0;
	store->foreign = 0;
}

static int make_reserve(struct skm_store *store)
{
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(store->folderfd, "reserve", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? errno : posix_fallocate(fd, 0, RESERVE_BYTES);
	store->has_reserve = r == 0;
	return -r;
}

static void begin_failing(struct skm_store *store, int error)
{
	if (store->is_failing)
		return;
	struct skm_timestamp time = now(store);
	struct skm_notice notice = {.kind = SKM_NOTICE_DISK};
	store->is_failing = true;
	(void)unlinkat(store->folderfd, "reserve", 0);
	store->has_reserve = false;
	(void)snprintf(notice.text, sizeof(notice.text),
		"the collector cannot store records (%s); nothing is acknowledged, the terminals keep theirs",
		strerrordesc_np(-error));
	on_notice(store, &notice);
	tell_all(store, &time);
}

static void save(struct skm_store *store)
{
	struct skm_timestamp time = now(store);
	struct skm_day_position end = skm_day_files_end(store->records);
	/* A state in front of its index would hide what the index lacks. */
	int r = skm_print_index_flush(store->index);
	if (r == 0)
		r = skm_print_index_sync(store->index);
	if (r == 0)
		r = skm_snapshot_save(store->folderfd, store->ledger, &end);
	if (r == 0)
		store->is_dirty = false;
	else
		skm_log(SKM_SEVERITY_WARNING, "cannot save the state: %s; a restart will read more records",
			strerrordesc_np(-r));
	store->snapshot_usec = time.boottime_usec + SNAPSHOT_USEC;
}

static int commit(struct skm_store *store)
{
	struct skm_timestamp time = now(store);
	int r = 0;
	if (store->aside_lines.len > 0)
		r = skm_day_files_append(
			store->aside, day_of(&time), store->aside_lines.data, store->aside_lines.len);
	if (r == 0 && store->record_lines.len > 0)
		r = skm_day_files_append(
			store->records, day_of(&time), store->record_lines.data, store->record_lines.len);
	if (r < 0) {
		forget(store);
		begin_failing(store, r);
		return r;
	}
	store->record_lines.len = store->aside_lines.len = 0;
	store->is_failing = false;
	store->is_dirty = true;
	store->foreign_untold += store->foreign;
	store->foreign = 0;
	skm_ledger_keep(store->ledger);
	r = skm_print_index_flush(store->index);
	if (r < 0 && !store->is_index_failing)
		skm_log(SKM_SEVERITY_ALERT, "cannot write the index of hashes: %s", strerrordesc_np(-r));
	store->is_index_failing = r < 0;
	tell_foreign(store, &time);
	tell_all(store, &time);
	if (store->snapshot_usec == 0)
		save(store);
	return 0;
}

/* ---- omprog's protocol ---- */

static const char *refuse(struct skm_store *store, int error)
{
	(void)snprintf(
		store->answer, sizeof(store->answer), "ERROR: cannot store: %s", strerrordesc_np(-error));
	return store->answer;
}

static bool is_line(const char *line, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(line, word, len) == 0;
}

/* A transaction that was not committed is forgotten: rsyslog sends all of it again. */
const char *skm_store_line(struct skm_store *store, char *line, size_t len)
{
	if (is_line(line, len, "BEGIN TRANSACTION")) {
		forget(store);
		store->is_in_transaction = true;
		store->is_broken = false;
		return "OK";
	}
	int r = 0;
	if (is_line(line, len, "COMMIT TRANSACTION")) {
		store->is_in_transaction = false;
		r = store->is_broken ? -ECANCELED : commit(store);
		store->is_broken = false;
		return r < 0 ? refuse(store, r) : "OK";
	}
	r = store->is_broken ? -ECANCELED : take_message(store, line, len);
	if (r < 0) {
		store->is_broken = store->is_in_transaction;
		forget(store);
		return refuse(store, r);
	}
	if (store->is_in_transaction)
		return "DEFER_COMMIT";
	r = commit(store);
	return r < 0 ? refuse(store, r) : "OK";
}

/* ---- now and then ---- */

void skm_store_tick(struct skm_store *store)
{
	struct skm_timestamp time = now(store);
	/* What is half taken in must not be saved. */
	if (store->is_in_transaction)
		return;
	if (time.boottime_usec >= store->watch_usec) {
		store->watch_usec = time.boottime_usec + WATCH_USEC;
		skm_ledger_watch(store->ledger, listening_sec(store, &time),
			listening_sec(store, &store->opened), store->options.silent_after_sec);
		store->is_dirty |= store->notice_count > 0;
		if (!store->has_reserve && !store->is_failing)
			(void)!make_reserve(store);
	}
	tell_foreign(store, &time);
	tell_all(store, &time);
	skm_alarms_tick(store->alarms);
	if (!store->is_dirty || time.boottime_usec < store->snapshot_usec)
		return;
	save(store);
}

/* ---- the beginning and the end ---- */

static int open_folder(int folderfd, const char *name, int *ret_fd)
{
	if (mkdirat(folderfd, name, 0750) < 0 && errno != EEXIST)
		return -errno;
	int fd = openat(folderfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int open_folders(struct skm_store *store)
{
	int unused = -1;
	int r = open_folder(AT_FDCWD, store->options.folder, &store->folderfd);
	if (r == 0)
		r = open_folder(store->folderfd, "records", &store->recordsfd);
	if (r == 0)
		r = open_folder(store->folderfd, "aside", &store->asidefd);
	if (r == 0)
		r = open_folder(store->folderfd, "index", &store->indexfd);
	if (r == 0)
		r = open_folder(store->folderfd, "log", &unused);
	skm_fd_close(&unused);
	if (r < 0)
		return r;
	store->lockfd = openat(store->folderfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lockfd < 0)
		return -errno;
	if (flock(store->lockfd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return fsync(store->folderfd) < 0 ? -errno : 0;
}

static int replay_line(
	void *user, const char *line, size_t len, const struct skm_day_position *at, const struct stat *file)
{
	struct skm_store *store = user;
	struct skm_facts facts;
	enum skm_judgement judgement = SKM_JUDGED_ASIDE;
	struct skm_arrival arrival = {"", "", "", file->st_mtim.tv_sec};
	if (skm_facts_parse(line, len, &facts) < 0) {
		struct skm_notice notice = {.kind = SKM_NOTICE_EDIT};
		char name[SKM_DAY_NAME_BYTES];
		skm_day_name(at->day, at->part, name);
		(void)snprintf(notice.text, sizeof(notice.text),
			"the collector's own file records/%s holds at byte %" PRIu64 " what is no record",
			name, at->offset);
		on_notice(store, &notice);
		return 0;
	}
	int r = skm_ledger_take(store->ledger, &facts, &arrival, &judgement);
	if (r == 0 && judgement == SKM_JUDGED_STORE)
		r = skm_print_index_add(store->index, facts.chain_id, facts.sequence, facts.hash);
	skm_ledger_keep(store->ledger);
	store->replayed++;
	if (r == 0 && store->replayed % REPLAY_GROUP == 0)
		r = skm_print_index_flush(store->index);
	return r;
}

static int read_back(struct skm_store *store)
{
	struct skm_day_position position = {.day = 0};
	char detail[160];
	int r = skm_snapshot_load(store->folderfd, store->ledger, &position);
	if (r < 0)
		return r;
	bool is_rebuilt = r != 0;
	r = skm_day_files_read(store->recordsfd, &position, replay_line, store, &position);
	if (r == 0)
		r = skm_print_index_flush(store->index);
	if (r < 0)
		return r;
	/* Everything was told when it happened; only what the last half minute showed may not have been. */
	if (is_rebuilt)
		store->notice_count = 0;
	(void)snprintf(detail, sizeof(detail), "started; %s, %" PRIu64 " records read back",
		is_rebuilt && store->replayed > 0 ? "the state was missing" : "the state was there",
		store->replayed);
	skm_alarms_fact(store->alarms, SKM_EVENT_COLLECTOR_START, detail);
	save(store);
	return 0;
}

static bool is_known(void *user, const uint8_t id[SKM_CHAIN_ID_BYTES], uint64_t sequence,
	uint8_t ret_print[SKM_LEDGER_PRINT_BYTES])
{
	struct skm_store *store = user;
	return skm_print_index_known(store->index, id, sequence, ret_print);
}

static int open_parts(struct skm_store *store)
{
	uint64_t cut = 0, aside_cut = 0;
	char *log_folder = NULL;
	if (asprintf(&log_folder, "%s/log", store->options.folder) < 0)
		return -ENOMEM;
	struct skm_alarms_options alarms = {.folderfd = store->folderfd,
		.log_folder = log_folder,
		.mail_to = store->options.mail_to,
		.sendmail = store->options.sendmail,
		.clock = store->options.clock};
	int r = skm_alarms_new(&alarms, &store->alarms);
	free(log_folder);
	if (r == 0)
		r = skm_print_index_new(store->indexfd, &store->index);
	struct skm_ledger_options ledger = {is_known, on_notice, store};
	if (r == 0)
		r = skm_ledger_new(&ledger, &store->ledger);
	if (r == 0)
		r = skm_day_files_open(store->recordsfd, store->options.ops, &store->records, &cut);
	if (r == 0)
		r = skm_day_files_open(store->asidefd, store->options.ops, &store->aside, &aside_cut);
	if (cut + aside_cut > 0)
		skm_log(SKM_SEVERITY_NOTICE,
			"cut off %" PRIu64 " bytes of lines that were never acknowledged", cut + aside_cut);
	return r;
}

int skm_store_open(const struct skm_store_options *options, struct skm_store **ret_store)
{
	struct skm_store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->options = *options;
	store->folderfd = store->recordsfd = store->asidefd = store->indexfd = store->lockfd = -1;
	store->opened = now(store);
	store->snapshot_usec = store->opened.boottime_usec + SNAPSHOT_USEC;
	int r = skm_chain_start();
	if (r == 0)
		r = open_folders(store);
	if (r == 0)
		r = open_parts(store);
	if (r == 0)
		r = read_back(store);
	if (r < 0) {
		store = skm_store_close(store);
		return r;
	}
	store->is_open = true;
	(void)!make_reserve(store);
	tell_all(store, &store->opened);
	(void)!skm_alarms_flush(store->alarms);
	*ret_store = store;
	return 0;
}

struct skm_store *skm_store_close(struct skm_store *store)
{
	if (!store)
		return NULL;
	if (store->is_open) {
		forget(store);
		skm_alarms_fact(store->alarms, SKM_EVENT_COLLECTOR_STOP, "stopped");
		if (store->is_dirty)
			save(store);
	}
	(void)skm_alarms_free(store->alarms);
	(void)skm_day_files_close(store->records);
	(void)skm_day_files_close(store->aside);
	(void)skm_print_index_free(store->index);
	(void)skm_ledger_free(store->ledger);
	skm_text_free(&store->record_lines);
	skm_text_free(&store->aside_lines);
	free(store->notices);
	skm_fd_close(&store->recordsfd);
	skm_fd_close(&store->asidefd);
	skm_fd_close(&store->indexfd);
	skm_fd_close(&store->folderfd);
	skm_fd_close(&store->lockfd);
	free(store);
	return NULL;
}

const struct skm_ledger *skm_store_ledger(const struct skm_store *store)
{
	return store->ledger;
}
