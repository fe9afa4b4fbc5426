// Steers a world: a step is asked for as soon as the last one is drawn, no faster than the robot's rate.
import { $, all, element, send } from "./app.js";

const facts = JSON.parse($("facts").dataset.facts), spec = facts.spec, size = spec.names.length;
const screen = $("screen"), paint = screen.getContext("2d");
// Pairs of keys, each for one number: towards its low bound, towards its high one.
const PAIRS = [["ArrowLeft", "ArrowRight"], ["ArrowDown", "ArrowUp"], ["s", "w"], ["a", "d"], ["q", "e"], ["f", "r"], ["g", "t"], ["h", "y"], ["j", "u"], ["k", "i"]];
const held = new Set(), lasting = i => spec.mode.startsWith("absolute") || spec.mode === "joint_position" || /grip/.test(spec.names[i]);
let driver = null, node = null, busy = false, way = [], last = 0, moments = [], drag = null, judged = 0;  // no judgement before this time
const value = [...facts.rest];

// --- the numbers of an action: a slider and two keys each; the gripper on the space bar too ---
const free = [...PAIRS], keysOf = spec.names.map((name, i) => /grip/.test(name) ? [" ", " "] : free.shift() ?? null);
const sliders = spec.names.map((name, i) => {
  const slider = element("input", { type: "range", min: spec.low[i], max: spec.high[i], step: (spec.high[i] - spec.low[i]) / 200, value: facts.rest[i], "aria-label": name });
  const said = element("output", {}, (+facts.rest[i]).toFixed(2));
  slider.addEventListener("input", () => { value[i] = +slider.value; });
  if (!lasting(i)) slider.addEventListener("change", () => { value[i] = facts.rest[i]; });
  const keys = keysOf[i], shown = keys === null ? "" : keys[0] === " " ? "space" : keys.map(key => key.replace("Arrow", "")).join(" ");
  $("axes").append(element("div", { class: "axis" }, element("label", {}, element("span", {}, name), slider), said, element("kbd", {}, shown || "slider")));
  return { slider, said };
});
function wanted() {
  const gain = +$("gain").value, action = [...value];
  keysOf.forEach((keys, i) => {
    if (keys === null || keys[0] === " ") return;
    const by = held.has(keys[1]) - held.has(keys[0]);
    if (by) action[i] = towards(i, by * gain, action[i]);
  });
  if (drag) { action[0] = towards(0, drag.x * gain, action[0]); if (size > 1) action[1] = towards(1, drag.y * gain, action[1]); }
  gamepad(action, gain);
  action.forEach((number, i) => { sliders[i].slider.value = number; sliders[i].said.textContent = number.toFixed(2); });
  return action;
}
// A share of the way to a bound; what lasts continues from where it is, a twentieth of the span a step.
function towards(i, share, from) {
  const span = spec.high[i] - spec.low[i];
  if (lasting(i)) return value[i] = Math.max(spec.low[i], Math.min(spec.high[i], from + share * span / 20));
  return share > 0 ? facts.rest[i] + share * (spec.high[i] - facts.rest[i]) : facts.rest[i] + share * (facts.rest[i] - spec.low[i]);
}
function gamepad(action, gain) {
  const pad = [...navigator.getGamepads?.() ?? []].find(Boolean);
  if (!pad) return;
  pad.axes.slice(0, size).forEach((tilt, i) => {
    const by = (i % 2 ? -tilt : tilt) * gain;  // up is -1 on a gamepad
    if (Math.abs(tilt) > 0.12) action[i] = towards(i, by, action[i]);
  });
  const more = pad.buttons.map(button => button.pressed);
  for (let i = pad.axes.length, b = 4; i < size; i++, b += 2) {  // what the sticks cannot reach: pairs of buttons
    const by = (more[b + 1] ? 1 : 0) - (more[b] ? 1 : 0);
    if (by && !/grip/.test(spec.names[i])) action[i] = towards(i, by * gain, action[i]);
  }
  if (more[0] && !gamepad.pressed) grip();
  gamepad.pressed = more[0];
}
function grip() {
  spec.names.forEach((name, i) => { if (/grip/.test(name)) value[i] = value[i] > (spec.low[i] + spec.high[i]) / 2 ? spec.low[i] : spec.high[i]; });
}

