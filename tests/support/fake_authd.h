// SPDX-License-Identifier: Apache-2.0
/* An authd that answers as told, in a process of its own, on a real socket. */
#ifndef SKM_TEST_FAKE_AUTHD_H
#define SKM_TEST_FAKE_AUTHD_H

#include <stdint.h>
#include <sys/types.h>

#include "sekimori/auth.h"
#include "tmpdir.h"

enum fake_authd_way {
	FAKE_AUTHD_ANSWERS,
	FAKE_AUTHD_ABSENT, /* no socket */
	FAKE_AUTHD_DEAD,   /* a socket file that nobody listens on */
	FAKE_AUTHD_NEVER_ACCEPTS,
	FAKE_AUTHD_NEVER_ANSWERS,
	FAKE_AUTHD_HANGS_UP,	    /* reads the question and closes */
	FAKE_AUTHD_ANSWERS_AT_DOOR, /* answers and closes without reading */
	FAKE_AUTHD_ENDLESS_MORE,
};

/* One answer; bytes as they go out, so that they can be wrong. len 0 = none. */
struct fake_authd_answer {
	uint8_t bytes[SKM_AUTH_PACKET_MAX + 16];
	size_t len;
	unsigned more_before; /* MORE packets that go before it */
};

struct fake_authd_orders {
	enum fake_authd_way way;
	unsigned late_ms; /* before it accepts */
	uid_t uid;	  /* who listens; 0 = whoever runs the test */
	int backlog;	  /* 0 = 64 */
	struct fake_authd_answer prepare, verify, other;
};

/* What it saw; shared memory, whole once the asker has its answer. */
struct fake_authd_seen {
	unsigned connections, prepares, verifies;
	uint8_t last_prepare[SKM_AUTH_PACKET_MAX], last_verify[SKM_AUTH_PACKET_MAX];
	size_t last_prepare_len, last_verify_len;
};

struct fake_authd {
	char folder[TMPDIR_BYTES];
	char path[TMPDIR_BYTES + 8];
	pid_t pid; /* 0 = none */
	int listen_fd;
	struct fake_authd_seen *seen;
};

/* Listens when this returns. */
void fake_authd_start(struct fake_authd *authd, const struct fake_authd_orders *orders);
void fake_authd_stop(struct fake_authd *authd);

/* Answers, in few words. */
void fake_authd_say(struct fake_authd_answer *answer, enum skm_auth_outcome outcome);
/* Appends a number; tags in rising order. */
void fake_authd_say_number(struct fake_authd_answer *answer, enum skm_auth_tag tag, uint64_t value);

#endif
