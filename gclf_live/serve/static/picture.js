/** The Picture tab: pictures are sent one by one, and shown with their faces. */

import { ask, askPatiently } from "./api.js";
import { labelColour } from "./colours.js";
import { drawFaces, fitCanvas } from "./overlay.js";
import { announce, byId, element, save, swatch } from "./page.js";
import { bytes, countFaces, labelWords, numberOf, percent, sentence } from "./words.js";

const AT_ONCE = 2;

/** Make the tab work; returns what takes files. */
export function setUpPictures(model) {
  const shown = [];
  const waiting = [];
  let working = 0;

  function take(files) {
    // The newest files on top, in the order in which they were given.
    const cards = files.map((file) => new PictureCard(file, model, () => remove(cards, file)));
    byId("picture-results").prepend(...cards.map((card) => card.root));
    shown.push(...cards);
    waiting.push(...cards);
    showTotal();
    work();
  }

  async function work() {
    while (working < AT_ONCE && waiting.length) {
      const card = waiting.shift();
      working += 1;
      card.label().finally(() => {
        working -= 1;
        showTotal();
        work();
      });
    }
  }

  function remove(cards, file) {
    drop(cards.find((card) => card.file === file));
    showTotal();
    byId("picture-input").focus();
  }

  function drop(card) {
    card.remove();
    shown.splice(shown.indexOf(card), 1);
    if (waiting.includes(card)) waiting.splice(waiting.indexOf(card), 1);
  }

  function showTotal() {
    byId("picture-bar").hidden = !shown.length;
    byId("picture-drop").classList.toggle("compact", shown.length > 0);
    const done = shown.filter((card) => card.faces);
    const left = shown.filter((card) => card.isOpen).length;
    const failed = shown.length - done.length - left;
    const words = [
      numberOf(shown.length, "picture"),
      ...(failed ? [`${failed} without an answer`] : []),
      left ? `${left} to go` : countFaces(done.flatMap((card) => card.faces), model.classes),
    ].join(", ");
    byId("picture-total").textContent = words;
    if (shown.length && !left) announce(words);
  }

  byId("picture-clear").addEventListener("click", () => {
    [...shown].forEach(drop);
    showTotal();
    byId("picture-input").focus();
  });
  const { picture_bytes: limit } = model.limits;
  byId("picture-limits").textContent = limit ? `JPEG, PNG, WebP and others, up to ${bytes(limit)} each` : "";
  return take;
}

/** One picture, from its file to its faces. */
class PictureCard {
  file;
  root;
  faces = null;
  isOpen = true;
  #model;
  #entry = null;
  #image = element("img", { alt: "", hidden: true });
  #canvas = element("canvas", { "aria-hidden": "true" });
  #stage;
  #side;
  #url;
  #chosen = -1;
  #rows = [];
  #isForeign = false;
  #resized;

  constructor(file, model, removed) {
    this.file = file;
    this.#model = model;
    this.#url = URL.createObjectURL(file);
    const close = element("button", { type: "button", class: "quiet small" }, "Remove");
    close.setAttribute("aria-label", `Remove ${file.name}`);
    close.addEventListener("click", removed);
    this.#stage = element("div", { class: "stage picture" }, this.#image, this.#canvas);
    this.#side = element("div", { class: "picture-side" }, element("p", { class: "soft busy" }, "Waiting"));
    this.root = element(
      "article",
      { class: "card result", "aria-label": file.name },
      element("div", { class: "result-top" }, element("h3", { class: "name" }, file.name), close),
      element("div", { class: "split" }, this.#stage, this.#side),
    );
    this.#stage.addEventListener("pointermove", (event) => this.#point(event));
    this.#stage.addEventListener("pointerleave", () => this.#choose(-1));
    this.#resized = new ResizeObserver(() => this.#draw());
    this.#resized.observe(this.#stage);
    this.#show(this.#url);
  }

  remove() {
    this.isOpen = false;
    this.#resized.disconnect();
    URL.revokeObjectURL(this.#url);
    this.root.remove();
  }

  async label() {
    this.#say("Looking for faces");
    try {
      this.#check();
      const answer = await (
        await askPatiently("v1/predict", this.#form(), () => this.#say("The server is busy; trying again"))
      ).json();
      const entry = answer.pictures[0];
      if (entry.error) throw new Error(sentence(entry.error));
      this.#done(entry);
    } catch (error) {
      this.isOpen = false;
      this.#side.replaceChildren(element("p", { class: "problem" }, error.message));
      this.root.classList.add("failed");
    }
  }

  #check() {
    const limit = this.#model.limits.picture_bytes;
    if (limit && this.file.size > limit) {
      const has = bytes(this.file.size);
      throw new Error(`The picture has ${has}; allowed are ${bytes(limit)}. Make it smaller.`);
    }
  }

  #form() {
    const body = new FormData();
    body.append("file", this.file);
    return { method: "POST", body };
  }

  #say(words) {
    this.#side.replaceChildren(element("p", { class: "soft busy" }, words));
  }

