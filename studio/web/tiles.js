// The body of a function that Gradio calls once. A click on a tile tells the server which job it stands for.
element.addEventListener("click", (event) => {
  const tile = event.target.closest("[data-job]");
  if (tile) trigger("select", { job: Number(tile.dataset.job) });
});
