// SPDX-License-Identifier: Apache-2.0
/* The order of things: take in, write evidence, sync, keep, answer. Only the day files are synced for an
 * answer. Everything else (ledger, index) is made again from them: a start reads what stands behind the last
 * snapshot, which is half a minute of records.
 *
 * A database as the first store was rejected: it would have to be up for an answer to be given, and evidence
 * that a program can update is none. It is loaded from the files, whenever it is there. */
#include "collector.h"

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
#define INDEX_GROUP 4096
/* Of the time until silence: five minutes of twenty. A restart takes a second; an upgrade that takes longer
 * than this is worth a look. */
#define STOP_GRACE_PART 4
#define ANSWER_BYTES 160

struct skm_collector {
	struct skm_collector_options options;
	int folderfd, recordsfd, asidefd, indexfd, lockfd;
	struct skm_day_files *records, *aside;
	struct skm_print_index *index;
	struct skm_ledger *ledger;
	struct skm_alarms *alarms;
	/* of the message or transaction at hand */
	struct skm_bytes record_lines, aside_lines;
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

void skm_collector_options_default(struct skm_collector_options *options)
{
	*options = (struct skm_collector_options){.sendmail = "/usr/sbin/sendmail",
		.silent_after_sec = 1200,
		.clock = skm_clock_system(),
		.ops = &skm_day_ops_system};
}

static struct skm_timestamp now(const struct skm_collector *collector)
{
	struct skm_timestamp time;
	collector->options.clock.now(collector->options.clock.user, &time);
	return time;
}

/* Wall time at the opening and what has gone by since: silence is measured with it, and a clock that is set
 * right must not silence a thousand terminals. */
static int64_t listening_sec(const struct skm_collector *collector, const struct skm_timestamp *time)
{
	int64_t usec = collector->opened.realtime_usec +
		       (int64_t)(time->boottime_usec - collector->opened.boottime_usec);
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
	struct skm_collector *collector = user;
	if (collector->notice_count == collector->notice_size) {
		size_t size = collector->notice_size ? collector->notice_size * 2 : 16;
		struct skm_notice *notices = reallocarray(collector->notices, size, sizeof(*notices));
		if (!notices) {
			skm_log(SKM_SEVERITY_ALERT, "no memory to tell %s of %s",
				skm_notice_to_string(notice->kind), notice->terminal);
			return;
		}
		collector->notices = notices;
		collector->notice_size = size;
	}
	collector->notices[collector->notice_count++] = *notice;
}

static void tell_all(struct skm_collector *collector, const struct skm_timestamp *time)
{
	if (collector->notice_count == 0)
		return;
	for (size_t i = 0; i < collector->notice_count; i++) {
		skm_alarms_raise(collector->alarms, &collector->notices[i]);
		/* The records alone do not show it again after a restart; told once a chain, so it is rare.
		 */
		if (collector->notices[i].kind == SKM_NOTICE_FORK)
			collector->snapshot_usec = 0;
	}
	collector->notice_count = 0;
	/* It waits in memory when it fails, and stderr has told. */
	(void)!skm_alarms_flush(collector->alarms);
	/* So that a restart does not tell again. */
	if (collector->snapshot_usec > time->boottime_usec + SNAPSHOT_SOON_USEC)
		collector->snapshot_usec = time->boottime_usec + SNAPSHOT_SOON_USEC;
}

/* The first is told at once, what follows within a minute as a number: a port scanner, or one broken
 * terminal, sends thousands. */
static void tell_foreign(struct skm_collector *collector, const struct skm_timestamp *time)
{
	if (collector->foreign_untold == 0 || time->boottime_usec < collector->foreign_usec)
		return;
	struct skm_notice *notice = &collector->last_foreign;
	(void)snprintf(notice->text, sizeof(notice->text),
		"%" PRIu64 " messages or records that are none were put aside", collector->foreign_untold);
	on_notice(collector, notice);
	collector->foreign_untold = 0;
	collector->foreign_usec = time->boottime_usec + FOREIGN_USEC;
}

/* ---- one message ---- */

static int put_aside(struct skm_collector *collector, enum skm_notice_kind why, const struct skm_wire *wire,
	const char *bytes, size_t len)
{
	struct skm_timestamp time = now(collector);
	int r = skm_aside_add(&collector->aside_lines, &time, skm_notice_to_string(why), wire, bytes, len);
	if (r < 0 || why != SKM_NOTICE_FOREIGN)
		return r;
	collector->foreign++;
	collector->last_foreign = (struct skm_notice){.kind = SKM_NOTICE_FOREIGN};
	(void)snprintf(collector->last_foreign.terminal, sizeof(collector->last_foreign.terminal), "%s",
		wire->terminal[0] ? wire->terminal : wire->address);
	memcpy(collector->last_foreign.stream, wire->stream, sizeof(wire->stream));
	return 0;
}

static int take_record(struct skm_collector *collector, const struct skm_wire *wire, int64_t heard_sec,
	const char *line, size_t len)
{
	struct skm_record_facts facts;
	enum skm_judgement judgement = SKM_JUDGED_ASIDE;
	struct skm_arrival arrival = {wire->terminal, wire->stream, wire->address, heard_sec, false};
	/* A stream of another name than the envelope's is somebody's mistake or trick, and no record of it.
	 */
	if (skm_record_facts_parse(line, len, &facts) < 0 || strcmp(facts.stream, wire->stream) != 0)
		return put_aside(collector, SKM_NOTICE_FOREIGN, wire, line, len);
	int r = skm_ledger_take(collector->ledger, &facts, &arrival, &judgement);
	if (r < 0 || judgement == SKM_JUDGED_DROP)
		return r;
	if (judgement != SKM_JUDGED_STORE)
		return put_aside(collector,
			judgement == SKM_JUDGED_FORK ? SKM_NOTICE_FORK : SKM_NOTICE_MISMATCH, wire, line,
			len);
	r = skm_print_index_add(collector->index, facts.chain_id, facts.sequence, facts.hash);
	if (r == 0)
		r = skm_bytes_add(&collector->record_lines, line, len);
	if (r == 0)
		r = skm_bytes_add(&collector->record_lines, "\n", 1);
	return r;
}

static int take_message(struct skm_collector *collector, char *line, size_t len)
{
	struct skm_wire wire;
	const char *record = NULL;
	size_t record_len = 0;
	struct skm_timestamp time = now(collector);
	int64_t heard_sec = listening_sec(collector, &time);
	skm_wire_parse(line, len, &wire);
	/* No evidence, since it proves nothing: it is not stored. Of a terminal that never sent a record,
	 * there is nothing that it could contradict; the table shows that one as never heard. */
	if (wire.is_alive) {
		(void)skm_ledger_alive(collector->ledger, wire.terminal, wire.stream, heard_sec);
		return 0;
	}
	if (wire.is_beat)
		return 0;
	if (!wire.is_ours || wire.payload_len == 0)
		return put_aside(collector, SKM_NOTICE_FOREIGN, &wire, wire.payload, wire.payload_len);
	while (skm_wire_next(&wire, &record, &record_len)) {
		int r = take_record(collector, &wire, heard_sec, record, record_len);
		if (r < 0)
			return r;
	}
	return 0;
}

/* As if none of it had come: it will come again. */
static void forget(struct skm_collector *collector)
{
	skm_ledger_undo(collector->ledger);
	skm_print_index_drop(collector->index);
	collector->record_lines.len = collector->aside_lines.len = 0;
	collector->notice_count = 0;
	collector->foreign = 0;
}

static int make_reserve(struct skm_collector *collector)
{
	SKM_CLEANUP(skm_fd_close)
	int fd = openat(collector->folderfd, "reserve", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? errno : posix_fallocate(fd, 0, RESERVE_BYTES);
	collector->has_reserve = r == 0;
	return -r;
}

static void begin_failing(struct skm_collector *collector, int error)
{
	if (collector->is_failing)
		return;
	struct skm_timestamp time = now(collector);
	struct skm_notice notice = {.kind = SKM_NOTICE_DISK};
	collector->is_failing = true;
	(void)unlinkat(collector->folderfd, "reserve", 0);
	collector->has_reserve = false;
	(void)snprintf(notice.text, sizeof(notice.text),
		"the collector cannot store records (%s); nothing is acknowledged, the terminals keep theirs",
		strerrordesc_np(-error));
	on_notice(collector, &notice);
	tell_all(collector, &time);
}

static void save(struct skm_collector *collector)
{
	struct skm_timestamp time = now(collector);
	struct skm_day_position end = skm_day_files_end(collector->records);
	/* A state in front of its index would hide what the index lacks. */
	int r = skm_print_index_flush(collector->index);
	if (r == 0)
		r = skm_print_index_sync(collector->index);
	if (r == 0)
		r = skm_snapshot_save(collector->folderfd, collector->ledger, &end);
	if (r == 0)
		collector->is_dirty = false;
	else
		skm_log(SKM_SEVERITY_WARNING, "cannot save the state: %s; a restart will read more records",
			strerrordesc_np(-r));
	collector->snapshot_usec = time.boottime_usec + SNAPSHOT_USEC;
}

/* Not for each message: a write into a second file would make the next sync of the first one dearer, and what
 * is lost of it with a kill is read again from the records. */
static void flush_index(struct skm_collector *collector)
{
	if (skm_print_index_waiting(collector->index) < INDEX_GROUP)
		return;
	int r = skm_print_index_flush(collector->index);
	if (r < 0 && !collector->is_index_failing)
		skm_log(SKM_SEVERITY_ALERT, "cannot write the index of hashes: %s", strerrordesc_np(-r));
	collector->is_index_failing = r < 0;
}

static int commit(struct skm_collector *collector)
{
	struct skm_timestamp time = now(collector);
	int r = 0;
	if (collector->aside_lines.len > 0)
		r = skm_day_files_append(collector->aside, day_of(&time), collector->aside_lines.data,
			collector->aside_lines.len);
	if (r == 0 && collector->record_lines.len > 0)
		r = skm_day_files_append(collector->records, day_of(&time), collector->record_lines.data,
			collector->record_lines.len);
	if (r < 0) {
		forget(collector);
		begin_failing(collector, r);
		return r;
	}
	/* A beat or a sign of life writes nothing, so it says nothing of the disk. */
	if (collector->record_lines.len + collector->aside_lines.len > 0)
		collector->is_failing = false;
	collector->record_lines.len = collector->aside_lines.len = 0;
	collector->is_dirty = true;
	collector->foreign_untold += collector->foreign;
	collector->foreign = 0;
	skm_ledger_keep(collector->ledger);
	skm_print_index_keep(collector->index);
	flush_index(collector);
	tell_foreign(collector, &time);
	tell_all(collector, &time);
	if (collector->snapshot_usec == 0)
		save(collector);
	return 0;
}

/* ---- omprog's protocol ---- */

static const char *refuse(struct skm_collector *collector, int error)
{
	(void)snprintf(collector->answer, sizeof(collector->answer), "ERROR: cannot store: %s",
		strerrordesc_np(-error));
	return collector->answer;
}

static bool is_line(const char *line, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(line, word, len) == 0;
}

/* A transaction that was not committed is forgotten: rsyslog sends all of it again. */
const char *skm_collector_line(struct skm_collector *collector, char *line, size_t len)
{
	if (is_line(line, len, "BEGIN TRANSACTION")) {
		forget(collector);
		collector->is_in_transaction = true;
		collector->is_broken = false;
		return "OK";
	}
	int r = 0;
	if (is_line(line, len, "COMMIT TRANSACTION")) {
		collector->is_in_transaction = false;
		r = collector->is_broken ? -ECANCELED : commit(collector);
		collector->is_broken = false;
		return r < 0 ? refuse(collector, r) : "OK";
	}
	r = collector->is_broken ? -ECANCELED : take_message(collector, line, len);
	if (r < 0) {
		collector->is_broken = collector->is_in_transaction;
		forget(collector);
		return refuse(collector, r);
	}
	if (collector->is_in_transaction)
		return "DEFER_COMMIT";
	r = commit(collector);
	return r < 0 ? refuse(collector, r) : "OK";
}

/* ---- now and then ---- */

void skm_collector_tick(struct skm_collector *collector)
{
	struct skm_timestamp time = now(collector);
	/* What is half taken in must not be saved. */
	if (collector->is_in_transaction)
		return;
	if (time.boottime_usec >= collector->watch_usec) {
		collector->watch_usec = time.boottime_usec + WATCH_USEC;
		skm_ledger_watch(collector->ledger, listening_sec(collector, &time),
			listening_sec(collector, &collector->opened), collector->options.silent_after_sec);
		collector->is_dirty |= collector->notice_count > 0;
		if (!collector->has_reserve && !collector->is_failing)
			(void)!make_reserve(collector);
	}
	tell_foreign(collector, &time);
	tell_all(collector, &time);
	skm_alarms_tick(collector->alarms);
	if (!collector->is_dirty || time.boottime_usec < collector->snapshot_usec)
		return;
	save(collector);
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

static int open_folders(struct skm_collector *collector)
{
	int unused = -1;
	int r = open_folder(AT_FDCWD, collector->options.folder, &collector->folderfd);
	if (r == 0)
		r = open_folder(collector->folderfd, "records", &collector->recordsfd);
	if (r == 0)
		r = open_folder(collector->folderfd, "aside", &collector->asidefd);
	if (r == 0)
		r = open_folder(collector->folderfd, "index", &collector->indexfd);
	if (r == 0)
		r = open_folder(collector->folderfd, "log", &unused);
	skm_fd_close(&unused);
	if (r < 0)
		return r;
	collector->lockfd =
		openat(collector->folderfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (collector->lockfd < 0)
		return -errno;
	if (flock(collector->lockfd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return fsync(collector->folderfd) < 0 ? -errno : 0;
}

static int replay_line(
	void *user, const char *line, size_t len, const struct skm_day_position *at, const struct stat *file)
{
	struct skm_collector *collector = user;
	struct skm_record_facts facts;
	enum skm_judgement judgement = SKM_JUDGED_ASIDE;
	struct skm_arrival arrival = {.terminal = "",
		.stream = "",
		.address = "",
		.heard_sec = file->st_mtim.tv_sec,
		.is_read_back = true};
	if (skm_record_facts_parse(line, len, &facts) < 0) {
		struct skm_notice notice = {.kind = SKM_NOTICE_EDIT};
		char name[SKM_DAY_NAME_BYTES];
		skm_day_name(at->day, at->part, name);
		(void)snprintf(notice.text, sizeof(notice.text),
			"the collector's own file records/%s holds at byte %" PRIu64 " what is no record",
			name, at->offset);
		on_notice(collector, &notice);
		return 0;
	}
	int r = skm_ledger_take(collector->ledger, &facts, &arrival, &judgement);
	if (r == 0 && judgement == SKM_JUDGED_STORE)
		r = skm_print_index_add(collector->index, facts.chain_id, facts.sequence, facts.hash);
	skm_ledger_keep(collector->ledger);
	skm_print_index_keep(collector->index);
	collector->replayed++;
	if (r == 0 && skm_print_index_waiting(collector->index) >= INDEX_GROUP)
		r = skm_print_index_flush(collector->index);
	return r;
}

static int read_back(struct skm_collector *collector)
{
	struct skm_day_position position = {.day = 0};
	char detail[160];
	int r = skm_snapshot_load(collector->folderfd, collector->ledger, &position);
	if (r < 0)
		return r;
	bool is_rebuilt = r != 0;
	r = skm_day_files_read(collector->recordsfd, &position, replay_line, collector, &position);
	if (r == 0)
		r = skm_print_index_flush(collector->index);
	if (r < 0)
		return r;
	skm_ledger_not_after(collector->ledger, listening_sec(collector, &collector->opened));
	/* Everything was told when it happened; only what the last half minute showed may not have been. */
	if (is_rebuilt)
		collector->notice_count = 0;
	(void)snprintf(detail, sizeof(detail), "started; %s, %" PRIu64 " records read back",
		is_rebuilt && collector->replayed > 0 ? "the state was missing" : "the state was there",
		collector->replayed);
	skm_alarms_fact(collector->alarms, SKM_EVENT_COLLECTOR_START, detail);
	save(collector);
	return 0;
}

static bool is_known(void *user, const uint8_t id[SKM_CHAIN_ID_BYTES], uint64_t sequence,
	uint8_t ret_print[SKM_LEDGER_PRINT_BYTES])
{
	struct skm_collector *collector = user;
	return skm_print_index_known(collector->index, id, sequence, ret_print);
}

static int open_parts(struct skm_collector *collector)
{
	uint64_t cut = 0, aside_cut = 0;
	SKM_CLEANUP(skm_free) char *log_folder = NULL;
	SKM_CLEANUP(skm_free) char *chain_path = NULL;
	if (asprintf(&log_folder, "%s/log", collector->options.folder) < 0) {
		log_folder = NULL;
		return -ENOMEM;
	}
	if (asprintf(&chain_path, "%s/chain", collector->options.folder) < 0) {
		chain_path = NULL;
		return -ENOMEM;
	}
	struct skm_alarms_options alarms = {.folderfd = collector->folderfd,
		.log_folder = log_folder,
		.chain_path = chain_path,
		.verifier_key = collector->options.verifier_key,
		.mail_to = collector->options.mail_to,
		.sendmail = collector->options.sendmail,
		.clock = collector->options.clock};
	int r = skm_alarms_new(&alarms, &collector->alarms);
	if (r == 0)
		r = skm_print_index_new(collector->indexfd, &collector->index);
	struct skm_ledger_options ledger = {
		is_known, on_notice, collector, collector->options.silent_after_sec / STOP_GRACE_PART};
	if (r == 0)
		r = skm_ledger_new(&ledger, &collector->ledger);
	if (r == 0)
		r = skm_day_files_open(
			collector->recordsfd, collector->options.ops, &collector->records, &cut);
	if (r == 0)
		r = skm_day_files_open(
			collector->asidefd, collector->options.ops, &collector->aside, &aside_cut);
	if (cut + aside_cut > 0)
		skm_log(SKM_SEVERITY_NOTICE,
			"cut off %" PRIu64 " bytes of lines that were never acknowledged", cut + aside_cut);
	return r;
}

int skm_collector_open(const struct skm_collector_options *options, struct skm_collector **ret_collector)
{
	struct skm_collector *collector = calloc(1, sizeof(*collector));
	if (!collector)
		return -ENOMEM;
	collector->options = *options;
	collector->folderfd = collector->recordsfd = collector->asidefd = collector->indexfd =
		collector->lockfd = -1;
	collector->opened = now(collector);
	collector->snapshot_usec = collector->opened.boottime_usec + SNAPSHOT_USEC;
	int r = skm_chain_start();
	if (r == 0)
		r = open_folders(collector);
	if (r == 0)
		r = open_parts(collector);
	if (r == 0)
		r = read_back(collector);
	if (r < 0) {
		(void)skm_collector_close(collector);
		return r;
	}
	collector->is_open = true;
	(void)!make_reserve(collector);
	tell_all(collector, &collector->opened);
	(void)!skm_alarms_flush(collector->alarms);
	*ret_collector = collector;
	return 0;
}

struct skm_collector *skm_collector_close(struct skm_collector *collector)
{
	if (!collector)
		return NULL;
	if (collector->is_open) {
		forget(collector);
		skm_alarms_fact(collector->alarms, SKM_EVENT_COLLECTOR_STOP, "stopped");
		if (collector->is_dirty)
			save(collector);
	}
	(void)skm_alarms_free(collector->alarms);
	(void)skm_day_files_close(collector->records);
	(void)skm_day_files_close(collector->aside);
	(void)skm_print_index_free(collector->index);
	(void)skm_ledger_free(collector->ledger);
	skm_bytes_free(&collector->record_lines);
	skm_bytes_free(&collector->aside_lines);
	free(collector->notices);
	skm_fd_close(&collector->recordsfd);
	skm_fd_close(&collector->asidefd);
	skm_fd_close(&collector->indexfd);
	skm_fd_close(&collector->folderfd);
	skm_fd_close(&collector->lockfd);
	free(collector);
	return NULL;
}

const struct skm_ledger *skm_collector_ledger(const struct skm_collector *collector)
{
	return collector->ledger;
}
