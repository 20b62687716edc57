#!/bin/sh
# SPDX-License-Identifier: MIT
# The Python package, with the library that was built.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
case "${CFLAGS-}" in
*-fsanitize*)
	skip_all "python can't load a sanitizer's library" ;;
esac
command -v python3 >/dev/null 2>&1 || skip_all "no python3"
python3 -c 'import ctypes, sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null ||
	skip_all "no python3 with ctypes"
PYTHONDONTWRITEBYTECODE=1
PYTHONPATH=$(cd "${srcdir:-.}" && pwd)/tools/python
NUMATALLY_LIBRARY=$PWD/lib/.libs/libnumatally.so
export PYTHONDONTWRITEBYTECODE PYTHONPATH NUMATALLY_LIBRARY
python3 "${srcdir:-.}/tests/bindings/test_python.py"
