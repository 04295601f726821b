// SPDX-License-Identifier: Apache-2.0
// A form for one operation: the request as curl, sending it, and showing what comes back.
import { el, credential, pretty, prose } from "./page.js";

const quote = (text) => "'" + text.replace(/'/g, "'\\''") + "'";

function field(parameter, changed) {
    const id = "field-" + Math.random().toString(36).slice(2);
    const shown = parameter.example ?? (parameter.schema && parameter.schema.default);
    const input = el("input", { id, placeholder: shown === undefined ? "" : String(shown), input: changed, autocomplete: "off", spellcheck: "false" });
    if (parameter.in === "path" && parameter.schema.type === "integer") input.value = "1";
    return { parameter, input, node: el("div", { class: "field" }, el("label", { for: id, class: parameter.required ? "must" : "" }, parameter.name), input,
        el("div", { class: "small quiet" }, prose(parameter.description).flatMap((p) => [...p.childNodes]))) };
}

/** What the form says: address, headers, body. */
function request(op, fields, area) {
    const set = fields.filter((f) => f.input.value !== "" || f.parameter.in === "path"), of = (place) => set.filter((f) => f.parameter.in === place);
    let path = op.path;
    for (const f of of("path")) path = path.replace(`{${f.parameter.name}}`, encodeURIComponent(f.input.value));
    const query = new URLSearchParams(of("query").map((f) => [f.parameter.name, f.input.value])).toString();
    const headers = Object.fromEntries(of("header").map((f) => [f.parameter.name, f.input.value]));
    if (area) headers["Content-Type"] = "application/json";
    return { method: op.method.toUpperCase(), url: path + (query ? "?" + query : ""), headers, body: area ? area.value : undefined };
}

function compact(text) {
    try {
        return JSON.stringify(JSON.parse(text));
    } catch {
        return text;
    }
}

/** The credential stays out of what is copied. */
function curl(req) {
    const parts = ["curl -i" + (req.method === "GET" ? "" : " -X " + req.method) + " " + quote(location.origin + req.url)];
    for (const [name, value] of Object.entries(req.headers)) parts.push("-H " + quote(name + ": " + value));
    if (credential.get()) parts.push('-H "Authorization: Bearer $KEY"');
    if (req.body !== undefined) parts.push("-d " + quote(compact(req.body)));
    return parts.join(" \\\n  ");
}

const isPicture = (answer) => (answer.headers.get("content-type") || "").startsWith("image/");

/** As text: the page's policy lets no other address be one of a picture. */
function dataUrl(blob) {
    return new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result);
        reader.onerror = () => reject(reader.error);
        reader.readAsDataURL(blob);
    });
}

const picture = async (answer) => el("img", { class: "picture", alt: "The picture of this result", src: await dataUrl(await answer.blob()) });

/** Where the picture is that an answer links to. */
function linked(text) {
    try {
        const { media_type, href } = JSON.parse(text).result;
        return media_type.startsWith("image/") && href.startsWith("/operations/") ? href : null;
    } catch {
        return null;
    }
}

/** The body as it comes: an event stream goes on for long. */
async function readInto(answer, pre) {
    const reader = answer.body.getReader(), decoder = new TextDecoder();
    let text = "";
    for (;;) {
        const { done, value } = await reader.read();
        if (done) return text;
        text += decoder.decode(value, { stream: true });
        pre.textContent = text;
    }
}

async function send(req, result, stop) {
    const began = performance.now(), status = el("p", { class: "small" }, "Waiting…"), pre = el("pre", { tabindex: "0" });
    result.replaceChildren(status);
    const answer = await fetch(req.url, { method: req.method, headers: { ...req.headers, ...credential.headers() }, body: req.body, signal: stop, cache: "no-store" });
    status.replaceChildren(el("b", { class: answer.ok ? "good" : "bad" }, answer.status + " " + answer.statusText), ` after ${Math.round(performance.now() - began)} ms`);
    result.append(el("pre", { class: "quiet" }, [...answer.headers].map(([name, value]) => name + ": " + value).join("\n")), pre);
    if (isPicture(answer)) return pre.replaceWith(await picture(answer));
    const text = answer.body ? await readInto(answer, pre) : "";
    pre.textContent = pretty(text);
    pre.hidden = text === "";
    const href = linked(text), linkedAnswer = href && (await fetch(href, { headers: credential.headers(), signal: stop }));
    if (linkedAnswer && isPicture(linkedAnswer)) result.append(await picture(linkedAnswer));
    const location = answer.headers.get("location");
    if (location) result.append(el("p", { class: "small" }, "It goes on at ", el("code", {}, location), ": see ", el("a", { href: "#getOperation" }, "How far is it?")));
}

export function tryIt(op, example) {
    const command = el("pre", { tabindex: "0" }), result = el("div", { class: "result", "aria-live": "polite" });
    const changed = () => { command.textContent = curl(request(op, fields, area)); };
    const fields = op.parameters.map((parameter) => field(parameter, changed));
    const area = example === undefined || example === null ? null : el("textarea", { rows: Math.min(14, pretty(JSON.stringify(example)).split("\n").length + 1), "aria-label": "Body", spellcheck: "false", input: changed });
    if (area) area.value = pretty(JSON.stringify(example));
    const of = (header) => fields.filter((f) => (f.parameter.in === "header") === header).map((f) => f.node);
    let stop = null;
    const button = el("button", { class: "main", type: "submit" }, "Send");
    const copy = el("button", { type: "button", click: async () => {
        await navigator.clipboard.writeText(command.textContent);
        copy.textContent = "Copied";
    } }, "Copy curl");
    const form = el("form", { submit: async (event) => {
        event.preventDefault();
        if (stop) return stop.abort();
        stop = new AbortController();
        button.textContent = "Stop";
        try {
            await send(request(op, fields, area), result, stop.signal);
        } catch (error) {
            result.append(el("p", { class: "bad" }, error.name === "AbortError" ? "Stopped." : "The gateway could not be asked: " + error.message));
        } finally {
            stop = null;
            button.textContent = "Send";
        }
    } }, of(false).length ? [el("h3", {}, "Parameters"), of(false)] : null, area ? [el("h3", {}, "Body"), area] : null,
    of(true).length ? el("details", {}, el("summary", {}, el("h3", { class: "inline" }, "Headers")), of(true)) : null, el("h3", {}, "As curl"), command,
    el("div", { class: "row" }, button, copy));
    document.getElementById("credential").addEventListener("input", changed);
    changed();
    return el("div", {}, form, result);
}
