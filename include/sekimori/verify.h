// SPDX-License-Identifier: Apache-2.0
/* Proves or disproves a stream of audit records, trusting nobody: raw lines in, findings out. Pure: no file,
 * no clock. Used by `sekimori log verify`, `sekimori-verify`, and the collector.
 *
 * Lines are given in the order of the segments. Nothing is skipped silently: every byte is either part of a
 * verified record or in a finding, and "complete" is only said of an unbroken range. Memory does not grow
 * with the input. What was found wrong does not hide what comes after it: each record says itself what it
 * continues from (its member "p"), and its MAC key follows from its number. */
#ifndef SEKIMORI_VERIFY_H
#define SEKIMORI_VERIFY_H

#include "sekimori/chain.h"

#define SKM_VERIFY_CHAINS_MAX 32   /* in one stream; what belongs to yet another chain is FOREIGN */
#define SKM_VERIFY_MIXED_MAX 65536 /* in collected lines of many terminals; about 16 KiB each */
#define SKM_VERIFY_GAPS_MAX 64	   /* that may still be filled by records standing elsewhere */
#define SKM_VERIFY_RANGES_MAX 128  /* of doubtful records, told apart; beyond, they are taken together */
#define SKM_VERIFY_STREAM_BYTES 17
#define SKM_VERIFY_LEAP_MAX (UINT64_C(1) << 27) /* about half a minute */
#define SKM_VERIFY_HEARTBEAT_SEC 600 /* a checkpoint is written at least that often, also when idle */

/* From harmless to worst. */
enum skm_finding_kind {
	SKM_FINDING_CLOCK,     /* wall clock went back or jumped against the boot clock */
	SKM_FINDING_DROP,      /* the terminal itself counted records that it could not store */
	SKM_FINDING_SILENT,    /* more than two heartbeats between records of one boot, LOG_FULL aside */
	SKM_FINDING_TORN,      /* an unfinished last line */
	SKM_FINDING_RESTART,   /* another chain begins, or keys were given and none is of this chain */
	SKM_FINDING_TRUNCATED, /* ends before the watermark */
	SKM_FINDING_GAP,       /* numbers are missing */
	SKM_FINDING_REORDER,   /* a record stands at another place than its number says */
	SKM_FINDING_FORK,      /* two records, one number, different contents; or another record than the
				  watermark's */
	SKM_FINDING_EDIT,      /* the next record does not continue from this one: bytes were changed */
	SKM_FINDING_FORGE,     /* MAC or signature wrong: written by somebody else or later */
	SKM_FINDING_FOREIGN,   /* no record of ours at all */
	SKM_FINDING_COUNT_,
};
const char *skm_finding_to_string(enum skm_finding_kind kind); /* "GAP" */

