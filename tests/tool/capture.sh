#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally capture, and --root of what it and tar make: the verbs read a capture as
# they read the tree itself; what is private stays out; hostile archives are refused.
set -u
. "${srcdir:-.}/tests/tool/tool_lib.sh"
[ -x "${tool%/*}/numatally-capture" ] ||
	skip_all "built without libarchive"

# Memory without a name, which takes a namespace where the user is not root.
put sys/devices/system/cpu/online 0
put sys/devices/system/node/online 0
put sys/devices/system/node/node0/cpulist 0
put sys/devices/system/node/node0/meminfo 'Node 0 MemTotal: 1000 kB'
mkdir -p "$m/sys/devices/system/cpu/cpu0"
tar -cf "$tmp/small.tar" -C "$m" sys
run "$tool" topo --root "$tmp/small.tar"
in_memory=$?
! has 'no file system in memory' err ||
	skip_all "no file system in memory: $(cat "$err")"
result $in_memory "an archive of tar is a root"
run "$tests/support/refuse" fsopen -- "$tool" topo --root "$tmp/small.tar"
status=$?
if [ $status -eq 77 ]; then
	skip "no mounts" "system calls can't be refused"
else
	[ $status -eq 1 ] && [ ! -s "$out" ] && has 'unpack it with tar' err
	result $? "where nothing may be mounted it says what to do"
fi
rm -r "$m"

# ---- the verbs read the same --------------------------------------------------

verbs='topo --json
stat -m
stat --by cgroup --json
top --json --count 1'
[ -z "${NUMATALLY_LONG:-}" ] || verbs="$verbs
stat
stat -c -z -m -n
stat --json
stat --by user --json
stat --by process -p e
stat e
top --batch --count 1
top --batch --count 1 --by cgroup"
of_processes='stat --by process --json
top --batch --count 1 --by thread'

# Text of a verb about the root $1, which it names on stderr; and its status.
about() {
	about_root=$1
	shift
	timeout 60 "$tool" "$@" --root "$about_root" >"$tmp/text" 2>"$tmp/words"
	echo "status $?" >>"$tmp/text"
	sed "s|$about_root|ROOT|g" "$tmp/words" >>"$tmp/text"
	# Of clocks, and of /proc/loadavg's time, nothing is captured.
	sed 's/"[a-z_]*time_ns":[0-9]*,//g' "$tmp/text"
}

# same NAME ROOT OTHER
same() {
	echo "$verbs" >"$tmp/verbs"
	differ=
	while read -r line; do
		# shellcheck disable=SC2086
		about "$2" $line >"$tmp/a"
		# shellcheck disable=SC2086
		about "$3" $line >"$tmp/b"
		cmp -s "$tmp/a" "$tmp/b" || {
			differ="$differ '$line'"
			diff "$tmp/a" "$tmp/b" >"$tmp/log"
		}
	done <"$tmp/verbs"
	[ -z "$differ" ]
	result $? "$1${differ:+: but for$differ}"
	rm -f "$tmp/log"
}

