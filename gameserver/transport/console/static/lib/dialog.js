// Dialogs, and the one in which every change is made: what it is, why, what it will do, and a confirmation that is typed.

import { ask, newCommandId } from './api.js';
import { Commands } from './commands.js';
import { focusNear, partsAround } from './focus.js';
import { isMoment, number, zoneAt } from './format.js';
import { html, useEffect, useLayoutEffect, useRef, useState } from './html.js';
import { stayBy } from './router.js';

const ATTEMPTS = 5; // at a change of a player that acts meanwhile
const HAS_SECONDS = /:\d\d:\d\d/;
const LATEST = '9999-12-31T23:59'; // without it, fields take years of six digits

// The reference of a <dialog> that is modal while it is drawn. The focus returns to where it was, or near.
export function useModal() {
  const element = useRef(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    const parts = partsAround(before);
    const dialog = element.current;
    dialog.showModal();
    return () => {
      dialog.close(); // while it is open, nothing else can have the focus
      focusNear(before, parts);
    };
  }, []);
  return element;
}

// Makes the entries of a dialog that stays again, after Back has led to the one with `state`: the marked one of its address,
// and its own after that.
function remain(href, mark, state) {
  if (state?.mark !== mark) history.pushState({ mark }, '', href);
  history.pushState(null, '', href);
}

// Where a dialog begins: at what says so by itself, at its first field, or at its title, but not at the button that closes it.
const beginning = (dialog) => dialog.querySelector('[autofocus]') ?? dialog.querySelector('form :is(input, select, textarea)')
  ?? dialog.querySelector('h2');

