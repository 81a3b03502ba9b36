// SPDX-License-Identifier: Apache-2.0
/* The protocol between `pam_sekimori.so` (and `sekimori mfa …`) and `sekimori-authd`: AF_UNIX SOCK_SEQPACKET
 * at SKM_AUTH_PATH, one request a connection, answered by any number of SKM_AUTH_MORE and one that ends it.
 *
 * A packet is: version, code (operation or outcome), then fields: tag (1 byte), length (2 bytes,
 * little-endian), bytes. Every tag at most once, in rising order; numbers have exactly eight bytes,
 * little-endian. Anything else is a protocol error and the connection is closed. Texts are bytes without NUL;
 * nothing in a packet says who asks: that is the kernel's word (SO_PEERCRED, SO_PEERGROUPS).
 *
 * Pure, libc only: the module links it into the login process. */
#ifndef SEKIMORI_AUTH_H
#define SEKIMORI_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "sekimori/result.h"

#define SKM_AUTH_PATH "/run/sekimori/auth"
#define SKM_AUTH_VERSION 1
#define SKM_AUTH_PACKET_MAX 8192

enum skm_auth_operation {
	/* --- asked by the module --- */
	SKM_AUTH_PREPARE = 1, /* USER, SERVICE…: what to ask? PROMPT or NOT_REQUIRED, never a failure */
	SKM_AUTH_VERIFY = 2,  /* the same and ANSWER */
	/* --- asked by `sekimori mfa` --- */
	SKM_AUTH_ENROL_BEGIN = 16, /* USER, token parameters, LABEL -> TEXT (otpauth URI), TICKET; who adds to
				      their own tokens gives a code of one in ANSWER, else hears PROMPT */
	SKM_AUTH_ENROL_FINISH = 17, /* USER, TICKET, ANSWER (or FLAGS NO_CONFIRM) -> TEXT (recovery codes, one
				       a line, when these are the person's first), else DIAGNOSIS */
	SKM_AUTH_LIST = 18,	    /* -> one MORE a person: TEXT is one JSON object */
	SKM_AUTH_STATUS = 19,	    /* USER -> TEXT, the same object for one person */
	SKM_AUTH_DISABLE = 20,	/* USER ("uid:N" when the account is gone), REASON, TOKEN (0 or absent = all:
				   the whole record) */
	SKM_AUTH_UNLOCK = 21,	/* USER, REASON */
	SKM_AUTH_RECOVERY = 22, /* USER -> TEXT: new recovery codes, one a line; the old ones end. For
				   oneself with a code in ANSWER, else PROMPT */
	SKM_AUTH_RESYNC = 23,	/* USER, ANSWER, ANSWER2 (two codes that follow each other) */
	SKM_AUTH_IMPORT = 24,	/* USER, SECRET, token parameters, LABEL: a token with a given secret */
	SKM_AUTH_SUBSTITUTE = 25, /* USER, REASON, DAYS -> TEXT: one dated substitute code, UNTIL */
	SKM_AUTH_SWITCH = 26, /* TEXT (the PAM profiles), FLAGS (LOGIN_ON or not; FAILED), USER (whose code
				 opened the way), REASON: the machine's login is about to be switched. OK =
				 that is on record; the switching itself is the caller's */
	SKM_AUTH_POLICY = 27, /* TEXT (what changes): `mfa require` is about to write the configuration. OK =
				 that is on record */
};

enum skm_auth_outcome {
	SKM_AUTH_OK = 0,
	SKM_AUTH_MORE = 1,	   /* another packet follows */
	SKM_AUTH_PROMPT = 2,	   /* to PREPARE: ask for a code (DIGITS, LANGUAGE) */
	SKM_AUTH_NOT_REQUIRED = 3, /* the policy asks nothing of this person (UNTIL: the grace ends; 0 = no
				      end). Never the answer to an error. */
	SKM_AUTH_WRONG = 4,	   /* also said of people who do not exist */
	SKM_AUTH_REPLAYED = 5,
	SKM_AUTH_LOCKED = 6,	   /* TRIES, WAIT_SEC */
	SKM_AUTH_CLOCK = 7,	   /* the terminal's clock stands before the last accepted code */
	SKM_AUTH_UNENROLLED = 8,   /* required, but there is no record */
	SKM_AUTH_NOT_A_CODE = 9,   /* neither digits of the right number nor a recovery code; not counted */
	SKM_AUTH_DAMAGED = 10,	   /* record unreadable, of another machine, or rolled back */
	SKM_AUTH_WRONG_KEY = 11,   /* the machine key does not open the record, or there is no key */
	SKM_AUTH_UNAVAILABLE = 12, /* state cannot be stored at all, out of memory, … */
	SKM_AUTH_DENIED = 13,	   /* the caller may not ask this */
	SKM_AUTH_BUSY = 14,	   /* too many connections of this caller */
	SKM_AUTH_BAD_REQUEST = 15,
	SKM_AUTH_CONFLICT = 16, /* the record changed meanwhile (ticket used twice), or too many tokens */
	SKM_AUTH_REFUSED = 17,	/* the configuration does not allow it (algorithm, days) */
	SKM_AUTH_OUTCOME_COUNT_,
};

