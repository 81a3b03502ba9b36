// SPDX-License-Identifier: Apache-2.0
/* The whole module between a hostile application and a hostile authd, in one process and without waiting:
 * libpam's functions are these here (the executable's go before the library's), and connect(2) is wrapped by
 * the linker and gives a socket in which the answers lie already. The input decides, in the order in which it
 * is asked, what each of them does. */
#include <fcntl.h>
#include <security/pam_appl.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "sekimori/auth.h"

#define ITEMS 32
#define SLOTS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);

struct pam_handle {
	const uint8_t *input;
	size_t left;
	char *items[ITEMS]; /* PAM_CONV is apart */
	struct pam_conv conv;
	bool has_conv;
	struct {
		char *name;
		void *data;
		void (*cleanup)(pam_handle_t *, void *, int);
	} slots[SLOTS];
	unsigned prompts;
	bool said_ok, said_not_required; /* authd, in a packet that is whole */
	bool authtok_was_set;
};
static struct pam_handle *handle; /* for __wrap_connect */

static uint8_t take_byte(struct pam_handle *pamh)
{
	if (pamh->left == 0)
		return 0;
	pamh->left--;
	return *pamh->input++;
}

/* Two bytes of length, then as many as there are. */
static const uint8_t *take_chunk(struct pam_handle *pamh, size_t *ret_len)
{
	size_t len = take_byte(pamh);
	len |= (size_t)take_byte(pamh) << 8;
	if (len > pamh->left)
		len = pamh->left;
	const uint8_t *chunk = pamh->input;
	pamh->input += len;
	pamh->left -= len;
	*ret_len = len;
	return chunk;
}

static char *take_text(struct pam_handle *pamh)
{
	size_t len = 0;
	const uint8_t *chunk = take_chunk(pamh, &len);
	char *text = malloc(len + 1);
	if (!text)
		abort();
	memcpy(text, chunk, len);
	text[len] = '\0';
	return text;
}

/* ---- authd ---- */

