() => {
  // Gradio's text box reports typing when a key makes a character: deleting, pasting and cutting go unnoticed.
  document.addEventListener("input", (event) => {
    if (!event.target.closest(".emotion-text")) return;
    setTimeout(() => event.target.dispatchEvent(new KeyboardEvent("keypress", { key: "Unidentified" })));
  });
  // On a phone the result is below the form; beside a long form it may be above what is seen.
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".make")) return;
    const stage = event.target.closest('[role="tabpanel"]').querySelector(".result-stage");
    if (window.innerWidth >= 760 && stage.getBoundingClientRect().top >= 0) return;
    stage.scrollIntoView({ behavior: "smooth", block: "start" });
  });
  // A refresh, or an address that was kept, opens the same page again: #train.
  const tab = (name) => [...document.querySelectorAll('[role="tab"]')].find((each) => named(each) === name);
  const named = (each) => each.textContent.trim().toLowerCase();
  tab(decodeURIComponent(location.hash.slice(1)))?.click();
  document.addEventListener("click", (event) => {
    const chosen = event.target.closest('#pages [role="tab"]');
    if (chosen) history.replaceState(null, "", `#${named(chosen)}`);
  });
}
