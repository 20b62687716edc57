# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# For tests that build Go programs: read after tap.sh, in the build directory.
# go_setup skips the test where no Go program can be built, and has cgo find the
# library that was built. $top is the source directory.
go_setup()
{
	case "${CFLAGS-}" in
	*-fsanitize*)
		skip_all "a sanitizer's library needs its runtime" ;;
	esac
	command -v go >/dev/null 2>&1 || skip_all "no go"
	go version | awk '{ split(substr($3, 3), v, "."); exit v[1] < 2 && v[2] < 19 }' ||
		skip_all "a go before 1.19"
	top=$(cd "${srcdir:-.}" && pwd)
	cat >"$tmp/numatally.pc" <<-END
		Name: numatally
		Description: the library that was built
		Version: 0
		Cflags: -I$top/include
		Libs: -L$PWD/lib/.libs -lnumatally -Wl,-rpath,$PWD/lib/.libs
	END
	PKG_CONFIG_PATH=$tmp
	# What the compiler of C makes of its runtime takes long.
	GOCACHE=$PWD/go-cache
	GOFLAGS=
	GOPROXY=off
	GOTOOLCHAIN=local
	GOPATH=$tmp/go
	CGO_ENABLED=1
	CGO_CFLAGS=-O2
	CC=cc
	unset GOROOT GOENV CGO_LDFLAGS LDFLAGS
	export PKG_CONFIG_PATH GOCACHE GOFLAGS GOPROXY GOTOOLCHAIN GOPATH \
		CGO_ENABLED CGO_CFLAGS CC
}
