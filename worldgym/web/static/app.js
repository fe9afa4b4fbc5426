// What the pages of the app share.
export const $ = id => document.getElementById(id);
export const all = (what, within = document) => [...within.querySelectorAll(what)];

const token = document.querySelector('meta[name="worldgym-token"]').content;

// Asks for something that changes the state of the app; the header shows that one of its own pages asks.
export async function send(address, body, type = "application/json") {
  const answer = await fetch(address, {
    method: "POST", headers: { "x-worldgym-token": token, "content-type": type },
    body: type === "application/json" ? JSON.stringify(body) : body,
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

// An element with text inside: what comes from a log is never markup.
export function element(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== false) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

export const svg = (name, attributes, ...inside) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
};

// As worldgym.report.formats: what is neither none nor all never looks like it.
function hundredths(share, digits) {
  const near = 1e-9, told = [];
  for (let more = digits; more <= 3; more++) told.push(String(+(100 * share).toFixed(more)));
  if (share <= near || share >= 1 - near) return told[0];
  return told.find(text => text !== "0" && text !== "100") ?? (share < 0.5 ? "under 0.001" : "over 99.999");
}
export const percent = rate => rate === null ? "–" : `${hundredths(rate, 1)}\u00a0%`;
export const span = (low, high) => `${hundredths(low, 0)}–${hundredths(high, 0)}\u00a0%`;
export function duration(seconds) {
  if (seconds >= 5400) return `${(seconds / 3600).toPrecision(3)}\u00a0h`;
  return seconds >= 90 ? `${(seconds / 60).toPrecision(3)}\u00a0min` : `${seconds.toFixed(0)}\u00a0s`;
}

// Server-sent events while the page is shown, until `tell` says that there will be no more: a browser opens few connections to a
// host, and a stream holds one.
export function follow(address, name, tell) {
  let source = null;
  const close = () => { source?.close(); source = null; };
  function look() {
    if (document.hidden) close();
    else if (!source) {
      source = new EventSource(address);
      source.addEventListener(name, event => { if (tell(event.data)) close(); });
    }
  }
  document.addEventListener("visibilitychange", look);
  look();
}

// Keys of a page, but not while text is typed or a list is open.
export function keys(actions) {
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox]):not([type=range]), select, textarea")) return;
    if (event.key === " " && event.target.matches("button, a, summary, input")) return;
    if (event.key === "Enter" && event.target.matches("button, a, summary")) return;
    const action = actions[event.key];
    if (action) { event.preventDefault(); action(event); }
  });
}

export const playsH264 = document.createElement("video").canPlayType('video/mp4; codecs="avc1.42E01E"') !== "";
export function watchVideo(video) {
  const say = () => { const note = video.nextElementSibling; if (note?.matches(".unplayed")) note.hidden = false; };
  if (!playsH264) say();
  video.addEventListener("error", say);
}
