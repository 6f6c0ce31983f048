// The body of the function that Gradio calls once with (element, trigger, props, server, upload, watch).
// Draws props.value, lets people move it, and reports moves. It knows no emotion: words, their points and the
// readout come from the server. Listeners sit on nodes of the template, which is never rendered again.

const AXES = ["valence", "arousal", "dominance"];
const STEP = 0.05, BIG_STEP = 0.25, REPORT_MS = 150;
const find = (selector) => element.querySelector(selector);
const svg = find(".affect-svg"), handle = find(".affect-handle"), range = find(".affect-range");
const clamp = (x) => Math.round(Math.max(-1, Math.min(1, x)) * 100) / 100 || 0;
const signed = (x) => (x > 0 ? "+" : x < 0 ? "\u2212" : "") + Math.abs(x).toFixed(2);

let point = read(), moved = false, dragging = false, reportTimer = null, asked = 0, last = false;

function read() {
  const value = props.value || {};
  return Object.fromEntries(AXES.map((axis) => [axis, clamp(Number(value[axis]) || 0)]));
}

function paint() {
  const x = point.valence * 100, y = -point.arousal * 100;
  handle.setAttribute("transform", `translate(${x} ${y})`);
  find(".affect-stem").setAttribute("x2", x);
  find(".affect-stem").setAttribute("y2", y);
  const words = `valence ${signed(point.valence)}, arousal ${signed(point.arousal)}`;
  handle.setAttribute("aria-valuenow", point.valence);
  handle.setAttribute("aria-valuetext", words);
  range.value = point.dominance;
  range.setAttribute("aria-valuetext", signed(point.dominance));
  element.querySelectorAll(".affect-numbers b").forEach((node, index) => {
    node.textContent = signed(point[AXES[index]]);
  });
  fadeWords();
}

// Words far away in dominance step back: fear and anger share a place on the plane and differ only there.
function fadeWords() {
  element.querySelectorAll(".affect-word").forEach((node) => {
    const distance = Math.abs(point.dominance - Number(node.dataset.dominance));
    node.style.opacity = Math.max(0.25, 1 - 0.75 * Math.max(0, distance - 0.35));
  });
}

function svgNode(name, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
  if (text) node.textContent = text;
  return node;
}

function drawWords() {
  const layer = find(".affect-words");
  layer.replaceChildren();
  (props.words || []).forEach((word) => {
    const group = svgNode("g", { class: "affect-word", "data-dominance": word.dominance });
    group.append(svgNode("circle", { cx: word.valence * 100, cy: -word.arousal * 100, r: 1.7 }));
    const place = { x: word.text_x * 100, y: -word.text_y * 100, "text-anchor": word.anchor };
    group.append(svgNode("text", place, word.label));
    layer.append(group);
  });
}

function drawTrail() {
  const points = (props.trail || []).map((p) => `${p[0] * 100},${-p[1] * 100}`);
  find(".affect-trail").setAttribute("points", points.join(" "));
}

function drawNumbers() {
  const nodes = AXES.map((axis) => {
    const node = document.createElement("span");
    node.append(axis + " ", document.createElement("b"));
    return node;
  });
  find(".affect-numbers").replaceChildren(...nodes);
}

async function askNearest() {
  const mine = ++asked;
  const answer = await server.describe({ ...point, taxonomy: props.taxonomy });
  if (mine === asked) find(".affect-nearest").textContent = answer.error || answer.nearest;
}

function report() {
  reportTimer = null;
  props.value = { ...point };
  trigger("input");
  askNearest();
}

const isAt = (place) => Boolean(place) && AXES.every((axis) => point[axis] === clamp(place[axis]));

// The text of a move that the page has not taken in yet, null when it has: whoever reads the emotion while a
// report is under way asks here. The server says in props.heard which move it has answered.
find(".affect").newest = () => {
  if (!moved || isAt(props.heard)) return null;
  if (isAt({ valence: 0, arousal: 0, dominance: 0 })) return "neutral";
  return AXES.map((axis) => `${axis[0]}=${point[axis]}`).join(" ");
};

function moveTo(change, now) {
  moved = true;
  for (const axis of Object.keys(change)) point[axis] = clamp(change[axis]);
  paint();
  if (now && reportTimer) clearTimeout(reportTimer);
  if (now) report();
  else reportTimer = reportTimer || setTimeout(report, REPORT_MS);
}

function under(event) {
  const box = svg.getScreenCTM().inverse();
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(box);
  return { valence: at.x / 100, arousal: -at.y / 100 };
}

svg.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  dragging = true;
  svg.setPointerCapture(event.pointerId);
  handle.focus({ preventScroll: true });
  event.preventDefault();
  moveTo(under(event), false);
});
svg.addEventListener("pointermove", (event) => { if (dragging) moveTo(under(event), false); });
for (const end of ["pointerup", "pointercancel"]) {
  svg.addEventListener(end, (event) => {
    if (!dragging) return;
    dragging = false;
    moveTo(end === "pointerup" ? under(event) : {}, true);
  });
}

function onArrow(event, moves, home) {
  const size = event.shiftKey ? BIG_STEP : STEP;
  const change = event.key === "Home" ? home : moves(size)[event.key];
  if (!change) return;
  event.preventDefault();
  moveTo(change, false);
}

handle.addEventListener("keydown", (event) => onArrow(event, (size) => ({
  ArrowLeft: { valence: point.valence - size },
  ArrowRight: { valence: point.valence + size },
  ArrowUp: { arousal: point.arousal + size },
  ArrowDown: { arousal: point.arousal - size },
}), { valence: 0, arousal: 0, dominance: 0 }));

range.addEventListener("keydown", (event) => onArrow(event, (size) => ({
  ArrowLeft: { dominance: point.dominance - size },
  ArrowRight: { dominance: point.dominance + size },
  ArrowUp: { dominance: point.dominance + size },
  ArrowDown: { dominance: point.dominance - size },
}), { dominance: 0 }));
range.addEventListener("input", () => moveTo({ dominance: Number(range.value) }, false));

for (const act of ["pointerdown", "keydown", "drop", "input"]) {
  document.addEventListener(act, (event) => { last = element.contains(event.target); }, true);
}

// An answer to something earlier comes when it likes: it does not undo what was done last, a move here.
watch("value", () => {
  if (isAt(props.value) || dragging || reportTimer) return;
  if (last && moved) {
    props.value = { ...point };
    return;
  }
  moved = false;
  point = read();
  paint();
  askNearest();
});
watch("words", () => { drawWords(); fadeWords(); });
watch("taxonomy", askNearest);
watch("trail", drawTrail);

drawNumbers();
drawWords();
drawTrail();
paint();
askNearest();
