// Sound that a button plays; every page works without it, by the players that stand beside.
// 1. data-aloud: addresses of parts that are read one after the other, the next one fetched while one plays; pressed again, it stops.
// 2. data-plays: the player that this button starts and stops.
"use strict";
for (const button of document.querySelectorAll("[data-aloud]")) {
  const addresses = button.dataset.aloud.split(" ");
  const label = button.querySelector("[data-label]");
  const begin = label.textContent;
  let playing = null;
  const end = (words) => {
    if (playing) { playing.pause(); playing = null; }
    button.setAttribute("aria-pressed", "false");
    label.textContent = words;
  };
  const play = (number, sound) => {
    if (number >= addresses.length) { end(begin); return; }
    playing = sound;
    const next = number + 1 < addresses.length ? new Audio(addresses[number + 1]) : null;
    if (next) { next.preload = "auto"; }
    sound.addEventListener("ended", () => { if (playing === sound) { play(number + 1, next); } });
    sound.addEventListener("playing", () => { if (playing === sound) { label.textContent = button.dataset.stop; } });
    sound.addEventListener("error", () => { if (playing === sound) { end(button.dataset.failed); } });
    sound.play().catch(() => { if (playing === sound) { end(button.dataset.failed); } });
  };
  button.addEventListener("click", () => {
    if (playing) { end(begin); return; }
    button.setAttribute("aria-pressed", "true");
    label.textContent = button.dataset.wait;
    play(0, new Audio(addresses[0]));
  });
  button.hidden = false;
}
for (const button of document.querySelectorAll("[data-plays]")) {
  const player = document.getElementById(button.dataset.plays);
  button.addEventListener("click", () => {
    if (player.paused) { player.currentTime = 0; player.play(); } else { player.pause(); }
  });
  button.hidden = false;
}
