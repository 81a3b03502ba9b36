// SPDX-License-Identifier: Apache-2.0
/* libnotify and GLib's D-Bus. One notifier a session bus: the newest takes the name over and the one before
 * ends, so that who logs in twice does not see everything twice.
 *
 * Not asked beforehand whether a notification server is there: most desktops start theirs with the first
 * notice. When that fails, the name's appearance on the bus says when to try again; nothing is tried by time.
 *
 * A bubble stays as long as somebody needs to find a pen: the number on it is asked for on the telephone. */
#include "desktop.h"

#include <libnotify/notify.h>
#include <stdio.h>

#include "bubble_limit.h"

#define OUR_NAME "org.sekimori.Notify"
#define SERVER_NAME "org.freedesktop.Notifications"
#define BUBBLE_MS 30000
#define MORE_DELAY_MS 300u /* a flood redraws its bubble at most three times a second */
#define USEC_PER_MSEC 1000

struct skm_desktop {
	enum skm_language language;
	void (*on_end)(void *user); /* NULL: was called */
	void *user;
	GDBusConnection *bus;
	gulong closed;		  /* a signal handler; 0 = none */
	guint name, server, more; /* 0 = none */
	struct skm_bubble_limit limit;
	NotifyNotification *more_bubble;	     /* NULL = none in this burst */
	struct skm_refusal waiting[SKM_BUBBLES_MAX]; /* oldest first */
	unsigned waiting_count;
	bool more_is_due; /* its bubble is not on the screen */
	bool has_complained;
};

static void end(struct skm_desktop *desktop)
{
	void (*on_end)(void *user) = desktop->on_end;
	desktop->on_end = NULL;
	if (on_end)
		on_end(desktop->user);
}

/* 0, or -EAGAIN: nobody shows it now. */
static int show(struct skm_desktop *desktop, NotifyNotification *bubble)
{
	g_autoptr(GError) error = NULL;
	if (notify_notification_show(bubble, &error)) {
		desktop->has_complained = false;
		return 0;
	}
	if (!desktop->has_complained)
		(void)fprintf(stderr,
			"sekimori-notify: nobody shows notices: %s; they wait for a notification server\n",
			error ? error->message : "no reason given");
	desktop->has_complained = true;
	return -EAGAIN;
}

static NotifyNotification *make_bubble(const struct skm_bubble *text)
{
	NotifyNotification *bubble = notify_notification_new(text->title, text->body, "dialog-warning");
	notify_notification_set_category(bubble, "device.error");
	notify_notification_set_timeout(bubble, BUBBLE_MS);
	notify_notification_set_hint(bubble, "desktop-entry", g_variant_new_string("sekimori-notify"));
	return bubble;
}

static int show_refusal(struct skm_desktop *desktop, const struct skm_refusal *refusal)
{
	struct skm_bubble text;
	skm_bubble_refusal(desktop->language, refusal, &text);
	NotifyNotification *bubble = make_bubble(&text);
	int r = show(desktop, bubble);
	g_object_unref(bubble);
	return r;
}

static gboolean on_more(gpointer user)
{
	struct skm_desktop *desktop = user;
	struct skm_bubble text;
	desktop->more = 0;
	skm_bubble_more(desktop->language, desktop->limit.more, desktop->limit.first_receipt,
		desktop->limit.last_receipt, &text);
	if (desktop->more_bubble)
		(void)notify_notification_update(
			desktop->more_bubble, text.title, text.body, "dialog-warning");
	else
		desktop->more_bubble = make_bubble(&text);
	desktop->more_is_due = show(desktop, desktop->more_bubble) < 0;
	return G_SOURCE_REMOVE;
}

static void show_more_soon(struct skm_desktop *desktop)
{
	if (!desktop->more)
		desktop->more = g_timeout_add(MORE_DELAY_MS, on_more, desktop);
}

