/** Boxes that neither tremble nor lag: filtered, and carried on to the moment at which they are shown. */

const SETTLED_HZ = 1.2;
const SLOPE = 0.03;
const DERIVATIVE_HZ = 1.5;
const FURTHEST_AHEAD_S = 0.2;
const PERCENT_HOLD_S = 0.6;
const SIDES = ["x_px", "y_px", "width_px", "height_px"];

/**
 * One box and label for each track.
 *
 * Sides go through the 1 Euro filter (Casiez, Roussel, Vogel 2012, doi:10.1145/2207676.2208639): a face that
 * rests has a box that rests, one that moves is followed at once. The percentage changes every 0.6 s at most.
 */
export class SteadyFaces {
  #tracks = new Map();

  /** Take the faces of one frame, which was captured at `capturedS`; tracks that it lacks are gone. */
  update(faces, capturedS) {
    const next = new Map();
    for (const face of faces) {
      const track = this.#tracks.get(face.track_id);
      const goesOn = track && !jumped(track.face, face);
      next.set(face.track_id, goesOn ? followed(track, face, capturedS) : begun(face, capturedS));
    }
    this.#tracks = next;
  }

  /** The faces as they are to be drawn at `nowS`. */
  at(nowS) {
    return [...this.#tracks.values()].map((track) => {
      const ahead = Math.min(Math.max(nowS - track.capturedS, 0), FURTHEST_AHEAD_S);
      const face = { ...track.face, confidence: track.shownConfidence };
      SIDES.forEach((side, i) => {
        face[side] = track.values[i] + moving(track.speeds[i]) * ahead;
      });
      // A face that leaves the picture shrinks fast, but not to nothing before it is gone.
      face.width_px = Math.max(face.width_px, track.face.width_px / 2);
      face.height_px = Math.max(face.height_px, track.face.height_px / 2);
      return face;
    });
  }

  clear() {
    this.#tracks.clear();
  }
}

/** Whether a box is elsewhere, or of another size: that is no movement to be carried on. */
function jumped(before, after) {
  const size = Math.min(before.height_px, after.height_px);
  return SIDES.some((side) => Math.abs(after[side] - before[side]) > size / 2);
}

function begun(face, capturedS) {
  return {
    face,
    capturedS,
    values: SIDES.map((side) => face[side]),
    speeds: SIDES.map(() => 0),
    shownConfidence: face.confidence,
    shownSinceS: capturedS,
  };
}

function followed(track, face, capturedS) {
  const elapsed = Math.max(capturedS - track.capturedS, 1e-3);
  const values = [];
  const speeds = [];
  SIDES.forEach((side, i) => {
    const before = track.values[i];
    const speed = mix(track.speeds[i], (face[side] - before) / elapsed, weight(DERIVATIVE_HZ, elapsed));
    const cutoff = SETTLED_HZ + SLOPE * Math.abs(speed);
    // Where the face would be had it gone on as before is what a moving face is smoothed towards.
    const expected = before + moving(track.speeds[i]) * elapsed;
    values.push(mix(expected, face[side], weight(cutoff, elapsed)));
    speeds.push(speed);
  });
  const keeps = face.label === track.face.label && capturedS - track.shownSinceS < PERCENT_HOLD_S;
  return {
    face,
    capturedS,
    values,
    speeds,
    shownConfidence: keeps ? track.shownConfidence : face.confidence,
    shownSinceS: keeps ? track.shownSinceS : capturedS,
  };
}

/** The part of a speed, in pixels per second, that is movement: nothing below 8, all of it above 24. */
function moving(speed) {
  return speed * Math.min(Math.max((Math.abs(speed) - 8) / 16, 0), 1);
}

/** Weight of a new sample in a first-order low pass. */
function weight(cutoffHz, elapsedS) {
  const rate = 2 * Math.PI * cutoffHz * elapsedS;
  return rate / (rate + 1);
}

function mix(before, after, share) {
  return before + (after - before) * share;
}
