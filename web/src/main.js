/** A page of words or texts: what a person does → what is shown. The pieces know nothing of each other. */

import { makeColours } from "./colours.js";
import { neighboursOf, readData } from "./data.js";
import { showChosen, showSelection } from "./panel.js";
import { makePlot } from "./plot.js";
import { makeSearch } from "./search.js";
import { makeTable } from "./table.js";
import { makeTheme } from "./theme.js";

const id = (name) => document.getElementById(name);
const number = new Intl.NumberFormat("en");

function options(select, names) {
  select.replaceChildren(...names.map((name, value) => new Option(name, value)));
}

/** A map is shown only where the browser can draw one; the table says the same without. */
function canDraw() {
  const context = document.createElement("canvas").getContext("webgl");
  return Boolean(context?.getExtension("OES_texture_float") || context?.getExtension("OES_texture_half_float"));
}

async function start() {
  const data = await readData(id("data"));
  const paints = makeColours(data);
  let [map, paint] = [data.maps[0], paints[data.columns.length || data.kind === "word" ? 0 : paints.length - 1]];
  let [term, selection] = [-1, []];
  const say = (text) => (id("live").textContent = text);
  const source = () => data.sources.findIndex((one) => one.name === map.source);

  const table = makeTable(id("table"), data, (word) => choose(word));
  const drawable = canDraw();
  const plot = drawable
    ? makePlot({
        stage: id("stage"), canvas: id("points"), overlay: id("labels"), tip: id("tip"), data,
        chosen: (word) => choose(word, false),
        selected: (terms) => select(terms),
        describe: (word) => [data.words[word], ...[paint.say(word)].filter(Boolean).map((value) => `${paint.name}: ${value}`)],
      })
    : null;
  const actions = { choose: (word) => choose(word), point: (word) => plot?.point(word), clear: () => select([]) };

  function choose(word, travel = true) {
    term = word;
    const hash = word < 0 ? "#" : `#${encodeURIComponent(data.words[word])}`;
    if (location.hash !== hash && (word >= 0 || location.hash)) history.pushState(null, "", hash);
    showChosen(id("chosen"), data, term, actions);
    id("panel").scrollTop = 0;
    const nearest = word < 0 ? [] : neighboursOf(data, source(), word).nearest.map((one) => one.word);
    plot?.focus(word, nearest, travel);
    plot?.point(-1);
    if (word >= 0) say(`${data.words[word]}. ${data.sources.map((one, place) => `${one.name}: ${neighboursOf(data, place, word).nearest.slice(0, 3).map((near) => data.words[near.word]).join(", ") || "no vector"}`).join(". ")}`);
  }

  function select(terms) {
    selection = [...terms];
    showSelection(id("selection"), data, selection, map, actions);
    plot?.mark(selection);
    if (terms.length) say(`${number.format(terms.length)} selected`);
  }

  function lasso(on) {
    id("lasso").setAttribute("aria-pressed", String(on));
    plot?.lasso(on);
  }

  function showTable(on) {
    id("as-table").setAttribute("aria-pressed", String(on));
    id("table").hidden = !on;
    id("stage").hidden = on;
    if (on) table.show(term);
  }

  function legend(theme) {
    const entries = paint.legend(theme);
    id("legend").hidden = Array.isArray(entries) && !entries.length;
    const summary = Object.assign(document.createElement("summary"), { textContent: paint.name });
    const spot = (colour) => Object.assign(document.createElement("i"), { style: `background:${colour}` });
    const part = (name, text, ...children) => {
      const element = document.createElement(name);
      element.append(...children, text);
      return element;
    };
    if (Array.isArray(entries)) {
      id("legend").replaceChildren(summary, ...entries.map((one) => part("div", `${one.name} `, spot(one.colour), "")));
    } else {
      const strip = Object.assign(document.createElement("b"), { style: `background:linear-gradient(to right, ${entries.colours.join(",")})` });
      id("legend").replaceChildren(summary, strip, part("p", "", part("span", entries.from), part("span", entries.to)));
    }
  }

  function show() {
    legend(document.documentElement.dataset.theme);
    id("points").setAttribute("aria-label", `Map of ${number.format(map.known.length)} ${data.kind}s of ${map.source} (${map.layout}), coloured by ${paint.name}. The button Table shows them as a table.`);
    return plot?.show(map, paint);
  }

  id("legend").open = !matchMedia("(max-width: 46rem)").matches; // a small map is not covered
  const layouts = new Set(data.maps.map((one) => one.layout)).size;
  options(id("map"), data.maps.map((one) => (data.sources.length === 1 ? one.layout : layouts === 1 ? one.source : `${one.source} · ${one.layout}`)));
  id("map-choice").hidden = data.maps.length === 1;
  options(id("colour"), paints.map((one) => one.name));
  id("colour").value = paints.indexOf(paint);
  id("map").addEventListener("change", () => {
    map = data.maps[id("map").value];
    show();
    if (term >= 0) choose(term, false);
    showSelection(id("selection"), data, selection, map, actions);
  });
  id("colour").addEventListener("change", () => {
    paint = paints[id("colour").value];
    show();
  });
  id("lasso").addEventListener("click", () => lasso(id("lasso").getAttribute("aria-pressed") === "false"));
  id("as-table").addEventListener("click", () => showTable(id("table").hidden));
  for (const [button, act] of [["nearer", () => plot.zoom(1 / 1.8)], ["farther", () => plot.zoom(1.8)], ["whole", () => plot.whole()]]) {
    id(button).addEventListener("click", act);
  }
  makeSearch({
    input: id("query"), list: id("results"), words: data.words, count: data.terms, choose: (word) => choose(word), point: actions.point,
    mark: (terms) => plot?.mark(terms.length ? terms : selection), say,
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, select, textarea")) {
      event.preventDefault();
      id("query").focus();
    } else if (event.key === "Escape") {
      if (id("lasso").getAttribute("aria-pressed") === "true") lasso(false);
      else if (selection.length) select([]);
      else choose(-1);
    }
  });
  const fromAddress = () => {
    let word = "";
    try {
      word = decodeURIComponent(location.hash.slice(1));
    } catch {
      // no word of ours
    }
    const known = data.number.get(word) ?? -1;
    choose(known < data.terms ? known : -1);
  };
  addEventListener("popstate", fromAddress);

  makeTheme(id("theme"), (theme) => {
    plot?.dress(theme);
    legend(theme);
  });
  await show();
  fromAddress();
  if (!drawable) {
    for (const name of ["as-table", "lasso"]) id(name).disabled = true;
    showTable(true);
    say("This browser draws no WebGL, so the table stands for the map.");
  }
  document.body.dataset.ready = "true";
  return { data, plot };
}

start().catch((error) => {
  document.body.append(Object.assign(document.createElement("p"), { className: "problem", role: "alert", textContent: `This page could not be shown: ${error.message}` }));
  throw error;
});
