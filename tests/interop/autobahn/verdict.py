"""What the run must come to, and every way in which it did not."""

CASES = 301
# The three cases whose outcome RFC 6455 leaves open: the suite never grades them.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
# What an echo of sections 9 and 10 comes to, roughly: less means the checker did not see it.
LEAST_BYTES = 150_000_000
EXCLUDED = {"12": "compression", "13": "compression"}


def section(case):
    return case.split(".")[0]


def wanted(cases):
    return [case for case in cases if section(case) not in EXCLUDED]


def deviations(cases, results):
    """`results`: case -> (behavior, behaviorClose, explanation). One line for each deviation."""
    lines = []
    if len(cases) != CASES:
        lines.append(f"the suite has {len(cases)} cases in these sections, not {CASES}")
    for case in sorted(INFORMATIONAL - set(cases)):
        lines.append(f"case {case} is not in the suite")
    for case in cases:
        if case not in results:
            lines.append(f"case {case} did not run")
            continue
        due = "INFORMATIONAL" if case in INFORMATIONAL else "OK"
        behavior, close, explanation = results[case]
        if (behavior, close) != (due, due):
            lines.append(f"case {case}: behavior {behavior}, behaviorClose {close}, not {due}: {explanation}")
    return lines


def table(cases, results, seconds):
    """Counts by section: one row for `behavior`, one for `behaviorClose`."""
    kinds = ["OK", "INFORMATIONAL", "NON-STRICT"]
    rows = [
        f"{'section':8}{'':15}{'cases':>6}" + "".join(f"{kind:>15}" for kind in [*kinds, "other"]) + f"{'seconds':>9}"
    ]
    for name in [*dict.fromkeys(map(section, cases)), "all"]:
        chosen = [case for case in cases if name in ("all", section(case))]
        for at, what in enumerate(("behavior", "behaviorClose")):
            got = [results[case][at] if case in results else "missing" for case in chosen]
            counts = [got.count(kind) for kind in kinds]
            counts.append(len(got) - sum(counts))
            time = f"{sum(seconds.get(case, 0) for case in chosen):9.1f}" if at == 0 else ""
            rows.append(
                f"{name if at == 0 else '':8}{what:15}{len(chosen):>6}"
                + "".join(f"{count:>15}" for count in counts)
                + time
            )
    return "\n".join(rows)


def wire_deviations(cases, judges, stats, least_bytes=LEAST_BYTES):
    """What the wire checker found, and whether it saw the run the suite saw.

    `judges`: case -> the judges of its connections; `stats`: case -> (frames sent, frames received)
    by opcode, as the suite itself counted them.
    """
    lines = []
    for case in cases:
        seen = judges.get(case, [])
        if len(seen) != 1:
            lines.append(f"case {case}: {len(seen)} connections, not 1")
        for judge in seen:
            lines += [f"case {case}: {rule}: {text}" for rule, text in judge.findings]
            if case in stats:
                sent, received = stats[case]
                for side, suite, own in (("client", sent, judge.received), ("server", received, judge.sent)):
                    own = dict(own.opcodes)
                    if side == "client":
                        # The suite counts a closing answer that it does not send after a failure.
                        suite, own = without_close(suite), without_close(own)
                    if suite != own:
                        lines.append(f"case {case}: the suite counted the {side}'s frames {suite}, the checker {own}")
    for path in sorted(set(judges) - set(cases), key=str):
        lines.append(f"{len(judges[path])} connections for no known case: {path}")
    total = sum(judge.sent_bytes for seen in judges.values() for judge in seen)
    if total < least_bytes:
        lines.append(f"the checker saw {total} bytes from the server, not at least {least_bytes}")
    return lines


def without_close(frames):
    return {opcode: count for opcode, count in frames.items() if opcode != 8}
