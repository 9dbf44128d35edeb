/** Light and dark: as the system has it, until a person says otherwise. */

const KEY = "warmstart-theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };

function remembered() {
  try {
    return localStorage.getItem(KEY) ?? "auto";
  } catch {
    return "auto"; // a page from a disk may be refused a store
  }
}

function remember(choice) {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // then it holds as long as the page is open
  }
}

export function makeTheme(button, changed) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let choice = remembered() in NEXT ? remembered() : "auto";
  const theme = () => (choice === "auto" ? (dark.matches ? "dark" : "light") : choice);
  const apply = () => {
    document.documentElement.dataset.theme = theme();
    button.querySelector("span").textContent = { auto: "Auto", light: "Light", dark: "Dark" }[choice];
    button.title = `Colours of the page: ${choice === "auto" ? "as the system has them" : choice}`;
    button.setAttribute("aria-label", button.title);
    changed(theme());
  };
  dark.addEventListener("change", apply);
  button.addEventListener("click", () => {
    choice = NEXT[choice];
    remember(choice);
    apply();
  });
  apply();
}
