#!/bin/sh
# SPDX-License-Identifier: MIT
# What Slurm's plugin takes of a step: empty steps of one job with the plugin and
# without it, in turns; 500 of each, or $1. From the build directory, as root.
set -u
. "${srcdir:-.}/tests/tool/slurm_lib.sh"
nr=${1:-500}
start_slurm
cp "$tmp/plugstack.conf" "$tmp/on"
: >"$tmp/off"
with_slurm sbatch -o /dev/null -n4 --mem=400 --wrap "$until_go" >"$tmp/submitted"
await ledger_is '.accounts | length == 1'
export SLURM_CONF="$tmp/slurm.conf"
python3 - "$tmp" "$(tr -dc 0-9 <"$tmp/submitted")" "$nr" <<'END'
import shutil
import statistics
import subprocess
import sys
import time

tmp, job, nr = sys.argv[1], sys.argv[2], int(sys.argv[3])
step = ["srun", "--jobid=" + job, "--overlap", "-n1", "--mem=10", "true"]
times = {"off": [], "on": []}
for i in range(nr):
    for way in ("off", "on") if i % 2 else ("on", "off"):
        shutil.copyfile(f"{tmp}/{way}", f"{tmp}/new")
        shutil.move(f"{tmp}/new", f"{tmp}/plugstack.conf")
        start = time.monotonic()
        subprocess.run(step, check=True, stdin=subprocess.DEVNULL)
        times[way].append(time.monotonic() - start)
medians = {way: statistics.median(t) for way, t in times.items()}
ratio = statistics.median(on / off for on, off in zip(times["on"], times["off"]))
print(f"{nr} steps: {medians['on'] * 1e3:.1f} ms with the plugin, "
      f"{medians['off'] * 1e3:.1f} ms without it; "
      f"median of the ratios {ratio:.4f}, ratio of the medians "
      f"{medians['on'] / medians['off']:.4f}")
END
go
plan
