// SPDX-License-Identifier: Apache-2.0
/* The only file that writes a device's attributes in /sys, and, with hash below, that knows libsodium. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "device_ops.h"
#include "sekimori/io.h"

static int sysfs_read(void *user, int device, const char *name, char *buf, size_t size, size_t *ret_len)
{
	(void)user;
	return skm_file_read_at(device, name, buf, size, ret_len);
}

static int sysfs_write(void *user, int device, const char *name, const char *value)
{
	(void)user;
	SKM_CLEANUP(skm_fd_close) int fd = openat(device, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : skm_fd_write_all(fd, value, strlen(value));
}

static int sysfs_driver(void *user, int device, const char *interface, char ret_name[SKM_DRIVER_NAME_BYTES])
{
	(void)user;
	char path[SKM_INTERFACE_NAME_BYTES + 8], target[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%.*s/driver", SKM_INTERFACE_NAME_BYTES - 1, interface);
	ssize_t n = readlinkat(device, path, target, sizeof(target) - 1);
	ret_name[0] = '\0';
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	target[n] = '\0';
	const char *slash = strrchr(target, '/');
	(void)snprintf(ret_name, SKM_DRIVER_NAME_BYTES, "%.*s", SKM_DRIVER_NAME_BYTES - 1,
		slash ? slash + 1 : target);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Interface folders are the subfolders with a colon; sorted, so that writes happen in the same order every
 * time. */
static int sysfs_interfaces(
	void *user, int device, char (*ret_names)[SKM_INTERFACE_NAME_BYTES], size_t max, size_t *ret_count)
{
	(void)user;
	int fd = openat(device, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		int r = -errno;
		skm_fd_close(&fd);
		return r;
	}
	size_t count = 0;
	int r = 0;
	for (struct dirent *entry; r == 0 && (entry = readdir(dir));) {
		size_t len = strlen(entry->d_name);
		/* "1-2:1.0", but not "usb1-port1" or "ep_00" */
		if (!strchr(entry->d_name, ':'))
			continue;
		if (count == max || len >= SKM_INTERFACE_NAME_BYTES)
			r = -E2BIG;
		else
			memcpy(ret_names[count++], entry->d_name, len + 1);
	}
	(void)closedir(dir);
	if (r < 0)
		return r;
	qsort(ret_names, count, sizeof(ret_names[0]), compare_names);
	*ret_count = count;
	return 0;
}

static int sysfs_probe(void *user, const char *interface, const char *driver)
{
	const char *sys_root = user;
	char path[PATH_MAX];
	int len = driver ? snprintf(path, sizeof(path), "%s/bus/usb/drivers/%s/bind", sys_root, driver)
			 : snprintf(path, sizeof(path), "%s/bus/usb/drivers_probe", sys_root);
	if (len >= (int)sizeof(path))
		return -ENAMETOOLONG;
	SKM_CLEANUP(skm_fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Of one driver the kernel gives us the error of its probe, whatever that is. */
	int r = skm_fd_write_all(fd, interface, strlen(interface));
	return driver && r < 0 && r != -EBUSY ? -ENODEV : r;
}

static int sysfs_close_controller(void *user, uint16_t bus_number, struct skm_controller *ret_before)
{
	char name[16];
	(void)snprintf(name, sizeof(name), "usb%u", bus_number);
	return skm_controller_close(user, name, ret_before);
}

static void sysfs_hash(void *user, const void *data, size_t len, uint8_t ret_hash[SKM_DESCRIPTOR_HASH_BYTES])
{
	(void)user;
	(void)crypto_generichash(ret_hash, SKM_DESCRIPTOR_HASH_BYTES, data, len, NULL, 0);
}

struct skm_device_ops skm_sysfs_ops(const char *sys_root)
{
	union {
		const char *in;
		void *out;
	} root = {.in = sys_root}; /* only ever read through `user` */
	return (struct skm_device_ops){
		.read = sysfs_read,
		.write = sysfs_write,
		.driver = sysfs_driver,
		.interfaces = sysfs_interfaces,
		.probe = sysfs_probe,
		.close_controller = sysfs_close_controller,
		.hash = sysfs_hash,
		.user = root.out,
	};
}
