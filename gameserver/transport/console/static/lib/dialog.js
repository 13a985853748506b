// Dialogs, and the one in which every change is made: what it is, why, what it will do, and a confirmation that is typed.

import { ask, newCommandId } from './api.js';
import { number } from './format.js';
import { html, useEffect, useLayoutEffect, useRef, useState } from './html.js';

// A modal dialog; Escape and its button call `onClose`. The focus returns to where it was.
export function Dialog({ title, onClose, children, wide = false }) {
  const element = useRef(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    dialog.showModal();
    return () => {
      dialog.close(); // while it is open, nothing else can have the focus
      before?.focus?.();
    };
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${element} onCancel=${cancel} class=${wide ? 'wide' : ''} aria-labelledby="dialog-title">
    <header><h2 id="dialog-title">${title}</h2>
      <button type="button" class="plain" onClick=${onClose} aria-label="Close">✕</button></header>
    ${children}
  </dialog>`;
}

// What an error says, with the fields that it names. Of a change `repeats` says whether sending the same again changes
// nothing twice; a question leaves it out.
export function Fault({ error, repeats = null }) {
  if (!error) return null;
  const advice = repeats ? 'sending it again is safe.' : 'look at the audit log before you send it again.';
  const isUnsure = error.unknown && repeats !== null;
  return html`<div class="fault" role="alert">
    <p>${error.message}${error.retryAfter && !isUnsure ? ` Try again in ${number(error.retryAfter)} s.` : ''}${isUnsure ? ` It may have happened or not: ${advice}` : ''}</p>
    ${error.fields?.length > 0 && html`<ul>${error.fields.map((each) => html`<li><b>${each.field}</b>: ${each.problem}</li>`)}</ul>`}
    ${error.requestId && html`<p class="faint">Request ${error.requestId}</p>`}
  </div>`;
}

// One field of a form; `input` gives the control, which gets the id.
export function Field({ id, label, hint, children }) {
  return html`<div class="field">
    <label for=${id}>${label}</label>${children}
    ${hint && html`<p class="faint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}

// Filters that a phone shows when it is asked to; `given` is how many of them are set. Elsewhere they are always seen.
export function Folded({ given, children }) {
  const [open, setOpen] = useState(false);
  return html`<button type="button" class="unfold" aria-expanded=${open} onClick=${() => setOpen(!open)}>
      Filters${given > 0 && ` (${given})`} <span aria-hidden="true">${open ? '▴' : '▾'}</span></button>
    <div class=${open ? 'folded open' : 'folded'}>${children}</div>`;
}

// The dialog of a change.
//
// `request(values, preview)` gives {method, path, query, body} of the change, or, with `preview`, of its preview (null:
// there is none); `reason` goes into it where `reasonIn` says ('body' or 'query'). `fields(values, set)` draws what is to
// be filled in; `show(answer)` draws a preview's answer; `confirm`, if given, has to be typed, as text or from the
// preview's answer. `onDone(answer)` is called after it was made. `repeats` is false where the server takes no command id.
//
// Law: a change keeps its command id while its content stays the same, so sending it again after a lost answer is safe.
export function Change({ title, verb, request, fields, show, confirm, initial = {}, reasonIn = 'body', danger = false, repeats = true, onDone, onClose }) {
  const [values, setValues] = useState(initial);
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const [preview, setPreview] = useState(null);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const sent = useRef({ text: '', commandId: '' });
  const end = useRef(null);
  const set = (name, value) => {
    setValues((before) => ({ ...before, [name]: value }));
    setPreview(null);
    setError(null);
  };

  const send = async (isPreview) => {
    const given = request(values, isPreview);
    const why = isPreview && !reason ? 'preview' : reason;
    const body = reasonIn === 'body' ? { ...given.body, reason: why } : given.body;
    const query = reasonIn === 'query' ? { ...given.query, reason: why } : given.query;
    const text = JSON.stringify([given.method, given.path, query, body]);
    if (!isPreview && sent.current.text !== text) sent.current = { text, commandId: newCommandId() };
    const commandId = isPreview ? newCommandId() : sent.current.commandId;
    return ask(given.method, given.path, { query, body, commandId });
  };

  const attempt = async (work) => {
    setBusy(true);
    setError(null);
    try {
      await work();
    } catch (fault) {
      setError(fault);
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => {
    if (preview || error) end.current.scrollIntoView({ block: 'nearest' }); // what is new may be below what is seen
  }, [preview, error]);
  const hasPreview = request(values, true) !== null;
  const look = () => attempt(async () => setPreview(await send(true)));
  const wanted = typeof confirm === 'function' ? preview && confirm(preview) : confirm;
  const ready = reason.trim() && (!hasPreview || preview) && (!confirm || (wanted && typed.trim() === String(wanted)));
  const submit = (event) => {
    event.preventDefault();
    if (busy) return;
    if (hasPreview && !preview) look();
    else if (ready) attempt(async () => onDone(await send(false)));
  };

  return html`<${Dialog} title=${title} onClose=${onClose} wide=${hasPreview}>
    <form onSubmit=${submit}>
      ${fields?.(values, set)}
      <${Field} id="reason" label="Reason" hint="Other operators read it in the audit log.">
        <input id="reason" required maxlength="200" value=${reason} onInput=${(event) => setReason(event.target.value)}
          aria-describedby="reason-hint" autocomplete="off" />
      <//>
      ${preview && html`<section class="preview" aria-label="What will change" aria-live="polite">${show(preview)}</section>`}
      ${confirm && wanted !== null && (!hasPreview || preview) && html`<${Field} id="typed" label=${html`Type <b>${wanted}</b> to confirm`}>
        <input id="typed" value=${typed} onInput=${(event) => setTyped(event.target.value)} autocomplete="off" />
      <//>`}
      <${Fault} error=${error} repeats=${repeats} />
      <footer ref=${end}>
        <button type="button" onClick=${onClose}>Cancel</button>
        ${hasPreview && html`<button type=${preview ? 'button' : 'submit'} formnovalidate class=${preview ? '' : 'main'} disabled=${busy}
          onClick=${preview ? look : undefined}>
          ${preview ? 'Preview again' : 'Preview'}</button>`}
        ${(!hasPreview || preview) && html`<button type="submit" class=${danger ? 'danger' : 'main'}
          disabled=${busy || !ready}>${busy ? 'Working…' : verb}</button>`}
      </footer>
    </form>
  <//>`;
}

// A line that tells what was done, and goes away by itself.
export function Told({ text, onGone }) {
  useEffect(() => {
    const timer = text ? setTimeout(onGone, 8000) : 0;
    return () => clearTimeout(timer);
  }, [text]);
  return html`<div class="told" role="status" aria-live="polite">${text}</div>`;
}