/* What exactly was seen. Each belongs to one kind. `value` of the finding is named in brackets. */
enum skm_finding_cause {
	SKM_CAUSE_CLOCK_JUMP,	    /* within one boot [milliseconds, forward positive] */
	SKM_CAUSE_CLOCK_BACK,	    /* from one boot to the next [milliseconds, negative] */
	SKM_CAUSE_BOOT_BACK,	    /* the boot number fell [boot number before] */
	SKM_CAUSE_DROP_COUNTED,	    /* [records lost] */
	SKM_CAUSE_SILENT,	    /* [seconds] */
	SKM_CAUSE_SILENT_SINCE,	    /* after the last record, until the time that was given [seconds] */
	SKM_CAUSE_TORN,		    /* [bytes] */
	SKM_CAUSE_OTHER_CHAIN,	    /* a new chain begins within the stream */
	SKM_CAUSE_NO_KEY,	    /* keys were given, none is of this chain */
	SKM_CAUSE_BEFORE_WATERMARK, /* first..last were witnessed and are not here */
	SKM_CAUSE_CHAIN_ABSENT,	    /* of a witnessed chain nothing is here */
	SKM_CAUSE_MISSING,	    /* first..last */
	SKM_CAUSE_LATE,		    /* stand behind records with higher numbers */
	SKM_CAUSE_TWICE,	    /* the same once more */
	SKM_CAUSE_AGAIN,	    /* a number seen too long ago for its contents to be compared */
	SKM_CAUSE_CHAINS_MIXED,	    /* goes on after records of another chain */
	SKM_CAUSE_TWO_HISTORIES,    /* same numbers, different contents */
	SKM_CAUSE_OTHER_BRANCH,	    /* genuine, but continues from another record than the genuine one here */
	SKM_CAUSE_NOT_THE_WITNESSED, /* the watermark's record is not the one here */
	SKM_CAUSE_LINK,		     /* the next record names another hash */
	SKM_CAUSE_LINK_ITSELF,	     /* the record before is genuine: what names its hash was changed */
	SKM_CAUSE_IDENTITY,	     /* continues from the record before, but names another number or chain
				      */
	SKM_CAUSE_UNREADABLE,	 /* [lines] stand where these records belong and are no records any more */
	SKM_CAUSE_ALTERED_LINE,	 /* looks like a record, is none; which number is not known */
	SKM_CAUSE_MAC,		 /* is not that of the chain's key at this number */
	SKM_CAUSE_MAC_UNCHECKED, /* the numbers leap too far for the key to be derived */
	SKM_CAUSE_SIGNATURE,	 /* of a checkpoint */
	SKM_CAUSE_CHECKPOINT_ELSEWHERE, /* it signs another place than where it stands */
	SKM_CAUSE_SIGNING_KEY,		/* not the one that the checkpoint before announced */
	SKM_CAUSE_CHECKPOINT_FORM, /* the record says CHECKPOINT and carries none, or the other way round */
	SKM_CAUSE_STREAM_NAME,	   /* changes within the chain */
	SKM_CAUSE_NO_RECORD,	   /* [lines] */
	SKM_CAUSE_TOO_LONG,	   /* longer than any record */
	SKM_CAUSE_TOO_MANY_CHAINS,
	SKM_CAUSE_COUNT_,
};
const char *skm_cause_to_string(enum skm_finding_cause cause); /* "not_the_witnessed" */

struct skm_finding {
	enum skm_finding_kind kind;
	enum skm_finding_cause cause;
	uint8_t chain_id[SKM_CHAIN_ID_BYTES]; /* zeros when no chain is known yet */
	uint64_t first, last;		      /* record numbers concerned; 0 = none */
	uint64_t file; /* as given to skm_verifier_file; 0 when that was never called */
	uint64_t line; /* of the file, from 1; where it was seen. 0 = concerns no line */
	int64_t value;
	char detail[256]; /* English, one sentence, for people; holds no text of a record */
};
typedef void (*skm_finding_fn)(void *user, const struct skm_finding *finding);
/* The same sentence in Japanese or English. */
void skm_finding_describe(const struct skm_finding *finding, bool japanese, char *ret_text, size_t size);
/* "48,211". Returns ret_text. */
#define SKM_NUMBER_BYTES 32
char *skm_number_format(uint64_t number, char ret_text[SKM_NUMBER_BYTES]);

struct skm_verifier;

struct skm_verifier_key {
	uint8_t chain_id[SKM_CHAIN_ID_BYTES];
	uint8_t first_key[SKM_CHAIN_KEY_BYTES]; /* K_1: secret */
};
/* What somebody else has seen of a chain: record `sequence` had this hash (h_n). */
struct skm_watermark {
	uint8_t chain_id[SKM_CHAIN_ID_BYTES];
	uint64_t sequence;
	uint8_t hash[SKM_CHAIN_HASH_BYTES];
};

