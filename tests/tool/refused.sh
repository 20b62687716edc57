#!/bin/sh
# SPDX-License-Identifier: MIT
# What an ordinary user is told of the memory of others, whose numa_maps he may not
# read: the bounds hold what root reads, what has no bounds is what root reads, and
# parts add up to their sums.
set -u
. "${srcdir:-.}/tests/tool/tool_lib.sh"
logs="wrong err"
other=$((100000 + $$))
user=$((5000000 + $$))

command -v jq >/dev/null || skip_all "no jq"
[ "$(id -u)" -eq 0 ] || skip_all "not root, who knows the truth"
# as USER COMMAND…
as() {
	as=$1
	shift
	setpriv --reuid="$as" --regid="$as" --clear-groups --inh-caps=-all \
		--bounding-set=-all "$@"
}
as $user "$tool" stat --help >"$out" 2>&1 ||
	skip_all "a user can't run $tool, or setpriv(1) is missing"

# ---- processes that stay as they are -------------------------------------------

eat=$tests/support/eat
# of USER: his processes
of() {
	stat -c '%u %n' /proc/[0-9]* 2>/dev/null | sed -n "s,^$1 /proc/,,p"
}
at_end() {
	for pid in $(of $other; of $user); do
		kill -PIPE "$pid" # which no shell tells of
	done 2>/dev/null
	wait
}
for way in hold fork copy shared; do
	as $other "$eat" $way 12 1000000 &
done
as $user "$eat" hold 6 1000000 &
# settled: a process for each that is wanted, all of which sleep
settled() {
	held=$(of $other; of $user)
	[ "$(echo "$held" | wc -l)" -eq 14 ] &&
		[ "$(cd /proc && echo "$held" | sed 's,$,/stat,' | xargs cat |
			grep -c ') S ')" -eq 14 ]
}
await settled
check "processes of two users" settled
as $user cat "/proc/$(of $other | head -n 1)/numa_maps" >/dev/null 2>&1 &&
	skip_all "a user may read numa_maps of others"

# ---- processes that are hidden --------------------------------------------------

hides=': /proc hides processes of other users (hidepid)$'
# as_hidden HOW COMMAND…: as the user, with such a /proc
as_hidden() {
	how=$1
	shift
	unshare -m sh -c 'mount -t proc -o hidepid="$0" proc /proc || exit
		user=$1
		shift
		exec setpriv --reuid="$user" --regid="$user" --clear-groups \
			--inh-caps=-all --bounding-set=-all "$@"' \
		"$how" $user "$@" 2>"$err"
}

# hidden NAME ARGUMENT…: the verb says so, once, and shows the user's own
hidden() {
	name=$1
	shift
	for how in 1 2; do
		as_hidden $how "$tool" "$@" >"$out"
		[ "$(grep -c "$hides" "$err")" -eq 1 ] && grep -q '\<eat\>' "$out"
		result $? "$name: hidepid=$how"
	done
}
if unshare -m sh -c 'mount -t proc -o hidepid=1 proc /proc' 2>"$err"; then
	hidden "stat by process" stat --by process
	hidden "stat -p" stat -p eat
	hidden "top" top --batch --count 1
	hows="1 2"
	[ -x "${tool%/*}/numatally-capture" ] || hows= # as in a guest
	for how in $hows; do
		as_hidden $how "$tool" capture - >"$tmp/capture.tar.gz"
		[ $? -eq 1 ] && [ "$(grep -c "$hides" "$err")" -eq 1 ]
		result $? "capture: hidepid=$how"
	done
else
	skip "hidepid" "no mount namespaces"
fi

# ---- what root and the user are told -------------------------------------------

# told NAME ARGUMENT…: as JSON, in NAME.root and NAME.user
told() {
	name=$1
	shift
	"$tool" stat --json "$@" $held >"$tmp/$name.root" 2>"$err" &&
		! as $user "$tool" stat --json "$@" $held \
			>"$tmp/$name.user" 2>"$err"
	result $? "$name: the user is refused something, root is not"
}

