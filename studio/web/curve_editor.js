// The body of the function that Gradio calls once with (element, trigger, props, server, upload, watch).
// Draws props.value = {keys, selected}, lets people move points, and reports it. A point that was moved loses
// its text; words and their points belong to the server. The svg is drawn in pixels of the page.

const NAMES = { v: "valence", a: "arousal" };
const TOP = 26, BOTTOM = 24, SIDE = 12, INSET = 12, HEIGHT = 208, SAMPLES = 33;
const STEP = 0.05, BIG_STEP = 0.25, REPORT_MS = 150, STIFF_PX = 10, APART = 0.01;
const find = (selector) => element.querySelector(selector);
const svg = find(".curve-svg"), layer = find(".curve-keys"), gradient = find(".curve-tints");
const clamp = (x) => Math.round(Math.max(-1, Math.min(1, x)) * 100) / 100 || 0;
const signed = (x) => (x > 0 ? "+" : x < 0 ? "\u2212" : "") + Math.abs(x).toFixed(2);
gradient.id = `curve-tints-${Math.random().toString(36).slice(2)}`;
find(".curve-band").setAttribute("fill", `url(#${gradient.id})`);

let keys, selected, span, width = 600, moved = false, drag = null, reportTimer = null, last = false, known, now = null;

function read() {
  const value = props.value || {};
  keys = (value.keys || []).map((key) => ({ ...key }));
  if (!keys.length) keys = [{ at: 0, unit: "progress", v: 0, a: 0, d: 0, text: "neutral" }];
  selected = Math.max(0, Math.min(value.selected || 0, keys.length - 1));
  span = inSeconds() ? spanS(keys[keys.length - 1].at) : 1;
  known = JSON.stringify(keys);
}

// What is known to end at props.length_s is drawn to its end, unless a point lies past it.
const spanS = (last) => (props.length_s >= last ? props.length_s : Math.max(1, last * 1.2));

const inSeconds = () => keys[0].unit === "seconds";
// Whether places are shown as times, whatever unit the points have.
const isTimed = () => Boolean(props.in_seconds && props.length_s);
const secondsOf = (at) => (inSeconds() ? at : at * props.length_s);
const x = (at) => SIDE + (at / span) * (width - 2 * SIDE);
const y = (value) => TOP + INSET + ((1 - value) / 2) * (HEIGHT - TOP - BOTTOM - 2 * INSET);
const placeText = (at) => (inSeconds() ? `${+at.toFixed(3)}s` : `${+(at * 100).toFixed(2)}%`);

const whereText = (at) => (isTimed() && !inSeconds() ? `${+secondsOf(at).toFixed(2)} s, ${placeText(at)}` : placeText(at));

function valueAt(at) {
  const after = keys.findIndex((key) => key.at > at);
  if (after === 0) return keys[0];
  if (after < 0) return keys[keys.length - 1];
  const [one, two] = [keys[after - 1], keys[after]], share = (at - one.at) / (two.at - one.at);
  return Object.fromEntries(["v", "a", "d"].map((axis) => [axis, one[axis] + (two[axis] - one[axis]) * share]));
}

// ---- drawing

function node(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  if (text !== undefined) made.textContent = text;
  return made;
}

function set(made, attributes) {
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
}

// The colours of the piano roll: hue is the direction on the plane, saturation how far from neutral.
function tint(v, a) {
  const rim = props.tints.slice(0, -1), middle = props.tints[props.tints.length - 1];
  const turn = ((Math.atan2(a, v) / (2 * Math.PI) + 1) % 1) * rim.length;
  const one = rim[Math.floor(turn) % rim.length], two = rim[Math.ceil(turn) % rim.length];
  const far = Math.min(1, Math.hypot(v, a)), mix = (p, q, share) => p + (q - p) * share;
  const parts = one.map((p, i) => Math.round(mix(middle[i], mix(p, two[i], turn % 1), far)));
  return `rgb(${parts.join(",")})`;
}

