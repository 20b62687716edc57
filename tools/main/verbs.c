// SPDX-License-Identifier: MIT
/* numatally-verbs VERB: numatally executes it for all but numastat's tables.
 * Its messages begin with numatally. */
#include "config.h"

#include "common/verbs.h"

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
#define VERB(name, summary) {#name, name##_main},
		VERBS(VERB, VERB_NOT)
#undef VERB
			{0},
	};

	return program_main(verbs, argc, argv);
}