// --- drawing ---
async function shown(answer) {
  const [width, height] = answer.headers.get("x-size").split(" ").map(Number);
  if (screen.width !== width || screen.height !== height) { screen.width = width; screen.height = height; screen.style.aspectRatio = `${width} / ${height}`; }
  const rgb = new Uint8Array(await answer.arrayBuffer()), image = paint.createImageData(width, height), data = image.data;
  for (let i = 0, j = 0; i < rgb.length; i += 3, j += 4) { data[j] = rgb[i]; data[j + 1] = rgb[i + 1]; data[j + 2] = rgb[i + 2]; data[j + 3] = 255; }
  paint.putImageData(image, 0, 0);
  node = +answer.headers.get("x-node");
  $("step").textContent = `step ${answer.headers.get("x-step")}`;
  return { number: node, step: +answer.headers.get("x-step"), by: decodeURIComponent(answer.headers.get("x-by")), action: answer.headers.get("x-action").split(" ").map(Number) };
}
function told() {
  const at = way.findIndex(one => one.number === node);
  $("time").max = way.length - 1;
  $("time").value = at;
  const others = moments.length - way.length;
  $("branches").textContent = others > 0 ? `${others} frames lie on other branches` : "";
}

// --- the loop ---
async function loop() {
  if (driver === null || busy || node === null) return;
  const began = performance.now(), wait = 1000 / spec.rate_hz - (began - last);
  if (wait > 1) { setTimeout(loop, wait); return; }
  busy = true;
  last = began;
  try {
    const action = wanted();
    const made = await shown(await send("/play/step", { node, by: driver, action }));
    if (driver !== "hand") made.action.forEach((number, i) => { sliders[i].slider.value = number; sliders[i].said.textContent = number.toFixed(2); if (lasting(i)) value[i] = number; });
    const cut = way.findIndex(one => one.number === from);
    way = [...way.slice(0, cut + 1), made];
    moments.push(made.number);
    from = made.number;
    told();
    measured(performance.now() - began);
    if (driver !== null && made.step % 8 === 0 && performance.now() > judged) judge();
    $("fault").textContent = "";
  } catch (error) { $("fault").textContent = error.message; drive(null); }
  busy = false;
  loop();  // the world need not wait until this frame is painted
}
let from = 0, times = [];
function measured(delay) {
  const now = performance.now();
  times = [...times.filter(([at]) => now - at < 2000), [now, delay]];
  $("speed").textContent = times.length > 1 ? ((times.length - 1) * 1000 / (now - times[0][0])).toFixed(1) : "0";
  $("delay").textContent = (times.reduce((sum, [, one]) => sum + one, 0) / times.length).toFixed(0);
}
function drive(who) {
  driver = who;
  $("who").textContent = who ?? "paused";
  $("drive").setAttribute("aria-pressed", who === "hand");
  $("recorded")?.setAttribute("aria-pressed", who === "recorded");
  for (const button of all("[data-policy-name]")) button.setAttribute("aria-pressed", button.dataset.policyName === who);
  if (who === null) judge();
  times = [];
  loop();
}
const toggle = who => drive(driver === who ? null : who);

async function judge() {
  if (!$("verdict") || judged === Infinity || !node || !way.length || way.at(-1).step === 0) return;
  const began = performance.now(), about = node, first = way[0];
  judged = Infinity;
  try {
    const answer = await fetch(`/play/judge?node=${about}`);
    if (answer.ok && way[0] === first) {  // another task may have begun meanwhile
      const said = await answer.json(), p = said.probability ?? said.score;
      $("verdict").textContent = said.score === null ? "unscored" : said.score > 0.5 ? "success" : said.score > 0 ? "partial" : "not yet";
      $("score").value = p ?? 0;
      $("why").textContent = said.reason + (said.progress === null ? "" : `; progress ${said.progress.toFixed(2)}`);
    }
  } finally {
    judged = performance.now() + 4 * (performance.now() - began);  // a fifth of the time at most
    if (driver === null && node !== about) judge();  // where it was paused meanwhile
  }
}

