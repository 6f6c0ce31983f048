// The body of the function that Gradio calls once. Draws a button for each bar of props.tints and keeps the
// text in step. A drag or Shift picks a range; arrows move, Space picks.

const row = element.querySelector(".bars-row"), input = element.querySelector("input");
let picked = new Set(), dragging = null, anchor = 0;

const count = () => (props.tints || []).length;

function parsed(text) {
  const found = new Set();
  for (const word of text.split(",").map((each) => each.trim()).filter(Boolean)) {
    const range = word.match(/^(\d+)(?:\s*-\s*(\d+))?$/);
    if (!range) continue;
    const last = Math.min(Number(range[2] || range[1]), count());
    for (let bar = Math.max(1, Number(range[1])); bar <= last; bar += 1) found.add(bar);
  }
  return found;
}

function written() {
  const bars = [...picked].sort((one, two) => one - two), ranges = [];
  for (const bar of bars) {
    const last = ranges[ranges.length - 1];
    if (last && last[1] === bar - 1) last[1] = bar;
    else ranges.push([bar, bar]);
  }
  return ranges.map(([first, end]) => (first === end ? `${first}` : `${first}-${end}`)).join(", ");
}

function build() {
  const within = row.contains(document.activeElement) ? [...row.children].indexOf(document.activeElement) : -1;
  row.classList.toggle("bars-sixteen", count() >= 8 && count() <= 64);
  row.replaceChildren(...(props.tints || []).map((tint, index) => {
    const bar = document.createElement("button");
    Object.assign(bar, { type: "button", className: "bars-bar", textContent: index + 1, tabIndex: index ? -1 : 0 });
    bar.style.background = tint;
    bar.dataset.bar = index + 1;
    bar.setAttribute("aria-label", `bar ${index + 1}`);
    return bar;
  }));
  row.children[within]?.focus();
  paint();
}

function paint() {
  [...row.children].forEach((bar, index) => bar.setAttribute("aria-pressed", String(picked.has(index + 1))));
}

function report() {
  props.value = input.value;
  trigger("input");
}

function pick(from, to, on) {
  for (let bar = Math.min(from, to); bar <= Math.max(from, to); bar += 1) {
    if (on) picked.add(bar);
    else picked.delete(bar);
  }
  input.value = written();
  paint();
  report();
}

const barOf = (target) => Number(target?.closest?.(".bars-bar")?.dataset.bar || 0);

row.addEventListener("pointerdown", (event) => {
  const bar = barOf(event.target);
  if (!bar || event.button !== 0) return;
  if (event.shiftKey && anchor) { pick(anchor, bar, true); event.preventDefault(); return; }
  anchor = bar;
  dragging = { on: !picked.has(bar), before: new Set(picked) };
  pick(bar, bar, dragging.on);
});
row.addEventListener("pointermove", (event) => {
  if (!dragging) return;
  const bar = barOf(document.elementFromPoint(event.clientX, event.clientY));
  if (!bar) return;
  picked = new Set(dragging.before);
  pick(anchor, bar, dragging.on);
});
for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => { dragging = null; });
row.addEventListener("click", (event) => {
  if (event.detail === 0) { const bar = barOf(event.target); anchor = bar; pick(bar, bar, !picked.has(bar)); }
});
row.addEventListener("keydown", (event) => {
  const bar = barOf(event.target), step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -8, ArrowDown: 8 }[event.key];
  const next = step ? bar + step : { Home: 1, End: count() }[event.key];
  if (!bar || !next || next < 1 || next > count()) return;
  event.preventDefault();
  if (event.shiftKey) pick(bar, next, true);
  [...row.children].forEach((each, index) => { each.tabIndex = index + 1 === next ? 0 : -1; });
  row.children[next - 1].focus();
});
input.addEventListener("input", () => { picked = parsed(input.value); paint(); report(); });
element.querySelector(".bars-clear").addEventListener("click", () => {
  picked = new Set();
  input.value = "";
  paint();
  report();
});

watch("value", () => {
  if ((props.value || "") === input.value) return;
  input.value = props.value || "";
  picked = parsed(input.value);
  paint();
});
watch("tints", () => { picked = parsed(input.value); build(); });

input.value = props.value || "";
picked = parsed(input.value);
build();
