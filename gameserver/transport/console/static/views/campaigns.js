// Letters with items to many players: started, agreed to, followed and revoked.

import { Age } from '../lib/age.js';
import { read } from '../lib/api.js';
import { Change, Fault, Field, Line, Moment, notMoment, Told } from '../lib/dialog.js';
import { ago, counted, isMoment, languageOf, number, toLocal, toServer, when } from '../lib/format.js';
import { html, useRef, useState } from '../lib/html.js';
import { usePolled, useRead } from '../lib/load.js';
import { go, isAt, Link, urlOf } from '../lib/router.js';
import { LEVELS, MOMENTS, unfit } from '../lib/segments.js';
import { itemsOf, numberOf } from '../lib/typed.js';

const PAGE = 50;
const TAGS = { done: 'good', running: 'warn', waiting: 'warn', revoked: 'bad' };
const FILTER = { class: 'Class', min_level: 'Level from', max_level: 'Level to', created_since: 'Created since', created_until: 'Created until', seen_since: 'Last seen since', seen_until: 'Last seen until' };
const BANNED = { true: 'Banned players only', false: 'Players who are not banned' };
const WHO = { '': 'who is banned gets nothing', true: 'nobody gets it who is not banned' };

// The fields of the form, filled from the filters of a list of players; `given` keeps what fields have no room for.
function valuesOf(query) {
  const moments = MOMENTS.map((name) => [name, isMoment(query[name]) ? toLocal(query[name]) : query[name] ?? '']);
  const levels = LEVELS.map((name) => [name, query[name] ?? '']);
  return { class: query.class ?? '', banned: query.banned === 'true' ? 'true' : '', ...Object.fromEntries([...moments, ...levels]), given: query };
}

function filterOf(values) {
  const chosen = {};
  if (values.class) chosen.class = values.class;
  if (values.banned) chosen.banned = true;
  for (const name of LEVELS) if (values[name]) chosen[name] = numberOf(values[name]).value;
  for (const name of MOMENTS) if (values[name]) chosen[name] = toServer(values[name], values.given[name]);
  return chosen;
}

const valueOf = (name, value) => (MOMENTS.includes(name) ? when(value) : typeof value === 'object' ? JSON.stringify(value) : value);

// Every field of a filter in words; one that this page doesn't know yet by its own name.
function told({ banned, ...others }) {
  const fields = Object.entries(others).map(([name, value]) => `${FILTER[name] ?? name} ${valueOf(name, value)}`);
  const who = banned === undefined ? [] : [BANNED[banned] ?? `banned ${valueOf('banned', banned)}`];
  return [...who, ...fields].join(', ') || 'All players';
}

// Who gets it, and what comes with it.
function whom({ filter, items }) {
  const gifts = Object.entries(items).map(([name, count]) => `${number(count)} ${name}`).join(', ');
  return told(filter) + (gifts && `; with ${gifts}`);
}

// As players read it, with its lines.
const Text = ({ of: { text } }) => html`<p class="note" lang=${languageOf(text)} dir="auto">${text}</p>`;

