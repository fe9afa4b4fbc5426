// What the pages that ask people share: who they are, and how they end.
import { $, send } from "./app.js";

const { kind, run, named } = $("labelling").dataset;
let labeller = "", session = "";  // numbers of videos and pairs are of this session
const address = (what, more = {}) => `/${kind}/${what}?${new URLSearchParams({ run, labeller, ...more })}`;

export async function state() {
  const answer = await fetch(address("state"));
  if (!answer.ok) { $("error").textContent = await answer.text(); throw new Error("no videos"); }
  const told = await answer.json();
  session = told.session;
  return told;
}
export const say = said => send(address("say", { session }), said);
// A video as a whole, not as a stream: the loop and single steps then need no further request. Null where it cannot be read.
export async function whole(item) {
  const answer = await fetch(address("video", { item, session }));
  return answer.ok ? { source: URL.createObjectURL(await answer.blob()), fps: +answer.headers.get("x-worldgym-fps") } : null;
}
// The moment of another frame, so many on: its middle, where it is sure to be shown.
export function moment(video, fps, by) {
  const last = Math.max(0, Math.round((video.duration || 0) * fps) - 1), frame = Math.floor(video.currentTime * fps + 0.01);
  return (Math.max(0, Math.min(last, Math.min(last, frame) + by)) + 0.5) / fps;
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
