// SPDX-License-Identifier: Apache-2.0
/* usage: bench_plug GADGET UDC FIRST COUNT SECONDS [FILE WORD]
 * Plugs the configfs gadget GADGET into the controller UDC (dummy_hcd) up to COUNT times, at most for
 * SECONDS, each time with a serial number of its own (BENCH-FIRST ...), and prints as JSON how long it took
 * from the kernel's `add` of the USB device (usec): without FILE, until its input event device appears, and
 * the keyboard can be typed on; with FILE, until a line with the serial number and WORD stands in it, and the
 * stick is recorded.
 *
 * For a keyboard, driven_usec is how long it took until its driver had made the input device. What lies
 * between the two is the kernel's alone: it sleeps for 50 ms and waits for grace periods of RCU, whoever has
 * let the keyboard in.
 *
 * One clock and one process see both ends, so nothing is compared across clocks. A real-time priority makes
 * it the first to run when an event comes; it then takes some microseconds, the same for whoever is measured.
 * Events: the kernel's multicast group, not udevd's. Interface: Documentation/usb/gadget_configfs.rst. */
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GADGETS "/sys/kernel/config/usb_gadget/"
#define PLUGS_MAX 1000u
#define PLUG_SECONDS 30u /* then a plug counts as missed */
#define QUIET_MS 250	 /* no event and no record for so long: everybody is done with the last one */

struct bench {
	const char *gadget, *controller, *path, *word;
	int events, notify, file;
	char serial[32];
	char device[PATH_MAX]; /* DEVPATH of what was plugged in; "" until the kernel has announced it */
	uint64_t added_usec, driven_usec, done_usec;
	bool is_removed;
	char *text; /* what has come to FILE since the plug */
	size_t len;
};

static uint64_t now_usec(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

__attribute__((noreturn)) static void give_up(const char *what)
{
	perror(what);
	exit(3);
}

static void write_attribute(const struct bench *bench, const char *name, const char *value)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), GADGETS "%s/%s", bench->gadget, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		give_up(path);
	(void)close(fd);
}

static void open_events(struct bench *bench)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int size = 16 << 20;
	bench->events = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	if (bench->events < 0 ||
		setsockopt(bench->events, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
		bind(bench->events, (struct sockaddr *)&address, sizeof(address)) < 0)
		give_up("cannot listen to the kernel's events");
}

static void open_file(struct bench *bench)
{
	bench->file = bench->notify = -1;
	if (!bench->path)
		return;
	bench->file = open(bench->path, O_RDONLY | O_CLOEXEC);
	bench->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (bench->file < 0 || bench->notify < 0 || lseek(bench->file, 0, SEEK_END) < 0 ||
		inotify_add_watch(bench->notify, bench->path, IN_MODIFY) < 0)
		give_up(bench->path);
}

/* The value of one of the NUL-separated pairs of a uevent, or "". */
static const char *value_of(const char *message, size_t len, const char *key)
{
	size_t key_len = strlen(key);
	for (const char *at = message; at < message + len; at += strlen(at) + 1) {
		if (strncmp(at, key, key_len) == 0 && at[key_len] == '=')
			return at + key_len + 1;
	}
	return "";
}

static void take_event(struct bench *bench, const char *message, size_t len, uint64_t now)
{
	const char *path = value_of(message, len, "DEVPATH");
	const char *action = value_of(message, len, "ACTION");
	bool is_device = strcmp(value_of(message, len, "DEVTYPE"), "usb_device") == 0;
	/* udev rules may send an "add" of their own */
	if (*value_of(message, len, "SYNTH_UUID"))
		return;
	if (is_device && !*bench->device && strcmp(action, "add") == 0 && strstr(path, "/dummy_hcd.")) {
		(void)snprintf(bench->device, sizeof(bench->device), "%s", path);
		bench->added_usec = now;
	}
	if (is_device && strcmp(action, "remove") == 0 && strcmp(path, bench->device) == 0)
		bench->is_removed = true;
	if (bench->path || !*bench->device || strcmp(action, "add") != 0 ||
		strncmp(path, bench->device, strlen(bench->device)) != 0 ||
		strcmp(value_of(message, len, "SUBSYSTEM"), "input") != 0)
		return;
	if (!bench->driven_usec)
		bench->driven_usec = now;
	if (!bench->done_usec && strncmp(value_of(message, len, "DEVNAME"), "input/event", 11) == 0)
		bench->done_usec = now;
}

