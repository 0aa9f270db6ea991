/** Files that are dropped, pasted or chosen. */

/** Endings of videos of which browsers do not know the type. */
const VIDEO_ENDINGS = /\.(mkv|avi|mts|m2ts|ts|mxf|flv|wmv|vob|mpg|mpeg|mov|m4v|mp4|webm|ogv|3gp)$/i;

/** Files from anywhere on the page: pictures to one handler, videos to another, whichever tab is open. */
export function takeDrops(areas, { pictures, videos }) {
  let depth = 0;
  const lit = (on) => areas.forEach((area) => area.classList.toggle("over", on));
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    lit(true);
  });
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (!depth) lit(false);
  });
  // Without this, a browser leaves the page and shows the file.
  document.addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    lit(false);
    share([...event.dataTransfer.files], pictures, videos);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    share(files, pictures, videos);
  });
}

function share(files, pictures, videos) {
  const isVideo = (file) => file.type.startsWith("video/") || VIDEO_ENDINGS.test(file.name);
  const films = files.filter(isVideo);
  const rest = files.filter((file) => !isVideo(file));
  if (rest.length) pictures(rest);
  else if (films.length) videos(films);
}

/** A file input that hands over its files, and can be given the same file again. */
export function takeChosen(input, handler) {
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) handler(files);
  });
}
