// Where the focus goes when what has it is drawn no more.
//
// Law: the keyboard never begins anew at the top of the page because something has vanished, such as a row whose key was
// revoked: the nearest part around it that can have the focus gets it.

export function partsAround(element) {
  const parts = [];
  for (let at = element?.parentElement; at; at = at.parentElement) if (at.hasAttribute('tabindex')) parts.push(at);
  return parts;
}

// Focuses the element, or of what was around it the nearest that is still there.
export function focusNear(element, parts) {
  [element, ...parts].find((each) => each?.isConnected)?.focus({ preventScroll: true });
}

// Follows the focus as long as the page lives.
export function keepFocus() {
  let last = null;
  let parts = [];
  addEventListener('focusin', ({ target }) => {
    last = target;
    parts = partsAround(target); // which can't be asked any more once it is gone
  });
  new MutationObserver(() => {
    if (last && !last.isConnected && document.activeElement === document.body) focusNear(null, parts);
  }).observe(document.body, { childList: true, subtree: true });
}