// --- start, rewind, save ---
async function begin(asked) {
  const before = node;
  node = null;  // what was played is no more asked about
  drive(null);
  try {
    const answer = await asked, instruction = decodeURIComponent(answer.headers.get("x-instruction"));
    const first = await shown(answer);
    way = [first]; moments = [first.number]; from = first.number;
    value.splice(0, size, ...facts.rest);
    $("instruction").textContent = instruction;
    $("next").value = instruction;
    for (const one of all(".transport button, #time, #episode, #astask")) one.disabled = false;
    $("fault").textContent = "";
    if ($("verdict")) { $("verdict").textContent = "–"; $("score").value = 0; $("why").textContent = ""; }
    told();
    screen.focus();
  } catch (error) { node = before; $("fault").textContent = error.message; }
}
$("start")?.addEventListener("click", () => begin(send("/play/start", { task: $("task").value })));
$("upload").addEventListener("click", () => {
  const file = $("picture").files[0];
  if (!file) { $("fault").textContent = "choose a picture first"; return; }
  begin(send(`/play/upload?${new URLSearchParams({ instruction: $("wish").value })}`, file, file.type || "application/octet-stream"));
});
$("drive").addEventListener("click", () => { toggle("hand"); screen.focus(); });
$("recorded")?.addEventListener("click", () => { toggle("recorded"); screen.focus(); });
for (const button of all("[data-policy-name]")) button.addEventListener("click", () => { toggle(button.dataset.policyName); screen.focus(); });
async function go(place) {
  drive(null);
  const to = way[Math.max(0, Math.min(way.length - 1, place))];
  if (!to) return;
  try { await shown(await fetch(`/play/frame?node=${to.number}`)); from = node = to.number; told(); judge(); }
  catch (error) { $("fault").textContent = error.message; }
}
$("rewind").addEventListener("click", () => go(0));
$("time").addEventListener("input", () => go(+$("time").value));
const save = async body => {
  try { const said = await (await send("/play/save", { node, name: $("name").value, ...body })).json(); $("saved").textContent = `saved ${said.name} in ${said.saved}`; }
  catch (error) { $("saved").textContent = error.message; }
};
$("episode").addEventListener("click", () => save({ kind: $("form").value, success: $("success").value === "" ? null : $("success").value === "true" }));
$("astask").addEventListener("click", () => save({ kind: "task", instruction: $("next").value }));

// --- keys and the mouse ---
const typing = event => event.target.matches("input[type=text], input[type=file], select, textarea");
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key, on = event.target.matches("button, summary, a");
  if (event.target.matches("input[type=range]") && key.startsWith("Arrow") && event.target !== screen) return;
  if (key === "Enter" && !on) { event.preventDefault(); toggle("hand"); return; }
  if (key === "Backspace") { event.preventDefault(); go(way.findIndex(one => one.number === node) - 5); return; }
  if (key === "p") { const names = all("[data-policy-name]").map(one => one.dataset.policyName); if (names.length) drive(names[(names.indexOf(driver) + 1) % names.length]); return; }
  if (key === " " && !on) { event.preventDefault(); if (!event.repeat) grip(); }
  if (keysOf.some(keys => keys?.includes(key)) && key !== " ") {
    event.preventDefault();
    held.add(key);
    if (driver !== "hand" && node !== null) drive("hand");  // to steer is to take over
  }
});
document.addEventListener("keyup", event => held.delete(event.key.length === 1 ? event.key.toLowerCase() : event.key));
addEventListener("blur", () => held.clear());
screen.addEventListener("pointerdown", event => { drag = { x: 0, y: 0, from: [event.clientX, event.clientY] }; screen.setPointerCapture(event.pointerId); if (driver !== "hand" && node !== null) drive("hand"); });
screen.addEventListener("pointermove", event => {
  if (!drag) return;
  const reach = screen.clientWidth / 3, near = number => Math.max(-1, Math.min(1, number / reach));
  drag.x = near(event.clientX - drag.from[0]);
  drag.y = near(drag.from[1] - event.clientY);
});
for (const end of ["pointerup", "pointercancel"]) screen.addEventListener(end, () => { drag = null; });
