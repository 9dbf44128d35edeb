/** Colours of points by the order of terms, by classes or by numbers, on a light and on a dark ground. */

import { valueOf } from "./data.js";

const CLASSES = {
  light: ["#0072b2", "#d55e00", "#009e73", "#b5478c", "#8a6d00", "#3f8fd0", "#7b5cd6", "#c0392b", "#4e8f2b", "#6b7280", "#0f8b8d", "#a0522d", "#d81b8c", "#2e4fa3", "#9aa300", "#e0a000", "#5b2a86", "#00a0c6", "#b06a9a", "#3d5a40"],
  dark: ["#5db8f0", "#ff9a52", "#3fcfa4", "#e79ac6", "#e3d062", "#8fd3ff", "#b9a5ff", "#ff7b72", "#9ddb7a", "#b5c0ca", "#5fd4d6", "#dba37f", "#ff6fc4", "#7f9cff", "#cfe04a", "#ffc94d", "#d58cff", "#4fe0ff", "#f0b6d8", "#a9c9ad"],
};
const REST = { light: "#b4bcc6", dark: "#56606b" };
const PLAIN = { light: "#2f6fbd", dark: "#7db6f5" };
const SCALES = {
  light: [[206, 210, 240], [116, 148, 214], [64, 88, 168], [92, 38, 112], [52, 10, 60]],
  dark: [[58, 66, 112], [70, 118, 184], [86, 184, 178], [190, 222, 120], [255, 240, 150]],
};
const STEPS = 32;

const hex = (rgb) => `#${rgb.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;

function scaleColours(theme) {
  const anchors = SCALES[theme];
  return Array.from({ length: STEPS }, (_, step) => {
    const at = (step / (STEPS - 1)) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    return hex(anchors[low].map((part, place) => part + (anchors[low + 1][place] - part) * (at - low)));
  });
}

const short = (number) => Number(number.toPrecision(3)).toLocaleString("en");

/** [{name, codes, colours, legend, say}] of which the page shows one; codes are places in colours. */
export function makeColours(data) {
  const order = { name: data.kind === "word" ? "place in the file" : "place in the list", values: Float32Array.from({ length: data.terms }, (_, term) => term + 1), reversed: true };
  return [...data.columns, order, null].map((column) => (column === null ? plain(data) : column.names ? classes(column) : scale(column)));
}

function plain(data) {
  return { name: "one colour", codes: new Uint8Array(data.terms), colours: (theme) => [PLAIN[theme]], legend: () => [], say: () => "" };
}

function classes(column) {
  const most = column.names.length > CLASSES.light.length ? CLASSES.light.length - 1 : column.names.length;
  const counts = new Uint32Array(most + 1);
  const codes = Uint8Array.from(column.codes, (code) => (code < 0 || code >= most ? most : code));
  for (const code of codes) counts[code]++;
  const names = [...column.names.slice(0, most), column.names.length > most ? "others" : "none"];
  return {
    name: column.name,
    codes,
    colours: (theme) => [...CLASSES[theme].slice(0, most), REST[theme]],
    legend: (theme) => names.map((name, code) => ({ name, count: counts[code], colour: [...CLASSES[theme].slice(0, most), REST[theme]][code] })).filter((entry) => entry.count),
    say: (term) => valueOf(column, term),
  };
}

function scale(column) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of column.values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const place = (value) => (column.reversed ? high - value : value - low) / (high - low || 1);
  const codes = Uint8Array.from(column.values, (value) => (Number.isNaN(value) ? STEPS : Math.min(STEPS - 1, Math.floor(place(value) * STEPS))));
  return {
    name: column.name,
    codes,
    colours: (theme) => [...scaleColours(theme), REST[theme]],
    legend: (theme) => ({ from: short(column.reversed ? high : low), to: short(column.reversed ? low : high), colours: scaleColours(theme) }),
    say: (term) => valueOf(column, term),
  };
}
