// The body of the function that Gradio calls once. Draws props.value (see speech_strip.py) in pixels of the page, with
// the margins of the curve editor. Pointer or arrow keys (by sound, with Shift by word) read it out.

const SIDE = 12, WAVE = 46, WORDS = 64, PHONES = 84, HEIGHT = 90, LETTER_PX = 7.4;
const find = (selector) => element.querySelector(selector);
const box = find(".speech"), svg = find(".speech-svg"), cursor = find(".speech-cursor");
let value = null, width = 600, at = null;

const x = (time) => SIDE + (time / value.length_s) * (width - 2 * SIDE);

function node(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, each]) => made.setAttribute(key, each));
  if (text !== undefined) made.textContent = text;
  return made;
}

function wave() {
  const middle = WAVE / 2, step = (width - 2 * SIDE) / value.bars.length;
  const half = (bar) => Math.max(0.5, (bar / 100) * (middle - 2));
  const upper = value.bars.map((bar, index) => `${(SIDE + (index + 0.5) * step).toFixed(1)},${(middle - half(bar)).toFixed(1)}`);
  const lower = value.bars.map((bar, index) => `${(SIDE + (index + 0.5) * step).toFixed(1)},${(middle + half(bar)).toFixed(1)}`);
  return `M${upper.join("L")}L${lower.reverse().join("L")}Z`;
}

// A label where it fits; what is left out can be read below the strip.
function label(text, start, end, y, kind) {
  const room = x(end) - x(start), fits = Math.floor(room / LETTER_PX);
  if (fits < 1 || (fits < text.length && fits < 4)) return null;
  const shown = text.length <= fits ? text : `${text.slice(0, fits - 1)}\u2026`;
  return node("text", { class: kind, x: (x(start) + x(end)) / 2, y, "text-anchor": "middle" }, shown);
}

function build() {
  value = props.value;
  box.hidden = !value;
  if (!value) return;
  width = Math.max(240, svg.clientWidth || 600);
  find(".speech-wave").setAttribute("d", wave());
  find(".speech-words").replaceChildren(...value.words.flatMap(([text, start, end]) => [
    node("line", { class: "speech-word", x1: x(start) + 1, x2: Math.max(x(start) + 2, x(end) - 1), y1: WORDS - 14, y2: WORDS - 14 }),
    label(text, start, end, WORDS, "speech-text"),
  ].filter(Boolean)));
  find(".speech-phones").replaceChildren(...value.phones.flatMap(([symbol, kind, start, end]) => [
    node("rect", { class: `speech-phone speech-${kind}`, x: x(start), width: Math.max(0.6, x(end) - x(start) - 0.8), y: PHONES - 12, height: 15, rx: 2.5 }),
    label(symbol, start, end, PHONES, "speech-symbol"),
  ].filter(Boolean)));
  svg.setAttribute("aria-valuemax", value.length_s);
  show(document.activeElement === svg ? at : null);  // a line that is heard anew keeps the place of who reads it
}

const within = (spans, first, time) => spans.find((span) => time >= span[first] && time < span[first + 1]);

function show(time) {
  at = time === null ? null : Math.max(0, Math.min(value.length_s, time));
  cursor.setAttribute("visibility", at === null ? "hidden" : "visible");
  const count = value.words.length, words = count ? `${count} word${count > 1 ? "s" : ""}` : "words unknown";
  const length = `${value.length_s.toFixed(1)} s, ${words}`;
  if (at === null) {
    find(".speech-readout").textContent = value.phones.length ? length : `${length}, sounds unknown`;
    return;
  }
  for (const [key, each] of Object.entries({ x1: x(at), x2: x(at), y1: 0, y2: HEIGHT })) cursor.setAttribute(key, each);
  const word = within(value.words, 1, at), phone = within(value.phones, 2, at);
  const parts = [`${at.toFixed(2)} s`, word && `\u201c${word[0]}\u201d`, phone && phone[0] ? `sound ${phone[0]}` : !word && "silence"];
  const text = parts.filter(Boolean).join(", ");
  find(".speech-readout").textContent = text;
  svg.setAttribute("aria-valuenow", at.toFixed(2));
  svg.setAttribute("aria-valuetext", text);
}

svg.addEventListener("pointermove", (event) => {
  if (!value) return;
  const left = event.clientX - svg.getBoundingClientRect().left;
  show(((left - SIDE) / (width - 2 * SIDE)) * value.length_s);
});
svg.addEventListener("pointerleave", () => { if (value && document.activeElement !== svg) show(null); });
svg.addEventListener("focus", () => { if (value && at === null) show(0); });
svg.addEventListener("blur", () => { if (value) show(null); });
svg.addEventListener("keydown", (event) => {
  if (!value) return;
  const [spans, first] = event.shiftKey || !value.phones.length ? [value.words, 1] : [value.phones, 2];
  const starts = spans.map((span) => span[first] + 1e-4), now = at ?? 0;
  const next = {
    ArrowRight: () => starts.find((start) => start > now + 1e-3) ?? value.length_s,
    ArrowLeft: () => [...starts].reverse().find((start) => start < now - 1e-3) ?? 0,
    Home: () => 0,
    End: () => value.length_s,
  }[event.key];
  if (!next) return;
  event.preventDefault();
  show(next());
});

new ResizeObserver(() => { if (value && svg.clientWidth && Math.abs(svg.clientWidth - width) > 1) build(); }).observe(element);
watch("value", build);
build();
