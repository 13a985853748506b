// Players: every filter is in the address, so a list can be sent to a colleague.

import { Chart } from '../lib/chart.js';
import { Dialog, Fault, Field, Moment } from '../lib/dialog.js';
import { Download } from '../lib/download.js';
import { Folded, Typed } from '../lib/filters.js';
import { counted, date, languageOf, number, timeOfDay, toLocal, toServer, when } from '../lib/format.js';
import { html, useEffect, useState } from '../lib/html.js';
import { usePages, useRead } from '../lib/load.js';
import { Link, current, go, isAt, urlOf } from '../lib/router.js';
import { unfit } from '../lib/segments.js';
import { Table } from '../lib/table.js';
import { numberOf } from '../lib/typed.js';
import { may } from './index.js';
import { Saved } from './saved.js';

const PAGE = 100;
const TYPING_MS = 300;
const DAY = 86_400; // seconds
const FINDS = ['id', 'name', 'name_begins', 'name_part', 'device'];
const FILTERS = ['class', 'min_level', 'max_level', 'created_since', 'created_until', 'seen_since', 'seen_until', 'online', 'banned'];
const MOMENTS = ['created_at', 'seen_at'];
const SEARCHES = { name_begins: 'Name begins with', name_part: 'Part of the name', name: 'Whole name', id: 'Id', device: 'Device' };

export function Name({ player }) {
  return html`<span lang=${languageOf(player.name)}>${player.name}</span>`;
}

const COLUMNS = [
  { key: 'name', title: 'Name', cell: ({ player }) => html`<${Link} to=${urlOf('player', [player.id])} tabindex="-1"><${Name} player=${player} /><//>` },
  { key: 'class', title: 'Class', cell: ({ player }) => player.class },
  { key: 'level', title: 'Level', className: 'n', sort: 'level', cell: ({ player }) => number(player.level) },
  { key: 'exp', title: 'Exp', className: 'n', sort: 'exp', cell: ({ player }) => number(player.exp) },
  { key: 'hp', title: 'HP', className: 'n', sort: 'hp', cell: ({ player }) => `${number(player.hp)} / ${number(player.max_hp)}` },
  { key: 'created', title: 'Created', sort: 'created_at', cell: ({ player }) => html`<time datetime=${player.created_at} title=${when(player.created_at)}>${date(player.created_at)}</time>` },
  { key: 'seen', title: 'Last seen', sort: 'seen_at', cell: ({ player }) => html`<time datetime=${player.seen_at} title=${`in the hour from ${when(player.seen_at)}`}>${date(player.seen_at)}</time>` },
  { key: 'banned', title: 'Ban', cell: ({ player }) => player.banned && html`<span class="tag bad">banned</span>` },
];

const only = (names, query) => Object.fromEntries(Object.entries(query).filter(([name]) => names.includes(name)));
const searchOf = ({ by, text }) => ({ ...Object.fromEntries(FINDS.map((name) => [name, null])), [by]: text.trim() });

