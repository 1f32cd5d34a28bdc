"""`python -m benchmarks`: measures, prints, writes benchmarks/results/latest.json; 1 = gate missed.

Everything runs on one machine, which the two services share with three servers: the ratios count,
the absolute figures are of that machine on that day. The gate is the ratio of the producer's rows,
sent and committed to Kafka, to those that mysql-replication's own loop only reads, taken from the
same binlog in the same run.
"""

import json
import platform
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import mysync_producer.rowcodec
from benchmarks.bench import Bench
from mysync_lab.lab import Lab

RESULT = Path(__file__).parent / "results" / "latest.json"
GATE = 1.5
TARGETS = {"captured_rows_per_s": 40_000, "applied_rows_per_s": 40_000, "latency_p50_ms": 30}
ROUNDS = 3


def main() -> int:
    lab = Lab()
    lab.up("mysql-a", "mysql-b", "kafka")
    compiled = not mysync_producer.rowcodec.__file__.endswith(".py")
    print(f"hot path {'compiled' if compiled else 'not compiled'}, {ROUNDS} rounds")
    rounds = []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder, Bench(lab, Path(folder)) as bench:
            measured = bench.measure()
        rounds.append(measured)
        print(f"round {number + 1}: " + ", ".join(f"{k} {v:,.1f}" for k, v in measured.items()))
    median = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    ratio = statistics.median(r["captured_rows_per_s"] / r["library_rows_per_s"] for r in rounds)
    for name, wanted in TARGETS.items():
        print(f"{name}: median {median[name]:,.1f} (target {wanted:,})")
    print(f"capture against mysql-replication's own loop: {ratio:.2f} (gate {GATE})")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(
            {
                "when": f"{datetime.now(UTC):%Y-%m-%d}",
                "machine": f"{platform.machine()}, Python {platform.python_version()}",
                "servers": {s["name"]: s["version"] for s in lab.status() if s["running"]},
                "compiled": compiled,
                "rounds": rounds,
                "median": median,
                "capture_ratio": ratio,
                "gate": GATE,
            },
            indent=2,
        )
        + "\n"
    )
    return 0 if ratio >= GATE else 1


if __name__ == "__main__":
    sys.exit(main())
