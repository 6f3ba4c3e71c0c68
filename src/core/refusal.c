/* SPDX-License-Identifier: MIT
 *
 * refusal: the names of operations, from operations.def and nowhere else.
 */
#include "core/refusal.h"

const char *operation_name(enum operation op)
{
	static const char *const names[OP_NR] = {
#define OPERATION(name, text) [OP_##name] = text,
#include "core/operations.def"
#undef OPERATION
	};

	/* It may come from a record that another process wrote. */
	return (unsigned int)op < OP_NR ? names[op] : "unknown";
}
