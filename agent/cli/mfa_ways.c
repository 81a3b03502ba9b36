// SPDX-License-Identifier: Apache-2.0
/* Where libpam looks for services and modules, and how a way round the second factor is told. All services
 * are judged, not a list of known ones: the next desktop brings a service of its own. What opens nothing here
 * and now (a module that is not installed) is told apart, since installing it is a matter of one package. */
#include "mfa_ways.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "sekimori/io.h"
#include "sekimori/text.h"

#define PATH_BYTES 4096
#define SERVICE_BYTES (NAME_MAX + 1) /* no service is overlooked for its long name */
#define SERVICES_MAX 1024u

struct service {
	char name[SERVICE_BYTES];
	int result; /* of skm_pam_judge */
	struct skm_pam_judgement judgement;
};

struct skm_mfa_ways {
	bool asks;
	unsigned count;
	struct service *services;
};

static const char *const folders[] = {"/etc/pam.d", "/usr/lib/pam.d"}; /* the first that has it counts */

static int join(char *buf, size_t size, const char *root, const char *folder, const char *name)
{
	int len = snprintf(buf, size, "%s%s%s%s", root, folder, *folder ? "/" : "", name);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/* ---- files and modules ---- */

static int read_path(const char *root, const char *folder, const char *name, char *buf, size_t size)
{
	char path[PATH_BYTES];
	size_t len = 0;
	int r = join(path, sizeof(path), root, folder, name);
	if (r == 0)
		r = skm_file_read_at(AT_FDCWD, path, buf, size, &len);
	return r == 0 && memchr(buf, '\0', len) ? -EBADMSG : r;
}

struct place {
	const char *root;
	glob_t module_folders;
};

static int read_service(void *user, const char *name, char *buf, size_t size)
{
	const struct place *place = user;
	if (name[0] == '/')
		return read_path(place->root, "", name, buf, size);
	int r = -ENOENT;
	for (size_t i = 0; r == -ENOENT && i < SKM_ARRAY_SIZE(folders); i++)
		r = read_path(place->root, folders[i], name, buf, size);
	return r;
}

/* What cannot be looked for is taken for installed: a warning too many is better than one that is missing. */
static bool is_installed(void *user, const char *module)
{
	const struct place *place = user;
	char path[PATH_BYTES];
	if (strstr(module, "$ISA") || place->module_folders.gl_pathc == 0)
		return true;
	if (module[0] == '/')
		return join(path, sizeof(path), place->root, "", module) < 0 || access(path, F_OK) == 0;
	for (size_t i = 0; i < place->module_folders.gl_pathc; i++) {
		if (join(path, sizeof(path), "", place->module_folders.gl_pathv[i], module) < 0 ||
			access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static int find_module_folders(struct place *place)
{
	static const char *const patterns[] = {"/lib/security", "/lib64/security", "/usr/lib/security",
		"/usr/lib64/security", "/lib/*/security", "/usr/lib/*/security"};
	for (size_t i = 0; i < SKM_ARRAY_SIZE(patterns); i++) {
		char pattern[PATH_BYTES];
		int r = join(pattern, sizeof(pattern), place->root, "", patterns[i]);
		if (r < 0)
			return r;
		if (glob(pattern, (i ? GLOB_APPEND : 0) | GLOB_NOSORT, NULL, &place->module_folders) ==
			GLOB_NOSPACE)
			return -ENOMEM;
	}
	return 0;
}

static void place_finish(struct place *place)
{
	globfree(&place->module_folders);
}

/* ---- services ---- */

bool skm_mfa_ways_is_service(const char *name)
{
	static const char *const others[] = {"common-*", "system-auth", "password-auth", "fingerprint-auth",
		"smartcard-auth", "switchable-auth", "postlogin", "*~", "*.dpkg-*", "*.rpm*", "*.ucf-*",
		"*.bak", "*.pam-old", "*-greeter", "gdm-launch-environment", "README*"};
	for (const char *at = name; *at; at++) {
		if (isupper((unsigned char)*at))
			return false;
	}
	for (size_t i = 0; i < SKM_ARRAY_SIZE(others); i++) {
		if (fnmatch(others[i], name, 0) == 0)
			return false;
	}
	return name[0] != '.' && name[0] != '\0' && strlen(name) < SERVICE_BYTES;
}

static int add_service(struct skm_mfa_ways *ways, const char *name)
{
	for (unsigned i = 0; i < ways->count; i++) {
		if (strcmp(ways->services[i].name, name) == 0)
			return 0;
	}
	if (ways->count == SERVICES_MAX)
		return -E2BIG;
	struct service *services = reallocarray(ways->services, ways->count + 1, sizeof(*services));
	if (!services)
		return -ENOMEM;
	ways->services = services;
	services[ways->count] = (struct service){0};
	(void)snprintf(services[ways->count++].name, SERVICE_BYTES, "%s", name);
	return 0;
}

static void close_folder(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}

static int list_folder(struct skm_mfa_ways *ways, const char *root, const char *name)
{
	char path[PATH_BYTES];
	int r = join(path, sizeof(path), root, "", name);
	if (r < 0)
		return r;
	SKM_CLEANUP(close_folder) DIR *folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? 0 : -errno;
	for (;;) {
		struct stat status;
		errno = 0;
		const struct dirent *entry = readdir(folder);
		if (!entry)
			return -errno;
		/* A link is followed, as libpam does; one that leads nowhere is no service. */
		if (!skm_mfa_ways_is_service(entry->d_name) ||
			fstatat(dirfd(folder), entry->d_name, &status, 0) < 0 || !S_ISREG(status.st_mode))
			continue;
		r = add_service(ways, entry->d_name);
		if (r < 0)
			return r;
	}
}

static int compare_names(const void *left, const void *right)
{
	const struct service *one = left;
	const struct service *other = right;
	return strcmp(one->name, other->name);
}

static void judge_all(struct skm_mfa_ways *ways, const struct skm_pam_files *files)
{
	for (unsigned i = 0; i < ways->count; i++) {
		struct service *service = &ways->services[i];
		service->result = skm_pam_judge(files, service->name, &service->judgement);
		if (!files->assumes_ours && service->result == 0 && service->judgement.has_ours)
			ways->asks = true;
	}
}

static int fill(struct skm_mfa_ways *ways, struct place *place, bool after_enabling)
{
	int r = find_module_folders(place);
	for (size_t i = 0; r == 0 && i < SKM_ARRAY_SIZE(folders); i++)
		r = list_folder(ways, place->root, folders[i]);
	if (r < 0)
		return r;
	struct skm_pam_files files = {read_service, is_installed, place, false};
	if (ways->count)
		qsort(ways->services, ways->count, sizeof(*ways->services), compare_names);
	judge_all(ways, &files);
	files.assumes_ours = after_enabling || !ways->asks;
	if (files.assumes_ours)
		judge_all(ways, &files);
	return 0;
}

int skm_mfa_ways_find(const char *root, bool after_enabling, struct skm_mfa_ways **ret_ways)
{
	SKM_CLEANUP(place_finish) struct place place = {.root = root};
	struct skm_mfa_ways *ways = calloc(1, sizeof(*ways));
	if (!ways)
		return -ENOMEM;
	int r = fill(ways, &place, after_enabling);
	if (r == 0)
		*ret_ways = ways;
	else
		skm_mfa_ways_free(&ways);
	return r;
}

void skm_mfa_ways_free(struct skm_mfa_ways **ways)
{
	if (*ways)
		free((*ways)->services);
	free(*ways);
	*ways = NULL;
}

bool skm_mfa_ways_asks(const struct skm_mfa_ways *ways)
{
	return ways->asks;
}

unsigned skm_mfa_ways_count(const struct skm_mfa_ways *ways)
{
	unsigned count = 0;
	for (unsigned i = 0; i < ways->count; i++) {
		const struct service *service = &ways->services[i];
		if (service->result != 0)
			count++;
		else if (service->judgement.verdict == SKM_PAM_OPEN)
			count += service->judgement.way_count;
	}
	return count;
}

/* ---- for people ---- */

/* The greeter's own programs ask for such a service only where the administrator configured it. */
static bool is_autologin(const char *name)
{
	return fnmatch("*-autologin", name, 0) == 0;
}

static void print_openers(FILE *file, const struct skm_pam_way *way)
{
	for (unsigned i = 0; i < way->count; i++) {
		if (i)
			(void)fputs(" + ", file);
		skm_text_print(file, way->openers[i]);
	}
}

static void print_way(
	FILE *file, enum skm_language language, const struct service *service, const struct skm_pam_way *way)
{
	bool is_open = service->judgement.verdict == SKM_PAM_OPEN;
	print_openers(file, way);
	if (!is_open)
		(void)fputs(
			skm_text(language, " がないため今は閉じています（入れると、それだけで認証できます）",
				" is not installed; with it, people would get in without a code"),
			file);
	else if (way->count == 0)
		(void)fputs(skm_text(language, "何も尋ねずに認証できます（確認コードなし）",
				    "lets people in without asking anything (no code)"),
			file);
	else
		(void)fputs(skm_text(language, " だけで認証できます（確認コードなし）",
				    way->count == 1 ? " alone lets people in (no code)"
						    : " let people in (no code)"),
			file);
	if (is_open && is_autologin(service->name))
		(void)fputs(skm_text(language, "。自動ログインを設定した場合のみ",
				    ", only where automatic login is configured"),
			file);
	(void)fputc('\n', file);
}

void skm_mfa_ways_print(FILE *file, enum skm_language language, const struct skm_mfa_ways *ways)
{
	for (unsigned i = 0; i < ways->count; i++) {
		const struct service *service = &ways->services[i];
		unsigned count = service->result == 0 ? service->judgement.way_count : 1;
		for (unsigned k = 0; k < count; k++) {
			(void)fputs("  ", file);
			skm_text_print(file, service->name);
			(void)fputs(": ", file);
			if (service->result == 0)
				print_way(file, language, service, &service->judgement.ways[k]);
			else
				(void)fprintf(file, "%s: %s\n",
					skm_text(language, "判断できません", "cannot be judged"),
					strerror(-service->result));
		}
	}
}

/* ---- for programs ---- */

static void write_ways(
	struct skm_json *json, const char *key, const struct skm_mfa_ways *ways, enum skm_pam_verdict verdict)
{
	skm_json_array_begin(json, key);
	for (unsigned i = 0; i < ways->count; i++) {
		const struct service *service = &ways->services[i];
		if (service->result != 0 || service->judgement.verdict != verdict)
			continue;
		for (unsigned k = 0; k < service->judgement.way_count; k++) {
			const struct skm_pam_way *way = &service->judgement.ways[k];
			skm_json_object_begin(json, NULL);
			skm_json_string(json, "service", service->name);
			skm_json_array_begin(json, "modules");
			for (unsigned n = 0; n < way->count; n++)
				skm_json_string(json, NULL, way->openers[n]);
			skm_json_array_end(json);
			skm_json_bool(json, "autologin", is_autologin(service->name));
			skm_json_object_end(json);
		}
	}
	skm_json_array_end(json);
}

void skm_mfa_ways_json(struct skm_json *json, const struct skm_mfa_ways *ways)
{
	skm_json_object_begin(json, "login");
	skm_json_bool(json, "asks_for_code", ways->asks);
	write_ways(json, "ways_around", ways, SKM_PAM_OPEN);
	write_ways(json, "closed_as_installed", ways, SKM_PAM_OPEN_IF_INSTALLED);
	skm_json_array_begin(json, "not_judged");
	for (unsigned i = 0; i < ways->count; i++) {
		if (ways->services[i].result != 0)
			skm_json_string(json, NULL, ways->services[i].name);
	}
	skm_json_array_end(json);
	skm_json_object_end(json);
}
