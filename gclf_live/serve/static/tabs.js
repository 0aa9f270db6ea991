/** Tabs as the ARIA Authoring Practices describe them: arrow keys move, and what has the focus is open. */

import { byId } from "./page.js";

/** Make the tabs work; returns what opens one by name, and tells `left` which one was left. */
export function setUpTabs(names, left) {
  const tab = (name) => byId(`tab-${name}`);
  let current = names[0];

  function open(name, { focus = false } = {}) {
    const before = current;
    current = name;
    for (const each of names) {
      const isOpen = each === name;
      tab(each).setAttribute("aria-selected", String(isOpen));
      tab(each).tabIndex = isOpen ? 0 : -1;
      byId(`panel-${each}`).hidden = !isOpen;
    }
    if (focus) tab(name).focus();
    if (before !== name) {
      left(before);
      history.replaceState(null, "", `#${name}`);
    }
  }

  for (const [i, name] of names.entries()) {
    tab(name).addEventListener("click", () => open(name));
    tab(name).addEventListener("keydown", (event) => {
      const target = {
        ArrowRight: (i + 1) % names.length,
        ArrowLeft: (i - 1 + names.length) % names.length,
        Home: 0,
        End: names.length - 1,
      }[event.key];
      if (target === undefined) return;
      event.preventDefault();
      open(names[target], { focus: true });
    });
  }
  const openHash = () => {
    const name = location.hash.slice(1);
    if (names.includes(name)) open(name);
  };
  window.addEventListener("hashchange", openHash);
  openHash();
  return open;
}
