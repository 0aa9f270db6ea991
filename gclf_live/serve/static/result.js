/** What a video came to: the copy, shares of screen time, tracks, downloads. */

import { address } from "./api.js";
import { labelColour } from "./colours.js";
import { byId, element, swatch } from "./page.js";
import { duration, labelWords, moment, numberOf, percent, wholePercent } from "./words.js";

const FEW_ROWS = 100;
const FILES = [
  ["video", "Annotated video", "annotated.mp4"],
  ["tracks", "Tracks, CSV", "tracks.csv"],
  ["faces", "Faces in every frame, CSV", "faces.csv"],
  ["subtitles", "Subtitles, WebVTT", "subtitles.vtt"],
  ["report", "Report, HTML", "report.html"],
  ["result", "Result for gclf-live report, JSON", "result.json"],
];

/** Fill the part of the page that shows the document of a job that is done. */
export function showResult(job, name, classes) {
  byId("video-summary").textContent = summaryWords(job.summary, job.tracks ?? []);
  showPlayer(job.files);
  showShares(job.screen_time, classes);
  showDownloads(job.files, name);
  showTracks(job.tracks ?? [], classes);
}

function summaryWords(summary, tracks) {
  if (!summary) return "";
  const words = [
    `${duration(summary.video_s)} of video`,
    numberOf(summary.frames, "frame"),
    `labelled in ${duration(summary.wall_s)}`,
  ];
  if (tracks.length) words.push(numberOf(tracks.length, "track"));
  // A number stays on the line of what it counts.
  return words.map((part) => part.replaceAll(" ", "\u00a0")).join(" · ");
}

function showPlayer(files) {
  const player = byId("video-player");
  player.replaceChildren();
  if (files.subtitles) {
    player.append(
      element("track", { kind: "captions", srclang: "en", label: "Labels", src: address(files.subtitles) }),
    );
  }
  player.src = address(files.video);
}

function showShares(screenTime, classes) {
  const entries = classes.map((name) => [name, screenTime?.classes?.[name]]).filter(([, entry]) => entry);
  const seen = entries.some(([, entry]) => Number.isFinite(entry.share));
  const rows = seen ? entries.map(([name, entry]) => shareRow(name, entry, classes)) : [];
  byId("video-shares").replaceChildren(...rows);
  const unknown = entries.every(([, { low, high }]) => low <= 0.005 && high >= 0.995);
  const notes = [];
  if (!seen) notes.push("No face counted towards screen time.");
  else if (unknown) notes.push("Too few tracks to say how far the shares can be trusted.");
  else notes.push("Corrected for the classifier's errors, with the 95\u00a0% interval as a line.");
  if (screenTime?.unsure_s) notes.push(`${duration(screenTime.unsure_s)} unsure.`);
  const left = screenTime?.excluded_s;
  if (left) notes.push(`${duration(left)} left out: too small, blurred or turned.`);
  byId("video-shares-note").textContent = notes.join(" ");
}

function shareRow(name, { share, low, high, seconds }, classes) {
  const fill = element("span", { class: "fill" });
  fill.style.width = `${100 * (share || 0)}%`;
  fill.style.background = labelColour(name, classes);
  const whisker = element("span", { class: "whisker" });
  whisker.style.left = `${100 * low}%`;
  whisker.style.width = `${100 * Math.max(0, high - low)}%`;
  return element(
    "div",
    { class: "share" },
    element("p", { class: "share-name" }, swatch(labelColour(name, classes)), name),
    element("p", { class: "share-value" }, percent(share)),
    element("span", { class: "track", "aria-hidden": "true" }, fill, whisker),
    element(
      "p",
      { class: "soft share-note" },
      `95 %: ${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)} % · labelled ${duration(seconds)}`,
    ),
  );
}

function showDownloads(files, name) {
  const stem = name.replace(/\.[^.]*$/, "") || "video";
  byId("video-downloads").replaceChildren(
    ...FILES.filter(([kind]) => files[kind]).map(([kind, words, ending]) =>
      element("li", {}, element("a", { href: address(files[kind]), download: `${stem}.${ending}` }, words)),
    ),
  );
}

function showTracks(tracks, classes) {
  byId("video-tracks-card").hidden = !tracks.length;
  const excluded = tracks.some((track) => track.excluded);
  const head = ["Track", "Label", "From", "To", "On screen", "Height", ...(excluded ? ["Left out"] : [])];
  const body = element("tbody");
  const fill = (count) => {
    body.replaceChildren(...tracks.slice(0, count).map((track) => trackRow(track, classes, excluded)));
  };
  const titles = head.map((words) =>
    element("th", { scope: "col", class: words === "Left out" ? "words" : "" }, words),
  );
  byId("video-tracks").replaceChildren(element("thead", {}, element("tr", {}, ...titles)), body);
  fill(FEW_ROWS);
  const all = byId("video-tracks-all");
  all.hidden = tracks.length <= FEW_ROWS;
  all.textContent = `Show all ${numberOf(tracks.length, "track")}`;
  all.onclick = () => {
    fill(tracks.length);
    all.hidden = true;
    byId("video-tracks-scroll").focus();
  };
}

function trackRow(track, classes, excluded) {
  const go = element("button", { type: "button", class: "link" }, moment(track.start_s));
  go.setAttribute("aria-label", `Play from ${moment(track.start_s)}`);
  go.addEventListener("click", () => {
    const player = byId("video-player");
    player.currentTime = Math.min(track.start_s, player.duration || 0);
    player.scrollIntoView({ block: "nearest" });
  });
  const square = swatch(labelColour(track.label, classes));
  const label = element("td", { class: "label" }, square, labelWords(track));
  if (track.label === "unsure" && Number.isFinite(track.confidence)) {
    label.title = classes.map((name) => `${name} ${wholePercent(track[`p_${name}`])} %`).join(", ");
  }
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, `#${track.track_id}`),
    label,
    element("td", {}, go),
    element("td", {}, moment(track.end_s)),
    element("td", {}, duration(track.seconds)),
    element("td", {}, `${Math.round(track.median_height_px)} px`),
    ...(excluded ? [element("td", { class: "words" }, track.excluded)] : []),
  );
}
