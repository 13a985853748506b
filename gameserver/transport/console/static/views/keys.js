// Operators' keys: who has one, making, rotating and revoking them.
//
// Law: a new key's secret is in this page's memory alone, while its dialog is open.

import { Change, Dialog, Fault, Field, Told } from '../lib/dialog.js';
import { ago, when } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { useRead } from '../lib/load.js';
import { ROLES } from './index.js';

const TAGS = { holds: 'good', expired: 'warn', rotated_out: 'warn', revoked: 'bad' };
const DAY = 86400;
const moment = (text) => (text ? html`<time datetime=${text} title=${when(text)}>${ago(text)}</time>` : '—');
// Whether it opens nothing any more, and no change of it is left.
const isOver = (entry) =>
  entry.state === 'revoked' || (entry.state === 'rotated_out' && new Date(entry.expires_at) < Date.now());
const mayChange = (entry) => entry.id && (entry.state === 'holds' || entry.state === 'expired');
// A rotated key is followed in its row, which may have the focus, by the one that is in its place.
const keyOf = (entry) => (mayChange(entry) ? `current ${entry.name}` : entry.id || entry.name);
const none = (work) => (values, preview) => (preview ? null : work(values));

function Create({ onDone, onClose }) {
  const fields = (values, set) => html`
    <${Field} id="name" label="Name" hint="Who has it, as the audit log shows it: letters, digits and . _ @ -, a letter or a digit first">
      <input id="name" required maxlength="64" pattern="[A-Za-z0-9][A-Za-z0-9._@\\-]*" autocomplete="off" spellcheck="false" value=${values.name}
        aria-describedby="name-hint" onInput=${(event) => set('name', event.target.value)} /><//>
    <${Field} id="role" label="Role"><select id="role" value=${values.role} onChange=${(event) => set('role', event.target.value)}>
      ${ROLES.map((role) => html`<option key=${role} value=${role}>${role}</option>`)}</select><//>
    <${Field} id="days" label="Days" hint="How long it holds; empty: for ever.">
      <input id="days" type="number" min="1" max="3650" value=${values.days} aria-describedby="days-hint"
        onInput=${(event) => set('days', event.target.value)} /><//>`;
  const request = none(({ name, role, days }) => ({ method: 'POST', path: '/keys', body: { name: name.trim(), role, ...(days ? { days: Number(days) } : {}) } }));
  return html`<${Change} title="Make a key" verb="Make it" initial=${{ name: '', role: 'viewer', days: '' }} fields=${fields}
    request=${request} onDone=${onDone} onClose=${onClose} />`;
}

function Rotate({ name, own, onDone, onClose }) {
  const fields = (values, set) => html`<p>The new key has the same role and is shown once.
      ${own && html` <b>This is your own key: this session ends with the old one.</b>`}</p>
    <${Field} id="grace" label="Seconds for which the old key goes on" hint="0 ends it at once.">
      <input id="grace" type="number" min="0" max=${30 * DAY} required value=${values.grace} aria-describedby="grace-hint"
        onInput=${(event) => set('grace', event.target.value)} /><//>`;
  const request = none(({ grace }) => ({ method: 'POST', path: `/keys/${encodeURIComponent(name)}/rotate`, body: { grace: Number(grace) } }));
  return html`<${Change} title=${`Rotate the key of ${name}`} verb="Rotate" initial=${{ grace: String(DAY) }} fields=${fields}
    request=${request} onDone=${onDone} onClose=${onClose} />`;
}

function Revoke({ name, own, onDone, onClose }) {
  const request = none(() => ({ method: 'POST', path: `/keys/${encodeURIComponent(name)}/revoke`, body: {} }));
  const fields = () => html`
    ${own && html`<p class="fault">This is your own key: you are signed out, and another operator has to make you a new one.</p>`}
    <p>All keys of ${name} end within two seconds, and their sessions with them.</p>`;
  return html`<${Change} title=${`Revoke the keys of ${name}`} verb="Revoke" danger confirm=${name} request=${request}
    fields=${fields} onDone=${onDone} onClose=${onClose} />`;
}