// A modal dialog; Escape, its button and leaving the address at which it is open, as by Back, call `onClose`. One that `stays`,
// for what is shown once, is left only by the first two: it has an entry of its own in the history, which Back leads out of.
export function Dialog({ title, onClose, children, wide = false, stays = false }) {
  const element = useModal();
  const close = useRef(onClose);
  close.current = onClose;
  useLayoutEffect(() => {
    beginning(element.current).focus();
    const mark = newCommandId();
    const { href } = location;
    if (stays) {
      history.replaceState({ mark }, '', href);
      remain(href, mark, { mark });
    }
    const leave = stayBy(stays ? (state) => remain(href, mark, state) : () => close.current());
    return () => {
      leave();
      if (stays) history.back();
    };
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${element} onCancel=${cancel} class=${wide ? 'wide' : ''} aria-labelledby="dialog-title">
    <header><h2 id="dialog-title" tabindex="-1">${title}</h2>
      <button type="button" class="plain" onClick=${onClose} aria-label="Close">✕</button></header>
    ${children}
  </dialog>`;
}

// What an error says, with the fields that it names; `sent` of a change, which every door of the server makes only once;
// `again` asks a question again that nothing else asks by itself.
export function Fault({ error, sent = false, again }) {
  if (!error) return null;
  const isUnsure = error.unknown && sent;
  return html`<div class="fault" role="alert">
    <p>${error.message}${error.retryAfter && !isUnsure ? ` Try again in ${number(error.retryAfter)} s.` : ''}${isUnsure ? ' It may have happened or not: sending it again is safe.' : ''}</p>
    ${error.fields?.length > 0 && html`<ul>${error.fields.map((each) => html`<li>${each.field && html`<b>${each.field}</b>: `}${each.problem}</li>`)}</ul>`}
    ${error.requestId && html`<p class="faint">Request ${error.requestId}</p>`}
    ${again && html`<p><button type="button" onClick=${again}>Try again</button></p>`}
  </div>`;
}

// One field of a form: its control has the id, `aria-describedby` as `describing` says, and `aria-invalid` with a problem.
export function Field({ id, label, hint, problem, children }) {
  return html`<div class="field">
    <label for=${id}>${label}</label>${children}
    ${problem && html`<p class="problem" role="alert" id=${`${id}-problem`}>${problem}</p>`}
    ${hint && html`<p class="faint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}

const describing = (id, hint, problem) => [problem && `${id}-problem`, hint && `${id}-hint`].filter(Boolean).join(' ') || undefined;

// A field of one line; `problem` is what is wrong with what is in it, and `rest` are attributes of the control.
export function Line({ id, label, hint, problem, ...rest }) {
  return html`<${Field} id=${id} label=${label} hint=${hint} problem=${problem}>
    <input id=${id} autocomplete="off" aria-describedby=${describing(id, hint, problem)} aria-invalid=${problem ? 'true' : undefined} ...${rest} />
  <//>`;
}

// A field for a moment; `given` is what the address or the field has for it, which may be none. It has seconds where
// `step` or its value does, and its hint names the clock by which it is read.
export function Moment({ given, value, hint, ...rest }) {
  const step = HAS_SECONDS.test(value) ? '1' : undefined;
  return html`<${Line} type="datetime-local" max=${LATEST} problem=${notMoment(given)} value=${value} step=${step}
    hint=${[hint, zoneAt(value, given)].filter(Boolean).join(' ')} ...${rest} />`;
}

// What is wrong with a text that should be a moment; undefined if nothing is.
export const notMoment = (text) => (text && !isMoment(text) ? `“${text}” isn't a moment.` : undefined);

const versionOf = ({ version }) => ({ expected_version: version });

// The dialog of a change.
//
// `request(values, preview)` gives {method, path, query, body} of the change, or, with `preview`, of its preview (null:
// there is none); `reason` goes into it where `reasonIn` says ('body' or 'query'). `fields(values, set, problems)` draws
// what is to be filled in; `check(values)` gives problems by field, and while there is one nothing is sent. `show(answer)`
// draws a preview's answer; `confirm`, if given, has to be typed, as text or from the preview's answer. `binding(answer)`,
// if given, is what of a preview has to be so still when the change is made: it is made of what was compared with the preview,
// which `expecting(answer)` names in the body (the player's version, if not given), or not at all. After it was made, `onClose()` is called if the dialog is still there, and
// `onDone(answer)` in any case: who closes it while it is sent is told how it ended; `onFault(error)` if it was refused.
export function Change({ title, verb, request, fields, check = () => ({}), show, confirm, binding, expecting = versionOf, initial = {}, reasonIn = 'body', danger = false, onDone, onFault, onClose }) {
  const [values, setValues] = useState(initial);
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const [preview, setPreview] = useState(null);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const [hasPreview] = useState(() => request(initial, true) !== null);
  const [tried, setTried] = useState(false);
  const commands = useRef(null);
  commands.current ??= new Commands();
  const sent = useRef(null); // the change as it was sent last, with the version that it expects
  const end = useRef(null);
  const present = useRef(values);
  present.current = values;
  const set = (name, value) => {
    setValues((before) => ({ ...before, [name]: value }));
    setPreview(null);
    setError(null);
  };

  const written = (isPreview) => {
    const { method, path, query, body } = request(values, isPreview);
    const why = { reason: isPreview && !reason ? 'preview' : reason };
    return { method, path, query: reasonIn === 'query' ? { ...query, ...why } : query, body: reasonIn === 'body' ? { ...body, ...why } : body };
  };
  const foresee = () => {
    const { method, path, query, body } = written(true);
    return ask(method, path, { query, body, commandId: newCommandId() });
  };
  const see = (answer) => present.current === values && setPreview(answer); // not of what was there before it was changed
  const bound = async (command) => {
    const now = await foresee();
    if (JSON.stringify(binding(now)) !== JSON.stringify(binding(preview))) {
      see(now);
      throw new Error('Meanwhile it would do something else than the preview said. The preview is a new one now: look at it again.');
    }
    return { ...command, body: { ...command.body, ...expecting(now) } };
  };
  const make = async () => {
    const command = written(false);
    const text = JSON.stringify(command);
    for (let attempts = 1; ; attempts += 1) {
      const isUnsure = sent.current?.text === text && commands.current.isOpen(sent.current.command);
      if (!isUnsure) sent.current = { text, command: binding ? await bound(command) : command };
      try {
        const answer = await commands.current.send(sent.current.command);
        if (end.current) onClose();
        return onDone(answer);
      } catch (fault) {
        if (!binding || isUnsure || fault.code !== 'player_changed' || attempts === ATTEMPTS) throw fault;
      }
    }
  };

  const attempt = async (work) => {
    setBusy(true);
    setError(null);
    try {
      await work();
    } catch (fault) {
      setError(fault);
      onFault?.(fault);
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => {
    if (preview || error) end.current.scrollIntoView({ block: 'nearest' }); // what is new may be below what is seen
  }, [preview, error]);
  const look = () => attempt(async () => see(await foresee()));
  const wanted = typeof confirm === 'function' ? (preview ? confirm(preview) : null) : confirm ?? null;
  const isConfirmed = confirm === undefined || (wanted !== null && typed.trim() === String(wanted));
  const ready = reason.trim() && (!hasPreview || preview) && isConfirmed;
  const submit = (event) => {
    event.preventDefault();
    if (busy) return;
    const controls = [...event.currentTarget.elements];
    const isFaulty = (name) => Boolean(check(values)[name]);
    const faulty = controls.find(({ id, validity }) => validity?.badInput || (id && isFaulty(id)));
    setTried(true);
    if (faulty) {
      faulty.focus();
      if (!isFaulty(faulty.id)) faulty.reportValidity(); // the browser alone knows what is wrong
    } else if (hasPreview && !preview) look();
    else if (ready) attempt(make);
  };

  return html`<${Dialog} title=${title} onClose=${onClose} wide=${hasPreview}>
    <form onSubmit=${submit}>
      ${fields?.(values, set, tried ? check(values) : {})}
      <${Field} id="reason" label="Reason" hint="Other operators read it in the audit log.">
        <input id="reason" required maxlength="200" value=${reason} onInput=${(event) => setReason(event.target.value)}
          aria-describedby="reason-hint" autocomplete="off" />
      <//>
      ${preview && html`<section class="preview" aria-label="What will change" aria-live="polite">${show(preview)}</section>`}
      ${wanted !== null && (!hasPreview || preview) && html`<${Field} id="typed" label=${html`Type <b>${wanted}</b> to confirm`}>
        <input id="typed" value=${typed} onInput=${(event) => setTyped(event.target.value)} autocomplete="off" />
      <//>`}
      <${Fault} error=${error} sent />
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
