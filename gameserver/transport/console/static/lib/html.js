// What every module of the console draws with.
//
// Law: text is shown as it was written, and turns nothing around it about. A character that overrides or isolates the
// direction of writing would reach beyond its own element (an isolate that isn't closed does even out of a `dir="auto"`),
// so it is written as [U+202E]. Attributes keep theirs: a field must give back what it got.

import { html as drawn } from '/console/vendor/htm-preact-3.1.1.js';

export { Component, render, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from '/console/vendor/htm-preact-3.1.1.js';

const TURNS = /[\u202A-\u202E\u2066-\u2069]/g;
const written = (character) => `[U+${character.charCodeAt(0).toString(16).toUpperCase()}]`;

export function html(texts, ...values) {
  return drawn(texts, ...values.map((value, at) =>
    typeof value === 'string' && !texts[at].endsWith('=') ? value.replace(TURNS, written) : value));
}
