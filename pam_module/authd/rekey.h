// SPDX-License-Identifier: Apache-2.0
/* Another machine key, and coming back without one. For `sekimori-authd --rekey`, `--escrow-keypair FILE` and
 * `--restore-escrow SECRETFILE [FOLDER]` (`--create-key` is skm_key_create). authd's service and socket must
 * be stopped: while it has the store, all of this is -EBUSY.
 *
 * Rekeying, so that at every cut each record opens with a key that authd loads:
 *   1. the key is copied to KEY.old: authd loads both, opens with both, seals with the first
 *   2. a new key takes the place of KEY, by rename
 *   3. every person and state is sealed anew, each by rename; what is not yet done opens with KEY.old
 *   4. KEY.old is removed
 * each step synced before the next. Called again after a cut, it goes on where it stopped: with a KEY.old
 * that differs from KEY, no third key is made.
 *
 * With a credential in place of the file, steps 1 and 2 are the administrator's: the new key goes into the
 * credential sekimori-machine-key, the old one into sekimori-machine-key-old or KEY.old.
 *
 * A state whose person was deleted is left under the old key: it says "refused" either way. */
#ifndef SKM_REKEY_H
#define SKM_REKEY_H

#include "store.h"
#include "users.h"

/* Told once for each person, as they are done: 0 or an outcome of the function that calls it. May be NULL. */
typedef void (*skm_rekey_tell_fn)(void *user, uint32_t uid, int outcome);

struct skm_rekey_options {
	const char *folder, *fallback_folder; /* of the store */
	const char *credentials_folder;	      /* $CREDENTIALS_DIRECTORY; may be NULL */
	const char *key_path;
	const struct skm_store_ops *ops;
	uint8_t machine[SKM_MACHINE_ID_BYTES];
	const uint8_t *escrow_public_key; /* not NULL: every UID.escrow is written for it */
	skm_rekey_tell_fn tell;		  /* outcome: that of skm_store_reseal */
	void *user;
};
struct skm_rekey_report {
	unsigned resealed;
	unsigned unreadable; /* persons whom neither key opens: left as they are */
	bool was_resumed;    /* it had been begun before */
};
#define SKM_REKEY_NO_KEY 1  /* SKM_KEY_ABSENT: nothing to change from; skm_key_create */
#define SKM_REKEY_INVALID 2 /* SKM_KEY_INVALID: KEY or KEY.old */
#define SKM_REKEY_NOTHING 3 /* the key is a credential, and there is no old one to come from */
/* 0; SKM_REKEY_…; -EBUSY; -errno: call again, logins work meanwhile. ret_report only with 0. */
SKM_NODISCARD int skm_rekey(const struct skm_rekey_options *options, struct skm_rekey_report *ret_report);

/* A pair for the escrow. The secret one goes into a new file (0600; carry it away: it opens every secret of
 * every terminal), the public one is what the configuration's mfa.escrow_key wants: 64 hex digits. 0;
 * -EEXIST; -errno.
 */
#define SKM_ESCROW_HEX_BYTES 65
SKM_NODISCARD int skm_escrow_keypair_create(
	const char *secret_path, char ret_public_hex[SKM_ESCROW_HEX_BYTES]);

/* Puts the persons of UID.escrow files under this machine's id and key. Records that open are never touched.
 * TOTP tokens work after a few minutes, counter tokens after a resynchronisation, recovery codes must be
 * issued again: what was used before is not known any more. An escrow does not prove who sealed it: take the
 * files from where only root could write. */
struct skm_restore_options {
	struct skm_store_options store; /* with the new key */
	const char *secret_path;
	/* Where the escrow files are. NULL: in the store's own folder; then nobody changes uid, since one
	 * file could take the place of another that was not read yet. */
	const char *escrow_folder;
	const struct skm_users
		*users; /* NULL: uids are those of the escrow; else of the name, on this machine */
	struct skm_timestamp now;
	skm_rekey_tell_fn tell; /* uid: of the file; outcome: 0 or SKM_RESTORE_… */
	void *user;
};
struct skm_restore_report {
	unsigned restored, kept, unreadable, unknown;
};
#define SKM_RESTORE_NO_SECRET 1	 /* no such file */
#define SKM_RESTORE_INVALID 2	 /* it is no secret key, or others may read it */
#define SKM_RESTORE_NO_KEY 3	 /* store.key is NULL */
#define SKM_RESTORE_KEPT 4	 /* (of one person) the record that is there opens */
#define SKM_RESTORE_UNREADABLE 5 /* the escrow is damaged or sealed to another key */
#define SKM_RESTORE_UNKNOWN 6	 /* the name is nobody's here, or (without escrow_folder) has another uid */
/* 0; the first three; -EBUSY; -errno: call again. ret_report only with 0. */
SKM_NODISCARD int skm_restore_escrow(
	const struct skm_restore_options *options, struct skm_restore_report *ret_report);

#endif
