// SPDX-License-Identifier: Apache-2.0
/* What an administrator changes (configuration, machine key) is looked for before each request by the files'
 * identity, so there is no reload command to forget; a broken configuration leaves the one in force.
 *
 * Rejected: inotify, which says nothing of what happened while authd was not running, and which a rename of a
 * folder above escapes; two lstat(2) a request cost nothing beside its two fdatasync(2). */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sekimori/io.h"
#include "sekimori/log.h"
#include "service_internal.h"
#include "store_files.h"

#define KEPT_NAME "sekimori.conf" /* in the folder below /run that also keeps states */

/* 0 with a configuration, or why not in `error`. */
static int load_config(const struct skm_service *service, const char *path, struct skm_config **ret_config,
	char *error, size_t size)
{
	struct skm_config_error why = {0};
	struct skm_timestamp now;
	service->options->clock.now(service->options->clock.user, &now);
	int r = skm_config_load_file(path, now.realtime_usec / (int64_t)SKM_USEC_PER_SEC, ret_config, &why);
	if (r == SKM_CONFIG_INVALID)
		(void)skm_config_error_format(&why, SKM_LANGUAGE_EN, error, size);
	else if (r < 0)
		(void)snprintf(error, size, "cannot load %s: %s", path, strerrordesc_np(-r));
	return r;
}

/* What was right last stays in force when somebody makes a slip, also in the next process: this one ends when
 * nobody comes. Not over a boot. That it cannot be kept costs no login. */
static void keep_config(const struct skm_service *service)
{
	const struct skm_store_ops *ops = &skm_store_ops_system;
	const struct skm_service_options *options = service->options;
	SKM_CLEANUP(skm_free) char *text = NULL;
	SKM_CLEANUP(skm_fd_close) int folder = -1;
	size_t len = 0;
	int r = skm_file_read_trusted(options->config_path, SKM_CONFIG_BYTES_MAX, &text, &len);
	if (r == 0 && mkdir(options->fallback_folder, 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		r = skm_store_folder_open(ops, options->fallback_folder, &folder);
	if (r == 0)
		r = skm_store_file_replace(ops, folder, KEPT_NAME, text, len, false);
	if (r != 0)
		skm_log(SKM_SEVERITY_WARNING, "cannot keep a copy of %s in %s", options->config_path,
			options->fallback_folder);
}

static int load_kept(const struct skm_service *service, struct skm_config **ret_config)
{
	char error[768];
	SKM_CLEANUP(skm_free) char *path = NULL;
	if (asprintf(&path, "%s/" KEPT_NAME, service->options->fallback_folder) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return load_config(service, path, ret_config, error, sizeof(error));
}

static void hex_to_bytes(const char *hex, uint8_t *ret_bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		const char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
		ret_bytes[i] = (uint8_t)strtoul(two, NULL, 16);
	}
}

/* Anew when the key or what the store needs of the configuration is another one. */
int skm_service_open_store(struct skm_service *service)
{
	struct skm_authenticator *authenticator = &service->authenticator;
	const struct skm_config *config = service->config;
	struct skm_store_options options = {
		.folder = service->options->state_folder,
		.fallback_folder = service->options->fallback_folder,
		.ops = &skm_store_ops_system,
		.key = authenticator->key,
		.previous_key = service->has_previous_key ? &service->previous_key : NULL,
		.escrow_public_key = config->mfa.has_escrow_key ? config->mfa.escrow_key : NULL,
		.free_tries = config->mfa.free_tries,
	};
	memcpy(options.machine, authenticator->machine, sizeof(options.machine));
	hex_to_bytes(authenticator->boot_id, options.boot_id, sizeof(options.boot_id));
	/* The old one first: it may hold the folder's lock. */
	authenticator->store = skm_store_free(authenticator->store);
	return skm_store_new(&options, &authenticator->store);
}

static void load_key(struct skm_service *service)
{
	struct skm_authenticator *authenticator = &service->authenticator;
	const char *path = service->options->key_path;
	skm_key_clear(&service->key);
	skm_key_clear(&service->previous_key);
	authenticator->key = NULL;
	service->has_previous_key = skm_key_load_previous(service->options->credentials_folder, path,
					    &service->previous_key) == 0;
	int r = skm_key_load(service->options->credentials_folder, path, &service->key);
	if (r == 0)
		authenticator->key = &service->key;
	else if (r == SKM_KEY_ABSENT)
		skm_log(SKM_SEVERITY_ALERT,
			"there is no machine key: neither the credential %s nor %s (sekimori-authd --create-key)",
			SKM_KEY_CREDENTIAL, path);
	else if (r == SKM_KEY_INVALID)
		skm_log(SKM_SEVERITY_ALERT,
			"cannot use the machine key %s: found: other contents, or rights for others; allowed: 64 "
			"hex digits, root only",
			path);
	else
		skm_log(SKM_SEVERITY_ALERT, "cannot read the machine key %s: %s", path, strerrordesc_np(-r));
}

static int take_config(struct skm_service *service)
{
	struct skm_config *config = NULL;
	char error[768];
	service->config_is_broken =
		load_config(service, service->options->config_path, &config, error, sizeof(error)) != 0;
	if (service->config_is_broken) {
		skm_service_record_fact(service, SKM_EVENT_CONFIG_BROKEN, SKM_OUTCOME_ERROR,
			service->options->config_path, "%s; the configuration in force stays", error);
		return 0;
	}
	keep_config(service);
	struct skm_config *old = service->config;
	service->config = config;
	service->authenticator.config = config;
	skm_service_record_fact(service, SKM_EVENT_POLICY_CHANGED, SKM_OUTCOME_LOGGED,
		service->options->config_path, "%s -> %s", old->version, config->version);
	/* The store may point to the old one's escrow key. */
	int r = skm_service_open_store(service);
	skm_service_configure_stream(service, old);
	(void)skm_config_free(old);
	skm_packet_server_refresh_roles(service->server);
	return r;
}

int skm_service_refresh(struct skm_service *service)
{
	int r = 0;
	skm_service_check_clock(service);
	if (skm_file_has_changed(service->options->key_path, &service->key_file)) {
		load_key(service);
		r = skm_service_open_store(service);
	}
	if (r == 0 && skm_file_has_changed(service->options->config_path, &service->config_file))
		r = take_config(service);
	/* A store that could not be made (memory) is tried again with each request. */
	if (r == 0 && !service->authenticator.store)
		r = skm_service_open_store(service);
	return r;
}

int skm_service_load_files(struct skm_service *service, char *error, size_t size)
{
	struct skm_config *config = NULL;
	int r = 0;
	error[0] = '\0';
	(void)skm_file_has_changed(service->options->config_path, &service->config_file);
	if (load_config(service, service->options->config_path, &config, error, size) == 0)
		keep_config(service);
	else if (load_kept(service, &config) == 0)
		service->config_is_broken = true;
	else
		r = skm_config_default(&config);
	if (r < 0)
		return r;
	service->config = config;
	service->authenticator.config = config;
	(void)skm_file_has_changed(service->options->key_path, &service->key_file);
	load_key(service);
	return 0;
}
