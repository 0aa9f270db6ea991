/** One run of the camera: frames out, faces in, and what is drawn over the picture. */

import { liveAddress } from "./api.js";
import { drawFaces, fitCanvas } from "./overlay.js";
import { announce, element, save } from "./page.js";
import { SteadyFaces } from "./steady.js";
import { sentence } from "./words.js";

const SENT_SIDE_PX = 960;
const JPEG_QUALITY = 0.85;
/** The server works on one and has the next one waiting; more would only grow old on the way. */
const MOST_UNDER_WAY = 2;
const STALE_S = 1.5;
const CLOSED = {
  1001: "The server is being stopped.",
  1013: "The server has as many cameras as it can follow. Stop one elsewhere, or try again later.",
};
const REFUSED = "The server did not take the camera's connection. Open the page at the address it printed.";
const LOST = "The connection to the server ended. Is gclf-live serve still running?";

/** From a stream that is shown to its end, whoever ends it. */
export class LiveSession {
  #stream;
  #view;
  #classes;
  #socket;
  #fail;
  #ended = false;
  #steady = new SteadyFaces();
  #small = document.createElement("canvas");
  #wasOpen = false;
  #sent = 0;
  #underWay = [];
  #encoding = false;
  #newFrame = true;
  #answers = [];
  #lastAnswerS = 0;
  #listedS = 0;
  #telling = 0;

  constructor(stream, view, classes, threshold, fail) {
    this.#stream = stream;
    this.#view = view;
    this.#classes = classes;
    this.#fail = fail;
    this.#socket = new WebSocket(liveAddress());
    this.#socket.addEventListener("open", () => {
      this.#wasOpen = true;
      if (this.#ended) {
        this.#socket.close();
        return;
      }
      this.#socket.send(JSON.stringify({ threshold }));
    });
    this.#socket.addEventListener("message", (event) => this.#take(JSON.parse(event.data)));
    this.#socket.addEventListener("close", (event) => {
      const why = CLOSED[event.code] ?? sentence(event.reason);
      this.#lose(why || (this.#wasOpen ? LOST : REFUSED));
    });
    stream.getVideoTracks()[0].addEventListener("ended", () => this.#lose("The camera was disconnected."));
    this.#watchFrames();
    requestAnimationFrame(() => this.#draw());
  }

  end() {
    this.#ended = true;
    // A connection that is still being made is closed once it is there: browsers warn of it otherwise.
    if (this.#socket.readyState !== WebSocket.CONNECTING) this.#socket.close();
    this.#stream.getTracks().forEach((track) => track.stop());
  }

  /** Told once the slider rests. The server judges the faces that it follows anew, and goes on. */
  setThreshold(threshold, afterMs = 0) {
    clearTimeout(this.#telling);
    this.#telling = setTimeout(() => {
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ threshold }));
    }, afterMs);
  }

  /** The picture with what is drawn on it, at the camera's own size, as a download. */
  snapshot() {
    const { video, mirror } = this.#view;
    const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
    const context = canvas.getContext("2d");
    context.save();
    if (mirror.checked) {
      context.translate(canvas.width, 0);
      context.scale(-1, 1);
    }
    context.drawImage(video, 0, 0);
    context.restore();
    const scale = canvas.width / this.#small.width;
    const size = { width: canvas.width, height: canvas.height, scale };
    const unit = Math.max(1, Math.min(canvas.width, canvas.height) / 600);
    drawFaces(context, this.#steady.at(now()), this.#classes, size, { mirror: mirror.checked, unit });
    const name = `gclf-live-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jpg`;
    canvas.toBlob((blob) => save(blob, name), "image/jpeg", 0.92);
    announce(`Snapshot saved as ${name}`);
  }

  #lose(words) {
    if (this.#ended) return;
    this.#fail(words);
  }

  /** Notice when the camera has a new frame: one that is shown twice is not sent twice. */
  #watchFrames() {
    const { video } = this.#view;
    if (!video.requestVideoFrameCallback) return;
    this.#newFrame = false;
    const noticed = () => {
      if (this.#ended) return;
      this.#newFrame = true;
      this.#send();
      video.requestVideoFrameCallback(noticed);
    };
    video.requestVideoFrameCallback(noticed);
  }

  #send() {
    const free = this.#socket.readyState === WebSocket.OPEN && this.#underWay.length < MOST_UNDER_WAY;
    if (this.#ended || this.#encoding || !this.#newFrame || !free) return;
    const { video } = this.#view;
    const shrink = Math.min(1, SENT_SIDE_PX / Math.max(video.videoWidth, video.videoHeight));
    const [width, height] = [Math.round(video.videoWidth * shrink), Math.round(video.videoHeight * shrink)];
    if (!width || !height) return;
    const isOther = this.#small.width !== width || this.#small.height !== height;
    if (isOther) Object.assign(this.#small, { width, height });
    this.#small.getContext("2d", { alpha: false }).drawImage(video, 0, 0, width, height);
    const capturedS = now();
    this.#encoding = true;
    this.#newFrame = !video.requestVideoFrameCallback;
    this.#small.toBlob(
      (blob) => {
        this.#encoding = false;
        if (this.#ended || !blob || this.#socket.readyState !== WebSocket.OPEN) return;
        this.#socket.send(blob);
        this.#underWay.push({ frame: this.#sent, capturedS });
        this.#sent += 1;
      },
      "image/jpeg",
      JPEG_QUALITY,
    );
  }

  #take(answer) {
    if (this.#ended) return;
    if (answer.error) {
      this.#lose(sentence(answer.error));
      return;
    }
    const settled = this.#underWay.filter(({ frame }) => frame <= answer.frame).at(-1);
    this.#underWay = this.#underWay.filter(({ frame }) => frame > answer.frame);
    if (settled) {
      const at = now();
      this.#steady.update(answer.faces, settled.capturedS);
      this.#answers.push({ at, latencyMs: 1000 * (at - settled.capturedS) });
      this.#answers = this.#answers.filter((each) => at - each.at < 2);
      this.#lastAnswerS = at;
    }
    this.#send();
  }

  #draw() {
    if (this.#ended) return;
    requestAnimationFrame(() => this.#draw());
    const at = now();
    if (this.#lastAnswerS && at - this.#lastAnswerS > STALE_S) this.#steady.clear();
    const { canvas, mirror } = this.#view;
    const { context, width, height } = fitCanvas(canvas);
    const faces = this.#steady.at(at);
    const scale = width / (this.#small.width || width);
    drawFaces(context, faces, this.#classes, { width, height, scale }, { mirror: mirror.checked });
    if (at - this.#listedS > 0.5 && this.#lastAnswerS) {
      this.#listedS = at;
      this.#view.list(faces);
      this.#figures(faces.length, at);
    }
    this.#send();
  }

  #figures(faces, at) {
    const recent = this.#answers.filter((each) => at - each.at < 2);
    if (!recent.length) return this.#view.figures(faces, 0, 1000 * (at - this.#lastAnswerS));
    const span = Math.max(at - recent[0].at, 0.5);
    const latencies = recent.map((each) => each.latencyMs).sort((a, b) => a - b);
    this.#view.figures(faces, recent.length / span, latencies[Math.floor(latencies.length / 2)]);
  }
}

function now() {
  return performance.now() / 1000;
}
