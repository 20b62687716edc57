#!/bin/sh
# SPDX-License-Identifier: MIT
# numatally replay: traces of each kind, in order and by racing threads; errors in
# traces and options.
set -u
in_memory=yes
. "${srcdir:-.}/tests/tool/tool_lib.sh"
terminal=$tests/support/terminal
data=${NUMATALLY_DATA:-}/traces
rows=40000
[ -z "${TSAN_OPTIONS-}" ] || rows=4000

# number NAME: the first integer of this name in the JSON of the last run
number()
{
	grep -o "\"$1\":-*[0-9]*" "$out" | head -n 1 | cut -d : -f 2
}

# ---- usage
fails 2 "no trace" "$tool" replay
for option in '--threads 0' '--threads x' '--threads 257' '--machines 65537' \
	'--nodes -1' '--place there' '--unknown'; do
	# shellcheck disable=SC2086
	fails 2 "usage: $option" "$tool" replay $option x
done
run "$tool" replay --help && has '^Usage: numatally replay' && [ ! -s "$err" ]
result $? "help"
fails 1 "no such file" "$tool" replay "$tmp/nobody"
grep -q "^numatally replay: $tmp/nobody: No such file" "$err"
result $? "no such file: the error names it"

# ---- a CSV by hand
cat >"$tmp/hand.csv" <<'END'
time,job,op,node,resource,amount
,,capacity,,cores,16
,,capacity,0,memory,100
0,a,reserve,0,cores,10
0,a,reserve,1,cores,4
1,a,commit,,,
2,b,reserve,0,cores,7
3,b,commit,,,
3,c,reserve,0,cores,6
3,c,reserve,0,memory,101
4,d,reserve,,cores,8
5,a,release,0,cores,5
6,e,reserve,0,cores,7
7,d,cancel,,,
8,e,release,,,
9,f,reserve,,cores,1
END
run "$tool" replay --verify --threads 1 --json "$tmp/hand.csv"
result $? "a CSV of events, in order"
has '^{"version":1,"events":11,"admitted":4,"refused":2,"verified":true,"per_second":[0-9][0-9]*,' &&
	has '"skipped":1,' && has '"conflicts":0,' && has '"place":"first",' &&
	has '"resources":\[{"name":"cores","unit":""},{"name":"memory","unit":""}\]' &&
	has '"problems":\[\]}$'
result $? "what was admitted and refused"
has '{"id":0,"machine":0,"capacity":{"cores":16,"memory":100},"peak":{"cores":12,"memory":0},"refusals":{"cores":1,"memory":1}}' &&
	has '{"id":1,"machine":1,"capacity":{"cores":16,"memory":null},"peak":{"cores":12,"memory":0},"refusals":{"cores":0,"memory":0}}\]'
result $? "peaks, and refusals, of each node"
has '"reserve":{"calls":6,"median_ns":[0-9]' && has '"cancel":{"calls":1,' &&
	has '"commit":{"calls":1,' && has '"release":{"calls":2,'
result $? "calls"
run "$tool" replay --threads 1 --json --until-full "$tmp/hand.csv" &&
	has '"cancel":{"calls":0,"median_ns":null,"p99_ns":null,"longest_ns":null}'
result $? "how long a call takes that was not made is not known"
run "$tool" replay --threads 1 --json "$tmp/hand.csv" && has '"verified":null,'
result $? "not verified without --verify"
run env LC_ALL=C COLUMNS=80 "$tool" replay --verify --threads 1 "$tmp/hand.csv" &&
	has '^11 events of 6 jobs, by 1 thread, on 2 machines of 1 node, placed first$' &&
	has '^admitted  *4$' && has '^refused  *2$' && has '^skipped  *1 ' &&
	has '^reserve  *6 ' && has '^verified: all decisions' &&
	has '^   0  *12  75 % ###' && has '^- memory: no capacity is known of 1 node'
