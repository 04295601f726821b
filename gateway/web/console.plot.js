// SPDX-License-Identifier: Apache-2.0
// A plot over the last minutes: curves, their present values, and a cursor for pointer and arrow keys.
import { el } from "./page.js";

const HEIGHT = 160, LEFT = 56, RIGHT = 8, TOP = 8, BOTTOM = 20;

function svg(name, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
}

/** 1, 2 or 5 times a power of ten, at least `value`. */
function roundUp(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].find((step) => step * power >= value * 0.999) * power;
}

/**
 * `series`: [{name, key}, …]; `write` turns a value into text; `floor`: what the axis shows at least.
 * update(points, span): points are {at: ms, [key]: number or null}, span is ms from left to right.
 */
export function plot(title, series, write, floor) {
    const canvas = svg("svg", { role: "img", tabindex: "0", "aria-label": title });
    const legend = el("div", { class: "legend" });
    let points = [], span = 1, cursor = null;

    function showLegend() {
        const point = cursor === null ? points[points.length - 1] : points[cursor];
        const values = series.map(({ key }) => point && point[key] !== null && point[key] !== undefined ? write(point[key]) : "–");
        legend.replaceChildren(...series.map(({ name }, i) => el("span", {}, el("i", { class: "c" + i }), `${name} ${values[i]}`)),
            cursor === null ? "" : el("span", { class: "quiet" }, new Date(point.at).toLocaleTimeString()));
        canvas.setAttribute("aria-label", `${title}: ` + series.map(({ name }, i) => `${name} ${values[i]}`).join(", "));
    }

    function draw() {
        const width = Math.max(canvas.clientWidth, 200), end = points.length ? points[points.length - 1].at : 0;
        const most = roundUp(Math.max(floor, ...points.flatMap((p) => series.map(({ key }) => p[key] || 0))));
        const x = (at) => LEFT + (width - LEFT - RIGHT) * (1 - (end - at) / span), y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most);
        const parts = [];
        for (const value of [0, most / 2, most]) {
            parts.push(svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
            parts.push(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, write(value)));
        }
        parts.push(svg("text", { x: LEFT, y: HEIGHT - 5 }, span < 120000 ? `${Math.round(span / 1000)} s ago` : `${Math.round(span / 60000)} min ago`), svg("text", { x: width - RIGHT, y: HEIGHT - 5, "text-anchor": "end" }, "now"));
        series.forEach(({ key }, i) => {
            let path = "", open = false;
            for (const point of points) {
                const known = point[key] !== null && point[key] !== undefined;
                if (known) path += `${open ? "L" : "M"}${x(point.at).toFixed(1)} ${y(point[key]).toFixed(1)}`;
                open = known;
            }
            if (path) parts.push(svg("path", { class: "curve c" + i, d: path }));
        });
        if (cursor !== null && points[cursor]) parts.push(svg("line", { class: "cursor", x1: x(points[cursor].at), x2: x(points[cursor].at), y1: TOP, y2: HEIGHT - BOTTOM }));
        canvas.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
        canvas.replaceChildren(...parts);
        showLegend();
    }

    function point(index) {
        cursor = index === null || !points.length ? null : Math.min(Math.max(index, 0), points.length - 1);
        draw();
    }
    canvas.addEventListener("pointermove", (event) => {
        const box = canvas.getBoundingClientRect(), share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
        const at = (points.length ? points[points.length - 1].at : 0) - span * (1 - share);
        const index = points.findIndex((p) => p.at >= at);
        point(index < 0 ? points.length - 1 : index);
    });
    canvas.addEventListener("pointerleave", () => point(null));
    canvas.addEventListener("blur", () => point(null));
    canvas.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (step) point((cursor === null ? points.length - 1 : cursor) + step);
        if (event.key === "Escape") point(null);
        if (step) event.preventDefault();
    });
    new ResizeObserver(draw).observe(canvas);
    return { node: el("figure", { class: "plot" }, el("h3", {}, title), canvas, legend), update: (newPoints, newSpan) => {
        if (cursor !== null) cursor = Math.max(0, cursor - (points.length === newPoints.length ? 1 : 0));
        points = newPoints;
        span = newSpan;
        draw();
    } };
}
