# SPDX-License-Identifier: Apache-2.0
"""How a cost grows with a variable: constant, logarithmic or linear, by least squares. Pure.

A model with a slope nearly always fits better than one without. Akaike's criterion, corrected for few points (AICc), says whether by more
than chance would: n ln(residuals / n) + 2k + 2k(k+1) / (n-k-1), k being the coefficients and the residuals' variance; the least is the best."""
import math

FLAT, LOGARITHMIC, LINEAR = "flat", "logarithmic", "linear"
SHAPES = {FLAT: None, LOGARITHMIC: lambda x: math.log10(1 + x), LINEAR: float}  # 1 + x: some variables begin at 0
LEAST_POINTS, LEAST_SIZES = 5, 3  # below, AICc has no value, or nothing tells a curve from a line
MATERIAL = 0.1  # of the mean: a growth below it, over all sizes together, matters to nobody
NEARLY = 2  # differences in AICc that are no evidence (Burnham and Anderson)


def line(xs, ys):
    """(intercept, slope) of the least squares."""
    x_mean, y_mean = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    spread = math.fsum((x - x_mean) ** 2 for x in xs)
    slope = math.fsum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys)) / spread
    return y_mean - slope * x_mean, slope


def aicc(residuals, points, parameters):
    return points * math.log(residuals / points) + 2 * parameters + 2 * parameters * (parameters + 1) / (points - parameters - 1)


def fit(points, shape):
    """`points`: [(x, y), …], rounds as points of their own. (intercept, slope, AICc)"""
    ys = [y for _, y in points]
    mean = math.fsum(ys) / len(ys)
    if shape == FLAT:
        intercept, slope, fitted = mean, 0.0, [mean] * len(ys)
    else:
        xs = [SHAPES[shape](x) for x, _ in points]
        intercept, slope = line(xs, ys)
        fitted = [intercept + slope * x for x in xs]
    least = len(ys) * (1e-6 * mean) ** 2 + 1e-300  # what rounding leaves of a perfect fit is none
    residuals = max(least, math.fsum((y - f) ** 2 for y, f in zip(ys, fitted)))
    return intercept, slope, aicc(residuals, len(ys), 2 if shape == FLAT else 3)


def rise(points, shape, slope):
    """What the fit gains from the least to the greatest size."""
    if shape == FLAT:
        return 0.0
    xs = [x for x, _ in points]
    return slope * (SHAPES[shape](max(xs)) - SHAPES[shape](min(xs)))


def choose(points):
    """(shape, slope, shapes that fit nearly as well), or None: too few points to tell."""
    if len(points) < LEAST_POINTS or len({x for x, _ in points}) < LEAST_SIZES:
        return None
    fits = {shape: fit(points, shape) for shape in SHAPES}
    best = min(fits, key=lambda shape: fits[shape][2])
    near = [shape for shape in SHAPES if shape != best and fits[shape][2] - fits[best][2] < NEARLY]
    slope, mean = fits[best][1], math.fsum(y for _, y in points) / len(points)
    if best != FLAT and abs(rise(points, best, slope)) < MATERIAL * mean:
        return FLAT, 0.0, []
    return best, slope, near


def verdict(points, unit, per, noun):
    """As "linear: 3.1 µs per 1,000 items": `per` is that 1,000. A cost that falls does not grow, and is said to fall."""
    found = choose(points)
    if not found:
        return "too few points to tell"
    shape, slope, near = found
    text = shape
    if shape != FLAT:
        size = f"{abs(slope * (per if shape == LINEAR else 1)):.3g} {unit}{'' if slope > 0 else ' less'}"
        text = f"{'' if slope > 0 else 'falls, '}{shape}: {size} " + (f"per {per:,} {noun}" if shape == LINEAR else "with each tenfold")
    return text + (f" ({' and '.join(near)} fits nearly as well)" if near else "")
