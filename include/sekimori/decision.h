// SPDX-License-Identifier: Apache-2.0
/* What the policy says about one device, and what became of it: values without pointers. */
#ifndef SEKIMORI_DECISION_H
#define SEKIMORI_DECISION_H

#include "sekimori/device.h"

#define SKM_RULE_ID_BYTES 65 /* 64 characters of [A-Za-z0-9._:-] + NUL */
#define SKM_REASON_BYTES 256

/* 0 is the refusal, so that forgotten initialisation refuses. */
enum skm_verdict {
	SKM_VERDICT_DENY,
	SKM_VERDICT_PARTIAL, /* some interfaces and not others */
	SKM_VERDICT_ALLOW,
	SKM_VERDICT_COUNT_,
};

struct skm_decision {
	enum skm_verdict verdict;
	/* Parallel to skm_device.interfaces: may this entry be used? All entries of one interface
	 * (configuration and number) agree: when one is refused, all are. */
	bool interface_allowed[SKM_USB_INTERFACES_MAX];
	/* The rule that decided, with its reason: for DENY and PARTIAL the one that refused the entry `kind`
	 * speaks of, for ALLOW the one that allowed the first entry. Never empty. Built-in rules are called
	 * "builtin:<word>". */
	char rule[SKM_RULE_ID_BYTES];
	char reason[SKM_REASON_BYTES];
	/* PARTIAL: the rule that allowed the first allowed entry. Else "". */
	char allow_rule[SKM_RULE_ID_BYTES];
	/* The kind that decided: of the first entry when all is allowed, else of the worst refused entry, the
	 * first among equals: storage, imaging, what else carries data out, then the rest. */
	enum skm_device_kind kind;
};

/* Does it open an interface of the device that can carry data out: anything but hubs, keyboards, mice, other
 * HID and smart card readers? */
bool skm_decision_opens_export(const struct skm_decision *decision, const struct skm_device *device);

const char *skm_verdict_to_string(enum skm_verdict verdict);
SKM_NODISCARD int skm_verdict_from_string(const char *word, enum skm_verdict *ret_verdict);

#endif
