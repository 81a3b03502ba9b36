// SPDX-License-Identifier: Apache-2.0
/* One line of witness.jsonl: what the witness says of the records of some days, in one spelling only. Each
 * entry names the root of the one before it. The root, which is what stands on paper, covers all of the line
 * but itself and the signature. Pure. */
#ifndef SKM_WITNESS_ENTRY_H
#define SKM_WITNESS_ENTRY_H

#include "primitives.h"
#include "sekimori/verify.h"

#define SKM_WITNESS_LINE_BYTES 2048
#define SKM_WITNESS_NUMBER_MAX UINT64_C(999999)	  /* entries: 2,700 years of nights */
#define SKM_WITNESS_COUNT_MAX (UINT64_C(1) << 53) /* what a JSON number holds everywhere */
#define SKM_WITNESS_DAY_BYTES 11		  /* "2026-11-20" */
#define SKM_WITNESS_TIME_BYTES 21		  /* "2026-11-21T02:30:00Z" */

struct skm_witness_entry {
	uint64_t number;	      /* from 1 */
	uint32_t first_day, last_day; /* 20261120; of arrival at the collector */
	uint64_t again;		      /* number of the entry whose days are witnessed anew; 0 = none */
	char made[SKM_WITNESS_TIME_BYTES];
	uint64_t files, records, bytes;		      /* of the day files; newlines are counted in neither */
	uint64_t terminals;			      /* that have a record in these days */
	uint64_t chains;			      /* whose heads are in heads_root */
	uint8_t previous[SKM_WITNESS_HASH_BYTES];     /* root of number - 1; zeros for the first */
	uint8_t records_root[SKM_WITNESS_HASH_BYTES]; /* of the lines of the day files, in their order */
	uint8_t heads_root[SKM_WITNESS_HASH_BYTES];   /* of the lines "CHAIN:NUMBER:HASH", sorted */
	uint8_t report_hash[SKM_WITNESS_HASH_BYTES];  /* of the verifier's report */
	uint64_t changed;			      /* earlier entries whose files are not what they were */
	bool is_complete;   /* the verifier said so: with keys, from the first record on */
	unsigned exit_code; /* of the verification: 0, 3, 10 to 21 */
	uint64_t findings[SKM_FINDING_COUNT_];
	uint8_t key[SKM_WITNESS_KEY_BYTES]; /* that signs */
	uint8_t root[SKM_WITNESS_HASH_BYTES];
	uint8_t signature[SKM_WITNESS_SIGNATURE_BYTES];
};

/* The line without its newline; its length. ret_line needs SKM_WITNESS_LINE_BYTES. */
size_t skm_witness_entry_format(const struct skm_witness_entry *entry, char *ret_line);
/* 0, or -EBADMSG when it is not exactly what skm_witness_entry_format writes. Root and signature are read,
 * not judged. */
SKM_NODISCARD int skm_witness_entry_parse(const char *line, size_t len, struct skm_witness_entry *ret_entry);
/* What the root has to be. */
void skm_witness_entry_root(const struct skm_witness_entry *entry, uint8_t ret_root[SKM_WITNESS_HASH_BYTES]);

/* ---- days ---- */

/* "2026-11-20", all of the text, a day that exists from 1970 to 9999. 0 or -EINVAL. */
SKM_NODISCARD int skm_witness_day_parse(const char *text, size_t len, uint32_t *ret_day);
void skm_witness_day_format(uint32_t day, char ret_text[SKM_WITNESS_DAY_BYTES]);
uint32_t skm_witness_day_after(uint32_t day);

/* ---- all entries ---- */

enum skm_witness_fault {
	SKM_WITNESS_FAULT_NONE,
	SKM_WITNESS_FAULT_FORM,	     /* not a line of this file */
	SKM_WITNESS_FAULT_ROOT,	     /* not what the line says: it was changed */
	SKM_WITNESS_FAULT_SIGNATURE, /* not made by the key that it names */
	SKM_WITNESS_FAULT_KEY,	     /* another key than the entry's before */
	SKM_WITNESS_FAULT_NUMBER,    /* not the next one */
	SKM_WITNESS_FAULT_PREVIOUS,  /* names another root than that of the entry before */
	SKM_WITNESS_FAULT_DAYS,	     /* a day is missing, or is there twice without saying so */
	SKM_WITNESS_FAULT_COUNT_,
};

struct skm_witness_book {
	struct skm_witness_entry *entries; /* owned; in order, each judged to be right */
	size_t count, room;
	uint32_t last_day;	      /* that was witnessed; 0 = none */
	size_t torn_bytes;	      /* of an unfinished last line: a power cut while it was written */
	enum skm_witness_fault fault; /* of line count + 1; what follows was not read */
};
void skm_witness_book_finish(struct skm_witness_book *book);
/* Reads a whole file into an empty book. 0 (a fault is no error) or -ENOMEM. */
SKM_NODISCARD int skm_witness_book_parse(struct skm_witness_book *book, const char *text, size_t len);
/* Is this the entry that counts for its days: was none of them witnessed again? */
bool skm_witness_book_counts(const struct skm_witness_book *book, size_t index);
/* The entry that counts for a day; NULL when it was not witnessed. */
const struct skm_witness_entry *skm_witness_book_find(const struct skm_witness_book *book, uint32_t day);

#endif
