// SPDX-License-Identifier: Apache-2.0
/* An unknown argument fails the line instead of being passed over: "splitt" or "socket=/rum/…" would
 * otherwise be found by the first person who cannot log in, with nothing in the log. A configuration file of
 * the module's own was rejected: a locker's user would have to read it, and two places would disagree. */
#include "options.h"

#include <string.h>
#include <sys/un.h>

#include "sekimori/auth.h"

/* What asks for one field only and was seen to: research of the callers stands in pam_sekimori(8). */
#define DEFAULT_SERVICES "i3lock,swaylock,gtklock,sddm"

static const char *value_of(const char *argument, const char *key)
{
	size_t len = strlen(key);
	return strncmp(argument, key, len) == 0 ? argument + len : NULL;
}

static bool is_socket_path(const char *path)
{
	return path[0] == '/' && strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

/* No empty name: "services=" or "a,,b" is a slip, not a wish. */
static bool is_service_list(const char *list)
{
	size_t len = strlen(list);
	return len > 0 && list[0] != ',' && list[len - 1] != ',' && !strstr(list, ",,");
}

static bool take(const char *argument, struct skm_pam_options *options)
{
	const char *value = NULL;
	if (strcmp(argument, "split") == 0) {
		options->is_split = true;
		return true;
	}
	if ((value = value_of(argument, "lang=")))
		return skm_language_from_string(value, &options->language) == 0;
	if ((value = value_of(argument, "services="))) {
		options->services = value;
		return is_service_list(value);
	}
	if ((value = value_of(argument, "socket=")) && is_socket_path(value)) {
		options->socket = value;
		return true;
	}
	return false;
}

int skm_pam_options_parse(int argc, const char **argv, struct skm_pam_options *ret_options, int *ret_bad)
{
	struct skm_pam_options options = {.language = SKM_LANGUAGE_JA, .socket = SKM_AUTH_PATH};
	int bad = -1;
	int services_at = -1;
	for (int i = 0; i < argc; i++) {
		if (!take(argv[i], &options) && bad < 0)
			bad = i;
		if (options.services && services_at < 0)
			services_at = i;
	}
	/* Whoever names services and forgets "split" would get a second prompt everywhere. */
	if (options.services && !options.is_split && bad < 0)
		bad = services_at;
	if (!options.services)
		options.services = DEFAULT_SERVICES;
	*ret_options = options;
	if (bad < 0)
		return 0;
	*ret_bad = bad;
	return -EINVAL;
}

bool skm_pam_options_names_service(const struct skm_pam_options *options, const char *service)
{
	size_t len = strlen(service);
	for (const char *at = options->services; *at;) {
		size_t name_len = strcspn(at, ",");
		if (name_len == len && strncmp(at, service, len) == 0)
			return true;
		at += name_len;
		at += *at == ',';
	}
	return false;
}