function Once({ made, onClose }) {
  const [said, setSaid] = useState('');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(made.key);
      setSaid('Copied.');
    } catch {
      setSaid('This browser can\'t: copy it by hand.');
    }
  };
  return html`<${Dialog} title=${`The key of ${made.name} (${made.role})`} onClose=${onClose} wide stays>
    <p>It is shown this once. If it gets lost, rotate it.</p>
    <${Field} id="secret" label="Key"><input id="secret" class="mono" readonly value=${made.key} autocomplete="off"
      onFocus=${(event) => event.target.select()} /><//>
    <div class="bar"><button type="button" class="main" autofocus onClick=${copy}>Copy</button>
      <button type="button" onClick=${onClose}>I have it</button><span role="status">${said}</span></div>
  <//>`;
}

function Row({ entry, setAct }) {
  return html`<tr><th scope="row" class="wrap">${entry.name}</th><td>${entry.role}${entry.one_time_passwords && html` <span class="tag" title="It opens only sessions of the console, together with a one-time password.">one-time password</span>`}</td>
    <td><span class=${`tag ${TAGS[entry.state]}`}>${entry.state.replace('_', ' ')}</span></td>
    <td>${moment(entry.made_at)}</td><td>${entry.made_by}</td><td>${moment(entry.signed_in_at)}</td>
    <td>${entry.expires_at ? moment(entry.expires_at) : 'never'}</td>
    <td>${mayChange(entry) && ['Rotate', 'Revoke'].map((verb) => html`<button key=${verb} type="button" aria-label=${`${verb} ${entry.name}`}
      class="plain" onClick=${() => setAct({ verb, name: entry.name })}>${verb}…</button> `)}</td></tr>`;
}

export default function Keys({ admin }) {
  const asked = useRead('/keys');
  const [act, setAct] = useState(null);
  const [said, setSaid] = useState('');
  const [all, setAll] = useState(false);
  const close = () => setAct(null);
  const shown = (made) => setAct({ verb: 'show', made }); // and asks nothing: the session may have ended with the old key
  const noted = () => {
    close();
    asked.reload();
  };
  const revoked = () => {
    setSaid(`The keys of ${act.name} are revoked.`);
    asked.reload();
  };
  const keys = asked.value?.keys ?? [];
  const over = keys.filter(isOver).length;
  return html`
    <div class="bar"><h1>Keys</h1><button type="button" class="main" onClick=${() => setAct({ verb: 'Create' })}>Make a key</button></div>
    <${Told} text=${said} onGone=${() => setSaid('')} />
    <${Fault} error=${asked.error} again=${asked.reload} />
    ${over > 0 && html`<p><label><input type="checkbox" checked=${all} onChange=${(event) => setAll(event.target.checked)} />
      ${' '}Show those that have ended (${over})</label></p>`}
    ${asked.value && html`<div class="table" role="region" aria-label="Operators' keys" tabindex="0"><table>
      <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">State</th><th scope="col">Made</th>
        <th scope="col">By</th><th scope="col">Last sign-in</th><th scope="col">Ends</th><th scope="col">Change</th></tr></thead>
      <tbody>${keys.filter((entry) => all || !isOver(entry)).map((entry) => html`<${Row} key=${keyOf(entry)} entry=${entry} setAct=${setAct} />`)}</tbody>
    </table></div>`}
    ${act?.verb === 'Create' && html`<${Create} onDone=${shown} onClose=${close} />`}
    ${act?.verb === 'Rotate' && html`<${Rotate} name=${act.name} own=${act.name === admin.name} onDone=${shown} onClose=${close} />`}
    ${act?.verb === 'Revoke' && html`<${Revoke} name=${act.name} own=${act.name === admin.name} onDone=${revoked} onClose=${close} />`}
    ${act?.verb === 'show' && html`<${Once} made=${act.made} onClose=${noted} />`}`;
}
