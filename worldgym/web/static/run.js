// A run: its progress from server-sent events, the report's figures, and the gallery.
import { $, all, duration, element, follow, keys, percent, span, watchVideo } from "./app.js";
import { offerFigures } from "./download.js";
import { showReport } from "/static/report.js";

const run = $("live").dataset.run;
const address = (path, more = {}) => `${path}?${new URLSearchParams({ run, ...more })}`;

// --- progress ---
let seen = "";
function live(told) {
  if (told.fault) { $("pace").textContent = told.fault; return; }
  $("state").textContent = told.state;
  $("state").className = `state ${told.state}`;
  if (told.state !== "finished") $("live").hidden = false;
  const share = told.planned ? 100 * told.done / told.planned : 0, meter = $("live").querySelector(".meter");
  meter.setAttribute("aria-valuemax", told.planned || 1);
  meter.setAttribute("aria-valuenow", told.planned ? told.done : 0);
  meter.firstElementChild.style.width = `${share}%`;
  const pace = told.pace, left = pace.seconds_left;
  $("pace").textContent = `${told.done} ${told.planned === null ? "" : `of ${told.planned} `}trials` +
    (told.state === "running" ? `, ${pace.per_minute.toFixed(0)} a minute` + (left ? `, ${duration(left)} left` : "") : "");
  matrix(told.cells);
  $("reasons").replaceChildren(...["failed", "unscored"].filter(kind => told.reasons[kind].length).map(kind =>
    element("p", {}, `${kind}: ` + told.reasons[kind].map(row => `${row.reason} (${row.trials})`).join("; "))));
  newest(told.newest);
  const now = `${told.done} ${told.state}`;
  if (seen && seen !== now) figuresSoon();
  seen = now;
}
function matrix(cells) {
  const tasks = [...new Set(cells.map(cell => cell.task))], policies = [...new Set(cells.map(cell => cell.policy))];
  const table = $("live").querySelector("table"), known = new Map(cells.map(cell => [`${cell.policy}\n${cell.task}`, cell]));
  table.tHead.replaceChildren(element("tr", {}, element("th", {}, "task"), ...policies.map(policy => element("th", {}, policy))));
  table.tBodies[0].replaceChildren(...tasks.map(task => element("tr", {}, element("th", {}, task), ...policies.map(policy => {
    const cell = known.get(`${policy}\n${task}`);
    const rate = cell.scored ? `${percent(cell.rate)} ${span(cell.low, cell.high)}` : "–";
    const done = `${cell.done}${cell.planned === null ? "" : `/${cell.planned}`}` + (cell.failed ? `, ${cell.failed} failed` : "");
    return element("td", {}, element("div", {}, rate), element("div", { class: "soft small" }, done));
  }))));
}
function newest(cards) {
  const place = $("newest"), shown = all("a", place).map(link => link.getAttribute("href"));
  if (shown.join() === cards.map(card => card.link).join()) return;
  place.replaceChildren(...cards.map(card => {
    const video = element("video", { src: card.video, muted: "", loop: "", playsinline: "", preload: "metadata", "aria-label": card.name });
    video.muted = true;
    return element("figure", {}, video, element("figcaption", {}, element("a", { href: card.link }, card.name), ` ${card.verdict}`));
  }));
}
follow(address("/events"), "live", data => { const told = JSON.parse(data); live(told); return told.state === "finished"; });

// --- figures ---
let waiting = null;
function figuresSoon() { waiting ??= setTimeout(figures, 5000); }
async function figures() {
  waiting = null;
  const answer = await fetch(address("/figures"));
  if (answer.status === 200) {
    $("figures").innerHTML = await answer.text();  // rendered and escaped by the server
    { showReport($("figures")); offerFigures($("figures")); }
  }
  if (answer.headers.get("x-worldgym-fresh") !== "1") waiting = setTimeout(figures, 1000);
}
if ($("figures").querySelector("#reset")) { showReport($("figures")); offerFigures($("figures")); }
if ($("figures").dataset.fresh !== "1") waiting = setTimeout(figures, 300);

// --- gallery ---
let asked = 0;
async function gallery(words) {
  const mine = ++asked, answer = await fetch(address("/gallery", words));
  if (mine !== asked) return;
  const text = await answer.text();
  if (!answer.ok) { $("trials").textContent = text; return; }
  $("trials").innerHTML = text;  // rendered and escaped by the server
  for (const video of all("#trials video")) watchVideo(video);
  for (const video of all("#trials video")) near.observe(video);
  history.replaceState(null, "", address("/run", words) + location.hash);
}
const near = new IntersectionObserver(entries => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) { target.preload = "auto"; near.unobserve(target); }
}, { rootMargin: "300px" });
const words = () => Object.fromEntries([...new FormData($("filters"))].filter(([, value]) => value));
$("trials").addEventListener("change", event => { if (event.target.closest("#filters")) gallery(words()); });
$("trials").addEventListener("submit", event => event.preventDefault());
$("trials").addEventListener("click", event => {
  const to = event.target.closest("[data-page]");
  if (to) { gallery({ ...words(), page: to.dataset.page }); return; }
  if (event.target.id === "playall") { playAll(); return; }
  const card = event.target.closest(".card");
  if (card && !event.target.closest("video, details, a")) toggle(card);
});
const playing = card => all("video", card).some(video => !video.paused);
const toggle = card => { const stop = playing(card); for (const video of all("video", card)) stop ? video.pause() : video.play().catch(() => {}); };
function playAll() {
  const videos = all("#trials video"), stop = videos.some(video => !video.paused);
  for (const video of videos) stop ? video.pause() : video.play().catch(() => {});
}
document.addEventListener("lead", event => gallery({ ...event.detail.policy && { policy: event.detail.policy }, ...event.detail.task && { task: event.detail.task } }));

const cards = () => all("#trials .card");
const current = () => document.activeElement?.closest(".card");
function move(by) {
  const every = cards(), at = every.indexOf(current());
  const card = every[at < 0 ? 0 : Math.max(0, Math.min(every.length - 1, at + by))];
  card?.focus();
  card?.scrollIntoView({ block: "nearest" });
}
const turn = which => all("#trials [data-page]")[which]?.click();
keys({
  j: () => move(1), k: () => move(-1), ArrowRight: () => move(1), ArrowLeft: () => move(-1),
  Enter: () => { const link = current()?.querySelector("header a"); if (link) location.href = link.href; },
  " ": () => current() ? toggle(current()) : scrollBy(0, innerHeight * 0.8), a: playAll,
  "[": () => turn(0), "]": () => turn(1), f: () => $("filters")?.querySelector("select")?.focus(),
});
const first = Object.fromEntries(new URLSearchParams(location.search));
delete first.run;
gallery(first);
