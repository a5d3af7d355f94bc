#!/usr/bin/env python3
"""One to ten million trades through `features --once`, one processor: does an event cost the same, and memory stay where it is?

Draws growth.svg beside the results: seconds and peak memory over the number of events, one dot a run, beside straight growth.
"""

import os
import pathlib

from bench import BINARY, EXAMPLE, Finished, Report, pinned, processors, progress, scratch

MILLIONS = [1, 2, 4, 7, 10]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
TRADES_A_SECOND = 20


def produced(directory, millions):
    seconds = millions * 1_000_000 // TRADES_A_SECOND
    command = [BINARY, "produce", "--once", "--source", "synthetic", "--duration", f"{seconds}s", "--rate", TRADES_A_SECOND,
               "--start", "2026-01-01T00:00:00Z", "--speed", "max", "--project", EXAMPLE, "--data", directory, "--admin-port", "0"]
    Finished([str(part) for part in command])


def main():
    report = Report("growth", "one to ten million trades through features, one processor")
    processor, _ = processors()
    runs = {millions: [] for millions in MILLIONS}
    for turn in range(ROUNDS):
        # Sizes take turns, so that a slow quarter of an hour does not look like a slow size.
        for millions in MILLIONS:
            progress(f"round {turn + 1} of {ROUNDS}: {millions} M")
            with scratch() as directory:
                produced(directory, millions)
                runs[millions].append(Finished(pinned(
                    processor, BINARY, "features", "--once", "--project", EXAMPLE, "--data", directory, "--admin-port", "0")))
    for millions in MILLIONS:
        report.add(f"{millions} M events", [run.processor for run in runs[millions]], "s of processor")
    least, most = MILLIONS[0], MILLIONS[-1]
    report.ratio(
        f"processor time per event, {most} M ÷ {least} M", [run.processor / most for run in runs[most]],
        [run.processor / least for run in runs[least]], threshold="times_per_event")
    for millions in (least, most):
        report.add(f"peak memory, {millions} M", [run.memory for run in runs[millions]], "MB")
    report.ratio(
        f"peak memory, {most} M ÷ {least} M", [run.memory for run in runs[most]], [run.memory for run in runs[least]],
        threshold="times_memory")
    target = pathlib.Path(os.environ.get("BENCH_RESULTS", ".")) / "growth.svg"
    target.write_text(plot(runs))
    report.note(f"plot: {target.name}")
    report.end()


def plot(runs):
    """Two panels over the number of events: processor seconds and peak memory in MB, and what the first size promises for the others."""
    width, height, left, top, bottom, gap = 360, 260, 52, 34, 64, 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * (left + width) + gap} {top + height + bottom}"'
        ' font-family="system-ui, sans-serif" font-size="12" fill="#333">'
        '<rect width="100%" height="100%" fill="#fff"/>']
    panels = [
        ("processor time, s", lambda run: run.processor, lambda first, millions: first * millions / MILLIONS[0]),
        ("peak memory, MB", lambda run: run.memory, lambda first, _: first)]
    for panel, (title, value, promised) in enumerate(panels):
        x0 = left + panel * (left + width + gap)
        first = sorted(map(value, runs[MILLIONS[0]]))[len(runs[MILLIONS[0]]) // 2]
        largest = 1.1 * max([promised(first, MILLIONS[-1])] + [value(run) for found in runs.values() for run in found])
        step = next(step for step in (1, 2, 5, 10, 20, 25, 50, 100, 200) if largest / step <= 7)

        def place(millions, amount):
            return x0 + width * millions / 10.5, top + height * (1 - amount / largest)
        parts.append(f'<text x="{x0}" y="{top - 14}" font-weight="600">{title}</text>')
        tick = 0
        while tick <= largest:
            _, y = place(0, tick)
            parts.append(f'<path d="M{x0} {y:.1f}h{width}" stroke="#e4e4e4"/><text x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
            tick += step
        for millions in (0, 2, 4, 6, 8, 10):
            x, _ = place(millions, 0)
            parts.append(f'<text x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">{millions}</text>')
        parts.append(f'<text x="{x0 + width / 2}" y="{top + height + 34}" text-anchor="middle">million events</text>')
        middle = [(millions, sorted(map(value, found))[len(found) // 2]) for millions, found in runs.items()]
        (x1, y1), (x2, y2) = (place(millions, promised(first, millions)) for millions in (MILLIONS[0], MILLIONS[-1]))
        parts.append(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#c2571a" stroke-width="1.5" stroke-dasharray="6 4"/>')
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in middle))
        parts.append(f'<polyline points="{line}" fill="none" stroke="#2563a8" stroke-width="1.5"/>')
        for millions, found in runs.items():
            for run in found:
                x, y = place(millions, value(run))
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#2563a8" fill-opacity=".7"/>')
    y, x = top + height + 54, left
    parts.append(
        f'<circle cx="{x + 10}" cy="{y - 4}" r="3" fill="#2563a8"/><path d="M{x} {y - 4}h20" stroke="#2563a8" stroke-width="1.5"/>'
        f'<text x="{x + 28}" y="{y}">runs and their median</text>'
        f'<path d="M{x + 190} {y - 4}h20" stroke="#c2571a" stroke-width="1.5" stroke-dasharray="6 4"/>'
        f'<text x="{x + 218}" y="{y}">'
        f'if every event cost what one of the first {MILLIONS[0]} M does, and memory stayed where it is then</text>')
    return "\n".join(parts) + "\n</svg>\n"


main()
