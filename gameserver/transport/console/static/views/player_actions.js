// What can be done to a player: one dialog for every change, each with a preview of values and ranks, before and after.

import { Commands } from '../lib/commands.js';
import { Change, Dialog, Fault, Field, Line, Moment, notMoment, Told } from '../lib/dialog.js';
import { Download } from '../lib/download.js';
import { languageOf, number, toServer, when } from '../lib/format.js';
import { html, useRef, useState } from '../lib/html.js';
import { dataOf, itemsOf, numberOf } from '../lib/typed.js';

const MENU = [
  ['correct', 'Correct…'],
  ['mail', 'Send mail…'],
  ['note', 'Note…'],
  ['ban', 'Ban…'],
  ['lift_ban', 'Lift the ban…'],
  ['rename', 'Rename…'],
  ['end_sessions', 'End sessions…'],
  ['delete', 'Delete…'],
  ['erase', 'Erase…'],
];
const OPERATORS = new Set(['delete', 'erase']);

export function PlayerActions({ id, page, admin, change, setChange, onDone, onErased }) {
  const [told, setTold] = useState('');
  const [fault, setFault] = useState(null); // of a download
  const banned = page.bans.some((ban) => !ban.ended_at);
  const offered = MENU.filter(([kind]) => {
    if (OPERATORS.has(kind)) return admin.role === 'operator';
    return kind !== 'lift_ban' || banned;
  });
  const close = () => setChange(null);
  const done = (text) => {
    setTold(text);
    onDone();
  };
  const made = change && change.kind !== 'note' ? changeOf(change, id, page) : null;
  return html`
    <div class="bar" role="group" aria-label="What can be done">
      ${offered.map(([kind, title]) => html`<button key=${kind} type="button" class=${OPERATORS.has(kind) ? 'grave' : ''}
        onClick=${() => setChange({ kind })}>${title}</button>`)}
      <${Download} path=${`/players/${id}/export`} onFault=${setFault}>Export<//>
    </div>
    <${Fault} error=${fault} />
    <${Told} text=${told} onGone=${() => setTold('')} />
    ${change?.kind === 'note' && html`<${NoteDialog} id=${id} onClose=${close} onDone=${() => done('The note is added.')} />`}
    ${made && html`<${Change} key=${change.kind} ...${made} show=${(answer) => html`<${Foreseen} answer=${answer} />`} onClose=${close}
      onDone=${(answer) => {
        if (change.kind === 'erase') onErased(answer);
        done(answer?.replayed ? 'It was done before under this command id.' : made.told);
      }} />`}
  `;
}

// Erases a player that isn't there any more, or once more.
export function EraseAgain({ id, admin, onErased }) {
  const [open, setOpen] = useState(false);
  if (admin.role !== 'operator') return null;
  const done = (receipt) => {
    setOpen(false);
    onErased(receipt);
  };
  return html`
    <div class="bar"><button type="button" class="grave" onClick=${() => setOpen(true)}>Erase…</button></div>
    ${open && html`<${Change} ...${changeOf({ kind: 'erase' }, id, { player: { name: `the player ${id}` } })}
      show=${(answer) => html`<${Foreseen} answer=${answer} />`} onClose=${() => setOpen(false)} onDone=${done} />`}
  `;
}