result $? "a report for people"
[ "$(awk 'length > 80 && !/^(verified|- )/' "$out" | wc -l)" -eq 0 ]
result $? "fits 80 columns"
run "$tool" replay --threads 1 --json --until-full "$tmp/hand.csv" &&
	[ "$(number admitted)" -eq 3 ] && [ "$(number refused)" -eq 3 ] &&
	has 'nothing is given back'
result $? "until full"
if command -v jq >/dev/null; then
	run jq -e '.nodes | length == 2' "$out"
	result $? "jq reads the JSON"
else
	skip "jq reads the JSON" "no jq"
fi
tr , ';' <"$tmp/hand.csv" >"$tmp/bad.csv"
fails 1 "no such columns" "$tool" replay "$tmp/bad.csv"
sed 's/^8,e,release/8,x,release/' "$tmp/hand.csv" >"$tmp/bad.csv"
run "$tool" replay --threads 1 --json "$tmp/bad.csv"
[ $? -eq 1 ] && has '"admitted":4,' && has '"errors":1,' &&
	has '1 line with an error: its job is left out'
result $? "a release of what is not held: the rest is replayed"
grep -q "^numatally replay: $tmp/bad.csv:15: release: the job holds nothing" \
	"$err"
result $? "the error names the line"
cp "$tmp/bad.csv" "$tmp/e$(printf '\033')[31mvil.csv"
run "$tool" replay "$tmp"/e*vil.csv
grep -qF 'e\x1b[31mvil.csv:15: ' "$err"
result $? "the name is escaped"
fails 1 "too few nodes" "$tool" replay --machines 1 "$tmp/hand.csv"
fails 1 "too many nodes" "$tool" replay --machines 65536 --nodes 2 "$tmp/hand.csv"
fails 1 "no such resource" "$tool" replay --capacity gold=1 "$tmp/hand.csv"
for capacity in cores cores= cores=-1 cores=x =1 '' cores=1,memory ,; do
	fails 2 "--capacity '$capacity'" "$tool" replay --capacity "$capacity" \
		"$tmp/hand.csv"
done
grep -v capacity "$tmp/hand.csv" >"$tmp/free.csv"
fails 1 "no capacity is known" "$tool" replay "$tmp/free.csv"
run "$tool" replay --capacity cores=16 --json --threads 1 "$tmp/free.csv" &&
	has '"capacity":{"cores":16,"memory":null},"peak":{"cores":16,'
result $? "a capacity by --capacity"
: >"$tmp/none"
fails 1 "an empty file" "$tool" replay "$tmp/none"
run "$tool" replay --json --verify /dev/stdin <"$tmp/hand.csv"
result $? "from a pipe"
if [ -e /dev/full ]; then
	"$tool" replay "$tmp/hand.csv" >/dev/full 2>"$err"
	[ $? -eq 1 ] && [ -s "$err" ]
	result $? "a full standard output"
else
	skip "a full standard output" "no /dev/full"
fi

# ---- the Standard Workload Format
cat >"$tmp/log.swf" <<'END'
; Version: 2.2
; MaxNodes: 4
; MaxProcs: 16
1 0  0 10 4 -1 -1 4 -1 -1 1 1 1 1 1 1 -1 -1
2 1  0 10 6 -1 -1 6 -1 -1 1 1 1 1 1 1 -1 -1
3 2  0 10 3 -1 -1 3 -1 -1 1 1 1 1 1 1 -1 -1 3,3,3
4 3  0 10 4 -1 -1 4 -1 -1 1 1 1 1 1 1 -1 -1
5 3 10 10 4 -1 -1 4 -1 -1 1 1 1 1 1 1 -1 -1
6 4 -1 -1 0 -1 -1 4 -1 -1 5 1 1 1 1 1 -1 -1
END
run "$tool" replay --verify --threads 1 --json "$tmp/log.swf" &&
	[ "$(number admitted)" -eq 4 ] && [ "$(number refused)" -eq 1 ] &&
	has '"verified":true' && has '"machines":4,' && has '1 job that never ran' &&
	has '"id":3,"machine":3,"capacity":{"procs":4},"peak":{"procs":3}'