static void note_answer(const uint8_t *packet_bytes, size_t len)
{
	static struct skm_auth_packet packet;
	if (skm_auth_packet_parse(packet_bytes, len, &packet) != 0)
		return;
	handle->said_ok |= packet.code == SKM_AUTH_OK;
	handle->said_not_required |= packet.code == SKM_AUTH_NOT_REQUIRED;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	(void)address;
	(void)len;
	static const int errors[] = {ENOENT, ECONNREFUSED, EACCES, EPERM};
	uint8_t choice = take_byte(handle);
	handle->said_ok = false; /* only the last question's answer counts */
	if (choice >= 0xf0) {
		errno = errors[choice % SKM_ARRAY_SIZE(errors)];
		return -1;
	}
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	for (unsigned i = 0; i < choice % 4u; i++) {
		size_t answer_len = 0;
		const uint8_t *answer = take_chunk(handle, &answer_len);
		note_answer(answer, answer_len);
		(void)send(pair[1], answer, answer_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	(void)close(pair[1]);
	if (dup3(pair[0], fd, O_CLOEXEC) < 0)
		abort();
	(void)close(pair[0]);
	return 0;
}

/* ---- the application ---- */

static int converse(
	int count, const struct pam_message **messages, struct pam_response **ret_response, void *user)
{
	struct pam_handle *pamh = user;
	if (count != 1)
		abort(); /* SDDM */
	int style = messages[0]->msg_style;
	bool is_prompt = style == PAM_PROMPT_ECHO_OFF;
	if (!is_prompt && style != PAM_TEXT_INFO && style != PAM_ERROR_MSG)
		abort();
	if (is_prompt && (strcasestr(messages[0]->msg, "password") || ++pamh->prompts > 2))
		abort();
	uint8_t choice = take_byte(pamh);
	switch (choice % 8) {
	case 1:
		*ret_response = NULL;
		return PAM_SUCCESS;
	case 2:
		*ret_response = calloc(1, sizeof(**ret_response));
		return PAM_SUCCESS;
	case 3:
		return PAM_CONV_AGAIN;
	case 4:
		return PAM_ABORT;
	case 5:
		*ret_response = (struct pam_response *)(uintptr_t)8;
		return PAM_CONV_ERR;
	case 6:
		return -(int)choice;
	default:
		*ret_response = calloc(1, sizeof(**ret_response));
		(*ret_response)->resp = take_text(pamh);
		return PAM_SUCCESS;
	}
}

/* ---- libpam ---- */

int pam_get_item(const pam_handle_t *pamh, int type, const void **item)
{
	if (type < 0 || type >= ITEMS)
		return PAM_BAD_ITEM;
	if (type == PAM_CONV)
		*item = pamh->has_conv ? &pamh->conv : NULL;
	else
		*item = pamh->items[type];
	return PAM_SUCCESS;
}

int pam_set_item(pam_handle_t *pamh, int type, const void *item)
{
	if (type != PAM_AUTHTOK || !item)
		abort(); /* everything else is not ours to set */
	pamh->authtok_was_set = true;
	free(pamh->items[type]);
	pamh->items[type] = strdup(item);
	return PAM_SUCCESS;
}

int pam_get_user(pam_handle_t *pamh, const char **user, const char *prompt)
{
	(void)prompt;
	if (!pamh->items[PAM_USER])
		return take_byte(pamh) % 2 ? PAM_CONV_AGAIN : PAM_CONV_ERR;
	*user = pamh->items[PAM_USER];
	return PAM_SUCCESS;
}

int pam_set_data(
	pam_handle_t *pamh, const char *name, void *data, void (*cleanup)(pam_handle_t *, void *, int))
{
	if (take_byte(pamh) == 0xff)
		return PAM_BUF_ERR;
	for (size_t i = 0; i < SLOTS; i++) {
		if (pamh->slots[i].name && strcmp(pamh->slots[i].name, name) != 0)
			continue;
		if (pamh->slots[i].cleanup)
			pamh->slots[i].cleanup(pamh, pamh->slots[i].data, PAM_DATA_REPLACE);
		if (!pamh->slots[i].name)
			pamh->slots[i].name = strdup(name);
		pamh->slots[i].data = data;
		pamh->slots[i].cleanup = cleanup;
		return PAM_SUCCESS;
	}
	abort();
}

int pam_get_data(const pam_handle_t *pamh, const char *name, const void **data)
{
	for (size_t i = 0; i < SLOTS && pamh->slots[i].name; i++) {
		if (strcmp(pamh->slots[i].name, name) != 0)
			continue;
		*data = pamh->slots[i].data;
		return PAM_SUCCESS;
	}
	return PAM_NO_MODULE_DATA;
}

int pam_fail_delay(pam_handle_t *pamh, unsigned usec)
{
	(void)pamh;
	return usec == 2000000 ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

void pam_syslog(const pam_handle_t *pamh, int priority, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	(void)pamh;
	(void)priority;
	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
}

/* ---- one attempt: a split line (perhaps) and a plain line ---- */

static void check(const struct pam_handle *pamh, int r, bool is_split)
{
	switch (r) {
	case PAM_SUCCESS:
		if (is_split || !pamh->said_ok)
			abort();
		break;
	case PAM_IGNORE:
		if (!is_split && !pamh->said_not_required)
			abort();
		break;
	case PAM_AUTH_ERR:
	case PAM_SYSTEM_ERR:
	case PAM_CONV_ERR:
	case PAM_INCOMPLETE:
		break;
	default:
		abort();
	}
	if (!is_split && pamh->authtok_was_set)
		abort();
}

static void run_line(struct pam_handle *pamh, bool is_split, uint8_t choice)
{
	char *free_argument = take_text(pamh);
	const char *argv[4];
	int argc = 0;
	if (is_split)
		argv[argc++] = "split";
	if (is_split)
		argv[argc++] = "services=x";
	if (choice & 1)
		argv[argc++] = "lang=en";
	if (choice & 2)
		argv[argc++] = free_argument;
	bool is_really_split = is_split || (argc > 0 && strcmp(argv[argc - 1], "split") == 0);
	pamh->said_ok = pamh->said_not_required = pamh->authtok_was_set = false;
	pamh->prompts = 0;
	int flags = choice & 4 ? (int)PAM_SILENT : 0;
	check(pamh, pam_sm_authenticate(pamh, flags, argc, argv), is_really_split);
	if (pam_sm_setcred(pamh, flags, argc, argv) != PAM_SUCCESS)
		abort();
	free(free_argument);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int types[] = {PAM_SERVICE, PAM_USER, PAM_TTY, PAM_RHOST, PAM_RUSER, PAM_AUTHTOK};
	struct pam_handle pamh = {.input = data, .left = size, .conv = {.conv = converse}};
	pamh.conv.appdata_ptr = &pamh;
	handle = &pamh;
	uint8_t present = take_byte(&pamh);
	for (size_t i = 0; i < SKM_ARRAY_SIZE(types); i++)
		if (present & 1u << i)
			pamh.items[types[i]] = take_text(&pamh);
	pamh.has_conv = !(present & 0x40);
	if (present & 0x80)
		pamh.conv.conv = NULL;
	uint8_t lines = take_byte(&pamh);
	if (lines & 1)
		run_line(&pamh, true, take_byte(&pamh));
	run_line(&pamh, false, take_byte(&pamh));
	for (size_t i = 0; i < SLOTS; i++) {
		if (pamh.slots[i].cleanup)
			pamh.slots[i].cleanup(&pamh, pamh.slots[i].data, PAM_SUCCESS);
		free(pamh.slots[i].name);
	}
	for (size_t i = 0; i < ITEMS; i++)
		free(pamh.items[i]);
	return 0;
}
