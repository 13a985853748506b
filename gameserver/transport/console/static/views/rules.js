// The game's rules over time: what is in force, what is ordered and who is ready for it; publishing, reverting, cancelling.

import { Age } from '../lib/age.js';
import { Change, Dialog, Fault, Field, Told } from '../lib/dialog.js';
import { ago, counted, number, when } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { usePolled, useRead } from '../lib/load.js';
import { go, isAt, urlOf } from '../lib/router.js';

const TAGS = { in_force: 'good', ordered: 'warn', preparing: 'warn', cancelling: 'warn', cancelled: 'bad' };
const OPEN = ['preparing', 'ordered', 'cancelling'];
const shown = (value) => (value === null ? '—' : typeof value === 'string' ? value : JSON.stringify(value));

function Changes({ changes, first, second }) {
  if (!changes.length) return html`<p>No value differs.</p>`;
  return html`<div class="scroll" role="region" aria-label="Values that differ" tabindex="0"><table>
    <thead><tr><th scope="col">Value</th><th scope="col">${first}</th><th scope="col">${second}</th></tr></thead>
    <tbody>${changes.map((each) => html`<tr key=${each.value}><th scope="row" class="mono">${each.value}</th><td>${shown(each.old)}</td><td>${shown(each.new)}</td></tr>`)}</tbody>
  </table></div>`;
}