result $? "a log of jobs"
run "$tool" replay --verify --threads 1 --json --machines 1 --nodes 4 \
	"$tmp/log.swf" && [ "$(number admitted)" -eq 4 ] &&
	has '"nodes_per_machine":4,'
result $? "on other machines"
sed 's/3,3,3$/{1288,1129,1129} queue/' "$tmp/log.swf" |
	grep -v '^5' >"$tmp/large.swf"
run "$tool" replay --verify --threads 1 --json "$tmp/large.swf" &&
	has '"id":1129,"machine":0,.*"id":1288,"machine":1,' &&
	has '"id":1129,"machine":0,"capacity":{"procs":4},"peak":{"procs":[2-4]}'
result $? "nodes of large numbers, in braces"
sed 's/MaxNodes: 4/MaxNodes: 100000/' "$tmp/log.swf" >"$tmp/large.swf"
run "$tool" replay --json "$tmp/large.swf" && has '"machines":65536,' &&
	has "65536 machines for the header's 100000"
result $? "more machines than can be replayed"
fails 1 "a log and a CSV" "$tool" replay "$tmp/log.swf" "$tmp/hand.csv"

# ---- long, by racing threads: no capacity is passed
awk -v rows=$rows 'BEGIN {
	srand(7)
	print "time,job,op,node,resource,amount"
	print ",,capacity,,cores,20\n,,capacity,,memory,50"
	for (i = 0; i < rows; i++) {
		job = i % 40
		if (held[job]) {
			printf "%d,j%d,%s,,,\n", i, job, held[job]
			held[job] = ""
		} else {
			node = int(rand() * 3)
			cores = 1 + int(rand() * 6)
			printf "%d,j%d,reserve,%d,cores,%d\n", i, job, node, cores
			printf "%d,j%d,reserve,%d,memory,%d\n", i, job,
				(node + 1) % 3, 1 + int(rand() * 20)
			held[job] = rand() < .5 ? "release" : "cancel"
			if (held[job] == "release")
				printf "%d,j%d,commit,,,\n", i, job
		}
	}
}' >"$tmp/long.csv"
run "$tool" replay --verify --threads 1 --json "$tmp/long.csv" &&
	[ "$(number refused)" -gt $((rows / 40)) ] &&
	[ "$(number admitted)" -gt $((rows / 40)) ]
result $? "long, in order: as in the reference"
for threads in 2 8; do
	run "$tool" replay --verify --threads $threads --json "$tmp/long.csv" &&
		has '"verified":true' &&
		[ "$(number refused)" -gt $((rows / 40)) ]
	result $? "$threads threads: no capacity passed, no false refusal"
done
sed 's/,[0-9]*,cores/,,cores/; s/,[0-9]*,memory/,,memory/' "$tmp/long.csv" \
	>"$tmp/placed.csv"
for place in first best spread; do
	for threads in 1 8; do
		run "$tool" replay --verify --threads $threads --json \
			--machines 2 --nodes 2 --place $place "$tmp/placed.csv" &&
			has '"verified":true'
		result $? "placed $place, by $threads"
	done
done

