// The fleet: how its nodes and databases are, which database owns which slots, moves, and seasons.

import { Age } from '../lib/age.js';
import { Chart } from '../lib/chart.js';
import { Fault, Told } from '../lib/dialog.js';
import { ago, bytes, number, seconds, when } from '../lib/format.js';
import { html, useRef, useState } from '../lib/html.js';
import { usePolled } from '../lib/load.js';
import { Tabs, urlOf } from '../lib/router.js';
import { DrainDatabase, DrainNode, KeepDatabase, Moves, ResumeNode, MoveSlots, SlotMaps } from './fleet_moves.js';
import { Boards, Seasons } from './fleet_boards.js';
import { may } from './index.js';

const PAUSE_MS = 2000;
const DATABASES_PAUSE_MS = 10_000;
const DATABASES_OLD_SECONDS = 30;
const POINTS = 150;
const LINES = 8; // of a chart: as many as there are colours
const TABS = [['now', 'Now'], ['slots', 'Slots and moves'], ['boards', 'Boards and seasons']];

// The value under which a share of the counts lies, from buckets with these upper bounds, in ms.
function quantile(counts, bounds, share) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (!total) return null;
  let left = total * share;
  for (let at = 0; at < counts.length; at += 1) {
    if (left <= counts[at] || at === counts.length - 1) {
      const low = at ? bounds[at - 1] : 0;
      const high = bounds[at] ?? bounds.at(-1) * 2;
      return 1000 * (low + (high - low) * Math.min(1, left / (counts[at] || 1)));
    }
    left -= counts[at];
  }
  return null;
}

const difference = (now, before) => now.map((value, at) => Math.max(0, value - (before[at] ?? 0)));
const sum = (counts) => counts.reduce((total, count) => total + count, 0);

// What happened between two answers: per node its rates and latencies.
function rates(now, last) {
  const earlier = Object.fromEntries(last.answer.nodes.map((node) => [node.address, node]));
  return now.answer.nodes.map((node) => {
    const before = earlier[node.address];
    const old = before?.started_at === node.started_at ? before.figures : {}; // else another process counted
    const { figures } = node;
    const elapsed = figures.up_seconds - old.up_seconds;
    if (!figures.requests || !old.requests || !(elapsed > 0)) return { node, known: false };
    const actions = difference(figures.actions, old.actions);
    const requests = difference(figures.requests, old.requests);
    return {
      node,
      known: true,
      actions: sum(actions) / elapsed,
      requests: sum(requests) / elapsed,
      refusals: Math.max(0, figures.refusals + figures.denied - old.refusals - old.denied) / elapsed,
      p99: quantile(actions, now.answer.bounds, 0.99),
      processor: (figures.processor_seconds - old.processor_seconds) / elapsed,
    };
  });
}

function Tiles({ answer, now }) {
  const known = now.filter((each) => each.known);
  const total = (name) => (known.length ? known.reduce((all, each) => all + each[name], 0) : null);
  const rate = (value) => (value === null ? '–' : number(Math.round(value)));
  const lags = answer.nodes.flatMap((node) => (node.figures.followers ?? []).map((each) => each.age_seconds));
  const tile = (title, value) => html`<div><dt>${title}</dt><dd>${value}</dd></div>`;
  return html`<dl class="tiles">
    ${tile('Nodes', number(answer.nodes.length))}
    ${tile('Players online', number(answer.nodes.reduce((all, node) => all + node.players, 0)))}
    ${tile('Actions / s', rate(total('actions')))}
    ${tile('Requests / s', rate(total('requests')))}
    ${tile('Refused / s', rate(total('refusals')))}
    ${tile('Commands waiting', number(answer.nodes.reduce((all, node) => all + (node.figures.queued ?? 0), 0)))}
    ${tile('Boards behind by', seconds(lags.length ? Math.max(...lags) : null))}
  </dl>`;
}

function Nodes({ now, onNode }) {
  return html`<section><h2>Nodes</h2><div class="scroll" role="region" aria-label="Nodes" tabindex="0"><table>
    <thead><tr><th scope="col">Node</th><th scope="col">Address</th><th scope="col">Started</th><th scope="col" class="n">Players</th>
      <th scope="col" class="n">Sockets</th><th scope="col" class="n">Actions / s</th><th scope="col" class="n">p99</th>
      <th scope="col" class="n">Requests / s</th><th scope="col" class="n">Core</th><th scope="col" class="n">Waiting</th>
      <th scope="col"><span class="unseen">Actions</span></th></tr></thead>
    <tbody>${now.map(({ node, known, ...each }) => html`<tr key=${node.address}>
      <th scope="row">${node.name}${node.figures.draining && html` <span class="tag warn">draining</span>`}</th><td class="mono">${node.address}</td>
      <td><time datetime=${node.started_at} title=${when(node.started_at)}>${ago(node.started_at)}</time></td>
      <td class="n">${number(node.players)}</td><td class="n">${number(node.sockets)}</td>
      <td class="n">${known ? number(Math.round(each.actions)) : '–'}</td>
      <td class="n">${known && each.p99 !== null ? `${each.p99.toFixed(1)} ms` : '–'}</td>
      <td class="n">${known ? number(Math.round(each.requests)) : '–'}</td>
      <td class="n">${known ? `${Math.round(each.processor * 100)} %` : '–'}</td>
      <td class="n">${number(node.figures.queued)}</td>
      <td>${onNode && (node.figures.draining
        ? html`<button type="button" class="plain" onClick=${() => onNode('resume', node.name)}>Let ${node.name} take new work…</button>`
        : html`<button type="button" class="plain" onClick=${() => onNode('leave', node.name)}>Drain ${node.name}…</button>`)}</td></tr>`)}</tbody></table></div></section>`;
}

