// SPDX-License-Identifier: Apache-2.0
// Dead letters: search, read, rehearse, redrive or discard, and the jobs that do it.
import { el, ask, clockTime, pretty, sureButton } from "./page.js";

const PAGE = 50;
const FILTERS = [["service", "Service"], ["class", "Class", ["", "poison", "permanent", "exhausted", "crashed"]], ["type", "Type"], ["key", "Key"],
    ["reason_contains", "Reason contains"], ["command_id", "Command id"], ["since", "Since (2h, or a time)"], ["state", "State", ["open", "redriven", "discarded", "any"]]];
let filter = {}, chosen = new Set(), dialog;

const at = (id) => document.getElementById(id);

function closeButton() {
    return el("button", { type: "button", click: () => dialog.close() }, "Close");
}

function openDialog(title, ...children) {
    dialog.replaceChildren(el("div", { class: "head" }, el("h2", { id: "dialog-title" }, title), closeButton()), ...children);
    if (!dialog.open) dialog.showModal();
}

const pairs = (list) => el("dl", { class: "pairs" }, list.filter(([, value]) => value !== undefined && value !== null && value !== "").flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

// ---- one ----

async function read(id) {
    try {
        const letter = await ask("GET", "/dead-letters/" + encodeURIComponent(id));
        openDialog(letter.id, pairs([["State", letter.state], ["Class", letter.class], ["Reason", letter.reason], ["Type", letter.type], ["Key", letter.key ?? letter.key_base64], ["Command id", letter.command_id], ["Died", clockTime(letter.died_at)],
            ["Deliveries", letter.deliveries], ["Origin", `${letter.origin.topic} / ${letter.origin.partition} / ${letter.origin.offset}`], ["Marked", clockTime(letter.marked_at)], ["Why discarded", letter.discard_reason]]),
        el("h3", {}, "Body"), el("pre", { tabindex: "0" }, letter.body_base64 ? "base64 " + letter.body_base64 : pretty(letter.body ?? "")),
        el("h3", {}, "Headers"), pairs(letter.headers.map((h) => [h.name, h.value ?? "base64 " + h.value_base64])),
        letter.history.length > 1 ? [el("h3", {}, "It has died before"), pairs(letter.history.map((h) => [h.id, el("span", {}, clockTime(h.died_at), " ", h.reason || "")]))] : "");
    } catch (error) {
        openDialog(id, el("p", { class: "warn" }, error.message));
    }
}

// ---- many ----

/** What a job is about: the chosen ones, or all that the filter finds. */
function order() {
    if (chosen.size) return { ids: [...chosen], ...(filter.state && filter.state !== "open" ? { state: filter.state } : {}) };
    const wanted = Object.fromEntries(Object.entries(filter).filter(([name, value]) => value && !(name === "state" && value === "open")));
    return Object.keys(wanted).length ? wanted : { all: true };
}

function describe(what) {
    return what.ids ? `the ${what.ids.length} chosen` : what.all ? "every open one" : Object.entries(what).map(([k, v]) => `${k} ${v}`).join(", ");
}

function prepare(action) {
    const what = order(), discards = action === "discard";
    const rate = el("input", { id: "job-rate", type: "number", min: "1", value: "100" }), reason = el("input", { id: "job-reason", maxlength: "255", required: true });
    const rounds = el("input", { id: "job-rounds", type: "number", min: "1", value: "3" }), result = el("div", { "aria-live": "polite" });
    const text = discards ? "Discard" : "Redrive", go = el("button", { type: "button", class: "main", disabled: true }, text);
    const body = (dry) => ({ ...what, ...(discards ? { reason: reason.value } : { max_rounds: Number(rounds.value) }), rate: Number(rate.value), ...(dry ? { dry_run: true } : {}) });
    const tell = (error) => result.replaceChildren(el("p", { class: "warn" }, error.message));
    const form = el("form", { submit: async (event) => {
        event.preventDefault();
        try {
            const would = await ask("POST", "/dead-letters/" + action, body(true));
            go.disabled = would.would_act_on === 0;
            result.replaceChildren(el("p", {}, `Of ${would.examined} letters ${would.would_act_on} would be ${discards ? "discarded" : "redriven"}; ${would.already} were dealt with before, ${would.too_often} went round too often.`),
                el("ul", {}, would.first.map((letter) => el("li", { class: "id" }, `${letter.id} ${letter.type || ""} ${letter.key ?? ""}`))));
        } catch (error) { tell(error); }
    } }, el("div", { class: "filters" }, el("label", {}, "Letters a second", rate), discards ? el("label", {}, "Why", reason) : el("label", {}, "Rounds at most", rounds), el("button", {}, "Dry run")));
    go.addEventListener("click", async () => {
        go.disabled = true;
        try {
            const job = await ask("POST", "/dead-letters/" + action, body(false));
            dialog.close();
            chosen = new Set();
            await showJobs();
            at("jobs").querySelector("table")?.scrollIntoView({ block: "nearest" });
            at("found").prepend(el("p", { class: "small good", role: "status" }, `Job ${job.id} was ordered; search again to see what it has done.`));
        } catch (error) { tell(error); }
    });
    form.addEventListener("input", () => { go.disabled = true; }); // what was rehearsed is what is done
    openDialog(`${text}: ${describe(what)}`, form, result, el("div", { class: "row" }, go));
}

// ---- search ----

function showFound(page, append) {
    const row = (letter) => {
        const box = el("input", { type: "checkbox", "aria-label": "Choose " + letter.id, change: () => { box.checked ? chosen.add(letter.id) : chosen.delete(letter.id); count(); } });
        return el("tr", {}, el("td", {}, box), el("td", {}, el("button", { type: "button", class: "link", click: () => read(letter.id) }, letter.id)), el("td", {}, letter.state), el("td", {}, clockTime(letter.died_at)),
            el("td", {}, letter.class || ""), el("td", { class: "mono" }, letter.type || ""), el("td", { class: "mono" }, letter.key ?? letter.key_base64 ?? ""), el("td", {}, letter.reason || ""));
    };
    const scope = el("span", { class: "small quiet", role: "status" });
    const count = () => { scope.textContent = "These act on " + describe(order()) + "."; };
    if (append) {
        at("found").querySelector("tbody").append(...page.dead_letters.map(row));
    } else if (!page.dead_letters.length) {
        at("found").replaceChildren(el("p", { class: "small quiet" }, "There is no such dead letter."));
        return;
    } else {
        at("found").replaceChildren(el("table", {}, el("caption", { class: "small quiet" }, "Dead letters, oldest of each partition first"),
            el("thead", {}, el("tr", {}, ["", "Id", "State", "Died", "Class", "Type", "Key", "Reason"].map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, page.dead_letters.map(row))),
        el("div", { class: "row actions" }, el("button", { type: "button", click: () => prepare("redrive") }, "Redrive…"), el("button", { type: "button", class: "danger", click: () => prepare("discard") }, "Discard…"), scope));
        count();
    }
    at("found").querySelector("button.more")?.remove();
    if (page.next) at("found").append(el("button", { type: "button", class: "more", click: () => search(page.next) }, "More"));
}

async function search(after) {
    const query = new URLSearchParams(Object.entries({ ...filter, limit: PAGE, ...(after ? { after } : {}) }).filter(([, value]) => value !== ""));
    try {
        showFound(await ask("GET", "/dead-letters?" + query), Boolean(after));
    } catch (error) {
        at("found").replaceChildren(el("p", { class: "warn", role: "alert" }, error.message));
    }
}

// ---- jobs ----

function job(one) {
    const over = one.phase === "done" || one.phase === "cancelled", said = el("span", { class: "small", role: "status" });
    const counts = [["done", one.done], ["already dealt with", one.already], ["too often", one.too_often], ["unfit", one.unfit]].filter(([, n]) => n > 0).map(([name, n]) => `${n} ${name}`).join(", ");
    return el("tr", {}, el("td", { class: "mono" }, one.id), el("td", {}, one.action), el("td", {}, one.cancelling ? "cancelling" : one.phase), el("td", {}, over ? "" : el("progress", { max: one.total || 1, value: one.examined, "aria-label": "Progress" }), ` ${one.examined} of ${one.total}`),
        el("td", {}, counts || "nothing yet", one.error ? el("div", { class: "small warn" }, one.error) : ""), el("td", {}, over ? "" : sureButton("Cancel", async () => {
            await ask("DELETE", "/dead-letters/jobs/" + encodeURIComponent(one.id)).catch((error) => { said.textContent = error.message; });
            await showJobs();
        }), said));
}

let shown = "";

export async function showJobs() {
    const { jobs } = await ask("GET", "/dead-letters/jobs"), text = JSON.stringify(jobs);
    if (text === shown) return; // a button that was clicked once stays
    shown = text;
    at("jobs").replaceChildren(jobs.length ? el("table", {}, el("caption", { class: "small quiet" }, "Redrives and discards, newest first"),
        el("thead", {}, el("tr", {}, ["Job", "What", "State", "Looked at", "Came to", ""].map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, jobs.slice(0, 20).map(job))) : "");
}

export function makeLetters() {
    dialog = at("dialog");
    const fields = FILTERS.map(([name, label, choices]) => el("label", {}, label, choices ? el("select", { name }, choices.map((c) => el("option", { value: c }, c || "any"))) : el("input", { name, autocomplete: "off", spellcheck: "false" })));
    at("search").append(el("form", { class: "filters", submit: (event) => {
        event.preventDefault();
        filter = Object.fromEntries(new FormData(event.target));
        chosen = new Set();
        search();
    } }, fields, el("button", { class: "main" }, "Search")));
}
