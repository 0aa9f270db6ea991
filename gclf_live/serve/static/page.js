/** Small helpers for the document. */

export const byId = (id) => document.getElementById(id);

/** A new element with attributes and children; text goes in as text, never as HTML. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Show these elements and hide those; where the focus would be hidden with them, it goes to `focus`. */
export function swap(shown, hidden, focus) {
  const isLost = hidden.some((each) => each.contains(document.activeElement));
  for (const each of hidden) each.hidden = true;
  for (const each of shown) each.hidden = false;
  if (isLost) focus.focus();
}

/** Say it to a screen reader, without moving the focus. */
export function announce(words) {
  byId("announcer").textContent = words;
}

/** Put a problem, or what is only good to know, into its notice; take it away with an empty text. */
export function showProblem(notice, words, { isError = true } = {}) {
  notice.textContent = words;
  notice.hidden = !words;
  notice.classList.toggle("error", isError);
}

/** Hand a blob to the browser's downloads. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A slider of the threshold, in step with its value in words. */
export function thresholdSlider(slider, output, value, changed = () => {}) {
  const show = () => {
    output.textContent = `${Math.round(100 * slider.value)} %`;
    slider.setAttribute("aria-valuetext", output.textContent);
  };
  slider.value = value;
  slider.addEventListener("input", () => {
    show();
    changed(Number(slider.value));
  });
  show();
}

/** A coloured square in the colour of a label; the label itself is always beside it in words. */
export function swatch(colour) {
  const made = element("span", { class: "swatch", "aria-hidden": "true" });
  made.style.background = colour;
  return made;
}
