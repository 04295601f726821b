// SPDX-License-Identifier: Apache-2.0
// From the text of /metrics to numbers: samples, rates between two scrapes, quantiles of histograms. Nothing here knows the page.

const REQUESTS = "http_server_request_duration_seconds";

/** {a="x",b="y"} without its braces; backslash escapes as the format has them. */
function parseLabels(text) {
    const labels = {};
    for (const [, name, value] of text.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g))
        labels[name] = value.replace(/\\(.)/g, (_, c) => c === "n" ? "\n" : c);
    return labels;
}

/** Text format 0.0.4 or OpenMetrics: a Map from a name to [{labels, value}, …]. What is no sample is passed over. */
export function parse(text) {
    const samples = new Map();
    for (const line of text.split("\n")) {
        const found = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? ([^ ]+)/.exec(line);
        if (!found || line[0] === "#") continue;
        const value = found[3] === "+Inf" ? Infinity : found[3] === "-Inf" ? -Infinity : Number(found[3]);
        if (!samples.has(found[1])) samples.set(found[1], []);
        samples.get(found[1]).push({ labels: found[2] ? parseLabels(found[2]) : {}, value });
    }
    return samples;
}

/** The sum of the samples that have these labels; null when there is none. */
export function sum(samples, name, labels = {}) {
    const fitting = (samples.get(name) || []).filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value));
    return fitting.length ? fitting.reduce((total, sample) => total + sample.value, 0) : null;
}

/** Requests by route, method and status: a Map from those to {route, method, status, count, buckets: Map of bound to count}. */
export function requests(samples) {
    const rows = new Map();
    const rowOf = ({ http_route, http_request_method, http_response_status_code }) => {
        const key = [http_route, http_request_method, http_response_status_code].join(" ");
        if (!rows.has(key)) rows.set(key, { route: http_route || "(none)", method: http_request_method || "", status: Number(http_response_status_code || 0), count: 0, buckets: new Map() });
        return rows.get(key);
    };
    for (const { labels, value } of samples.get(REQUESTS + "_count") || []) rowOf(labels).count += value;
    for (const { labels, value } of samples.get(REQUESTS + "_bucket") || []) {
        const bound = labels.le === "+Inf" ? Infinity : Number(labels.le), buckets = rowOf(labels).buckets;
        buckets.set(bound, (buckets.get(bound) || 0) + value);
    }
    return rows;
}

/** What came between two scrapes. A count that is smaller than before began anew. */
export function between(older, newer) {
    return [...newer].map(([key, row]) => {
        const before = older && older.get(key), anew = !before || row.count < before.count;
        return { ...row, count: anew ? row.count : row.count - before.count,
            buckets: new Map([...row.buckets].map(([bound, count]) => [bound, anew ? count : count - (before.buckets.get(bound) || 0)])) };
    });
}

/** Buckets of many rows as one. */
export function together(rows) {
    const all = new Map();
    for (const row of rows) for (const [bound, count] of row.buckets) all.set(bound, (all.get(bound) || 0) + count);
    return all;
}

/** The q-quantile in the buckets' unit, as Prometheus' histogram_quantile; null when nothing was counted. */
export function quantile(buckets, q) {
    const bounds = [...buckets.keys()].sort((a, b) => a - b), total = bounds.length ? buckets.get(bounds[bounds.length - 1]) : 0;
    if (!(total > 0)) return null;
    const rank = q * total;
    let below = 0, low = 0;
    for (const bound of bounds) {
        const count = buckets.get(bound);
        if (count >= rank && count > below) return bound === Infinity ? low : low + (bound - low) * (rank - below) / (count - below);
        below = count;
        low = bound;
    }
    return low;
}

/** Which of the three a status belongs to: 2xx and 3xx, 4xx, the server's errors (no answer at all is one). */
export const kindOf = (status) => status >= 200 && status < 400 ? "good" : status >= 400 && status < 500 ? "client" : "server";
