// SPDX-License-Identifier: Apache-2.0
#include "sekimori/log.h"

#include <stdarg.h>
#include <stdio.h>

void skm_log(enum skm_severity severity, const char *format, ...)
{
	/* sd-daemon(3): the syslog levels */
	static const int priorities[] = {[SKM_SEVERITY_INFO] = 6,
		[SKM_SEVERITY_NOTICE] = 5,
		[SKM_SEVERITY_WARNING] = 4,
		[SKM_SEVERITY_ALERT] = 1};
	char text[1024];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* one write, so that lines of worker processes do not mix */
	(void)dprintf(STDERR_FILENO, "<%d>%s\n", priorities[severity], text);
}

void skm_log_record(const struct skm_record *record)
{
	enum skm_severity severity = skm_event_severity(record->event);
	if (severity < SKM_SEVERITY_WARNING)
		return;
	if (record->has_device)
		skm_log(severity, "%s: device %s %04x:%04x, %s, rule %s", skm_event_to_string(record->event),
			record->device.port, record->device.vendor_id, record->device.product_id,
			skm_device_kind_to_string(record->decision.kind), record->decision.rule);
	else
		skm_log(severity, "%s: %s: %s", skm_event_to_string(record->event), record->object,
			record->detail);
}
