// One trial: all videos in step, its actions with the playhead, and what is known of its verdict.
import { $, all, element, keys, svg, watchVideo } from "./app.js";

const player = $("player"), steps = +player.dataset.steps, rate = +player.dataset.rate;
const about = new URLSearchParams({ run: player.dataset.run, row: player.dataset.row });
let frame = 0, timer = null;
const heads = [];  // what moves with the frame

// Frame by frame: a video is asked for the middle of a frame, and shows that frame.
const videos = () => all("video", player);
function show(number) {
  frame = Math.max(0, Math.min(steps, number));
  for (const video of videos()) video.currentTime = Math.min((frame + 0.5) / rate, (video.duration || 1e9) - 0.01);
  place();
}
function place() {
  $("frame").value = frame;
  $("at").textContent = `frame ${frame} of ${steps}`;
  for (const head of heads) head(frame);
}
function play(on) {
  clearInterval(timer);
  timer = null;
  $("play").setAttribute("aria-pressed", on);
  $("play").textContent = on ? "pause" : "play";
  if (!on) return;
  if (frame >= steps) show(0);
  const began = performance.now(), from = frame, speed = +$("speed").value;
  timer = setInterval(() => {
    const now = from + Math.floor((performance.now() - began) / 1000 * rate * speed);
    if (now !== frame) show(now);
    if (frame >= steps) play(false);
  }, 1000 / Math.max(20, rate * speed * 2));
}
$("play").addEventListener("click", () => play(timer === null));
$("back").addEventListener("click", () => { play(false); show(frame - 1); });
$("on").addEventListener("click", () => { play(false); show(frame + 1); });
$("frame").addEventListener("input", () => { play(false); show(+$("frame").value); });
$("speed").addEventListener("change", () => { if (timer !== null) play(true); });
for (const video of videos()) { watchVideo(video); video.addEventListener("click", () => play(timer === null)); video.addEventListener("loadedmetadata", () => show(frame), { once: true }); }

// The same trial of another policy beside it.
const other = $("other");
function beside() {
  const choice = other.selectedOptions[0];
  $("beside").replaceChildren();
  if (!choice?.value) return;
  const video = element("video", { src: choice.dataset.source, muted: "", playsinline: "", preload: "auto", "aria-label": choice.textContent });
  video.muted = true;
  video.addEventListener("loadedmetadata", () => show(frame), { once: true });
  $("beside").append(element("figure", { class: "side" }, element("figcaption", {}, element("a", { href: choice.dataset.link }, choice.textContent)), video));
}
other?.addEventListener("change", beside);
const next = () => { if (other) { other.selectedIndex = (other.selectedIndex + 1) % other.options.length; beside(); } };
keys({
  " ": () => play(timer === null), ",": () => $("back").click(), ".": () => $("on").click(), ArrowLeft: () => $("back").click(), ArrowRight: () => $("on").click(),
  Home: () => show(0), End: () => show(steps), o: next, j: () => $("after")?.click(), k: () => $("before")?.click(),
});

// Curves: one row each, on its own bounds, with the playhead through all.
const WIDTH = Math.max(320, Math.min(720, $("curves").clientWidth)), ROW = 46, LEFT = 96, EDGE = 8;  // narrow ones keep their text readable
const x = t => LEFT + (WIDTH - LEFT - EDGE) * t / Math.max(1, steps);
// rows: { name, low, high, points: [[frame, value], ...] }; held: a value lasts until the next frame.
function curves(place, about, rows, held) {
  const parts = [];
  rows.forEach(({ name, low, high, points }, i) => {
    const values = points.map(point => point[1]), least = Math.min(low, ...values), most = Math.max(high, ...values), zero = least <= 0 && most >= 0 ? 0 : least;
    const y = value => ROW * i + EDGE + (ROW - 2 * EDGE) * (1 - (value - least) / (most - least || 1));
    const line = points.map(([t, value], n) => `${n ? "L" : "M"}${x(t).toFixed(1)} ${y(value).toFixed(1)}${held ? `H${x(t + 1).toFixed(1)}` : ""}`);
    parts.push(svg("text", { x: 0, y: ROW * i + ROW / 2 + 4 }, name), svg("line", { class: "rule", x1: LEFT, x2: WIDTH - EDGE, y1: y(zero), y2: y(zero) }), svg("path", { class: `curve c${i % 8}`, d: line.join("") }));
    parts.push(svg("text", { x: LEFT - 6, y: y(most) + 8, "text-anchor": "end" }, most.toPrecision(2)), svg("text", { x: LEFT - 6, y: y(least), "text-anchor": "end" }, least.toPrecision(2)));
  });
  const line = svg("line", { class: "head", y1: 0, y2: rows.length * ROW });
  const head = t => { line.setAttribute("x1", x(t)); line.setAttribute("x2", x(t)); };
  head(frame);
  heads.push(head);
  const drawing = svg("svg", { class: "curves", viewBox: `0 0 ${WIDTH} ${rows.length * ROW + 4}`, role: "img", "aria-label": about }, ...parts, line);
  drawing.addEventListener("click", event => {
    const box = drawing.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * WIDTH;
    play(false);
    show(Math.round((at - LEFT) / (WIDTH - LEFT - EDGE) * steps));
  });
  place.replaceChildren(drawing);
}
const along = JSON.parse(player.dataset.curve);
const share = (name, which) => ({ name, low: 0, high: 1, points: along.filter(point => point[which] !== null).map(point => [point[0], point[which]]) });
if (along.length) curves($("along"), "progress and success probability over the frames", [share("progress", 1), share("success", 2)].filter(row => row.points.length), false);
const actions = ({ names, low, high, actions }) => curves($("curves"), "action numbers over the frames", (actions[0] ?? []).map((_, i) => ({
  name: names[i] ?? `action ${i + 1}`, low: low[i] ?? 0, high: high[i] ?? 0, points: actions.map((row, t) => [t, row[i]]),
})), true);
const ask = async path => { const answer = await fetch(`${path}?${about}`); if (!answer.ok) throw new Error(await answer.text()); return answer.json(); };
ask("/actions").then(actions, error => { $("curves").textContent = error.message; });
ask("/signals").then(found => {
  const rows = Object.entries(found).flatMap(([name, value]) => [element("dt", {}, name === "p_wrong" ? "P(verdict wrong)" : name.replaceAll("_", " ")), element("dd", {}, value.toPrecision(3))]);
  $("signals").replaceChildren(...rows.length ? rows : [element("dt", {}, "none"), element("dd", {}, "the trial has no score")]);
}, error => { $("signals").textContent = error.message; });
show(0);
