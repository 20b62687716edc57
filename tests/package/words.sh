#!/bin/sh
# SPDX-License-Identifier: MIT
# Where a manual page of section 3 has an error for a function, and the words for
# every function would name another cause, tally_strerror_of() has its own.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
top=$(cd "${srcdir:-.}" && pwd)
library=$PWD/lib/.libs

# strerror(3) speaks of files and devices here, and the words for every function of
# something else.
misleading='EAGAIN|EBUSY|EEXIST|EFBIG|EIDRM|ELOOP|ENAMETOOLONG|ENOENT|ENOSYS'
misleading="$misleading|EOPNOTSUPP|EOVERFLOW|EPERM|ERANGE|EREMOTE|ESTALE"

# These have the words for every function, which are right: a file is missing.
right='tally_ledger_open ENOENT|tally_reader_open ENOENT'

# documented: lines "FUNCTION ERROR", from the sections ERRORS: for the functions that
# begin a paragraph, "tally_a , tally_b :", or else for each function of the page that
# returns an int. What the kernel says of a process or a file is only passed on: in
# pages of it the former alone count.
documented()
{
	awk '
		function put(   i, j, n, names)
		{
			n = split(named ? these : all, names, " ")
			for (i = 1; i <= nr_errors; i++)
				for (j = 1; j <= n; j++)
					print names[j], errors[i]
		}
		function paragraph()
		{
			put()
			these = ""
			named = 0
			begins = 1
		}
		FNR == 1 {
			all = ""
			kernel = FILENAME ~ /tally_kernel_/
		}
		/^\.Sh / {
			inside = /^\.Sh ERRORS/
			synopsis = /^\.Sh SYNOPSIS/
		}
		synopsis && /^\.Ft / { is_int = $0 == ".Ft int" }
		synopsis && /^\.Fo / && is_int && !kernel { all = all " " $2 }
		!inside { next }
		/^\.(It|Pp|El)/ { paragraph() }
		/^\.(It|El)/ {
			nr_errors = 0
			for (i = 2; i < NF; i++)
				if ($i == "Er")
					errors[++nr_errors] = $(i + 1)
		}
		/^\.(It|Pp|El)/ || /^and$/ { next }
		begins && /^\.Fn tally_/ { these = these " " $2 }
		begins && /^\.Fn tally_.* :$/ { named = 1 }
		!/^\.Fn tally_/ || / :$/ { begins = 0 }
	' "$top"/lib/man/tally_*.3 | sort -u
}

documented >"$tmp/documented"
grep -E " ($misleading)$" "$tmp/documented" | grep -vxE "$right" >"$tmp/pairs"
{
	cat <<-END
		#include <errno.h>
		#include <stdio.h>
		#include <string.h>
		#include <numatally/error.h>
		#define ASK(function, error)                              \\
			if (!strcmp(tally_strerror_of(#function, -error), \\
				    tally_strerror(-error)))              \\
				puts(#function " -" #error);
		int main(void)
		{
	END
	sed 's/\(.*\) \(.*\)/ASK(\1, \2)/' "$tmp/pairs"
	echo 'return 0; }'
} >"$tmp/words.c"

plan 3
check "pages have errors" test "$(wc -l <"$tmp/pairs")" -gt 100
${CC:-cc} ${CFLAGS-} -std=gnu11 -I"$top/include" -o "$tmp/words" "$tmp/words.c" \
	"$library/libnumatally.so" ${LDFLAGS-} >"$tmp/log" 2>&1
result $? "a program asks for their words"
LD_LIBRARY_PATH=$library "$tmp/words" >"$tmp/log" 2>&1
check "where others would mislead, a function has its own" \
	test $? -eq 0 -a ! -s "$tmp/log"
