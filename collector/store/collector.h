// SPDX-License-Identifier: Apache-2.0
/* The collector's store: messages in, an answer for each when all of it is on disk.
 *
 * Folder:
 *   records/2026-11-21.001.jsonl  the evidence: records as they came, in the order of arrival
 *   aside/2026-11-21.001.jsonl    what arrived and is none (aside.h)
 *   index/CHAIN                   print_index.h, a cache
 *   state                         snapshot.h, a cache
 *   log/00000001.jsonl            the store's own stream
 *   chain                         where the chain of that stream stands (chain_file.h): a secret
 *   mail, mail.sending            alarms on their way
 *   lock, reserve
 */
#ifndef SEKIMORI_STORE_COLLECTOR_H
#define SEKIMORI_STORE_COLLECTOR_H

#include "alarms.h"
#include "day_file.h"
#include "ledger.h"

struct skm_collector;

struct skm_collector_options {
	const char *folder;
	const char *mail_to; /* NULL = none */
	const char *sendmail;
	const uint8_t
		*verifier_key; /* 32 bytes: who may check the MACs of the store's own stream; NULL = nobody */
	int64_t silent_after_sec; /* two heartbeat periods: 1200 */
	struct skm_clock clock;
	const struct skm_day_ops *ops;
};
void skm_collector_options_default(struct skm_collector_options *options);

/* Takes the folder (made beforehand, or made here), reads back what a predecessor stored. 0; -EBUSY: another
 * store works there; -errno. */
SKM_NODISCARD int skm_collector_open(
	const struct skm_collector_options *options, struct skm_collector **ret_collector);
/* Writes the state; what is not committed is not stored. */
struct skm_collector *skm_collector_close(struct skm_collector *collector);

/* One line from omprog without its newline; is overwritten. The answer to it, without newline, valid until
 * the next call: "OK" (all of it is on disk), "DEFER_COMMIT" (within a transaction), or a reason why it has
 * to come again. */
const char *skm_collector_line(struct skm_collector *collector, char *line, size_t len);
/* To be called at least every few seconds: silence, mail, state. */
void skm_collector_tick(struct skm_collector *collector);
const struct skm_ledger *skm_collector_ledger(const struct skm_collector *collector);

#endif
