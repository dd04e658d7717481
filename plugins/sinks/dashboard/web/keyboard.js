// Keys, and the page that lists them.

const element = (id) => document.getElementById(id);

/** `keys`: [key or keys, words, action]; keys do nothing where one types, and none takes a browser's shortcut. */
export function listen(keys) {
  const actions = new Map(keys.flatMap(([names, , action]) => names.map((name) => [name, action])));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || element("help").open || isTyping(event)) return;
    const action = actions.get(event.key);
    if (!action) return;
    event.preventDefault();
    action();
  });
  element("help-keys").replaceChildren(...keys.flatMap(([names, words]) => [term(names), description(words)]));
}

function isTyping({ target, key }) {
  if (target.matches("input:not([type=range]), select, textarea")) return true;
  // A button or a slider keeps the keys that work it.
  if (target.matches("button, summary, a")) return key === " " || key === "Enter";
  return target.matches("input[type=range]") && key.startsWith("Arrow");
}

const SHOWN = { " ": "space", ArrowLeft: "←", ArrowRight: "→", Backspace: "⌫", Escape: "Esc" };

function term(names) {
  const made = document.createElement("dt");
  names.forEach((name) => {
    const key = document.createElement("kbd");
    key.textContent = SHOWN[name] ?? name;
    made.append(key, " ");
  });
  return made;
}

function description(words) {
  const made = document.createElement("dd");
  made.textContent = words;
  return made;
}
