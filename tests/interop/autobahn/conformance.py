"""Runs the conformance suite against the echo example, through the wire checker's proxy."""

import asyncio
import select
import signal
import subprocess
import sys
import time
from collections import defaultdict

import kosoku
from kosoku.cases import CASES

import verdict
from proxy import Proxy

CASE_TIMEOUT = 150  # seconds; the suite's own limits go up to 100
RUN_TIMEOUT = 900  # after this no further case is started
START_TIMEOUT = 30
PREFIX = "/case/"


def start(echo, log):
    """Starts the echo example on a free port; (process, port)."""
    process = subprocess.Popen([echo, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=log, text=True)
    spoken, _, _ = select.select([process.stdout], [], [], START_TIMEOUT)
    line = process.stdout.readline() if spoken else ""
    if "listening on" not in line:
        stop(process)
        sys.exit(f"the echo example said {line!r} instead of where it listens")
    return process, int(line.rsplit(":", 1)[1])


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


async def run_case(url, case):
    try:
        results = await asyncio.wait_for(kosoku.run_fuzzingclient(url, [case]), CASE_TIMEOUT)
    except kosoku.FailureError as failure:
        results = failure.results
    if [result.case_id for result in results] != [case]:
        raise RuntimeError(f"asked for case {case}, got {results}")
    return results[0]


def explain(result):
    parts = [result.result]
    if result.result_close != result.result:
        parts.append(result.result_close)
    parts.append(f"expected {str(result.expected)[:300]}, got {str(result.received)[:300]}")
    parts.append(f"server's close code {result.remote_close_code}, client's {result.local_close_code}")
    return " | ".join(parts)


async def run_all(process, port, cases):
    proxy = Proxy(("127.0.0.1", port))
    serving = asyncio.create_task(proxy.serve())
    results, stats, seconds = {}, {}, {}
    last_start = time.monotonic() + RUN_TIMEOUT
    for case in cases:
        began = time.monotonic()
        if began > last_start or process.poll() is not None:
            break  # the cases left are reported as not run
        try:
            result = await run_case(f"ws://127.0.0.1:{proxy.port}{PREFIX}{case}", case)
            results[case] = (result.behavior.value, result.behavior_close.value, explain(result))
            stats[case] = (dict(result.tx_frame_stats), dict(result.rx_frame_stats))
        except TimeoutError:
            results[case] = ("TIMEOUT", "TIMEOUT", f"not over after {CASE_TIMEOUT} s")
        # The next case starts when this one's sockets are closed: none is judged in the noise of another.
        await proxy.settled(CASE_TIMEOUT)
        seconds[case] = time.monotonic() - began
    serving.cancel()
    judges = defaultdict(list)
    for judge in proxy.judges:
        judges[(judge.path or "").removeprefix(PREFIX)].append(judge)
    return results, stats, seconds, judges


def main():
    echo, log_path = sys.argv[1:]
    # Ended from outside, still end the echo example.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    began = time.monotonic()
    cases = verdict.wanted(CASES)
    excluded = [case for case in CASES if case not in cases]
    print(
        f"running {len(cases)} cases; NOT run: {len(excluded)} cases of sections "
        + ", ".join(f"{name} ({why})" for name, why in verdict.EXCLUDED.items()),
        flush=True,
    )
    with open(log_path, "w") as log:
        process, port = start(echo, log)
        try:
            results, stats, seconds, judges = asyncio.run(run_all(process, port, cases))
            died = process.poll()
        finally:
            stop(process)
    print(verdict.table(cases, results, seconds))

    every = [judge for seen in judges.values() for judge in seen]
    print(
        f"wire checker: {len(every)} connections;"
        f" from the server {sum(j.sent.opcodes.total() for j in every)} frames in {sum(j.sent_bytes for j in every)} bytes,"
        f" from the client {sum(j.received.opcodes.total() for j in every)} frames in {sum(j.received_bytes for j in every)} bytes;"
        f" slowest end of TCP {max((j.close_delay for j in every), default=0):.3f} s"
    )
    bad = verdict.deviations(cases, results) + verdict.wire_deviations(list(results), judges, stats)
    if died is not None:
        bad.append(f"the echo example ended by itself with exit code {died}; see {log_path}")
    for line in bad:
        print("DEVIATION", line)
    print(f"{'FAILED' if bad else 'passed'}: {len(bad)} deviations, {time.monotonic() - began:.0f} s")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
