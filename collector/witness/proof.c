// SPDX-License-Identifier: Apache-2.0
/* A proof for one record is three lines: the record as it lies in the day file, the entry as it lies in
 * witness.jsonl, and "proof INDEX SIZE NODE...". So it can be sent alone: who gets it needs neither the other
 * records of the day nor the other days, only the paper (or the key's fingerprint). */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "audit.h"
#include "days.h"
#include "night.h"
#include "sekimori/parse.h"
#include "state.h"
#include "tree.h"

#define PROOF_BYTES_MAX ((size_t)4 << 20)
#define PATTERN_BYTES 128
#define SAY(japanese, english) skm_text(audit->language, japanese, english)

/* ---- making one ---- */

struct search {
	char pattern[PATTERN_BYTES];
	size_t pattern_len;
	uint64_t at, index; /* of the line; of the first that was found */
	bool is_found;
	char *line; /* owned */
	size_t len;
	struct skm_tree_prover *prover; /* second reading */
};

/* These bytes cannot be part of a text, since a quote in a text is always escaped. */
static void search_line(void *user, const char *line, size_t len)
{
	struct search *search = user;
	if (search->prover)
		skm_tree_prover_add(search->prover, line, len);
	else if (!search->is_found && memmem(line, len, search->pattern, search->pattern_len)) {
		search->line = malloc(len + 1);
		search->is_found = true;
		search->index = search->at;
		search->len = len;
		if (search->line)
			memcpy(search->line, line, len);
	}
	search->at++;
}

static void print_proof(const struct search *search, const struct skm_witness_entry *entry,
	const struct skm_tree_path *path, FILE *proof)
{
	char line[SKM_WITNESS_LINE_BYTES], node[2 * SKM_WITNESS_HASH_BYTES + 1];
	size_t len = skm_witness_entry_format(entry, line);
	(void)fwrite(search->line, 1, search->len, proof);
	(void)fprintf(proof, "\n%.*s\nproof %" PRIu64 " %" PRIu64, (int)len, line, path->index, path->size);
	for (unsigned i = 0; i < path->count; i++) {
		skm_hex_format(path->nodes[i], sizeof(path->nodes[i]), node);
		(void)fprintf(proof, " %s", node);
	}
	(void)fputc('\n', proof);
}

enum {
	PROVE_ABSENT = 1, /* the record is not in these days */
	PROVE_CHANGED,	  /* the files are not what was witnessed */
};

/* 0, one of these, or -errno. */
static int prove_in(const struct skm_witness_days *days, const struct skm_witness_entry *entry,
	struct search *search, FILE *proof)
{
	struct skm_tree_path path;
	search->at = 0;
	int r = skm_witness_days_read(days, entry->first_day, entry->last_day, search_line, search, NULL);
	if (r != 0)
		return r < 0 ? r : PROVE_CHANGED;
	if (!search->is_found)
		return PROVE_ABSENT;
	if (!search->line)
		return -ENOMEM;
	if (search->at != entry->records)
		return PROVE_CHANGED;
	r = skm_tree_prover_new(search->index, entry->records, &search->prover);
	if (r < 0)
		return r;
	r = skm_witness_days_read(days, entry->first_day, entry->last_day, search_line, search, NULL);
	if (r == 0)
		r = skm_tree_prover_get(search->prover, &path);
	if (r != 0)
		return r < 0 ? r : PROVE_CHANGED;
	if (!skm_tree_path_holds(&path, search->line, search->len, entry->records_root))
		return PROVE_CHANGED;
	print_proof(search, entry, &path, proof);
	return 0;
}

static int prove(const struct skm_witness_book *book, const struct skm_witness_days *days,
	struct search *search, FILE *proof)
{
	for (size_t i = 0; i < book->count; i++) {
		if (!skm_witness_book_counts(book, i))
			continue;
		int r = prove_in(days, &book->entries[i], search, proof);
		if (r != PROVE_ABSENT)
			return r;
	}
	return PROVE_ABSENT;
}

