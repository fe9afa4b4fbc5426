// Brings the figures of a run to life: in a report that stands alone, and in `worldgym view`.
// within: where its videos are, if any.
function showReport(within = document) {
const all = (what, within = document) => [...within.querySelectorAll(what)];
const at = id => document.getElementById(id);
const hidden = new Set();  // policies that the reader has put away

// What is shown: policies by their chips, one task or all; the gallery has filters of its own.
const cards = all(".card", within), filters = all("[data-filter]", within);

function chosen(card, filter) {
  if (filter.dataset.filter === "flags") return JSON.parse(card.dataset.flags).includes(filter.value);
  return card.dataset[filter.dataset.filter] === filter.value;
}

function show() {
  const task = at("task")?.value ?? "";
  for (const one of all("[data-policy]")) one.classList.toggle("off", hidden.has(one.dataset.policy));
  for (const one of all("[data-task]")) one.classList.toggle("away", task !== "" && one.dataset.task !== task);
  for (const one of all("[data-scope]")) one.hidden = one.dataset.scope !== task;
  for (const chip of all("[data-chip]")) chip.setAttribute("aria-pressed", !hidden.has(chip.dataset.chip));
  for (const card of cards) card.hidden = filters.some(filter => filter.value && !chosen(card, filter));
  const seen = cards.filter(visible);
  for (const card of cards) if (!visible(card)) pause(card);
  if (cards.length) at("count").textContent = `${seen.length} of ${cards.length} in view`;
  at("reset").hidden = !hidden.size && !task && filters.every(filter => !filter.value);
  order();
}

const visible = card => !card.hidden && !card.classList.contains("off") && !card.classList.contains("away");

for (const chip of all("[data-chip]")) chip.addEventListener("click", () => {
  if (!hidden.delete(chip.dataset.chip)) hidden.add(chip.dataset.chip);
  show();
});
at("task")?.addEventListener("change", show);
for (const filter of filters) filter.addEventListener("change", show);
at("reset").addEventListener("click", () => {
  hidden.clear();
  for (const select of [at("task"), ...filters]) if (select) select.value = "";
  show();
});

// Order of the policies' rows, of the cards, and of every table by its columns.
const natural = new Intl.Collator("en", { numeric: true }).compare;
const rows = all("#rows > .policy");

function order() {
  const by = at("sort")?.value;
  const rate = row => +(row.querySelector("[data-scope]:not([hidden])")?.dataset.rate ?? -1);
  const sorted = [...rows];
  if (by === "rate") sorted.sort((a, b) => rate(b) - rate(a));
  if (by === "name") sorted.sort((a, b) => natural(a.dataset.policy, b.dataset.policy));
  if (sorted.some((row, i) => row !== at("rows").children[i])) at("rows").append(...sorted);
}
at("sort")?.addEventListener("change", order);

at("gallery-sort")?.addEventListener("change", event => {
  const by = event.target.value, sorted = [...cards];
  if (by === "start") sorted.sort((a, b) => natural(a.dataset.start, b.dataset.start));
  if (by === "sure") sorted.sort((a, b) => a.dataset.sure - b.dataset.sure);
  cards[0].parentElement.append(...sorted);
});

for (const table of all("table.sortable")) all("thead th:not([data-fixed])", table).forEach(head => {
  const column = [...head.parentElement.children].indexOf(head);
  const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const falling = head.getAttribute("aria-sort") === "ascending", body = table.tBodies[0];
    for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const compare = (a, b) => { const [x, y] = [value(a), value(b)]; return x - y || natural(x, y); };
    const sorted = [...body.rows].sort((a, b) => falling ? compare(b, a) : compare(a, b));
    body.append(...sorted);
  });
});

// A point of a figure leads to its videos.
function lead(point) {
  for (const chip of all("[data-chip]")) hidden[chip.dataset.chip === point.dataset.policy ? "delete" : "add"](chip.dataset.chip);
  if (at("task") && point.dataset.task) at("task").value = point.dataset.task;
  for (const filter of filters) filter.value = "";
  show();
  document.dispatchEvent(new CustomEvent("lead", { detail: { policy: point.dataset.policy, task: point.dataset.task } }));
  at("gallery")?.scrollIntoView();
}
for (const point of all(".point")) {
  point.addEventListener("click", () => lead(point));
  point.addEventListener("keydown", event => { if (event.key === "Enter") lead(point); });
}

// What the thing under the pointer, or in focus, says.
const tip = at("tip");
function tell(thing, x, y) {
  tip.hidden = !thing;
  if (!thing) return;
  tip.textContent = thing.dataset.tip || thing.getAttribute("aria-label");
  const { width, height } = tip.getBoundingClientRect(), edge = 8;
  tip.style.left = `${Math.max(edge, Math.min(x + 14, innerWidth - width - edge))}px`;
  tip.style.top = `${y + 18 + height > innerHeight ? Math.max(edge, y - height - 12) : y + 18}px`;
}
const told = event => event.target instanceof Element ? event.target.closest("[data-tip]") : null;
document.addEventListener("pointermove", event => tell(told(event), event.clientX, event.clientY));
document.addEventListener("pointerdown", event => tell(told(event), event.clientX, event.clientY));
document.addEventListener("focusin", event => {
  const thing = told(event), box = thing?.getBoundingClientRect();
  if (thing?.matches(":focus-visible")) tell(thing, box.left, box.bottom); else tell(null);
});
document.addEventListener("scroll", () => tell(null), { passive: true });
document.addEventListener("keydown", event => { if (event.key === "Escape") tell(null); });

// Videos. The first frame is decoded when a card comes near the window: a hundred players at once are too many.
const play = card => { for (const video of all("video", card)) video.play().catch(() => {}); };
const pause = card => { for (const video of all("video", card)) video.pause(); };
const playing = card => all("video", card).some(video => !video.paused);
const near = new IntersectionObserver(entries => entries.forEach(({ isIntersecting, target }) => {
  if (isIntersecting) for (const video of all("video", target)) video.preload = "auto";
}), { rootMargin: "300px" });

// A browser without H.264 says so, in the place of a black square.
const plays = document.createElement("video").canPlayType('video/mp4; codecs="avc1.42E01E"') !== "";
const unplayed = video => { if (video.nextElementSibling) video.nextElementSibling.hidden = false; };
for (const video of all("video")) {
  if (!plays) unplayed(video);
  video.addEventListener("error", () => unplayed(video));
}

for (const card of cards) {
  const [first, second] = all("video", card);
  near.observe(card);
  card.addEventListener("pointerenter", event => { if (event.pointerType === "mouse") play(card); });
  card.addEventListener("pointerleave", event => { if (event.pointerType === "mouse") pause(card); });
  card.addEventListener("click", event => { if (!event.target.closest("video, details")) playing(card) ? pause(card) : play(card); });
  card.addEventListener("keydown", event => { if (event.key === "Enter" && event.target === card) playing(card) ? pause(card) : play(card); });
  // The second follows the first when it starts over or is dragged. It does not lead, or they would chase each other.
  if (second) first.addEventListener("seeked", () => { second.currentTime = Math.min(first.currentTime, second.duration || 0); });
}
at("play")?.addEventListener("click", () => {
  const seen = cards.filter(visible), stop = seen.some(playing);
  seen.forEach(stop ? pause : play);
});
show();
// A link to one trial.
const follow = () => { if (location.hash.startsWith("#trial-")) at(location.hash.slice(1))?.focus(); };
addEventListener("hashchange", follow);
follow();
}
