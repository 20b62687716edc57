# SPDX-License-Identifier: MIT
"""slurm_equal BEFORE LEDGER AFTER: whether a ledger holds what Slurm gave.

BEFORE and AFTER are what "scontrol show job -d" printed, LEDGER what "numatally
show --json" printed in between. Prints how many jobs were compared.
"""
import json
import re
import sys

MIB = 1 << 20


def jobs(path):
    """What each job has by node, of those that have something, or None."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for text in file.read().split("\n\n"):
            number = re.search(r"JobId=(\d+)", text)
            given = re.search(r"CPU_IDs=(\S+) Mem=(\d+)", text)
            state = re.search(r"JobState=(\w+)", text)
            if not number or state[1] not in ("RUNNING", "COMPLETING"):
                continue
            found[number[1]] = state[1] == "RUNNING" and given and by_node(
                given[1], int(given[2]) * MIB)
    return found


def reserved(nodes):
    """What is reserved, of what an account has."""
    names = ("cores", "memory_bytes")
    return {node: {n: amounts[n] for n in names if n in amounts}
            for node, amounts in nodes.items()
            if any(amounts.get(n) for n in names)}


def by_node(cpus, memory):
    cores = {}
    for part in cpus.split(","):
        first, _, last = part.partition("-")
        for cpu in range(int(first), int(last or first) + 1):
            cores[str(cpu // 4)] = cores.get(str(cpu // 4), 0) + 1
    total = sum(cores.values())
    result, before = {}, 0
    for node in sorted(cores):
        upto = before + cores[node]
        result[node] = {"cores": cores[node],
                        "memory_bytes": memory * upto // total -
                        memory * before // total}
        before = upto
    return result


before, after = jobs(sys.argv[1]), jobs(sys.argv[3])
with open(sys.argv[2], encoding="utf-8") as file:
    ledger = json.load(file)
nr, bad = 0, 0
for account in ledger["accounts"]:
    job, _, step = account["key"].partition(".")
    has = reserved(account["nodes"])
    if job not in before and job not in after:
        print(f"# {account['key']} has something, but no job")
        bad += 1
    if step or not before.get(job) or not after.get(job):
        continue
    nr += 1
    if has != before[job]:
        print(f"# job {job} has {has}, but Slurm gave {before[job]}")
        bad += 1
    for node, amounts in has.items():
        steps = [a["nodes"].get(node, {}) for a in ledger["accounts"]
                 if a["key"].startswith(job + ".")]
        for name, amount in amounts.items():
            if sum(s.get(name, 0) for s in steps) > amount:
                print(f"# the steps of {job} have more than it has")
                bad += 1
print(f"# {nr} jobs compared")
sys.exit(bad > 0)
