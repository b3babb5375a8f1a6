#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bench — meshd beside its peers, in one run, as ratios.

    make bench [BENCH_ARGS='--rows http-plain,memory --seconds 15']
    make bench-config [CORPUS=folder] [BENCH_ARGS=...]

Prints a table and writes its rows into build/bench.json. Needs root, for a network
namespace. What is measured runs on core 0, load and application on core 1;
the two sides of a row take turns, and medians are compared.
"""

import argparse
import json
import os
import sys

import answers
import configuration
import health
import machines
import peers
import protocols
import rows
import streams
from machine import enter_network
from mesh import SERVER_ADDRESS, agent_address
from rows import LeftOut, Settings

TABLES = {"traffic": (rows.ROWS + protocols.ROWS + health.ROWS +
                      machines.ROWS + (answers.ROW,)),
          "configuration": configuration.ROWS + (streams.ROW,)}

ADDRESSES = [SERVER_ADDRESS] + [agent_address(n) for n in range(1, 32)]


def judge(goal, ours, peer_value):
    """One entry of bench.json."""
    ratio = ours / peer_value if peer_value else None
    value = ratio if goal.ratio else ours

    def reaches(bound):
        return value >= bound if goal.more else value <= bound

    return {"issue": goal.issue, "measure": goal.measure,
            "ours": round(ours, 3), "peer": goal.peer or None,
            "peer_value": round(peer_value, 3) if peer_value else None,
            "unit": goal.unit, "ratio": round(ratio, 3) if ratio else None,
            "must": goal.must, "aim": goal.aim,
            "of": "ratio" if goal.ratio else "ours",
            "better": "more" if goal.more else "less",
            "met": reaches(goal.must), "aim_met": reaches(goal.aim)}


def cells(entry):
    sign = ">=" if entry["better"] == "more" else "<="
    times = "x" if entry["of"] == "ratio" else f" {entry['unit']}"
    theirs = "-"
    if entry["peer_value"] is not None:
        theirs = f"{entry['peer_value']:.4g} ({entry['peer']})"
    return [entry["measure"], f"{entry['ours']:.4g} {entry['unit']}", theirs,
            "-" if entry["ratio"] is None else f"{entry['ratio']:.2f}x",
            f"{sign} {entry['must']:g}{times}",
            f"{sign} {entry['aim']:g}{times}",
            "aim" if entry["aim_met"] else "yes" if entry["met"] else "NO"]


def print_table(entries):
    rows = [["measure", "ours", "peer", "ratio", "must", "aim", "met"]]
    rows += [cells(e) for e in entries]
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip())


def save(path, entries):
    """Rows that were not measured this time keep their last result."""
    kept = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            kept = json.load(f)
    fresh = {(e["issue"], e["measure"]) for e in entries}
    kept = [e for e in kept if (e["issue"], e["measure"]) not in fresh]
    with open(path, "w", encoding="utf-8") as f:
        json.dump(kept + entries, f, indent=1)
        f.write("\n")


def parse():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("table", choices=TABLES, help="what is measured")
    p.add_argument("--rows", help="only these: " + "; ".join(
        ",".join(r.name for r in table) for table in TABLES.values()))
    p.add_argument("--seconds", type=int, default=4,
                   help="of one load (default: 4)")
    p.add_argument("--repetitions", type=int, default=3,
                   help="of each load (default: 3)")
    p.add_argument("--connections", type=int, default=64,
                   help="of HTTP loads (default: 64)")
    p.add_argument("--corpus", help="a folder of configuration to judge")
    p.add_argument("--istioctl", help="to compare with, if it is there")
    p.add_argument("--out", help="default: bench.json in the build folder")
    p.add_argument("--keep", action="store_true",
                   help="keep configurations and logs")
    a = p.parse_args()
    table = TABLES[a.table]
    names = a.rows.split(",") if a.rows else [r.name for r in table]
    unknown = set(names) - {r.name for r in table}
    if unknown:
        p.error("no such row: " + ", ".join(sorted(unknown)))
    a.rows = [r for r in table if r.name in names]
    return a


def main():
    a = parse()
    build = os.environ.get("MESHD_BUILD", "build")
    settings = Settings(
        os.environ.get("MESHD", os.path.join(build, "meshd")), build,
        a.seconds, a.repetitions, a.connections, a.keep, a.corpus or "",
        a.istioctl or "")
    if a.table == "traffic":
        peers.find_envoy(build)  # while there is a network
    enter_network(ADDRESSES)
    entries, failed = [], False
    for row in a.rows:
        print(f"bench: {row.name}: {row.same}", file=sys.stderr, flush=True)
        try:
            found = row.measure(settings)
        except LeftOut as e:
            print(f"bench: {row.name} is left out: {e}", file=sys.stderr)
            continue
        except (RuntimeError, OSError) as e:
            print(f"bench: {row.name} failed: {e}", file=sys.stderr)
            failed = True
            continue
        entries += [judge(g, *found[g.measure]) for g in row.goals
                    if g.measure in found]
    save(a.out or os.path.join(build, "bench.json"), entries)
    print_table(entries)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
