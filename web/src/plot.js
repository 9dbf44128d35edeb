/** The map: points by regl-scatterplot; over them words, and lines to the nearest of the chosen one. */

import createScatterplot from "regl-scatterplot";

import { makeLabels } from "./labels.js";
import { withTouch } from "./touch.js";

const GROUND = { light: "#fbfcfd", dark: "#101418" };
const INK = { light: "#1c2430", dark: "#e8edf2" };
const ACCENT = { light: "#d1006c", dark: "#ff6bb0" };
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const sizeFor = (count) => (count < 500 ? 9 : count < 3000 ? 6 : count < 20000 ? 4 : count < 80000 ? 3 : 2.4);

export function makePlot({ stage, canvas, overlay, tip, data, chosen, selected, describe }) {
  let [map, paint, theme] = [null, null, "light"];
  let [focus, near, marked, hovered] = [-1, [], [], -1];
  let lassoed = false;
  const plot = createScatterplot({
    canvas, width: "auto", height: "auto", pointSize: sizeFor(data.terms), pointSizeSelected: 3, pointOutlineWidth: 2,
    opacityBy: "density", opacityInactiveMax: 0.55, opacityInactiveScale: 0.6, deselectOnEscape: false, lassoMinDelay: 1, lassoMinDist: 2, lassoLineWidth: 2,
    actionKeyMap: { lasso: "shift", merge: "cmd", remove: "alt" },
  });
  withTouch(canvas);

  /** Where a place of the map is on the screen: a line for either direction, by two points that lie apart. */
  function frame() {
    const at = (place) => plot.getScreenPosition(place);
    const [low, high] = map.apart;
    const [from, to] = [at(low), at(high)];
    if (!from || !to) return null;
    const unit = (axis, values) => (to[axis] - from[axis]) / (values[high] - values[low]);
    const [ax, ay] = [unit(0, map.x), unit(1, map.y)];
    return { ax, ay, bx: from[0] - ax * map.x[low], by: from[1] - ay * map.y[low] };
  }

  const draw2d = makeLabels(overlay, data);
  function drawLabels() {
    draw2d({
      width: stage.clientWidth, height: stage.clientHeight, map, view: map && frame(), focus, near,
      colours: { accent: ACCENT[theme], ink: INK[theme], ground: GROUND[theme] },
    });
  }

  let due = false;
  function refresh() {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      drawLabels();
      moveTip();
    });
  }

  function moveTip() {
    tip.hidden = hovered < 0;
    if (hovered < 0) return;
    const [x, y] = plot.getScreenPosition(hovered) ?? [0, 0];
    const side = x > stage.clientWidth / 2 ? -tip.offsetWidth - 14 : 14;
    tip.style.transform = `translate(${Math.max(4, x + side)}px, ${Math.min(Math.max(4, y - 12), stage.clientHeight - tip.offsetHeight - 4)}px)`;
  }

  function point(term) {
    hovered = term >= 0 && term < data.terms && map.has[term] ? term : -1;
    if (hovered >= 0) {
      const [word, ...values] = describe(hovered);
      tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: word }), ...values.map((text) => Object.assign(document.createElement("span"), { textContent: text })));
      plot.hover(hovered, { preventEvent: true });
    } else {
      plot.hover(undefined, { preventEvent: true });
    }
    refresh();
  }

  function showMarked() {
    const terms = (marked.length ? marked : focus >= 0 ? [focus, ...near] : []).filter((term) => map.has[term]);
    if (terms.length) plot.select(terms, { preventEvent: true });
    else plot.deselect({ preventEvent: true });
  }

  /** One drawing at a time; of those that are asked for meanwhile the last. */
  let drawing = null;
  let next = null;
  function draw(moves) {
    next = moves;
    drawing ??= (async () => {
      while (next !== null) {
        const now = next;
        next = null;
        await drawNow(now);
      }
    })().finally(() => (drawing = null));
    return drawing;
  }

  async function drawNow(moves) {
    plot.set({
      backgroundColor: GROUND[theme], pointColor: paint.colours(theme), pointColorActive: ACCENT[theme], pointColorHover: INK[theme], colorBy: "valueA", lassoColor: ACCENT[theme],
    });
    await plot.draw({ x: map.x, y: map.y, valueA: paint.codes }, {
      zDataType: "categorical", transition: moves && !calm.matches, transitionDuration: 600, ...(map.known.length < data.terms ? { filter: map.known } : {}),
    });
    showMarked();
    refresh();
  }

  plot.subscribe("view", refresh);
  plot.subscribe("drawing", refresh);
  plot.subscribe("transitionEnd", refresh);
  plot.subscribe("pointOver", point);
  plot.subscribe("pointOut", () => point(-1));
  plot.subscribe("lassoStart", () => (lassoed = true));
  plot.subscribe("select", ({ points }) => {
    if (lassoed || points.length > 1) selected(points);
    else chosen(points[0]);
    lassoed = false;
  });
  plot.subscribe("lassoEnd", () => setTimeout(() => (lassoed = false)));
  plot.subscribe("deselect", () => selected([]));
  let size = "";
  new ResizeObserver(() => {
    const now = `${stage.clientWidth} ${stage.clientHeight}`;
    if (stage.clientWidth && now !== size) dispatchEvent(new Event("resize")); // the library looks at the window alone
    if (stage.clientWidth) size = now;
    refresh();
  }).observe(stage);

  const zoom = (factor) => plot.zoomToLocation(plot.get("cameraTarget"), plot.get("cameraDistance") * factor, { transition: !calm.matches, transitionDuration: 180 });
  const whole = () => plot.zoomToOrigin({ transition: !calm.matches });
  const pan = (x, y) => {
    const [atX, atY] = plot.get("cameraTarget");
    const step = 0.15 * plot.get("cameraDistance");
    plot.zoomToLocation([atX + x * step, atY + y * step], plot.get("cameraDistance"));
  };
  const keys = {
    ArrowLeft: () => pan(-1, 0), ArrowRight: () => pan(1, 0), ArrowUp: () => pan(0, 1), ArrowDown: () => pan(0, -1),
    "+": () => zoom(1 / 1.5), "=": () => zoom(1 / 1.5), "-": () => zoom(1.5), 0: whole,
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });

  return {
    plot,
    point,
    zoom,
    whole,
    /** Shows one map in one colouring. */
    show(newMap, newPaint) {
      const moves = map !== null && map !== newMap;
      [map, paint] = [newMap, newPaint];
      map.apart ??= apart(map);
      return draw(moves);
    },
    dress(newTheme) {
      theme = newTheme;
      if (map) draw(false);
    },
    /** The term that is looked at, with its neighbours; goes there where these are out of view or too close together. */
    focus(term, neighbours, travel) {
      [focus, near] = [term, neighbours.filter((one) => one < data.terms)];
      showMarked();
      refresh();
      const there = [focus, ...near].filter((one) => one >= 0 && map.has[one]);
      if (travel && there.length) plot.zoomToPoints(there, { padding: 0.5, transition: !calm.matches, transitionDuration: 700 });
    },
    mark(terms) {
      marked = terms;
      showMarked();
    },
    lasso: (on) => plot.set({ mouseMode: on ? "lasso" : "panZoom" }),
  };
}

/** Two terms that lie apart in both directions, so that a view can be read from them. */
function apart(map) {
  let [low, high] = [map.known[0], map.known[0]];
  for (const term of map.known) {
    if (map.x[term] + map.y[term] < map.x[low] + map.y[low]) low = term;
    if (map.x[term] + map.y[term] > map.x[high] + map.y[high]) high = term;
  }
  if (map.x[low] !== map.x[high] && map.y[low] !== map.y[high]) return [low, high];
  return [map.known[0], map.known.find((term) => map.x[term] !== map.x[map.known[0]] && map.y[term] !== map.y[map.known[0]]) ?? map.known[0]];
}
