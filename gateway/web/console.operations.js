// SPDX-License-Identifier: Apache-2.0
// What runs, how far it is, and giving it up; any operation by its id.
import { el, ask, clockTime, sureButton } from "./page.js";

const LISTED = 50;

function progress(one) {
    if (typeof one.progress !== "number") return el("span", { class: "quiet" }, one.state);
    return el("div", { class: "row" }, el("progress", { max: "1", value: one.progress, "aria-label": "Progress" }), `${(one.progress * 100).toFixed(1)} %`);
}

function cancelButton(operation, said) {
    return sureButton("Cancel", async () => {
        try {
            const now = await ask("DELETE", "/operations/" + encodeURIComponent(operation));
            said.textContent = "It is " + now.state + ".";
        } catch (error) {
            said.textContent = error.message;
        }
    });
}

/** A row of the table: kept between two looks, so that a button that was clicked once stays. */
const rows = new Map();

function rowOf(one) {
    let row = rows.get(one.operation);
    if (!row) {
        const said = el("span", { class: "small", role: "status" });
        row = { progress: el("td", {}), node: null };
        row.node = el("tr", {}, el("td", { class: "mono" }, one.id), el("td", {}, clockTime(one.time)), row.progress, el("td", {}, el("div", { class: "row" }, cancelButton(one.operation, said), said)));
        rows.set(one.operation, row);
    }
    row.progress.replaceChildren(progress(one));
    return row.node;
}

const body = el("tbody", {}), table = el("table", {}, el("caption", { class: "small quiet" }, "Computations that run or wait"),
    el("thead", {}, el("tr", {}, ["Computation", "Begun", "Progress", "Give up"].map((text) => el("th", { scope: "col" }, text)))), body);

let listed = true; // until this gateway has said that it has no such list

export async function showRunning() {
    const place = document.getElementById("running");
    let list;
    if (!listed) return;
    try {
        const pages = await Promise.all(["running", "pending"].map((state) => ask("GET", `/computations?state=${state}&limit=${LISTED}`)));
        list = pages.flatMap((page) => page.computations);
    } catch (error) {
        if (error.status === 401) throw error;
        const missing = error.status === 404 || error.status === 405;
        listed = !missing;
        place.replaceChildren(el("p", { class: missing ? "small quiet" : "small warn" }, missing ? "This gateway does not list computations." : "What runs is not known: " + error.message));
        return;
    }
    for (const id of [...rows.keys()]) if (!list.some((one) => one.operation === id)) rows.delete(id);
    const nodes = list.map(rowOf);
    if (nodes.length !== body.children.length || nodes.some((node, i) => body.children[i] !== node)) body.replaceChildren(...nodes);
    if (!list.length) place.replaceChildren(el("p", { class: "small quiet" }, "No computation runs."));
    else if (table.parentNode !== place) place.replaceChildren(table);
}

/** The id may be given as the Location of a 202. */
export function makeLookup() {
    const input = el("input", { id: "operation-id", placeholder: "id or /operations/…", autocomplete: "off", spellcheck: "false", required: true });
    const result = el("div", { "aria-live": "polite" });
    const form = el("form", { class: "actions", submit: async (event) => {
        event.preventDefault();
        const id = input.value.trim().replace(/^.*\/operations\//, "").replace(/\/.*$/, "");
        try {
            const one = await ask("GET", "/operations/" + encodeURIComponent(id)), said = el("span", { class: "small", role: "status" });
            const open = one.state !== "succeeded" && one.state !== "failed";
            result.replaceChildren(el("p", {}, "It is ", el("b", {}, one.state), typeof one.progress === "number" ? ` (${(one.progress * 100).toFixed(1)} %)` : "", "."),
                el("pre", { tabindex: "0" }, JSON.stringify(one, null, 2)), ...(open ? [el("div", { class: "row" }, cancelButton(id, said), said)] : []));
        } catch (error) {
            result.replaceChildren(el("p", { class: "warn" }, error.message));
        }
    } }, el("label", { for: "operation-id" }, "Any operation"), el("div", { class: "row" }, input, el("button", {}, "Look")));
    document.getElementById("lookup").append(form, result);
}
