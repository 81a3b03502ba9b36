// SPDX-License-Identifier: Apache-2.0
/* A terminal's number as one word, as it stands in front of its records on the way to the collector and in
 * the collector's list. The forwarder makes it, sekimori-store makes the same of a record's own number, and
 * takes no message under another kind of name. Pure. */
#ifndef SEKIMORI_TERMINAL_NAME_H
#define SEKIMORI_TERMINAL_NAME_H

#define SKM_TERMINAL_BYTES 65 /* as the configuration's terminal.number */

/* Each blank, control character, quote, backslash and each character of the blocks that turn or hide text
 * (U+0080-009F, U+061C, U+2000-207F) becomes a '_', and so does each byte beyond ASCII where the number is no
 * UTF-8; an empty one becomes "-". */
void skm_terminal_name(const char *number, char ret_name[SKM_TERMINAL_BYTES]);

#endif
