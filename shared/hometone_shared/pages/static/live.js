// Small comforts; every page works without them.
// 1. Parts marked data-live are fetched again while something goes on; the answer header X-Reload asks for the whole page,
//    X-Done says that it was the last time. Such questions keep nobody unlocked.
// 2. Keys marked data-key press their button or follow their link, unless somebody is typing.
// 3. Sliders say their figure. 4. The language switch posts the form of the page, so that nothing typed is lost.
"use strict";
let leaving = false; // a form is on its way: nothing may overtake its answer
document.addEventListener("submit", () => { leaving = true; });
for (const part of document.querySelectorAll("[data-live]")) {
  const ask = async () => {
    try {
      const answer = await fetch(part.dataset.live, { headers: { "X-Part": "1" }, cache: "no-store" });
      if (leaving) { return; }
      if (answer.redirected || answer.headers.get("X-Reload")) { location.reload(); return; }
      if (answer.ok) {
        const text = await answer.text();
        if (text !== part.dataset.shown) { part.dataset.shown = text; part.innerHTML = text; }
        if (answer.headers.get("X-Done")) { return; }
      }
    } catch { /* the server is not there for a moment */ }
    setTimeout(ask, Number(part.dataset.every));
  };
  setTimeout(ask, Number(part.dataset.every));
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) { return; }
  const field = event.target.closest("input:not([type=radio], [type=checkbox], [type=range]), textarea, select");
  if (field) { return; }
  const name = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toUpperCase() : event.key;
  if (name === "Space" && event.target.closest("button, a, summary, audio, input")) { return; }
  const target = document.querySelector(`[data-key="${CSS.escape(name)}"]`);
  if (target && !target.disabled) { event.preventDefault(); target.click(); }
});
for (const slider of document.querySelectorAll("[data-output]")) {
  const output = document.getElementById(slider.dataset.output);
  slider.addEventListener("input", () => { output.value = slider.value; });
}
const language = document.querySelector("#language");
const kept = document.querySelector("form[data-keep]");
if (language && kept) {
  language.addEventListener("formdata", (event) => {
    for (const [name, value] of new FormData(kept)) {
      if (typeof value === "string" && name !== "_token") { event.formData.append(`kept.${name}`, value); }
    }
  });
}
