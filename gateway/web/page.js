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
