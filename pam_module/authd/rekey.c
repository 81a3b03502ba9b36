// SPDX-License-Identifier: Apache-2.0
/* Two keys for a while, instead of writing everything twice and switching at one moment: one moment for a
 * thousand files and a key in another folder does not exist. So there is no step after which a cut could
 * leave a record that opens with neither. The key files go through the store's vtable too, so that a test can
 * cut there. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "rekey.h"
#include "store_internal.h"

_Static_assert(
	SKM_REKEY_NO_KEY == SKM_KEY_ABSENT && SKM_REKEY_INVALID == SKM_KEY_INVALID, "handed up as they are");
_Static_assert(SKM_RESTORE_NO_SECRET == SKM_KEY_ABSENT && SKM_RESTORE_INVALID == SKM_KEY_INVALID,
	"handed up as they are");

struct keys {
	struct skm_key current, previous;
	bool has_previous, is_file;
};

static void clear_keys(struct keys *keys)
{
	skm_key_clear(&keys->current);
	skm_key_clear(&keys->previous);
}

static void free_store(struct skm_store **store)
{
	*store = skm_store_free(*store);
}

static bool is_same_key(const struct skm_key *a, const struct skm_key *b)
{
	return memcmp(a->id, b->id, SKM_KEY_ID_BYTES) == 0;
}

/* ---- key files ---- */

static int open_key_folder(const struct skm_rekey_options *options, const char **ret_name, int *ret_fd)
{
	const char *slash = strrchr(options->key_path, '/');
	SKM_CLEANUP(skm_free)
	char *folder =
		slash ? strndup(options->key_path, (size_t)(slash - options->key_path) + 1) : strdup(".");
	if (!folder)
		return -ENOMEM;
	int r = skm_store_folder_open(options->ops, folder, ret_fd);
	if (r != 0)
		return r == SKM_STORE_FILE_UNFIT ? -EPERM : r;
	*ret_name = slash ? slash + 1 : options->key_path;
	return 0;
}

static int write_key(
	const struct skm_rekey_options *options, const char *name_suffix, const struct skm_key *key)
{
	SKM_CLEANUP(skm_fd_close) int folder = -1;
	const char *name = NULL;
	int r = open_key_folder(options, &name, &folder);
	if (r < 0)
		return r;
	char file[64], line[SKM_HEX_LINE_BYTES];
	if (snprintf(file, sizeof(file), "%s%s", name, name_suffix) >= (int)sizeof(file))
		return -ENAMETOOLONG;
	skm_hex_line(key->bytes, line);
	r = skm_store_file_replace(options->ops, folder, file, line, strlen(line), true);
	explicit_bzero(line, sizeof(line));
	return r;
}

static int remove_previous_key(const struct skm_rekey_options *options)
{
	SKM_CLEANUP(skm_fd_close) int folder = -1;
	const char *name = NULL;
	int r = open_key_folder(options, &name, &folder);
	if (r < 0)
		return r;
	char file[64];
	if (snprintf(file, sizeof(file), "%s%s", name, SKM_KEY_PREVIOUS_SUFFIX) >= (int)sizeof(file))
		return -ENAMETOOLONG;
	r = skm_store_file_remove(options->ops, folder, file);
	return r == 0 && options->ops->fsync(folder) < 0 ? -errno : r;
}

static int load_keys(const struct skm_rekey_options *options, struct keys *ret_keys)
{
	int r = skm_key_load(options->credentials_folder, options->key_path, &ret_keys->current);
	if (r != 0)
		return r;
	r = skm_key_load_previous(options->credentials_folder, options->key_path, &ret_keys->previous);
	if (r != 0 && r != SKM_KEY_ABSENT)
		return r;
	ret_keys->has_previous = r == 0;
	struct skm_key file = {0};
	r = skm_key_load(NULL, options->key_path, &file);
	ret_keys->is_file = r == 0 && is_same_key(&file, &ret_keys->current);
	skm_key_clear(&file);
	return r < 0 ? r : 0;
}

