// SPDX-License-Identifier: Apache-2.0
/* One line of an audit stream as a reader sees it: the members that people search by and read. The line may
 * come from anywhere (a copied folder, a damaged disk), so nothing in it is believed but its form. */
#ifndef SKM_RECORD_VIEW_H
#define SKM_RECORD_VIEW_H

#include <stdio.h>

#include "sekimori/config.h"
#include "sekimori/event.h"

#define SKM_RECORD_VIEW_BROKEN 1

/* Strings are borrowed from `tree` and never NULL: "" = not there, null, or not a string. */
struct skm_record_view {
	void *tree;	 /* owned; skm_record_view_finish */
	int64_t time_ms; /* since the epoch */
	int64_t number;	 /* in its stream: the receipt number that people are told; 0 = not there */
	int64_t count;	 /* 0 = none */
	const char *event, *severity, *message, *outcome;
	const char *terminal;
	const char *user, *login_user, *operator_id;
	const char *rule, *reason;
	bool has_device;
	const char *vendor_name, *model, *kind, *vid_pid, *serial, *port;
	/* A record about somebody's second factor. */
	bool has_auth;
	bool is_known;	    /* there is such a user */
	bool is_attempt;    /* a login, as opposed to an act of somebody who looks after the factors */
	int64_t caller_uid; /* who asked; -1 = nobody, or not known */
	const char *subject, *service, *source, *tty, *ruser, *factor, *token;
	const char *object, *detail;
};

/* 0; SKM_RECORD_VIEW_BROKEN when the line is not one JSON object with a time and an event. `line` is without
 * its newline and need not be terminated. */
SKM_NODISCARD int skm_record_view_parse(const char *line, size_t len, struct skm_record_view *ret_view);
void skm_record_view_finish(struct skm_record_view *view);

/* One to four lines as a person reads them. Everything that came from the line is cleaned for the terminal.
 */
void skm_record_view_print(FILE *file, enum skm_language language, const struct skm_record_view *view);

/* What people search by. Zero-initialised = everything, except for the bounds of time: see the initialiser.
 */
struct skm_record_filter {
	int64_t since_ms, until_ms; /* since included, until excluded */
	int64_t number;		    /* 0 = any */
	bool events[SKM_EVENT_COUNT_];
	bool has_events;
	enum skm_severity severity_min;
	const char *user; /* at the console, logged in, operating, whose second factor it is, or who asked for
			     it; NULL = any, as below */
	const char *vid_pid, *serial, *port, *outcome;
};
#define SKM_RECORD_FILTER_ALL ((struct skm_record_filter){.since_ms = INT64_MIN, .until_ms = INT64_MAX})
bool skm_record_filter_accepts(const struct skm_record_filter *filter, const struct skm_record_view *view);

/* "warning" -> severity. 0 or -EINVAL. */
SKM_NODISCARD int skm_severity_from_string(const char *word, enum skm_severity *ret_severity);

#endif
