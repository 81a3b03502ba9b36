// SPDX-License-Identifier: Apache-2.0
/* Connected: one descriptor in the loop. Not connected: an inotify watch on the socket's folder says when the
 * agent is back, and a timer that doubles up to a minute tries for the cases that no watch tells (the folder
 * is not there yet, all places are taken).
 *
 * Rejected: GFileMonitor, which looks for a missing folder every four seconds, and a timer alone, which is
 * late by half of its interval just after the agent was upgraded. */
#include "subscription.h"

#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#define ASK_MS 1000u
#define RETRY_FIRST_MS 100u
#define RETRY_MAX_MS 60000u

struct skm_subscription {
	char *path;
	skm_refusal_fn on_refusal;
	void *user;
	int fd;				/* -1 = not connected */
	int inotify_fd;			/* -1 while connected */
	guint readable, changed, retry; /* of GLib's loop; 0 = none */
	uint32_t delay_ms;
	bool has_complained;
};

static void forget_source(guint *source)
{
	if (*source)
		(void)g_source_remove(*source);
	*source = 0;
}

static void connect_now(struct skm_subscription *subscription);

static gboolean on_retry(gpointer user)
{
	struct skm_subscription *subscription = user;
	subscription->retry = 0;
	connect_now(subscription);
	return G_SOURCE_REMOVE;
}

static void arm_retry(struct skm_subscription *subscription)
{
	forget_source(&subscription->retry);
	subscription->retry = g_timeout_add(subscription->delay_ms, on_retry, subscription);
}

/* Something came or changed in the folder. What was bound is not yet listened on: look a moment later. */
static gboolean on_changed(gint fd, GIOCondition condition, gpointer user)
{
	(void)condition;
	struct skm_subscription *subscription = user;
	char events[4096];
	while (read(fd, events, sizeof(events)) > 0)
		;
	subscription->delay_ms = RETRY_FIRST_MS;
	arm_retry(subscription);
	return G_SOURCE_CONTINUE;
}

static void watch_folder(struct skm_subscription *subscription)
{
	if (subscription->inotify_fd < 0)
		subscription->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (subscription->inotify_fd < 0)
		return; /* the timer does it, later */
	g_autofree char *folder = g_path_get_dirname(subscription->path);
	(void)inotify_add_watch(subscription->inotify_fd, folder, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	if (!subscription->changed)
		subscription->changed =
			g_unix_fd_add(subscription->inotify_fd, G_IO_IN, on_changed, subscription);
}

static void stop_watching(struct skm_subscription *subscription)
{
	forget_source(&subscription->retry);
	forget_source(&subscription->changed);
	skm_fd_close(&subscription->inotify_fd);
}

static void hang_up(struct skm_subscription *subscription)
{
	forget_source(&subscription->readable);
	skm_fd_close(&subscription->fd);
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer user)
{
	(void)condition;
	struct skm_subscription *subscription = user;
	struct skm_refusal refusal;
	int r = 0;
	while ((r = skm_control_next_refusal(fd, &refusal)) == 0)
		subscription->on_refusal(subscription->user, &refusal);
	if (r == SKM_CONTROL_CLIENT_NOTHING)
		return G_SOURCE_CONTINUE;
	subscription->readable = 0; /* by what is returned here */
	hang_up(subscription);
	connect_now(subscription);
	return G_SOURCE_REMOVE;
}

static void complain(struct skm_subscription *subscription, int r)
{
	if (subscription->has_complained)
		return;
	subscription->has_complained = true;
	(void)fprintf(stderr, "sekimori-notify: cannot listen at %s: %s; trying again\n", subscription->path,
		r > 0 ? "all places of this user are taken" : strerrordesc_np(-r));
}

static void connect_now(struct skm_subscription *subscription)
{
	/* First the watch, then the look: nothing is missed between the two. */
	watch_folder(subscription);
	int r = skm_control_subscribe(subscription->path, ASK_MS, &subscription->fd);
	if (r == 0) {
		stop_watching(subscription);
		subscription->delay_ms = RETRY_FIRST_MS;
		subscription->has_complained = false;
		subscription->readable = g_unix_fd_add(
			subscription->fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, subscription);
		return;
	}
	if (subscription->delay_ms > 8 * RETRY_FIRST_MS)
		complain(subscription, r); /* a restart is over by then */
	arm_retry(subscription);
	subscription->delay_ms =
		subscription->delay_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : subscription->delay_ms * 2;
}

int skm_subscription_new(
	const char *path, skm_refusal_fn on_refusal, void *user, struct skm_subscription **ret_subscription)
{
	struct skm_subscription *subscription = malloc(sizeof(*subscription));
	if (!subscription)
		return -ENOMEM;
	*subscription = (struct skm_subscription){.path = strdup(path),
		.on_refusal = on_refusal,
		.user = user,
		.fd = -1,
		.inotify_fd = -1,
		.delay_ms = RETRY_FIRST_MS};
	if (!subscription->path) {
		free(subscription);
		return -ENOMEM;
	}
	connect_now(subscription);
	*ret_subscription = subscription;
	return 0;
}

struct skm_subscription *skm_subscription_free(struct skm_subscription *subscription)
{
	if (!subscription)
		return NULL;
	stop_watching(subscription);
	hang_up(subscription);
	free(subscription->path);
	free(subscription);
	return NULL;
}
