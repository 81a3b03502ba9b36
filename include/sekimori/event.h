// SPDX-License-Identifier: Apache-2.0
/* The catalogue of events: id, severity, Japanese and English text from one table (lib/event.c).
 * Log texts are noun forms (体言止め); ids never change once released. */
#ifndef SEKIMORI_EVENT_H
#define SEKIMORI_EVENT_H

#include <stdbool.h>

#include "sekimori/result.h"

enum skm_event {
	SKM_EVENT_DEVICE_ALLOWED,  /* every interface may be used */
	SKM_EVENT_DEVICE_PARTIAL,  /* some interfaces opened, others refused */
	SKM_EVENT_EXPORT_DENIED,   /* refused; anything but a network adapter */
	SKM_EVENT_NETDEV_DENIED,   /* refused; a network adapter (or wireless) */
	SKM_EVENT_DEVICE_OBSERVED, /* mode "audit": would have been refused, was let pass */
	SKM_EVENT_DEVICE_CHANGED,  /* a known device shows other interfaces, another configuration, or was
				      opened by another hand */
	SKM_EVENT_DEVICE_REMOVED,
	SKM_EVENT_DEVICE_HUNG,	     /* a write or read did not come back in time */
	SKM_EVENT_DEVICE_ERROR,	     /* what was decided could not be done; the device stays closed */
	SKM_EVENT_SYSTEM_DISK,	     /* carries a mounted system file system: left open */
	SKM_EVENT_CONTROLLER_CLOSED, /* a new host controller was set to refuse */
	SKM_EVENT_CONTROLLER_OPEN,   /* a controller (or the default for new ones) was found open and closed
					again, or could not be closed */
	SKM_EVENT_UEVENT_OVERFLOW,   /* the kernel's event queue overflowed; everything was scanned again */
	SKM_EVENT_FLOOD_COUNTED, /* so many more records of one kind, which were counted instead of written */
	SKM_EVENT_RESUMED,	 /* the machine woke up; everything was checked again */
	SKM_EVENT_AGENT_START,
	SKM_EVENT_AGENT_STOP,
	SKM_EVENT_POLICY_CHANGED, /* a reload put another configuration in force */
	SKM_EVENT_CONFIG_BROKEN,  /* the file is wrong; the old policy (or the built-in one) stays in force */
	SKM_EVENT_AUDIT_MODE,	  /* mode "audit" begins, goes on (at start), or ends by its date */
	SKM_EVENT_LOG_FULL,	  /* records could not be stored */
	SKM_EVENT_LOG_RESUMED,	  /* they can again; tells how many waited and how many were lost */
	SKM_EVENT_LOG_RECOVERED,  /* a torn last line was cut off at start, or the files were otherwise not as
				     they had been left */
	SKM_EVENT_LOG_DELETED, /* a segment that was collected and is old enough; told before it is deleted */
	SKM_EVENT_CHECKPOINT,  /* the chain's state, signed; at start, stop, segment end, and regularly */
	SKM_EVENT_CHAIN_BROKEN, /* what is on disk does not continue, or ends before, what was written */
	/* --- stream "auth" --- */
	SKM_EVENT_AUTH_OK,
	SKM_EVENT_AUTH_FAIL,	 /* wrong, not a code, unknown person, not enrolled */
	SKM_EVENT_AUTH_LOCKED,	 /* an attempt while waiting; the first after each failure, then counted */
	SKM_EVENT_AUTH_REPLAY,	 /* a used code */
	SKM_EVENT_AUTH_CLOCK,	 /* the clock stands before the last accepted code */
	SKM_EVENT_AUTH_ERROR,	 /* record or state unreadable, wrong key, cannot be stored: refused */
	SKM_EVENT_AUTH_DEGRADED, /* found and mended: slot lost, state rebuilt, state kept on /run */
	SKM_EVENT_AUTH_DENIED,	 /* somebody asked for another person, or without the role */
	SKM_EVENT_SUBSTITUTE_ISSUED,
	SKM_EVENT_SUBSTITUTE_USED, /* a recovery code or a substitute code was accepted */
	SKM_EVENT_MFA_ENROLLED,	   /* a token was added */
	SKM_EVENT_MFA_DISABLED,	   /* a token or the whole record was removed */
	SKM_EVENT_MFA_UNLOCKED,
	SKM_EVENT_MFA_RECOVERY, /* recovery codes were issued anew */
	SKM_EVENT_MFA_RESYNCED,
	SKM_EVENT_MFA_LOGIN_ON,	 /* the machine's login was made to ask for a code */
	SKM_EVENT_MFA_LOGIN_OFF, /* it was made to ask for none any more */
	SKM_EVENT_CLOCK_JUMP,	 /* the wall clock moved against the boot clock; detail says how far */
	/* --- told by sekimori-forward --- */
	SKM_EVENT_FORWARD_CERTIFICATE, /* the certificate for the collector ends soon, or has ended */
	SKM_EVENT_FORWARD_LOSS, /* records vanished before they were sent, or lines could not be sent */
	/* --- stream "store", at the collector --- */
	SKM_EVENT_COLLECTOR_START,
	SKM_EVENT_COLLECTOR_STOP,
	SKM_EVENT_COLLECTOR_ALARM,  /* a terminal's records are not as they should be; detail says what */
	SKM_EVENT_COLLECTOR_NOTICE, /* a terminal begins, is heard again, or is complete again */
	SKM_EVENT_COUNT_,
};

/* As syslog's, so that they sort. */
enum skm_severity {
	SKM_SEVERITY_INFO,
	SKM_SEVERITY_NOTICE,
	SKM_SEVERITY_WARNING,
	SKM_SEVERITY_ALERT,
	SKM_SEVERITY_COUNT_
};

const char *skm_event_to_string(enum skm_event event); /* "EXPORT_DENIED"; never NULL */
SKM_NODISCARD int skm_event_from_string(const char *word, enum skm_event *ret_event); /* 0 or -EINVAL */
enum skm_severity skm_event_severity(enum skm_event event);
const char *skm_severity_to_string(enum skm_severity severity);	    /* "info", "notice", "warning", "alert" */
const char *skm_event_to_text(enum skm_event event, bool japanese); /* for people; never NULL */

#endif
