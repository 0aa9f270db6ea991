/** What the Video tab shows. */

import { announce, byId, element, showProblem, swap } from "./page.js";
import { showResult } from "./result.js";
import { timeLeft, wholePercent } from "./words.js";

export const CANCELLED = "Cancelled. Nothing of the video was kept.";

/** The tab's three states: nothing given, a job that is watched, and what it came to. */
export class JobView {
  #empty = byId("video-empty");
  #job = byId("video-job");
  #done = byId("video-done");

  /** `earlier`: jobs that were put aside; `reopen` takes the one that is chosen. */
  empty(problem, earlier, reopen) {
    byId("video-player").removeAttribute("src");
    byId("video-player").replaceChildren();
    byId("video-player").load();
    swap([this.#empty], [this.#job, this.#done], byId("video-input"));
    this.problem(problem);
    byId("video-earlier").hidden = !earlier.length;
    byId("video-earlier-list").replaceChildren(...earlier.map((entry) => earlierItem(entry, reopen)));
  }

  problem(words) {
    showProblem(byId("video-problem"), words, { isError: words !== CANCELLED });
  }

  busy(name, words) {
    this.problem("");
    byId("video-name").textContent = name;
    this.say(words);
    this.progress(null);
    this.cancelling(false);
    swap([this.#job], [this.#empty, this.#done], byId("video-cancel"));
  }

  say(words) {
    if (byId("video-state").textContent !== words) byId("video-state").textContent = words;
  }

  progress(share, what = "", secondsLeft = null) {
    const bar = byId("video-progress");
    if (Number.isFinite(share)) bar.value = share;
    else bar.removeAttribute("value");
    byId("video-percent").textContent = Number.isFinite(share) ? `${wholePercent(share)} % ${what}` : "";
    byId("video-left").textContent = secondsLeft === null ? "" : timeLeft(secondsLeft);
  }

  /** The button is not disabled: that would take the focus from it. */
  cancelling(on = true) {
    byId("video-cancel").setAttribute("aria-disabled", on);
    if (on) this.say("Cancelling");
  }

  done(name, job, classes) {
    this.problem("");
    byId("video-done-name").textContent = name;
    showResult(job, name, classes);
    swap([this.#done], [this.#empty, this.#job], byId("video-again"));
    announce(`${name} is done.`);
  }
}

function earlierItem(entry, reopen) {
  const button = element("button", { type: "button", class: "quiet" }, entry.name);
  button.setAttribute("aria-label", `Show the result of ${entry.name}`);
  button.addEventListener("click", () => reopen(entry));
  return element("li", {}, button);
}
