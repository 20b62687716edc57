#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's packages, which make deb has built in deb/: what each has, and what lintian
# says of them.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
logs=log

command -v dpkg-deb >/dev/null || skip_all "no dpkg-deb"
version=$(sed -n 's/^#define PACKAGE_VERSION "\(.*\)"/\1/p' config.h)
arch=$(dpkg --print-architecture)

# has PACKAGE PATTERN…: a result: these paths, and none that another has
has()
{
	package=$1
	deb=deb/${package}_${version}_$arch.deb
	shift
	dpkg-deb -c "$deb" >"$tmp/list" 2>"$tmp/log" || {
		result 1 "$package: it is built"
		return
	}
	awk '!/^d/ { print $6 }' "$tmp/list" | tee -a "$tmp/all" >"$tmp/names"
	for pattern in "$@"; do
		grep -q -x "\./$pattern" "$tmp/names" || echo "no $pattern"
	done >"$tmp/log"
	[ ! -s "$tmp/log" ]
	result $? "$package: what is in it"
}

lib="usr/lib/[^/]*"
has libnumatally0 "$lib/libnumatally\.so\.0"
has libnumatally-dev "$lib/libnumatally\.so" "$lib/libnumatally\.a" \
	"$lib/pkgconfig/numatally\.pc" usr/include/numatally\.h \
	usr/include/numatally/ledger\.h usr/share/man/man3/tally_ledger\.3\.gz
has numatally usr/bin/numatally usr/libexec/numatally/numatally-verbs \
	usr/libexec/numatally/numatally-capture usr/libexec/numatally/numatally-run \
	usr/libexec/numatally/numatally-export usr/share/man/man1/numatally\.1\.gz \
	usr/share/bash-completion/completions/numatally
has numatally-agent usr/libexec/numatally/numatally-agent \
	lib/systemd/system/numatally-agent\.service usr/lib/sysusers\.d/numatally\.conf \
	usr/share/man/man1/numatally-agent\.1\.gz
has numatally-pcp usr/libexec/numatally/pmdanumatally \
	usr/share/man/man1/pmdanumatally\.1\.gz usr/share/numatally/root_numatally
has numatally-slurm "$lib/numatally/spank_numatally\.so" \
	"$lib/numatally/slurm_node\.so" usr/share/man/man8/spank_numatally\.8\.gz
sort "$tmp/all" | uniq -d >"$tmp/log"
[ ! -s "$tmp/log" ]
result $? "no file is in two packages"
for deb in deb/*.deb; do
	dpkg-deb -c "$deb"
done | awk '$6 ~ /\/numastat/' >"$tmp/log"
[ ! -s "$tmp/log" ]
result $? "none is called numastat"
mkdir "$tmp/control" &&
	dpkg-deb -e "deb/numatally_${version}_$arch.deb" "$tmp/control" &&
	grep -q 'update-alternatives .*numastat.*/usr/bin/numatally' \
		"$tmp/control/postinst" &&
	grep -q 'update-alternatives .*--remove numastat' "$tmp/control/prerm"
result $? "alternatives give the name"

if command -v lintian >/dev/null; then
	lintian --allow-root --fail-on error "deb/numatally_${version}_$arch.changes" \
		>"$tmp/log" 2>&1
	result $? "lintian has no error"
else
	skip "lintian has no error" "no lintian"
fi
if command -v systemd-analyze >/dev/null; then
	dpkg-deb -x "deb/numatally-agent_${version}_$arch.deb" "$tmp/root"
	unit=$tmp/root/lib/systemd/system/numatally-agent.service
	grep -q '^ExecStart=/usr/bin/numatally agent' "$unit" &&
		sed -i "s,^ExecStart=/usr/bin/numatally ,ExecStart=$(command -v true) ," \
			"$unit" && systemd-analyze verify --man=no "$unit" >"$tmp/log" 2>&1 &&
		! grep numatally "$tmp/log" >/dev/null
	result $? "systemd takes the agent's unit"
else
	skip "systemd takes the agent's unit" "no systemd-analyze"
fi
plan
