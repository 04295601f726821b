// SPDX-License-Identifier: Apache-2.0
// What the pages have in common: making elements, and the credential of this tab.

/** An element. Attributes that are functions are listeners; children are nodes or texts, never markup. */
export function el(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
        if (typeof value === "function") made.addEventListener(key, value);
        else if (value === true) made.setAttribute(key, "");
        else if (value !== false && value !== undefined && value !== null) made.setAttribute(key, value);
    }
    made.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
    return made;
}

/** Text in which `code` is marked and an empty line begins a paragraph. */
export function prose(text) {
    return (text || "").split("\n\n").filter(Boolean).map((part) =>
        el("p", {}, part.split("`").map((piece, i) => i % 2 ? el("code", {}, piece) : piece)));
}

const STORE = "roundtrip-credential";

/** Kept for this tab only, and sent to this origin only. */
export const credential = {
    get: () => sessionStorage.getItem(STORE) || "",
    set: (value) => value ? sessionStorage.setItem(STORE, value) : sessionStorage.removeItem(STORE),
    headers: () => credential.get() ? { Authorization: "Bearer " + credential.get() } : {},
};

export function pretty(text) {
    try {
        return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
        return text;
    }
}

/** Asks this origin; JSON as a value, other types as text. Throws an Error with `status` and the problem's detail. */
export async function ask(method, path, body) {
    const headers = credential.headers();
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    try {
        answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store" });
    } catch {
        throw Object.assign(new Error("The gateway does not answer."), { status: 0 });
    }
    const text = await answer.text(), type = answer.headers.get("content-type") || "";
    const value = type.includes("json") && text ? JSON.parse(text) : text;
    if (!answer.ok) throw Object.assign(new Error((value && value.detail) || answer.status + " " + answer.statusText), { status: answer.status });
    return value;
}

/** A button that does it at the second click only: what cannot be undone. */
export function sureButton(text, action) {
    let sure = false;
    const button = el("button", { type: "button", class: "danger", click: async () => {
        if (!sure) {
            sure = true;
            button.textContent = "Really " + text.toLowerCase() + "?";
            setTimeout(() => { sure = false; button.textContent = text; }, 4000);
            return;
        }
        button.disabled = true;
        await action();
    } }, text);
    return button;
}

/** An RFC 3339 time as the reader's clock shows it. */
export function clockTime(text) {
    const date = new Date(text);
    const today = date.toDateString() === new Date().toDateString();
    return text ? el("time", { datetime: text, title: text }, today ? date.toLocaleTimeString() : date.toLocaleString()) : "";
}