function build() {
  const held = layer.contains(document.activeElement) ? document.activeElement.dataset.axis : null;
  width = Math.max(240, svg.clientWidth || 600);
  layer.replaceChildren(...keys.map((key, index) => {
    const group = node("g", { "data-index": index });
    group.append(node("line", { class: "curve-stem", y1: TOP - 6, y2: HEIGHT - BOTTOM }));
    const grip = node("g", { class: "curve-grip" });
    grip.append(node("rect", { y: 0, height: TOP, width: 44, x: -22 }));
    grip.append(node("path", { d: `M-5 ${TOP - 9}h10l-5 8z` }), node("text", { y: 11 }));
    group.append(grip);
    for (const axis of ["v", "a"]) {
      const handle = node("g", {
        class: `curve-handle curve-handle-${axis}`, "data-axis": axis, tabindex: 0, role: "slider",
        "aria-valuemin": -1, "aria-valuemax": 1, "aria-orientation": "vertical",
        "aria-keyshortcuts": "ArrowUp ArrowDown ArrowLeft ArrowRight Home Insert Delete",
      });
      handle.append(node("circle", { class: "curve-halo", r: 15 }));
      if (axis === "v") handle.append(node("circle", { class: "curve-knob", r: 6 }));
      else handle.append(node("rect", { class: "curve-knob", x: -5.5, y: -5.5, width: 11, height: 11, rx: 1.5 }));
      group.append(handle);
    }
    return group;
  }));
  ruler();
  paint();
  if (held) focusOn(held);
}

function ruler() {
  const lines = [0.5, 0, -0.5].map((value) => node("line", { x1: SIDE, x2: width - SIDE, y1: y(value), y2: y(value) }));
  const texts = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
    const shown = inSeconds() || isTimed() ? `${+secondsOf(share * span).toFixed(1)} s` : `${share * 100}%`;
    return node("text", { x: x(share * span), y: HEIGHT - 8, "text-anchor": anchor }, shown);
  });
  find(".curve-ruler").replaceChildren(...lines, ...texts);
  const end = inSeconds() && isTimed() ? Math.min(props.length_s, span) : span;
  set(find(".curve-beyond"), { x: x(end), width: x(span) - x(end), y: TOP, height: HEIGHT - TOP - BOTTOM });
  set(find(".curve-band"), { x: SIDE, width: width - 2 * SIDE, y: TOP, height: HEIGHT - TOP - BOTTOM });
}

function paint() {
  for (const axis of ["v", "a"]) {
    const points = [{ ...keys[0], at: 0 }, ...keys, { ...keys[keys.length - 1], at: span }];
    const text = points.map((key) => `${x(Math.min(key.at, span))},${y(key[axis])}`).join(" ");
    find(`.curve-line.curve-${axis}`).setAttribute("points", text);
  }
  set(gradient, { x1: SIDE, x2: width - SIDE });
  gradient.replaceChildren(...Array.from({ length: SAMPLES }, (_, index) => {
    const share = index / (SAMPLES - 1), value = valueAt(share * span);
    return node("stop", { offset: share, "stop-color": tint(value.v, value.a) });
  }));
  [...layer.children].forEach(paintKey);
  paintNow();
  find(".curve-remove").disabled = keys.length < 2;
  find(".curve-add").disabled = keys.length >= props.most;
}

function paintKey(group, index) {
  const key = keys[index], left = x(Math.min(key.at, span));
  group.classList.toggle("curve-chosen", index === selected);
  set(group.querySelector(".curve-stem"), { x1: left, x2: left });
  const grip = group.querySelector(".curve-grip"), text = grip.querySelector("text");
  grip.setAttribute("transform", `translate(${left} 0)`);
  const last = index === keys.length - 1 && left > width / 2;
  const room = last ? left - x(index ? keys[index - 1].at : 0) - 40 : (index + 1 < keys.length ? x(keys[index + 1].at) : width) - left - 14;
  set(text, { "text-anchor": last ? "end" : "start", x: last ? 8 : -8 });
  text.textContent = short(nameOf(key), Math.floor(room / 6.4));
  const crowded = Math.abs(y(key.v) - y(key.a)) < 13;
  for (const [axis, side] of [["v", -7], ["a", 7]]) {
    const handle = group.querySelector(`.curve-handle-${axis}`), where = whereText(key.at);
    handle.setAttribute("transform", `translate(${left + (crowded ? side : 0)} ${y(key[axis])})`);
    set(handle, {
      "aria-valuenow": key[axis],
      "aria-valuetext": `${signed(key[axis])} at ${where}`,
      "aria-label": `${NAMES[axis]} of point ${index + 1} of ${keys.length}`,
    });
  }
}

// The moment that a player beside the editor shows.
function paintNow() {
  const at = now === null ? null : inSeconds() ? now : now / props.length_s;
  const line = find(".curve-now");
  line.setAttribute("visibility", at === null || !(at <= span) ? "hidden" : "visible");
  if (at !== null && at <= span) set(line, { x1: x(at), x2: x(at), y1: TOP - 4, y2: HEIGHT - BOTTOM + 4 });
}

