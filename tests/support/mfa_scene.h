// SPDX-License-Identifier: Apache-2.0
/* The verbs of `sekimori mfa` against an authd that answers as the test has written down, request by request,
 * and writes down what it was asked. What the verbs print is caught, what people type is given. */
#ifndef SKM_TEST_MFA_SCENE_H
#define SKM_TEST_MFA_SCENE_H

#include "../../agent/cli/mfa.h"
#include "tmpdir.h"

#define MFA_EXCHANGES_MAX 8
#define MFA_PACKETS_MAX 4
#define MFA_URI                                                                                            \
	"otpauth://totp/Sekimori:sato?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA&issuer=" \
	"Sekimori&algorithm=SHA256&digits=6&period=30"
/* What STATUS says of somebody who is registered. */
#define MFA_PERSON(name, state, locked)                                                                           \
	"{\"user\":\"" name "\",\"uid\":1001,\"enrolled\":true,\"state\":\"" state                                \
	"\",\"required\":true,\"grace_until\":null,\"tokens\":[{\"id\":1,\"label\":\"窓口\",\"type\":\"totp\"," \
	"\"algorithm\":\"SHA256\",\"digits\":6,\"period\":30,\"enrolled\":\"2026-11-21T09:00:00.000+09:00\","     \
	"\"last_used\":null}],\"recovery_left\":9,\"substitute_until\":null,\"failures\":{\"system\":2,"          \
	"\"self\":0},\"locked_sec\":{\"system\":" locked ",\"self\":0}}"

struct mfa_exchange {
	struct skm_auth_writer packets[MFA_PACKETS_MAX];
	size_t count;
};

extern char mfa_folder[TMPDIR_BYTES]; /* of the test's own, with the authd's socket */
extern char mfa_socket_option[TMPDIR_BYTES + 32];
/* The answers of the next run; none are left after it. */
extern struct mfa_exchange mfa_exchanges[MFA_EXCHANGES_MAX];
extern size_t mfa_exchange_count;
/* What the last run asked, and what it printed. */
extern struct skm_auth_packet mfa_requests[MFA_EXCHANGES_MAX];
extern size_t mfa_request_count;
extern char mfa_out[], mfa_err[];

void mfa_scene_make(void);
void mfa_scene_remove(void);

/* One more answer, of one packet, to which the test may add. */
struct skm_auth_writer *mfa_answer(enum skm_auth_outcome outcome);
void mfa_answer_text(enum skm_auth_outcome outcome, const char *text);
/* To ENROL_BEGIN and to a wrong code at ENROL_FINISH. */
void mfa_answer_begun(const char *uri);
void mfa_answer_diagnosis(enum skm_auth_diagnosis diagnosis, int64_t offset_sec);

typedef int (*mfa_verb_fn)(struct skm_cli *cli, int argc, char **argv);
/* Without an authd. */
int mfa_run_verb(mfa_verb_fn verb, struct skm_cli *cli, const char *typed, int argc, char **argv);
/* With one. Options are words separated by blanks; "ja|" sets the language. */
int mfa_run(mfa_verb_fn verb, const char *typed, const char *options_format, ...)
	__attribute__((format(printf, 3, 4)));

void mfa_prints(const char *text); /* to stdout, somewhere in it */
void mfa_says(const char *text);   /* to stderr */
void mfa_expect_operation(size_t request, enum skm_auth_operation operation);
void mfa_expect_text(size_t request, enum skm_auth_tag tag, const char *wanted);
void mfa_expect_bytes(size_t request, enum skm_auth_tag tag, const void *wanted, size_t len);
void mfa_expect_number(size_t request, enum skm_auth_tag tag, uint64_t wanted); /* UINT64_MAX: not there */

#endif
