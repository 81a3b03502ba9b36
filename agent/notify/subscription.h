// SPDX-License-Identifier: Apache-2.0
/* The notifier's line to the agent, in GLib's main loop: subscribes, hands on each refusal, and comes back
 * after the agent was restarted. While it is connected nothing wakes it but a refusal. */
#ifndef SEKIMORI_SUBSCRIPTION_H
#define SEKIMORI_SUBSCRIPTION_H

#include "sekimori/control.h"

struct skm_subscription;
typedef void (*skm_refusal_fn)(void *user, const struct skm_refusal *refusal);

/* Begins at once; an agent that is not there is waited for. `path` is copied. 0 or -ENOMEM. */
SKM_NODISCARD int skm_subscription_new(
	const char *path, skm_refusal_fn on_refusal, void *user, struct skm_subscription **ret_subscription);
/* NULL is fine. Returns NULL. */
struct skm_subscription *skm_subscription_free(struct skm_subscription *subscription);

#endif
