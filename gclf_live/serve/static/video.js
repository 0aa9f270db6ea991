/** The Video tab: one video goes up, is worked on while the page watches, and comes back with its figures. */

import { ApiError, address, ask, askJson, upload } from "./api.js";
import { announce, byId, thresholdSlider } from "./page.js";
import { CANCELLED, JobView } from "./video-view.js";
import { bytes, limit, sentence } from "./words.js";

const KEPT_AS = "gclf-live job";
const EARLIER_AS = "gclf-live earlier";
const MOST_EARLIER = 8;
const FINAL = ["done", "failed", "cancelled", "interrupted"];
const WATCH_AGAIN_MS = 1500;
const GONE = "This job is not on the server any more: results are kept for a while. Give the video again.";
const INTERRUPTED = "The server was stopped while it worked on this video. Give the video again.";

/** Make the tab work, and find the job of before a reload; returns what takes files. */
export function setUpVideo(model) {
  const view = new JobView();
  let job = null;

  thresholdSlider(byId("video-threshold"), byId("video-threshold-value"), model.threshold);
  byId("video-limits").textContent = limitsInWords(model.limits);
  byId("video-cancel").addEventListener("click", () => job?.cancel());
  byId("video-again").addEventListener("click", () => {
    putAside();
    job?.close();
  });
  byId("video-remove").addEventListener("click", () => job?.discard());

  function begin(make) {
    // First: what the new one listens for must not be taken away with the old one.
    job?.leave();
    job = make();
  }

  /** A result stays on the server for a while, and the page leads back to it. */
  function putAside() {
    if (!job?.isDone) return;
    const { entry } = job;
    store(EARLIER_AS, [entry, ...earlier().filter(({ id }) => id !== entry.id)].slice(0, MOST_EARLIER));
    store(KEPT_AS, null);
  }

  function reopen(entry) {
    store(EARLIER_AS, earlier().filter(({ id }) => id !== entry.id));
    store(KEPT_AS, entry);
    begin(() => Job.found(entry, view, model, ended));
  }

  function ended(words = "") {
    job = null;
    view.empty(words, earlier(), reopen);
  }

  const kept = recall(KEPT_AS);
  if (kept) begin(() => Job.found(kept, view, model, ended));
  else view.empty("", earlier(), reopen);

  return (files) => {
    if (job?.isBusy) {
      view.problem("One video is being worked on. Cancel it, or wait for it.");
      return;
    }
    const words = tooMuch(files, model.limits);
    if (words) {
      putAside();
      job?.leave();
      ended(words);
      return;
    }
    putAside();
    begin(() => Job.sent(files[0], view, model, ended));
  };
}

/** A video on its way: sent, queued, worked on, done. */
class Job {
  isBusy = true;
  isDone = false;
  #view;
  #model;
  #ended;
  #id = "";
  #name;
  #upload = null;
  #events = null;
  #isCancelling = false;
  #left = false;
  #said = -1;

  constructor(name, view, model, ended) {
    this.#name = name;
    this.#view = view;
    this.#model = model;
    this.#ended = ended;
  }

  static sent(file, view, model, ended) {
    const job = new Job(file.name, view, model, ended);
    job.#send(file);
    return job;
  }

  static found({ id, name }, view, model, ended) {
    const job = new Job(name, view, model, ended);
    job.#id = id;
    view.busy(name, "Looking for the job of this page");
    job.#watch();
    return job;
  }

