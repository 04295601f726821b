// SPDX-License-Identifier: Apache-2.0
// The services: circuit breaker, limits, and how far the workers are behind, from /metrics; the workers' own breakers.
import { el, ask, clockTime } from "./page.js";
import { sum } from "./console.metrics.js";

const LAG = "roundtrip_consumer_group_lag_records";

/** Of each service: its circuit's state, limits, lag of each partition. Names come from what the page has. */
export function readServices(samples) {
    const names = [...new Set([...(samples.get("roundtrip_circuit_state") || []), ...(samples.get("roundtrip_admission_limit_requests") || [])].map((s) => s.labels.roundtrip_service))];
    return names.map((name) => {
        const state = (samples.get("roundtrip_circuit_state") || []).find((s) => s.labels.roundtrip_service === name && s.value === 1);
        const topic = name + ".commands", lag = (samples.get(LAG) || []).filter((s) => s.labels.messaging_destination_name === topic);
        const of = (metric, kind) => sum(samples, metric, { roundtrip_service: name, kind });
        return { name, circuit: state ? state.labels.state : "unknown",
            limits: ["quick", "heavy"].map((kind) => ({ kind, limit: of("roundtrip_admission_limit_requests", kind), inFlight: of("roundtrip_admission_in_flight_requests", kind) })),
            refused: sum(samples, "roundtrip_refusals_total", { roundtrip_service: name }),
            partitions: lag.map((s) => ({ id: Number(s.labels.messaging_destination_partition_id), lag: s.value })).sort((a, b) => a.id - b.id) };
    });
}

function card(service) {
    const total = service.partitions.reduce((all, p) => all + p.lag, 0), good = service.circuit === "closed";
    return el("article", { class: "card" }, el("h3", {}, service.name, el("span", { class: "pill " + (good ? "good" : "bad") }, "circuit " + service.circuit)),
        el("dl", {}, service.limits.filter((l) => l.limit !== null).flatMap((l) => [el("dt", {}, l.kind === "heavy" ? "computations" : "short requests"),
            el("dd", {}, `${l.inFlight} of ${Math.round(l.limit)} at once`)]),
        service.refused !== null ? [el("dt", {}, "refused so far"), el("dd", {}, service.refused)] : null,
        el("dt", {}, "behind"), el("dd", {}, service.partitions.length ? `${total} commands in ${service.partitions.length} partitions` : "not known yet")),
        el("ul", { class: "partitions", "aria-label": "Commands waiting in each partition" }, service.partitions.map((p) =>
            el("li", { class: p.lag > 0 ? "behind" : "" }, el("span", { class: "quiet" }, "p" + p.id), p.lag))));
}

export function showServices(services) {
    document.getElementById("cards").replaceChildren(...services.map(card),
        ...(services.length ? [] : [el("p", { class: "quiet" }, "The metrics of this gateway name no services.")]));
}

/** Operations of workers that wait for an outage to end. */
export async function showBreakers() {
    const { breakers } = await ask("GET", "/breakers"), open = breakers.filter((b) => b.phase !== "closed");
    document.getElementById("breakers").replaceChildren(open.length ? el("table", {}, el("caption", { class: "small quiet" }, "Operations that workers hold back because what they depend on fails"),
        el("thead", {}, el("tr", {}, ["Worker", "Operation", "State", "Since", "Why"].map((text) => el("th", { scope: "col" }, text)))),
        el("tbody", {}, open.map((b) => el("tr", {}, el("td", { class: "mono" }, b.instance), el("td", { class: "mono" }, b.operation), el("td", { class: "bad" }, b.phase), el("td", {}, clockTime(b.at)), el("td", {}, b.reason || "")))))
        : el("p", { class: "small quiet" }, "No worker holds an operation back."));
}