enum skm_auth_tag {
	SKM_AUTH_TAG_USER = 1,	  /* text: login name, not checked */
	SKM_AUTH_TAG_SERVICE = 2, /* text: PAM_SERVICE */
	SKM_AUTH_TAG_TTY = 3,	  /* text: PAM_TTY */
	SKM_AUTH_TAG_RHOST = 4,	  /* text: PAM_RHOST */
	SKM_AUTH_TAG_RUSER = 5,	  /* text: PAM_RUSER */
	SKM_AUTH_TAG_ANSWER = 6,  /* bytes as typed */
	SKM_AUTH_TAG_ANSWER2 = 7,
	SKM_AUTH_TAG_REASON = 8,      /* text */
	SKM_AUTH_TAG_LABEL = 9,	      /* text: what the person calls the token */
	SKM_AUTH_TAG_SECRET = 10,     /* bytes */
	SKM_AUTH_TAG_TICKET = 11,     /* bytes, opaque, sealed by authd */
	SKM_AUTH_TAG_TEXT = 12,	      /* text */
	SKM_AUTH_TAG_FLAGS = 32,      /* number: SKM_AUTH_FLAG_… */
	SKM_AUTH_TAG_TYPE = 33,	      /* number: enum skm_otp_type */
	SKM_AUTH_TAG_ALGORITHM = 34,  /* number: enum skm_otp_algorithm */
	SKM_AUTH_TAG_DIGITS = 35,     /* number: 6 or 8 */
	SKM_AUTH_TAG_PERIOD = 36,     /* number: seconds, 30 or 60 */
	SKM_AUTH_TAG_COUNTER = 37,    /* number: first counter of an imported HOTP token */
	SKM_AUTH_TAG_TOKEN = 38,      /* number: token id */
	SKM_AUTH_TAG_DAYS = 39,	      /* number: 1 = until the end of today */
	SKM_AUTH_TAG_LANGUAGE = 40,   /* number: enum skm_language */
	SKM_AUTH_TAG_TRIES = 41,      /* number */
	SKM_AUTH_TAG_WAIT_SEC = 42,   /* number */
	SKM_AUTH_TAG_LEFT = 43,	      /* number: recovery codes that are left */
	SKM_AUTH_TAG_UNTIL = 44,      /* number: UNIX time of the first second after the last day */
	SKM_AUTH_TAG_FACTOR = 45,     /* number: enum skm_auth_factor: what was accepted */
	SKM_AUTH_TAG_DIAGNOSIS = 46,  /* number: enum skm_auth_diagnosis */
	SKM_AUTH_TAG_OFFSET_SEC = 47, /* number, two's complement: how far the person's clock is ahead */
};
#define SKM_AUTH_TAG_MAX 47
#define SKM_AUTH_FLAG_NO_CONFIRM 1u /* ENROL_FINISH: store without a code (administrators only) */
#define SKM_AUTH_FLAG_SPLIT 2u	    /* VERIFY: code and password came in one field; PREPARE: they will */
#define SKM_AUTH_FLAG_LOGIN_ON 4u   /* SWITCH: the login asks for a code from now on; else it does no more */
#define SKM_AUTH_FLAG_FAILED 8u	    /* SWITCH: what was announced by the same request did not come about */

enum skm_auth_factor {
	SKM_AUTH_FACTOR_NONE,
	SKM_AUTH_FACTOR_TOKEN,
	SKM_AUTH_FACTOR_RECOVERY,
	SKM_AUTH_FACTOR_SUBSTITUTE,
	SKM_AUTH_FACTOR_COUNT_,
};

