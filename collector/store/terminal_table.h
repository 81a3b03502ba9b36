// SPDX-License-Identifier: Apache-2.0
/* The table of terminals for people, programs and spreadsheets, from the saved state: a running store is not
 * disturbed, and what it learnt in the last half minute may be missing. */
#ifndef SEKIMORI_STORE_TERMINAL_TABLE_H
#define SEKIMORI_STORE_TERMINAL_TABLE_H

#include <stdio.h>

#include "ledger.h"
#include "sekimori/language.h"

enum skm_table_form { SKM_TABLE_TEXT, SKM_TABLE_JSON, SKM_TABLE_CSV };

struct skm_table_options {
	const char *folder;
	const char *terminals_path; /* one line a certificate: number TAB name TAB end (UNIX time) */
	enum skm_table_form form;
	enum skm_language language;
	int64_t now_sec; /* 0 = ask the clock */
};

/* The exit status: 0 all is well, 1 something needs a look (said in the column "state"), 3 could not tell. */
int skm_table_print(const struct skm_table_options *options, FILE *file);
/* "2026-11-21.001.jsonl 4711": records up to there are stored for good; behind it a failed write may be taken
 * back. 0, 1 there is none, 3 could not tell. */
int skm_table_print_position(const char *folder, FILE *file);
/* "CHAIN:NUMBER:HASH" for each chain: its highest record, as sekimori-verify takes it. 0, 1 nothing was saved
 * yet, 3 could not tell. */
int skm_table_print_watermarks(const char *folder, FILE *file);

#endif
