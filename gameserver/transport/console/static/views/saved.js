// Queries that operators saved for each other: chosen, saved and deleted above the list of players.

import { Change, Fault, Field, Told } from '../lib/dialog.js';
import { html, useState } from '../lib/html.js';
import { useRead } from '../lib/load.js';
import { go, urlOf } from '../lib/router.js';

const text = (query) => JSON.stringify(Object.entries(query).sort());
const pathOf = (name) => `/queries/${encodeURIComponent(name)}`;

// `query` is what the list shows, without what names a player; `mayChange` whether the operator may save and delete.
export function Saved({ query, mayChange }) {
  const [dialog, setDialog] = useState(null);
  const [told, setTold] = useState('');
  const [picked, setPicked] = useState('');
  const asked = useRead('/queries');
  const queries = asked.value?.queries ?? [];
  const fitting = queries.filter((each) => text(each.query) === text(query)).map((each) => each.name);
  const chosen = fitting.includes(picked) ? picked : fitting[0] ?? ''; // several may have the same filters
  const close = () => setDialog(null);
  const done = (said) => {
    setTold(said);
    asked.reload();
  };
  const save = () => {
    setDialog({ kind: 'save', name: chosen });
    asked.reload(); // what colleagues have saved meanwhile isn't replaced unseen
  };
  const saved = (answer) => {
    setPicked(answer.name);
    done(`Saved as ${answer.name}.`);
  };
  const rename = (name, set) => {
    set('name', name);
    set('replace', false); // it was said of another name
  };
  const holder = ({ name }) => [name.trim(), name.trim().normalize('NFC')].map((each) => queries.find((other) => other.name === each)).find(Boolean);
  const choose = (event) => {
    const found = queries.find((each) => each.name === event.target.value);
    setPicked(event.target.value);
    go(urlOf('players', [], found ? found.query : {}));
  };
  return html`<div class="bar saved"><${Field} id="saved" label="Saved query"><select id="saved" value=${chosen} onChange=${choose}>
      <option value="">none</option>${queries.map((each) => html`<option value=${each.name}>${each.name}</option>`)}</select><//>
    ${mayChange && html`<button type="button" onClick=${save}>Save query</button>
      ${chosen && html`<button type="button" onClick=${() => setDialog({ kind: 'delete', name: chosen })}>Delete query</button>`}`}</div>
    <${Fault} error=${asked.error} again=${asked.reload} />
    <${Told} text=${told} onGone=${() => setTold('')} />
    ${dialog?.kind === 'save' && html`<${Change} title="Save this query for all operators" verb="Save" initial=${{ name: dialog.name, replace: false }}
      request=${(values, preview) => (preview ? null : { method: 'POST', path: pathOf(values.name.trim()), body: { query, replace: Boolean(holder(values)) && values.replace } })}
      fields=${(values, set) => html`<${Field} id="query-name" label="Name"><input id="query-name" required maxlength="64"
        value=${values.name} onInput=${(event) => rename(event.target.value, set)} autocomplete="off" /><//>
        ${holder(values) && html`<p><label><input id="replace" type="checkbox" required checked=${values.replace}
          onChange=${(event) => set('replace', event.target.checked)} /> Replace the query of this name, which ${holder(values).admin} has saved</label></p>`}`}
      onFault=${asked.reload} onDone=${saved} onClose=${close} />`}
    ${dialog?.kind === 'delete' && html`<${Change} title=${`Delete the saved query ${dialog.name}`} verb="Delete" danger reasonIn="query"
      request=${(_, preview) => (preview ? null : { method: 'DELETE', path: pathOf(dialog.name) })}
      onDone=${() => done('Deleted.')} onClose=${close} />`}`;
}
