// SPDX-License-Identifier: Apache-2.0
#include "recorded_device.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "enforcer.h"
#include "sekimori/io.h"
#include "sekimori/rule.h"
#include "usb_descriptor.h"

#define RECORDING_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* Both languages of a complaint stand side by side, so that neither is forgotten. */
#define SAY(japanese, english) skm_text(complaint->language, japanese, english)

SKM_PRINTF(2, 3)
static int fail(struct skm_device_complaint *complaint, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(complaint->text, sizeof(complaint->text), format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static int read_folder(const char *path, struct skm_device *device, struct skm_device_complaint *complaint)
{
	SKM_CLEANUP(skm_free) char *real = realpath(path, NULL);
	if (!real)
		return fail(complaint, SAY("開けません: %s: %s", "cannot open %s: %s"), path,
			strerrordesc_np(errno));
	SKM_CLEANUP(skm_fd_close) int folder = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return fail(complaint, SAY("開けません: %s: %s", "cannot open %s: %s"), path,
			strerrordesc_np(errno));
	struct skm_device_ops ops = skm_sysfs_ops("/sys");
	int r = skm_enforcer_describe(&ops, folder, last_part(real), device);
	return r < 0 ? fail(complaint,
			       SAY("USB機器のフォルダーとして読めません: %s: %s",
				       "cannot read %s as a USB device folder: %s"),
			       path, strerrordesc_np(-r))
		     : 0;
}

static void set_descriptors(struct skm_device *device, const uint8_t *bytes, size_t len)
{
	struct skm_device_ops ops = skm_sysfs_ops("/sys");
	skm_usb_descriptors_parse(bytes, len, device);
	ops.hash(ops.user, bytes, len, device->descriptor_hash);
}

/* ---- umockdev recordings: a paragraph a device, "P: path", "A: name=value", "H: name=hex"
 * ------------------------------ */

static int from_hex(const char *hex, size_t len, uint8_t *bytes)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		char pair[3] = {hex[i], hex[i + 1], '\0'};
		char *end = NULL;
		bytes[i / 2] = (uint8_t)strtoul(pair, &end, 16);
		if (*end)
			return -EINVAL;
	}
	return len % 2 ? -EINVAL : 0;
}

/* One byte as umockdev-record writes it (g_strescape of GLib): itself, a letter or up to three octal digits
 * behind a backslash. */
static char take_byte(const char **cursor, const char *end)
{
	static const char letters[] = "bfnrtv";
	static const char controls[] = "\b\f\n\r\t\v";
	const char *c = *cursor;
	bool is_escape = *c == '\\' && c + 1 < end;
	if (is_escape)
		c++;
	*cursor = c + 1;
	if (!is_escape)
		return *c;
	const char *letter = memchr(letters, *c, sizeof(letters) - 1);
	if (letter)
		return controls[letter - letters];
	if (*c < '0' || *c > '7')
		return *c;
	unsigned value = 0;
	for (int digits = 0; digits < 3 && c < end && *c >= '0' && *c <= '7'; digits++, c++)
		value = value * 8 + (unsigned)(*c - '0');
	*cursor = c;
	return (char)value;
}

/* Any bytes, as in /sys; the last newline is the kernel's. */
static void copy_attribute(const char *value, size_t len, char *ret_text)
{
	size_t n = 0;
	for (const char *c = value; c < value + len && n + 1 < SKM_USB_STRING_BYTES;)
		ret_text[n++] = take_byte(&c, value + len);
	if (n > 0 && ret_text[n - 1] == '\n')
		n--;
	ret_text[n] = '\0';
}

/* umockdev-record writes a blank behind the colon; what is written by hand may have none. */
static bool take_value(
	const char *line, size_t len, const char *prefix, const char **ret_value, size_t *ret_len)
{
	const char *end = line + len;
	size_t name_len = strlen(prefix + 2);
	if (len < 2 || strncmp(line, prefix, 2) != 0)
		return false;
	line += 2 + strspn(line + 2, " ");
	if ((size_t)(end - line) < name_len || memcmp(line, prefix + 2, name_len) != 0)
		return false;
	*ret_value = line + name_len;
	*ret_len = (size_t)(end - *ret_value);
	return true;
}

static int take_recorded_line(const char *line, size_t len, struct skm_device *device, bool *has_descriptors)
{
	static const struct {
		const char *prefix;
		size_t offset;
	} strings[] = {{"A:manufacturer=", offsetof(struct skm_device, manufacturer)},
		{"A:product=", offsetof(struct skm_device, product)},
		{"A:serial=", offsetof(struct skm_device, serial)}};
	const char *value = NULL;
	size_t value_len = 0;
	if (take_value(line, len, "H:descriptors=", &value, &value_len)) {
		SKM_CLEANUP(skm_free) uint8_t *bytes = malloc(value_len / 2 + 1);
		if (!bytes)
			return -ENOMEM;
		if (from_hex(value, value_len, bytes) < 0)
			return -EINVAL; // NOLINT(clang-analyzer-unix.Malloc): SKM_CLEANUP frees it
		set_descriptors(device, bytes, value_len / 2);
		*has_descriptors = true;
	}
	for (size_t i = 0; i < SKM_ARRAY_SIZE(strings); i++)
		if (take_value(line, len, strings[i].prefix, &value, &value_len))
			copy_attribute(value, value_len, (char *)device + strings[i].offset);
	if (take_value(line, len, "P:", &value, &value_len)) {
		char path[512];
		(void)snprintf(path, sizeof(path), "%.*s", (int)(value_len < 511 ? value_len : 511), value);
		(void)snprintf(device->port, sizeof(device->port), "%.63s", last_part(path));
	}
	return 0;
}

