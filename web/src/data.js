/** The block of base64 in the page → words, maps, neighbours and columns (written by embed/page.py). */

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let place = 0; place < binary.length; place++) bytes[place] = binary.charCodeAt(place);
  return bytes;
}

const TYPES = { Float32Array, Int32Array, Uint8Array };

/** Everything that the page shows; the element is emptied, its text would be kept twice. */
export async function readData(element) {
  const packed = fromBase64(element.textContent.trim());
  element.textContent = "";
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(plain).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const array = ([type, start, size]) => new TYPES[type](buffer, 4 + length + start, size);
  const sources = head.sources.map((one) => ({
    ...one, neighbours: array(one.neighbours), cosines: array(one.cosines), found: array(one.found),
  }));
  const top = head.terms ? sources[0].neighbours.length / head.terms : 0;
  return {
    ...head,
    top,
    sources,
    maps: head.maps.map((one) => ({ ...one, ...onCanvas(array(one.places)) })),
    columns: head.columns.map((one) => (one.names ? { ...one, codes: array(one.codes) } : { ...one, values: array(one.values) })),
    number: new Map(head.words.map((word, number) => [word, number])),
  };
}

/** [T, 2] places as they are, and in -0.95 to 0.95 in both directions alike; which terms have one. */
function onCanvas(places) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (let at = 0; at < places.length; at++) {
    if (places[at] < low[at % 2]) low[at % 2] = places[at];
    if (places[at] > high[at % 2]) high[at % 2] = places[at];
  }
  const scale = 1.9 / (Math.max(high[0] - low[0], high[1] - low[1]) || 1);
  const [x, y] = [new Float32Array(places.length / 2), new Float32Array(places.length / 2)];
  const [known, has] = [[], new Uint8Array(x.length)];
  for (let term = 0; term < x.length; term++) {
    if (Number.isNaN(places[2 * term])) continue;
    known.push(term);
    has[term] = 1;
    x[term] = (places[2 * term] - (low[0] + high[0]) / 2) * scale;
    y[term] = (places[2 * term + 1] - (low[1] + high[1]) / 2) * scale;
  }
  return { raw: places, x, y, known, has };
}

/** Of one source [{word, cosine}] nearest first, and how the term was found. */
export function neighboursOf(data, source, term) {
  const { neighbours, cosines, found } = data.sources[source];
  const nearest = [];
  for (let at = term * data.top; at < (term + 1) * data.top && neighbours[at] >= 0; at++) {
    nearest.push({ word: neighbours[at], cosine: cosines[at] });
  }
  return { way: data.ways[found[term]], nearest };
}

/** The value of a column in words; empty where there is none. */
export function valueOf(column, term) {
  if (column.names) return column.names[column.codes[term]] ?? "";
  const value = column.values[term];
  return Number.isNaN(value) ? "" : String(Number(value.toPrecision(6)));
}
