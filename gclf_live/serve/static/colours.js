/** Colours of the labels, as in annotated videos. */

// Okabe and Ito 2008, "Color Universal Design": told apart with any common colour blindness.
const CLASS_COLOURS = { female: "#d55e00", male: "#0072b2" };
const OTHER_COLOURS = ["#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442"];
const UNSURE_COLOUR = "#7d7d7d";

/** Fixed for female, male and unsure, by position among the other classes. */
export function labelColour(label, classes) {
  if (Object.hasOwn(CLASS_COLOURS, label)) return CLASS_COLOURS[label];
  const others = classes.filter((name) => !Object.hasOwn(CLASS_COLOURS, name));
  const position = others.indexOf(label);
  return position < 0 ? UNSURE_COLOUR : OTHER_COLOURS[position % OTHER_COLOURS.length];
}

/** Black or white, whichever stands out more (relative luminance of WCAG 2.2, crossover at 0.179). */
export function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 10 / 255 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}