const figuresOf = (nodes, kind, database) => nodes.flatMap((node) => node.figures[kind] ?? []).filter((each) => each.database === database);

// The replicas of a database, each as the node tells of it that sees least of it; `missing` nodes can't use it.
function replicasOf(nodes, database) {
  const seen = figuresOf(nodes, 'replicas', database);
  return [...new Set(seen.map((each) => each.replica))].map((name) => {
    const told = seen.filter((each) => each.replica === name);
    const usable = told.filter((each) => each.age_seconds !== null);
    const most = (figure) => Math.max(...usable.map((each) => each[figure]));
    return { name, nodes: told.length, missing: told.length - usable.length, age: most('age_seconds'), behind: most('behind_bytes') };
  });
}

function conditionOf({ nodes, missing, age, behind }) {
  if (missing === nodes) return 'away';
  return missing ? `away from ${missing} of ${nodes} nodes` : `${seconds(age)}, ${bytes(behind)} behind`;
}

// How far boards are behind a database on the node that follows it worst; null if none tells.
function lagOf(nodes, database) {
  const lags = figuresOf(nodes, 'followers', database).map((each) => each.age_seconds);
  return lags.length ? Math.max(...lags) : null;
}

function Databases({ answer, onOrder }) {
  const asked = usePolled('/databases', {}, DATABASES_PAUSE_MS);
  const nodes = answer.nodes ?? [];
  const members = new Set(answer.members.map((member) => member.database));
  const draining = new Set(answer.members.filter((member) => member.draining).map((member) => member.database));
  if (!asked.value) return html`<section><h2>Databases</h2><${Fault} error=${asked.error} /></section>`;
  return html`<section><h2>Databases</h2><${Fault} error=${asked.error} /><${Age} at=${asked.at} seconds=${DATABASES_OLD_SECONDS} /><div class="scroll" role="region" aria-label="Databases" tabindex="0"><table>
    <thead><tr><th scope="col">Database</th><th scope="col">Role</th><th scope="col" class="n">Players</th><th scope="col" class="n">Size</th>
      <th scope="col">Slots</th><th scope="col" class="n">Boards behind by</th><th scope="col">Replicas</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead>
    <tbody>${asked.value.databases.map((each) => html`<tr key=${each.name}>
      <th scope="row">${each.name}</th>
      <td><span class=${`tag ${each.role === 'primary' ? 'good' : 'bad'}`}>${each.role}</span>
        ${draining.has(each.name) && html` <span class="tag warn">draining</span>`}</td>
      <td class="n">${number(each.players)}</td><td class="n">${bytes(each.bytes)}</td>
      <td>${each.groups.map((group) => `${group.group} ${number(group.slots)}`).join(', ') || (members.has(each.name) ? '–' : 'in no group')}</td>
      <td class="n">${seconds(lagOf(nodes, each.name))}</td>
      <td>${replicasOf(nodes, each.name).map((replica) => html`<span key=${replica.name}
        class=${`tag ${replica.missing ? 'bad' : 'good'}`}>${replica.name}: ${conditionOf(replica)}</span> `)}</td>
      <td>${onOrder && members.has(each.name) && (draining.has(each.name)
        ? html`<button type="button" class="plain" onClick=${() => onOrder('keep', each.name)}>Take the drain of ${each.name} back…</button>`
        : html`<button type="button" class="plain" onClick=${() => onOrder('drain', each.name)}>Drain ${each.name}…</button>`)}</td>
    </tr>`)}</tbody></table></div></section>`;
}

