// What the parts of a player's page are made of: tables with a caption, at once or page by page, and what stands in them.

import { Fault } from '../lib/dialog.js';
import { ago, languageOf, lengthOf, when } from '../lib/format.js';
import { html } from '../lib/html.js';
import { Link, urlOf } from '../lib/router.js';
import { textOf } from './player_timeline.js';

// A table with a caption; `rows` are arrays of cells, and `empty` is said in place of none.
export function Sheet({ caption, heads, rows, empty }) {
  if (!rows.length) return html`<h2>${caption}</h2><p class="faint">${empty}</p>`;
  return html`
    <div class="scroll sheet" tabindex="0" role="region" aria-label=${caption}>
      <table>
        <caption>${caption}</caption>
        <thead><tr>${heads.map((head) => html`<th scope="col">${head || html`<span class="unseen">Do</span>`}</th>`)}</tr></thead>
        <tbody>${rows.map((row, at) => html`<tr key=${at}>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
      </table>
    </div>
  `;
}

// The same of what `usePages` gives: `row` makes an entry's cells, and a button asks for the page behind. It stays while it
// works or is to be pressed again, and its place after it: the keyboard goes on from there. All of it is one element: Preact
// would put what comes late behind the parts that follow.
export function PagedSheet({ caption, heads, pages, row, empty }) {
  const { entries, error, loading, more } = pages;
  const isKnown = entries.length > 0 || !(loading || error);
  return html`<div>
    ${isKnown && html`<${Sheet} caption=${caption} heads=${heads} rows=${entries.map(row)} empty=${empty} />`}
    <div class="more" tabindex="-1">${more && html`<button type="button" disabled=${loading} onClick=${pages.next}>Show more<span
      class="unseen"> of ${caption}</span></button>`}</div>
    <${Fault} error=${error} again=${entries.length ? undefined : pages.reload} />
    ${loading && html`<p class="faint" role="status">Loading…</p>`}
  </div>`;
}

export const Text = ({ children }) => html`<span class=${lengthOf(children)} lang=${languageOf(String(children))} dir="auto">${children}</span>`;
export const At = ({ at }) => (at ? html`<time datetime=${at} title=${when(at)}>${ago(at)}</time>` : '–');


// A link to a player by its name, if that is known. Letters of the server are from 0.
export function Who({ id, name }) {
  if (id === '0') return 'the server';
  return html`<${Link} to=${urlOf('player', [id])}>${name ? html`<${Text}>${name}<//>` : id}<//>`;
}

// Arguments or an event in words: name value, name value.
export function Args({ args, without = [] }) {
  const shown = Object.entries(args).filter(([name, value]) => value !== null && !without.includes(name));
  if (!shown.length) return '–';
  return shown.map(([name, value], at) => html`<span key=${name} class="arg"><i>${name}</i> <${Text}>${textOf(value)}<//></span>`);
}
