/** Beside the map: the nearest words of every source side by side, and what is selected, as a list and as a file. */

import { neighboursOf, valueOf } from "./data.js";

const FIRST_SHOWN = 200;

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** A term that can be chosen, or plain text where it is not on the map. */
function link(data, word, { choose, point }) {
  const text = data.words[word];
  if (word >= data.terms) return make("span", { className: "off", textContent: text, title: `${text} (not on the map)` });
  const button = make("button", { type: "button", className: "word", textContent: text, title: text });
  button.addEventListener("click", () => choose(word));
  for (const [event, target] of [["pointerenter", word], ["focus", word], ["pointerleave", -1], ["blur", -1]]) {
    button.addEventListener(event, () => point(target));
  }
  return button;
}

function column(data, source, term, shared, actions) {
  const { name } = data.sources[source];
  const { way, nearest } = neighboursOf(data, source, term);
  const head = make("h3", { textContent: name, title: name });
  if (way === "none") return make("div", { className: "source" }, head, make("p", { className: "quiet", textContent: "no vector" }));
  const rows = nearest.map(({ word, cosine }) => {
    const bar = make("i");
    bar.style.width = `${Math.max(0, cosine) * 100}%`;
    const row = make("li", { className: shared.has(word) ? "shared" : "" }, link(data, word, actions), make("span", { className: "cosine", textContent: cosine.toFixed(3) }), bar);
    return row;
  });
  const parts = [head];
  if (way !== "word") parts.push(make("p", { className: "quiet", textContent: `found by: ${way}` }));
  return make("div", { className: "source" }, ...parts, make("ol", {}, ...rows));
}

/** Words that every source has among the nearest. */
function inAll(data, term) {
  if (data.sources.length < 2) return new Set();
  const [first, ...rest] = data.sources.map((_, source) => new Set(neighboursOf(data, source, term).nearest.map(({ word }) => word)));
  return new Set([...first].filter((word) => rest.every((one) => one.has(word))));
}

export function showChosen(element, data, term, actions) {
  if (term < 0) {
    const what = data.kind === "word" ? "word" : "text";
    element.replaceChildren(
      make("h2", { textContent: `${data.terms.toLocaleString("en")} ${what}s` }),
      make("p", { className: "quiet", textContent: `Search, or choose a point, to see its nearest ${what}s${data.sources.length > 1 ? " in every source, side by side" : ""}.` }),
      make("ul", { className: "facts" }, ...data.sources.map((one) => make("li", { textContent: `${one.name}: ${one.words.toLocaleString("en")} ${what}s, ${one.width} numbers each` }))),
    );
    return;
  }
  const shared = inAll(data, term);
  const close = make("button", { type: "button", className: "close", textContent: "×", title: "Clear (Esc)" });
  close.setAttribute("aria-label", "Clear");
  close.addEventListener("click", () => actions.choose(-1));
  const facts = data.columns.map((one) => [one.name, valueOf(one, term)]).filter(([, value]) => value);
  const parts = [make("div", { className: `title ${data.kind}` }, make("h2", { textContent: data.words[term] }), close)];
  if (facts.length) parts.push(make("dl", { className: "values" }, ...facts.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })])));
  parts.push(make("p", { className: "quiet", textContent: `Nearest by cosine${shared.size ? "; marked: in every source" : ""}` }));
  parts.push(make("div", { className: `sources${data.kind === "text" ? " texts" : ""}` }, ...data.sources.map((_, source) => column(data, source, term, shared, actions))));
  element.replaceChildren(...parts);
}

export function showSelection(element, data, terms, map, actions) {
  element.hidden = !terms.length;
  if (!terms.length) return;
  const save = make("button", { type: "button", textContent: "Save as CSV" });
  save.addEventListener("click", () => download(csv(data, terms, map)));
  const clear = make("button", { type: "button", textContent: "Clear" });
  clear.addEventListener("click", actions.clear);
  const rest = terms.length - FIRST_SHOWN;
  element.replaceChildren(
    make("h2", { textContent: `${terms.length.toLocaleString("en")} selected` }),
    make("div", { className: "buttons" }, save, clear),
    make("ul", { className: "selected" }, ...terms.slice(0, FIRST_SHOWN).map((term) => make("li", {}, link(data, term, actions)))),
    ...(rest > 0 ? [make("p", { className: "quiet", textContent: `and ${rest.toLocaleString("en")} more, all in the file` })] : []),
  );
}

const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);

/** Term, place on the map that is shown, and every column. */
export function csv(data, terms, map) {
  const head = [data.kind, "x", "y", ...data.columns.map((one) => one.name)];
  const rows = terms.map((term) => [data.words[term], map.raw[2 * term], map.raw[2 * term + 1], ...data.columns.map((one) => valueOf(one, term))]);
  return [head, ...rows].map((row) => row.map((value) => quoted(String(value))).join(",")).join("\r\n") + "\r\n";
}

function download(text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  make("a", { href: url, download: "selection.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