// What the dialog of a change needs: its texts, its fields, and the request that its values make.
function changeOf(change, id, page) {
  const path = `/players/${id}`;
  const post = (what, bodyOf = () => ({})) => (values, preview) => ({
    method: 'POST', path: path + what, query: preview ? { preview: true } : {}, body: bodyOf(values),
  });
  const remove = (what) => (values, preview) => ({
    method: 'DELETE', path: path + what, query: preview ? { preview: true } : {},
  });
  const { name } = page.player;
  switch (change.kind) {
    case 'correct':
      return {
        title: `Correct ${name}`, verb: 'Correct', told: 'The player is corrected.', initial: { hp: '', exp: '', class: '', items: '', data: '' },
        request: post('/corrections', (values) => ({
          hp: numberOf(values.hp).value, exp: numberOf(values.exp).value, ...(values.class ? { class: values.class } : {}),
          items: itemsOf(values.items).items, ...(values.data.trim() ? { data: dataOf(values.data).data } : {}),
        })),
        check: ({ exp, hp, items, data }) => ({
          exp: numberOf(exp).problem, hp: numberOf(hp).problem, items: itemsOf(items).problem, data: dataOf(data).problem,
        }),
        binding,
        fields: (values, set, problems) => html`
          ${input('exp', 'EXP', `It has ${number(page.player.exp)}. Empty: as it is.`, values, set, { inputmode: 'numeric', problem: problems.exp })}
          ${input('hp', 'HP', `It has ${number(page.player.hp)} of ${number(page.player.max_hp)}.`, values, set, { inputmode: 'numeric', problem: problems.hp })}
          ${input('class', 'Class', `It is a ${page.player.class}.`, values, set)}
          ${input('items', 'Items', 'Given, or taken where negative: potion 3, herb -2', values, set, { problem: problems.items })}
          ${lines('data', 'What the rules remember', 'Each in a line of its own: wins = 3, seen = true, title = "hero". Nothing behind = removes it.', values, set, problems.data)}`,
      };
    case 'undo':
      return {
        title: `Undo ${change.entry.action}, version ${change.entry.version}`, verb: 'Undo', told: 'It is undone.',
        binding,
        request: post('/undo', () => ({ command_id: change.entry.command_id })),
      };
    case 'roll_back':
      return {
        title: `Roll ${name} back to version ${number(change.version)}`, verb: 'Roll back', told: 'The player is rolled back.', danger: true,
        binding,
        request: post('/rollback', () => ({ to_version: change.version })),
      };
    case 'ban':
      return {
        title: `Ban ${name}`, verb: 'Ban', told: 'The player is banned.', danger: true, initial: { until: '', said: '' },
        request: post('/ban', (values) => ({
          ...(values.until ? { until: toServer(values.until) } : {}), ...(values.said ? { said: values.said } : {}),
        })),
        check: ({ until }) => ({ until: notMoment(until) }),
        fields: (values, set) => html`
          <${Moment} id="until" label="Until" hint="It ends by itself then. Empty: it has no end." given=${values.until} value=${values.until}
            onInput=${(event) => set('until', event.target.value)} />
          ${input('said', 'What the player is told', 'Shown at its next sign-in.', values, set, { maxlength: 200 })}`,
      };
    case 'lift_ban':
      return { title: `Lift the ban of ${name}`, verb: 'Lift', told: 'The ban is lifted.', reasonIn: 'query', request: remove('/ban') };
    case 'rename':
      return {
        title: `Rename ${name}`, verb: 'Rename', told: 'The player is renamed.', initial: { name: '' },
        request: post('/name', (values) => ({ name: values.name })),
        fields: (values, set) => input('name', 'New name', 'By the rules that players have, too.', values, set, { required: true }),
      };
    case 'mail':
      return {
        title: `Send mail to ${name}`, verb: 'Send', told: 'The letter has arrived.', initial: { text: '', items: '' },
        request: post('/mail', (values) => ({ text: values.text, items: itemsOf(values.items).items })),
        check: ({ items }) => ({ items: itemsOf(items).problem }),
        fields: (values, set, problems) => html`
          <${Field} id="text" label="Text" hint="The player reads this in its inbox.">
            <textarea id="text" required maxlength="1000" rows="4" aria-describedby="text-hint" value=${values.text}
              onInput=${(event) => set('text', event.target.value)}></textarea>
          <//>
          ${input('items', 'Items', 'What comes with it: potion 3, herb 1', values, set, { problem: problems.items })}`,
      };
    case 'end_sessions':
      return { title: `End all sessions of ${name}`, verb: 'End', told: 'All sessions have ended.', reasonIn: 'query', request: remove('/sessions') };
    case 'end_session':
      return {
        title: `End a session of ${name}`, verb: 'End', told: 'The session has ended.', reasonIn: 'query',
        fields: () => html`<p>${[change.session.label, change.session.address].filter(Boolean).join(', ')}, opened ${when(change.session.opened_at)}</p>`,
        request: remove(`/sessions/${change.session.id}`),
      };
    case 'end_device':
      return {
        title: `Take the device ${change.device.label || change.device.id} from ${name}`, verb: 'Take away', danger: true,
        told: 'The device is taken away, and all sessions have ended.', reasonIn: 'query',
        request: remove(`/devices/${change.device.id}`),
      };
    case 'delete':
      return {
        title: `Delete ${name}`, verb: 'Delete', told: 'The player is deleted.', danger: true, confirm: id, reasonIn: 'query',
        request: remove(''),
      };
    default:
      return {
        title: `Erase ${name}`, verb: 'Erase', told: 'The player is erased.', danger: true, confirm: id, request: post('/erasure'),
      };
  }
}

