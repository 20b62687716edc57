// SPDX-License-Identifier: MIT
/* Checked mode: whether it is on, and the rules that need no origin. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "slice/internal.h"

#ifdef TALLY_DEBUG
#define CHECKED_AT_FIRST 1
#else
#define CHECKED_AT_FIRST 0
#endif

int tally_slice_checks = -1;

void tally_slice_set_checked(bool on)
{
	__atomic_store_n(&tally_slice_checks, on ? 1 : 0, __ATOMIC_RELAXED);
}

bool tally_slice_checked(void)
{
	int checks = __atomic_load_n(&tally_slice_checks, __ATOMIC_RELAXED);

	if (checks < 0) {
		const char *value = getenv("NUMATALLY_CHECKED");
		int first = CHECKED_AT_FIRST;

		if (value && *value)
			first = strcmp(value, "0") != 0;
		/* If another thread decided meanwhile, its decision stands. */
		if (__atomic_compare_exchange_n(&tally_slice_checks, &checks,
						first, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			checks = first;
	}
	return checks > 0;
}

_Noreturn void slice_fail(const char *wrong, const void *origin,
			  const struct tally_slice *s,
			  const struct tally_slice *seen, size_t size)
{
	char text[320];
	int n = snprintf(text, sizeof(text),
			 "numatally: slice header at %p: %s: base 0x%" PRIx64
			 ", len %" PRIu64 ", cap %" PRIu64
			 " (origin %p, elements of %zu bytes)\n",
			 (const void *)s, wrong, seen->base, seen->len,
			 seen->cap, origin, size);

	if (n > 0 &&
	    write(STDERR_FILENO, text, strnlen(text, sizeof(text))) < 0)
		abort();
	abort();
}

struct tally_slice slice_look_at(const struct tally_slice *s)
{
	struct tally_slice seen;

	seen.len = tally_slice_len(s);
	seen.base = __atomic_load_n(&s->base, __ATOMIC_RELAXED);
	seen.cap = __atomic_load_n(&s->cap, __ATOMIC_RELAXED);
	return seen;
}

const char *slice_judge_words(const struct tally_slice *seen, size_t size)
{
	uint64_t bytes, end;

	if (seen->len > seen->cap)
		return "len is above cap";
	if (__builtin_mul_overflow(seen->cap, (uint64_t)size, &bytes) ||
	    __builtin_add_overflow(seen->base, bytes, &end))
		return "base + cap * size is more than 64 bits";
	return NULL;
}

void slice_check_words(const struct tally_slice *s, size_t size)
{
	struct tally_slice seen;
	const char *wrong;

	if (!tally_slice_checked())
		return;
	seen = slice_look_at(s);
	wrong = slice_judge_words(&seen, size);
	if (wrong)
		slice_fail(wrong, NULL, s, &seen, size);
}
