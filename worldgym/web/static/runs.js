// The list of runs: it follows what happens below the folders.
import { $, all, follow, keys } from "./app.js";

const form = $("search"), chosen = new Set();
let page = 0, asked = 0, shown = 0;

async function show() {
  const mine = ++asked, words = new URLSearchParams(new FormData(form));
  words.set("page", page);
  const answer = await fetch(`/list?${words}`);
  if (!answer.ok || mine < shown) return;
  shown = mine;
  const focus = document.activeElement?.getAttribute("href");
  $("rows").innerHTML = await answer.text();  // rendered and escaped by the server
  if (focus) all("#rows a").find(link => link.getAttribute("href") === focus)?.focus();
  mark();
}
function mark() {
  for (const box of all("#rows input[type=checkbox]")) box.checked = chosen.has(box.value);
  $("compare").hidden = chosen.size < 2;
}
$("rows").addEventListener("change", event => {
  chosen[event.target.checked ? "add" : "delete"](event.target.value);
  mark();
});
$("rows").addEventListener("click", event => {
  const to = event.target.closest("[data-page]");
  if (to) { page = +to.dataset.page; show(); }
});
$("compare").addEventListener("click", () => {
  location.href = `/compare?${new URLSearchParams([...chosen].map(name => ["run", name]))}`;
});
form.addEventListener("submit", event => event.preventDefault());
form.addEventListener("input", () => { page = 0; show(); });

const links = () => all("#rows th a");
const move = by => {
  const every = links(), at = every.indexOf(document.activeElement);
  every[Math.max(0, Math.min(every.length - 1, at + by))]?.focus();
};
keys({ j: () => move(1), k: () => move(-1), "/": () => form.words.focus(), f: () => form.words.focus() });

follow("/events", "list", () => { show(); });
