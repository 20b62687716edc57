#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's packages, which make deb has built in deb/, in a fresh root: they install
# with what they depend on, work, and leave nothing when they are removed. As root,
# where debootstrap finds Debian's mirror.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
logs="log new"

[ "$(id -u)" -eq 0 ] || skip_all "not root"
command -v debootstrap >/dev/null || skip_all "no debootstrap"
version=$(sed -n 's/^#define PACKAGE_VERSION "\(.*\)"/\1/p' config.h)
arch=$(dpkg --print-architecture)
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
root=$tmp/root
packages="numatally numatally-agent numatally-pcp numatally-slurm libnumatally0
	libnumatally-dev"

# What is mounted is mounted for the command alone.
# in_root COMMAND…
in_root()
{
	unshare -m sh -c 'mount -t proc proc "$0/proc" && mount --rbind /sys "$0/sys" &&
		mount -t tmpfs -o mode=1777 shm "$0/dev/shm" &&
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive chroot "$0" "$@"' "$root" "$@" \
		</dev/null >"$tmp/log" 2>&1
}

files()
{
	find "$root" -xdev \( -path "$root/var/lib/apt" -o -path "$root/var/cache" \
		-o -path "$root/var/log" -o -path "$root/var/lib/dpkg" \
		-o -path "$root/tmp" -o -path "$root/run" \) -prune -o -print | sort
}

debootstrap --variant=minbase --include=gcc,libc6-dev,pkg-config,systemd "$suite" \
	"$root" >"$tmp/log" 2>&1 || skip_all "debootstrap makes no root"
mkdir -p "$root/dev/shm"
in_root true || skip_all "nothing can be mounted"
# What they depend on stays when they are removed: it comes first.
mkdir "$root/tmp/deb"
for package in $packages; do
	cp "deb/${package}_${version}_$arch.deb" "$root/tmp/deb/" ||
		skip_all "$package is not built"
done
in_root sh -c 'apt-get -q update && apt-get -q -y --no-install-recommends install \
	$(for deb in /tmp/deb/*.deb; do dpkg-deb -f $deb Depends Pre-Depends; done |
	tr , "\n" | sed "s/^[^:]*: //; s/|.*//; s/(.*//" | grep -v numatally)'
result $? "what they depend on is Debian's"
files >"$tmp/before"

in_root sh -c 'dpkg -i /tmp/deb/*.deb'
result $? "they install"
in_root numatally topo && grep -q '^node' "$tmp/log"
result $? "numatally topo"
in_root numatally run -- true && grep -q '^node' "$tmp/log"
result $? "numatally run"
in_root numastat && grep -q numa_hit "$tmp/log"
result $? "numastat is numatally's"
cat >"$root/tmp/main.c" <<'END'
#include <numatally.h>
int main(void)
{
	struct tally_topo *topo;

	return tally_topo_open(NULL, &topo) || !tally_topo_nr_nodes(topo);
}
END
in_root sh -c 'gcc -o /tmp/main /tmp/main.c $(pkg-config --cflags --libs numatally) &&
	/tmp/main'
result $? "a program is compiled with the library, and runs"
in_root systemd-analyze verify --man=no numatally-agent.service &&
	! grep numatally "$tmp/log" >/dev/null
result $? "systemd takes the agent's unit"
in_root systemd-analyze security --offline=true --no-pager numatally-agent.service &&
	grep 'Overall exposure' "$tmp/log" | sed 's/^/# /'
result $? "systemd judges it"
in_root sh -c 'numatally agent --interval 0.2 & sleep 2; numatally ls; kill $!; wait'
grep -q agent "$tmp/log"
result $? "the agent keeps a ledger"
rm -f "$root"/tmp/main*

# shellcheck disable=SC2086
in_root dpkg --purge $packages
result $? "they are removed"
files >"$tmp/after"
diff "$tmp/before" "$tmp/after" >"$tmp/new"
result $? "nothing is left of them"
plan