const nameOf = (key) => (key.text && !/=/.test(key.text) ? key.text : "");
const short = (text, most) => (text.length <= most ? text : most < 3 ? "" : `${text.slice(0, most - 1)}\u2026`);

// ---- changing

function textOf(key) {
  if (key.text) return key.text;
  if (!key.v && !key.a && !key.d) return "neutral";
  return ["v", "a", "d"].map((axis) => `${axis}=${key[axis]}`).join(" ");
}

function curveText(list) {
  if (list.length === 1 && list[0].at === 0) return textOf(list[0]);
  return list.map((key) => `${textOf(key)}@${placeText(key.at)}`).join(", ");
}

const sameKeys = (other) => Boolean(other) && (other.keys || []).length === keys.length && keys.every((key, index) =>
  ["at", "v", "a", "d"].every((name) => Math.abs(key[name] - other.keys[index][name]) < 1e-9));

// The text of a change that the page has not taken in yet, null when it has. `point`: what the pad says about
// the chosen point and the page has not heard either, null where it has.
find(".curve").newest = (point) => {
  if (point === null && (!moved || sameKeys(props.heard))) return null;
  return curveText(point === null ? keys : keys.map((key, index) => (index === selected ? { ...key, text: point } : key)));
};

function report() {
  reportTimer = null;
  props.value = { keys: keys.map((key) => ({ ...key })), selected };
  trigger("input");
}

function changed(now) {
  moved = true;
  paint();
  if (now && reportTimer) clearTimeout(reportTimer);
  if (now) report();
  else reportTimer = reportTimer || setTimeout(report, REPORT_MS);
}

function choose(index) {
  if (index === selected) return;
  selected = index;
  changed(false);
}

function setValue(index, axis, value) {
  const key = keys[index], next = clamp(value);
  if (next === key[axis]) return;
  Object.assign(key, { v: clamp(key.v), a: clamp(key.a), d: clamp(key.d), [axis]: next });
  delete key.text;
}

function setPlace(index, at) {
  const least = index ? keys[index - 1].at + APART * span : 0;
  const most = index + 1 < keys.length ? keys[index + 1].at - APART * span : span;
  const fine = inSeconds() ? 10 : 200;
  let next = Math.round(at * fine) / fine;
  if (next < 0.015 * span) next = 0;
  if (!inSeconds() && next > 0.985) next = 1;
  if (next >= least - 1e-9 && next <= most + 1e-9) keys[index].at = next;
}

function add(at) {
  if (keys.length >= props.most) return;
  if (isTimed() && !inSeconds() && keys.length === 1 && keys[0].at === 0) {  // a curve begins: in seconds
    keys[0].unit = "seconds";
    at *= props.length_s;
    span = spanS(0);
  }
  const near = keys.findIndex((key) => Math.abs(key.at - at) < 2 * APART * span);
  if (near >= 0) return choose(near);
  const value = valueAt(at), key = { at, unit: keys[0].unit };
  for (const axis of ["v", "a", "d"]) key[axis] = value.text ? value[axis] : clamp(value[axis]);
  if (value.text) key.text = value.text;
  keys.push(key);
  keys.sort((one, two) => one.at - two.at);
  selected = keys.indexOf(key);
  build();
  changed(true);
}

function addSomewhere() {
  const next = keys[selected + 1], own = keys[selected].at;
  if (next) return add(tidy((own + next.at) / 2));
  if (own < span * 0.97) return add(span);
  add(tidy((own + (selected ? keys[selected - 1].at : 0)) / 2));
}

const tidy = (at) => (inSeconds() ? Math.round(at * 10) / 10 : Math.round(at * 200) / 200);

function remove() {
  if (keys.length < 2) return;
  keys.splice(selected, 1);
  selected = Math.max(0, selected - 1);
  build();
  changed(true);
}

function focusOn(axis) {
  layer.children[selected]?.querySelector(`.curve-handle-${axis}`)?.focus({ preventScroll: true });
}

// ---- hands and keys

svg.addEventListener("pointerdown", (event) => {
  const group = event.target.closest("[data-index]");
  if (event.button !== 0 || !group || !event.target.closest(".curve-handle, .curve-grip")) return;
  const index = Number(group.dataset.index), axis = event.target.closest(".curve-handle")?.dataset.axis;
  drag = { index, axis, x: event.clientX, y: event.clientY, at: keys[index].at, value: keys[index][axis], slide: !axis };
  svg.setPointerCapture(event.pointerId);
  event.preventDefault();
  choose(index);
  if (axis) focusOn(axis);
});

