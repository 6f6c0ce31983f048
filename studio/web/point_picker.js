// The body of the function that Gradio calls once. The svg is drawn in pixels of the picture, props.size; its
// view is the face or all of it. Left and right are the person's own, so "right" is on the left side.

const LINES = [
  ["right_eye_outer", "right_lid_upper", "right_eye_inner", "right_lid_lower", "right_eye_outer"],
  ["left_eye_outer", "left_lid_upper", "left_eye_inner", "left_lid_lower", "left_eye_outer"],
  ["mouth_right", "upper_lip", "mouth_left", "lower_lip", "mouth_right"],
];
const STEP_PX = 1, BIG_STEP_PX = 10, REPORT_MS = 200, AROUND = 0.55;
const find = (selector) => element.querySelector(selector);
const svg = find(".points-svg"), layer = find(".points-all"), picture = find(".points-picture");
const words = (name) => name.replaceAll("_", " ");
const round = (value) => Math.round(value * 10) / 10;

let points = {}, whole = false, view = [0, 0, 1, 1], drag = null, timer = null, current = "";

function node(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

function read() {
  points = Object.fromEntries(Object.entries(props.value || {}).map(([name, at]) => [name, [...at]]));
}

function frame() {
  const [width, height] = props.size || [1, 1], all = Object.values(points);
  view = [0, 0, width, height];
  if (!whole && all.length) {
    const [xs, ys] = [0, 1].map((axis) => all.map((at) => at[axis]));
    const side = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) * (1 + AROUND);
    const span = [Math.min(width, Math.max(side, 16)), Math.min(height, Math.max(side, 16))];
    const start = [xs, ys].map((values, axis) => (Math.max(...values) + Math.min(...values) - span[axis]) / 2);
    const clamped = start.map((value, axis) => Math.max(0, Math.min([width, height][axis] - span[axis], value)));
    view = [...clamped, ...span];
  }
  svg.setAttribute("viewBox", view.join(" "));
  svg.style.aspectRatio = `${view[2]} / ${view[3]}`;
  picture.setAttribute("width", width);
  picture.setAttribute("height", height);
  if (picture.getAttribute("href") !== props.picture) picture.setAttribute("href", props.picture || "");
  find(".points-zoom").textContent = whole ? "The face" : "Whole picture";
  paint();
}

// Pixels of the picture per pixel of the page.
const scale = () => view[2] / Math.max(1, svg.clientWidth);

function build() {
  const held = layer.contains(document.activeElement) ? document.activeElement.dataset.name : "";
  layer.replaceChildren(...Object.keys(points).map((name) => {
    const group = node("g", {
      class: "points-one", "data-name": name, tabindex: 0, role: "slider", "aria-label": words(name),
      "aria-keyshortcuts": "ArrowUp ArrowDown ArrowLeft ArrowRight",
    });
    group.append(node("circle", { class: "points-halo" }), node("circle", { class: "points-dot" }));
    return group;
  }));
  frame();
  if (held) focusOn(held);
}

function paint() {
  const unit = scale();
  for (const group of layer.children) {
    const [x, y] = points[group.dataset.name];
    group.setAttribute("transform", `translate(${x} ${y}) scale(${unit})`);
    group.querySelector(".points-halo").setAttribute("r", 14);
    group.querySelector(".points-dot").setAttribute("r", 4.5);
    group.classList.toggle("points-current", group.dataset.name === current);
    group.setAttribute("aria-valuenow", Math.round(x));
    group.setAttribute("aria-valuetext", `${Math.round(x)} across, ${Math.round(y)} down`);
  }
  find(".points-lines").replaceChildren(...LINES.map((names) => node("polyline", {
    points: names.filter((name) => points[name]).map((name) => points[name].join(",")).join(" "),
    "stroke-width": 1.4 * unit,
  })));
  find(".points-name").textContent = current ? words(current) : "left and right are the person's own";
}

function report() {
  timer = null;
  props.value = Object.fromEntries(Object.entries(points).map(([name, at]) => [name, [...at]]));
  trigger("input");
}

function changed(now) {
  paint();
  if (timer && now) clearTimeout(timer);
  if (now) report();
  else timer = timer || setTimeout(report, REPORT_MS);
}

function put(name, x, y) {
  const [width, height] = props.size;
  points[name] = [round(Math.max(0, Math.min(width, x))), round(Math.max(0, Math.min(height, y)))];
}

function focusOn(name) {
  [...layer.children].find((each) => each.dataset.name === name)?.focus({ preventScroll: true });
}

svg.addEventListener("pointerdown", (event) => {
  const group = event.target.closest(".points-one");
  if (!group || event.button !== 0) return;
  const name = group.dataset.name;
  drag = { name, x: event.clientX, y: event.clientY, at: points[name], moved: false };
  current = name;
  svg.setPointerCapture(event.pointerId);
  event.preventDefault();
  focusOn(name);
  paint();
});
svg.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const unit = scale();
  drag.moved = true;
  put(drag.name, drag.at[0] + (event.clientX - drag.x) * unit, drag.at[1] + (event.clientY - drag.y) * unit);
  paint();
});
for (const end of ["pointerup", "pointercancel"]) {
  svg.addEventListener(end, () => {
    const done = drag;
    drag = null;
    if (done?.moved) changed(true);
  });
}
layer.addEventListener("focusin", (event) => {
  current = event.target.closest(".points-one").dataset.name;
  paint();
});
layer.addEventListener("keydown", (event) => {
  const name = event.target.dataset.name, size = (event.shiftKey ? BIG_STEP_PX : STEP_PX) * scale();
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!step || !points[name]) return;
  event.preventDefault();
  put(name, points[name][0] + step[0] * size, points[name][1] + step[1] * size);
  changed(false);
});
find(".points-zoom").addEventListener("click", () => { whole = !whole; frame(); });
new ResizeObserver(() => { if (!drag && svg.clientWidth) paint(); }).observe(svg);

watch("value", () => {
  if (drag || timer) return;
  const same = JSON.stringify(props.value || {}) === JSON.stringify(points);
  if (same) return;
  read();
  current = "";
  build();
});
watch("picture", () => { whole = false; read(); build(); });
watch("size", frame);

read();
build();