  #show(url) {
    this.#image.addEventListener("load", () => {
      this.#image.hidden = false;
      this.#stage.hidden = false;
      this.#draw();
    });
    this.#image.addEventListener("error", () => {
      this.#stage.hidden = true;
      this.#isForeign = true;
    });
    this.#image.src = url;
  }

  /** What the server reads and the browser does not, a TIFF for one, is shown as the server draws it. */
  async #showAnnotated() {
    const blob = await (await ask("v1/annotate", this.#form())).blob();
    URL.revokeObjectURL(this.#url);
    this.#url = URL.createObjectURL(blob);
    this.#image.src = this.#url;
  }

  #done(entry) {
    this.isOpen = false;
    this.#entry = entry;
    const { classes } = this.#model;
    this.faces = [...entry.faces].sort((a, b) => a.x_px - b.x_px);
    const words = countFaces(this.faces, classes);
    this.#image.alt = `${this.file.name}, ${words}`;
    const download = element("button", { type: "button" }, "Download annotated");
    download.setAttribute("aria-label", `Download ${this.file.name} annotated`);
    download.addEventListener("click", () => this.#download(download));
    this.#side.replaceChildren(
      element("p", { class: "strong" }, this.faces.length ? words : "No face found"),
      this.faces.length
        ? this.#list(classes)
        : element("p", { class: "soft" }, "Faces that are very small, covered or turned away may be missed."),
      element("div", { class: "bar" }, download),
    );
    this.#draw();
    if (this.#isForeign) this.#showAnnotated().catch(() => {});
  }

  #list(classes) {
    const rows = this.faces.map((face, i) => {
      const row = element("li", { tabindex: "0", class: "face" });
      row.append(
        element("span", { class: "face-label" }, swatch(labelColour(face.label, classes)), labelWords(face)),
        probabilities(face, classes),
      );
      row.addEventListener("pointerenter", () => this.#choose(i));
      row.addEventListener("pointerleave", () => this.#choose(-1));
      row.addEventListener("focus", () => this.#choose(i));
      row.addEventListener("blur", () => this.#choose(-1));
      return row;
    });
    this.#rows = rows;
    const label = `Faces in ${this.file.name}, from the left`;
    return element("ul", { class: "faces", "aria-label": label }, ...rows);
  }

  /** Light up the face under the pointer, in the picture and in the list. */
  #point(event) {
    if (!this.#entry) return;
    const box = this.#canvas.getBoundingClientRect();
    const scale = this.#entry.width_px / box.width;
    const x = (event.clientX - box.left) * scale;
    const y = (event.clientY - box.top) * scale;
    const found = this.faces.findIndex((face) => isInside(x - face.x_px, y - face.y_px, face));
    if (found === this.#chosen) return;
    this.#choose(found);
    const row = this.#rows[found];
    if (!row) return;
    // Within the list only: the page itself stays where it is.
    const list = row.parentElement;
    list.scrollTop = row.offsetTop - (list.clientHeight - row.offsetHeight) / 2;
  }

  #choose(which) {
    this.#chosen = which;
    this.#rows.forEach((row, i) => row.classList.toggle("chosen", i === which));
    this.#draw();
  }

  async #download(button) {
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    try {
      const answer = await ask("v1/annotate", this.#form());
      const blob = await answer.blob();
      const ending = blob.type === "image/png" ? "png" : "jpg";
      save(blob, `${this.file.name.replace(/\.[^.]*$/, "")}-annotated.${ending}`);
    } catch (error) {
      this.#side.append(element("p", { class: "problem", role: "alert" }, error.message));
    } finally {
      button.ariaDisabled = "false";
    }
  }

  #draw() {
    if (!this.#entry || this.#image.hidden || this.#isForeign) return;
    const { context, width, height } = fitCanvas(this.#canvas);
    const size = { width, height, scale: width / this.#entry.width_px };
    drawFaces(context, this.faces, this.#model.classes, size, { chosen: this.#chosen });
  }
}

function isInside(across, down, { width_px: width, height_px: height }) {
  return across >= 0 && down >= 0 && across < width && down < height;
}

/** The probability of each class, as a bar and in words. */
function probabilities(face, classes) {
  const rows = classes.map((name) => {
    const share = face[`p_${name}`];
    const fill = element("span", { class: "fill" });
    fill.style.width = `${100 * (share || 0)}%`;
    fill.style.background = labelColour(name, classes);
    return element(
      "span",
      { class: "chance" },
      element("span", { class: "chance-name" }, name),
      element("span", { class: "track", "aria-hidden": "true" }, fill),
      element("span", { class: "chance-value" }, percent(share)),
    );
  });
  return element("span", { class: "chances" }, ...rows);
}
