// SPDX-License-Identifier: Apache-2.0
/* Telling people: each notice becomes a record in the collector's own chain (stream "store"), and those that
 * somebody has to act upon a line in a mail, sent by the system's sendmail. */
#ifndef SEKIMORI_STORE_ALARMS_H
#define SEKIMORI_STORE_ALARMS_H

#include "ledger.h"
#include "sekimori/clock.h"

struct skm_alarms;

struct skm_alarms_options {
	int folderfd;		     /* stays the caller's; holds the lines that wait: `mail` */
	const char *log_folder;	     /* of the stream */
	const char *chain_path;	     /* of the state of its chain, chain_file.h */
	const uint8_t *verifier_key; /* 32 bytes, to whom its first key is sealed; NULL: nobody */
	const char *mail_to;	     /* NULL = no mail */
	const char *sendmail;	     /* "/usr/sbin/sendmail" */
	struct skm_clock clock;
};
/* Strings are copied. 0 or -errno. */
SKM_NODISCARD int skm_alarms_new(const struct skm_alarms_options *options, struct skm_alarms **ret_alarms);
/* Waits neither for the mail nor for anybody. */
struct skm_alarms *skm_alarms_free(struct skm_alarms *alarms);

void skm_alarms_raise(struct skm_alarms *alarms, const struct skm_notice *notice);
void skm_alarms_fact(struct skm_alarms *alarms, enum skm_event event, const char *detail);
/* Stores the records, and the lines that wait to be mailed. 0 or -errno: it is kept in memory. */
SKM_NODISCARD int skm_alarms_flush(struct skm_alarms *alarms);
/* Sends what waits, not more often than once a minute; looks after a sendmail that runs. */
void skm_alarms_tick(struct skm_alarms *alarms);
/* Must somebody act? */
bool skm_notice_is_alarm(enum skm_notice_kind kind);

#endif
