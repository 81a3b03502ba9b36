// SPDX-License-Identifier: Apache-2.0
/* syslog(3) was rejected: under systemd stderr is the journal, and a test or a person at a terminal reads it
 * there too. */
#include "sekimori/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void skm_log(enum skm_severity severity, const char *format, ...)
{
	/* sd-daemon(3): the syslog levels */
	static const int priorities[] = {[SKM_SEVERITY_INFO] = 6,
		[SKM_SEVERITY_NOTICE] = 5,
		[SKM_SEVERITY_WARNING] = 4,
		[SKM_SEVERITY_ALERT] = 1};
	char text[2048]; /* the longest line about a person, four texts escaped, is 1,800 */
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* one write, so that lines of worker processes do not mix */
	(void)dprintf(STDERR_FILENO, "<%d>%s\n", priorities[severity], text);
}

#define QUOTED_TEXT_MAX 100 /* bytes of the text: a name, or the beginning of a sentence */
#define QUOTED_BYTES (QUOTED_TEXT_MAX * sizeof("\\x00") + sizeof("\"\"..."))

/* What a stranger wrote, in printable ASCII and between quotes that it cannot leave: it can neither begin a
 * line of the journal nor pretend to be another part of this one. */
static const char *quote(const char *text, char ret_quoted[QUOTED_BYTES])
{
	size_t at = 0;
	size_t i = 0;
	ret_quoted[at++] = '"';
	for (; text[i] && i < QUOTED_TEXT_MAX; i++) {
		unsigned char byte = (unsigned char)text[i];
		if (byte < ' ' || byte > '~' || byte == '"' || byte == '\\')
			at += (size_t)snprintf(ret_quoted + at, sizeof("\\x00"), "\\x%02x", byte);
		else
			ret_quoted[at++] = (char)byte;
	}
	(void)snprintf(ret_quoted + at, sizeof("\"..."), "%s", text[i] ? "\"..." : "\"");
	return ret_quoted;
}

/* The name of nobody is left out: it is often a password, typed one line too early. Token, terminal line and
 * reason stand in the record. */
static void log_auth(enum skm_severity severity, const struct skm_record *record)
{
	const struct skm_auth_facts *auth = &record->auth;
	const char *event = skm_event_to_string(record->event);
	char subject[QUOTED_BYTES];
	char service[QUOTED_BYTES];
	char host[QUOTED_BYTES];
	char detail[QUOTED_BYTES];
	(void)quote(auth->service, service);
	(void)quote(auth->rhost, host);
	(void)quote(record->detail, detail);
	if (auth->subject_uid < 0)
		skm_log(severity, "%s: user unknown, service %s, from %s, asked by uid %" PRId64 ": %s",
			event, service, host, record->caller_uid, detail);
	else
		skm_log(severity,
			"%s: user %s (uid %" PRId64 "), service %s, from %s, asked by uid %" PRId64 ": %s",
			event, quote(auth->subject, subject), auth->subject_uid, service, host,
			record->caller_uid, detail);
}

static void log_device(enum skm_severity severity, const struct skm_record *record)
{
	char counted[128] = "";
	if (record->count > 0)
		(void)snprintf(counted, sizeof(counted), "; %" PRIu64 " more of %.64s", record->count,
			record->object);
	skm_log(severity, "%s: device %s %04x:%04x, %s, rule %s%s", skm_event_to_string(record->event),
		record->device.port, record->device.vendor_id, record->device.product_id,
		skm_device_kind_to_string(record->decision.kind), record->decision.rule, counted);
}

void skm_log_record(const struct skm_record *record)
{
	enum skm_severity severity = skm_event_severity(record->event);
	if (severity < SKM_SEVERITY_WARNING)
		return;
	if (record->has_auth && !record->has_device)
		log_auth(severity, record);
	else if (record->has_device)
		log_device(severity, record);
	else
		skm_log(severity, "%s: %s: %s", skm_event_to_string(record->event), record->object,
			record->detail);
}
