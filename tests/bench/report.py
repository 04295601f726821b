# SPDX-License-Identifier: Apache-2.0
"""What comes out: Markdown tables of medians, ratios of pairs with their spread, aims met or not, and plots as SVG."""
import math
import os
import statistics

ROLES = ("gateway", "worker", "compute", "broker", "client")


def median(results, *path):
    def pick(result):
        for key in path:
            result = result.get(key, 0) if isinstance(result, dict) else result[key]
        return result
    return statistics.median(pick(result) for result in results)


def rate(results):
    return median(results, "rate")


def p50(results):
    return median(results, "p50_us")


def p99(results):
    return median(results, "p99_us")


def ms(results, key):
    """A latency; "-" where most rounds had no answer at all."""
    found = median(results, key) / 1000
    return f"{found:.2f}" if math.isfinite(found) else "-"


def answering(results):
    """Rounds that had answers: what a request cost can be told of those only."""
    return [result for result in results if result["rate"]]


def cpu(results):
    """µs a request by process, those that took part."""
    results = answering(results)
    if not results:
        return "-"
    return " / ".join(f"{role} {median(results, 'cpu', role):.1f}" for role in ROLES if median(results, "cpu", role) >= 0.05)


def own_cpu(results):
    """Of gateway and workers together. The floor has no gateway: its driver is what stands there."""
    roles = ("gateway", "worker", "compute") if median(results, "cpu", "gateway") else ("worker", "client")
    return sum(median(results, "cpu", role) for role in roles)


def of(results, base, key):
    """As a share of the base's median."""
    below = median(base, key) if base else 0
    share = median(results, key) / below if below else math.inf
    return f"{share:.2f}" if math.isfinite(share) else "-"


HEAD = ("| load | connections | target | answers/s | p50 ms | p99 ms | p99.9 ms | of the floor: answers/s, p50, p99 | CPU µs/request | bytes/request | RSS MiB "
        "| others' CPU |\n|---|---|---|---|---|---|---|---|---|---|---|---|")


def row(load, connections, target, results, floor):
    rss = " / ".join(f"{role} {median(results, 'rss', role):.0f}" for role in ("gateway", "worker") if median(results, "rss", role))
    carried = f"{median(answering(results), 'bytes'):,.0f}" if answering(results) else "-"
    ratios = ", ".join(of(results, floor, key) for key in ("rate", "p50_us", "p99_us")) if floor else "-"
    return (f"| {load} | {connections:,} | {target} | {median(results, 'rate'):,.0f} | {ms(results, 'p50_us')} | {ms(results, 'p99_us')} | "
            f"{ms(results, 'p999_us')} | {ratios} | {cpu(results)} | {carried} | {rss or '-'} | "
            f"{100 * max(result['noise'] for result in results):.0f} % |")


def table(measured):
    """`measured`: {(load, connections, target): [result, …]} in the order of the rows."""
    rows = [row(load, connections, target, results, measured.get((load, connections, "floor")) if target != "floor" else None)
            for (load, connections, target), results in measured.items()]
    return "\n".join([HEAD, *rows])


def open_table(measured):
    """`measured`: {(load, share of saturation, target): [result, …]}."""
    lines = ["| load | of saturation | target | offered/s | answered/s | p50 ms | p99 ms | p99.9 ms | CPU µs/request | not answered 2xx |", "|" + "---|" * 10]
    for (load, share, target), results in measured.items():
        lines.append(f"| {load} | {100 * share:.0f} % | {target} | {median(results, 'offered'):,.0f} | {median(results, 'rate'):,.0f} | "
                     f"{ms(results, 'p50_us')} | {ms(results, 'p99_us')} | {ms(results, 'p999_us')} | "
                     f"{cpu(results)} | {sum(result['errors'] for result in results)} |")
    return "\n".join(lines)


# --- two builds --------------------------------------------------------------------------------------------------------


def ratios(ours, base, key):
    """Of pairs measured one after the other: (geometric mean, least, most)."""
    pairs = [one[key] / other[key] for one, other in zip(ours, base) if 0 < other[key] < math.inf and 0 < one[key] < math.inf]
    return math.exp(statistics.fmean(map(math.log, pairs))), min(pairs), max(pairs)


