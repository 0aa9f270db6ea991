/** How numbers and names are worded. The same words as in the command line's answers. */

/** Whole per cent, at most 99: no classifier of faces is certain. */
export function wholePercent(share) {
  return Math.min(99, Math.round(100 * share));
}

/** `41.0 %`, or a dash where there is no share. */
export function percent(share) {
  return Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : "–";
}

/** `42.3 s`, `3:05 min` or `2:03:05 h`. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.round(seconds);
  if (whole < 60) return `${seconds.toFixed(1)} s`;
  return whole < 3600 ? `${clock(whole)} min` : `${clock(whole)} h`;
}

/** A limit, in the largest unit that fits: `2 hours`, `90 minutes`. */
export function limit(seconds) {
  if (seconds >= 3600 && seconds % 3600 === 0) return numberOf(seconds / 3600, "hour");
  return seconds >= 60 ? numberOf(Math.floor(seconds / 60), "minute") : numberOf(seconds, "second");
}

/** A presentation time: `0:42.3` or `2:03:05.0`. */
export function moment(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  return `${clock(Math.floor(tenths / 10))}.${tenths % 10}`;
}

/** What is left of a job, coarse enough not to jump about: `a few seconds`, `about 40 s`, `about 3 min`. */
export function timeLeft(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 5) return "a few seconds left";
  if (seconds < 55) return `about ${Math.ceil(seconds / 5) * 5} s left`;
  if (seconds < 3300) return `about ${Math.round(seconds / 60)} min left`;
  return `about ${(seconds / 3600).toFixed(1)} h left`;
}

/** `1 face` or `1,204 faces`. */
export function numberOf(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** `2 female, 1 male`; the classes in their order, then unsure. */
export function countLabels(labels, classes) {
  return [...classes, "unsure"]
    .map((name) => [labels.filter((label) => label === name).length, name])
    .filter(([count]) => count)
    .map(([count, name]) => `${count} ${name}`)
    .join(", ");
}

/** `3 faces: 2 female, 1 male`. */
export function countFaces(faces, classes) {
  if (!faces.length) return "no face found";
  if (faces.length === 1) return `1 face: ${faces[0].label}`;
  return `${numberOf(faces.length, "face")}: ${countLabels(faces.map((face) => face.label), classes)}`;
}

/** `12.4 MB`. */
export function bytes(count) {
  if (count < 1e6) return `${Math.max(1, Math.round(count / 1e3))} kB`;
  if (count < 1e9) return `${Number((count / 1e6).toFixed(count < 1e7 ? 1 : 0))} MB`;
  return `${Number((count / 1e9).toFixed(1))} GB`;
}

/** A label, with its confidence where it has one. */
export function labelWords(face) {
  if (face.label === "unsure" || !Number.isFinite(face.confidence)) return face.label;
  return `${face.label} ${wholePercent(face.confidence)} %`;
}

/** A sentence of the server's, as it stands by itself. */
export function sentence(words) {
  return words && words[0].toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
}

function clock(whole) {
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const seconds = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}
