// The audit log: what operators have changed, with what was before and after.

import { Dialog, Fault, Moment } from '../lib/dialog.js';
import { Download } from '../lib/download.js';
import { Folded, Typed } from '../lib/filters.js';
import { ago, toLocal, toServer, when } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { usePages, useRead } from '../lib/load.js';
import { Link, current, go, urlOf } from '../lib/router.js';
import { Table } from '../lib/table.js';

const FILTERS = { admin: 'Key', action: 'Action', target: 'Target', text: 'Reason contains', command_id: 'Command id' };

const OF_PLAYERS = new Set(['ban', 'lift_ban', 'correct', 'undo', 'roll_back', 'rename', 'mail', 'note', 'notice', 'end_sessions',
  'end_session', 'end_device', 'delete', 'erase']);

// What an entry is about, as a link where it has a page.
function Target({ entry: { action, target }, ...rest }) {
  const view = (OF_PLAYERS.has(action) && /^\d+$/.test(target) && 'player') || (action.startsWith('campaign') && 'campaigns');
  return view ? html`<${Link} to=${urlOf(view, [target])} ...${rest}>${target}<//>` : target;
}

const COLUMNS = [
  { key: 'at', title: 'When', cell: (entry) => html`<time datetime=${entry.at} title=${when(entry.at)}>${ago(entry.at)}</time>` },
  { key: 'admin', title: 'Key', cell: (entry) => entry.admin },
  { key: 'action', title: 'Action', cell: (entry) => entry.action },
  { key: 'target', title: 'Target', cell: (entry) => html`<${Target} entry=${entry} tabindex="-1" />` },
  { key: 'ended', title: 'Ended', cell: (entry) => html`<span class=${`tag ${{ done: 'good' }[entry.ended] ?? (entry.ended ? 'bad' : 'warn')}`}>${entry.ended ?? 'unknown'}</span>` },
  { key: 'reason', title: 'Reason', cell: (entry) => entry.reason },
];

// Both sides of a change, what differs first. What one side alone says was noted of it, and isn't a change.
export function Difference({ before, after }) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const has = (side, name) => Object.hasOwn(side ?? {}, name);
  const text = (side, name) => (!has(side, name) ? '' : typeof side[name] === 'string' ? side[name] : JSON.stringify(side[name]));
  const differs = (name) => has(before, name) && has(after, name) && text(before, name) !== text(after, name);
  if (!names.length) return null;
  return html`<div class="scroll" role="region" aria-label="Before and after" tabindex="0"><table><thead><tr><th scope="col"><span class="unseen">Value</span></th><th scope="col">before</th><th scope="col">after</th></tr></thead>
    <tbody>${names.sort((one, other) => differs(other) - differs(one)).map((name) => html`<tr key=${name}>
      <th scope="row">${name}</th><td class="wrap mono">${text(before, name)}</td>
      <td class="wrap mono">${differs(name) ? html`<b>${text(after, name)}</b>` : text(after, name)}</td></tr>`)}</tbody></table></div>`;
}

function Entry({ entry, onClose }) {
  return html`<${Dialog} title=${`${entry.action} of ${entry.target}`} onClose=${onClose} wide>
    <p>${entry.admin}, ${when(entry.at)}: ${entry.ended ?? 'its end is not known'}</p>
    <p><${Target} entry=${entry} /></p>
    <p>${entry.reason}</p>
    <${Difference} before=${entry.before} after=${entry.after} />
    ${Object.keys(entry.details).length > 0 && html`<h3>Details</h3><pre class="mono scroll" role="region" aria-label="Details" tabindex="0">${JSON.stringify(entry.details, null, 2)}</pre>`}
    ${entry.command_id && html`<p class="faint">Command <span class="mono">${entry.command_id}</span></p>`}
  <//>`;
}

// The entry of the address, which is the first one before the number behind it.
function useEntry(text) {
  const id = /^[1-9]\d{0,16}$/.test(text ?? '') ? text : null;
  const asked = useRead(id && '/audit', { limit: 1, cursor: id && String(BigInt(id) + 1n) });
  const entry = asked.value?.entries.find((each) => String(each.id) === id);
  const isMissing = text && (!id || (asked.value && !entry));
  return { entry, error: isMissing ? { message: 'There is no such entry.' } : asked.error };
}

export default function Audit({ route }) {
  const opened = useEntry(route.rest[0]);
  const [fault, setFault] = useState(null); // of a download
  const known = [...Object.keys(FILTERS), 'since', 'until'];
  const query = Object.fromEntries(Object.entries(route.query).filter(([name]) => known.includes(name)));
  const pages = usePages('/audit', { ...query, limit: 100 });
  const set = (name, value) => go(urlOf('audit', [], { ...query, [name]: value }), { replace: true });
  const close = () => current().rest[0] === route.rest[0] && go(urlOf('audit', [], query));
  const moment = (name, label) => html`<${Typed} as=${Moment} id=${name} label=${label} step="1" given=${query[name]}
    value=${toLocal(query[name])} set=${(text) => set(name, toServer(text))} />`;
  return html`
    <div class="bar"><h1>Audit</h1>
      <${Download} path="/audit/export" query=${{ ...query, format: 'csv' }} onFault=${setFault}>CSV<//>
      <${Download} path="/audit/export" query=${{ ...query, format: 'ndjson' }} onFault=${setFault}>JSON lines<//>
      <button type="button" onClick=${pages.reload}>Refresh</button>
    </div>
    <${Fault} error=${fault} />
    <form class="filters" role="search" aria-label="Audit log" onSubmit=${(event) => event.preventDefault()}>
      <${Folded} given=${Object.keys(query).length}>
      ${Object.entries(FILTERS).map(([name, label]) => html`<${Typed} key=${name} id=${name} label=${label}
        value=${query[name] ?? ''} set=${(text) => set(name, text.trim())} />`)}
      ${moment('since', 'Since')}${moment('until', 'Until')}<//>
    </form>
    <${Table} label="Audit log" columns=${COLUMNS} pages=${pages} rowKey=${(entry) => entry.id} onOpen=${(entry) => go(urlOf('audit', [entry.id], query))} />
    <${Fault} error=${opened.error} />
    ${opened.entry && html`<${Entry} key=${opened.entry.id} entry=${opened.entry} onClose=${close} />`}`;
}
