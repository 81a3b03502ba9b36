// SPDX-License-Identifier: Apache-2.0
/* Where an output goes, as "sekimori-collector output" writes it: one KEY=VALUE a line, no blanks around the
 * sign, lines that begin with # are comments. What is secret is not in it. Pure. */
#ifndef SEKIMORI_OUTPUT_SETTINGS_H
#define SEKIMORI_OUTPUT_SETTINGS_H

#include <stdbool.h>

#include "sekimori/result.h"

enum skm_output_kind { SKM_OUTPUT_KAFKA, SKM_OUTPUT_OPENSEARCH, SKM_OUTPUT_KIND_COUNT_ };
const char *skm_output_kind_to_string(enum skm_output_kind kind); /* "kafka" */
SKM_NODISCARD int skm_output_kind_from_string(
	const char *word, enum skm_output_kind *ret_kind); /* 0 or -EINVAL */

#define SKM_OUTPUT_SETTINGS_BYTES_MAX 4096
#define SKM_OUTPUT_TARGET_BYTES 1280
struct skm_output_settings {
	enum skm_output_kind kind;
	char place[1024];     /* brokers HOST:PORT,… or the URL without a slash at its end */
	char collection[256]; /* topic or index */
	char ca[256];	      /* file of the CA that is trusted; "" = those of the system */
	char user[128];	      /* "" = nobody logs in */
	bool is_plain;	      /* Kafka only: no TLS */
};

/* What is wrong with a file: which line (0: a key is missing), which key, what was found, what is allowed. */
struct skm_output_fault {
	unsigned line;
	char key[32];
	char found[64]; /* printable ASCII */
	const char *allowed_ja, *allowed_en;
};
#define SKM_OUTPUT_SETTINGS_WRONG 1
/* 0, or SKM_OUTPUT_SETTINGS_WRONG with *ret_fault set and *ret_settings untouched. */
SKM_NODISCARD int skm_output_settings_parse(const char *text, size_t len,
	struct skm_output_settings *ret_settings, struct skm_output_fault *ret_fault);

/* What the position in the files belongs to: another one begins at the first record. A list of brokers is no
 * part of it: it names ways into a cluster, and grows. Printable ASCII without blanks. */
void skm_output_settings_target(
	const struct skm_output_settings *settings, char ret_target[SKM_OUTPUT_TARGET_BYTES]);

#endif
