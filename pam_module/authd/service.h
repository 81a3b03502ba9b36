// SPDX-License-Identifier: Apache-2.0
/* Everything around the logic of sekimori-authd: its socket, configuration, key, audit stream and life. One
 * request is answered from start to end before the next one is looked at. */
#ifndef SKM_SERVICE_H
#define SKM_SERVICE_H

#include "authenticator.h"

#define SKM_AUTH_LOG_FOLDER "/var/log/sekimori/auth"
#define SKM_AUTH_CHAIN_PATH "/var/lib/sekimori/chain/auth/chain"
#define SKM_MACHINE_ID_PATH "/etc/machine-id"

#define SKM_SERVICE_IDLE_MS 60000
#define SKM_SERVICE_PATIENCE_MS 5000 /* longer than a caller's own: he gives up first */
/* A recovery code costs tens of milliseconds, and all wait in one line: what one user may put before a login
 * is these few requests. */
#define SKM_SERVICE_CONNECTIONS_PER_USER 4
#define SKM_SERVICE_CONNECTIONS_MAX 32

/* Every path, so that tests run the shipped code in folders of their own. Borrowed for the run. */
struct skm_service_options {
	const char *config_path, *log_folder, *chain_path, *machine_id_path;
	const char *collected_path; /* the forwarder's state */
	const char *state_folder, *fallback_folder;
	const char *key_path;
	const char *credentials_folder; /* NULL = none */
	uint32_t idle_ms;		/* ends by itself after so long without a connection; 0 = never */
	struct skm_clock clock;
	/* The logic: skm_authenticator_answer and skm_authenticator_settle. */
	int (*answer)(struct skm_authenticator *authenticator, const struct skm_peer *peer,
		const struct skm_auth_packet *request, skm_send_fn send, void *user);
	void (*settle)(struct skm_authenticator *authenticator);
};
/* The installed paths and the machine's clock; the logic is left to the caller. */
void skm_service_options_default(struct skm_service_options *ret_options);

/* Serves the listening socket, which it takes over, until SIGTERM or SIGINT (whoever is connected is still
 * answered), or until it has been idle and all its records are stored. Says WATCHDOG=1 to systemd, where that
 * asks for it, from the loop. libsodium must have been started. 0 or
 * -errno. */
SKM_NODISCARD int skm_service_run(const struct skm_service_options *options, int *listen_fd);

/* The 16 bytes that stand for this machine in records: a hash of machine-id(5), which itself must not be
 * shown. 0; -EBADMSG: not initialised, or no machine-id; -errno. */
SKM_NODISCARD int skm_machine_id_read(const char *path, uint8_t ret_machine[SKM_MACHINE_ID_BYTES]);

#endif
