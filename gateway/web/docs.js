// SPDX-License-Identifier: Apache-2.0
// Shows /openapi.json: an index, a card for each operation, a tree for each schema. docs.try.js sends requests.
import { el, prose, credential } from "./page.js";
import { tryIt } from "./docs.try.js";

const METHODS = ["get", "post", "put", "delete"];
/** What any HTTP server may answer, and is of no interest to most readers of an operation. */
const COMMON = ["400", "401", "408", "413", "414", "429", "431", "500", "501", "502", "503", "504"];
let api;

/** What a $ref stands for. */
function follow(node) {
    while (node && node.$ref) node = node.$ref.slice(2).split("/").reduce((at, key) => at[key.replace(/~1/g, "/")], api);
    return node;
}

const nameOf = (ref) => ref.slice(ref.lastIndexOf("/") + 1);

// ---- schemas ----

function bounds(schema) {
    const said = [];
    if (schema.const !== undefined) said.push(JSON.stringify(schema.const));
    if (schema.enum) said.push(schema.enum.map((x) => JSON.stringify(x)).join(" | "));
    if (schema.minimum !== undefined && schema.minimum > -(2 ** 63)) said.push("≥ " + schema.minimum);
    if (schema.maximum !== undefined && schema.maximum < 2 ** 63) said.push("≤ " + schema.maximum); /* the others are the format's own */
    if (schema.maxLength !== undefined) said.push((schema.minLength || 0) + " … " + schema.maxLength + " characters");
    if (schema.maxItems !== undefined) said.push("up to " + schema.maxItems);
    if (schema.default !== undefined) said.push("default " + JSON.stringify(schema.default));
    return said.join(", ");
}

function typeOf(schema) {
    if (!schema) return "";
    if (schema.$ref) return nameOf(schema.$ref);
    if (schema.type === "array") return "array of " + (typeOf(schema.items) || "anything");
    if (Array.isArray(schema.type)) return schema.type.join(" or ");
    return schema.format || schema.type || (schema.oneOf || schema.anyOf ? "one of" : "");
}

function link(ref) {
    return el("a", { href: "#schema-" + nameOf(ref) }, nameOf(ref));
}

