/** What the server is asked. Addresses are relative, so that the page also works below a path of a proxy. */

import { sentence } from "./words.js";

/** A refusal or failure, in words for a person. */
export class ApiError extends Error {
  constructor(message, status = 0, retryAfterS = 0) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

const AWAY = "The server does not answer. Is gclf-live serve still running?";
const NO_TOKEN = "This server asks for a token. Open the address that gclf-live serve printed.";
const MOST_TRIES = 8;

/** `/v1/...` as the server writes it, relative to the page. */
export function address(path) {
  return new URL(path.replace(/^\//, ""), document.baseURI).href;
}

/** The WebSocket of the camera. */
export function liveAddress() {
  return address("v1/live").replace(/^http/, "ws");
}

/** Ask, and take the JSON answer. */
export async function askJson(path, options = {}) {
  return (await ask(path, options)).json();
}

/** Ask once; a refusal is an ApiError in the server's own words. */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(address(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(AWAY);
  }
  if (response.ok) return response;
  throw refusal(response.status, await response.text(), response.headers.get("Retry-After"));
}

/** Ask again while the server is too busy, after the time that it names. */
export async function askPatiently(path, options = {}, waiting = () => {}) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask(path, options);
    } catch (error) {
      if (error.status !== 503 || tries >= MOST_TRIES) throw error;
      waiting();
      await new Promise((resolve) => setTimeout(resolve, 1000 * Math.max(error.retryAfterS, 0.5)));
    }
  }
}

/** Send a form with progress, which fetch cannot tell. Returns the promise of the answer, and `abort`. */
export function upload(path, form, progressed) {
  const request = new XMLHttpRequest();
  const answer = new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progressed(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    });
    request.addEventListener("error", () => reject(new ApiError(AWAY)));
    request.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
  });
  request.open("POST", address(path));
  request.send(form);
  return { answer, abort: () => request.abort() };
}

function refusal(status, body, retryAfter) {
  if (status === 401) return new ApiError(NO_TOKEN, status);
  let words = "";
  try {
    words = JSON.parse(body).error;
  } catch {
    // Not ours: a proxy in between, most likely.
  }
  const usual = status === 413 ? "The file is too large for this server." : `The server answered ${status}.`;
  return new ApiError(sentence(words) || usual, status, Number(retryAfter) || 0);
}
