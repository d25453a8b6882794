"""Runs the conformance suite against the echo example and against a client, through the wire checker's proxy."""

import argparse
import asyncio
import select
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import asynccontextmanager
from pathlib import Path

import kosoku
from kosoku.cases import CASES

import verdict
from judge import CLIENT, QUESTIONS, SERVER
from proxy import Proxy

CASE_TIMEOUT = 150  # seconds; the suite's own limits go up to 100
COMPRESSION_TIMEOUT = 600  # and here up to 480
RUN_TIMEOUT = 900  # after this no further case is started
ALL_TIMEOUT = 5400
START_TIMEOUT = 30
LOOPBACK = "127.0.0.1"


def case_timeout(case):
    return COMPRESSION_TIMEOUT if verdict.is_compression(case) else CASE_TIMEOUT


class Echo:
    """The echo example, on a free port."""

    def __init__(self, path, log):
        self._path = path
        self._process = subprocess.Popen(
            [path, "--listen", f"{LOOPBACK}:0"], stdout=subprocess.PIPE, stderr=log, text=True
        )
        spoken, _, _ = select.select([self._process.stdout], [], [], START_TIMEOUT)
        line = self._process.stdout.readline() if spoken else ""
        if "listening on" not in line:
            self.stop()
            sys.exit(f"{path} said {line!r} instead of where it listens")
        self.address = LOOPBACK, int(line.rsplit(":", 1)[1])

    def died(self):
        code = self._process.poll()
        return None if code is None else f"{self._path} ended by itself with exit code {code}"

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


class Servers:
    """The suite as a client of the echo example: as it is by default, and with compression."""

    subject = SERVER

    def __init__(self, args, log):
        self._echoes = []
        try:
            for path in (args.echo, args.echo_deflate):
                self._echoes.append(Echo(path, log))
        except SystemExit:
            self.stop()
            raise

    def path(self, case):
        return f"/case/{case}"

    async def run(self, case, proxy):
        proxy.upstream = self._echoes[verdict.is_compression(case)].address
        return await kosoku.run_fuzzingclient(f"ws://{LOOPBACK}:{proxy.port}{self.path(case)}", [case])

    def died(self):
        return next(filter(None, (echo.died() for echo in self._echoes)), None)

    def stop(self):
        for echo in self._echoes:
            echo.stop()


class Clients:
    """The suite as a server, anew for each case, and a client that asks it for its cases."""

    subject = CLIENT

    def __init__(self, args, log):
        self._client, self._log = args.client, log
        self._options = ["--pieces"] if args.pieces else []

    def path(self, case):
        return "/runCase?case=1&agent=roomwire"

    async def run(self, case, proxy):
        alone = ["--no-context-takeover"] if verdict.group(case) in verdict.ALONE else []
        async with kosoku.run_fuzzingserver([case], host=LOOPBACK, port=0) as server:
            proxy.upstream = LOOPBACK, server.port
            async with process(self._client, f"{LOOPBACK}:{proxy.port}", *alone, *self._options, stderr=self._log) as client:
                said, _ = await client.communicate()
            if client.returncode != 0 or said != b"ran 1 cases\n":
                raise RuntimeError(f"the client said {said!r} and ended with exit code {client.returncode}")
            return await server.get_result()

    def died(self):
        return None

    def stop(self):
        pass


@asynccontextmanager
async def process(*command, **options):
    """A process that does not outlive its block."""
    started = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, **options)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def run_case(role, case, proxy):
    try:
        results = await asyncio.wait_for(role.run(case, proxy), case_timeout(case))
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
    parts.append(f"close code received {result.remote_close_code}, sent {result.local_close_code}")
    return " | ".join(parts)


async def run_all(role, cases, last_start):
    proxy = Proxy(role.subject)
    serving = asyncio.create_task(proxy.serve())
    results, stats, seconds, judges = {}, {}, {}, defaultdict(list)
    for case in cases:
        began = time.monotonic()
        if began > last_start or role.died():
            break  # the cases left are reported as not run
        try:
            result = await run_case(role, case, proxy)
            results[case] = (result.behavior.value, result.behavior_close.value, explain(result))
            stats[case] = (dict(result.tx_frame_stats), dict(result.rx_frame_stats))
        except TimeoutError:
            results[case] = ("TIMEOUT", "TIMEOUT", f"not over after {case_timeout(case)} s")
        except RuntimeError as error:
            results[case] = ("ERROR", "ERROR", str(error))
        # The next case starts when this one's sockets are closed: none is judged in the noise of another.
        await proxy.settled(case_timeout(case))
        for judge in proxy.judges:
            known = judge.path == role.path(case)
            # What is wrong with a question is the case's fault too.
            if known or judge.findings or not (judge.path or "").startswith(QUESTIONS):
                judges[case if known else judge.path].append(judge)
        proxy.judges.clear()
        seconds[case] = time.monotonic() - began
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    return results, stats, seconds, judges


def run_role(role, cases, timeout):
    """Runs the cases and prints what came of it; one line for each deviation."""
    print(f"\nthe {role.subject}: {len(cases)} cases", flush=True)
    try:
        results, stats, seconds, judges = asyncio.run(run_all(role, cases, time.monotonic() + timeout))
        died = role.died()
    finally:
        role.stop()
    print(verdict.table(cases, results, seconds))
    every = [judge for seen in judges.values() for judge in seen]
    messages = [sum(end.compressed for end in ends) for ends in ([j.sent for j in every], [j.received for j in every])]
    print(
        f"wire checker: {len(every)} connections;"
        f" from the {role.subject} {sum(j.sent.opcodes.total() for j in every)} frames in {sum(j.sent_bytes for j in every)} bytes,"
        f" {messages[0]} messages compressed;"
        f" from the suite {sum(j.received.opcodes.total() for j in every)} frames in {sum(j.received_bytes for j in every)} bytes,"
        f" {messages[1]} messages compressed;"
        f" slowest end of TCP {max((j.close_delay for j in every), default=0):.3f} s"
    )
    least = verdict.LEAST_BYTES if {"9", "10"} <= {verdict.section(case) for case in cases} else 0
    bad = verdict.deviations(CASES, cases, results) + verdict.wire_deviations(list(results), judges, stats, least)
    bad += [died] if died else []
    for line in bad:
        print("DEVIATION", f"{role.subject}:", line)
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true", help="all 517 cases, which takes 25 minutes for both ends")
    parser.add_argument("--role", choices=(SERVER, CLIENT), help="only what is run against this end")
    parser.add_argument("--pieces", action="store_true", help="the client sends messages back piece by piece")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="only these: numbers, or patterns like '7.*'")
    for path in ("echo", "echo-deflate", "client", "log"):
        parser.add_argument(f"--{path}", type=Path, required=True, help=argparse.SUPPRESS)
    args = parser.parse_args()
    # Ended from outside, still end the echo example.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    began = time.monotonic()
    cases = verdict.chosen(CASES, args.all, args.cases)
    print(verdict.left_out(CASES, cases))
    bad = []
    with open(args.log, "w") as log:
        for role in (Servers, Clients):
            if args.role in (None, role.subject):
                bad += run_role(role(args, log), cases, ALL_TIMEOUT if args.all else RUN_TIMEOUT)
    print(f"{'FAILED' if bad else 'passed'}: {len(bad)} deviations, {time.monotonic() - began:.0f} s")
    if bad:
        print(f"what the other end said is in {args.log}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
