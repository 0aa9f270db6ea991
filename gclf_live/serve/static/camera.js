/** The Camera tab: the browser's camera, labelled by the server frame by frame. */

import { CameraView } from "./camera-view.js";
import { LiveSession } from "./live.js";
import { byId, thresholdSlider } from "./page.js";

const REST_MS = 250;

const CAMERA_PROBLEMS = {
  NotAllowedError:
    "The browser may not use the camera. Allow it in its address bar or settings, then start again.",
  SecurityError: "The browser's settings forbid the camera on this page.",
  NotFoundError: "No camera was found. Connect one, then start again.",
  OverconstrainedError: "The chosen camera is not there any more. Choose another one, then start again.",
  NotReadableError: "The camera is busy: another program or page uses it. Close that, then start again.",
  AbortError: "The camera could not be started. Unplug it and plug it in, then start again.",
};
const NO_CAMERA_ACCESS =
  "Browsers give a camera only to pages of this computer or over HTTPS. Open the page at http://127.0.0.1, " +
  "or put HTTPS before the server.";

/** Make the tab work; returns what stops the camera. */
export function setUpCamera(model) {
  const view = new CameraView(model.classes);
  let session = null;
  let starting = 0;
  let isOn = false;

  async function start() {
    const turn = ++starting;
    isOn = true;
    session?.end();
    session = null;
    view.waiting();
    let stream = null;
    try {
      stream = await openCamera(view.device.value);
      if (turn === starting) await view.show(stream);
      if (turn === starting) {
        session = new LiveSession(stream, view, model.classes, Number(view.threshold.value), stop);
        return;
      }
    } catch (error) {
      if (turn === starting) {
        stop(CAMERA_PROBLEMS[error.name] ?? `The camera could not be started. ${error.message}`);
      }
    }
    // Stopped meanwhile, or not to be shown: no session will turn the camera itself off.
    stream?.getTracks().forEach((track) => track.stop());
  }

  function stop(words = "") {
    starting += 1;
    isOn = false;
    session?.end();
    session = null;
    view.off(words);
  }

  thresholdSlider(view.threshold, byId("camera-threshold-value"), model.threshold, (value) => {
    session?.setThreshold(value, REST_MS);
  });
  view.mirror.checked = true;
  byId("camera-start").addEventListener("click", start);
  byId("camera-stop").addEventListener("click", () => stop());
  byId("camera-snapshot").addEventListener("click", () => session?.snapshot());
  view.device.addEventListener("change", start);
  view.mirror.addEventListener("change", () => view.turn());
  return () => {
    if (isOn) stop();
  };
}

async function openCamera(deviceId) {
  if (!navigator.mediaDevices?.getUserMedia) throw new DOMException(NO_CAMERA_ACCESS, "InsecureError");
  const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
  const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "user" };
  return navigator.mediaDevices.getUserMedia({ audio: false, video: { ...size, ...which } });
}

