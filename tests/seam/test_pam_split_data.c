// SPDX-License-Identifier: Apache-2.0
/* The code's way from line to line. libpam lets only modules keep data, so the two functions are these. */
#include <criterion/criterion.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "conversation.h"
#include "split_data.h"

typedef void (*cleanup_fn)(pam_handle_t *, void *, int);
static char kept_name[64];
static void *kept;
static cleanup_fn kept_cleanup;
static int error;
static pam_handle_t *const pamh = (pam_handle_t *)(void *)kept_name; /* only handed through */

int pam_set_data(pam_handle_t *handle, const char *name, void *data, cleanup_fn cleanup)
{
	(void)handle;
	if (error)
		return error;
	if (kept_cleanup)
		kept_cleanup(pamh, kept, PAM_DATA_REPLACE);
	(void)snprintf(kept_name, sizeof(kept_name), "%s", name);
	kept = data;
	kept_cleanup = cleanup;
	return PAM_SUCCESS;
}

int pam_get_data(const pam_handle_t *handle, const char *name, const void **data)
{
	(void)handle;
	if (strcmp(name, kept_name) != 0)
		return PAM_NO_MODULE_DATA;
	*data = kept;
	return PAM_SUCCESS;
}

static void end_of_handle(void)
{
	if (kept_cleanup)
		kept_cleanup(pamh, kept, PAM_SUCCESS);
}

Test(pam_split_data, taken_once)
{
	char *code = NULL;
	cr_expect_not(skm_pam_split_take(pamh, &code));
	cr_assert_eq(skm_pam_split_keep(pamh, "123456"), PAM_SUCCESS);
	cr_assert(skm_pam_split_take(pamh, &code));
	cr_expect_str_eq(code, "123456");
	skm_pam_answer_free(&code);
	cr_expect_null(code);
	cr_expect_null(kept);
	cr_expect_not(skm_pam_split_take(pamh, &code));
	end_of_handle();
}

Test(pam_split_data, an_empty_code_is_kept_too)
{
	char *code = NULL;
	cr_assert_eq(skm_pam_split_keep(pamh, ""), PAM_SUCCESS);
	cr_assert(skm_pam_split_take(pamh, &code));
	cr_expect_str_eq(code, "");
	skm_pam_answer_free(&code);
	end_of_handle();
}

Test(pam_split_data, replaced_forgotten_or_left_it_is_freed)
{
	cr_assert_eq(skm_pam_split_keep(pamh, "111111"), PAM_SUCCESS);
	cr_assert_eq(skm_pam_split_keep(pamh, "222222"), PAM_SUCCESS);
	skm_pam_split_forget(pamh);
	skm_pam_split_forget(pamh);
	cr_expect_null(kept);
	cr_assert_eq(skm_pam_split_keep(pamh, "333333"), PAM_SUCCESS);
	end_of_handle(); /* the leak check counts */
}

Test(pam_split_data, what_libpam_does_not_keep_is_freed)
{
	error = PAM_BUF_ERR;
	cr_expect_eq(skm_pam_split_keep(pamh, "123456"), PAM_BUF_ERR);
	cr_expect_null(kept);
}

Test(pam_split_data, a_forked_child_takes_nothing_and_ends_its_copy)
{
	cr_assert_eq(skm_pam_split_keep(pamh, "123456"), PAM_SUCCESS);
	pid_t child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		char *code = NULL;
		bool was_found = skm_pam_split_take(pamh, &code);
		end_of_handle();
		_exit(was_found ? 1 : 0);
	}
	int status = -1;
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
	char *code = NULL;
	cr_assert(skm_pam_split_take(pamh, &code), "the parent has it still");
	cr_expect_str_eq(code, "123456");
	skm_pam_answer_free(&code);
}