// What is searched by, and `set(change)`, which changes the address: {by, text, type, set}. What is typed gets there after
// a pause, or together with whatever is changed before. It belongs to the address at which it was typed (`at`): of another
// one, such as Back leads to, it changes nothing.
function useSearch(query, known) {
  const [typed, setTyped] = useState(null);
  const isHere = () => typed?.at === location.search;
  const kind = FINDS.find((name) => query[name]) ?? 'name_begins';
  const { by, text } = isHere() ? typed : { by: kind, text: query[kind] ?? '' };
  const type = (change) => setTyped({ by, text, ...change, at: location.search });
  const set = (change) => {
    const isTyped = isHere();
    const searched = isTyped ? searchOf(typed) : {};
    go(urlOf('players', [], { ...only(known, current().query), ...searched, ...change }), { replace: true });
    if (isTyped && !isHere()) setTyped({ ...typed, at: location.search });
  };
  useEffect(() => {
    if (!isHere()) setTyped(null);
    if (!isHere() || (text.trim() === (query[kind] ?? '') && (by === kind || !text.trim()))) return undefined;
    const timer = setTimeout(() => isHere() && set({}), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, location.search]);
  return { by, text, type, set };
}

function Search({ by, text, type }) {
  return html`
    <${Field} id="by" label="Find by"><select id="by" value=${by} onChange=${(event) => type({ by: event.target.value })}>
      ${Object.entries(SEARCHES).map(([name, title]) => html`<option value=${name}>${title}</option>`)}</select><//>
    <${Field} id="text" label=${SEARCHES[by]}><input id="text" type="search" value=${text} autocomplete="off"
      onInput=${(event) => type({ text: event.target.value })} /><//>`;
}

function Filters({ query, search, classes, finds }) {
  const { set } = search;
  const onChange = (name) => (event) => set({ [name]: event.target.value });
  const moment = (name, label) => html`<${Typed} as=${Moment} id=${name} label=${label} step="1" given=${query[name]}
    value=${toLocal(query[name])} set=${(text) => set({ [name]: toServer(text) })} />`;
  const yesNo = (name, label) => html`<${Field} id=${name} label=${label}>
    <select id=${name} value=${query[name] ?? ''} onChange=${onChange(name)}>
      <option value="">all</option><option value="true">yes</option><option value="false">no</option></select><//>`;
  const level = (name, label) => html`<${Typed} id=${name} label=${label} inputmode="numeric" problem=${numberOf(query[name] ?? '').problem}
    value=${query[name] ?? ''} set=${(text) => set({ [name]: numberOf(text).value ?? text.trim() })} />`;
  const given = FILTERS.filter((name) => query[name]).length;
  return html`<form class="filters" role="search" aria-label="Players" onSubmit=${(event) => event.preventDefault()}>
    ${finds && html`<${Search} ...${search} />`}
    <${Folded} given=${given}><${Field} id="class" label="Class"><select id="class" value=${query.class ?? ''} onChange=${onChange('class')}>
      <option value="">all</option>${[...new Set([...classes, query.class])].filter(Boolean).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select><//>
    ${level('min_level', 'Level from')}${level('max_level', 'Level to')}
    ${moment('created_since', 'Created since')}${moment('created_until', 'Created until')}
    ${moment('seen_since', 'Last seen since')}${moment('seen_until', 'Last seen until')}
    ${yesNo('online', 'Online')}${yesNo('banned', 'Banned')}<//>
  </form>`;
}

// The x of a chart of these bars. Of moments, dates are enough where every bar has days of its own.
function axisOf(bars, isOfMoments) {
  if (!isOfMoments) return { x: bars.map((bar) => bar.first) };
  const x = bars.map((bar) => Date.parse(bar.first) / 1000);
  const areDays = x.at(-1) - x[0] > DAY * bars.length;
  const day = (value) => date(new Date(value * 1000));
  return { x, time: true, showX: areDays ? day : (value) => `${day(value)}\n${timeOfDay(value)}` };
}

// Percentiles and a histogram of what the list is ordered by.
function Spread({ query, onClose }) {
  const by = query.by ?? 'exp';
  const { value, error, reload } = useRead('/rankings/spread', query);
  const bars = value?.histogram ?? [];
  return html`<${Dialog} title=${`How ${by} is spread`} onClose=${onClose} wide>
    <${Fault} error=${error} again=${reload} />
    ${!value && !error && html`<p role="status">Counting…</p>`}
    ${value && html`<p>${counted(value.players, 'player')}, as of ${when(value.as_of)}.</p>
      <div class="scroll" role="region" aria-label="Percentiles" tabindex="0"><table><thead><tr>${value.percentiles.map((each) => html`<th class="n" scope="col">${each.percentile} %</th>`)}</tr></thead>
        <tbody><tr>${value.percentiles.map((each) => html`<td class="n">${MOMENTS.includes(by) ? date(each.value) : number(each.value)}</td>`)}</tr></tbody></table></div>
      ${bars.length > 0 && html`<${Chart} title="Players" unit=${`by ${by}`} bars ...${axisOf(bars, MOMENTS.includes(by))}
        lines=${[{ label: 'players', values: bars.map((bar) => bar.players) }]} />`}`}
  <//>`;
}

// Where one player stands among those of the filter.
function Place({ player, filter }) {
  const { value, error } = useRead(`/players/${player.id}/rank`, filter);
  const place = value && (value.rank === null ? `none of these ${number(value.of)}` : `place ${number(value.rank)} of ${number(value.of)}`);
  return html`<${Name} player=${player} />: ${place ?? error?.message ?? 'looking for its place…'}`;
}

// Leads to a letter to everyone whom the list shows, if a letter can go by these filters.
function Mail({ query }) {
  const { by, order, ...filter } = query;
  const missing = unfit(filter);
  return html`<button type="button" disabled=${missing.length > 0} title=${missing.length ? `A letter to many players can't be filtered by ${missing.join(', ')}` : undefined}
    onClick=${() => go(urlOf('campaigns', ['new'], filter))}>Send mail to these</button>`;
}

export default function Players({ route, admin }) {
  const [placed, setPlaced] = useState(null);
  const [fault, setFault] = useState(null); // of a download
  const finds = may(admin.role, 'support');
  const known = ['by', 'order', ...(finds ? FINDS : []), ...FILTERS];
  const query = only(known, route.query);
  const by = query.by ?? 'exp';
  const order = query.order ?? 'desc';
  const game = useRead('/classes', {}, '/v1');
  const pages = usePages(finds ? '/players' : '/rankings', { ...query, limit: PAGE });
  const search = useSearch(query, known);
  const closeSpread = () => isAt(route) && search.set({ spread: null });
  const onSort = (name) => search.set({ by: name, order: name === by && order === 'desc' ? 'asc' : 'desc' });
  const { id, name, name_begins, name_part, device, ...filter } = query;

  const among = JSON.stringify(filter);
  const named = { ...COLUMNS[0], cell: finds ? COLUMNS[0].cell : ({ player }) => html`<${Name} player=${player} />` };
  const columns = [named, ...COLUMNS.slice(1), { key: 'rank', title: 'Place', cell: ({ player }, isCurrent) => html`<button type="button" class="plain"
    tabindex=${isCurrent ? 0 : -1} aria-label=${`Rank of ${player.name} among these`}
    onClick=${() => setPlaced((before) => ({ player, among, turn: (before?.turn ?? 0) + 1 }))}>rank</button>` }];
  return html`
    <div class="bar"><h1>Players</h1>
      <span class="faint">${pages.first?.as_of && `as of ${when(pages.first.as_of)}`}</span>
      <button type="button" onClick=${() => search.set({ spread: true })}>Spread</button>
      ${finds && html`<${Download} path="/rankings/export" query=${{ ...query, format: 'csv' }} onFault=${setFault}>CSV<//>
        <${Download} path="/rankings/export" query=${{ ...query, format: 'ndjson' }} onFault=${setFault}>JSON lines<//>`}
      ${may(admin.role, 'operator') && html`<${Mail} query=${query} />`}
      <button type="button" onClick=${pages.reload}>Refresh</button>
    </div>
    <${Fault} error=${fault} />
    <${Filters} query=${query} search=${search} finds=${finds} classes=${(game.value?.classes ?? []).map((each) => each.name)} />
    <${Fault} error=${game.error} again=${game.reload} />
    <${Saved} query=${filter} mayChange=${finds} />
    <p role="status" aria-live="polite">${placed?.among === among && html`<${Place} key=${placed.turn} player=${placed.player} filter=${filter} />`}</p>
    <${Table} label="Players" columns=${columns} pages=${pages} rowKey=${(row) => row.player.id} sorted=${{ by, order }}
      onSort=${onSort} onOpen=${finds ? (row) => go(urlOf('player', [row.player.id])) : null} empty="No player fits." />
    ${route.query.spread === 'true' && html`<${Spread} query=${query} onClose=${closeSpread} />`}`;
}
