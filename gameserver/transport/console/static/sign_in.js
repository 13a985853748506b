// Signing in: on a page of its own, and over what an operator has been doing whose session has ended.
//
// Law: who signs in again finds everything as it was, with what was typed and under the same command ids; and nobody sees
// it before.

import { ask } from './lib/api.js';
import { Fault, Field, useModal } from './lib/dialog.js';
import { html, useState } from './lib/html.js';

const { name: deployment } = document.documentElement.dataset;

// `why` says what led here, and `children` what else than signing in there is to do.
export function SignIn({ why, onDone, children }) {
  const [key, setKey] = useState('');
  const [code, setCode] = useState('');
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const digits = code.replace(/\s/g, ''); // apps show them with a space in the middle
    setBusy(true);
    setError(null);
    try {
      onDone(await ask('POST', '/session', { key: key.trim(), body: digits ? { code: digits } : {} }));
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  return html`<main class="sign-in">
    <h1>${deployment}</h1>
    ${why && html`<p role="status">${why}</p>`}
    ${children}
    <form onSubmit=${submit}>
      <input class="unseen" name="username" autocomplete="username" value=${deployment} readonly tabindex="-1" aria-hidden="true" />
      <${Field} id="key" label="Admin key" hint="As gameserver keys create has printed it.">
        <input id="key" type="password" required autocomplete="current-password" value=${key} autofocus
          onInput=${(event) => setKey(event.target.value)} aria-describedby="key-hint" />
      <//>
      <${Field} id="code" label="One-time password" hint="Only if the key was made with one.">
        <input id="code" inputmode="numeric" autocomplete="one-time-code" maxlength="16" value=${code}
          onInput=${(event) => setCode(event.target.value)} aria-describedby="code-hint" />
      <//>
      <${Fault} error=${error} />
      <footer><button type="submit" class="main" disabled=${busy || !key.trim()}>Sign in</button></footer>
    </form>
  </main>`;
}

// The same over a console that stays drawn, which style.css hides. `isOther`: the browser has another operator's session.
export function SignInAgain({ name, why, isOther, onDone }) {
  const element = useModal();
  const stay = (event) => event.preventDefault();
  const reopen = () => element.current?.showModal(); // some browsers close it at the second Escape whatever is said
  return html`<dialog ref=${element} class="cover" closedby="none" onCancel=${stay} onClose=${reopen} aria-label="Sign in again">
    <${SignIn} why=${why} onDone=${onDone}>
      <p>Sign in as <b>${name}</b> to go on where you were; as anyone else to begin afresh.</p>
      ${isOther && html`<p><button type="button" onClick=${() => location.reload()}>Go on as who has signed in</button></p>`}
    <//>
  </dialog>`;
}
