/** Words over the points, as many as there is room for, the first terms first; lines from the chosen one to its nearest.
 *
 * Room is kept in cells that move with the map, so a word does not come and go while the map is moved.
 */

const CELL = [12, 8];
const HALF_LINE = 9;
const GAP = 7;
const MOST_CHARACTERS = 28;
const MOST_TRIES = 4000;
const FONT = "system-ui, sans-serif";

const cut = (text) => (text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 1)}…` : text);

/** Which parts of the stage have a word already. */
function makeRoom(width, height, view) {
  const [firstColumn, firstRow] = [Math.floor(-view.bx / CELL[0]), Math.floor(-view.by / CELL[1])];
  const [columns, rows] = [Math.ceil(width / CELL[0]) + 2, Math.ceil(height / CELL[1]) + 2];
  const taken = new Uint8Array(columns * rows);
  const column = (x) => Math.min(columns - 1, Math.max(0, Math.floor((x - view.bx) / CELL[0]) - firstColumn));
  const row = (y) => Math.min(rows - 1, Math.max(0, Math.floor((y - view.by) / CELL[1]) - firstRow));
  return {
    isTaken: (x, y) => taken[row(y) * columns + column(x)] === 1,
    isFree(left, right, y) {
      for (let at = row(y - HALF_LINE); at <= row(y + HALF_LINE); at++) {
        for (let place = at * columns + column(left); place <= at * columns + column(right); place++) if (taken[place]) return false;
      }
      return true;
    },
    take(left, right, y) {
      for (let at = row(y - HALF_LINE); at <= row(y + HALF_LINE); at++) taken.fill(1, at * columns + column(left), at * columns + column(right) + 1);
    },
  };
}

export function makeLabels(overlay, { words, terms, kind }) {
  const context = overlay.getContext("2d");
  const widths = new Map();

  function fit(width, height) {
    const ratio = devicePixelRatio || 1;
    const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (overlay.width !== columns || overlay.height !== rows) Object.assign(overlay, { width: columns, height: rows });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
  }

  function lines(scene) {
    const { map, view, focus, near, colours } = scene;
    if (focus < 0 || !map.has[focus]) return;
    const at = (term) => [view.ax * map.x[term] + view.bx, view.ay * map.y[term] + view.by];
    Object.assign(context, { strokeStyle: colours.accent, lineWidth: 1.2, globalAlpha: 0.55 });
    for (const term of near) {
      if (!map.has[term]) continue;
      context.beginPath();
      context.moveTo(...at(focus));
      context.lineTo(...at(term));
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  function widthOf(term, text, strong) {
    if (strong) return context.measureText(text).width;
    if (!widths.has(term)) widths.set(term, context.measureText(text).width);
    return widths.get(term);
  }

  /** Writes a word beside its point; whether there was room. `over`: whatever else stands there. */
  function write(term, scene, room, strong, over) {
    const { map, view, focus, width, height, colours } = scene;
    const [x, y] = [view.ax * map.x[term] + view.bx, view.ay * map.y[term] + view.by];
    if (!map.has[term] || x < 0 || y < 6 || x > width || y > height - 6 || (!over && room.isTaken(x + GAP, y))) return false;
    const text = cut(words[term]);
    if (strong) context.font = `600 ${term === focus ? 15 : 12}px ${FONT}`;
    const length = widthOf(term, text, strong);
    const left = x + GAP + length > width && x > length + GAP ? x - GAP - length : x + GAP;
    if (!over && !room.isFree(left, left + length, y)) return false;
    room.take(left, left + length, y);
    context.globalAlpha = strong ? 1 : 0.88;
    context.strokeText(text, left, y + 4);
    context.fillStyle = term === focus ? colours.accent : colours.ink;
    context.fillText(text, left, y + 4);
    return true;
  }

  /** Draws {width, height, map, view, focus, near, colours}. */
  return function draw(scene) {
    const { width, height, map, view, focus, near, colours } = scene;
    fit(width, height);
    if (!view) return;
    lines(scene);
    const room = makeRoom(width, height, view);
    Object.assign(context, { lineJoin: "round", lineWidth: 3.5, strokeStyle: colours.ground });
    if (focus >= 0) write(focus, scene, room, true, true);
    for (const term of near) write(term, scene, room, true, false);
    context.font = `12px ${FONT}`;
    let left = kind === "word" ? Math.floor((width * height) / (focus < 0 ? 11000 : 26000)) : 0; // texts are too long
    let tries = MOST_TRIES;
    for (let term = 0; term < terms && left > 0 && tries > 0; term++) {
      const [x, y] = [view.ax * map.x[term] + view.bx, view.ay * map.y[term] + view.by];
      if (x < 0 || y < 0 || x > width || y > height) continue;
      tries--;
      if (write(term, scene, room, false, false)) left--;
    }
    context.globalAlpha = 1;
  };
}
