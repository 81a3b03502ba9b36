// SPDX-License-Identifier: Apache-2.0
/* One mail a night, also when all is well: an alarm that does not come looks like peace, a nightly mail that
 * does not come is missed. A file without a name was chosen over a pipe: sendmail reads at its own pace. */
#include "mail.h"

#include <stdio.h>
#include <sys/mman.h>

#include "sekimori/io.h"
#include "verdict.h"

int skm_witness_mail(const char *sendmail, const char *address, int exit_code, const char *text, size_t len)
{
	char head[512], program[256], flag_to[] = "-t", flag_dots[] = "-i";
	char *const argv[] = {program, flag_to, flag_dots, NULL};
	int sent = 0;
	if ((size_t)snprintf(program, sizeof(program), "%s", sendmail) >= sizeof(program))
		return -ENAMETOOLONG;
	/* RFC 2047 for the Japanese words "audit record witness". */
	int head_len = snprintf(head, sizeof(head),
		"To: %s\nSubject: [Sekimori] =?UTF-8?B?55uj5p+76KiY6Yyy44Gu6Ki85piO?= %s (%d)\n"
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
		"Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n\n",
		address, exit_code == 0 ? "OK" : "NG", exit_code);
	if (head_len < 0 || (size_t)head_len >= sizeof(head))
		return -ENAMETOOLONG;
	SKM_CLEANUP(skm_fd_close) int fd = memfd_create("mail", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = skm_fd_write_all(fd, head, (size_t)head_len);
	if (r == 0)
		r = skm_fd_write_all(fd, text, len);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r == 0)
		r = skm_witness_program_run(argv, STDERR_FILENO, fd, &sent);
	return r == 0 && sent != 0 ? -ECOMM : r;
}
