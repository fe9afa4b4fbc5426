// Figures as files: SVG that looks alike without our style sheet, and PNG at twice the size.
import { all, element } from "./app.js";

const KEPT = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "font-size", "font-family", "font-weight"];

function whole(figure) {
  const copy = figure.cloneNode(true), box = figure.viewBox.baseVal;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", box.width);
  copy.setAttribute("height", box.height);
  const originals = [figure, ...all("*", figure)];
  [copy, ...all("*", copy)].forEach((one, i) => {
    const style = getComputedStyle(originals[i]);
    for (const name of KEPT) one.style.setProperty(name, style.getPropertyValue(name));
    for (const name of ["class", "tabindex", "role", "data-tip", "data-policy", "data-task"]) one.removeAttribute(name);
  });
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of [["width", "100%"], ["height", "100%"], ["fill", getComputedStyle(figure.closest("section")).backgroundColor]]) paper.setAttribute(name, value);
  copy.prepend(paper);
  return { text: new XMLSerializer().serializeToString(copy), width: box.width, height: box.height };
}
function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
async function png({ text, width, height }) {
  const image = new Image(), address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  image.src = address;
  await image.decode();
  const canvas = element("canvas", { width: 2 * width, height: 2 * height });
  canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
  URL.revokeObjectURL(address);
  return new Promise(done => canvas.toBlob(done, "image/png"));
}

// Two buttons below every figure.
export function offerFigures(within) {
  for (const figure of all(".figure > svg", within)) {
    if (figure.parentElement.nextElementSibling?.matches(".downloads")) continue;
    const name = figure.closest("section")?.id || "figure";
    const svg = element("button", { type: "button" }, "SVG"), png2 = element("button", { type: "button" }, "PNG");
    svg.addEventListener("click", () => save(new Blob([whole(figure).text], { type: "image/svg+xml" }), `${name}.svg`));
    png2.addEventListener("click", async () => save(await png(whole(figure)), `${name}.png`));
    figure.parentElement.after(element("p", { class: "downloads small" }, "Take this figure: ", svg, " ", png2));
  }
}
