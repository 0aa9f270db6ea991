/** The page: three tabs that share one model. */

import { setUpAbout } from "./about.js";
import { askJson } from "./api.js";
import { setUpCamera } from "./camera.js";
import { takeChosen, takeDrops } from "./drop.js";
import { byId, showProblem } from "./page.js";
import { setUpPictures } from "./picture.js";
import { setUpTabs } from "./tabs.js";
import { setUpVideo } from "./video.js";

const AGAIN_MS = 2000;

/** The model's description; asked for again while the server starts. */
async function describeModel() {
  for (;;) {
    try {
      const model = await askJson("v1/model");
      showProblem(byId("server-problem"), "");
      return model;
    } catch (error) {
      showProblem(byId("server-problem"), error.message);
      if (error.status === 401) throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** A token in the address is a cookie by now, and should not stay where others can read it. */
function hideToken() {
  const here = new URL(location.href);
  if (!here.searchParams.has("token")) return;
  here.searchParams.delete("token");
  history.replaceState(null, "", here);
}

async function start() {
  hideToken();
  let stopCamera = () => {};
  const openTab = setUpTabs(["camera", "picture", "video"], (left) => {
    if (left === "camera") stopCamera();
  });
  const model = await describeModel();
  setUpAbout(model);
  stopCamera = setUpCamera(model);
  const pictures = setUpPictures(model);
  const videos = setUpVideo(model);
  const handlers = {
    pictures: (files) => {
      openTab("picture");
      pictures(files);
    },
    videos: (files) => {
      openTab("video");
      videos(files);
    },
  };
  takeDrops([byId("picture-drop"), byId("video-drop")], handlers);
  takeChosen(byId("picture-input"), handlers.pictures);
  takeChosen(byId("video-input"), handlers.videos);
  document.documentElement.dataset.ready = "true";
}

start();
