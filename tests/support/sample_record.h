// SPDX-License-Identifier: Apache-2.0
/* Records as the agent makes them, one of each event: for the tests of the line and for the schema's. */
#ifndef SKM_TEST_SAMPLE_RECORD_H
#define SKM_TEST_SAMPLE_RECORD_H

#include "sekimori/record.h"

void sample_record(enum skm_event event, struct skm_record *ret_record);
/* A keyboard with a hidden disk: two interfaces, the second refused. */
void sample_device(struct skm_record *record);
/* A login by sshd with a code of a token. */
void sample_auth(struct skm_record *record);
bool sample_is_about_person(enum skm_event event);
/* Every string of the record, as long as it can be, made of `unit` repeated; every number as large as it can
 * be. */
void sample_fill(struct skm_record *record, const char *unit);

#endif