# ---- openb
machines=$data/openb_node_list_all_node.csv
pods=$data/openb_pod_list_default.csv
if [ -r "$machines" ] && [ -r "$pods" ]; then
	run "$tool" replay --verify --threads 1 --json "$machines" "$pods" &&
		has '"events":21765,' && has '"verified":true' &&
		has '"machines":10,"nodes_per_machine":2,' &&
		[ "$(($(number admitted) + $(number refused)))" -eq 7255 ] &&
		has '897 jobs that never ran: left out' && has 'split evenly over 2'
	result $? "openb in order: as in the reference"
	fails 1 "pods alone" "$tool" replay "$pods"
	has 'pod_list_default.csv: a list of pods: give the list of machines' err
	result $? "the machines are asked for"
	fails 1 "machines alone" "$tool" replay "$machines"
	has 'node_list_all_node.csv: a list of machines: give the list of pods' err
	result $? "the pods are asked for"
	run "$tool" replay --verify --threads 8 --json "$pods" "$machines" &&
		has '"verified":true'
	result $? "openb, 8 threads: no capacity passed"
	for threads in 1 8; do
		run "$tool" replay --verify --threads $threads --json \
			--machines 1523 "$machines" "$pods" &&
			has '"machines":1523,"nodes_per_machine":2,' &&
			has '"verified":true'
		result $? "openb on all its machines, by $threads"
		run "$tool" replay --verify --threads $threads --json \
			--until-full "$machines" "$pods" &&
			has '"verified":true' && [ "$(number refused)" -gt 7000 ]
		result $? "openb until full, by $threads"
	done
	# A scheduler that takes a pod's amounts from each node of its machine until
	# the machine reports (scheduler-plugins #315): how many it admits.
	coarse=$(awk -F, '
	FNR == 1 { next }
	NR == FNR {
		free[nr "c"] = int(($2 + 1) / 2); free[nr + 1 "c"] = int($2 / 2)
		free[nr "m"] = int(($3 + 1) / 2); free[nr + 1 "m"] = int($3 / 2)
		free[nr "g"] = int(($4 + 1) / 2) * 1000
		free[nr + 1 "g"] = int($4 / 2) * 1000
		nr += 2
		next
	}
	{
		gpus = $4 * $5
		ask = $2 "," $3 "," gpus
		n = first[ask] + 0
		while (n < nr && (free[n "c"] < $2 || free[n "m"] < $3 ||
			free[n "g"] < gpus))
			n++
		first[ask] = n
		if (n == nr)
			next
		admitted++
		for (i = n - n % 2; i <= n - n % 2 + 1; i++) {
			free[i "c"] -= $2; free[i "m"] -= $3; free[i "g"] -= gpus
		}
	}
	END { print admitted + 0 }' "$machines" "$pods")
	run "$tool" replay --json --threads 1 --machines 1523 --until-full \
		"$machines" "$pods" && [ "$(number admitted)" -gt "$coarse" ]
	result $? "openb: more fit than by amounts taken from every node"
	echo "# of all pods on all machines $(number admitted) fit, not $coarse"
else
	skip "openb" "no traces"
fi

requests=$data/AzureLLMInferenceTrace_conv.csv
if [ -r "$requests" ]; then
	run "$tool" replay --verify --threads 1 --json --machines 2 --nodes 2 \
		--capacity tokens=200000 "$requests" &&
		has '"jobs":19366,' && has '"verified":true' &&
		[ "$(number refused)" -eq 0 ] && has '25 ms for each'
	result $? "requests to a model, in order: as in the reference"
	run "$tool" replay --verify --threads 8 --json --machines 2 --nodes 2 \
		--capacity tokens=20000 "$requests" &&
		has '"verified":true' && [ "$(number refused)" -gt 0 ]
	result $? "requests to a model, 8 threads: no capacity passed"
else
	skip "requests to a model" "no trace"
fi

# ---- progress
awk -v rows=$rows 'BEGIN {
	print "job,op,node,resource,amount\n,capacity,0,cores,1"
	for (i = 0; i < 7 * rows; i++)
		printf "%d,reserve,0,cores,1\n%d,release,,,\n", i, i
}' >"$tmp/longer.csv"
if "$terminal" true </dev/null 2>"$err"; then
	"$terminal" sh -c \
		"'$tool' replay --threads 1 '$tmp/longer.csv' >/dev/null" \
		2>"$err" <<-'END'
		await  %  
		await  events
		exit 0
	END
	result $? "progress on a terminal"
else
	skip "progress on a terminal" "$(cat "$err")"
fi
run "$tool" replay --threads 1 "$tmp/longer.csv" && [ ! -s "$err" ]
result $? "no progress without a terminal"

plan
