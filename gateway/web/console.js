// SPDX-License-Identifier: Apache-2.0
// The operators' page: looks every two seconds, keeps five minutes, and hands on to its parts.
import { el, ask, credential } from "./page.js";
import { parse, sum, requests, between, together, quantile, kindOf } from "./console.metrics.js";
import { plot } from "./console.plot.js";
import { readServices, showServices, showBreakers } from "./console.services.js";
import { showRunning, makeLookup } from "./console.operations.js";
import { makeLetters, showJobs } from "./console.letters.js";

const LOOK_MS = 2000, KEPT_MS = 300000, SMOOTH_MS = 10000;
const at = (id) => document.getElementById(id);
const ms = (seconds) => seconds === null ? "–" : seconds === 0 ? "0" : seconds < 0.01 ? (seconds * 1000).toFixed(1) + " ms" : seconds < 1 ? Math.round(seconds * 1000) + " ms" : seconds.toFixed(seconds < 10 ? 1 : 0) + " s";
const short = (value) => value === null || value === undefined ? "–" : value >= 10000 ? Math.round(value / 1000) + "k" : value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);

/** Scrapes, oldest first: {at, samples, rows}; and what the plots show. */
const scrapes = [], points = [];
let plots, paused = false;

// ---- numbers ----

/** The newest scrape that is at least so old; else the oldest. */
const ago = (time) => scrapes.findLast((scrape) => scrape.at <= scrapes[scrapes.length - 1].at - time) || scrapes[0];

function rates(older, newer) {
    const seconds = (newer.at - older.at) / 1000, rows = between(older.rows, newer.rows), rate = { good: 0, client: 0, server: 0 };
    for (const row of rows) rate[kindOf(row.status)] += seconds > 0 ? row.count / seconds : 0;
    return { rows, rate, seconds };
}

/** Parked requests wait by design, and would hide how quick the others are. */
const isTimed = (row) => row.status > 0 && !/events$|^\/operations/.test(row.route);

function take(text) {
    const samples = parse(text), scrape = { at: Date.now(), samples, rows: requests(samples) };
    scrapes.push(scrape);
    while (scrapes[0].at < scrape.at - SMOOTH_MS * 3) scrapes.shift();
    if (scrapes.length < 2) return showServices(readServices(samples)); // rates need two
    const { rate } = rates(scrapes[scrapes.length - 2], scrape), smooth = rates(ago(SMOOTH_MS), scrape), buckets = together(smooth.rows.filter(isTimed));
    const services = readServices(samples), behind = (i) => services[i] ? services[i].partitions.reduce((all, p) => all + p.lag, 0) : null;
    points.push({ at: scrape.at, ...rate, p50: quantile(buckets, 0.5), p95: quantile(buckets, 0.95), p99: quantile(buckets, 0.99),
        pending: sum(samples, "roundtrip_pending_requests"), flight: sum(samples, "roundtrip_admission_in_flight_requests"), ...Object.fromEntries(services.map((_, i) => ["lag" + i, behind(i)])) });
    while (points[0].at < scrape.at - KEPT_MS) points.shift();
    show(samples, services, smooth);
}

// ---- showing ----

function tile(name, value, bad) {
    return el("div", { class: "tile" }, el("b", { class: bad ? "bad" : "" }, value), el("span", {}, name));
}

function showRoutes({ rows, seconds }) {
    const byRoute = new Map();
    for (const row of rows.filter((r) => r.count > 0)) {
        const key = row.method + " " + row.route;
        byRoute.set(key, [...(byRoute.get(key) || []), row]);
    }
    const lines = [...byRoute].map(([key, of]) => ({ key, count: of.reduce((n, r) => n + r.count, 0), failed: of.filter((r) => kindOf(r.status) === "server").reduce((n, r) => n + r.count, 0), buckets: together(of) }))
        .sort((a, b) => b.count - a.count);
    at("routes").replaceChildren(lines.length ? el("table", {}, el("caption", { class: "small quiet" }, `Requests of the last ${Math.round(seconds)} s, by route`),
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Route"), ["Per second", "p50", "p99", "Failed"].map((text) => el("th", { scope: "col", class: "number" }, text)))),
        el("tbody", {}, lines.map((line) => el("tr", {}, el("td", { class: "mono" }, line.key), el("td", { class: "number" }, short(line.count / seconds)), el("td", { class: "number" }, ms(quantile(line.buckets, 0.5))),
            el("td", { class: "number" }, ms(quantile(line.buckets, 0.99))), el("td", { class: "number" + (line.failed ? " bad" : "") }, line.failed))))) : el("p", { class: "small quiet" }, "Nobody has asked for anything in the last seconds."));
}

