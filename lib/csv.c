// SPDX-License-Identifier: Apache-2.0
/* A reader with nothing to configure: comma, double quote, LF or CRLF. Libraries that guess separators and
 * encodings were rejected, since a permit must not depend on a guess. */
#include "csv.h"

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Length of the line end at pos: 0 when there is none. */
static size_t line_end(const struct skm_csv *csv)
{
	const char *at = csv->text + csv->pos;
	if (at[0] == '\n')
		return 1;
	return at[0] == '\r' && csv->len - csv->pos >= 2 && at[1] == '\n' ? 2 : 0;
}

/* What stands where a field may end. */
static int end_field(struct skm_csv *csv, bool *ret_ends_row)
{
	if (csv->pos == csv->len) {
		*ret_ends_row = true;
		return 0;
	}
	if (csv->text[csv->pos] == ',') {
		csv->pos++;
		*ret_ends_row = false;
		return 0;
	}
	size_t end = line_end(csv);
	if (end == 0)
		return is_control(csv->text[csv->pos]) ? SKM_CSV_CONTROL_CHARACTER : SKM_CSV_STRAY_QUOTE;
	csv->pos += end;
	csv->line++;
	*ret_ends_row = true;
	return 0;
}

static int read_quoted(struct skm_csv *csv, char *buf, size_t size)
{
	size_t used = 0;
	buf[0] = '\0';
	for (csv->pos++; csv->pos < csv->len; csv->pos++) {
		char c = csv->text[csv->pos];
		if (c == '"') {
			bool is_doubled = csv->len - csv->pos >= 2 && csv->text[csv->pos + 1] == '"';
			csv->pos++;
			if (!is_doubled)
				return 0;
		} else if (is_control(c)) {
			return SKM_CSV_CONTROL_CHARACTER;
		}
		if (used + 1 >= size)
			return SKM_CSV_TOO_LONG;
		buf[used++] = c;
		buf[used] = '\0';
	}
	return SKM_CSV_STRAY_QUOTE; /* the file ends before the quote does */
}

static int read_plain(struct skm_csv *csv, char *buf, size_t size)
{
	size_t used = 0;
	buf[0] = '\0';
	for (; csv->pos < csv->len; csv->pos++) {
		char c = csv->text[csv->pos];
		if (c == ',' || is_control(c))
			return 0;
		if (c == '"')
			return SKM_CSV_STRAY_QUOTE;
		if (used + 1 >= size)
			return SKM_CSV_TOO_LONG;
		buf[used++] = c;
		buf[used] = '\0';
	}
	return 0;
}

int skm_csv_next(struct skm_csv *csv, char *buf, size_t size, bool *ret_ends_row)
{
	bool is_quoted = csv->pos < csv->len && csv->text[csv->pos] == '"';
	int r = is_quoted ? read_quoted(csv, buf, size) : read_plain(csv, buf, size);
	return r != 0 ? r : end_field(csv, ret_ends_row);
}