  async cancel() {
    if (this.#isCancelling) return;
    this.#isCancelling = true;
    this.#view.cancelling();
    if (this.#upload) this.#upload.abort();
    if (!this.#id) return;
    try {
      await ask(`v1/jobs/${this.#id}`, { method: "DELETE" });
    } catch (error) {
      if (error.status !== 404) {
        this.#view.problem(error.message);
        this.#view.cancelling(false);
        this.#isCancelling = false;
        return;
      }
    }
    this.#end(CANCELLED);
  }

  /** What finds it again. */
  get entry() {
    return { id: this.#id, name: this.#name };
  }

  /** The page is ready for another video. */
  close() {
    this.#end("");
  }

  /** The result is not wanted any more: its files go. */
  discard() {
    this.close(); // first: the player would go on asking for a video that is not there any more
    ask(`v1/jobs/${this.#id}`, { method: "DELETE" }).catch(() => {});
  }

  leave() {
    this.#left = true;
    this.#events?.close();
    window.removeEventListener("beforeunload", warn);
  }

  #end(words) {
    if (this.#left) return;
    this.leave();
    store(KEPT_AS, null);
    this.#ended(words);
    if (words) announce(words);
  }

  async #send(file) {
    const form = new FormData();
    // Fields before the file: a server that reads on may need them while the file comes.
    form.append("threshold", byId("video-threshold").value);
    form.append("privacy", String(byId("video-privacy").checked));
    form.append("file", file);
    this.#view.busy(file.name, "Sending the video");
    // What was sent so far is lost with the page; what was sent whole is not.
    window.addEventListener("beforeunload", warn);
    try {
      this.#upload = upload("v1/jobs", form, (share) => this.#view.progress(share, "sent"));
      const made = await this.#upload.answer;
      this.#upload = null;
      this.#id = made.id;
      store(KEPT_AS, this.entry);
      this.#take(made);
      this.#watch();
    } catch (error) {
      this.#end(error.name === "AbortError" ? CANCELLED : error.message);
    } finally {
      window.removeEventListener("beforeunload", warn);
    }
  }

  /** Server-sent events; when they break off, the job itself is asked, and they are taken up again. */
  #watch() {
    if (this.#left) return;
    this.#events?.close();
    const events = new EventSource(address(`v1/jobs/${this.#id}/events`));
    this.#events = events;
    events.addEventListener("message", (event) => this.#take(JSON.parse(event.data)));
    events.addEventListener("error", async () => {
      events.close();
      if (this.#left || !this.isBusy) return;
      try {
        this.#take(await askJson(`v1/jobs/${this.#id}`));
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) {
          this.#end(GONE);
          return;
        }
        this.#view.say(error.message);
      }
      if (this.isBusy) setTimeout(() => this.#watch(), WATCH_AGAIN_MS);
    });
  }

  #take(state) {
    if (this.#left || !this.isBusy) return;
    if (FINAL.includes(state.state)) {
      this.isBusy = false;
      this.#events?.close();
      this.#finish(state);
      return;
    }
    if (state.state === "queued") {
      const ahead = state.queue_position;
      this.#view.say(ahead > 0 ? `Waiting, ${ahead} before it` : "Waiting for its turn");
      this.#view.progress(null);
    } else {
      this.#view.say("Labelling faces");
      this.#view.progress(state.progress, "done", state.seconds_left);
      this.#sayQuarters(state.progress);
    }
  }

  /** A screen reader hears every quarter, not every per cent. */
  #sayQuarters(progress) {
    const quarter = Math.floor(4 * (progress ?? 0));
    if (quarter <= this.#said) return;
    if (quarter > 0) announce(`${25 * quarter} % done`);
    this.#said = quarter;
  }

  async #finish(state) {
    if (state.state === "cancelled") this.#end(CANCELLED);
    else if (state.state === "interrupted") this.#end(sentence(state.error) || INTERRUPTED);
    else if (state.state === "failed") this.#end(sentence(state.error) || "The video could not be labelled.");
    else {
      try {
        const whole = await askJson(`v1/jobs/${this.#id}`);
        if (this.#left) return;
        this.isDone = true;
        this.#view.done(this.#name, whole, this.#model.classes);
      } catch (error) {
        this.#end(error.status === 404 ? GONE : error.message);
      }
    }
  }
}

function limitsInWords(limits) {
  const words = [];
  if (limits.video_bytes) words.push(`up to ${bytes(limits.video_bytes)}`);
  if (limits.video_seconds) words.push(limit(limits.video_seconds));
  return `Anything that FFmpeg reads${words.length ? `, ${words.join(" and ")}` : ""}`;
}

function tooMuch(files, limits) {
  if (files.length > 1) return `${files.length} videos were given; give one at a time.`;
  const [{ size }] = files;
  if (limits.video_bytes && size > limits.video_bytes) {
    const most = bytes(limits.video_bytes);
    return `The video has ${bytes(size)}; allowed are ${most}. Cut it, or use gclf-live annotate.`;
  }
  return "";
}

function warn(event) {
  event.preventDefault();
}

function earlier() {
  return recall(EARLIER_AS) ?? [];
}

/** For as long as the tab is open; null forgets it. */
function store(name, value) {
  try {
    if (value === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Storage is forbidden: the job goes on, and is only not found again after a reload.
  }
}

function recall(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name));
  } catch {
    return null;
  }
}
