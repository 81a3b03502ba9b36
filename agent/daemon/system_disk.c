// SPDX-License-Identifier: Apache-2.0
/* mount point -> block device number -> /sys/dev/block/MAJOR:MINOR -> through slaves/ (LUKS, LVM, RAID) ->
 * the USB device names in the real path. File systems with an anonymous device number (btrfs) are found
 * through the mount's source. */
#include "system_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const char *const system_mounts[] = {"/", "/usr", "/boot", "/boot/efi", "/efi", "/var", "/var/log",
	"/etc", "/home", "/opt", "/srv", "/nix"};

bool skm_system_disks_has(const struct skm_system_disks *disks, const char *port)
{
	for (unsigned i = 0; i < disks->count; i++)
		if (strcmp(disks->ports[i], port) == 0)
			return true;
	return false;
}

static void add_port(struct skm_system_disks *disks, const char *port)
{
	if (disks->count == SKM_SYSTEM_DISKS_MAX || strlen(port) >= SKM_USB_PORT_BYTES ||
		skm_system_disks_has(disks, port))
		return;
	memcpy(disks->ports[disks->count++], port, strlen(port) + 1);
}

/* "1-2", "1-2.3": a bus, a dash, ports separated by dots. */
static bool is_usb_name(const char *name)
{
	size_t bus = strspn(name, "0123456789");
	if (bus == 0 || name[bus] != '-')
		return false;
	size_t ports = strspn(name + bus + 1, "0123456789.");
	return ports > 0 && name[bus + 1 + ports] == '\0';
}

static void add_usb_ancestors(struct skm_system_disks *disks, char *path)
{
	char *rest = NULL;
	for (char *part = strtok_r(path, "/", &rest); part; part = strtok_r(NULL, "/", &rest))
		if (is_usb_name(part))
			add_port(disks, part);
}

struct block_walk {
	const char *sys_root;
	struct skm_system_disks *disks;
	char queue[32][PATH_MAX]; /* folders of block devices still to look at */
	unsigned count;
};

static void push(struct block_walk *walk, const char *path)
{
	if (walk->count < SKM_ARRAY_SIZE(walk->queue))
		(void)snprintf(walk->queue[walk->count++], PATH_MAX, "%s", path);
}

/* A partition has no slaves of its own: those are in its disk's folder when the disk is virtual, which no
 * partition is. */
static void push_slaves(struct block_walk *walk, const char *folder)
{
	char path[PATH_MAX + 8];
	(void)snprintf(path, sizeof(path), "%s/slaves", folder);
	DIR *dir = opendir(path);
	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));) {
		char slave[PATH_MAX + 300];
		char real[PATH_MAX];
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(slave, sizeof(slave), "%s/%s", path, entry->d_name);
		if (realpath(slave, real))
			push(walk, real);
	}
	(void)closedir(dir);
}

static void add_block_device(
	const char *sys_root, struct skm_system_disks *disks, unsigned major_number, unsigned minor_number)
{
	char path[PATH_MAX];
	char real[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/dev/block/%u:%u", sys_root, major_number, minor_number);
	if (!realpath(path, real))
		return;
	struct block_walk *walk = calloc(1, sizeof(*walk));
	if (!walk)
		return;
	*walk = (struct block_walk){.sys_root = sys_root, .disks = disks};
	push(walk, real);
	for (unsigned i = 0; i < walk->count; i++) {
		push_slaves(walk, walk->queue[i]);
		add_usb_ancestors(disks, walk->queue[i]);
	}
	free(walk);
}

static void add_node(const char *sys_root, struct skm_system_disks *disks, const char *node)
{
	struct stat status;
	if (stat(node, &status) < 0)
		return;
	/* A file (swap file, loop image) lives on the file system it is on, and that counts then. */
	dev_t device = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
	add_block_device(sys_root, disks, major(device), minor(device));
}

static bool is_system_mount(const char *mount_point)
{
	for (size_t i = 0; i < SKM_ARRAY_SIZE(system_mounts); i++)
		if (strcmp(mount_point, system_mounts[i]) == 0)
			return true;
	return false;
}

/* proc(5): "36 35 98:0 /root /mount/point options… - type source super-options" */
static void add_mount(const char *sys_root, struct skm_system_disks *disks, const char *line)
{
	unsigned major_number = 0;
	unsigned minor_number = 0;
	char mount_point[PATH_MAX];
	char source[PATH_MAX];
	// NOLINTNEXTLINE(cert-err34-c): the kernel wrote the numbers
	int fields = sscanf(line, "%*d %*d %u:%u %*s %4095s", &major_number, &minor_number, mount_point);
	if (fields != 3)
		return;
	if (!is_system_mount(mount_point))
		return;
	add_block_device(sys_root, disks, major_number, minor_number);
	const char *separator = strstr(line, " - ");
	if (major_number == 0 && separator && sscanf(separator, " - %*s %4095s", source) == 1 &&
		source[0] == '/')
		add_node(sys_root, disks, source);
}

static FILE *open_proc(const char *proc_root, const char *name)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s/%s", proc_root, name);
	return fopen(path, "re");
}

void skm_system_disks_find(const char *sys_root, const char *proc_root, struct skm_system_disks *ret_disks)
{
	struct skm_system_disks disks = {0};
	char *line = NULL;
	size_t size = 0;
	FILE *file = open_proc(proc_root, "1/mountinfo");
	while (file && getline(&line, &size, file) >= 0)
		add_mount(sys_root, &disks, line);
	if (file)
		(void)fclose(file);
	file = open_proc(proc_root, "swaps");
	while (file && getline(&line, &size, file) >= 0) {
		line[strcspn(line, " \t\n")] = '\0';
		if (line[0] == '/')
			add_node(sys_root, &disks, line);
	}
	if (file)
		(void)fclose(file);
	free(line);
	*ret_disks = disks;
}
