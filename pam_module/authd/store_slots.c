// SPDX-License-Identifier: Apache-2.0
/* Written in place because a login must need no disk space, and because one pwrite and one fdatasync cost a
 * quarter of a temporary file with its rename and two syncs. Rejected: one slot (a torn write leaves none), a
 * journal (grows), a checksum beside the box (its MAC is one). Only the box is written, not the page around
 * it: a page is 4,096 bytes so that no two slots share a sector. */
#include <fcntl.h>
#include <string.h>

#include "store_slots.h"

_Static_assert(SKM_SLOTS_FILE_BYTES == SKM_SLOT_COUNT * SKM_SLOT_PAGE_BYTES, "a page for each slot");

int skm_slot_owner_unseal(const struct skm_slot_owner *owner, enum skm_seal_purpose purpose,
	const uint8_t *box, size_t box_len, uint8_t *ret_text)
{
	int r = owner->key ? skm_unseal(owner->key, purpose, box, box_len, ret_text) : SKM_SEAL_WRONG_KEY;
	if (r == SKM_SEAL_WRONG_KEY && owner->previous_key)
		r = skm_unseal(owner->previous_key, purpose, box, box_len, ret_text);
	return r;
}

static off_t offset_of(uint64_t revision)
{
	return (off_t)(revision % SKM_SLOT_COUNT) * SKM_SLOT_PAGE_BYTES;
}

static void seal_slot(const struct skm_slot_owner *owner, const struct skm_person_state *state,
	uint8_t ret_box[SKM_SLOT_BOX_BYTES])
{
	uint8_t text[SKM_SLOT_TEXT_BYTES];
	for (size_t i = 0; i < 4; i++)
		text[i] = (uint8_t)(owner->uid >> (8 * i));
	memcpy(text + 4, owner->machine, SKM_MACHINE_ID_BYTES);
	skm_person_state_encode(state, text + 4 + SKM_MACHINE_ID_BYTES);
	skm_seal(owner->key, SKM_SEAL_STATE, text, sizeof(text), ret_box);
}

/* 0: *ret_state is a state of this owner for the slot it was found in. */
static int open_slot(const struct skm_slot_owner *owner, unsigned slot, const uint8_t box[SKM_SLOT_BOX_BYTES],
	struct skm_person_state *ret_state)
{
	uint8_t text[SKM_SLOT_TEXT_BYTES];
	int r = skm_slot_owner_unseal(owner, SKM_SEAL_STATE, box, SKM_SLOT_BOX_BYTES, text);
	if (r != 0)
		return r;
	uint32_t uid = 0;
	for (size_t i = 0; i < 4; i++)
		uid |= (uint32_t)text[i] << (8 * i);
	struct skm_person_state state;
	if (uid != owner->uid || memcmp(text + 4, owner->machine, SKM_MACHINE_ID_BYTES) != 0 ||
		skm_person_state_decode(text + 4 + SKM_MACHINE_ID_BYTES, &state) != 0 ||
		state.revision % SKM_SLOT_COUNT != slot)
		return SKM_SEAL_DAMAGED;
	*ret_state = state;
	return 0;
}

static void read_slot(const struct skm_store_ops *ops, int fd, unsigned slot,
	const struct skm_slot_owner *owner, struct skm_slots *slots)
{
	uint8_t box[SKM_SLOT_BOX_BYTES];
	size_t len = 0;
	struct skm_person_state state;
	/* A bad sector (EIO) costs this slot, not the other one. */
	int r = skm_store_file_read(ops, fd, box, sizeof(box), offset_of(slot), &len);
	if (r == 0)
		r = len == sizeof(box) ? open_slot(owner, slot, box, &state) : SKM_SEAL_DAMAGED;
	if (r == SKM_SEAL_WRONG_KEY)
		slots->has_other_key = true;
	if (r != 0)
		slots->lost++;
	else if (!slots->has_state || state.revision > slots->newest.revision) {
		slots->newest = state;
		slots->has_state = true;
	}
}

int skm_slots_read(const struct skm_store_ops *ops, int folder, const char *name,
	const struct skm_slot_owner *owner, struct skm_slots *ret_slots)
{
	struct skm_slots slots = {0};
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	int r = skm_store_file_open(ops, folder, name, O_RDONLY, &fd, NULL);
	if (r < 0 && r != -ENOENT)
		return r;
	slots.exists = r != -ENOENT;
	if (r == SKM_STORE_FILE_UNFIT)
		slots.lost = SKM_SLOT_COUNT;
	for (unsigned slot = 0; r == 0 && slot < SKM_SLOT_COUNT; slot++)
		read_slot(ops, fd, slot, owner, &slots);
	*ret_slots = slots;
	return 0;
}

int skm_slots_write(const struct skm_store_ops *ops, int folder, const char *name,
	const struct skm_slot_owner *owner, const struct skm_person_state *state)
{
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	uint64_t size = 0;
	int r = skm_store_file_open(ops, folder, name, O_RDWR, &fd, &size);
	/* A cut-off file has lost the space that was set aside for it. */
	if (r == -ENOENT || (r == 0 && size != SKM_SLOTS_FILE_BYTES))
		return SKM_STORE_FILE_UNFIT;
	if (r != 0)
		return r;
	uint8_t box[SKM_SLOT_BOX_BYTES];
	seal_slot(owner, state, box);
	r = skm_store_file_write(ops, fd, box, sizeof(box), offset_of(state->revision));
	return r == 0 && ops->fdatasync(fd) < 0 ? -errno : r;
}

int skm_slots_replace(const struct skm_store_ops *ops, int folder, const char *name,
	const struct skm_slot_owner *owner, const struct skm_person_state *state, bool is_durable)
{
	uint8_t file[SKM_SLOTS_FILE_BYTES] = {0};
	struct skm_person_state before = *state;
	before.revision--;
	seal_slot(owner, state, file + offset_of(state->revision));
	seal_slot(owner, &before, file + offset_of(before.revision));
	return skm_store_file_replace(ops, folder, name, file, sizeof(file), is_durable);
}
