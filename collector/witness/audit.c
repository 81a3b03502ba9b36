// SPDX-License-Identifier: Apache-2.0
/* "Yes" is said only when something from outside of the folder was compared: the root or the key's
 * fingerprint on paper, or a public key. Whoever holds the folder can make all of it anew, with a key of his
 * own, and it would be in perfect order. */
#include "audit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "days.h"
#include "form.h"
#include "heads.h"
#include "night.h"
#include "state.h"

#define REPORT_BYTES_MAX ((size_t)1 << 30)
#define SAY(japanese, english) skm_text(audit->language, japanese, english)

struct desk {
	const struct skm_witness_audit *audit;
	int statefd, recordsfd;
	struct skm_witness_book book;
	struct skm_witness_days days;
	enum skm_witness_answer answer;
};

static void desk_finish(struct desk *desk)
{
	skm_witness_book_finish(&desk->book);
	skm_witness_days_finish(&desk->days);
	skm_fd_close(&desk->statefd);
	skm_fd_close(&desk->recordsfd);
}

/* "No" outweighs "could not tell". */
static void lower(struct desk *desk, enum skm_witness_answer answer)
{
	if (desk->answer == SKM_WITNESS_YES || answer == SKM_WITNESS_NO)
		desk->answer = answer;
}

static void cannot(struct desk *desk, const char *object, int error)
{
	const struct skm_witness_audit *audit = desk->audit;
	(void)skm_witness_fail(audit->out, audit->name, SAY("読めません:", "cannot read"), object, error);
	lower(desk, SKM_WITNESS_UNKNOWN);
}

