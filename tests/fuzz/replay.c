// SPDX-License-Identifier: MIT
/* replay_* INPUT...: gives inputs to a fuzzer, without libFuzzer. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"

int main(int argc, char **argv)
{
	static uint8_t data[1 << 20];

	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "r");
		size_t bytes;

		if (!f) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		bytes = fread(data, 1, sizeof(data), f);
		fclose(f);
		printf("# %s: %zu bytes\n", argv[i], bytes);
		fflush(stdout);
		LLVMFuzzerTestOneInput(data, bytes);
	}
	return EXIT_SUCCESS;
}
