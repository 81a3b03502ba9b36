// SPDX-License-Identifier: Apache-2.0
/* Changes single settings in the text of the configuration and leaves every other byte as it is: comments,
 * order, blanks, line ends. Pure. */
#ifndef SEKIMORI_CONFIG_EDIT_H
#define SEKIMORI_CONFIG_EDIT_H

#include "sekimori/config.h"

struct skm_config_change {
	const char *name; /* of a setting in the group */
	const char
		*value; /* as the file has it: "\"all\"" or "[ \"a\", \"b\" ]"; NULL = the setting is to go */
};

/* Changes in one top-level group. */
struct skm_config_edit {
	const char *group;
	const struct skm_config_change *changes;
	size_t count;
};

#define SKM_CONFIG_EDIT_NOT_A_GROUP 2 /* the name stands there, but for something else than { … } */

/* Sets each setting: in its place when it is there, else as the last one of the
 * group; a group that is not there is appended to the text. The result is malloc'ed and NUL-terminated.
 * 0; SKM_CONFIG_INVALID (*error: the text is broken already, so where something stands cannot be said);
 * SKM_CONFIG_EDIT_NOT_A_GROUP; -ENOMEM. The values are not judged: parse the result before it is used. */
SKM_NODISCARD int skm_config_edit(const char *path, const char *text, size_t len,
	const struct skm_config_edit *edit, char **ret_text, size_t *ret_len, struct skm_config_error *error);

/* "value" in quotation marks, escaped as the file wants it. 0 or -ENOBUFS; -EINVAL for control characters. */
SKM_NODISCARD int skm_config_quote(const char *value, char *ret_text, size_t size);

#endif
