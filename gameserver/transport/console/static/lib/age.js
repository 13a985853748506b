// From when figures are that couldn't be read since.

import { ago, when } from './format.js';
import { html, useEffect, useState } from './html.js';

const OLD_SECONDS = 15; // longer than a question takes that is asked every few seconds
const TICK_MS = 1000;

// Says so once they are older than `seconds`; `at` is when they came, in ms, or null; `why` is the sentence's beginning.
export function Age({ at, seconds = OLD_SECONDS, why = 'What is shown' }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  if (at === null || now - at <= seconds * 1000) return null;
  return html`<p class="old">${why} is from <time datetime=${new Date(at).toISOString()}>${when(at)}</time>, ${ago(at, now)}.</p>`;
}