def verdict(mean, low, high):
    """Does the difference stand out of the spread?"""
    if low > 1 or high < 1:
        return f"{100 * (mean - 1):+.1f} %"
    return f"{100 * (mean - 1):+.1f} %, within the spread"


def against_table(measured, name, base):
    lines = [f"| load | connections | figure | {name} / {base} | pairs from … to | difference |", "|" + "---|" * 6]
    for (load, connections, target), ours in measured.items():
        if target != name:
            continue
        other = measured[load, connections, base]
        for result in [*ours, *other]:
            result["own_cpu"] = sum(result["cpu"].get(role, 0) for role in ("gateway", "worker", "compute"))
        for key, text in (("rate", "answers/s"), ("p50_us", "p50"), ("p99_us", "p99"), ("own_cpu", "CPU of gateway and workers")):
            mean, low, high = ratios(ours, other, key)
            lines.append(f"| {load} | {connections} | {text} | {mean:.3f} | {low:.3f} … {high:.3f} | {verdict(mean, low, high)} |")
    return "\n".join(lines)


# --- aims --------------------------------------------------------------------------------------------------------------


def floor_and_http(floor, http, cores):
    """What bare librdkafka and HTTP alone would get together, as one result: latencies and CPU are their sums, and the answers a second are as many
    as all cores have the time for, though neither process, broker nor load generator did anything else. None without both."""
    if not floor or not http:
        return None
    used = {role: median(floor, "cpu", role) + median(http, "cpu", role) for role in ("gateway", "worker", "broker", "client")}
    total = sum(used.values())
    used["gateway"] += median(floor, "cpu", "client")  # the floor's driver is what stands in the gateway's place
    return [{"rate": cores * 1e6 / total if total else math.inf, "p50_us": p50(floor) + p50(http), "cpu": used}]


class Aims:
    """Lines of a table: each aim beside what was found, and what the bound, floor and HTTP together (of a p99, which do not add up: the floor alone), would make of it."""

    def __init__(self):
        self.lines = []

    def add(self, text, limit, figure, base, ours, bound=None, least=False):
        """`figure` of ours, and of the bound, as a share of `base`."""
        def met(value):
            return value >= limit if least else value <= limit
        value, bare = figure(ours) / base, figure(bound) / base if bound else None
        self.lines.append(f"| {text} | {'at least' if least else 'at most'} {limit:g} | {value:.2f} | {'yes' if met(value) else '**no**'} | "
                          f"{'-' if bare is None else f'{bare:.2f}' if met(bare) else f'{bare:.2f}: beyond it'} |")

    def text(self):
        return "\n".join(["| aim | limit | found | met | floor and HTTP |", "|---|---|---|---|---|", *self.lines]) if self.lines else ""


def aims(closed, opened, http, rest, name, peers, cores=os.cpu_count()):
    """The project's aims beside what this run found; those that need what was not measured are left out. `http`: {connections: results}."""
    table_of = Aims()

    def found(load, connections, target):
        return closed.get((load, connections, target))

    for load in ("get", "post"):
        ours, floor = found(load, 1, name), found(load, 1, "floor")
        bound = floor_and_http(floor, http.get(1), cores)
        others = [found(load, 1, peer) for peer in peers if found(load, 1, peer)]
        if ours and floor:
            table_of.add(f"{load}, 1 connection: p50 / floor's", 1.3, p50, p50(floor), ours, bound)
        if ours and others:
            table_of.add(f"{load}, 1 connection: p50 / best peer's", 0.65, p50, min(map(p50, others)), ours, bound)
        for connections in (64, 256):
            ours, floor, fastapi = (found(load, connections, one) for one in (name, "floor", "fastapi"))
            bound = floor_and_http(floor, http.get(connections), cores)
            others = [found(load, connections, peer) for peer in peers if found(load, connections, peer)]
            if ours and others:
                table_of.add(f"{load}, {connections} connections: answers/s / best peer's", 1.8, rate, max(map(rate, others)), ours, bound, True)
                table_of.add(f"{load}, {connections} connections: CPU of gateway and worker / best peer's", 0.5, own_cpu, min(map(own_cpu, others)), ours, bound)
            if ours and fastapi:
                table_of.add(f"{load}, {connections} connections: CPU of gateway and worker / FastAPI's", 0.15, own_cpu, own_cpu(fastapi), ours, bound)
        half, floor = (opened.get((load, 0.5, one)) for one in (name, "floor"))
        others = [opened[load, 0.5, peer] for peer in peers if (load, 0.5, peer) in opened]
        if half and floor:
            table_of.add(f"{load}, half of saturation: p99 / floor's", 2, p99, p99(floor), half)
        if half and others:
            table_of.add(f"{load}, half of saturation: p99 / best peer's", 1, p99, min(map(p99, others)), half, floor)
    if rest:
        table_of.add("RSS at rest, MiB, the largest process", 40, lambda of: max(of.values()), 1, rest)
    return table_of.text()


