/** Everything as a table, a page at a time: what the map shows, for who cannot or does not want to look at it. */

import { neighboursOf, valueOf } from "./data.js";

const ROWS = 50;
const NEAREST = 3;

export function makeTable(element, data, choose) {
  let start = 0;
  const cell = (name, text, scope) => {
    const one = document.createElement(name);
    if (scope) one.scope = scope;
    one.append(text);
    return one;
  };
  const near = (source, term) => {
    const list = document.createElement("ol");
    for (const { word } of neighboursOf(data, source, term).nearest.slice(0, NEAREST)) {
      list.append(Object.assign(document.createElement("li"), { textContent: data.words[word] }));
    }
    return list;
  };
  const row = (term) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "word", textContent: data.words[term] });
    button.addEventListener("click", () => choose(term));
    const nearest = data.sources.map((_, source) => near(source, term));
    const line = document.createElement("tr");
    line.append(cell("th", button, "row"), ...data.columns.map((one) => cell("td", valueOf(one, term))), ...nearest.map((list) => cell("td", list)));
    return line;
  };
  const turn = (name, to, disabled) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: name, disabled });
    button.addEventListener("click", () => {
      start = to;
      show();
      element.querySelector(".pages").focus();
    });
    return button;
  };
  const show = () => {
    const end = Math.min(start + ROWS, data.terms);
    const heads = [data.kind, ...data.columns.map((one) => one.name), ...data.sources.map((one) => `nearest: ${one.name}`)];
    const head = document.createElement("tr");
    head.append(...heads.map((name) => cell("th", name, "col")));
    const [table, top, body] = ["table", "thead", "tbody"].map((name) => document.createElement(name));
    top.append(head);
    for (let term = start; term < end; term++) body.append(row(term));
    table.append(top, body);
    const pages = Object.assign(document.createElement("nav"), { className: "pages", tabIndex: -1, ariaLabel: "Pages of the table" });
    const place = `${(start + 1).toLocaleString("en")} to ${end.toLocaleString("en")} of ${data.terms.toLocaleString("en")}`;
    pages.append(turn("Before", start - ROWS, start === 0), cell("span", place), turn("Next", end, end === data.terms));
    element.replaceChildren(pages, table);
  };
  return {
    show(term = -1) {
      if (term >= 0) start = Math.floor(term / ROWS) * ROWS;
      show();
    },
  };
}
