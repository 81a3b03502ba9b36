// SPDX-License-Identifier: Apache-2.0
/* Internal to the proving program: what it prints. As text, or as one JSON document that is written while
 * findings come. */
#ifndef SEKIMORI_VERIFY_REPORT_H
#define SEKIMORI_VERIFY_REPORT_H

#include <stdio.h>

#include "sekimori/language.h"
#include "verify_input.h"

struct skm_verify_report {
	FILE *file;
	enum skm_language language;
	bool json;
	bool may_begin_late, is_chain_only; /* what the person was content with */
	/* --- the report's own --- */
	const struct skm_verify_stream *stream; /* NULL = none, or after the last */
	bool is_unread;				/* a file of it */
	bool has_streams, has_objects;		/* JSON: a comma is due */
	uint64_t records;
	uint64_t findings[SKM_FINDING_COUNT_];
	bool is_unknown;    /* something is not proven, and the person was not content with that */
	bool is_incomplete; /* something is not complete */
};

void skm_verify_report_begin(struct skm_verify_report *report);
/* What follows is of this stream. */
void skm_verify_report_stream(struct skm_verify_report *report, const struct skm_verify_stream *stream);
void skm_verify_report_finding(struct skm_verify_report *report, const struct skm_finding *finding);
/* A file of the stream could not be read: told on stderr by the caller; nothing of the stream is complete. */
void skm_verify_report_unread(struct skm_verify_report *report);
/* The stream is at its end (skm_verifier_finish was called). */
void skm_verify_report_chains(struct skm_verify_report *report, const struct skm_verifier *verifier);
/* No more streams; findings may still follow, about what is in none. */
void skm_verify_report_rest(struct skm_verify_report *report);
/* No more findings: of these keys' chains records are here, or not. */
void skm_verify_report_keys(struct skm_verify_report *report, const struct skm_verifier_key *keys,
	size_t count, const bool *is_here);
void skm_verify_report_end(struct skm_verify_report *report);
/* enum skm_verify_exit, or SKM_VERIFY_EXIT_FOUND + the worst kind. */
int skm_verify_report_exit(const struct skm_verify_report *report);

/* A name that somebody gave to a file: what a terminal would obey is escaped. */
void skm_verify_print_name(FILE *file, const char *name);

#endif