/* The first device of the recording that has descriptors and is no root hub. */
static int read_recording(
	const char *path, const char *text, struct skm_device *device, struct skm_device_complaint *complaint)
{
	struct skm_device found = {0};
	bool has_descriptors = false;
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		if (take_recorded_line(line, len, &found, &has_descriptors) < 0)
			return fail(complaint,
				SAY("%s: 壊れた行があります", "%s: a line of the recording is damaged"),
				path);
		line += len + (line[len] == '\n');
		if (*line && *line != '\n')
			continue;
		if (has_descriptors && strncmp(found.port, "usb", 3) != 0) {
			*device = found;
			return 0;
		}
		memset(&found, 0, sizeof(found));
		has_descriptors = false;
	}
	return fail(complaint,
		SAY("%s: ディスクリプターのあるUSB機器がありません",
			"%s: the recording holds no USB device with descriptors"),
		path);
}

int skm_recorded_device_read(
	const char *path, struct skm_device *ret_device, struct skm_device_complaint *complaint)
{
	struct stat status;
	struct skm_device device = {0};
	int r = 0;
	if (stat(path, &status) < 0)
		return fail(complaint, SAY("開けません: %s: %s", "cannot open %s: %s"), path,
			strerrordesc_np(errno));
	if (S_ISDIR(status.st_mode)) {
		r = read_folder(path, &device, complaint);
	} else {
		size_t len = 0;
		SKM_CLEANUP(skm_free) char *text = malloc(RECORDING_BYTES_MAX);
		if (!text)
			return -ENOMEM;
		r = skm_file_read_at(AT_FDCWD, path, text, RECORDING_BYTES_MAX, &len);
		if (r < 0)
			return fail(complaint, SAY("読めません: %s: %s", "cannot read %s: %s"), path,
				strerrordesc_np(-r));
		/* a device descriptor begins with its length, 18, and its type, 1; a recording with "P:" */
		if (len >= 2 && memcmp(text, "P:", 2) == 0)
			r = read_recording(path, text, &device, complaint);
		else
			set_descriptors(&device, (const uint8_t *)text, len);
	}
	if (r == 0)
		*ret_device = device;
	return r;
}

/* ---- in words
 * ------------------------------------------------------------------------------------------------------ */

static int add_interfaces(char *list, struct skm_device *device)
{
	char *rest = NULL;
	uint8_t number = 0;
	for (char *item = strtok_r(list, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
		struct skm_class_pattern pattern;
		if (skm_class_pattern_parse(item, &pattern) < 0 || pattern.depth != 3 ||
			number >= SKM_RULE_INTERFACES_MAX)
			return -EINVAL;
		device->interfaces[device->interface_count++] = (struct skm_usb_interface){.configuration = 1,
			.number = number++,
			.class_code = pattern.class_code,
			.subclass = pattern.subclass,
			.protocol = pattern.protocol};
	}
	return number ? 0 : -EINVAL;
}

static int take_word(char *word, struct skm_device *device)
{
	char *value = strchr(word, '=');
	if (!value)
		return -EINVAL;
	*value++ = '\0';
	if (strcmp(word, "vid_pid") == 0)
		return skm_vid_pid_parse(value, &device->vendor_id, &device->product_id);
	if (strcmp(word, "serial") == 0)
		return snprintf(device->serial, sizeof(device->serial), "%s", value) <
				       (int)sizeof(device->serial)
			       ? 0
			       : -EINVAL;
	if (strcmp(word, "port") == 0)
		return skm_port_check(value) < 0
			       ? -EINVAL
			       : (snprintf(device->port, sizeof(device->port), "%s", value), 0);
	if (strcmp(word, "connect_type") == 0)
		return skm_connect_type_from_string(value, &device->connect_type);
	if (strcmp(word, "hash") == 0)
		return skm_descriptor_hash_parse(value, device->descriptor_hash);
	if (strcmp(word, "interfaces") == 0)
		return add_interfaces(value, device);
	return -EINVAL;
}

/* A second word of one kind would silently win, and interfaces of several words have no end. */
static bool is_new(const char *word, unsigned *seen)
{
	static const char *const keys[] = {
		"vid_pid=", "serial=", "port=", "connect_type=", "hash=", "interfaces="};
	for (unsigned i = 0; i < SKM_ARRAY_SIZE(keys); i++)
		if (strncmp(word, keys[i], strlen(keys[i])) == 0) {
			bool is_first = !(*seen & 1u << i);
			*seen |= 1u << i;
			return is_first;
		}
	return true;
}

#define WORDS                                                                                       \
	"vid_pid=VVVV:PPPP serial=TEXT port=1-2 connect_type=hotplug|hardwired|unknown hash=64HEX " \
	"interfaces=CC:SS:PP,…"

static int take_words(char *words, struct skm_device *device, struct skm_device_complaint *complaint)
{
	char *rest = NULL;
	unsigned seen = 0;
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char original[128];
		(void)snprintf(original, sizeof(original), "%s", word);
		if (!is_new(word, &seen) || take_word(word, device) < 0)
			return fail(complaint,
				SAY("現在の内容: %s、正しい内容: " WORDS "、それぞれ1回だけ",
					"found: %s; allowed: " WORDS ", each word once"),
				original);
	}
	return 0;
}

int skm_recorded_device_describe(
	const char *words, struct skm_device *ret_device, struct skm_device_complaint *complaint)
{
	struct skm_device device = {0};
	char *copy = strdup(words);
	if (!copy)
		return -ENOMEM;
	int r = take_words(copy, &device, complaint);
	free(copy);
	if (r < 0)
		return r;
	*ret_device = device;
	return 0;
}
