// SPDX-License-Identifier: Apache-2.0
/* A sorted list: an office terminal has ten devices, a machine can have some hundreds, and every walk is per
 * event, not per rule. */
#include "registry.h"

#include <fcntl.h>
#include <string.h>

struct skm_entry *skm_registry_find(const struct skm_registry *registry, const char *port)
{
	for (struct skm_entry *entry = registry->entries; entry; entry = entry->next)
		if (strcmp(entry->port, port) == 0)
			return entry;
	return NULL;
}

struct skm_entry *skm_registry_find_job(const struct skm_registry *registry, uint64_t job_id)
{
	for (struct skm_entry *entry = registry->entries; entry; entry = entry->next)
		if (entry->job_id == job_id)
			return entry;
	return NULL;
}

struct skm_entry *skm_registry_next(const struct skm_registry *registry, const char *port)
{
	for (struct skm_entry *entry = registry->entries; entry; entry = entry->next)
		if (strcmp(entry->port, port) > 0)
			return entry;
	return NULL;
}

int skm_registry_add(
	struct skm_registry *registry, const char *port, const char *syspath, struct skm_entry **ret_entry)
{
	if (registry->count >= SKM_REGISTRY_MAX || strlen(port) >= SKM_USB_PORT_BYTES)
		return -ENOSPC;
	SKM_CLEANUP(skm_fd_close) int folder = open(syspath, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	struct skm_entry *entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	memcpy(entry->port, port, strlen(port) + 1);
	entry->folder = skm_fd_take(&folder);
	struct skm_entry **link = &registry->entries;
	while (*link && strcmp((*link)->port, port) < 0)
		link = &(*link)->next;
	entry->next = *link;
	*link = entry;
	registry->count++;
	*ret_entry = entry;
	return 0;
}

void skm_registry_remove(struct skm_registry *registry, struct skm_entry *entry)
{
	for (struct skm_entry **link = &registry->entries; *link; link = &(*link)->next) {
		if (*link != entry)
			continue;
		*link = entry->next;
		skm_fd_close(&entry->folder);
		free(entry);
		registry->count--;
		return;
	}
}

void skm_registry_finish(struct skm_registry *registry)
{
	while (registry->entries)
		skm_registry_remove(registry, registry->entries);
}

bool skm_entry_is_alive(const struct skm_entry *entry)
{
	return faccessat(entry->folder, "devnum", F_OK, 0) == 0;
}

bool skm_registry_has_twin(const struct skm_registry *registry, const struct skm_entry *entry)
{
	if (!entry->device.serial[0])
		return false;
	for (const struct skm_entry *other = registry->entries; other; other = other->next)
		if (other != entry && other->is_described &&
			other->device.vendor_id == entry->device.vendor_id &&
			other->device.product_id == entry->device.product_id &&
			strcmp(other->device.serial, entry->device.serial) == 0)
			return true;
	return false;
}