/* Steps 1 and 2. */
static int switch_keys(const struct skm_rekey_options *options, struct keys *keys)
{
	if (!keys->is_file)
		return SKM_REKEY_NOTHING;
	keys->previous = keys->current;
	keys->has_previous = true;
	int r = write_key(options, SKM_KEY_PREVIOUS_SUFFIX, &keys->previous);
	if (r < 0)
		return r;
	skm_key_generate(&keys->current);
	return write_key(options, "", &keys->current);
}

/* ---- rekey ---- */

struct resealing {
	const struct skm_rekey_options *options;
	struct skm_store *store;
	struct skm_rekey_report report;
};

static int reseal_one(void *user, uint32_t uid)
{
	struct resealing *resealing = user;
	int r = skm_store_reseal(resealing->store, uid);
	if (r < 0)
		return r;
	if (r == 0)
		resealing->report.resealed++;
	else
		resealing->report.unreadable++;
	if (resealing->options->tell)
		resealing->options->tell(resealing->options->user, uid, r);
	return 0;
}

int skm_rekey(const struct skm_rekey_options *options, struct skm_rekey_report *ret_report)
{
	struct skm_store_options store_options = {
		.folder = options->folder,
		.fallback_folder = options->fallback_folder,
		.ops = options->ops,
		.escrow_public_key = options->escrow_public_key,
	};
	memcpy(store_options.machine, options->machine, sizeof(store_options.machine));
	SKM_CLEANUP(free_store) struct skm_store *store = NULL;
	int r = skm_store_new(&store_options, &store);
	/* The lock first: nobody else may be between loading a key and sealing with it. */
	if (r == 0)
		r = skm_store_enter(store);
	if (r != 0)
		return r == SKM_STORE_FILE_UNFIT ? -EPERM : r;
	SKM_CLEANUP(clear_keys) struct keys keys = {0};
	r = load_keys(options, &keys);
	if (r != 0)
		return r;
	struct resealing resealing = {.options = options, .store = store};
	resealing.report.was_resumed = keys.has_previous && !is_same_key(&keys.previous, &keys.current);
	if (!resealing.report.was_resumed)
		r = switch_keys(options, &keys);
	if (r != 0)
		return r;
	store->key = &keys.current;
	store->previous_key = &keys.previous;
	r = skm_store_each(store, reseal_one, &resealing);
	if (r == 0)
		r = remove_previous_key(options);
	if (r == 0)
		*ret_report = resealing.report;
	return r;
}

/* ---- escrow ---- */

int skm_escrow_keypair_create(const char *secret_path, char ret_public_hex[SKM_ESCROW_HEX_BYTES])
{
	uint8_t public_key[32], secret[32];
	char line[SKM_HEX_LINE_BYTES];
	skm_escrow_keypair(public_key, secret);
	int r = skm_secret_file_create(secret_path, secret);
	explicit_bzero(secret, sizeof(secret));
	if (r < 0)
		return r;
	skm_hex_line(public_key, line);
	line[SKM_ESCROW_HEX_BYTES - 1] = '\0';
	memcpy(ret_public_hex, line, SKM_ESCROW_HEX_BYTES);
	return 0;
}

struct restoring {
	const struct skm_restore_options *options;
	struct skm_store *store;
	int folder;
	uint8_t public_key[32], secret[32];
};

