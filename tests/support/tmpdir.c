// SPDX-License-Identifier: Apache-2.0
#include "tmpdir.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void tmpdir_make(char ret_root[TMPDIR_BYTES])
{
	(void)snprintf(ret_root, TMPDIR_BYTES, "/tmp/sekimori-test-XXXXXX");
	cr_assert_not_null(mkdtemp(ret_root));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

void tmpdir_remove(const char *root)
{
	cr_assert_eq(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void make_path(char *buf, size_t size, const char *root, const char *format, va_list arguments)
{
	int n = snprintf(buf, size, "%s/", root);
	(void)vsnprintf(buf + n, size - (size_t)n, format, arguments);
}

void tmpdir_write(const char *root, const char *text, const char *path_format, ...)
{
	char path[1024];
	va_list arguments;
	va_start(arguments, path_format);
	make_path(path, sizeof(path), root, path_format, arguments);
	va_end(arguments);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		cr_assert(mkdir(path, 0755) == 0 || errno == EEXIST, "%s", path);
		*slash = '/';
	}
	FILE *file = fopen(path, "we");
	cr_assert_not_null(file, "%s", path);
	(void)fputs(text, file);
	cr_assert_eq(fclose(file), 0);
}

void tmpdir_expect(const char *root, const char *text, const char *path_format, ...)
{
	char path[1024];
	char found[1024] = "";
	va_list arguments;
	va_start(arguments, path_format);
	make_path(path, sizeof(path), root, path_format, arguments);
	va_end(arguments);
	FILE *file = fopen(path, "re");
	cr_assert_not_null(file, "%s", path);
	size_t n = fread(found, 1, sizeof(found) - 1, file);
	found[n] = '\0';
	(void)fclose(file);
	/* sysfs files are not truncated by a write, plain files are not either: compare the beginning */
	cr_assert_eq(
		strncmp(found, text, strlen(text)), 0, "%s holds \"%s\", expected \"%s\"", path, found, text);
}