static void keep_waiting(struct skm_desktop *desktop, const struct skm_refusal *refusal)
{
	if (desktop->waiting_count == SKM_BUBBLES_MAX) {
		skm_bubble_limit_count(&desktop->limit, desktop->waiting[0].receipt);
		desktop->more_is_due = true;
		for (unsigned i = 1; i < SKM_BUBBLES_MAX; i++)
			desktop->waiting[i - 1] = desktop->waiting[i];
		desktop->waiting_count--;
	}
	desktop->waiting[desktop->waiting_count++] = *refusal;
}

void skm_desktop_show(struct skm_desktop *desktop, const struct skm_refusal *refusal)
{
	uint64_t now_ms = (uint64_t)g_get_monotonic_time() / USEC_PER_MSEC;
	/* While some wait, the order is kept, and nobody is asked in vain again and again. */
	if (desktop->waiting_count > 0) {
		keep_waiting(desktop, refusal);
		return;
	}
	if (!skm_bubble_limit_take(&desktop->limit, now_ms, refusal->receipt)) {
		show_more_soon(desktop);
		return;
	}
	if (desktop->limit.shown == 1)
		g_clear_object(&desktop->more_bubble); /* a new burst has a bubble of its own */
	if (show_refusal(desktop, refusal) < 0)
		keep_waiting(desktop, refusal);
}

static void on_server_appeared(GDBusConnection *bus, const gchar *name, const gchar *owner, gpointer user)
{
	(void)bus;
	(void)name;
	(void)owner;
	struct skm_desktop *desktop = user;
	unsigned shown = 0;
	while (shown < desktop->waiting_count && show_refusal(desktop, &desktop->waiting[shown]) == 0)
		shown++;
	for (unsigned i = shown; i < desktop->waiting_count; i++)
		desktop->waiting[i - shown] = desktop->waiting[i];
	desktop->waiting_count -= shown;
	if (desktop->waiting_count == 0 && desktop->more_is_due)
		show_more_soon(desktop);
}

static void on_closed(GDBusConnection *bus, gboolean remote, GError *error, gpointer user)
{
	(void)bus;
	(void)remote;
	(void)error;
	end(user);
}

static void on_name_lost(GDBusConnection *bus, const gchar *name, gpointer user)
{
	(void)bus;
	(void)name;
	end(user);
}

int skm_desktop_new(
	enum skm_language language, void (*on_end)(void *user), void *user, struct skm_desktop **ret_desktop)
{
	g_autoptr(GError) error = NULL;
	GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, &error);
	if (!bus) {
		(void)fprintf(
			stderr, "sekimori-notify: cannot reach the session's bus: %s\n", error->message);
		return -ENOTCONN;
	}
	struct skm_desktop *desktop = calloc(1, sizeof(*desktop));
	if (!desktop || !notify_init(skm_text(language, "関守", "Sekimori"))) {
		free(desktop);
		g_object_unref(bus);
		return -ENOMEM;
	}
	desktop->language = language;
	desktop->on_end = on_end;
	desktop->user = user;
	desktop->bus = bus;
	/* GLib would end the process with a signal. */
	g_dbus_connection_set_exit_on_close(bus, FALSE);
	desktop->closed = g_signal_connect(bus, "closed", G_CALLBACK(on_closed), desktop);
	desktop->name = g_bus_own_name_on_connection(bus, OUR_NAME,
		G_BUS_NAME_OWNER_FLAGS_ALLOW_REPLACEMENT | G_BUS_NAME_OWNER_FLAGS_REPLACE, NULL, on_name_lost,
		desktop, NULL);
	desktop->server = g_bus_watch_name_on_connection(
		bus, SERVER_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, on_server_appeared, NULL, desktop, NULL);
	*ret_desktop = desktop;
	return 0;
}

struct skm_desktop *skm_desktop_free(struct skm_desktop *desktop)
{
	if (!desktop)
		return NULL;
	if (desktop->more)
		(void)g_source_remove(desktop->more);
	g_clear_object(&desktop->more_bubble);
	g_bus_unwatch_name(desktop->server);
	g_bus_unown_name(desktop->name);
	g_signal_handler_disconnect(desktop->bus, desktop->closed);
	notify_uninit();
	g_object_unref(desktop->bus);
	free(desktop);
	return NULL;
}