function Charts({ history }) {
  const x = history.map((point) => point.at);
  const present = (history.at(-1)?.nodes ?? []).map((each) => each.node.name);
  const former = history.flatMap((point) => point.nodes.map((each) => each.node.name));
  const names = [...new Set([...present, ...former])].slice(0, LINES);
  const lines = (figure) => names.map((name, color) => ({
    label: name,
    color,
    values: history.map((point) => {
      const found = point.nodes.find((each) => each.node.name === name);
      return found?.known ? found[figure] : null;
    }),
  }));
  const rate = (value) => number(Math.round(value));
  return html`<section aria-label="Charts">
    ${present.length > LINES && html`<p class="faint">The charts show ${LINES} of ${number(present.length)} nodes; the list below has all.</p>`}
    <div class="charts">
    <${Chart} title="Actions" unit="per second" time x=${x} lines=${lines('actions')} show=${rate} />
    <${Chart} title="Latency of actions, p99" unit="ms" time x=${x} lines=${lines('p99')} show=${(value) => value.toFixed(1)} />
    <${Chart} title="Requests over HTTP" unit="per second" time x=${x} lines=${lines('requests')} show=${rate} />
    <${Chart} title="Processor" unit="share of a core" time x=${x} lines=${lines('processor')} show=${(value) => `${Math.round(value * 100)} %`} />
  </div></section>`;
}

function Now({ answer, history, onDatabase, onNode }) {
  const now = history.at(-1)?.nodes ?? answer.nodes?.map((node) => ({ node, known: false }));
  return html`
    ${now && html`<${Tiles} answer=${answer} now=${now} />
      ${history.length > 1 && html`<${Charts} history=${history} />`}
      <${Nodes} now=${now} onNode=${onNode} />`}
    <${Databases} answer=${answer} onOrder=${onDatabase} />`;
}

// Why nothing, or only something old, is shown of the nodes.
function Away({ at }) {
  if (at !== null) return html`<${Age} at=${at} seconds=${0} why="Redis is away: what is shown of the nodes" />`;
  return html`<p class="old">Redis is away: which nodes are alive isn't known.</p>`;
}

export default function Fleet({ route, admin }) {
  const before = useRef(null); // the last answer that tells of nodes, and when it came
  const [history, setHistory] = useState([]);
  const [change, setChange] = useState(null);
  const [told, setTold] = useState('');
  const asked = usePolled('/fleet', {}, PAUSE_MS, (answer) => {
    if (!answer.nodes) return;
    const now = { answer, at: Date.now() };
    if (before.current) {
      const point = { at: Date.now() / 1000, nodes: rates(now, before.current) };
      setHistory((points) => [...points, point].slice(-POINTS));
    }
    before.current = now;
  });
  const orders = may(admin.role, 'operator');
  const isAway = asked.value?.nodes === null;
  const shown = asked.value && { ...asked.value, nodes: asked.value.nodes ?? before.current?.answer.nodes ?? null };
  const tab = TABS.some(([name]) => name === route.query.tab) ? route.query.tab : 'now';
  return html`
    <div class="bar"><h1>Fleet</h1>
      ${orders && html`<button type="button" onClick=${() => setChange({ kind: 'move' })}>Move slots…</button>
        <button type="button" onClick=${() => setChange({ kind: 'balance' })}>Rebalance…</button>`}</div>
    <${Tabs} label="Parts of the fleet" tabs=${TABS} current=${tab}
      to=${(name) => urlOf('fleet', [], name === 'now' ? {} : { tab: name })} />
    <${Fault} error=${asked.error} />
    ${!asked.value && !asked.error && html`<p class="faint" role="status">Loading…</p>`}
    ${isAway ? html`<${Away} at=${before.current?.at ?? null} />` : html`<${Age} at=${asked.at} />`}
    ${shown && tab === 'now' && html`<${Now} answer=${shown} history=${history}
      onDatabase=${orders ? (kind, database) => setChange({ kind, database }) : null}
      onNode=${orders ? (kind, node) => setChange({ kind, node }) : null} />`}
    ${tab === 'slots' && html`<${SlotMaps} /><${Moves} nodes=${shown?.nodes ?? []} orders=${orders} onTold=${setTold} />`}
    ${tab === 'boards' && html`<${Boards} admin=${admin} onTold=${setTold} /><${Seasons} route=${route} admin=${admin} />`}
    ${change?.kind === 'drain' && html`<${DrainDatabase} database=${change.database} onDone=${setTold} onClose=${() => setChange(null)} />`}
    ${change?.kind === 'keep' && html`<${KeepDatabase} database=${change.database} onDone=${setTold} onClose=${() => setChange(null)} />`}
    ${change?.kind === 'leave' && html`<${DrainNode} node=${change.node} onDone=${setTold} onClose=${() => setChange(null)} />`}
    ${change?.kind === 'resume' && html`<${ResumeNode} node=${change.node} onDone=${setTold} onClose=${() => setChange(null)} />`}
    ${(change?.kind === 'move' || change?.kind === 'balance') && asked.value && html`<${MoveSlots} members=${asked.value.members}
      balance=${change.kind === 'balance'} onDone=${setTold} onClose=${() => setChange(null)} />`}
    <${Told} text=${told} onGone=${() => setTold('')} />`;
}
