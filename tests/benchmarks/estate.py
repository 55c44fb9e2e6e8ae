"""How quick provisioning is: `python tests/benchmarks/estate.py`. Prints; asserts nothing.

Law: ratios of one run on this machine, with its load beside them. Everything is driven by the
command line as people do, each time on a fresh sandbox of its own: once with operations that take
no time, once with Azure's own times scaled down. The longest chain is computed twice: from the
table of times (what Azure alone would take) and by the run itself (what its steps took).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from azrunbook import estate, resources
from azrunbook.sandbox.host import server

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).parent / "azrunbook"
TARGET_APPLY_SECONDS, TARGET_PLAN_SECONDS, TARGET_RATIO = 10, 3, 1.1
PLANS, SPEED = 3, 20
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


def say(what, value, unit, target=""):
    sys.stdout.write(f"{what:<58}{value:>10} {unit:<8}{target}\n")
    sys.stdout.flush()


def run(home, *arguments):
    """Seconds of one command, and what it printed."""
    began = time.monotonic()
    done = subprocess.run(
        [COMMAND, *arguments], env={**os.environ, "AZRUNBOOK_HOME": str(home)}, cwd=ROOT,
        check=True, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return time.monotonic() - began, done.stdout


def apply(home, environment):
    """Seconds of provisioning, and the journal's entries by kind."""
    reports = home / "reports"
    seconds, _ = run(
        home, "run", "01_provision_estate", "--env", environment, "-p", "apply=true",
        "--reports", str(reports),
    )  # fmt: skip
    journal = max(reports.glob("01_provision_estate/*/journal.jsonl"))
    return seconds, [json.loads(line) for line in journal.read_text().splitlines()]


def measure_steps(entries):
    """Seconds from the first step's start to the last end of a resource's step."""
    at = {
        entry["kind"]: time_of(entry)
        for entry in entries
        if entry["kind"] != "step_done" or entry["data"]["step"].startswith("put ")
    }
    first = next(time_of(entry) for entry in entries if entry["kind"] == "step_started")
    return at["step_done"] - first


def time_of(entry):
    return time.mktime(time.strptime(entry["at"][:19], "%Y-%m-%dT%H:%M:%S")) + float(
        entry["at"][19:26]
    )


def chain_of_table(environment):
    """Seconds of the longest chain by the table of times alone."""
    timing = server.make_timing("seconds", SPEED)
    best = {}
    for one in resources.desired_resources(estate.load(environment, ROOT), SUBSCRIPTION):
        taken = timing.transition(one.type, "create")
        own = 0.0 if taken == "immediate" else float(taken)
        best[one.id] = own + max((best[other] for other in one.depends_on), default=0.0)
    return max(best.values())


def on_a_sandbox(act, *options):
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        run(home, "sandbox", "up", *options)
        try:
            act(home)
        finally:
            run(home, "sandbox", "down")


def immediate(environment):
    def act(home):
        seconds, entries = apply(home, environment)
        say("apply, no operation takes time: its steps", f"{measure_steps(entries):.1f}", "s")
        say("... with kernel, checks and report", f"{seconds:.1f}", "s",
            f"target < {TARGET_APPLY_SECONDS}")  # fmt: skip
        plans = [run(home, "plan", "--env", environment)[0] for _ in range(PLANS)]
        say("a plan that changes no infrastructure, best of 3", f"{min(plans):.1f}", "s",
            f"target < {TARGET_PLAN_SECONDS}")  # fmt: skip
        again, _ = apply(home, environment)
        say("an apply that changes nothing", f"{again:.1f}", "s", f"{again / seconds:.2f} of it")

    on_a_sandbox(act, "--timing", "immediate")


def realistic(environment):
    def act(home):
        seconds, entries = apply(home, environment)
        steps, chain = measure_steps(entries), chain_of_table(environment)
        say(f"apply, Azure's times over {SPEED}: its steps", f"{steps:.1f}", "s")
        say("... with kernel, checks and report", f"{seconds:.1f}", "s")
        say("longest chain by the table of times", f"{chain:.1f}", "s")
        say("... steps against it", f"{steps / chain:.2f}", "times", f"target <= {TARGET_RATIO}")
        ratio = next(
            entry["data"]["value"]
            for entry in entries
            if entry["kind"] == "metric" and "chain" in entry["data"]["name"]
        )
        say("... steps against the longest chain of themselves", f"{ratio:.2f}", "times")

    on_a_sandbox(act, "--speed", str(SPEED))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="dv", choices=estate.ENVIRONMENTS)
    environment = parser.parse_args().env
    say("load of this machine", f"{os.getloadavg()[0]:.1f}", "")
    immediate(environment)
    realistic(environment)


if __name__ == "__main__":
    main()
