// Everything about one player, and all that can be done to it: /console/player/<id>?tab=ledger&at=…

import { Fault, Moment } from '../lib/dialog.js';
import { counted, date, languageOf, number, toLocal, toServer, when } from '../lib/format.js';
import { html, useEffect, useState } from '../lib/html.js';
import { usePages, useRead, useReload } from '../lib/load.js';
import { go, Link, Tabs, urlOf } from '../lib/router.js';
import { EraseAgain, PlayerActions } from './player_actions.js';
import { Boards, nameOf, Places } from './player_boards.js';
import { Args, At, PagedSheet, Sheet, Text, Who } from './player_parts.js';
import { Timeline } from './player_timeline.js';

const LETTERS = 50;
const NEWEST = 100; // bans and notes that the page has
const TABS = [
  ['overview', 'Overview'],
  ['ledger', 'Ledger'],
  ['past', 'Past state'],
  ['boards', 'Boards'],
  ['mail', 'Mail and friends'],
  ['access', 'Sessions and devices'],
  ['moderation', 'Bans and notes'],
];

export default function Player({ admin, route }) {
  const id = route.rest[0] ?? '';
  const [receipt, setReceipt] = useState(null);
  if (!id) return html`<h1>Player</h1><p>Choose a player in <${Link} to=${urlOf('players')}>the list of players<//>.</p>`;
  if (receipt?.player === id) return html`<${Receipt} receipt=${receipt} admin=${admin} onErased=${setReceipt} />`;
  return html`<${One} key=${id} id=${id} query=${route.query} admin=${admin} onErased=${setReceipt} />`;
}

// All of one player; of another one, nothing of this is kept.
function One({ id, query, admin, onErased }) {
  const tab = TABS.some(([name]) => name === query.tab) ? query.tab : 'overview';
  const asked = useRead(`/players/${id}`);
  const devices = useRead(`/players/${id}/devices`);
  const [change, setChange] = useState(null);
  const page = asked.value;
  const reload = () => {
    asked.reload();
    devices.reload();
  };

  if (asked.error && (!page || asked.error.code === 'player_not_found')) {
    return html`<${Missing} id=${id} asked=${asked} admin=${admin} onErased=${onErased} />`;
  }
  if (!page) return html`<p role="status">Loading the player…</p>`;
  const shared = { id, page, admin, query, change, setChange };
  return html`
    <article aria-busy=${asked.loading}>
      <${Head} page=${page} onRefresh=${reload} />
      <${Fault} error=${asked.error} again=${reload} />
      <${PlayerActions} ...${shared} onDone=${reload} onErased=${onErased} />
      <${Tabs} label="Parts of this page" tabs=${TABS} current=${tab}
        to=${(name) => urlOf('player', [id], name === 'overview' ? {} : { tab: name })} />
      <section aria-label=${TABS.find(([name]) => name === tab)[1]}>
        ${tab === 'overview' && html`<${Overview} ...${shared} />`}
        ${tab === 'ledger' && html`<${Timeline} ...${shared} />`}
        ${tab === 'past' && html`<${Past} ...${shared} at=${query.at ?? ''} version=${query.at ? '' : query.version ?? ''} />`}
        ${tab === 'boards' && html`<${Boards} ...${shared} />`}
        ${tab === 'mail' && html`<${MailAndFriends} ...${shared} />`}
        ${tab === 'access' && html`<${Access} ...${shared} devices=${devices} />`}
        ${tab === 'moderation' && html`<${Moderation} ...${shared} />`}
      </section>
    </article>
  `;
}

function Missing({ id, asked: { error, reload }, admin, onErased }) {
  const isGone = error.code === 'player_not_found';
  return html`
    <h1>Player ${id}</h1>
    <${Fault} error=${error} again=${isGone ? undefined : reload} />
    ${isGone && html`<p>If there was one, <${Link} to=${urlOf('audit', [], { target: id })}>the
      audit log<//> says what was done to it. What it left when it was deleted can be erased still.</p>
      <${EraseAgain} id=${id} admin=${admin} onErased=${onErased} />`}
  `;
}

