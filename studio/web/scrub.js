
// ---- moments: after players.js, whose `box` holds the clips. A click or drag on a strip of frames, its arrow keys,
// and whoever asks on the page ("moment-asked") bring a player to a moment; every player says where it is
// ("moment-shown"). Both name the clock, so that pages do not hear each other.

const SHOWN = ["timeupdate", "seeking", "seeked", "loadedmetadata", "durationchange"];
let scrubbing = null, current = null;

const playerOf = (part) => part.closest("figure")?.querySelector("video");
const spanOf = (scrub) => [Number(scrub.dataset.from), Number(scrub.dataset.to)];

function goTo(video, time_s) {
  if (!video) return;
  current = video;
  const seek = () => { video.currentTime = Math.max(0, Math.min(time_s, video.duration - 1e-3)); };
  if (video.duration > 0) seek();
  else { video.addEventListener("loadedmetadata", seek, { once: true }); video.load(); }
}

function showMoment(video) {
  const scrub = video.closest("figure")?.querySelector(".scrub"), length = video.duration;
  if (!scrub || !(length > 0)) return;
  const [from, to] = spanOf(scrub), share = from + (to - from) * Math.min(1, video.currentTime / length);
  scrub.querySelector(".scrub-now").style.left = `${share * 100}%`;
  scrub.setAttribute("aria-valuemax", length.toFixed(2));
  scrub.setAttribute("aria-valuenow", video.currentTime.toFixed(2));
  scrub.setAttribute("aria-valuetext", `${video.currentTime.toFixed(2)} of ${length.toFixed(1)} seconds`);
  if (!scrubbing && scrub.scrollWidth > scrub.clientWidth) {
    scrub.scrollLeft = share * scrub.scrollWidth - scrub.clientWidth / 2;
  }
}

function tell(video) {
  showMoment(video);
  const detail = { clock: props.clock, time_s: video.currentTime };
  if (props.clock) document.dispatchEvent(new CustomEvent("moment-shown", { detail }));
}

function follow(video) {
  if (!video.isConnected || video.paused || video.ended) return;
  tell(video);
  requestAnimationFrame(() => follow(video));
}

for (const kind of SHOWN) {
  box.addEventListener(kind, (event) => {
    if (event.target.currentTime > 0 || kind === "seeked") tell(event.target);
    else showMoment(event.target);
  }, true);
}
box.addEventListener("play", (event) => { current = event.target; follow(event.target); }, true);

function scrubTo(event) {
  const page = scrubbing.querySelector(".scrub-page").getBoundingClientRect(), [from, to] = spanOf(scrubbing);
  const share = ((event.clientX - page.left) / page.width - from) / (to - from), video = playerOf(scrubbing);
  goTo(video, Math.max(0, Math.min(1, share)) * (video.duration || 0));
}

box.addEventListener("pointerdown", (event) => {
  const scrub = event.target.closest(".scrub");
  if (!scrub || event.button !== 0 || event.pointerType === "touch") return;  // a finger scrolls, and taps
  scrubbing = scrub;
  scrub.setPointerCapture(event.pointerId);
  scrubTo(event);
});
box.addEventListener("pointermove", (event) => { if (scrubbing) scrubTo(event); });
for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, () => { scrubbing = null; });
box.addEventListener("click", (event) => {
  const scrub = event.target.closest(".scrub");
  if (!scrub || event.pointerType !== "touch") return;
  scrubbing = scrub;
  scrubTo(event);
  scrubbing = null;
});

box.addEventListener("keydown", (event) => {
  const scrub = event.target.closest(".scrub"), video = scrub && playerOf(scrub);
  if (!video) return;
  const rate = Number(scrub.dataset.rate) || 12, at = Math.floor(video.currentTime * rate + 1e-3);
  const far = event.shiftKey ? Math.round(rate) : 1, middle = (frame) => (Math.max(0, frame) + 0.5) / rate;
  const act = {
    ArrowLeft: () => goTo(video, middle(at - far)),
    ArrowDown: () => goTo(video, middle(at - far)),
    ArrowRight: () => goTo(video, middle(at + far)),
    ArrowUp: () => goTo(video, middle(at + far)),
    Home: () => goTo(video, 0),
    End: () => goTo(video, video.duration || 0),
    " ": () => (video.paused ? video.play() : video.pause()),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

document.addEventListener("moment-asked", (event) => {
  if (!props.clock || event.detail.clock !== props.clock) return;
  goTo(current?.isConnected ? current : box.querySelector("video"), event.detail.time_s);
});