machines='fakehetero* 32amd64* nvidia*'
[ -z "${NUMATALLY_LONG:-}" ] || machines='*'
archive=
for machine in $machines; do
	for archive in "${NUMATALLY_DATA:-}"/sysfs-dumps/$machine.tar.bz2; do
		[ -f "$archive" ] || continue
		name=${archive##*/}
		rm -f "$tmp/machine.tar.gz"
		run "$tool" capture --root "$archive" "$tmp/machine.tar.gz"
		result $? "$name: a capture of it"
		same "$name: a capture is read as the archive is" "$archive" \
			"$tmp/machine.tar.gz"
	done
done
if [ -f "$archive" ]; then
	mkdir "$tmp/unpacked"
	tar -xjf "$archive" -C "$tmp/unpacked"
	same "an archive is read as its tree is" "$(echo "$tmp"/unpacked/*)" \
		"$archive"
	rm -r "$tmp/unpacked"
else
	skip "captured machines" "none in NUMATALLY_DATA"
fi

# ---- this machine ---------------------------------------------------------------
run "$tool" capture "$tmp/live.tar.gz"
status=$?
[ $status -eq 0 ] || { [ $status -eq 1 ] && has 'denied\|not permitted' err; }
result $? "a capture of this machine"
mkdir "$tmp/live"
check "tar reads it" tar -xzf "$tmp/live.tar.gz" -C "$tmp/live"
run "$tool" capture --root "$tmp/live.tar.gz" "$tmp/directory/"
result $? "a capture of a capture, as a directory"
verbs="$verbs
$of_processes"
same "the archive and the directory are read alike" "$tmp/directory" \
	"$tmp/live.tar.gz"
run diff -r -x numatally-capture "$tmp/live" "$tmp/directory"
result $? "tar and numatally unpack the same, but for when it was made"
[ "$("$tool" topo)" = "$("$tool" topo --root "$tmp/live.tar.gz")" ]
result $? "topo prints what it prints of the machine"

# ---- each file that the verbs open is in it -----------------------------------------
# hwloc also opens what it identifies the machine by, and CPUs' caches and clocks, of
# which the tool asks it nothing; glibc and the tool what is theirs.
others='^/proc/(self|sys|filesystems|mounts|[0-9]*/(pagemap|mount.*|statm))|^/sys/(class|devices/virtual)/dmi'
others="$others"'|/cpu[0-9]*/(cache|cpufreq|topology|cpu_capacity)|/cpuset'
others="$others"'|^/sys/devices/cpu|^/sys/bus/(dax|cpu)|cgroup.controllers$|/(cmdline|hwloc.*)$'

# Names of files that each verb opens or looks for, and finds.
opened() {
	trace=openat,open,access,faccessat,faccessat2,readlink,readlinkat
	strace -f -qq -y -e trace=$trace -o "$tmp/trace" "$tool" "$@" \
		>/dev/null 2>&1
	grep -v ' = -1 ' "$tmp/trace" | sed -n \
		-e 's/.* = [0-9]*<\(\/\(proc\|sys\)\/[^>]*\)>.*/\1/p' \
		-e 's/.*\(access\|readlink\)("\(\/\(proc\|sys\)\/[^"]*\)".*/\2/p' \
		-e 's/.*at[2]*([0-9]*<\/*\([^>]*\)>, "\([^/"][^"]*\)".*/\/\1\/\2/p' |
		grep -E '^/(proc|sys)/' | sed 's,/\.*$,,' | grep -vE "$others"
}

if strace -qq -e trace=none true 2>/dev/null; then
	# One process that lives on stands for all: numbers become its own.
	printf '%s\n' "$verbs" stat >"$tmp/verbs"
	while read -r line; do
		# shellcheck disable=SC2086
		opened $line
	done <"$tmp/verbs" | sed "s,^/proc/[0-9][0-9]*,/proc/$$,
		s,^/proc/$$/task/[0-9]*,/proc/$$/task/$$," |
		sort -u >"$tmp/opened"
	while read -r file; do
		[ -e "$tmp/live$file" ] || echo "$file"
	done <"$tmp/opened" >"$tmp/log"
	[ -s "$tmp/opened" ] && [ ! -s "$tmp/log" ]
	result $? "it has each file that the verbs open"
else
	skip "it has each file that the verbs open" "no strace, or not allowed"
fi

# ---- what is private ------------------------------------------------------------------
# A machine with secrets in each place where it could be read.
put sys/devices/system/node/online 0
put sys/devices/system/node/node0/meminfo 'Node 0 MemTotal: 1000 kB
Node 0 MemFree: 500 kB'
put sys/devices/system/node/node0/cpulist 0
put sys/devices/system/cpu/online 0
mkdir -p "$m/sys/devices/system/cpu/cpu0" "$m/home"
put proc/stat 'cpu  1 1 1 1 1 1 1 1 1 1
cpu0 1 1 1 1 1 1 1 1 1 1'
put proc/7/stat "7 (daemon) S 1 7 7 0 -1 0 1 0 1 0 1 1 0 0 20 0 1 0 100 1 9 1 1 1 1 1 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0"
put proc/7/status 'Name:	daemon
Uid:	1234	1234	1234	1234
VmSize:	100 kB
VmRSS:	36 kB'
put proc/7/cgroup '0::/'
put proc/7/environ 'TOKEN=secret'
printf '/opt/daemon\000--password=secret\000' >"$m/proc/7/cmdline"
put proc/7/maps '1000-2000 r-xp 00000000 08:01 11                  /home/secret/lib x.so
2000-3000 rw-p 00000000 00:00 0                   [heap]
3000-4000 rw-s 00000000 00:05 12                  /memfd:secret (deleted)
4000-5000 rw-s 00000000 00:30 13                  /run/secret'
put proc/7/numa_maps '1000 default file=/home/secret/lib\040x.so mapped=4 N0=4 kernelpagesize_kB=4
2000 default heap anon=2 dirty=2 N0=2 kernelpagesize_kB=4
3000 default file=/memfd:secret\040(deleted) dirty=1 N0=1 kernelpagesize_kB=4
4000 default file=/run/secret dirty=2 N0=2 kernelpagesize_kB=4'
put proc/self/mountinfo '1 0 8:1 / /home/secret rw - ext4 /dev/secret rw
2 0 0:48 / /run rw,secret - tmpfs secret rw,secret'
mkdir "$m/etc"
put etc/passwd 'secretive:hash-secret:1234:1:Secret Name:/home/secret:/bin/secret
other:x:99:99:secret:/:/bin/sh'

# in_capture PATTERN: whether a file of the capture has it
in_capture() {
	rm -rf "$tmp/unpacked"
	mkdir "$tmp/unpacked"
	tar -xzf "$tmp/c.tar.gz" -C "$tmp/unpacked" && grep -rq "$1" "$tmp/unpacked"
}
run "$tool" capture --root "$m" "$tmp/c.tar.gz" && [ ! -s "$err" ]
result $? "a machine with secrets"
! in_capture secret
result $? "names of users and files, arguments and environments stay out"
run "$tool" stat --by process --json --root "$tmp/c.tar.gz"
cp "$out" "$tmp/kinds"
run "$tool" stat --by process --json --root "$m"
[ "$(jq -c '.processes[].nodes' "$out" 2>/dev/null)" = \
	"$(jq -c '.processes[].nodes' "$tmp/kinds" 2>/dev/null)" ]
result $? "the kinds of memory are told without the paths"
[ "$(stat -c %a "$tmp/c.tar.gz")" = 600 ]
result $? "others may not read it"
run "$tool" capture --root "$m" --users --arguments "$tmp/c.tar.gz" &&
	in_capture password=secret && in_capture '^secretive:x:1234:'
result $? "--users and --arguments put them in; a capture is replaced"
! in_capture 'hash\|Secret\|^other\|/home\|TOKEN'
result $? "and no more than these"
"$tool" stat --by user --root "$tmp/c.tar.gz" 2>/dev/null | grep -q secretive
result $? "stat prints the user's name"
"$tool" top --batch --count 1 --root "$tmp/c.tar.gz" -c | grep -q password=
result $? "top prints the command line"

# ---- where it goes ----------------------------------------------------------------------
run "$tool" capture --root "$m" - && cp "$out" "$tmp/piped" &&
	"$tool" topo --root "$tmp/piped" >"$out"
result $? "stdout"
echo mine >"$tmp/mine"
mkdir "$tmp/full"
touch "$tmp/full/mine"
mkfifo "$tmp/fifo"
ln -s c.tar.gz "$tmp/link"
cp "$tmp/small.tar" "$tmp/other.tar"
for file in mine other.tar fifo link full full/; do
	fails 1 "$file is not replaced" timeout 60 "$tool" capture \
		--root "$m" "$tmp/$file"
done
[ "$(cat "$tmp/mine" "$tmp/full/mine")" = mine ] && [ -p "$tmp/fifo" ] &&
	[ -L "$tmp/link" ] && cmp -s "$tmp/small.tar" "$tmp/other.tar"
result $? "they are as they were"
fails 1 "a directory that is missing" "$tool" capture --root "$m" \
	"$tmp/none/c.tar.gz"
fails 1 "no such root" "$tool" capture --root "$tmp/none" "$tmp/d.tar.gz"
fails 2 "no FILE" "$tool" capture
fails 2 "two" "$tool" capture a b
if [ -w /dev/full ]; then
	"$tool" capture --root "$m" - >/dev/full 2>"$err"
	[ $? -eq 1 ] && echo 'numatally capture: standard output: No space left on device' |
		cmp -s - "$err"
	result $? "a full disk is told, once"
fi
# Diagnostics go through a pipe, which has no limit.
{ (
	ulimit -f 0
	exec "$tool" capture --root "$m" "$tmp/d.tar.gz" 2>&1
) || echo $?; } | cat >"$err"
printf '%s\n' "numatally capture: $tmp/d.tar.gz: File too large" 1 | cmp -s - "$err"
result $? "so is the limit of a file's size"
rm "$tmp/fifo"
[ -z "$(find "$tmp" -name '*.new')" ] && [ ! -e "$tmp/d.tar.gz" ]
result $? "no unfinished file is left"

# ---- what tar has of links and devices -----------------------------------------------------
# left_out NAME WORDS: of $tmp/odd.tar, which is $m and more below odd
left_out() {
	tar -cf "$tmp/odd.tar" -C "$m" sys -C "$tmp/odd" .
	run "$tool" topo --root "$tmp/odd.tar" && has '^   0 .* 0$' &&
		echo "numatally topo: $tmp/odd.tar: 1 member is left out, the first: $2" |
		cmp -s - "$err"
	result $? "left out: $1"
	rm -r "$tmp/odd"
	mkdir "$tmp/odd"
}
mkdir -p "$tmp/odd/etc" "$tmp/odd/proc/1"
ln -s /proc/self/mounts "$tmp/odd/etc/mtab"
left_out "an absolute link" './etc/mtab, linked to /proc/self/mounts'
mkdir -p "$tmp/odd/proc/1"
ln -s ../../../bin/true "$tmp/odd/proc/1/exe"
left_out "a link out of it" './proc/1/exe, linked to ../../../bin/true'
mkfifo "$tmp/odd/initctl"
left_out "a FIFO" './initctl is neither a file, a directory nor a link'
if mknod "$tmp/odd/null" c 1 3 2>/dev/null; then
	left_out "a device" './null is neither a file, a directory nor a link'
fi
# A link that is left out is a file that is missing, not one of this machine.
tar -cf "$tmp/odd.tar" -C "$m" sys
mkdir -p "$tmp/odd/sys/devices/system/node/node0"
ln -s /etc/passwd "$tmp/odd/sys/devices/system/node/node0/meminfo"
tar -rf "$tmp/odd.tar" -C "$tmp/odd" sys/devices/system/node/node0/meminfo
run "$tool" stat -m --root "$tmp/odd.tar"
has 'odd.tar: 1 member is left out, the first: sys/.*/meminfo, linked to' err &&
	! has root
result $? "a link of sys"
rm -r "$tmp/odd"

# ---- archives with directories around the tree ---------------------------------------------
mkdir -p "$tmp/odd/a/b/machine" "$tmp/odd/a/b/notes"
cp -r "$m/sys" "$tmp/odd/a/b/machine"
tar -cf "$tmp/odd.tar" -C "$tmp/odd" a
run "$tool" topo --root "$tmp/odd.tar" && has '^   0 .* 0$' && [ ! -s "$err" ]
result $? "a tree some directories below"
mkdir "$tmp/odd/a/b/other"
cp -r "$m/sys" "$tmp/odd/a/b/other"
tar -cf "$tmp/odd.tar" -C "$tmp/odd" a
fails 1 "two trees" "$tool" topo --root "$tmp/odd.tar"
has 'odd.tar: it has 2 machines: unpack it with tar, and name the directory of one$' err
result $? "and told"

# ---- hostile archives ----------------------------------------------------------------------
# refused NAME WORDS: of $tmp/evil
refused() {
	fails 1 "refused: $1" timeout 100 "$tool" stat --root "$tmp/evil"
	has "$2" err
	result $? "and told: '$2'"
}
e=$tmp/e
mkdir -p "$e/sys"
outside='leads out of the archive'
echo x >"$e/sys/x"
tar -cPf "$tmp/evil" -C "$e" --transform 's,^sys/x,../../x,' sys/x
refused "a path out of it" "x $outside"
tar -cPf "$tmp/evil" -C "$e" --transform 's,^sys/x,/etc/x,' sys/x
refused "an absolute path" "x $outside"
ln "$e/sys/x" "$e/sys/y"
tar -cPf "$tmp/evil" -C "$e" --transform 's,^sys/x,/etc/passwd,' sys/x sys/y
refused "a hard link out of it" "$outside"
rm "$e/sys/y"
# Through a link that an earlier member is.
ln -s ../proc "$e/sys/link"
tar -cf "$tmp/evil" -C "$e" sys/link
rm "$e/sys/link"
mkdir "$e/sys/link"
echo x >"$e/sys/link/x"
tar -rf "$tmp/evil" -C "$e" sys/link/x
refused "a path through a link" 'link/x'
rm -r "$e/sys/link"
# Blocks of zeros that gzip has in a few bytes, in 5 files of 250 MiB.
truncate -s 250M "$e/sys/zeros"
tar -c -C "$e" sys/zeros 2>/dev/null | head -c 512 | gzip >"$tmp/header"
head -c 10M /dev/zero | gzip >"$tmp/zeros"
for file in 1 2 3 4 5; do
	cat "$tmp/header"
	for block in 1 2 3 4 5; do
		cat "$tmp/zeros" "$tmp/zeros" "$tmp/zeros" "$tmp/zeros" \
			"$tmp/zeros"
	done
done >"$tmp/evil"
rm -r "$e/sys" "$tmp/zeros"
[ "$(wc -c <"$tmp/evil")" -lt 5000000 ]
result $? "a small archive of 1.3 GB"
refused "a bomb" 'larger unpacked than'
head -c $(($(wc -c <"$tmp/live.tar.gz") / 2)) "$tmp/live.tar.gz" >"$tmp/evil"
refused "one that is cut short" 'evil: '
head -c 100000 /dev/urandom >"$tmp/evil"
refused "what is none" 'neither a directory nor an archive'
: >"$tmp/evil"
refused "an empty file" 'neither a directory nor an archive'

# ---- signals --------------------------------------------------------------------------------

# signalled SIGNAL: while it writes; sets $status
signalled() {
	rm -f "$tmp/signalled"
	tries=0
	while [ $((tries += 1)) -le 20 ]; do
		"$tool" capture "$tmp/signalled" 2>"$err" &
		pid=$!
		until [ -e "$tmp/signalled.$pid.new" ] ||
			[ -e "$tmp/signalled" ]; do
			:
		done
		kill -STOP $pid
		[ ! -e "$tmp/signalled.$pid.new" ] || break
		kill -CONT $pid
		wait $pid
		rm "$tmp/signalled"
	done 2>/dev/null
	kill -"$1" $pid
	kill -CONT $pid
	wait $pid 2>/dev/null
	status=$?
}
signalled TERM
[ $status -eq 143 ] && [ ! -e "$tmp/signalled" ] &&
	[ ! -e "$tmp/signalled.$pid.new" ]
result $? "a signal ends it, and nothing is left"
trap '' HUP
signalled HUP
trap 'exit 1' HUP
[ $status -le 1 ] && [ -s "$tmp/signalled" ]
result $? "an ignored SIGHUP does nothing"

# ---- nothing is left --------------------------------------------------------------------------
mkdir "$tmp/empty"
mounts=$(wc -l </proc/self/mountinfo)
TMPDIR=$tmp/empty "$tool" top --batch --interval 0.2 --root "$tmp/live.tar.gz" \
	>"$tmp/tops" 2>/dev/null &
top=$!
children=$top
await test -s "$tmp/tops"
kill -9 $top
wait $top 2>/dev/null
children=
[ -z "$(ls -A "$tmp/empty")" ] && [ "$mounts" -eq "$(wc -l </proc/self/mountinfo)" ]
result $? "a kill leaves no file and no mount"
plan