function input(name, label, hint, values, set, more = {}) {
  return html`<${Line} id=${name} label=${label} hint=${hint} value=${values[name]} onInput=${(event) => set(name, event.target.value)} ...${more} />`;
}

function lines(name, label, hint, values, set, problem) {
  return html`<${Field} id=${name} label=${label} hint=${hint} problem=${problem}>
    <textarea id=${name} rows="2" autocomplete="off" spellcheck=${false} aria-invalid=${problem ? 'true' : undefined}
      aria-describedby=${problem ? `${name}-problem ${name}-hint` : `${name}-hint`} value=${values[name]}
      onInput=${(event) => set(name, event.target.value)}></textarea>
  <//>`;
}

// What a correction would do to the player itself; ranks follow others, too.
const binding = ({ changes, items, scores, left }) => [changes, items, scores, left];

// A preview's answer: values, items, scores and ranks, before and after, and what stays.
function Foreseen({ answer }) {
  const items = Object.entries(answer.items ?? {}).filter(([item]) => !answer.changes[`items.${item}`]);
  const rows = [
    ...Object.entries(answer.changes).map(([name, change]) => [name.replace('.', ': '), change]),
    ...items.map(([item, count]) => [`items: ${item}`, { before: null, after: count > 0 ? `+${count}` : String(count) }]),
    ...(answer.scores ?? []).map((score) => [`score on ${score.board}`, score]),
    ...answer.ranks.map((rank) => [`rank on ${rank.board}`, rank]),
  ].filter(([, change]) => change.before !== change.after);
  const left = Array.isArray(answer.left) ? answer.left : [];
  return html`
    ${answer.to_version && html`<p>The player becomes what it was with version ${number(answer.to_version)}.</p>`}
    <div class="scroll sheet" role="region" aria-label="Values before and after" tabindex="0"><table>
      <caption>${rows.length ? 'What will change' : 'Nothing will change.'}</caption>
      ${rows.length > 0 && html`<thead><tr><th scope="col">What</th><th scope="col">Now</th><th scope="col">Then</th></tr></thead>`}
      <tbody>${rows.map(([name, change]) => html`<tr key=${name}><th scope="row">${name}</th>
        <td>${valueOf(change.before)}</td><td><strong>${valueOf(change.after)}</strong></td></tr>`)}</tbody>
    </table></div>
    ${left.length > 0 && html`<h3>What stays, or can't be undone</h3><ul>${left.map((text) => html`<li key=${text}>${text}</li>`)}</ul>`}
  `;
}

function valueOf(value) {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number') return number(value);
  if (typeof value === 'boolean') return String(value);
  const text = /^\d{4}-\d\d-\d\dT/.test(value) ? when(value) : value;
  return html`<span lang=${languageOf(text)} dir="auto">${text}</span>`;
}

// A note needs no reason and has no preview: it is one itself.
function NoteDialog({ id, onClose, onDone }) {
  const [text, setText] = useState('');
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const commands = useRef(null);
  commands.current ??= new Commands();
  const form = useRef(null);
  const add = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await commands.current.send({ method: 'POST', path: `/players/${id}/notes`, body: { text } });
      if (form.current) onClose();
      onDone();
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  return html`<${Dialog} title="Note something for colleagues" onClose=${onClose}>
    <form ref=${form} onSubmit=${add}>
      <${Field} id="text" label="Note" hint="The player never sees it.">
        <textarea id="text" required maxlength="2000" rows="5" value=${text} aria-describedby="text-hint"
          onInput=${(event) => setText(event.target.value)}></textarea>
      <//>
      <${Fault} error=${error} sent />
      <footer>
        <button type="button" onClick=${onClose}>Cancel</button>
        <button type="submit" class="main" disabled=${busy || !text.trim()}>Add</button>
      </footer>
    </form>
  <//>`;
}
