/** What a label means, and what is known of the model that gives it. */

import { byId, element } from "./page.js";
import { numberOf, percent, sentence } from "./words.js";

const MEANING = [
  "A perceived gender is what most viewers would say on seeing a face. It is not the gender of a person, " +
    "which no picture can show, and nobody is recognised: the tool does not know who anyone is.",
  "A face is called unsure where the picture does not say enough. Small, blurred, covered and turned faces " +
    "are unsure more often, and profiles may not be found at all.",
  "Do not use labels to decide about people.",
];
const OTHER_MEANING = [
  "A label is the class that the model's training pictures make it expect for a face. It is not a fact " +
    "about a person, and nobody is recognised: the tool does not know who anyone is.",
  ...MEANING.slice(1),
];

/** Fill the dialog and make its buttons work. */
export function setUpAbout(model) {
  const dialog = byId("about");
  const perceived = model.classes.includes("female") && model.classes.includes("male");
  const statement = sentence(model.statement);
  byId("statement").textContent = statement;
  byId("about-meaning").replaceChildren(
    element("p", { class: "strong" }, statement),
    ...(perceived ? MEANING : OTHER_MEANING).map((words) => element("p", {}, words)),
  );
  byId("about-facts").replaceChildren(...facts(model).flatMap(([name, value]) => fact(name, value)));
  byId("about-open").addEventListener("click", () => dialog.showModal());
  byId("about-close").addEventListener("click", () => dialog.close());
  // A click beside the dialog is one on its backdrop.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

function facts(model) {
  const { accuracy, balanced_accuracy: balanced = accuracy, recall } = model.figures ?? {};
  const { counts, terms } = model.trained_on ?? {};
  return [
    ["Name", model.name],
    ["Classes", model.classes.join(", ")],
    ["Unsure below", `${Math.round(100 * model.threshold)} %`],
    ["Network", `${model.architecture}, faces of ${model.input_px} px`],
    ["Runs on", model.device],
    ["Trained on", counts?.train && pictures(counts.train)],
    ["Terms", terms],
    ["Right in validation", Number.isFinite(balanced) && `${percent(balanced)} of the faces`],
    ["Recognised", recall && each(recall, (share) => percent(share))],
    ["Calibration error", Number.isFinite(model.calibration_error) && model.calibration_error.toFixed(4)],
    ["At its threshold", atThreshold(model)],
    ["SHA-256", model.sha256],
  ].filter(([, value]) => value);
}

/** `60,465 pictures: female 32,289, male 28,176`. */
function pictures(counts) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return `${numberOf(total, "picture")}: ${each(counts, (count) => count.toLocaleString("en"))}`;
}

/** What the checkpoint's table says of the threshold in use. */
function atThreshold({ error_table: table = [], threshold }) {
  const row = table.filter((entry) => entry.threshold <= threshold + 1e-9).at(-1);
  return row && `${percent(row.coverage)} of the faces get a label, ${percent(row.error)} of these are wrong`;
}

function each(values, worded) {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${worded(value)}`)
    .join(", ");
}

function fact(name, value) {
  return [element("dt", {}, name), element("dd", {}, value)];
}