static enum skm_witness_answer prove_answer(const struct skm_witness_audit *audit, int r)
{
	if (r == 0)
		return SKM_WITNESS_YES;
	if (r == PROVE_ABSENT) {
		(void)fputs(SAY("その記録は、証明された日の中にありません\n",
				    "that record is in no witnessed day\n"),
			audit->out);
		return SKM_WITNESS_NO;
	}
	if (r == PROVE_CHANGED) {
		(void)fputs(SAY("いいえ: 日別ファイルが、証明した時のものではありません\n",
				    "NO: the day files are not what was witnessed\n"),
			audit->out);
		return SKM_WITNESS_NO;
	}
	(void)skm_witness_fail(
		audit->out, audit->name, SAY("読めません:", "cannot read"), audit->records_path, -r);
	return SKM_WITNESS_UNKNOWN;
}

enum skm_witness_answer skm_witness_prove(const struct skm_witness_audit *audit,
	const uint8_t chain_id[SKM_CHAIN_ID_BYTES], uint64_t sequence, FILE *proof)
{
	struct search search = {.at = 0};
	struct skm_witness_book book = {.entries = NULL};
	struct skm_witness_days days = {.folderfd = -1};
	char id[2 * SKM_CHAIN_ID_BYTES + 1];
	skm_hex_format(chain_id, SKM_CHAIN_ID_BYTES, id);
	search.pattern_len = (size_t)snprintf(
		search.pattern, sizeof(search.pattern), ",\"c\":\"%s\",\"n\":%" PRIu64 ",", id, sequence);
	SKM_CLEANUP(skm_fd_close)
	int statefd = open(audit->state_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SKM_CLEANUP(skm_fd_close)
	int recordsfd = open(audit->records_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = statefd < 0 || recordsfd < 0 ? -errno : skm_witness_book_load(statefd, &book);
	if (r == 0)
		r = skm_witness_days_list(recordsfd, &days);
	if (r == 0)
		r = prove(&book, &days, &search, proof);
	search.prover = skm_tree_prover_free(search.prover);
	free(search.line);
	skm_witness_book_finish(&book);
	skm_witness_days_finish(&days);
	return prove_answer(audit, r);
}

/* ---- judging one ---- */

static bool parse_path(char *text, struct skm_tree_path *path)
{
	char *rest = NULL, *word = strtok_r(text, " ", &rest);
	if (!word || strcmp(word, "proof") != 0)
		return false;
	word = strtok_r(NULL, " ", &rest);
	if (!word || skm_parse_uint(word, 0, SKM_WITNESS_COUNT_MAX, &path->index) < 0)
		return false;
	word = strtok_r(NULL, " ", &rest);
	if (!word || skm_parse_uint(word, 1, SKM_WITNESS_COUNT_MAX, &path->size) < 0)
		return false;
	for (path->count = 0; (word = strtok_r(NULL, " ", &rest)); path->count++) {
		if (path->count == SKM_TREE_LEVELS || strlen(word) != (size_t)2 * SKM_WITNESS_HASH_BYTES ||
			skm_hex_parse(word, SKM_WITNESS_HASH_BYTES, path->nodes[path->count]) < 0)
			return false;
	}
	return true;
}

/* The line at *text without its newline, which becomes a NUL; *text moves behind it. */
static char *take_line(char **text, char *end, size_t *ret_len)
{
	char *line = *text, *newline = memchr(line, '\n', (size_t)(end - line));
	if (!newline)
		return NULL;
	*newline = '\0';
	*ret_len = (size_t)(newline - line);
	*text = newline + 1;
	return line;
}

static enum skm_witness_answer say_proof(
	const struct skm_witness_audit *audit, bool is_yes, const char *words)
{
	(void)fprintf(audit->out, "%s: %s\n", is_yes ? SAY("はい", "YES") : SAY("いいえ", "NO"), words);
	return is_yes ? SKM_WITNESS_YES : SKM_WITNESS_NO;
}

static bool is_anchored(const struct skm_witness_paper *paper, const struct skm_witness_entry *entry)
{
	uint8_t fingerprint[SKM_WITNESS_FINGERPRINT_BYTES];
	skm_witness_fingerprint(entry->key, fingerprint);
	return (!paper->has_root || memcmp(paper->root, entry->root, sizeof(entry->root)) == 0) &&
	       (!paper->has_public_key || memcmp(paper->public_key, entry->key, sizeof(entry->key)) == 0) &&
	       (!paper->has_fingerprint ||
		       memcmp(paper->fingerprint, fingerprint, sizeof(fingerprint)) == 0) &&
	       (paper->day == 0 || (entry->first_day <= paper->day && paper->day <= entry->last_day));
}

static enum skm_witness_answer judge_proof(const struct skm_witness_audit *audit, char *text, size_t text_len)
{
	struct skm_tree_path path;
	struct skm_witness_entry entry;
	size_t record_len = 0, entry_len = 0, path_len = 0;
	uint8_t root[SKM_WITNESS_HASH_BYTES];
	const struct skm_witness_paper *paper = &audit->paper;
	char *end = text + text_len, *record = take_line(&text, end, &record_len);
	char *entry_line = record ? take_line(&text, end, &entry_len) : NULL;
	char *path_line = entry_line ? take_line(&text, end, &path_len) : NULL;
	if (!path_line || text != end || skm_witness_entry_parse(entry_line, entry_len, &entry) < 0 ||
		!parse_path(path_line, &path))
		return say_proof(
			audit, false, SAY("証拠の形式ではありません", "it is no proof of this kind"));
	skm_witness_entry_root(&entry, root);
	if (memcmp(root, entry.root, sizeof(root)) != 0 ||
		!skm_witness_is_signed(entry.key, entry.root, entry.signature))
		return say_proof(
			audit, false, SAY("証明の署名が正しくありません", "the entry's signature is wrong"));
	if (!is_anchored(paper, &entry))
		return say_proof(audit, false,
			SAY("用紙の証明値・指紋・日付と一致しません",
				"root, fingerprint or day of the paper are others"));
	if (path.size != entry.records || !skm_tree_path_holds(&path, record, record_len, entry.records_root))
		return say_proof(audit, false,
			SAY("その記録は証明に含まれていません", "the record is not in what was witnessed"));
	if (!paper->has_root && !paper->has_fingerprint && !paper->has_public_key) {
		(void)fputs(
			SAY("矛盾はありませんが、用紙の証明値か指紋がなければ判定できません\n",
				"it agrees with itself; root or fingerprint from paper are needed to tell\n"),
			audit->out);
		return SKM_WITNESS_UNKNOWN;
	}
	return say_proof(audit, true,
		SAY("その記録は、その日の証明に含まれています", "the record is in what was witnessed"));
}

enum skm_witness_answer skm_witness_check_proof(const struct skm_witness_audit *audit, const char *path)
{
	char *text = malloc(PROOF_BYTES_MAX);
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!file || !text) {
		int error = errno;
		if (file && file != stdin)
			(void)fclose(file);
		free(text);
		(void)skm_witness_fail(
			audit->out, audit->name, SAY("読めません:", "cannot read"), path, error);
		return SKM_WITNESS_UNKNOWN;
	}
	size_t len = fread(text, 1, PROOF_BYTES_MAX, file);
	bool is_read = !ferror(file);
	if (file != stdin)
		(void)fclose(file);
	enum skm_witness_answer answer = SKM_WITNESS_UNKNOWN;
	if (is_read)
		answer = judge_proof(audit, text, len);
	else
		(void)skm_witness_fail(audit->out, audit->name, SAY("読めません:", "cannot read"), path, EIO);
	free(text);
	return answer;
}
