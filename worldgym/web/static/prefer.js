// Which of two videos did better? Both play in step; nobody is told whose they are.
import { $, all, keys, watchVideo } from "./app.js";
import { begin, counted, moment, say, state, whole } from "./labeller.js";

const videos = [$("left"), $("right")], answers = all("[data-answer]"), APART = 1 / 20;  // seconds, at most
let asked = null, shown = [], busy = false, slow = false, still = false;

const show = time => videos.forEach(video => { video.currentTime = Math.max(0, Math.min(time, video.duration || 0)); });
const pause = () => videos.forEach(video => video.pause());
const playing = () => videos.some(video => !video.paused && !video.ended);
// The shorter one waits on its last frame for the longer one, then both begin again.
const play = () => { still = false; for (const video of videos) if (video.currentTime < video.duration) video.play().catch(() => {}); };
const restart = () => { show(0); play(); };
for (const video of videos) {
  watchVideo(video);
  video.addEventListener("ended", () => { if (!still && videos.every(one => one.ended)) restart(); });
  video.addEventListener("click", () => playing() ? pause() : play());
}
videos[0].addEventListener("timeupdate", () => {
  const [left, right] = videos;
  if (!left.ended && !right.ended && !right.seeking && Math.abs(left.currentTime - right.currentTime) > APART) right.currentTime = Math.min(left.currentTime, right.duration || 0);
});

async function next() {
  asked = await state();
  const { next: pair, pairs, done } = asked;
  document.title = `WorldGym: which did better, ${asked.labeller}`;
  counted(`${done} of ${pairs} pairs answered`, done, pairs);
  $("instruction").textContent = asked.instruction || "Every pair is answered";
  for (const button of answers) button.disabled = pair === null;
  $("undo").disabled = !done;
  pause();
  const made = pair === null ? [null, null] : await Promise.all([whole(2 * pair), whole(2 * pair + 1)]);
  for (const one of shown) if (one) URL.revokeObjectURL(one.source);
  shown = made;
  $("pair").hidden = pair === null;
  if (pair === null) return;
  if (made.includes(null)) { $("error").textContent = "A video of this pair cannot be read; skip it."; return; }
  await Promise.all(videos.map((video, i) => new Promise(ready => {
    for (const event of ["canplay", "error"]) video.addEventListener(event, ready, { once: true });
    video.src = made[i].source;
    video.playbackRate = slow ? 0.3 : 1;
  })));
  play();
}
async function tell(said) {
  if (busy) return;
  busy = true;
  let wrong = "";
  $("error").textContent = "";
  try { await say(said); } catch (error) { wrong = `The answer was not saved: ${error.message}. `; }
  try { await next(); } catch (error) { wrong ||= error.message; }  // also after a mistake: another tab may have answered
  if (wrong) $("error").prepend(wrong);
  busy = false;
}
const answer = what => { if (!busy && asked && asked.next !== null) tell({ pair: asked.next, answer: what }); };
const undo = () => { if (asked && asked.last !== null) tell({ undo: asked.last }); };
function step(by) {
  if (!shown[0] || !shown[1]) return;
  pause();
  still = true;  // also on the last frame
  const ahead = +(videos[1].currentTime > videos[0].currentTime);
  show(moment(videos[ahead], shown[ahead].fps, by));
}
for (const button of answers) button.addEventListener("click", () => { button.blur(); answer(button.dataset.answer); });
$("undo").addEventListener("click", undo);
keys({
  ArrowLeft: () => answer("left"), ArrowRight: () => answer("right"), ArrowDown: () => answer("equal"), s: () => answer("skip"), u: undo,
  " ": () => playing() ? pause() : play(), r: restart, ",": () => step(-1), ".": () => step(1),
  f: () => { slow = !slow; for (const video of videos) video.playbackRate = slow ? 0.3 : 1; },
});
begin(async () => { busy = true; try { await next(); } finally { busy = false; } });
