/** Search as one types: a box with a list below it, by mouse, by keys, and for a screen reader (the combobox pattern). */

const MOST_SHOWN = 40;
const MOST_MARKED = 3000;

/** Without case and accents, so that "ha noi" finds "Hà_Nội". */
const fold = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").replace(/đ/g, "d").replace(/Đ/g, "D").replace(/_/g, " ").toLowerCase();

/** query → {total, terms}: the same first, then those that begin so, then those that have it anywhere. */
export function makeIndex(words, count) {
  let folded = null;
  return (query) => {
    folded ??= words.slice(0, count).map(fold);
    const wanted = fold(query.trim());
    const [same, begin, inside] = [[], [], []];
    for (let term = 0; term < count; term++) {
      const place = folded[term].indexOf(wanted);
      if (place < 0) continue;
      if (place > 0) inside.push(term);
      else (folded[term].length === wanted.length ? same : begin).push(term);
    }
    const terms = [...same, ...begin, ...inside];
    return { total: terms.length, terms: terms.slice(0, MOST_MARKED) };
  };
}

export function makeSearch({ input, list, words, count, choose, point, mark, say }) {
  const find = makeIndex(words, count);
  let shown = [];
  let active = -1;

  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = -1;
    point(-1);
  };
  const stop = () => {
    close();
    mark([]);
  };
  const activate = (place) => {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = place;
    const item = list.children[place];
    item.setAttribute("aria-selected", "true");
    item.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", item.id);
    point(shown[place]);
  };
  const take = (place) => {
    const term = shown[place];
    stop();
    input.value = "";
    choose(term);
  };
  const item = (term, place) => {
    const element = document.createElement("li");
    element.id = `match-${place}`;
    element.role = "option";
    element.setAttribute("aria-selected", "false");
    element.textContent = words[term];
    element.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
    element.addEventListener("click", () => take(place));
    element.addEventListener("pointermove", () => place !== active && activate(place));
    return element;
  };
  const search = () => {
    if (!input.value.trim()) {
      stop();
      return;
    }
    const { total, terms } = find(input.value);
    shown = terms.slice(0, MOST_SHOWN);
    active = -1;
    input.removeAttribute("aria-activedescendant");
    list.replaceChildren(...shown.map(item));
    list.dataset.rest = total > shown.length ? `and ${(total - shown.length).toLocaleString("en")} more` : total ? "" : "no match";
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(terms);
    say(total === 1 ? "1 match" : `${total.toLocaleString("en")} matches`);
  };
  const move = (by) => shown.length && !list.hidden && activate((active + by + shown.length + (active < 0 && by < 0)) % shown.length);
  const keys = {
    ArrowDown: () => (list.hidden ? search() : move(1)),
    ArrowUp: () => move(-1),
    Enter: () => !list.hidden && shown.length && take(Math.max(active, 0)),
    Escape: () => {
      input.value = "";
      stop();
    },
  };
  input.addEventListener("input", search);
  input.addEventListener("focus", search);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    if (event.key === "Escape" && !input.value) {
      input.blur();
      return; // the page clears what is chosen
    }
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
  });
}
