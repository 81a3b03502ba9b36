// SPDX-License-Identifier: Apache-2.0
/* The session's desktop: its bus, its notification server, and the bubbles on it. The only user of libnotify.
 */
#ifndef SEKIMORI_DESKTOP_H
#define SEKIMORI_DESKTOP_H

#include "bubble_text.h"

struct skm_desktop;

/* `on_end` is called once when there is nothing left to do: the session's bus is gone, or another notifier of
 * this session has taken over. 0; -ENOTCONN: there is no session bus (said on stderr); -ENOMEM. */
SKM_NODISCARD int skm_desktop_new(
	enum skm_language language, void (*on_end)(void *user), void *user, struct skm_desktop **ret_desktop);
/* Shows it, or counts it in a bubble of those of which there were too many. Where there is no notification
 * server the last ones are kept and shown when one appears. */
void skm_desktop_show(struct skm_desktop *desktop, const struct skm_refusal *refusal);
/* NULL is fine. Returns NULL. */
struct skm_desktop *skm_desktop_free(struct skm_desktop *desktop);

#endif
