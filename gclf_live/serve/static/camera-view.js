/** What the Camera tab shows: the picture, its figures, and who is in it. */

import { labelColour } from "./colours.js";
import { fitCanvas } from "./overlay.js";
import { announce, byId, element, showProblem, swap, swatch } from "./page.js";
import { countLabels, labelWords } from "./words.js";

const SAY_EVERY_MS = 4000;

/** The tab's elements, and what is written into them. */
export class CameraView {
  video = byId("camera-video");
  canvas = byId("camera-overlay");
  threshold = byId("camera-threshold");
  mirror = byId("camera-mirror");
  device = byId("camera-device");
  #classes;
  #said = "";
  #saidAt = -Infinity;
  #listed = "";

  constructor(classes) {
    this.#classes = classes;
    // A phone that is turned.
    this.video.addEventListener("resize", () => this.shape());
  }

  waiting() {
    showProblem(byId("camera-problem"), "");
    swap([byId("camera-waiting"), byId("camera-bar")], [byId("camera-off")], byId("camera-stop"));
    byId("camera-waiting-words").textContent = "Waiting for the camera";
    byId("camera-snapshot").disabled = true;
    this.video.hidden = true;
  }

  async show(stream) {
    this.video.srcObject = stream;
    this.video.hidden = false;
    // A camera that looks away from its user is no mirror.
    if (stream.getVideoTracks()[0].getSettings().facingMode === "environment") this.mirror.checked = false;
    this.turn();
    await this.video.play();
    byId("camera-snapshot").disabled = false;
    byId("camera-waiting").hidden = true;
    this.shape();
    await this.#listDevices(stream);
  }

  /** The stage has the shape of the picture, so that the canvas lies exactly over it. */
  shape() {
    const { videoWidth, videoHeight } = this.video;
    byId("camera-stage").style.setProperty("--ratio", videoWidth / videoHeight || 16 / 9);
  }

  off(problem) {
    this.video.srcObject = null;
    this.video.hidden = true;
    fitCanvas(this.canvas);
    swap([byId("camera-off")], [byId("camera-waiting"), byId("camera-bar")], byId("camera-start"));
    showProblem(byId("camera-problem"), problem);
    byId("camera-stage").style.removeProperty("--ratio");
    for (const id of ["camera-faces", "camera-rate", "camera-latency"]) byId(id).textContent = "–";
    this.list([]);
    this.#said = "";
  }

  turn() {
    this.video.classList.toggle("mirrored", this.mirror.checked);
  }

  figures(faces, rate, latencyMs) {
    byId("camera-faces").textContent = faces;
    byId("camera-rate").textContent = rate >= 10 ? Math.round(rate) : rate.toFixed(1);
    byId("camera-latency").textContent = Math.round(latencyMs);
  }

  /** The faces from left to right as they are seen, in words; said aloud when the count changes. */
  list(faces) {
    const ordered = [...faces].sort((a, b) => (a.x_px - b.x_px) * (this.mirror.checked ? -1 : 1));
    const words = ordered.map(labelWords);
    if (words.join() === this.#listed) return;
    this.#listed = words.join();
    byId("camera-nobody").hidden = words.length > 0;
    const square = (face) => swatch(labelColour(face.label, this.#classes));
    byId("camera-people").replaceChildren(
      ...ordered.map((face, i) => element("li", {}, square(face), words[i])),
    );
    const now = performance.now();
    const labels = ordered.map((face) => face.label);
    const count = labels.length ? countLabels(labels, this.#classes) : "no face";
    if (count !== this.#said && now - this.#saidAt > SAY_EVERY_MS && this.video.srcObject) {
      this.#said = count;
      this.#saidAt = now;
      announce(`In the picture: ${count}`);
    }
  }

  async #listDevices(stream) {
    const found = await navigator.mediaDevices.enumerateDevices();
    const cameras = found.filter((device) => device.kind === "videoinput");
    const current = stream.getVideoTracks()[0].getSettings().deviceId;
    this.device.replaceChildren(
      ...cameras.map(({ deviceId, label }, i) =>
        element("option", { value: deviceId, selected: deviceId === current }, label || `Camera ${i + 1}`),
      ),
    );
    byId("camera-choice").hidden = cameras.length < 2;
  }
}
