// What the pages that ask people share: who they are, and how they end.
import { $, send } from "./app.js";

const { kind, run, named } = $("labelling").dataset;
let labeller = "";
const address = (what, more = {}) => `/${kind}/${what}?${new URLSearchParams({ run, labeller, ...more })}`;

export async function state() {
  const answer = await fetch(address("state"));
  if (!answer.ok) { $("error").textContent = await answer.text(); throw new Error("no videos"); }
  return answer.json();
}
export const say = said => send(address("say"), said);
// A video as a whole, not as a stream: the loop and single steps then need no further request. Null where it cannot be read.
export async function whole(item) {
  const answer = await fetch(address("video", { item }));
  return answer.ok ? URL.createObjectURL(await answer.blob()) : null;
}
export function counted(text, done, all) {
  $("count").textContent = text + (done === all ? ". All done: thank you." : "");
  $("done").style.width = `${100 * done / all}%`;
}
// Calls `start` once it is known who labels.
export function begin(start) {
  $("finish")?.addEventListener("click", async () => { await send(`/${kind}/finish`, {}); $("labelling").textContent = "Saved. You can close this page."; });
  if (named) { start(); return; }
  $("labelling").hidden = true;
  $("who").addEventListener("submit", event => { event.preventDefault(); labeller = $("labeller").value; $("who").hidden = true; $("labelling").hidden = false; start(); });
}
