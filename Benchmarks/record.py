"""Writes RESULTS.md from the figures that the measures left in BENCH_RESULTS.

    record.py MEASURE …
"""

import json
import os
import pathlib
import platform
import sys

from bench import HERE, number

HEAD = """# Measured

Written by `Benchmarks/run --record`; [README.md](README.md) says what each figure is and how far to trust it. A threshold holds for
the median, one of memory for the maximum.

Machine: {processors} × {processor}, {memory:.0f} GB, {system}.
"""


def machine():
    information = pathlib.Path("/proc/cpuinfo").read_text()
    names = [line.split(":", 1)[1].strip() for line in information.splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processors": os.cpu_count(), "processor": names[0] if names else platform.machine(), "memory": memory,
        "system": f"Linux {platform.release().split('-')[0]}"}


def table(measure):
    path = pathlib.Path(os.environ["BENCH_RESULTS"], f"{measure}.json")
    if not path.exists():
        return f"\n## {measure}\n\nNot measured.\n"
    found = json.loads(path.read_text())
    lines = [
        f"\n## {measure}\n",
        f"{found['date']}, commit {found['commit']}, {found['rounds']} rounds; other processes kept {found['others']:.2f} processors busy "
        "meanwhile.\n",
        "| Figure | min | median | max | Threshold |", "|---|---:|---:|---:|---|"]
    for figure in found["figures"]:
        unit = f" [{figure['unit']}]" if figure["unit"] else ""
        cells = " | ".join(number(value) for value in figure["spread"])
        lines.append(f"| {figure['name']}{unit} | {cells} | {figure['verdict']} |")
    return "\n".join(lines) + "\n"


def main():
    (HERE / "RESULTS.md").write_text(HEAD.format(**machine()) + "".join(map(table, sys.argv[1:])))


main()
