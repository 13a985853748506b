// Where the focus goes when what has it is drawn no more, or can't have it for a moment.
//
// Law: the keyboard never begins anew at the top of the page because something has vanished, such as a row whose key was
// revoked: the nearest part around it that can have the focus gets it. A button that is disabled while it works, which
// takes the focus from it, gets it back, if nothing else has got it meanwhile.

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
  new MutationObserver((changes) => {
    if (!last || document.activeElement !== document.body) return;
    const isEnabled = changes.some(({ type, target }) => type === 'attributes' && target === last && !last.disabled);
    if (isEnabled || !last.isConnected) focusNear(last, parts);
  }).observe(document.body, { childList: true, subtree: true, attributeFilter: ['disabled'] });
}
