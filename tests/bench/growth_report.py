# SPDX-License-Identifier: Apache-2.0
"""What growth varies and measures, and its tables, verdicts and plots."""
import statistics
import typing

import fits
import report
from measure import note

COSTS = {"cpu_us": ("CPU µs/request", "µs", 1), "p50_us": ("p50 ms", "ms", 1000), "p99_us": ("p99 ms", "ms", 1000)}
STARTS = {"copy": "start with its local copy", "fresh": "start without one", "stopped": "takeover, worker stopped", "killed": "takeover, worker killed"}


KEPT = 0.9  # of what is offered must be answered


class Variable(typing.NamedTuple):
    """What a number of it is called, what a linear verdict is told per, its sizes, and those that --full adds."""
    noun: str
    per: int
    sizes: tuple
    more: tuple = ()
    once: tuple = ()  # measured in the first round only, but with --full


VARIABLES = {
    "connections": Variable("connections", 1000, (1, 16, 128, 1024, 4096), (10_000,)),
    "pending": Variable("waiting requests", 1000, (0, 1000, 4000)),
    "partitions": Variable("partitions", 10, (3, 6, 24, 96), (), (96,)),
    "items": Variable("items", 1000, (1000, 10_000, 100_000), (1_000_000, 10_000_000)),
    "dead-letters": Variable("dead letters", 1000, (0, 1000, 10_000)),
    "age": Variable("earlier writes of each item", 10, (1, 10, 100)),
    "startup": Variable("items", 1000, (1000, 10_000, 100_000), (1_000_000, 10_000_000)),
}
BESIDE = {"gateway-start": Variable("partitions", 10, ())}  # measured while partitions are
TIMES = ("startup", "gateway-start")


def behind(result):
    """The rate was too much: latencies are a queue's then, and few answers bear the cost of many requests."""
    return result.get("rate", 0) < KEPT * result.get("offered", 0)


def points(by_size, key, scale):
    return [(size, result[key] / scale) for size, results in sorted(by_size.items()) for result in results]


def tables(found, variable):
    """The medians, then the verdicts: lines."""
    what = (VARIABLES | BESIDE)[variable]
    rows = {name: by_size for (one, name), by_size in found.items() if one == variable}
    costs = {"seconds": ("seconds", "ms", 0.001)} if variable in TIMES else COSTS
    yield f"\n### {variable}\n\n| | {what.noun} | " + " | ".join(title for title, *_ in costs.values()) + " | others' CPU |\n" + "|---" * (len(costs) + 3) + "|"
    for name, by_size in rows.items():
        for size, results in sorted(by_size.items()):
            cells = [f"{statistics.median(r[key] for r in results) / (1 if key == 'seconds' else scale):.2f}" for key, (_, _, scale) in costs.items()]
            noise = max(r.get("noise", -1) for r in results)
            yield f"| {name} | {size:,} | {' | '.join(cells)} | {f'{100 * noise:.0f} %' if noise >= 0 else '-'} |"
    yield "\n| | " + " | ".join(title.split()[0] for title, *_ in costs.values()) + " |\n" + "|---" * (len(costs) + 1) + "|"
    for name, by_size in rows.items():
        cells = [fits.verdict(points(by_size, key, scale), unit, what.per, what.noun) for key, (_, unit, scale) in costs.items()]
        late = [f"{size:,}" for size, results in sorted(by_size.items()) if any(behind(result) for result in results)]
        if late:
            cells = [f"none: the rate was not kept at {', '.join(late)}"] * len(cells)
        yield f"| {name} | {' | '.join(cells)} |"


def plots(folder, found):
    for variable in dict.fromkeys(variable for variable, _ in found):
        costs = {"seconds": ("seconds", "s", 1)} if variable in TIMES else COSTS
        for key, (title, _, scale) in costs.items():
            series = {}
            for (one, name), by_size in found.items():
                if one == variable:
                    values = {size: [r[key] / scale for r in results] for size, results in by_size.items()}
                    series[name] = [(size, statistics.median(v), min(v), max(v)) for size, v in values.items()]
            path = folder / f"growth-{variable}-{key.removesuffix('_us')}.svg"
            noun = (VARIABLES | BESIDE)[variable].noun
            report.plot(path, f"{variable}: {title} by {noun}", noun, title, series)
            note(f"Plot: {path}")
