// The body of the function that Gradio calls once. A slider for each unit of props.units; props.value says which are
// held, `AU4=0.8, AU12=0.3`, and props.asked what the feeling asks for.

const REPORT_MS = 150;
const box = element.querySelector(".muscles-all"), free = element.querySelector(".muscles-free");
let held = {}, rows = {}, timer = null;

function parsed(text) {
  const entries = (text || "").split(",").map((entry) => entry.match(/AU(\d+)=([\d.]+)/)).filter(Boolean);
  return Object.fromEntries(entries.map(([, number, value]) => [number, Number(value)]));
}

const written = () => Object.entries(held).map(([number, value]) => `AU${number}=${value}`).join(", ");

function make(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text) made.textContent = text;
  return made;
}

function row([number, plain, name]) {
  const line = make("div", "muscles-row"), range = document.createElement("input"), track = make("span", "muscles-track");
  Object.assign(range, { type: "range", min: 0, max: 1, step: 0.05, title: `AU${number}, ${name}` });
  range.setAttribute("aria-label", `${plain}, AU${number}`);
  const dot = make("i", "muscles-dot"), value = make("output", "muscles-value");
  const release = make("button", "muscles-release", "\u00d7");
  Object.assign(release, { type: "button", title: `Let go of AU${number}` });
  release.setAttribute("aria-label", `Let go of ${plain}`);
  range.addEventListener("input", () => { held[number] = Number(range.value); changed(); });
  release.addEventListener("click", () => { delete held[number]; range.focus(); changed(); });
  track.append(range, dot);
  const words = make("span", "muscles-words", plain);
  words.append(make("small", "", ` AU${number}`));
  line.append(words, track, value, release);
  rows[number] = { line, range, dot, value, release };
  return line;
}

function build() {
  rows = {};
  box.replaceChildren(...(props.units || []).map(([title, units]) => {
    const group = make("fieldset", "muscles-region");
    group.append(make("legend", "", title), ...units.map(row));
    return group;
  }));
  paint();
}

function paint() {
  const asked = props.asked || {};
  for (const [number, { line, range, dot, value, release }] of Object.entries(rows)) {
    const isHeld = number in held, wanted = asked[number] || 0;
    const shown = isHeld ? held[number] : wanted;
    line.classList.toggle("muscles-held", isHeld);
    if (Number(range.value) !== shown) range.value = shown;
    range.setAttribute("aria-valuetext", `${shown.toFixed(2)}${isHeld ? ", held" : ", from the feeling"}`);
    dot.style.left = `calc(8px + ${wanted} * (100% - 16px))`;
    value.textContent = shown ? shown.toFixed(2) : "0";
    release.style.visibility = isHeld ? "visible" : "hidden";
  }
  free.disabled = !Object.keys(held).length;
}

function changed() {
  paint();
  timer = timer || setTimeout(() => {
    timer = null;
    props.value = written();
    trigger("input");
  }, REPORT_MS);
}

free.addEventListener("click", () => { held = {}; changed(); });
watch("value", () => { if (!timer) { held = parsed(props.value); paint(); } });
watch("asked", paint);

held = parsed(props.value);
build();
