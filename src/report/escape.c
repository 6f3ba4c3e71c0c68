/* SPDX-License-Identifier: MIT
 *
 * escape: see escape.h.  Decides by the UTF-8 table of RFC 3629; no locale.
 */
#include "report/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Length of the well-formed sequence at S, 0 where there is none; *RET is its
 * character.  A NUL is never a continuation byte, so the end is not passed. */
static size_t utf8_decode(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
	uint32_t c;

	if (len == 0 || s[0] >= 0xf8)
		return 0;
	c = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return len;
}

/* Controls, line and paragraph separators, and bidirectional formatting. */
static bool disturbing(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static char *put_hex(char *out, unsigned char byte)
{
	static const char digit[] = "0123456789abcdef";

	*out++ = '\\';
	*out++ = 'x';
	*out++ = digit[byte >> 4];
	*out++ = digit[byte & 15];
	return out;
}

static char *escape(const char *name, bool text)
{
	const unsigned char *s = (const unsigned char *)name;
	char *ret = malloc(strlen(name) * 4 + 1);
	char *out = ret;

	if (!ret)
		return NULL;
	while (*s) {
		uint32_t c = 0;
		size_t len = utf8_decode(s, &c);
		bool plain = len && !(text && disturbing(c));

		if (text && c == '\\')
			*out++ = '\\';
		for (size_t i = 0; i < (len ? len : 1); i++, s++) {
			if (plain)
				*out++ = (char)*s;
			else
				out = put_hex(out, *s);
		}
	}
	*out = '\0';
	return ret;
}

char *escape_text(const char *name)
{
	return escape(name, true);
}

char *escape_utf8(const char *name)
{
	return escape(name, false);
}