static bool desk_open(struct desk *desk)
{
	const struct skm_witness_audit *audit = desk->audit;
	desk->statefd = open(audit->state_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = desk->statefd < 0 ? -errno : skm_witness_book_load(desk->statefd, &desk->book);
	if (r < 0) {
		cannot(desk, audit->state_path, -r);
		return false;
	}
	desk->recordsfd = open(audit->records_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = desk->recordsfd < 0 ? -errno : skm_witness_days_list(desk->recordsfd, &desk->days);
	if (r < 0) {
		cannot(desk, audit->records_path, -r);
		return false;
	}
	return true;
}

/* ---- the file ---- */

static bool is_of_paper(const struct skm_witness_paper *paper, const struct skm_witness_entry *entry)
{
	uint8_t fingerprint[SKM_WITNESS_FINGERPRINT_BYTES];
	skm_witness_fingerprint(entry->key, fingerprint);
	return (!paper->has_public_key || memcmp(paper->public_key, entry->key, sizeof(entry->key)) == 0) &&
	       (!paper->has_fingerprint || memcmp(paper->fingerprint, fingerprint, sizeof(fingerprint)) == 0);
}

static void check_book(struct desk *desk)
{
	const struct skm_witness_audit *audit = desk->audit;
	const struct skm_witness_book *book = &desk->book;
	if (book->fault != SKM_WITNESS_FAULT_NONE) {
		(void)fprintf(audit->out,
			SAY("いいえ: witness.jsonl の%zu行目: %s\n", "NO: witness.jsonl, line %zu: %s\n"),
			book->count + 1, skm_witness_fault_describe(book->fault, audit->language));
		lower(desk, SKM_WITNESS_NO);
	}
	if (book->torn_bytes > 0)
		(void)fprintf(audit->out,
			SAY("witness.jsonl の最後の行は途中です (%zu バイト)。証明ではないため、数えません\n",
				"witness.jsonl ends with an unfinished line (%zu bytes); it is no entry and does not count\n"),
			book->torn_bytes);
	if (book->count == 0 && book->fault == SKM_WITNESS_FAULT_NONE) {
		(void)fputs(SAY("証明がひとつもありません\n", "there is no entry at all\n"), audit->out);
		lower(desk, SKM_WITNESS_UNKNOWN);
	}
	if (book->count > 0 && !is_of_paper(&audit->paper, &book->entries[0])) {
		(void)fputs(
			SAY("いいえ: 署名鍵が違います\n", "NO: it is signed with another key\n"), audit->out);
		lower(desk, SKM_WITNESS_NO);
	}
}

/* Days of which there are two roots: said whatever else is asked. */
static void tell_again(const struct desk *desk)
{
	const struct skm_witness_audit *audit = desk->audit;
	for (size_t i = 0; i < desk->book.count; i++) {
		const struct skm_witness_entry *entry = &desk->book.entries[i];
		char day[SKM_WITNESS_DAY_BYTES];
		if (entry->again == 0)
			continue;
		skm_witness_day_format(entry->last_day, day);
		bool is_same = memcmp(entry->records_root, desk->book.entries[entry->again - 1].records_root,
				       sizeof(entry->records_root)) == 0;
		(void)fprintf(audit->out,
			is_same ? SAY("%s は二度証明されています (証明 %" PRIu64 " と %" PRIu64
				      "、記録は同じ)\n",
					  "%s was witnessed twice (entries %" PRIu64 " and %" PRIu64
					  ", of the same records)\n")
				: SAY("%s は二度証明されています (証明 %" PRIu64 " と %" PRIu64
				      "、記録が違います)。前の用紙に理由があるはずです\n",
					  "%s was witnessed twice (entries %" PRIu64 " and %" PRIu64
					  ", of other records); the paper should say why\n"),
			day, entry->again, entry->number);
	}
}

/* ---- the day files ---- */

static enum skm_witness_likeness check_files(struct desk *desk, const struct skm_witness_entry *entry)
{
	const struct skm_witness_audit *audit = desk->audit;
	char first[SKM_WITNESS_DAY_BYTES], last[SKM_WITNESS_DAY_BYTES];
	int r = skm_witness_days_compare(&desk->days, entry);
	if (r < 0) {
		cannot(desk, audit->records_path, -r);
		return SKM_WITNESS_GONE;
	}
	skm_witness_day_format(entry->first_day, first);
	skm_witness_day_format(entry->last_day, last);
	if (r == SKM_WITNESS_CHANGED) {
		(void)fprintf(audit->out,
			SAY("いいえ: 証明 %" PRIu64
			    " (%s 〜 %s) の日別ファイルは、証明した時のものではありません\n",
				"NO: the day files of entry %" PRIu64
				" (%s to %s) are not what was witnessed\n"),
			entry->number, first, last);
		lower(desk, SKM_WITNESS_NO);
	}
	return (enum skm_witness_likeness)r;
}

/* What the entry was made of, as far as it was kept. */
static void check_parts(struct desk *desk, const struct skm_witness_entry *entry)
{
	const struct skm_witness_audit *audit = desk->audit;
	SKM_CLEANUP(skm_free) char *report = NULL;
	struct skm_witness_heads heads = {.marks = NULL};
	char name[SKM_WITNESS_NAME_BYTES];
	uint8_t hash[SKM_WITNESS_HASH_BYTES];
	size_t len = 0;
	bool is_right = true;
	skm_witness_name(entry->number, "heads", name);
	int r = skm_witness_heads_load(&heads, desk->statefd, name);
	skm_witness_heads_root(&heads, hash);
	is_right = r == -ENOENT || (r == 0 && memcmp(hash, entry->heads_root, sizeof(hash)) == 0);
	skm_witness_heads_finish(&heads);
	if (is_right) {
		skm_witness_name(entry->number, "report.json", name);
		r = skm_witness_file_read(desk->statefd, name, REPORT_BYTES_MAX, &report, &len);
		if (r == 0)
			skm_witness_hash(SKM_DOMAIN_REPORT, report, len, NULL, 0, hash);
		is_right = r == -ENOENT || (r == 0 && memcmp(hash, entry->report_hash, sizeof(hash)) == 0);
	}
	if (is_right)
		return;
	(void)fprintf(audit->out,
		SAY("いいえ: %s は証明した時のものではありません\n", "NO: %s is not what was witnessed\n"),
		name);
	lower(desk, SKM_WITNESS_NO);
}

/* That all agrees does not mean that all was well. */
static void tell_verdict(const struct desk *desk, const struct skm_witness_entry *entry)
{
	const struct skm_witness_audit *audit = desk->audit;
	const char *separator = ": ";
	if (entry->is_complete) {
		(void)fprintf(audit->out,
			SAY("証明 %" PRIu64 " の検証結果: 完全で検証済み\n",
				"entry %" PRIu64 ": the records were complete and verified\n"),
			entry->number);
		return;
	}
	(void)fprintf(audit->out,
		SAY("証明 %" PRIu64 " の検証結果: 完全とは証明されていません (終了コード %u)",
			"entry %" PRIu64 ": the records were NOT proven complete (exit status %u)"),
		entry->number, entry->exit_code);
	for (unsigned kind = SKM_FINDING_COUNT_; kind-- > 0;) {
		if (entry->findings[kind] == 0)
			continue;
		(void)fprintf(audit->out, "%s%s ×%" PRIu64, separator,
			skm_finding_to_string((enum skm_finding_kind)kind), entry->findings[kind]);
		separator = ", ";
	}
	(void)fputc('\n', audit->out);
}

static void check_all(struct desk *desk)
{
	const struct skm_witness_audit *audit = desk->audit;
	size_t same = 0, gone = 0, replaced = 0;
	for (size_t i = 0; i < desk->book.count; i++) {
		check_parts(desk, &desk->book.entries[i]);
		if (!skm_witness_book_counts(&desk->book, i)) {
			replaced++;
			continue;
		}
		enum skm_witness_likeness likeness = check_files(desk, &desk->book.entries[i]);
		if (!desk->book.entries[i].is_complete)
			tell_verdict(desk, &desk->book.entries[i]);
		same += likeness == SKM_WITNESS_SAME;
		gone += likeness == SKM_WITNESS_GONE;
	}
	(void)fprintf(audit->out,
		SAY("証明 %zu 件: 日別ファイルと一致 %zu、日別ファイルなし %zu、再証明済み %zu\n",
			"%zu entries: %zu as the day files, %zu without day files, %zu witnessed again since\n"),
		desk->book.count, same, gone, replaced);
	if (same == 0)
		lower(desk, SKM_WITNESS_UNKNOWN);
}

/* The entry that the paper speaks of: by its root, else the one that counts for the day. */
static const struct skm_witness_entry *find_paper(struct desk *desk)
{
	const struct skm_witness_audit *audit = desk->audit;
	const struct skm_witness_paper *paper = &audit->paper;
	char day[SKM_WITNESS_DAY_BYTES];
	for (size_t i = 0; paper->has_root && i < desk->book.count; i++) {
		const struct skm_witness_entry *entry = &desk->book.entries[i];
		if (memcmp(entry->root, paper->root, sizeof(paper->root)) != 0)
			continue;
		if (paper->day == 0 || (entry->first_day <= paper->day && paper->day <= entry->last_day))
			return entry;
		skm_witness_day_format(entry->last_day, day);
		(void)fprintf(audit->out,
			SAY("いいえ: その証明値は %s のものです\n", "NO: that root is of %s\n"), day);
		lower(desk, SKM_WITNESS_NO);
		return NULL;
	}
	const struct skm_witness_entry *entry =
		paper->has_root ? NULL : skm_witness_book_find(&desk->book, paper->day);
	if (entry)
		return entry;
	(void)fputs(paper->has_root ? SAY("いいえ: その証明値は witness.jsonl にありません\n",
					      "NO: that root is not in witness.jsonl\n")
				    : SAY("その日は証明されていません\n", "that day was not witnessed\n"),
		audit->out);
	lower(desk, paper->has_root ? SKM_WITNESS_NO : SKM_WITNESS_UNKNOWN);
	return NULL;
}

static void check_paper(struct desk *desk)
{
	const struct skm_witness_audit *audit = desk->audit;
	const struct skm_witness_entry *entry = find_paper(desk);
	if (!entry)
		return;
	if (!skm_witness_book_counts(&desk->book, (size_t)entry->number - 1))
		(void)fputs(SAY("この用紙の日は、後でもう一度証明されています\n",
				    "the days of this paper were witnessed again later\n"),
			audit->out);
	tell_verdict(desk, entry);
	check_parts(desk, entry);
	if (check_files(desk, entry) != SKM_WITNESS_GONE)
		return;
	(void)fputs(SAY("その日の日別ファイルがありません\n", "the day files are not here\n"), audit->out);
	lower(desk, SKM_WITNESS_UNKNOWN);
}

static bool has_anchor(const struct skm_witness_paper *paper)
{
	return paper->has_root || paper->has_fingerprint || paper->has_public_key;
}

static void conclude(struct desk *desk)
{
	const struct skm_witness_audit *audit = desk->audit;
	if (desk->answer == SKM_WITNESS_YES && !has_anchor(&audit->paper)) {
		(void)fputs(
			SAY("矛盾はありません。ただし用紙の証明値 (--day --root) か署名鍵の指紋 (--fingerprint) が"
			    "なければ、全体が作り直されていないとは言えません\n",
				"it agrees with itself; but without the root (--day --root) or the key's fingerprint "
				"(--fingerprint) from paper, all of it may have been made anew\n"),
			audit->out);
		lower(desk, SKM_WITNESS_UNKNOWN);
	}
	if (desk->answer == SKM_WITNESS_YES)
		(void)fputs(SAY("はい: 署名、日の連なり、日別ファイルのすべてが一致します\n",
				    "YES: signature, chain of days and day files agree\n"),
			audit->out);
	else if (desk->answer == SKM_WITNESS_UNKNOWN)
		(void)fputs(SAY("判定できません\n", "could not tell\n"), audit->out);
}

enum skm_witness_answer skm_witness_check(const struct skm_witness_audit *audit)
{
	struct desk desk = {.audit = audit, .statefd = -1, .recordsfd = -1};
	if (desk_open(&desk)) {
		check_book(&desk);
		tell_again(&desk);
		if (audit->paper.has_root || audit->paper.day > 0)
			check_paper(&desk);
		else
			check_all(&desk);
	}
	conclude(&desk);
	desk_finish(&desk);
	return desk.answer;
}