// What an erasure has erased and what a search still finds; the player itself can't be looked at any more.
function Receipt({ receipt, admin, onErased }) {
  const rows = (counts) => Object.entries(counts).map(([store, count]) => [store, number(count)]);
  return html`
    <h1>Receipt of an erasure</h1>
    <p role="status">${told(receipt)} The
      <${Link} to=${urlOf('audit', [], { target: receipt.player, action: 'erase' })}>audit log<//> keeps these figures.</p>
    ${!receipt.complete && html`<${EraseAgain} id=${receipt.player} admin=${admin} onErased=${onErased} />`}
    <dl class="tiles">
      <div><dt>Player</dt><dd><code>${receipt.player}</code></dd></div>
      <div><dt>Names it has had</dt><dd>${number(receipt.names)}</dd></div>
      <div><dt>Command</dt><dd><code>${receipt.command_id}</code></dd></div>
    </dl>
    <div class="cards"><${Sheet} caption="Erased" heads=${['Store', 'Rows or keys']} rows=${rows(receipt.erased)} />
    <${Sheet} caption="Still found" heads=${['Store', 'Rows or keys']} rows=${rows(receipt.left)} />
    <${Sheet} caption="Where others still mention a name" heads=${['Store', 'Rows']} rows=${rows(receipt.mentions)}
      empty="Nowhere that was searched." /></div>
    <p>${inBackups(receipt.backups ?? {})}</p>
    ${receipt.unsearched.length > 0 && html`<p class="fault">Not searched: ${receipt.unsearched.join(', ')}.</p>`}
  `;
}

// Until when backups have it; a node of an earlier version says nothing of it.
function inBackups({ newest = null, gone_by: goneBy = null }) {
  const made = newest ? `The newest backup that may have it began ${when(newest)}. ` : '';
  const gone = goneBy ? `The last one is expected to be gone by ${when(goneBy)}.` : 'Backups have what they had until they expire.';
  return made + gone;
}

function told({ complete, left }) {
  if (complete) return 'The player is deleted, and a search finds nothing of it any more.';
  if (Object.values(left).some((count) => count > 0)) return 'A search still finds something: erase the player again.';
  return 'Letters or claims of it may be left where time was too short to search: erase the player again.';
}

function Head({ page, onRefresh }) {
  const { player } = page;
  const open = page.bans.find((ban) => !ban.ended_at);
  const share = player.max_hp ? Math.min(player.hp / player.max_hp, 1) : 0;
  return html`
    <header class="player">
      <h1 lang=${languageOf(player.name)}>${player.name}</h1>
      <button type="button" onClick=${onRefresh}>Refresh</button>
      ${open && html`<p class="tag bad">Banned${open.until ? ` until ${when(open.until)}` : ''}</p>`}
      <dl class="tiles">
        <div><dt>Class</dt><dd>${player.class}</dd></div>
        <div><dt>Level</dt><dd>${number(player.level)}</dd></div>
        <div><dt>HP</dt><dd>${number(player.hp)} / ${number(player.max_hp)}
          <meter min="0" max="1" value=${share} aria-label="HP"></meter></dd></div>
        <div><dt>EXP</dt><dd>${number(player.exp)}</dd></div>
        <div><dt>Version</dt><dd>${number(player.version)}</dd></div>
        <div><dt>Signed up</dt><dd><time datetime=${player.created_at}>${date(player.created_at)}</time></dd></div>
        <div><dt>Last seen</dt><dd><${LastSeen} page=${page} /></dd></div>
        <div><dt>Id</dt><dd><code>${player.id}</code></dd></div>
      </dl>
    </header>
  `;
}

// By the hour, unless it is connected now. A node of an earlier version answers without both.
function LastSeen({ page: { nodes = null, seen_at: at } }) {
  if (nodes?.length) return html`<span class="tag good">Online</span>, connected to ${nodes.join(', ')}`;
  const seen = at ? html`<time datetime=${at} title=${`in the hour from ${when(at)}`}>${date(at)}</time>` : '–';
  return html`${seen}${nodes === null && "; whether it is connected isn't known"}`;
}

