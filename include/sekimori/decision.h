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
	/* Parallel to skm_device.interfaces: may this entry be used? An interface is used only when all its entries may. */
	bool interface_allowed[SKM_USB_INTERFACES_MAX];
	/* The rule that decided: for DENY and PARTIAL the one that refused (the first refused entry), for ALLOW the one
	 * that allowed the first entry. Never empty. Built-in rules are called "builtin:<word>". */
	char rule[SKM_RULE_ID_BYTES];
	char reason[SKM_REASON_BYTES];
	/* PARTIAL: the rule that allowed the first allowed entry. Else "". */
	char allow_rule[SKM_RULE_ID_BYTES];
	/* The kind that decided: of the first refused entry, or of the first entry when all is allowed. Worst first:
	 * storage and imaging are named before others when several are refused. */
	enum skm_device_kind kind;
};

const char *skm_verdict_to_string(enum skm_verdict verdict);
SKM_NODISCARD int skm_verdict_from_string(const char *word, enum skm_verdict *ret_verdict);

#endif