def http_table(alone):
    """`alone`: {connections: results}."""
    lines = ["| connections | answers/s | p50 ms | p99 ms | CPU µs/request |", "|" + "---|" * 5]
    for connections, results in alone.items():
        lines.append(f"| {connections} | {rate(results):,.0f} | {ms(results, 'p50_us')} | {ms(results, 'p99_us')} | {cpu(results)} |")
    return "\n".join(lines)


def parts_of_one(closed, alone, name):
    """What an answer's time at one connection consists of. `alone`: HTTP's results there."""
    http, lines = p50(alone), []
    for load in ("get", "post"):
        ours, floor = closed.get((load, 1, name)), closed.get((load, 1, "floor"))
        if ours and floor:
            whole, bare = p50(ours), p50(floor)
            lines.append(f"{load} at 1 connection: {whole / 1000:.3f} ms are the floor's {bare / 1000:.3f}, HTTP's {http / 1000:.3f}, and {(whole - bare - http) / 1000:.3f} of the "
                         f"rest: {whole / (bare + http):.2f} x of floor and HTTP.")
    return " ".join(lines)


# --- plots -------------------------------------------------------------------------------------------------------------


def pyplot():
    import matplotlib  # pylint: disable=import-outside-toplevel; only plots need it
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "roundtrip", "axes.grid": True, "grid.alpha": 0.3, "font.size": 9, "axes.spines.top": False,
                                "axes.spines.right": False})
    from matplotlib import pyplot as plt  # pylint: disable=import-outside-toplevel
    return plt


def plot(path, title, x_title, y_title, series, log_x=True, log_y=False):
    """`series`: {name: [(x, y, lowest, highest), …]}: medians as lines, what the rounds spread as bands."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(6, 3.6))
    for name, points in series.items():
        xs, ys, lows, highs = zip(*sorted(points))
        (drawn,) = axes.plot(xs, ys, marker="o", markersize=3, label=name)
        axes.fill_between(xs, lows, highs, alpha=0.15, color=drawn.get_color(), linewidth=0)
    axes.set_title(title)
    axes.set_xlabel(x_title)
    axes.set_ylabel(y_title)
    if log_x:
        least = min(point[0] for points in series.values() for point in points if point[0] > 0)
        axes.set_xscale("symlog", linthresh=least)  # as "log" from the least on; 0 is a place too
        ticks = sorted({point[0] for points in series.values() for point in points})
        axes.set_xticks(ticks, [f"{tick:,g}" for tick in ticks], minor=False)
        axes.minorticks_off()
    if log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def points_of(measured, load, key, scale=1.0):
    series = {}
    for (one, x, target), results in measured.items():
        if one == load:
            values = [result[key] / scale for result in results if math.isfinite(result[key])]
            if values:
                series.setdefault(target, []).append((x, statistics.median(values), min(values), max(values)))
    return series


def plot_all(folder, measured):
    """Answers a second and latencies by connections, one pair for each load. The paths."""
    paths = []
    for load in dict.fromkeys(key[0] for key in measured):
        for key, scale, y_title, log_y in (("rate", 1, "answers a second", False), ("p50_us", 1000, "p50, ms", True), ("p99_us", 1000, "p99, ms", True)):
            series = points_of(measured, load, key, scale)
            if any(len(points) > 1 for points in series.values()):
                path = folder / f"{load}-{key.removesuffix('_us')}.svg"
                plot(path, load.upper(), "connections", y_title, series, log_y=log_y)
                paths.append(path)
    return paths
