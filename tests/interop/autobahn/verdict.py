"""What the run must come to, and every way in which it did not."""

from fnmatch import fnmatch

CASES = 517
# The three cases whose outcome RFC 6455 leaves open: the suite never grades them.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
COMPRESSION = {"12", "13"}
# Each group of these sections has the same 18 sizes. Of them, by their last number: 16, 256 and 4096 bytes whole, and
# 8192 bytes in fragments of at most 256.
SHORT = {"1", "3", "5", "11"}
# The groups in which the suite as a server insists on messages that stand each alone; a client must offer it first.
ALONE = {"13.2", "13.5", "13.6", "13.7"}
MESSAGES = 1000  # of a case about compression
# What an echo of sections 9 and 10 comes to, roughly: less means the checker did not see it.
LEAST_BYTES = 150_000_000


def section(case):
    return case.split(".")[0]


def is_compression(case):
    return section(case) in COMPRESSION


def group(case):
    return case.rpartition(".")[0]


def chosen(cases, everything, patterns):
    """Those that are to be run: all, or those of some patterns, or what is short."""
    if patterns:
        return [case for case in cases if any(fnmatch(case, pattern) for pattern in patterns)]
    return [case for case in cases if everything or not is_compression(case) or case.rpartition(".")[2] in SHORT]


def left_out(suite, cases):
    """What is not run, for people."""
    left = [case for case in suite if case not in cases]
    if not left:
        return f"all {len(suite)} cases are run"
    if all(is_compression(case) and case.rpartition(".")[2] not in SHORT for case in left):
        why = f"of sections 12 and 13 all sizes but numbers {', '.join(sorted(SHORT, key=int))} (--all runs them)"
    else:
        why = f"of sections {', '.join(dict.fromkeys(map(section, left)))}"
    return f"NOT run: {len(left)} of {len(suite)} cases, {why}"


def deviations(suite, cases, results):
    """`results`: case -> (behavior, behaviorClose, explanation). One line for each deviation."""
    lines = []
    if len(suite) != CASES:
        lines.append(f"the suite has {len(suite)} cases, not {CASES}")
    for case in sorted(INFORMATIONAL - set(suite)):
        lines.append(f"case {case} is not in the suite")
    if not cases:
        lines.append("no case was chosen")
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
            lines += [f"case {case}: {text}" for text in compression_deviations(case, judge)]
            if case in stats:
                sent, received = stats[case]
                for side, suite, own in (("suite", sent, judge.received), ("other end", received, judge.sent)):
                    own = dict(own.opcodes)
                    if side == "suite":
                        # It counts a closing answer that it does not send after a failure.
                        suite, own = without_close(suite), without_close(own)
                    if suite != own:
                        lines.append(f"case {case}: the suite counted the {side}'s frames {suite}, the checker {own}")
    every = [judge for seen in judges.values() for judge in seen]
    for path in sorted(set(judges) - set(cases), key=str):
        lines.append(f"{len(judges[path])} connections for no known case: {path}")
    if len({judge.key for judge in every if judge.key_is_drawn}) != sum(judge.key_is_drawn for judge in every):
        lines.append("a Sec-WebSocket-Key came twice")
    total = sum(judge.sent_bytes for judge in every)
    if total < least_bytes:
        lines.append(f"the checker saw {total} bytes from the other end, not at least {least_bytes}")
    return lines


def compression_deviations(case, judge):
    if not is_compression(case):
        return ["compression, which was not to be agreed on"] if judge.agreed else []
    if not judge.agreed:
        return ["no compression was agreed on"]
    counts = {"the suite": judge.received.compressed, "the other end": judge.sent.compressed}
    return [f"{end} compressed {count} messages of {MESSAGES}" for end, count in counts.items() if count != MESSAGES]


def without_close(frames):
    return {opcode: count for opcode, count in frames.items() if opcode != 8}
