// Notices to players: sending one, and those that were sent, as the audit log has them.

import { Change, Dialog, Field, Told } from '../lib/dialog.js';
import { ago, languageOf, number, when } from '../lib/format.js';
import { html, useState } from '../lib/html.js';
import { usePages } from '../lib/load.js';
import { Link, urlOf } from '../lib/router.js';
import { Table } from '../lib/table.js';

const LONGEST = 1000;
const ALL = 'everyone';
const NOT_KEPT = "Its text isn't kept, since it may name the player.";

const COLUMNS = [
  { key: 'at', title: 'When', cell: (entry) => html`<time datetime=${entry.at} title=${when(entry.at)}>${ago(entry.at)}</time>` },
  { key: 'to', title: 'To', cell: (entry) => (entry.target === ALL ? ALL : html`<${Link} to=${urlOf('player', [entry.target])}>${entry.target}<//>`) },
  { key: 'text', title: 'Text', cell: ({ details: { text } }) => (text ? html`<span lang=${languageOf(text)} title=${text}>${text}</span>` : html`<span class="faint">${NOT_KEPT}</span>`) },
  { key: 'ended', title: 'Ended', cell: (entry) => html`<span class=${`tag ${entry.ended === 'done' ? 'good' : 'bad'}`}>${entry.ended ?? 'unknown'}</span>` },
  { key: 'admin', title: 'Key', cell: (entry) => entry.admin },
  { key: 'reason', title: 'Reason', cell: (entry) => entry.reason },
];

// The whole of a notice: a row shows its first words.
function Entry({ entry, onClose }) {
  const { text } = entry.details;
  return html`<${Dialog} title=${`Notice to ${entry.target}`} onClose=${onClose}>
    <p>${entry.admin}, <time datetime=${entry.at}>${when(entry.at)}</time>: ${entry.ended ?? 'its end is not known'}</p>
    ${text ? html`<p class="note" lang=${languageOf(text)} dir="auto">${text}</p>` : html`<p class="faint">${NOT_KEPT}</p>`}
    <p><b>Reason</b> <span lang=${languageOf(entry.reason)} dir="auto">${entry.reason}</span></p>
    ${entry.command_id && html`<p class="faint">Command <span class="mono">${entry.command_id}</span></p>`}
  <//>`;
}

function Send({ onDone, onClose }) {
  const [toAll, setToAll] = useState(true);
  const address = (set) => (event) => {
    set('player', event.target.value);
    setToAll(!event.target.value.trim());
  };
  const fields = (values, set) => html`
    <${Field} id="notice" label="Text" hint=${`${number(values.text.length)} of ${number(LONGEST)} characters. Players read it as it is.`}>
      <textarea id="notice" rows="4" required maxlength=${LONGEST} value=${values.text} lang=${languageOf(values.text)}
        aria-describedby="notice-hint" onInput=${(event) => set('text', event.target.value)}></textarea><//>
    <${Field} id="to" label="To one player" hint="Its id; empty: to all players.">
      <input id="to" inputmode="numeric" pattern="[0-9]{1,19}" value=${values.player} autocomplete="off"
        aria-describedby="to-hint" onInput=${address(set)} /><//>`;
  const request = ({ text, player }, preview) =>
    preview ? null : { method: 'POST', path: '/notices', body: { text: text.trim(), ...(player.trim() ? { player: player.trim() } : {}) } };
  return html`<${Change} title="Send a notice" verb="Send" initial=${{ text: '', player: '' }} fields=${fields} request=${request}
    confirm=${toAll ? ALL : undefined} onDone=${onDone} onClose=${onClose} />`;
}

export default function Notices() {
  const [sending, setSending] = useState(false);
  const [told, setTold] = useState('');
  const [open, setOpen] = useState(null);
  const pages = usePages('/audit', { action: 'notice', limit: 100 });
  const done = () => {
    setTold('The notice was sent.');
    pages.reload();
  };
  return html`
    <div class="bar"><h1>Notices</h1>
      <button type="button" class="main" onClick=${() => setSending(true)}>Send a notice</button>
      <button type="button" onClick=${pages.reload}>Refresh</button>
    </div>
    <${Table} label="Notices" columns=${COLUMNS} pages=${pages} rowKey=${(entry) => entry.id} onOpen=${setOpen}
      empty="No notice was sent yet." />
    <${Told} text=${told} onGone=${() => setTold('')} />
    ${open && html`<${Entry} entry=${open} onClose=${() => setOpen(null)} />`}
    ${sending && html`<${Send} onDone=${done} onClose=${() => setSending(false)} />`}`;
}