/* Why an enrolment's code does not fit, as far as that can be seen from it. */
enum skm_auth_diagnosis {
	SKM_AUTH_DIAGNOSIS_NONE,   /* just wrong */
	SKM_AUTH_DIAGNOSIS_CLOCK,  /* right, but OFFSET_SEC away */
	SKM_AUTH_DIAGNOSIS_SHA1,   /* the app ignored the algorithm and took SHA-1 */
	SKM_AUTH_DIAGNOSIS_SHA256, /* the same, SHA-256 instead of SHA-512 */
	SKM_AUTH_DIAGNOSIS_DIGITS, /* six digits where eight were agreed, or the other way round */
	SKM_AUTH_DIAGNOSIS_PERIOD, /* the app ignored the period and took 30 s (or 60 s) */
	SKM_AUTH_DIAGNOSIS_COUNT_,
};

/* ---- packets ---- */

/* A packet being written. What does not fit, or comes out of order, is remembered; nothing is cut. */
struct skm_auth_writer {
	uint8_t buf[SKM_AUTH_PACKET_MAX];
	size_t len;
	uint8_t last_tag;
	int error; /* 0, or what went wrong first */
};
void skm_auth_write_begin(struct skm_auth_writer *writer, uint8_t code);
void skm_auth_write_bytes(
	struct skm_auth_writer *writer, enum skm_auth_tag tag, const void *data, size_t len);
/* NULL and "" leave the field out: an absent text and an empty one are the same thing, said in one way. */
void skm_auth_write_text(struct skm_auth_writer *writer, enum skm_auth_tag tag, const char *text);
void skm_auth_write_number(struct skm_auth_writer *writer, enum skm_auth_tag tag, uint64_t value);
/* 0; -ENOBUFS; -EINVAL (tag out of order or unknown, a text for a number's tag or the other way round, a NUL
 * in a text). */
SKM_NODISCARD int skm_auth_write_end(const struct skm_auth_writer *writer);

/* A packet that was checked whole. Points into the caller's buffer. */
struct skm_auth_packet {
	uint8_t code;
	const uint8_t *field[SKM_AUTH_TAG_MAX + 1]; /* NULL = not there */
	uint16_t field_len[SKM_AUTH_TAG_MAX + 1];
};
/* 0; -EPROTO for another version (code is not set then); -EBADMSG. */
SKM_NODISCARD int skm_auth_packet_parse(const uint8_t *buf, size_t len, struct skm_auth_packet *ret_packet);
/* Copies a text field, terminated. 0; -ENOENT when it is not there, -EMSGSIZE when it does not fit whole
 * (nothing is cut): ret_text is "" then, so that nobody who forgets to ask reads what was there before. */
int skm_auth_packet_text(
	const struct skm_auth_packet *packet, enum skm_auth_tag tag, char *ret_text, size_t size);
/* `fallback` when it is not there. */
uint64_t skm_auth_packet_number(
	const struct skm_auth_packet *packet, enum skm_auth_tag tag, uint64_t fallback);

/* ---- the client's side ---- */

/* One question. Connects (waits for a place when the server's queue is full), checks that the server is root
 * (or the caller's own effective user: whoever could plant that server is the caller anyway, and tests need
 * no root), sends, and gives each answer packet to `on_answer` until one that is not MORE. All of it takes at
 * most *budget_ms on CLOCK_MONOTONIC, and what was used is taken off *budget_ms, so that several questions
 * share one patience. No signal, no allocation, no global; what was received is wiped (the request is the
 * caller's to wipe). 0, or -errno: -ENOENT, -ECONNREFUSED, -ECONNRESET, -EAGAIN (its queue stayed full): no
 * service; -ETIMEDOUT; -EPERM: the server is somebody else; -EBADMSG, -EPROTO; what `on_answer` returned when
 * negative. */
typedef int (*skm_auth_answer_fn)(void *user, const struct skm_auth_packet *answer);
SKM_NODISCARD int skm_auth_ask(const char *path, const struct skm_auth_writer *request, uint32_t *budget_ms,
	skm_auth_answer_fn on_answer, void *user);

const char *skm_auth_outcome_to_string(enum skm_auth_outcome outcome); /* "wrong"; never NULL */

#endif
