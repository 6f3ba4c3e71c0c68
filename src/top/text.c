/* SPDX-License-Identifier: MIT
 *
 * text: see the header.  Rests on the locale alone; draws nothing.
 */
#include "top/text.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "report/escape.h"

void text_name(const char *name, int columns, char *buf, size_t size)
{
	autofree char *safe = escape_text(name);
	const char *at = safe ? safe : "?";
	mbstate_t state = { 0 };
	size_t used = 0;

	while (*at) {
		wchar_t c = L'?';
		size_t len = mbrtowc(&c, at, strlen(at), &state);
		int width = len == 0 || len > strlen(at) ? -1 : wcwidth(c);

		if (width < 0) { /* not of this locale: one mark for each byte */
			memset(&state, 0, sizeof(state));
			len = 1;
			width = 1;
		}
		if (width > columns || used + len >= size)
			break;
		if (len == 1 && ((unsigned char)*at >= 0x80 || wcwidth(c) < 0))
			buf[used] = '?';
		else
			memcpy(buf + used, at, len);
		used += len;
		columns -= width;
		at += len;
	}
	buf[used] = '\0';
}

void text_history(const uint64_t *value, size_t nr, int columns, int utf8, char *buf, size_t size)
{
	static const char *const block[] = { "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588" };
	static const char *const ascii[] = { "_", ".", ":", "-", "=", "+", "*", "#" };
	size_t first = columns > 0 && nr > (size_t)columns ? nr - (size_t)columns : 0, used = 0;
	uint64_t least = UINT64_MAX, most = 0;

	for (size_t i = first; i < nr; i++) {
		least = value[i] < least ? value[i] : least;
		most = value[i] > most ? value[i] : most;
	}
	buf[0] = '\0';
	for (size_t i = columns > 0 ? first : nr; i < nr; i++) {
		size_t level = most > least ? (size_t)((unsigned __int128)(value[i] - least) * 7 / (most - least)) : 0;
		const char *mark = (utf8 ? block : ascii)[level];

		if (used + strlen(mark) >= size)
			return;
		strcpy(buf + used, mark);
		used += strlen(mark);
	}
}

void text_bar(uint64_t part, uint64_t full, int columns, char *buf, size_t size)
{
	int inner = columns - 2, marks;

	buf[0] = '\0';
	if (inner < 1 || (size_t)columns >= size)
		return;
	marks = full == 0 || part >= full ? inner : (int)((unsigned __int128)part * (unsigned int)inner / full);
	buf[0] = '[';
	memset(buf + 1, '#', (size_t)marks);
	memset(buf + 1 + marks, '.', (size_t)(inner - marks));
	buf[1 + inner] = ']';
	buf[2 + inner] = '\0';
}