# holds NAME JQ…: nothing of NAME is wrong
holds() {
	jq -nr --slurpfile root "$tmp/$1.root" --slurpfile user "$tmp/$1.user" '
		def kinds: ["anonymous", "file", "shared", "huge"];
		def names: ["memory", "private", "shared"];
		def in_kind($k): if $k and type == "object" then .[$k] else . end;
		# The range of a figure; null: nobody knows.
		def range($n; $k): .[$n + "_bytes"] as $v |
			if has($n + "_lower_bytes") then
				[.[$n + "_lower_bytes"], .[$n + "_upper_bytes"]] |
				map(in_kind($k))
			elif $v == null then null
			else [$v, $v] | map(in_kind($k)) end;
		def figures: (names[] as $n | kinds[] | [$n, .]),
			(names[] | [. + "_total", null]);
		# Of a file, others may map a page meanwhile.
		def steady: figures | select(.[0] == "memory" or
			.[0] == "memory_total" or .[1] == "anonymous");
		def compare($r; $at): . as $u | steady as [$n, $k] |
			($u | range($n; $k)) as $a | ($r | range($n; $k)) as $b |
			select($a and $b and ($a[0] > $b[1] or $a[1] < $b[0])) |
			"\($at) \($n) \($k // ""): \($a), but \($b)";
		def rows: .processes // .cgroups // .users | .[];
		def id: .pid // .cgroup // .uid;
		($root[0] | [rows] | map({key: (id | tostring), value: .}) |
			from_entries) as $truth |
		$user[0] as $told | '"$2" >"$tmp/wrong" && [ ! -s "$tmp/wrong" ]
}

# Bounds, of all nodes and of each.
bounds='
	(($told | rows) as $u | $truth[$u | id | tostring] as $r |
		($u.all | compare($r.all; "\($u | id) all")),
		($u | [range("local"; null), range("remote"; null)] as [$l, $m] |
			($r | [range("local"; null), range("remote"; null)])
			as [$lr, $mr] | select($lr and $mr and $l and $m) |
			select($l[0] > $lr[1] or $l[1] < $lr[0] or
				$m[0] > $mr[1] or $m[1] < $mr[0]) |
			"\($u | id) local or remote"),
		($u.nodes[] | . as $n | select(has("memory_total_bytes")) |
			compare($r.nodes[] | select(.id == $n.id);
				"\($u | id) node \($n.id)"))),
	($told.all.all | compare($root[0].all.all; "all"))'

# What is a number is a sum.
sums='
	($told | (rows, .all) | . as $u | .all | figures as [$n, $k] |
		select($n | endswith("_total")) |
		.[$n + "_bytes"] as $sum |
		([.[($n | rtrimstr("_total")) + "_bytes"][]] |
			if any(. == null) then null else add end) as $parts |
		select($sum != null and $parts != null and $sum != $parts) |
		"\($u | id) \($n): \($sum), but its kinds are \($parts)"),
	($told | rows | . as $u | names[] as $n | kinds[] as $k |
		$u.all[$n + "_bytes"][$k] as $sum |
		([$u.unattributed, $u.nodes[] | .[$n + "_bytes"] |
			if . then .[$k] else null end] |
			if any(. == null) then null else add end) as $parts |
		select($sum != null and $parts != null and $sum != $parts) |
		"\($u | id) \($n) \($k): \($sum), but its nodes have \($parts)")'

# A share of what is hardly known is no number.
shares='
	($told | (rows, .all) | select(.local_bytes != null and
		(.local_upper_bytes // 0) - (.local_lower_bytes // 0) >
			.all.memory_total_bytes / 2) |
		"\(id): local memory is \(.local_bytes)")'

for by in process user cgroup; do
	told $by --by $by
	holds $by "$bounds"
	result $? "by $by: the bounds hold the truth"
	holds $by "$sums"
	result $? "by $by: parts add up"
	holds $by "$shares"
	result $? "by $by: no share of what is not known"
done

# top has no bounds, so it has no such number.
as $user "$tool" top --json --count 1 --by user >"$tmp/wrong" 2>"$err"
jq -e --argjson user $other '.users[] | select(.uid == $user) |
	all(.nodes[]; .memory_total_bytes == null) and .remote_ppm == null' \
	"$tmp/wrong" >"$out"
result $? "top: nothing on a node"

# A node's column in the table, too.
as $user "$tool" stat --by user $held >"$tmp/wrong" 2>"$err"
! awk -v user=$other '
	NR == 1 { gsub(/no node/, "none"); gsub(/node /, "node")
		for (i = 1; i <= NF; i++)
			if ($i ~ /^node/) column[++nr] = i }
	$NF == user { for (i = 1; i <= nr; i++) if ($column[i] == "0") bad = 1 }
	END { exit !bad }' "$tmp/wrong"
result $? "by user: 0 on no node"
plan
