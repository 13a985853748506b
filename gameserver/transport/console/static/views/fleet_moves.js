// The slot map, moves of slots with their progress, and what orders them.

import { Age } from '../lib/age.js';
import { Change, Fault, Field } from '../lib/dialog.js';
import { counted, number, when } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { usePolled } from '../lib/load.js';

const COLORS = 8;

// One strip a group: each stretch of slots in the colour of its owner.
export function SlotMaps() {
  const asked = usePolled('/slots', {}, 3000);
  const groups = asked.value?.groups ?? [];
  const owners = [...new Set(groups.flatMap((group) => group.ranges.map((range) => range.database)))].sort();
  const color = (name) => `c${owners.indexOf(name) % COLORS}`;
  return html`<section><h2>Slot map</h2><${Fault} error=${asked.error} /><${Age} at=${asked.at} />
    ${groups.map((group) => {
      const owned = owners.map((name) => [name, group.ranges.filter((range) => range.database === name)
        .reduce((all, range) => all + range.last - range.first + 1, 0)]).filter(([, count]) => count);
      const words = owned.map(([name, count]) => `${name} ${count}`).join(', ');
      return html`<div key=${group.group} class="slot-map"><h3>${group.group} <span class="faint">${counted(group.slots, 'slot')}</span></h3>
        <svg viewBox=${`0 0 ${group.slots} 12`} preserveAspectRatio="none" role="img" aria-label=${`${group.group}: ${words}`}>
          ${group.ranges.map((range) => html`<rect key=${range.first} class=${color(range.database)} x=${range.first} y="0" height="12"
            width=${range.last - range.first + 1}><title>${range.first}–${range.last}: ${range.database}, epoch ${range.epoch}</title></rect>`)}
        </svg>
        <p class="legend">${owned.map(([name, count]) => html`<span key=${name}><i class=${color(name)} aria-hidden="true"></i> ${name} ${number(count)}</span>`)}</p>
      </div>`;
    })}</section>`;
}

export function Moves({ nodes, orders, onTold }) {
  const asked = usePolled('/moves', {}, 1500);
  const [cancelled, setCancelled] = useState(null);
  const copies = Object.fromEntries(nodes.flatMap((node) => (node.figures.moves ?? []).map((move) => [move.move, move])));
  const moves = asked.value?.moves ?? [];
  return html`<section><h2>Moves</h2><${Fault} error=${asked.error} /><${Age} at=${asked.at} />
    ${asked.value && !moves.length && html`<p class="faint">There were none in the last 30 days.</p>`}
    ${moves.length > 0 && html`<div class="scroll" role="region" aria-label="Moves" tabindex="0"><table><thead><tr><th scope="col" class="n">Move</th><th scope="col">Slots</th><th scope="col">From, to</th>
      <th scope="col">Step</th><th scope="col">Progress</th><th scope="col" class="n">Longest pause</th><th scope="col">By</th>
      <th scope="col"><span class="unseen">Actions</span></th></tr></thead>
      <tbody>${moves.map((move) => {
        const copy = copies[move.id];
        const label = `Progress of move ${move.id}`;
        return html`<tr key=${move.id} data-move=${move.id}>
          <th scope="row" class="n">${move.id}</th>
          <td title=${move.slots}>${move.group}: ${number(move.count)}</td>
          <td>${move.source} → ${move.target}</td>
          <td><span class=${`tag ${move.problem ? 'warn' : move.ended_at ? 'good' : ''}`}>${move.cancelled && !move.ended_at ? 'cancelling' : move.step}</span></td>
          <td>${move.ended_at
            ? html`${number(move.moved)} moved${move.kept ? `, ${number(move.kept)} stayed` : ''}, <time datetime=${move.ended_at}>${when(move.ended_at)}</time>`
            : html`<progress aria-label=${label} max=${move.count} value=${move.moved + move.kept}></progress>
              ${number(move.moved + move.kept)} of ${number(move.count)}${copy?.rows != null ? `, ${number(copy.rows)} of ${number(copy.of)} rows` : ''}`}
            ${move.problem && html`<br /><span class="faint">${move.problem}</span>`}</td>
          <td class="n">${move.pause_ms === null ? '–' : `${number(move.pause_ms)} ms`}</td>
          <td>${move.mover.split(',')[0] || 'nobody yet'}</td>
          <td>${orders && !move.ended_at && !move.cancelled && html`<button type="button" class="plain" onClick=${() => setCancelled(move)}>Cancel…</button>`}</td>
        </tr>`;
      })}</tbody></table></div>`}
    ${cancelled && html`<${Change} title=${`Cancel move ${cancelled.id}`} verb="Cancel the move" danger onClose=${() => setCancelled(null)}
      request=${(_, preview) => (preview ? null : { method: 'POST', path: `/moves/${cancelled.id}/cancel` })}
      fields=${() => html`<p>Slots that haven't moved yet stay on ${cancelled.source}; those that have moved stay on ${cancelled.target}.</p>`}
      onDone=${() => {
        onTold(`Move ${cancelled.id} is being cancelled.`);
        asked.reload();
      }} />`}
  </section>`;
}