static void take_events(struct bench *bench, uint64_t now)
{
	char message[8192];
	ssize_t n;
	while ((n = recv(bench->events, message, sizeof(message) - 1, 0)) > 0) {
		message[n] = '\0';
		take_event(bench, message, (size_t)n, now);
	}
}

static bool has_line(const struct bench *bench)
{
	char *end;
	for (char *line = bench->text; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		bool is_it = strstr(line, bench->serial) && strstr(line, bench->word);
		*end = '\n';
		if (is_it)
			return true;
	}
	return false;
}

static void take_lines(struct bench *bench, uint64_t now)
{
	char ignored[4096], part[4096];
	ssize_t n;
	while (read(bench->notify, ignored, sizeof(ignored)) > 0) {
	}
	while ((n = read(bench->file, part, sizeof(part))) > 0) {
		char *text = realloc(bench->text, bench->len + (size_t)n + 1);
		if (!text)
			give_up("no memory");
		memcpy(text + bench->len, part, (size_t)n);
		bench->text = text;
		bench->len += (size_t)n;
		bench->text[bench->len] = '\0';
	}
	if (bench->text && !bench->done_usec && has_line(bench))
		bench->done_usec = now;
}

/* Waits for one thing to happen; false if nothing did. */
static bool step(struct bench *bench, int timeout_ms)
{
	struct pollfd fds[] = {
		{.fd = bench->events, .events = POLLIN}, {.fd = bench->notify, .events = POLLIN}};
	if (poll(fds, 2, timeout_ms) <= 0)
		return false;
	uint64_t now = now_usec();
	if (fds[0].revents)
		take_events(bench, now);
	if (fds[1].revents)
		take_lines(bench, now);
	return true;
}

/* One plug and unplug. Returns the time in microseconds, or 0 if the end was never seen. */
static uint64_t plug_once(struct bench *bench, unsigned number)
{
	(void)snprintf(bench->serial, sizeof(bench->serial), "BENCH-%06u", number);
	write_attribute(bench, "strings/0x409/serialnumber", bench->serial);
	bench->device[0] = '\0';
	bench->added_usec = bench->driven_usec = bench->done_usec = 0;
	bench->is_removed = false;
	bench->len = 0;
	free(bench->text);
	bench->text = NULL;
	write_attribute(bench, "UDC", bench->controller);
	uint64_t limit = now_usec() + PLUG_SECONDS * 1000000u;
	while (!bench->done_usec && now_usec() < limit)
		(void)step(bench, 1000);
	uint64_t usec = bench->done_usec && bench->added_usec ? bench->done_usec - bench->added_usec : 0;
	while (step(bench, QUIET_MS)) {
	}
	write_attribute(bench, "UDC", "\n");
	while (*bench->device && !bench->is_removed && now_usec() < limit + 10000000u)
		(void)step(bench, 1000);
	while (step(bench, QUIET_MS)) {
	}
	return usec;
}

int main(int argc, char **argv)
{
	unsigned count = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
	if ((argc != 6 && argc != 8) || count == 0 || count > PLUGS_MAX) {
		(void)fprintf(stderr, "usage: %s GADGET UDC FIRST COUNT SECONDS [FILE WORD]\n", argv[0]);
		return 2;
	}
	struct bench bench = {.gadget = argv[1], .controller = argv[2]};
	if (argc == 8) {
		bench.path = argv[6];
		bench.word = argv[7];
	}
	unsigned first = (unsigned)strtoul(argv[3], NULL, 10), missed = 0;
	uint64_t limit = now_usec() + strtoul(argv[5], NULL, 10) * 1000000u;
	struct sched_param priority = {.sched_priority = 10};
	if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0)
		give_up("cannot get a real-time priority");
	open_events(&bench);
	open_file(&bench);
	uint64_t driven[PLUGS_MAX];
	unsigned done = 0;
	printf("{\"usec\":[");
	for (unsigned i = 0; i < count && missed == 0 && now_usec() < limit; i++) {
		uint64_t usec = plug_once(&bench, first + i);
		missed += usec == 0;
		if (!usec)
			continue;
		printf("%s%llu", done ? "," : "", (unsigned long long)usec);
		driven[done++] = bench.driven_usec ? bench.driven_usec - bench.added_usec : 0;
	}
	printf("],\"driven_usec\":[");
	for (unsigned i = 0; i < done && !bench.path; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)driven[i]);
	printf("],\"missed\":%u}\n", missed);
	free(bench.text);
	return 0;
}
