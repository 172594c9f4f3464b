// The face: asks for sound and timings (the answer of POST /v1/audio/speech/timed), plays the sound, and moves the mouth by the clock of the sound.
"use strict";
// Each shape of the mouth (docs/api.md): width, height of the opening, how far the lips are drawn together, teeth, tongue.
const SHAPES = {
  rest: [40, 0, 0, 0, 0], closed: [36, 0, 0.1, 0, 0], lip_teeth: [34, 5, 0, 1, 0], tongue_teeth: [36, 10, 0, 1, 1], tongue_ridge: [36, 13, 0, 0.6, 1],
  tongue_back: [38, 12, 0, 0.3, 0.4], teeth_rounded: [26, 11, 0.7, 1, 0], teeth: [40, 8, 0, 1, 0], r: [28, 12, 0.5, 0.3, 0.6], open: [38, 32, 0, 0.5, 0.6],
  spread: [48, 10, 0, 0.9, 0.3], mid: [42, 19, 0, 0.7, 0.5], round: [25, 24, 0.7, 0.2, 0.4], pucker: [15, 11, 1, 0, 0],
};
const form = document.querySelector("#main");
const [inside, teeth, tongue, lips] = ["inside", "teeth", "tongue", "lips"].map((name) => document.querySelector(`#mouth .${name}`));
const [eyes, lids] = ["eyes", "lids"].map((name) => document.getElementById(name));
const [problem, busy, subtitle, stop] = ["presenter-problem", "presenter-busy", "subtitle", "presenter-stop"].map((name) => document.getElementById(name));
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
let mouth = [...SHAPES.rest];
let playing = null;

function draw(target) {
  mouth = mouth.map((value, index) => value + (target[index] - value) * (calm ? 1 : 0.45));
  const [width, height, round, showTeeth, showTongue] = mouth;
  const x1 = 200 - width, x2 = 200 + width, y = 268, up = y - height * (0.55 + 0.2 * round), down = y + height * (0.9 + 0.2 * round);
  const path = `M${x1} ${y}C${x1 + width * 0.45} ${up} ${x2 - width * 0.45} ${up} ${x2} ${y}C${x2 - width * 0.45} ${down} ${x1 + width * 0.45} ${down} ${x1} ${y}z`;
  inside.setAttribute("d", path); lips.setAttribute("d", path);
  const edge = up + (y - up) * 0.45, depth = edge + Math.min(9, height * 0.35);
  teeth.setAttribute("d", showTeeth > 0.25 && height > 3 ? `M${x1 + width * 0.5} ${edge}H${x2 - width * 0.5}L${x2 - width * 0.6} ${depth}H${x1 + width * 0.6}z` : "M0 0");
  tongue.setAttribute("d", showTongue > 0.3 && height > 7 ? `M${200 - width * 0.45} ${down - height * 0.35}Q200 ${down - height * (0.5 + 0.3 * showTongue)} ${200 + width * 0.45} ${down - height * 0.35}Q200 ${down} ${200 - width * 0.45} ${down - height * 0.35}z` : "M0 0");
}

function shapeAt(phonemes, time) {
  let low = 0, high = phonemes.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (phonemes[middle].end_s > time) { high = middle; } else { low = middle + 1; }
  }
  const found = phonemes[low];
  return found && time >= found.start_s && time < found.end_s ? SHAPES[found.mouth] ?? SHAPES.mid : SHAPES.rest;
}

function frame() {
  if (playing) {
    const { audio, phonemes, sentences } = playing;
    draw(audio.paused ? SHAPES.rest : shapeAt(phonemes, audio.currentTime));
    const now = sentences.find((sentence) => audio.currentTime < sentence.end_s);
    if (now && subtitle.textContent !== now.text) { subtitle.textContent = now.text; }
  } else { draw(SHAPES.rest); }
  requestAnimationFrame(frame);
}

function blink() {
  if (!calm) {
    lids.hidden = false; eyes.setAttribute("visibility", "hidden");
    setTimeout(() => { lids.hidden = true; eyes.removeAttribute("visibility"); }, 140);
  }
  setTimeout(blink, 2200 + 3200 * Math.random());
}

function end() {
  if (!playing) { return; }
  playing.audio.pause(); URL.revokeObjectURL(playing.audio.src); playing = null;
  stop.hidden = true; subtitle.textContent = "\u00a0"; document.body.dataset.presenter = "ended";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault(); end(); problem.hidden = true; busy.hidden = false;
  const sent = new URLSearchParams();
  for (const [name, value] of new FormData(form)) { sent.append(name, value); }
  try {
    const answer = await fetch("/presenter/speech", { method: "POST", body: sent });
    const said = await answer.json();
    if (!answer.ok) { throw new Error(`${said.error.message} ${said.error.hint}`); }
    const bytes = Uint8Array.from(atob(said.audio), (letter) => letter.charCodeAt(0));
    const audio = new Audio(URL.createObjectURL(new Blob([bytes], { type: "audio/wav" })));
    playing = { audio, phonemes: said.sentences.flatMap((sentence) => sentence.phonemes), sentences: said.sentences };
    audio.addEventListener("ended", end);
    stop.hidden = false; document.body.dataset.presenter = "speaking";
    await audio.play();
  } catch (error) {
    end(); problem.textContent = error.message; problem.hidden = false;
  } finally { busy.hidden = true; }
});
stop.addEventListener("click", end);
requestAnimationFrame(frame);
setTimeout(blink, 1500);
