# SPDX-License-Identifier: MIT
"""The files that programs are timed on: the same bytes each time they are made."""
import os

_HEAD = """\
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
"""

# One part of a C file, some 60 lines; @ is its number.
_PART = r"""
struct entry_@ {
	struct entry_@ *next;
	uint32_t hash;
	int64_t weight;
	char name[@SIZE@];
};

struct table_@ {
	struct entry_@ *bucket[@BUCKETS@];
	size_t nr_entries;
};

static uint32_t hash_@(const char *name)
{
	uint32_t hash = @SEED@u;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 16777619u;
	return hash;
}

static struct entry_@ *find_@(struct table_@ *table, const char *name)
{
	uint32_t hash = hash_@(name);
	struct entry_@ *entry;

	for (entry = table->bucket[hash % @BUCKETS@]; entry; entry = entry->next)
		if (entry->hash == hash && strcmp(entry->name, name) == 0)
			return entry;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->hash = hash;
	entry->next = table->bucket[hash % @BUCKETS@];
	table->bucket[hash % @BUCKETS@] = entry;
	table->nr_entries++;
	return entry;
}

static int64_t transform_@(const int64_t *in, int64_t *out, size_t len)
{
	int64_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		int64_t value = in[i] * @FACTOR@ + (int64_t)i;

		switch (value & 7) {
		case 0: value += in[len - 1 - i]; break;
		case 1: value ^= value >> @SHIFT@; break;
		case 2: value -= @FACTOR@; break;
		case 3: value = value < 0 ? -value : value; break;
		case 5: value <<= 1; break;
		default: value += sum & 0xff;
		}
		out[i] = value;
		sum += value % @SEED@;
	}
	return sum;
}

int64_t words_@(const char *text)
{
	struct table_@ table = { { NULL }, 0 };
	int64_t in[@BUCKETS@], out[@BUCKETS@], sum = 0;
	char word[@SIZE@];
	size_t len = 0;

	for (; *text; text++) {
		if (isalnum((unsigned char)*text) && len + 1 < sizeof(word)) {
			word[len++] = (char)tolower((unsigned char)*text);
		} else if (len > 0) {
			struct entry_@ *entry;

			word[len] = 0;
			entry = find_@(&table, word);
			if (!entry)
				abort();
			entry->weight += (int64_t)len * @FACTOR@;
			len = 0;
		}
	}
	for (size_t i = 0; i < @BUCKETS@; i++) {
		struct entry_@ *entry = table.bucket[i], *next;

		in[i] = entry ? entry->weight : (int64_t)i;
		for (; entry; entry = next) {
			next = entry->next;
			sum += entry->weight;
			free(entry);
		}
	}
	return sum + transform_@(in, out, @BUCKETS@) + out[@SHIFT@];
}
"""


def _part(number):
    values = {"@SIZE@": 24 + 8 * (number % 5), "@BUCKETS@": 32 + 16 * (number % 4), "@SEED@": 2166136261 - 97 * number,
              "@FACTOR@": 3 + number % 13, "@SHIFT@": 1 + number % 11}
    text = _PART
    for name, value in values.items():
        text = text.replace(name, str(value))
    return text.replace("@", str(number))


def c_file(path, parts):
    """A C file of about 90 lines a part."""
    with open(path, "w") as f:
        f.write(_HEAD + "".join(map(_part, range(parts))))
        f.write("\nint main(int argc, char **argv)\n{\n\tint64_t sum = argc;\n\n")
        f.writelines("\tsum += words_%d(argv[0]);\n" % n for n in range(parts))
        f.write("\treturn sum == 0;\n}\n")
    return path


def tree(folder, files):
    """FILES small files in folders of 50, as old as 2001: a file as young as
    the index that lists it would be read again by each `git status`."""
    for number in range(files):
        inside = os.path.join(folder, "d%02d" % (number // 500), "e%d" % (number // 50 % 10))
        os.makedirs(inside, exist_ok=True)
        path = os.path.join(inside, "f%d.txt" % number)
        with open(path, "w") as f:
            f.write("line %d\n" % number * (1 + number % 20))
        os.utime(path, (1000000000, 1000000000))
    return folder
