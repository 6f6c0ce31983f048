// The body of the function that Gradio calls once. A radio group: arrows move and pick, Tab enters and leaves.

const box = element.querySelector(".pictures");
let value = props.value || "";
const before = new Set();  // what was picked since the last act elsewhere on the page, but for the newest

function build() {
  const held = box.contains(document.activeElement) ? document.activeElement.dataset.name : "";
  box.setAttribute("aria-label", props.title || "");
  box.replaceChildren(...(props.pictures || []).map(([name, address, words]) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "pictures-one", title: words });
    button.dataset.name = name;
    button.setAttribute("role", "radio");
    button.setAttribute("aria-label", words);
    const picture = document.createElement("img");
    Object.assign(picture, { src: address, alt: "", draggable: false });
    const text = document.createElement("span");
    text.textContent = words;
    button.append(picture, text);
    return button;
  }));
  paint();
  if (held) [...box.children].find((each) => each.dataset.name === held)?.focus({ preventScroll: true });
}

function paint() {
  const all = [...box.children], chosen = all.find((each) => each.dataset.name === value);
  all.forEach((each, index) => {
    each.setAttribute("aria-checked", String(each === chosen));
    each.tabIndex = each === chosen || (!chosen && index === 0) ? 0 : -1;
  });
}

function pick(button) {
  button.focus();
  if (button.dataset.name === value) return;
  before.add(value);
  value = button.dataset.name;
  paint();
  props.value = value;
  trigger("input");
}

box.addEventListener("click", (event) => {
  const button = event.target.closest(".pictures-one");
  if (button) pick(button);
});
box.addEventListener("keydown", (event) => {
  const all = [...box.children], at = all.indexOf(document.activeElement);
  const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  const next = step ? (at + step + all.length) % all.length : { Home: 0, End: all.length - 1 }[event.key];
  if (next === undefined || at < 0) return;
  event.preventDefault();
  pick(all[next]);
});

for (const act of ["pointerdown", "keydown", "drop", "input"]) {
  document.addEventListener(act, (event) => { if (!element.contains(event.target)) before.clear(); }, true);
}

// An answer to an earlier pick comes when it likes: it does not undo a later one.
watch("value", () => {
  const written = props.value || "";
  if (written !== value && before.has(written)) props.value = value;
  else value = written;
  paint();
});
watch("pictures", build);
build();
