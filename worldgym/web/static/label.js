// Labels videos without being told whose they are.
import { $ } from "./app.js";
import { begin, counted, moment, say, state, whole } from "./labeller.js";

const video = $("video"), answers = [...document.querySelectorAll("[data-score]")];
let items = [], at = 0, shown = null, busy = false;

async function start() {
  const told = await state();
  items = told.items;
  document.title = `WorldGym: label videos, ${told.labeller}`;
  const first = items.findIndex(item => !item.labelled);
  show(first < 0 ? 0 : first);
}
async function show(number) {
  at = number;
  const item = items[at], done = items.filter(item => item.labelled).length;
  $("instruction").textContent = item.instruction;
  $("partial").textContent = item.partial ? `Partial: ${item.partial}` : "";
  counted(`video ${at + 1} of ${items.length}; ${done} labelled`, done, items.length);
  $("reason").value = ""; $("error").textContent = "";
  for (const button of answers) {
    button.hidden = button.dataset.score === "0.5" && !item.partial;
    button.setAttribute("aria-pressed", item.labelled && JSON.parse(button.dataset.score) === item.score);
  }
  const made = await whole(at);
  if (number !== at) { if (made) URL.revokeObjectURL(made.source); return; }
  if (shown) URL.revokeObjectURL(shown.source);
  shown = made;
  if (!made) {
    video.removeAttribute("src"); video.load();  // the one before must not be taken for it
    $("error").textContent = "This video cannot be read: say that you cannot tell, or continue with the next.";
    return;
  }
  video.src = made.source; video.playbackRate = 1;
}
async function label(score) {
  if (busy || (score === 0.5 && !items[at].partial)) return;
  busy = true;
  try {
    await say({ item: at, score, reason: $("reason").value });
    items[at].labelled = true; items[at].score = score;
    const later = items.findIndex((item, i) => i > at && !item.labelled), any = items.findIndex(item => !item.labelled);
    show(later >= 0 ? later : any >= 0 ? any : at);
  } catch (error) { $("error").textContent = `The label was not saved: ${error.message}`; }
  busy = false;
}
const move = by => show((at + by + items.length) % items.length);
const play = () => video.play().catch(() => {});  // a pause may come first
// A browser starts a loop over even from the last frame of a video that stands still.
const step = by => { if (!shown) return; video.pause(); video.loop = false; video.currentTime = moment(video, shown.fps, by); };
video.addEventListener("play", () => { video.loop = true; });
const keys = {
  "1": () => label(1), "2": () => label(0.5), "3": () => label(0), "4": () => label(null),
  " ": () => video.paused ? play() : video.pause(), r: () => { video.currentTime = 0; play(); },
  s: () => { video.playbackRate = video.playbackRate === 1 ? 0.3 : 1; }, n: () => $("reason").focus(),
  ",": () => step(-1), ".": () => step(1), ArrowLeft: () => move(-1), ArrowRight: () => move(1),
};
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("labelling").hidden || event.target === $("labeller")) return;
  if (event.target === $("reason")) { if (event.key === "Enter" || event.key === "Escape") $("reason").blur(); return; }
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});
for (const button of answers) button.addEventListener("click", () => { button.blur(); label(JSON.parse(button.dataset.score)); });
$("back").addEventListener("click", () => move(-1));
$("next").addEventListener("click", () => move(1));
begin(start);