function Plan({ answer }) {
  const { changes, problems, rulebook, what_if: whatIf } = answer.plan;
  return html`
    ${problems.length > 0 && html`<div class="fault" role="alert"><p>It can't be published:</p><ul>${problems.map((each) => html`<li>${each}</li>`)}</ul></div>`}
    ${(changes.length > 0 || !problems.length) && html`<${Changes} changes=${changes} first=${`Rulebook ${rulebook}`} second="Then" />`}
    <p class="faint">What players would have gained and lost: <span class="mono wrap">${whatIf}</span></p>`;
}

const seconds = (values, set) => html`<${Field} id="seconds" label="In how many seconds" hint="At least 5: every node and database learns of it before.">
  <input id="seconds" type="number" min="5" required value=${values.seconds} aria-describedby="seconds-hint"
    onInput=${(event) => set('seconds', event.target.value)} /><//>`;

// What an order is made of: the preview's edition, and what it changes.
const bound = { binding: ({ plan }) => plan, expecting: ({ plan }) => ({ expected_edition: plan.edition }) };
const confirmed = (answer) => (answer.plan.problems.length ? null : counted(answer.plan.changes.length, 'value'));

function Publish({ onDone, onClose }) {
  const fields = (values, set) => html`
    <${Field} id="file" label="game.toml"><input id="file" type="file" accept=".toml" onChange=${async (event) => {
      const file = event.target.files[0];
      if (file) set('game', await file.text());
    }} /><//>
    <${Field} id="game" label="Its text"><textarea id="game" class="mono" rows="10" required spellcheck="false" value=${values.game}
      onInput=${(event) => set('game', event.target.value)}></textarea><//>
    ${seconds(values, set)}`;
  const request = (values, preview) => ({
    method: 'POST', path: '/rules', query: preview ? { preview: true } : {}, body: { game: values.game, in_seconds: Number(values.seconds) },
  });
  return html`<${Change} title="Publish rules" verb="Publish" danger initial=${{ game: '', seconds: '60' }} fields=${fields} request=${request} ...${bound}
    show=${(answer) => html`<${Plan} answer=${answer} />`} confirm=${confirmed}
    onDone=${({ order }) => onDone(`Rulebook ${order.rulebook} will be in force from ${when(order.at)} on.`)} onClose=${onClose} />`;
}

function Revert({ onDone, onClose }) {
  const request = (values, preview) => ({
    method: 'POST', path: '/rules/revert', query: preview ? { preview: true } : {}, body: { in_seconds: Number(values.seconds) },
  });
  return html`<${Change} title="Go back to the rulebook before" verb="Revert" danger initial=${{ seconds: '10' }} fields=${seconds} request=${request} ...${bound}
    show=${(answer) => html`<${Plan} answer=${answer} />`} confirm=${confirmed}
    onDone=${({ order }) => onDone(`Rulebook ${order.rulebook} will be in force again from ${when(order.at)} on.`)} onClose=${onClose} />`;
}

function Cancel({ order, onDone, onClose }) {
  return html`<${Change} title="Cancel the order" verb="Take it back" danger confirm=${String(order.rulebook)}
    request=${(_, preview) => (preview ? null : { method: 'POST', path: '/rules/cancel', body: { expected_edition: order.edition } })}
    fields=${() => html`<p>Rulebook ${order.rulebook} won't be in force from ${when(order.at)} on.</p>`}
    onDone=${() => onDone('The order was cancelled.')} onClose=${onClose} />`;
}

function Compare({ pair, onClose }) {
  const asked = useRead(`/rules/${encodeURIComponent(pair[0])}/changes/${encodeURIComponent(pair[1])}`);
  return html`<${Dialog} title=${`Rulebooks ${pair[0]} and ${pair[1]}`} onClose=${onClose} wide>
    <${Fault} error=${asked.error} again=${asked.reload} />
    ${asked.value && html`<${Changes} changes=${asked.value.changes} first=${pair[0]} second=${pair[1]} />
      <p>The code is ${asked.value.same_code ? 'the same' : 'another one'}.</p>`}
  <//>`;
}

// How a node stands to an order: it has the rules, it can't load them, or hasn't told of them.
function standing({ rules }, order) {
  const problem = rules.problems?.[order.edition];
  if (problem) return html`<span class="tag bad">can't load them</span> <span class="wrap">${problem}</span>`;
  return rules.ready?.includes(order.edition) ? html`<span class="tag good">ready</span>` : html`<span class="tag warn">not ready</span>`;
}

function Pending({ order, nodes, mayChange, onCancel }) {
  return html`<section class="card" aria-label="What is ordered">
    <div class="bar"><h2>Rulebook ${order.rulebook} from ${when(order.at)} on</h2><span class=${`tag ${TAGS[order.state]}`}>${order.state}</span>
      ${mayChange && order.state === 'ordered' && html`<button type="button" onClick=${onCancel}>Cancel</button>`}</div>
    <p>${order.reason} <span class="faint">· ${order.admin}, ${ago(order.ordered_at)}</span></p>
    ${!nodes && html`<p class="faint">Which nodes are ready isn't known: Redis is away.</p>`}
    <ul>${nodes?.map((node) => html`<li key=${node.address}><b>${node.name}</b>: ${standing(node, order)}</li>`)}</ul>
  </section>`;
}

function Orders({ orders, edition }) {
  const told = (order) => (order.state === 'in_force' && order.edition < edition ? 'over' : order.state);
  if (!orders.length) return html`<p class="faint">No rulebook was published yet: each node plays by its own game.toml.</p>`;
  return html`<div class="scroll" role="region" aria-label="Orders" tabindex="0"><table>
    <thead><tr><th scope="col">Edition</th><th scope="col">Rulebook</th><th scope="col">From</th><th scope="col">State</th><th scope="col">Key</th><th scope="col">Reason</th></tr></thead>
    <tbody>${orders.map((order) => html`<tr key=${order.edition}><td>${order.edition}</td><td>${order.rulebook}</td>
      <td><time datetime=${order.at}>${when(order.at)}</time></td><td><span class=${`tag ${TAGS[told(order)] ?? ''}`}>${told(order).replace('_', ' ')}</span></td>
      <td>${order.admin}</td><td class="wrap">${order.reason}${order.problem && html` <span class="faint">${order.problem}</span>`}</td></tr>`)}</tbody>
  </table></div>`;
}

function Books({ books, present, onCompare }) {
  return html`<div class="scroll" role="region" aria-label="Rulebooks" tabindex="0"><table>
    <thead><tr><th scope="col">Rulebook</th><th scope="col">First used</th><th scope="col">game.toml</th><th scope="col">Code</th><th scope="col">Compare</th></tr></thead>
    <tbody>${books.map((book) => html`<tr key=${book.number}><td>${book.number}${book.number === present && html` <span class="tag good">in force</span>`}</td>
      <td><time datetime=${book.first_used_at}>${when(book.first_used_at)}</time></td>
      <td class="mono">${book.game_hash.slice(0, 12)}</td><td class="mono">${book.code_hash.slice(0, 12)}</td>
      <td>${book.number !== present && present !== null && html`<button type="button" onClick=${() => onCompare([book.number, present].map(String))}
        aria-label=${`Compare rulebook ${book.number} with the one in force`}>Compare</button>`}</td></tr>`)}</tbody>
  </table></div>`;
}

// /rules/1/2 compares these two rulebooks.
export default function Rules({ route, admin }) {
  const asked = usePolled('/rules', {}, 1000);
  const [act, setAct] = useState(null);
  const [said, setSaid] = useState('');
  const found = asked.value;
  const close = () => setAct(null);
  const done = (text) => {
    setSaid(text);
    asked.reload();
  };
  const mayChange = admin.role === 'operator';
  const pending = found?.orders.find((order) => OPEN.includes(order.state));
  return html`
    <div class="bar"><h1>Rules</h1>
      ${mayChange && found && !pending && html`<button type="button" class="main" onClick=${() => setAct({ kind: 'publish' })}>Publish rules</button>
        ${found.edition > 0 && html`<button type="button" onClick=${() => setAct({ kind: 'revert' })}>Revert</button>`}`}</div>
    <${Told} text=${said} onGone=${() => setSaid('')} />
    <${Fault} error=${asked.error} /><${Age} at=${asked.at} />
    ${found && html`<p>In force is rulebook <b>${found.rulebook}</b>; nodes alive: ${found.nodes ? number(found.nodes.length) : 'unknown, Redis is away'}.</p>
      ${pending && html`<${Pending} order=${pending} nodes=${found.nodes} mayChange=${mayChange} onCancel=${() => setAct({ kind: 'cancel', order: pending })} />`}
      <h2>Orders</h2><${Orders} orders=${found.orders} edition=${found.edition} />
      <h2>Rulebooks</h2><${Books} books=${found.rulebooks} present=${found.rulebook} onCompare=${(pair) => go(urlOf('rules', pair))} />`}
    ${act?.kind === 'publish' && html`<${Publish} onDone=${done} onClose=${close} />`}
    ${act?.kind === 'revert' && html`<${Revert} onDone=${done} onClose=${close} />`}
    ${act?.kind === 'cancel' && html`<${Cancel} order=${act.order} onDone=${done} onClose=${close} />`}
    ${route.rest.length === 2 && html`<${Compare} pair=${route.rest} onClose=${() => isAt(route) && go(urlOf('rules'))} />`}`;
}