function Overview({ id, page }) {
  const items = page.items.map((stack) => [
    html`<${Text}>${stack.title}<//> <code>${stack.item}</code>`,
    number(stack.count),
    number(stack.max_stack),
    stack.lost ? number(stack.lost) : '–',
  ]);
  const data = Object.entries(page.data).map(([name, value]) => [html`<code><${Text}>${name}<//></code>`, html`<${Text}>${String(value)}<//>`]);
  return html`
    <${Places} id=${id} page=${page} />
    <${Sheet} caption="Items" heads=${['Item', 'Count', 'Fits', 'Lost']} rows=${items} empty="It has no items." />
    ${data.length > 0 && html`<${Sheet} caption="What the rules remember" heads=${['Name', 'Value']} rows=${data} />`}
  `;
}

function MailAndFriends({ id, page }) {
  const letters = usePages(`/players/${id}/inbox`, { limit: LETTERS });
  useReload(letters.reload, page);
  const names = page.names ?? {}; // a node of an earlier version knows none
  const letter = ({ at, kind, sender, sender_name: name, args }) => [
    html`<${At} at=${at} />`,
    kind,
    html`<${Who} id=${sender} name=${name} />`,
    html`<${Args} args=${args} without=${['sender']} />`,
  ];
  return html`
    <${PagedSheet} caption="Letters" heads=${['Sent', 'Kind', 'From', 'What it says']} pages=${letters} row=${letter}
      empty="Its inbox is empty." />
    <${Sheet} caption="Friends" heads=${['Player']} empty="It has no friends."
      rows=${page.friends.map((friend) => [html`<${Who} id=${friend} name=${names[friend]} />`])} />
    <${Sheet} caption="Whose letters it doesn't take" heads=${['Player', 'Since']}
      rows=${page.blocks.map((block) => [html`<${Who} id=${block.id} name=${names[block.id]} />`, html`<${At} at=${block.added_at} />`])}
      empty="It blocks nobody." />
  `;
}

function Access({ page, devices, setChange }) {
  const sessions = (page.sessions ?? []).map((session) => [
    html`<${Text}>${session.label || '–'}<//>`,
    session.address || '–',
    html`<${At} at=${session.opened_at} />`,
    html`<${At} at=${session.used_at} />`,
    html`<button type="button" onClick=${() => setChange({ kind: 'end_session', session })}>End<span class="unseen">
      the session ${session.label}</span></button>`,
  ]);
  const listed = (devices.value?.devices ?? []).map((device) => [
    html`<${Text}>${device.label || '–'}<//>`,
    html`<code>${device.id}</code>`,
    html`<${At} at=${device.added_at} />`,
    html`<button type="button" onClick=${() => setChange({ kind: 'end_device', device })}>Take away<span class="unseen">
      the device ${device.label}</span></button>`,
  ]);
  return html`
    <${Sheet} caption="Sessions" heads=${['Client', 'Address', 'Opened', 'Used', '']} rows=${sessions}
      empty=${page.sessions ? 'It has no open session.' : "Sessions can't be read just now."} />
    <${Fault} error=${devices.error} again=${devices.reload} />
    ${!devices.value && !devices.error && html`<p role="status">Loading the devices…</p>`}
    ${devices.value && html`<${Sheet} caption="Devices" heads=${['Label', 'Id', 'Added', '']} rows=${listed}
      empty="It signs in by no device." />`}
  `;
}

