// Several runs side by side; figures can be taken away.
import { $ } from "./app.js";
import { offerFigures } from "./download.js";
import { showReport } from "/static/report.js";

const place = $("figures");
if (place) {
  const answer = await fetch(`/compare/drawn?${place.dataset.words}`), text = await answer.text();
  if (answer.ok) {
    place.innerHTML = text;  // rendered and escaped by the server
    showReport(place);
    offerFigures(place);
  } else place.textContent = text;
}
