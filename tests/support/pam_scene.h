// SPDX-License-Identifier: Apache-2.0
/* The built module in a real libpam, with a service file of the test's own, an application that answers as
 * told and an authd that answers as told. */
#ifndef SKM_TEST_PAM_SCENE_H
#define SKM_TEST_PAM_SCENE_H

#include <security/pam_appl.h>

#include "fake_authd.h"

#define SCENE_ANSWERS 4
#define SCENE_SAID_BYTES 4096

/* How the application converses. */
enum scene_application {
	SCENE_NORMAL,
	SCENE_SAME_ANSWER,	 /* i3lock: the first answer to everything */
	SCENE_NO_CONV,		 /* the item is a NULL function */
	SCENE_NULL_RESPONSE,	 /* success, but no response */
	SCENE_NULL_ANSWER,	 /* a response without text */
	SCENE_AGAIN,		 /* PAM_CONV_AGAIN at the first prompt, then ready */
	SCENE_ABORT,		 /* swaylock at a second prompt */
	SCENE_ERROR_AND_GARBAGE, /* PAM_CONV_ERR with a pointer that must not be touched */
	SCENE_RESPONDS_TO_INFO,	 /* a response to messages that asked nothing */
};

struct scene {
	struct fake_authd_orders orders;
	const char *lines;   /* of the service file; "SEKIMORI" and "STUB" stand for the modules */
	const char *service; /* default "login" */
	const char *user, *tty, *rhost;
	bool user_is_asked; /* PAM_USER is not given */
	enum scene_application application;
	const char *answers[SCENE_ANSWERS]; /* to prompts, in turn */
	int flags;

	/* what happened */
	struct fake_authd authd;
	int result, setcred_result;
	unsigned conversations, prompts;
	char said[SCENE_SAID_BYTES]; /* "[style] text\n" of each message */
	unsigned fail_delay_usec;
	bool several_messages;	       /* in one call */
	struct skm_auth_packet verify; /* parsed from authd.seen, when there was one */
};

/* Runs one pam_authenticate and, when it succeeds, pam_setcred. Ends authd's process, keeps what it saw. */
void scene_play(struct scene *scene);
void scene_end(struct scene *scene);

#endif