const bound = { binding: ({ moves }) => moves, expecting: ({ plan }) => ({ expected_plan: plan }) };
const total = (plan) => plan.moves.reduce((all, move) => all + move.count, 0);
const ordered = ({ ids }) => (ids.length ? `Ordered: ${ids.map((id) => `move ${id}`).join(', ')}.` : 'No slot had to be moved.');

function Plan({ plan }) {
  if (!plan.moves.length) return html`<p>It has no slots to move.</p>`;
  return html`<p>${counted(total(plan), 'slot')} in ${plan.moves.length === 1 ? 'one move' : `${number(plan.moves.length)} moves`}:</p>
    <ul>${plan.moves.map((move) => html`<li key=${`${move.group} ${move.source} ${move.slots}`}>${move.group}: ${counted(move.count, 'slot')} from <b>${move.source}</b> to <b>${move.target}</b> <span class="faint">(${move.slots})</span></li>`)}</ul>`;
}


export function DrainDatabase({ database, onDone, onClose }) {
  const request = (_, preview) => ({ method: 'POST', path: `/databases/${encodeURIComponent(database)}/drain`, query: preview ? { preview: true } : {} });
  return html`<${Change} title=${`Drain ${database}`} verb="Drain" danger request=${request} onClose=${onClose}
    fields=${() => html`<p>All its slots move to the other databases while players play; it gets no new ones.</p>`}
    show=${(plan) => html`<${Plan} plan=${plan} />`} confirm=${total} ...${bound} onDone=${(answer) => onDone(ordered(answer))} />`;
}

export function KeepDatabase({ database, onDone, onClose }) {
  const request = (_, preview) => ({ method: 'DELETE', path: `/databases/${encodeURIComponent(database)}/drain`, query: preview ? { preview: true } : {} });
  const show = ({ members, moves }) => html`<ul>${members.map((each) => html`<li key=${each.group}>${each.group}: it owns ${counted(each.slots, 'slot')}</li>`)}</ul>
    ${moves.length > 0 && html`<p>${moves.map((id) => `Move ${id}`).join(', ')} ${moves.length === 1 ? 'takes' : 'take'} slots away from it and ${moves.length === 1 ? 'goes' : 'go'} on: cancel what should stay, under “Slots and moves”.</p>`}`;
  return html`<${Change} title=${`Take the drain of ${database} back`} verb="Take it back" reasonIn="query" request=${request} onClose=${onClose}
    fields=${() => html`<p>It may be given slots again, by a move or by “Rebalance…”; nothing is moved by this.</p>`}
    show=${show} onDone=${() => onDone(`${database} may be given slots again.`)} />`;
}

const connected = (node) => `${counted(node.players, 'player')} on ${counted(node.sockets, 'socket')}`;

export function DrainNode({ node, onDone, onClose }) {
  const request = (_, preview) => ({ method: 'POST', path: `/nodes/${encodeURIComponent(node)}/drain`, query: preview ? { preview: true } : {} });
  return html`<${Change} title=${`Drain ${node}`} verb="Drain" danger request=${request} onClose=${onClose}
    fields=${() => html`<p>It gets nothing new, and its sockets are told to reconnect elsewhere. It goes on running: it can take new
      work again at any time, and does when it is restarted.</p>`}
    show=${(found) => html`<p>${connected(found)} will be sent to other nodes.</p>`}
    onDone=${() => onDone(`${node} drains.`)} />`;
}

export function ResumeNode({ node, onDone, onClose }) {
  return html`<${Change} title=${`Let ${node} take new work`} verb="Take new work" reasonIn="query" onClose=${onClose}
    request=${(_, preview) => (preview ? null : { method: 'DELETE', path: `/nodes/${encodeURIComponent(node)}/drain` })}
    onDone=${() => onDone(`${node} takes new work.`)} />`;
}

export function MoveSlots({ members, balance, onDone, onClose }) {
  const groups = [...new Set(members.map((member) => member.group))];
  const of = (group) => members.filter((member) => member.group === group).map((member) => member.database);
  const initial = { group: groups.includes('players') ? 'players' : groups[0], slots: '', target: '' };
  const request = (values, preview) => ({
    method: 'POST',
    path: '/moves',
    query: preview ? { preview: true } : {},
    body: balance ? { group: values.group } : { group: values.group, slots: values.slots, target: values.target || of(values.group)[0] },
  });
  const fields = (values, set) => html`
    <${Field} id="group" label="Group"><select id="group" value=${values.group} onChange=${(event) => set('group', event.target.value)}>
      ${groups.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select><//>
    ${!balance && html`<${Field} id="slots" label="Slots" hint="Such as 0-15, 20.">
        <input id="slots" required value=${values.slots} aria-describedby="slots-hint" autocomplete="off" onInput=${(event) => set('slots', event.target.value)} /><//>
      <${Field} id="target" label="To"><select id="target" value=${values.target || of(values.group)[0]} onChange=${(event) => set('target', event.target.value)}>
        ${of(values.group).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select><//>`}`;
  return html`<${Change} title=${balance ? 'Rebalance' : 'Move slots'} verb=${balance ? 'Rebalance' : 'Move'} request=${request} initial=${initial}
    fields=${fields} show=${(plan) => html`<${Plan} plan=${plan} />`} confirm=${total} ...${bound}
    onDone=${(answer) => onDone(ordered(answer))} onClose=${onClose} />`;
}
