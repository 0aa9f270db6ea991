/** Boxes and labels, drawn on a canvas over a picture. */

import { inkOn, labelColour } from "./colours.js";
import { labelWords } from "./words.js";

const EDGE = "rgb(20 20 20 / 75%)";
/** With so many faces, labels are kept apart; with fewer, one that comes and goes would be worse. */
const CROWD = 7;
const NARROWEST_NAMED_PX = 26;

/** Give the canvas the resolution of the screen; drawing is in CSS pixels. */
export function fitCanvas(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const density = window.devicePixelRatio || 1;
  const across = Math.round(width * density);
  const down = Math.round(height * density);
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
  }
  const context = canvas.getContext("2d");
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/**
 * Draw faces.
 *
 * @param context of the canvas.
 * @param faces with x_px, y_px, width_px, height_px, label and confidence, in pixels of the picture.
 * @param classes names of all classes.
 * @param size width and height of the area that is drawn on, and scale from the picture to it.
 * @param options mirror: the picture is shown as in a mirror; chosen: the face that is pointed at;
 *   unit: size of a CSS pixel, for a canvas in the picture's own pixels.
 */
export function drawFaces(context, faces, classes, size, { mirror = false, chosen = -1, unit = 1 } = {}) {
  const placed = faces.map((face) => ({ face, ...place(face, size, mirror) }));
  placed.forEach((box, i) => drawBox(context, box, classes, unit, chosen < 0 || chosen === i));
  // Labels last: no box runs through the letters of a label.
  if (placed[chosen]) {
    const text = labelWords(placed[chosen].face);
    drawLabel(context, placed[chosen], classes, { size, unit, text, isClose: true });
  } else if (placed.length < CROWD) {
    const furthestFirst = [...placed].sort((a, b) => a.height - b.height);
    for (const box of furthestFirst) {
      drawLabel(context, box, classes, { size, unit, text: labelWords(box.face) });
    }
  } else drawCrowd(context, placed, classes, size, unit);
}

/** No label over another one: the nearest faces first, shortened or left out where there is no room. */
function drawCrowd(context, placed, classes, size, unit) {
  const taken = [];
  for (const box of [...placed].sort((a, b) => b.height - a.height)) {
    if (box.width < NARROWEST_NAMED_PX * unit) continue;
    const texts = [labelWords(box.face), box.face.label];
    texts.some((text) => drawLabel(context, box, classes, { size, unit, text, taken }));
  }
}

function place(face, size, mirror) {
  const width = face.width_px * size.scale;
  const left = face.x_px * size.scale;
  return {
    x: mirror ? size.width - left - width : left,
    y: face.y_px * size.scale,
    width,
    height: face.height_px * size.scale,
  };
}

function drawBox(context, box, classes, unit, bright) {
  const line = (box.width < 30 * unit ? 1.5 : 2.5) * unit;
  context.save();
  context.globalAlpha = bright ? 1 : 0.35;
  context.lineJoin = "round";
  for (const [width, colour] of [
    [line + 2 * unit, EDGE],
    [line, labelColour(box.face.label, classes)],
  ]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.beginPath();
    context.roundRect(box.x, box.y, box.width, box.height, Math.min(4 * unit, box.width / 4));
    context.stroke();
  }
  context.restore();
}

/** The plate of a label above its box, or below where there is no room. Returns whether it was drawn. */
function drawLabel(context, box, classes, { size, unit, text, isClose, taken }) {
  const letters = (box.width < 70 * unit && !isClose ? 11 : 14) * unit;
  context.font = `600 ${letters}px system-ui, sans-serif`;
  const pad = Math.round(letters * 0.45);
  const width = context.measureText(text).width + 2 * pad;
  const height = Math.round(letters * 1.6);
  const x = Math.max(0, Math.min(box.x - 1.25 * unit, size.width - width));
  let y = box.y - height - unit;
  if (y < 0) y = box.y + box.height + height < size.height ? box.y + box.height + unit : Math.max(0, box.y);
  const plate = { x, y, width, height };
  if (taken?.some((other) => meet(plate, other))) return false;
  taken?.push(plate);
  const paper = labelColour(box.face.label, classes);
  context.fillStyle = paper;
  context.beginPath();
  context.roundRect(x, y, width, height, 4 * unit);
  context.fill();
  context.fillStyle = inkOn(paper);
  context.textBaseline = "middle";
  context.fillText(text, x + pad, y + height / 2 + 0.5 * unit);
  return true;
}

function meet(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