function Moderation({ page }) {
  const bans = page.bans.map((ban) => [
    html`<${At} at=${ban.at} />`,
    ban.banned_by,
    html`<${Text}>${ban.reason}<//>`,
    html`<${Text}>${ban.said || '–'}<//>`,
    ban.until ? when(ban.until) : 'no end',
    ban.ended_at ? html`<${At} at=${ban.ended_at} /> by ${ban.ended_by}` : html`<strong>in force</strong>`,
  ]);
  const notes = page.notes.map((note) => [
    html`<${At} at=${note.at} />`,
    note.admin,
    html`<span class="note"><${Text}>${note.text}<//></span>`,
  ]);
  return html`
    <${Sheet} caption="Bans, past and present" heads=${['Since', 'By', 'Why (internal)', 'What it was told', 'Until', 'Ended']}
      rows=${bans} empty="It was never banned." />
    <${Sheet} caption="Notes of colleagues" heads=${['At', 'By', 'Note']} rows=${notes} empty="Nobody has noted anything." />
    ${[bans, notes].some((rows) => rows.length >= NEWEST) && html`<p class="faint">These are the newest ${NEWEST}; an export has all.</p>`}
  `;
}

// At the moment `at`, or with a version: of one of them alone, the other is ''.
function Past({ id, page, at, version, setChange }) {
  const [wanted, setWanted] = useState(toLocal(at));
  useEffect(() => setWanted(toLocal(at)), [at]);
  const isAsked = Boolean(at || version);
  const asked = useRead(isAsked && `/players/${id}/state`, at ? { at } : { version });
  useReload(asked.reload, page);
  const look = (event) => {
    event.preventDefault();
    go(urlOf('player', [id], { tab: 'past', at: toServer(wanted, at) }));
  };
  return html`
    <form class="filters" onSubmit=${look}>
      <${Moment} id="at" label="The player as it was at" step="1" required given=${wanted || at} value=${wanted}
        onInput=${(event) => setWanted(event.target.value)} />
      <button type="submit">Look</button>
    </form>
    <${Fault} error=${asked.error} again=${asked.reload} />
    ${isAsked && asked.loading && !asked.value && html`<p role="status">Looking…</p>`}
    ${isAsked && asked.value && !asked.error && html`<${PastState} state=${asked.value} setChange=${setChange}
      title=${at ? when(at) : `Version ${version}`} />`}
  `;
}

function PastState({ state, title, setChange }) {
  const { player } = state;
  return html`
    <h2>${title}</h2>
    <dl class="tiles">
      <div><dt>Name</dt><dd lang=${languageOf(player.name)}>${player.name}</dd></div>
      <div><dt>Class</dt><dd>${player.class}</dd></div>
      <div><dt>Level</dt><dd>${number(player.level)}</dd></div>
      <div><dt>HP</dt><dd>${number(player.hp)} / ${number(player.max_hp)}</dd></div>
      <div><dt>EXP</dt><dd>${number(player.exp)}</dd></div>
      <div><dt>Version</dt><dd>${number(player.version)} of ${number(state.present_version)}</dd></div>
    </dl>
    <p>It was so since ${when(state.since)}. ${counted(state.replayed, 'command')} up to then ${state.replayed === 1 ? 'was' : 'were'} replayed${
      state.differing.length
        ? `. That leads elsewhere than the ledger says in version ${state.differing.join(', ')}: the code of its rules is gone, or a letter was erased.`
        : ', and led to what the ledger says.'}</p>
    <${PastHoldings} ...${state} />
    <p><button type="button" disabled=${player.version === state.present_version}
      onClick=${() => setChange({ kind: 'roll_back', version: player.version })}>Roll back to this moment…</button></p>
  `;
}

// The items and scores of then; a node of an earlier version answers without them.
function PastHoldings({ items = null, scores = [], unknown = [] }) {
  const known = (value) => (value === null ? 'not known' : number(value));
  const held = (items ?? []).map(({ item, title, count }) => [html`<${Text}>${title}<//> <code>${item}</code>`, known(count)]);
  const scored = scores.map(({ board, season, score }) => [board, nameOf(season), known(score)]);
  return html`
    <${Sheet} caption="Items then" heads=${['Item', 'Count']} rows=${held} empty=${items ? 'It had no items.' : 'Not known.'} />
    <${Sheet} caption="Scores then" heads=${['Board', 'Season', 'Score']} rows=${scored} empty="It had none on boards that store them." />
    ${unknown.map((sentence) => html`<p key=${sentence} class="faint">${sentence}</p>`)}
  `;
}
