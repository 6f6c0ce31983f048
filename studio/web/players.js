// The body of a function that Gradio calls once. Shows props.value; a figure that is the same as before stays
// the very same node, so that what plays in it is not stopped. Only one of them plays at a time.
const box = element.querySelector(".players");

function paint() {
  const next = document.createElement("template");
  next.innerHTML = props.value || "";
  const fresh = next.content.firstElementChild, old = box.firstElementChild;
  if (!fresh || !old || fresh.className !== old.className) {
    box.replaceChildren(next.content);
    remember(box);
    return;
  }
  const before = new Map([...old.children].map((each) => [each.dataset.key, each]));
  const children = [...fresh.children].map((each) => {
    const known = each.dataset.key ? before.get(each.dataset.key) : null;
    return known && known.source === each.outerHTML ? known : each;
  });
  remember(fresh);
  old.replaceChildren(...children);
}

function remember(within) {
  within.querySelectorAll("[data-key]").forEach((each) => { each.source = each.outerHTML; });
}

box.addEventListener("play", (event) => {
  document.querySelectorAll("audio, video").forEach((each) => { if (each !== event.target) each.pause(); });
}, true);
box.addEventListener("click", (event) => {
  const tile = event.target.closest("[data-job]");
  if (tile) trigger("select", { job: Number(tile.dataset.job) });
});
watch("value", paint);
paint();