struct skm_verifier_options {
	const struct skm_verifier_key
		*keys; /* borrowed until skm_verifier_free; none: MACs are not checked */
	size_t key_count;
	const struct skm_watermark *watermarks; /* borrowed too; any order, any number for a chain */
	size_t watermark_count;
	bool is_mixed; /* collected lines of many terminals: other chains begin and go on anywhere, and no
			  LOG_DELETED explains what is missing. Memory grows with their number */
	bool may_begin_late; /* old segments were deleted: the first record seen need not be number 1, and no
				record need say so */
	uint64_t leap_max;   /* keys that may be derived without a record for each: a hostile number must not
				keep us busy for years; 0 = SKM_VERIFY_LEAP_MAX */
	uint64_t heartbeat_sec; /* SKM_VERIFY_HEARTBEAT_SEC; 0 = silence is not looked at */
	bool has_until;		/* the records should go on to this time, unless they end with a stop. It is
				   all that shows, without a watermark, that the newest were cut off */
	int64_t until_usec;	/* since the epoch */
	skm_finding_fn on_finding;
	void *user;
};
/* 0 or -ENOMEM; -EIO when libsodium does not start. */
SKM_NODISCARD int skm_verifier_new(
	const struct skm_verifier_options *options, struct skm_verifier **ret_verifier);
/* Wipes the keys in it; takes NULL. Always NULL. */
struct skm_verifier *skm_verifier_free(struct skm_verifier *verifier);
/* What follows is of this file: line numbers begin with 1 again. The number is the caller's own. */
void skm_verifier_file(struct skm_verifier *verifier, uint64_t file);
/* One line without its newline; `is_whole` false: the file ended without one. Of a line that is too long only
 * the first SKM_RECORD_LINE_MAX bytes need to be given. */
void skm_verifier_line(struct skm_verifier *verifier, const char *line, size_t len, bool is_whole);
/* No more lines: tells what was kept back because a later line might have explained it, and looks at the end
 * (watermark). A watermark of a chain of which nothing was seen is the caller's to judge: he may have several
 * streams. */
void skm_verifier_finish(struct skm_verifier *verifier);

struct skm_verification {
	uint8_t chain_id[SKM_CHAIN_ID_BYTES];
	char stream[SKM_VERIFY_STREAM_BYTES]; /* small letters only */
	uint64_t first, last;		      /* of the records seen */
	uint64_t records, checkpoints;
	uint64_t signed_until; /* n of the last checkpoint whose signature holds, and to which the chain is
				  unbroken from a record further on or from itself; 0 = none. It signs what is
				  before it. */
	uint64_t unwitnessed;  /* records after the highest watermark that holds; = records without one */
	bool has_watermark;
	bool macs_checked;	/* a key of this chain was given */
	bool begins_late;	/* the first record is not number 1 */
	uint64_t deleted_until; /* = first - 1 when a genuine record here (LOG_DELETED) says that these were
				   deleted after the collector had them; 0 = none says so */
	bool ends_with_stop;	/* the last record is the checkpoint of a service that ended as it should */
	uint64_t findings[SKM_FINDING_COUNT_];
	uint8_t head[SKM_CHAIN_HASH_BYTES];
	int64_t first_realtime_usec, last_realtime_usec;
};
/* One result for each chain seen, in the order of appearance; false at the end. */
bool skm_verifier_get(const struct skm_verifier *verifier, size_t index, struct skm_verification *ret_result);
/* The ranges of records that are there, linked to their neighbours and, if a key was given, written with it:
 * in rising order; false at the end. Only after skm_verifier_finish. */
bool skm_verifier_range(const struct skm_verifier *verifier, size_t chain, size_t index, uint64_t *ret_first,
	uint64_t *ret_last);
/* Is every record from 1 (from deleted_until + 1, if the log itself accounts for what was before) to
 * *ret_until there, unbroken, written with the chain's key and under a checkpoint or a watermark, and was
 * nothing else found than a clock that was wrong? *ret_until may be less than `last`: what stands behind the
 * last checkpoint is not sealed yet. Pure. */
bool skm_verification_is_complete(const struct skm_verification *result, uint64_t *ret_until);
/* Findings that belong to no chain (before the first record). */
uint64_t skm_verifier_homeless(const struct skm_verifier *verifier, enum skm_finding_kind kind);

#endif