static int open_escrow(const struct restoring *restoring, uint32_t uid, struct skm_person *ret_person)
{
	const struct skm_store_ops *ops = restoring->options->store.ops;
	struct skm_store_names names = skm_store_names_of(uid);
	SKM_CLEANUP(skm_fd_close) int fd = -1;
	uint64_t size = 0;
	int r = skm_store_file_open(ops, restoring->folder, names.escrow, O_RDONLY, &fd, &size);
	if (r != 0)
		return r < 0 ? r : SKM_RESTORE_UNREADABLE;
	uint8_t box[SKM_STORE_ESCROW_BYTES], text[SKM_PERSON_ENCODED_BYTES];
	size_t len = 0;
	r = skm_store_file_read(ops, fd, box, sizeof(box), 0, &len);
	if (r < 0)
		return r;
	if (size != sizeof(box) || len != sizeof(box) ||
		skm_escrow_open(restoring->public_key, restoring->secret, box, sizeof(box), text) != 0)
		return SKM_RESTORE_UNREADABLE;
	SKM_CLEANUP(skm_person_clear) struct skm_person person = {0};
	r = skm_person_decode(text, &person);
	explicit_bzero(text, sizeof(text));
	if (r < 0 || person.uid != uid)
		return SKM_RESTORE_UNREADABLE;
	*ret_person = person;
	return 0;
}

/* The same name may have another number on another machine. */
static int find_uid(const struct skm_restore_options *options, struct skm_person *person)
{
	if (!options->users)
		return 0;
	uint32_t uid = 0;
	int r = options->users->uid_of(options->users->user, person->name, &uid);
	if (r == -ENOENT || (r == 0 && uid != person->uid && !options->escrow_folder))
		return SKM_RESTORE_UNKNOWN;
	if (r == 0)
		person->uid = uid;
	return r;
}

static int restore_one(const struct restoring *restoring, uint32_t uid)
{
	SKM_CLEANUP(skm_person_clear) struct skm_person person = {0};
	int r = open_escrow(restoring, uid, &person);
	if (r == 0)
		r = find_uid(restoring->options, &person);
	if (r != 0)
		return r;
	r = skm_store_restore(restoring->store, &person, &restoring->options->now);
	return r == SKM_STORE_KEPT ? SKM_RESTORE_KEPT : r;
}

static void count(struct skm_restore_report *report, int outcome)
{
	if (outcome == 0)
		report->restored++;
	else if (outcome == SKM_RESTORE_KEPT)
		report->kept++;
	else if (outcome == SKM_RESTORE_UNKNOWN)
		report->unknown++;
	else
		report->unreadable++;
}

static int restore_all(const struct restoring *restoring, struct skm_restore_report *ret_report)
{
	SKM_CLEANUP(skm_free) uint32_t *uids = NULL;
	size_t uid_count = 0;
	struct skm_restore_report report = {0};
	int r = skm_store_list(restoring->folder, ".escrow", &uids, &uid_count);
	for (size_t i = 0; r >= 0 && i < uid_count; i++) {
		r = restore_one(restoring, uids[i]);
		if (r < 0)
			break;
		count(&report, r);
		if (restoring->options->tell)
			restoring->options->tell(restoring->options->user, uids[i], r);
	}
	if (r < 0)
		return r;
	*ret_report = report;
	return 0;
}

static void clear_restoring(struct restoring *restoring)
{
	explicit_bzero(restoring->secret, sizeof(restoring->secret));
	skm_fd_close(&restoring->folder);
	free_store(&restoring->store);
}

int skm_restore_escrow(const struct skm_restore_options *options, struct skm_restore_report *ret_report)
{
	if (!options->store.key)
		return SKM_RESTORE_NO_KEY;
	SKM_CLEANUP(clear_restoring) struct restoring restoring = {.options = options, .folder = -1};
	int r = skm_secret_file_load(options->secret_path, restoring.secret);
	if (r != 0)
		return r;
	skm_escrow_public(restoring.secret, restoring.public_key);
	r = skm_store_new(&options->store, &restoring.store);
	if (r == 0)
		r = skm_store_enter(restoring.store);
	const char *folder = options->escrow_folder ? options->escrow_folder : options->store.folder;
	if (r == 0)
		r = skm_store_folder_open(options->store.ops, folder, &restoring.folder);
	if (r != 0)
		return r == SKM_STORE_FILE_UNFIT ? -EPERM : r;
	return restore_all(&restoring, ret_report);
}
