// SPDX-License-Identifier: Apache-2.0
#include "pam_scene.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void note(struct scene *scene, const struct pam_message *message)
{
	static const char *const styles[] = {
		[PAM_PROMPT_ECHO_OFF] = "ask",
		[PAM_PROMPT_ECHO_ON] = "ask visibly",
		[PAM_ERROR_MSG] = "error",
		[PAM_TEXT_INFO] = "info",
	};
	size_t len = strlen(scene->said);
	(void)snprintf(scene->said + len, sizeof(scene->said) - len, "[%s] %s\n", styles[message->msg_style],
		message->msg);
}

static struct pam_response *respond(const char *text)
{
	struct pam_response *response = calloc(1, sizeof(*response));
	cr_assert_not_null(response);
	response->resp = text ? strdup(text) : NULL;
	return response;
}

static int converse_wrongly(struct scene *scene, struct pam_response **ret_response)
{
	switch (scene->application) {
	case SCENE_NULL_RESPONSE:
		*ret_response = NULL;
		return PAM_SUCCESS;
	case SCENE_NULL_ANSWER:
		*ret_response = respond(NULL);
		return PAM_SUCCESS;
	case SCENE_ABORT:
		return PAM_ABORT;
	case SCENE_ERROR_AND_GARBAGE:
		*ret_response = (struct pam_response *)(uintptr_t)0x10;
		return PAM_CONV_ERR;
	case SCENE_AGAIN:
		return scene->prompts == 1 ? PAM_CONV_AGAIN : -1;
	default:
		return -1;
	}
}

static int converse(
	int count, const struct pam_message **messages, struct pam_response **ret_response, void *user)
{
	struct scene *scene = user;
	scene->conversations++;
	scene->several_messages |= count != 1;
	const struct pam_message *message = messages[0];
	note(scene, message);
	bool is_prompt =
		message->msg_style == PAM_PROMPT_ECHO_OFF || message->msg_style == PAM_PROMPT_ECHO_ON;
	if (!is_prompt) {
		*ret_response = scene->application == SCENE_RESPONDS_TO_INFO ? respond("unasked") : NULL;
		return PAM_SUCCESS;
	}
	scene->prompts++;
	int r = converse_wrongly(scene, ret_response);
	if (r >= 0)
		return r;
	unsigned turn = scene->application == SCENE_SAME_ANSWER ? 0 : scene->prompts - 1;
	if (scene->application == SCENE_AGAIN)
		turn--; /* the question is put again */
	if (turn >= SCENE_ANSWERS || !scene->answers[turn])
		return PAM_CONV_ERR; /* more was asked than the test foresaw */
	*ret_response = respond(scene->answers[turn]);
	return PAM_SUCCESS;
}

/* Instead of libpam's sleep. */
static void on_fail_delay(int result, unsigned usec, void *user)
{
	struct scene *scene = user;
	(void)result;
	scene->fail_delay_usec = usec;
}

/* Words in capitals become paths; the plain "SEKIMORI" gets this test's socket too. */
static void write_service(const struct scene *scene)
{
	FILE *file = NULL;
	char path[TMPDIR_BYTES + 64];
	(void)snprintf(path, sizeof(path), "%s/%s", scene->authd.folder, scene->service);
	cr_assert_not_null(file = fopen(path, "we"));
	for (const char *at = scene->lines; *at;) {
		if (strncmp(at, "SEKIMORI", 8) == 0) {
			(void)fprintf(file, "%s/pam_module/pam_sekimori.so socket=%s", SKM_BINARY_DIR,
				scene->authd.path);
			at += 8;
		} else if (strncmp(at, "STUB", 4) == 0) {
			(void)fprintf(file, "%s/tests/pam_stub.so", SKM_BINARY_DIR);
			at += 4;
		} else {
			(void)fputc(*at++, file);
		}
	}
	cr_assert_eq(fclose(file), 0);
}

static void set_items(struct scene *scene, pam_handle_t *pamh)
{
	void (*delay)(int, unsigned, void *) = on_fail_delay;
	const void *item = NULL;
	memcpy(&item, &delay, sizeof(item)); /* PAM keeps a function in a pointer to data */
	cr_assert_eq(pam_set_item(pamh, PAM_FAIL_DELAY, item), PAM_SUCCESS);
	if (scene->tty)
		cr_assert_eq(pam_set_item(pamh, PAM_TTY, scene->tty), PAM_SUCCESS);
	if (scene->rhost)
		cr_assert_eq(pam_set_item(pamh, PAM_RHOST, scene->rhost), PAM_SUCCESS);
}

void scene_play(struct scene *scene)
{
	if (!scene->service)
		scene->service = "login";
	if (!scene->user && !scene->user_is_asked)
		scene->user = "yamada";
	if (!scene->lines)
		scene->lines = "auth required SEKIMORI\n";
	fake_authd_start(&scene->authd, &scene->orders);
	write_service(scene);
	struct pam_conv conv = {
		.conv = scene->application == SCENE_NO_CONV ? NULL : converse, .appdata_ptr = scene};
	pam_handle_t *pamh = NULL;
	cr_assert_eq(pam_start_confdir(scene->service, scene->user, &conv, scene->authd.folder, &pamh),
		PAM_SUCCESS);
	set_items(scene, pamh);
	scene->result = pam_authenticate(pamh, scene->flags);
	if (scene->result == PAM_INCOMPLETE)
		scene->result = pam_authenticate(pamh, scene->flags);
	scene->setcred_result = scene->result == PAM_SUCCESS ? pam_setcred(pamh, PAM_ESTABLISH_CRED) : -1;
	cr_assert_eq(pam_end(pamh, scene->result), PAM_SUCCESS);
	cr_expect_not(scene->several_messages);
	const struct fake_authd_seen *seen = scene->authd.seen;
	if (seen->verifies)
		cr_assert_eq(
			skm_auth_packet_parse(seen->last_verify, seen->last_verify_len, &scene->verify), 0);
}

void scene_end(struct scene *scene)
{
	fake_authd_stop(&scene->authd);
}
