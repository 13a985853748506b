// A player's ledger as a timeline, newest first: filtered by the address, page by page, each row with what can be done.

import { Dialog, Field, Moment } from '../lib/dialog.js';
import { ago, languageOf, lengthOf, momentOf, number, toLocal, toServer, when } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { usePages, useReload } from '../lib/load.js';
import { go, Link, urlOf } from '../lib/router.js';
import { Table } from '../lib/table.js';

const PAGE = 100;
const NO_UNDO = new Set(['sign_up', 'rename', 'delete', 'add_device', 'remove_device', 'ban', 'lift_ban']);
const STATE = ['class', 'level', 'hp', 'exp'];

export function Timeline({ id, page, query, setChange }) {
  const { actions, since, until } = query;
  const pages = usePages(`/players/${id}/ledger`, { limit: PAGE, actions, since, until }, (cursor) => when(momentOf(cursor)));
  const [open, setOpen] = useState(null);
  const newest = page.player.version;
  useReload(pages.reload, newest);
  const change = (wanted) => {
    setOpen(null);
    setChange(wanted);
  };
  const columns = [
    { key: 'version', title: 'Version', className: 'n', cell: (entry) => number(entry.version) },
    { key: 'at', title: 'When', cell: (entry) => html`<time datetime=${entry.at} title=${when(entry.at)}>${ago(entry.at)}</time>` },
    { key: 'action', title: 'Action', cell: (entry) => html`${entry.action}${entry.undone && html` <span class="tag">undone</span>`}` },
    { key: 'events', title: 'What came of it', cell: (entry) => html`<${Outcome} entry=${entry} />` },
    { key: 'level', title: 'Level', className: 'n', cell: (entry) => number(entry.player.level) },
    { key: 'hp', title: 'HP', className: 'n', cell: (entry) => number(entry.player.hp) },
    { key: 'exp', title: 'EXP', className: 'n', cell: (entry) => number(entry.player.exp) },
    { key: 'do', title: html`<span class="unseen">Do</span>`, cell: (entry) => html`<${Buttons} entry=${entry} newest=${newest} change=${change} />` },
  ];
  return html`
    <${Filters} key=${JSON.stringify([actions, since, until])} id=${id} query=${query} />
    <${Table} columns=${columns} pages=${pages} rowKey=${(entry) => entry.version} onOpen=${setOpen}
      label="The ledger: what the player did, and what was done to it" empty="The ledger has nothing that fits." />
    ${open && html`<${Entry} id=${id} entry=${open} newest=${newest} change=${change} onClose=${() => setOpen(null)} />`}
  `;
}

function Filters({ id, query }) {
  const [values, setValues] = useState({
    actions: query.actions ?? '', since: toLocal(query.since), until: toLocal(query.until),
  });
  const set = (name) => (event) => setValues({ ...values, [name]: event.target.value });
  const choose = (event) => {
    event.preventDefault();
    const { actions, since, until } = values;
    const names = actions.split(/[\s,]+/).filter(Boolean).join(',');
    const moments = { since: toServer(since, query.since), until: toServer(until, query.until) };
    go(urlOf('player', [id], { tab: 'ledger', actions: names, ...moments }));
  };
  return html`
    <form class="filters" onSubmit=${choose} role="search" aria-label="Filter the ledger">
      <${Field} id="ledger-actions" label="Actions"><input id="ledger-actions" placeholder="hunt, operator:undo" value=${values.actions} onInput=${set('actions')} /><//>
      <${Moment} id="ledger-since" label="Since" step="1" given=${values.since || query.since} value=${values.since} onInput=${set('since')} />
      <${Moment} id="ledger-until" label="Until" step="1" given=${values.until || query.until} value=${values.until} onInput=${set('until')} />
      <button type="submit">Show</button>
    </form>
  `;
}

// The events in one line; all of them are in the row's dialog.
function Outcome({ entry }) {
  const words = entry.events.map((event) => {
    const { type, ...rest } = event;
    const values = Object.entries(rest).map(([name, value]) => `${name} ${textOf(value)}`);
    return [type, ...values].join(' ');
  });
  const text = words.join(' · ');
  return html`<span dir="auto" lang=${languageOf(text)} title=${text}>${text || '–'}</span>`;
}

function Buttons({ entry, newest, change, look = 'plain' }) {
  const what = html`<span class="unseen"> ${entry.action}, version ${entry.version}</span>`;
  return html`
    ${!NO_UNDO.has(entry.action) && !entry.undone && html`<button type="button" class=${look}
      onClick=${() => change({ kind: 'undo', entry })}>Undo${what}</button>`}
    ${entry.version !== newest && html`<button type="button" class=${look}
      onClick=${() => change({ kind: 'roll_back', version: entry.version })}>Back to here${what}</button>`}
  `;
}

function Entry({ id, entry, newest, change, onClose }) {
  return html`<${Dialog} title=${`${entry.action}, version ${entry.version}`} onClose=${onClose} wide>
    <dl class="tiles">
      <div><dt>When</dt><dd><time datetime=${entry.at}>${when(entry.at)}</time></dd></div>
      ${STATE.map((name) => html`<div key=${name}><dt>${name}</dt><dd>${entry.player[name]}</dd></div>`)}
      <div><dt>Command</dt><dd><code>${entry.command_id}</code></dd></div>
    </dl>
    <h3>Arguments</h3>
    <${Values} values=${entry.args} />
    ${entry.events.map((event, at) => {
      const { type, ...rest } = event;
      return html`<h3 key=${at}>${type}</h3><${Values} values=${rest} />`;
    })}
    ${entry.data && html`<h3>What the rules remember after it</h3><${Values} values=${entry.data} />`}
    <footer class="bar"><${Link} to=${urlOf('player', [id], { tab: 'past', version: entry.version })}>The player then<//>
      <${Buttons} entry=${entry} newest=${newest} change=${change} look="" /></footer>
  <//>`;
}

export function Values({ values }) {
  const entries = Object.entries(values).filter(([, value]) => value !== null);
  if (!entries.length) return html`<p class="faint">None.</p>`;
  return html`<dl class="tiles">${entries.map(([name, value]) => html`<div key=${name} class=${lengthOf(textOf(value))}><dt>${name}</dt>
    <dd dir="auto" lang=${languageOf(textOf(value))}>${textOf(value)}</dd></div>`)}</dl>`;
}

// A value in words: what changed as "9 → 14", counts as "herb 2, potion 1".
export function textOf(value) {
  if (value === null || typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return value.map(textOf).join(', ') || '–';
  if ('before' in value && 'after' in value) {
    const { before, after, ...rest } = value;
    return [...Object.values(rest).map(textOf), `${textOf(before ?? '–')} → ${textOf(after ?? '–')}`].join(' ');
  }
  return Object.entries(value).map(([name, each]) => `${name} ${textOf(each)}`).join(', ') || '–';
}