svg.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const right = event.clientX - drag.x, down = event.clientY - drag.y;
  if (Math.abs(right) > STIFF_PX) drag.slide = true;
  const free = drag.axis ? right - Math.sign(right) * Math.min(Math.abs(right), STIFF_PX) : right;
  if (drag.slide) setPlace(drag.index, drag.at + (free / (width - 2 * SIDE)) * span);
  const one = y(0) - y(1);
  if (drag.axis && Math.abs(down) > 2) setValue(drag.index, drag.axis, drag.value - down / one);
  changed(false);
});

for (const end of ["pointerup", "pointercancel"]) {
  svg.addEventListener(end, () => {
    if (!drag) return;
    drag = null;
    changed(true);
  });
}

svg.addEventListener("dblclick", (event) => {
  if (event.target.closest(".curve-handle, .curve-grip")) return;
  const left = event.clientX - svg.getBoundingClientRect().left;
  add(Math.max(0, Math.min(span, tidy(((left - SIDE) / (width - 2 * SIDE)) * span))));
});

// A click beside the points asks the player of the same clock for that moment, and the player says where it is.
svg.addEventListener("click", (event) => {
  if (!props.clock || !isTimed() || event.target.closest(".curve-handle, .curve-grip")) return;
  const left = event.clientX - svg.getBoundingClientRect().left;
  const share = Math.max(0, Math.min(1, (left - SIDE) / (width - 2 * SIDE)));
  const detail = { clock: props.clock, time_s: secondsOf(share * span) };
  document.dispatchEvent(new CustomEvent("moment-asked", { detail }));
});
document.addEventListener("moment-shown", (event) => {
  if (!props.clock || event.detail.clock !== props.clock || !isTimed()) return;
  now = event.detail.time_s;
  paintNow();
});

layer.addEventListener("focusin", (event) => choose(Number(event.target.closest("[data-index]").dataset.index)));

layer.addEventListener("keydown", (event) => {
  const axis = event.target.dataset.axis, key = keys[selected];
  if (!axis) return;
  const size = event.shiftKey ? BIG_STEP : STEP, slide = (event.shiftKey ? 0.05 : 0.01) * span;
  const act = {
    ArrowUp: () => setValue(selected, axis, key[axis] + size),
    ArrowDown: () => setValue(selected, axis, key[axis] - size),
    ArrowLeft: () => setPlace(selected, key.at - slide - (key.at >= 0.985 * span ? 0.01 * span : 0)),
    ArrowRight: () => setPlace(selected, key.at + slide + (key.at < 0.015 * span ? 0.01 * span : 0)),
    Home: () => setValue(selected, axis, 0),
    Insert: addSomewhere, "+": addSomewhere, Delete: remove, Backspace: remove,
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
  focusOn(axis);
  changed(false);
});

find(".curve-add").addEventListener("click", addSomewhere);
find(".curve-remove").addEventListener("click", remove);
new ResizeObserver(() => { if (!drag && Math.abs(svg.clientWidth - width) > 1 && svg.clientWidth) build(); }).observe(svg);

for (const act of ["pointerdown", "keydown", "drop", "input"]) {
  document.addEventListener(act, (event) => {
    const here = element.contains(event.target);
    if (!here && last && !reportTimer) known = JSON.stringify(keys);
    last = here;
  }, true);
}

// An answer to something earlier comes when it likes. It does not undo what was done last, a move here; where the
// hand has only chosen another point, that choice stays.
watch("value", () => {
  const value = props.value || {};
  const ahead = drag || reportTimer || last, isChosen = moved;
  if (ahead && JSON.stringify(keys) !== known) {
    props.value = { keys: keys.map((key) => ({ ...key })), selected };
    return;
  }
  if (ahead) props.value = { ...value, selected: Math.min(selected, (value.keys || [0]).length - 1) };
  take(props.value || {});
  if (ahead && isChosen) changed(true);  // the server knows this choice with the points of before
});

function take(value) {
  if (sameKeys(value) && value.selected === selected && keys.every((key, index) => key.text === value.keys[index].text)) return;
  moved = false;
  read();
  build();
  drag = drag && keys[drag.index] ? { ...drag, at: keys[drag.index].at, value: keys[drag.index][drag.axis] } : null;
}

watch("length_s", () => {
  if (drag || !(inSeconds() || props.in_seconds)) return;
  if (inSeconds()) span = spanS(keys[keys.length - 1].at);
  build();
});

read();
build();