function Start({ query, onDone, onClose }) {
  const counted = useRef(0);
  const who = useRef('');
  const game = useRead('/classes', {}, '/v1');
  const saved = useRead('/queries');
  const queries = saved.value?.queries ?? [];
  const request = (values, preview) => {
    who.current = values.banned;
    const body = { text: values.text, items: itemsOf(values.items).items, filter: filterOf(values), expected_count: preview ? 0 : counted.current };
    return { method: 'POST', path: '/campaigns', query: preview ? { preview: true } : {}, body };
  };
  const input = (name, label, values, set, more = {}) => html`<${Line} id=${name} label=${label} value=${values[name]}
    onInput=${(event) => set(name, event.target.value)} ...${more} />`;
  const choice = (id, label, value, onChange, options) => html`<${Field} id=${id} label=${label}><select id=${id} value=${value}
    onChange=${(event) => onChange(event.target.value)}>${options}</select><//>`;
  const classes = (values) => [...new Set([...(game.value?.classes ?? []).map((each) => each.name), values.class])].filter(Boolean);
  const take = (name, set) => {
    const filled = valuesOf(queries.find((each) => each.name === name)?.query ?? {});
    for (const [field, value] of Object.entries({ ...filled, saved: name })) set(field, value);
  };
  const moment = (name, values, set) => html`<${Moment} id=${name} label=${FILTER[name]} given=${values[name]} value=${values[name]}
    onInput=${(event) => set(name, event.target.value)} />`;
  const check = (values) => ({
    items: itemsOf(values.items).problem, ...Object.fromEntries(LEVELS.map((name) => [name, numberOf(values[name]).problem])), ...Object.fromEntries(MOMENTS.map((name) => [name, notMoment(values[name])])),
  });
  const fields = (values, set, problems) => html`
    <${Field} id="text" label="Text"><textarea id="text" required maxlength="1000" rows="4" value=${values.text} lang=${languageOf(values.text)}
      onInput=${(event) => set('text', event.target.value)}></textarea><//>
    ${input('items', 'Items, such as potion=3, herb=1', values, set, { problem: problems.items })}
    <${Fault} error=${game.error ?? saved.error} />
    <div class="filters">
    ${queries.length > 0 && choice('saved', 'Saved query', values.saved, (name) => take(name, set), html`<option value="">none</option>
      ${queries.map((each) => html`<option value=${each.name} disabled=${unfit(each.query).length > 0}>${each.name}</option>`)}`)}
    ${choice('class', 'Class', values.class, (name) => set('class', name), html`<option value="">all</option>
      ${classes(values).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}`)}
    ${input('min_level', 'Level from', values, set, { inputmode: 'numeric', problem: problems.min_level })}
    ${input('max_level', 'Level to', values, set, { inputmode: 'numeric', problem: problems.max_level })}
    ${choice('banned', 'Banned', values.banned, (text) => set('banned', text), html`<option value="">no</option><option value="true">yes, only these</option>`)}
    ${MOMENTS.map((name) => moment(name, values, set))}</div>`;
  return html`<${Change} title="Write to many players" verb="Send" danger initial=${{ text: '', items: '', saved: '', ...valuesOf(query) }} request=${request} fields=${fields} check=${check}
    show=${(answer) => html`<p><b>${number(answer.players)}</b> ${answer.players === 1 ? 'player fits' : 'players fit'} now; ${WHO[who.current]}.</p>
      ${answer.needs_second_operator && html`<p>These are so many that a second operator has to agree.</p>`}`}
    confirm=${(answer) => {
      counted.current = answer.players;
      return answer.players;
    }}
    onDone=${(answer) => onDone(answer.needs_second_operator ? 'It waits for a second operator.' : 'It is being sent.')} onClose=${onClose} />`;
}

function Agree({ campaign, onDone, onClose }) {
  return html`<${Change} title="Agree to a letter to many players" verb="Agree" danger confirm=${campaign.players}
    request=${(_, preview) => (preview ? null : {
      method: 'POST', path: `/campaigns/${campaign.id}/agreement`, body: { expected_count: campaign.players },
    })}
    fields=${() => html`<p><b>${campaign.reason}</b> <span class="faint">· ${campaign.admin}, ${when(campaign.at)}</span></p>
      <${Text} of=${campaign} />
      <p>To ${counted(campaign.players, 'player')}: ${whom(campaign)}</p>`}
    onDone=${() => onDone('It is being sent.')} onClose=${onClose} />`;
}

function Revoke({ campaign, onDone, onClose }) {
  return html`<${Change} title="Revoke a letter to many players" verb="Revoke" danger
    request=${(_, preview) => (preview ? null : { method: 'POST', path: `/campaigns/${campaign.id}/revocation`, body: {} })}
    fields=${() => html`<p>${number(campaign.arrived)} of ${number(campaign.players)} have it, and keep it.</p>`}
    onDone=${(answer) => onDone(`Revoked: ${number(answer.arrived)} had it, ${counted(answer.under_way, 'letter is', 'letters are')} under way.`)} onClose=${onClose} />`;
}

function Campaign({ campaign, admin, onAct }) {
  const { id, state, players, arrived, refused } = campaign;
  const mayChange = admin.role === 'operator';
  const label = `${number(arrived + refused)} of ${counted(players, 'letter has', 'letters have')} ended`;
  return html`<section class="card" aria-label=${`Campaign: ${campaign.reason}`}>
    <div class="bar"><h2><${Link} to=${urlOf('campaigns', [id])}>${campaign.reason}<//></h2><span class=${`tag ${TAGS[state]}`}>${state}</span>
      ${mayChange && state === 'waiting' && (campaign.admin !== admin.name || campaign.needs_second_operator === false) && html`<button type="button" onClick=${() => onAct('agree', campaign)}>Agree</button>`}
      ${mayChange && ['waiting', 'running'].includes(state) && html`<button type="button" onClick=${() => onAct('revoke', campaign)}>Revoke</button>`}</div>
    <${Text} of=${campaign} />
    <p>${whom(campaign)}</p>
    <progress aria-label=${label} max=${Math.max(players, arrived + refused, 1)} value=${arrived + refused}></progress>
    <p>${number(arrived)} arrived, ${number(refused)} refused, of ${number(players)} counted${(campaign.waiting ?? []).map((one) => `; ${counted(one.slots, 'slot')} and ${counted(one.letters, 'letter')} wait for database ${one.database}`).join('')}
      <span class="faint"> · ${campaign.admin}${campaign.agreed_by && ` and ${campaign.agreed_by}`}, <time datetime=${campaign.at} title=${when(campaign.at)}>${ago(campaign.at)}</time></span></p>
    ${state === 'waiting' && html`<p>${campaign.needs_second_operator === false ? 'An operator' : 'So many players fit that a second operator'} has to agree${campaign.agree_until && ` until ${when(campaign.agree_until)}`}.${campaign.needs_second_operator !== false && arrived + refused > 0 && ' It was begun when fewer did, and goes on where it stopped.'}</p>`}
    <p class="faint mono wrap">${id}</p>
  </section>`;
}