/** The members of an object, or its alternatives, as a list; schemas with a name are linked, not repeated. */
function tree(schema) {
    const choices = schema.oneOf || schema.anyOf;
    if (choices) return el("ul", { class: "tree" }, choices.map((choice) => el("li", {}, choice.$ref ? link(choice.$ref) : typeOf(choice))));
    const required = schema.required || [];
    return el("ul", { class: "tree" }, Object.entries(schema.properties || {}).map(([name, member]) => {
        const inner = member.type === "array" ? member.items : member;
        return el("li", {}, el("code", { class: required.includes(name) ? "must" : "" }, name), " ",
            inner && inner.$ref ? [member.type === "array" ? "array of " : "", link(inner.$ref)] : el("span", { class: "quiet" }, typeOf(member)),
            el("span", { class: "quiet" }, " " + bounds(member)), member.description ? " " + member.description.replace(/`/g, "") : "",
            inner && (inner.properties || inner.oneOf || inner.anyOf) && !inner.$ref ? tree(inner) : null);
    }));
}

/** A value that the schema allows. */
export function example(schema) {
    schema = follow(schema) || {};
    if (schema.examples) return schema.examples[0];
    if (schema.default !== undefined) return schema.default;
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return schema.enum[0];
    if (schema.oneOf) return example(schema.oneOf[0]);
    if (schema.type === "object") return Object.fromEntries((schema.required || []).map((name) => [name, example(schema.properties[name])]));
    if (schema.type === "array") return [];
    if (schema.type === "integer" || schema.type === "number") return Math.max(schema.minimum ?? 1, 1);
    return "text";
}

// ---- operations ----

/** Path, method, operation, parameters of both. */
function operations() {
    return Object.entries(api.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method]).map((method) => ({
        path, method, ...item[method], parameters: [...(item.parameters || []), ...(item[method].parameters || [])].map(follow),
    })));
}

function answers(op) {
    const rows = (statuses) => el("dl", { class: "answers" }, statuses.map((status) => {
        const answer = follow(op.responses[status]);
        const body = Object.entries(answer.content || {}).map(([type, { schema }]) => [" ", el("code", {}, type), " ", schema && schema.$ref ? link(schema.$ref) : ""]);
        const headers = Object.keys(answer.headers || {});
        return [el("dt", {}, el("b", { class: status < "400" ? "good" : "bad" }, status), el("span", {}, ...prose(answer.description).flatMap((p) => [...p.childNodes]))),
            el("dd", { class: "small quiet" }, body, headers.length ? " with " + headers.join(", ") : "")];
    }));
    const all = Object.keys(op.responses), own = all.filter((status) => !COMMON.includes(status)), rest = all.filter((status) => COMMON.includes(status));
    return el("div", {}, el("h3", {}, "Answers"), rows(own), el("details", {}, el("summary", { class: "small quiet" }, "and what any request may get: " + rest.join(", ")), rows(rest)));
}

function body(op) {
    if (!op.requestBody) return null;
    const [type, media] = Object.entries(op.requestBody.content)[0];
    return el("div", {}, el("h3", {}, "Body, " + type), media.schema.$ref ? el("p", {}, link(media.schema.$ref)) : null, tree(follow(media.schema)));
}

function card(op) {
    const inside = el("div", { class: "inside" });
    const made = el("details", { class: "op", id: op.operationId, toggle: () => {
        if (made.open && !inside.firstChild) // not before it is looked at
            inside.append(el("div", { class: "intro" }, prose(op.description)), el("div", {}, tryIt(op, op.requestBody && example(Object.values(op.requestBody.content)[0].schema))),
                el("div", {}, body(op), answers(op)));
    } }, el("summary", {}, el("span", { class: "method " + op.method }, op.method.toUpperCase()), el("span", { class: "path" }, op.path), el("span", { class: "what quiet" }, op.summary)), inside);
    return made;
}

// ---- the page ----

/** Opens what the address points at: an operation or a schema. */
function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") target.open = true;
    if (target) target.scrollIntoView();
}

function showIndex(ops) {
    const index = document.getElementById("index");
    const search = el("input", { type: "search", placeholder: "Find an operation", "aria-label": "Find an operation", input: () => {
        const wanted = search.value.toLowerCase();
        index.classList.toggle("searching", wanted !== "");
        for (const a of index.querySelectorAll("a")) a.hidden = !a.dataset.text.includes(wanted);
    } });
    index.append(search, ...api.tags.map((tag) => el("div", {}, el("h2", {}, tag.name), ops.filter((op) => op.tags.includes(tag.name)).map((op) =>
        el("a", { href: "#" + op.operationId, "data-text": `${op.method} ${op.path} ${op.summary} ${op.operationId}`.toLowerCase() }, op.summary)))));
}

async function show() {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error("/openapi.json answers " + answer.status);
    api = await answer.json();
    const ops = operations(), main = document.getElementById("main"), field = document.getElementById("credential");
    document.getElementById("version").textContent = api.info.version;
    field.value = credential.get();
    field.addEventListener("input", () => credential.set(field.value));
    showIndex(ops);
    main.replaceChildren(el("section", {}, prose(api.info.summary), prose(api.info.description)),
        ...api.tags.map((tag) => el("section", {}, el("h2", {}, tag.name), prose(tag.description), ops.filter((op) => op.tags.includes(tag.name)).map(card))),
        el("section", {}, el("h2", {}, "Schemas"), Object.entries(api.components.schemas).map(([name, schema]) =>
            el("details", { class: "op", id: "schema-" + name }, el("summary", {}, el("span", { class: "path" }, name)), el("div", { class: "inside" }, el("div", { class: "intro" }, prose(schema.description), tree(schema)))))));
    addEventListener("hashchange", openTarget);
    openTarget();
}

show().catch((error) => {
    document.getElementById("status").textContent = "This page could not be built: " + error.message + ". Reload it; /openapi.json says the same.";
});