function show(samples, services, smooth) {
    const last = points[points.length - 1], all = smooth.rate.good + smooth.rate.client + smooth.rate.server;
    const limit = sum(samples, "roundtrip_pending_requests_limit"), refused = sum(samples, "roundtrip_refusals_total"), before = sum(ago(SMOOTH_MS).samples, "roundtrip_refusals_total");
    const behind = services.reduce((n, s) => n + s.partitions.reduce((m, p) => m + p.lag, 0), 0);
    at("tiles").replaceChildren(tile("requests a second", short(all)), tile("server errors a second", short(smooth.rate.server), smooth.rate.server > 0), tile("half are faster than", ms(last.p50)), tile("99 of 100 faster than", ms(last.p99)),
        tile(`waiting, of ${short(limit)}`, short(last.pending)), tile("refused a second", refused === null ? "–" : short((refused - (before || 0)) / smooth.seconds)), tile("commands behind", short(behind)), tile("connections", short(sum(samples, "roundtrip_http_connections"))));
    if (!plots) makePlots(services);
    const span = Math.min(KEPT_MS, Math.max(60000, last.at - points[0].at)); // a page just opened has little to show
    for (const one of plots) one.update(points, span);
    showRoutes(smooth);
    showServices(services);
}

function makePlots(services) {
    plots = [plot("Requests a second", [{ name: "answered", key: "good" }, { name: "refused (4xx)", key: "client" }, { name: "failed (5xx)", key: "server" }], short, 1),
        plot("Latency", [{ name: "p50", key: "p50" }, { name: "p95", key: "p95" }, { name: "p99", key: "p99" }], ms, 0.001),
        plot("Waiting for workers", [{ name: "requests", key: "pending" }, { name: "admitted", key: "flight" }], short, 10),
        plot("Commands behind", services.slice(0, 4).map((s, i) => ({ name: s.name, key: "lag" + i })), short, 10)];
    at("plots").replaceChildren(...plots.map((one) => one.node));
}

// ---- asking ----

async function askReady() {
    const pill = at("ready");
    try {
        const { status, instance } = await ask("GET", "/health/ready");
        at("instance").textContent = instance;
        pill.textContent = status;
        pill.className = "pill good";
    } catch (error) {
        pill.textContent = error.status === 503 ? "not ready" : "not reached";
        pill.className = "pill bad";
        pill.title = error.message;
        if (error.status !== 503) throw error;
    }
}

const trouble = (text) => {
    at("trouble").textContent = text;
    at("trouble").hidden = !text;
};

/** What is not there (404) is left out; what is not allowed asks for the token; what fails is said. */
async function look() {
    const parts = [askReady, () => ask("GET", "/metrics").then(take), showBreakers, showRunning, showJobs];
    const ends = await Promise.allSettled(parts.map((part) => part()));
    const errors = ends.filter((end) => end.status === "rejected" && end.reason.status !== 404).map((end) => end.reason);
    at("login").hidden = !errors.some((error) => error.status === 401);
    trouble(at("login").hidden && errors.length ? errors[0].message : "");
}

async function loop() {
    if (!paused && !document.hidden) await look();
    setTimeout(loop, LOOK_MS);
}

at("pause").addEventListener("click", () => {
    paused = !paused;
    at("pause").textContent = paused ? "Go on" : "Pause";
    at("pause").setAttribute("aria-pressed", paused);
});
at("login").addEventListener("submit", (event) => {
    event.preventDefault();
    credential.set(at("token").value);
    at("token").value = "";
    look();
});
makeLookup();
makeLetters();
loop();