const isGoingOn = ({ state, under_way: letters }) => ['waiting', 'running'].includes(state) || letters > 0;
const inOrder = (one, other) => isGoingOn(other) - isGoingOn(one) || new Date(other.at) - new Date(one.at);
const byId = (campaigns) => campaigns.map((each) => [each.id, each]);

// Campaigns as they were answered last: of the first page, which is asked for again and again and has all that go on, of
// the pages behind it, and those that have ended since and are on none: {asked, campaigns, more, older, next}.
function useCampaigns(isSeen) {
  const [known, setKnown] = useState({ all: new Map(), cursor: null, isBegun: false });
  const [older, setOlder] = useState({ error: null, loading: false });
  const keep = (campaigns, cursor) => setKnown((before) => ({
    all: new Map([...before.all, ...byId(campaigns)]), cursor: cursor === undefined ? before.cursor : cursor, isBegun: true,
  }));
  const asked = usePolled(isSeen && '/campaigns', { limit: PAGE }, 2000, ({ campaigns, next_cursor: cursor = null }) => {
    const present = new Map(byId(campaigns));
    keep(campaigns, known.isBegun ? undefined : cursor);
    const ended = [...known.all.values()].filter((each) => isGoingOn(each) && !present.has(each.id));
    ended.forEach(({ id }) => read(`/campaigns/${id}`).then((found) => keep([found]), () => null));
  });
  const next = async () => {
    setOlder({ error: null, loading: true });
    try {
      const answer = await read('/campaigns', { limit: PAGE, cursor: known.cursor });
      keep(answer.campaigns, answer.next_cursor);
      setOlder({ error: null, loading: false });
    } catch (error) {
      setOlder({ error, loading: false });
    }
  };
  const all = new Map([...known.all, ...byId(asked.value?.campaigns ?? [])]);
  return { asked, campaigns: [...all.values()].sort(inOrder), more: known.cursor !== null, older, next };
}

// The list, or the one that the address names; /campaigns/new is the form, with the filters of the address.
export default function Campaigns({ route, admin }) {
  const isNew = route.rest[0] === 'new';
  const id = isNew ? undefined : route.rest[0];
  const list = useCampaigns(!id);
  const one = usePolled(id && `/campaigns/${encodeURIComponent(id)}`);
  const asked = id ? one : list.asked;
  const [act, setAct] = useState(null);
  const [said, setSaid] = useState('');
  const campaigns = id ? [one.value].filter(Boolean) : list.campaigns;
  const isOperator = admin.role === 'operator';
  const missing = isNew ? unfit(route.query) : [];
  const isFilled = isNew && !missing.length;
  const close = () => {
    setAct(null);
    if (isNew && isAt(route)) go(urlOf('campaigns'), { replace: true });
  };
  const done = (text) => {
    setSaid(text);
    asked.reload();
  };
  return html`
    <div class="bar"><h1>${id ? 'Campaign' : 'Campaigns'}</h1>
      ${id && html`<${Link} to=${urlOf('campaigns')}>All campaigns<//>`}
      ${isOperator && !id && html`<button type="button" class="main" onClick=${() => setAct({ kind: 'start' })}>Write to many players</button>`}</div>
    <${Told} text=${said} onGone=${() => setSaid('')} />
    <${Fault} error=${asked.error} /><${Age} at=${asked.at} />
    ${missing.length > 0 && html`<${Fault} error=${{ message: `A letter to many players can't be filtered by ${missing.join(', ')}: it would reach others, too.` }} />`}
    ${asked.value && !campaigns.length && html`<p class="faint">No letter has been sent to many players yet.</p>`}
    <div class="cards">${campaigns.map((campaign) => html`<${Campaign} key=${campaign.id} campaign=${campaign} admin=${admin}
      onAct=${(kind, of) => setAct({ kind, of })} />`)}</div>
    <div class="more" tabindex="-1">${!id && list.more && html`<button type="button" disabled=${list.older.loading} onClick=${list.next}>Show more</button>`}</div>
    <${Fault} error=${list.older.error} />
    ${isOperator && (isFilled || act?.kind === 'start') && html`<${Start} key=${JSON.stringify(route.query)} query=${isFilled ? route.query : {}} onDone=${done} onClose=${close} />`}
    ${act?.kind === 'agree' && html`<${Agree} campaign=${act.of} onDone=${done} onClose=${close} />`}
    ${act?.kind === 'revoke' && html`<${Revoke} campaign=${act.of} onDone=${done} onClose=${close} />`}`;
}
