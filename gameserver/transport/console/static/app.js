// The console's frame: who is signed in, the navigation, and the view that the address names.

import { ask, onSignedOut } from './lib/api.js';
import { Boundary, Mishap } from './lib/boundary.js';
import { Fault, Field } from './lib/dialog.js';
import { html, render, useEffect, useRef, useState } from './lib/html.js';
import { Link, go, urlOf, useCurrentInSight, useRoute } from './lib/router.js';
import { VIEWS, may } from './views/index.js';

const { environment, name: deployment } = document.documentElement.dataset;

function SignIn({ why, onDone }) {
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

function View({ entry, route, admin }) {
  const [loaded, setLoaded] = useState({ entry: null, Component: null, error: null });
  const main = useRef(null);
  useEffect(() => {
    let gone = false;
    document.title = `${entry.title} · ${deployment}`;
    entry.load().then(
      (module) => gone || setLoaded({ entry, Component: module.default, error: null }),
      (error) => gone || setLoaded({ entry, Component: null, error }),
    );
    main.current?.focus({ preventScroll: true });
    return () => {
      gone = true;
    };
  }, [entry]);
  const { Component, error } = loaded;
  return html`<main id="main" ref=${main} tabindex="-1">
    ${error && html`<${Fault} error=${error} />`}
    ${loaded.entry === entry && Component && html`<${Boundary} key=${entry.name} route=${route}><${Component} route=${route} admin=${admin} /><//>`}
  </main>`;
}

function Console({ admin, onLeave }) {
  const route = useRoute();
  const seen = VIEWS.filter((view) => may(admin.role, view.role));
  const entry = seen.find((view) => view.name === route.view) ?? (route.view ? null : seen[0]);
  const nav = useCurrentInSight(entry);
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <header class="frame">
      <p class="deployment"><b>${deployment}</b> <span class="environment">${environment}</span></p>
      <nav ref=${nav} aria-label="Views"><ul>
        ${seen.filter((view) => !view.hidden).map((view) => html`<li key=${view.name}>
          <${Link} to=${urlOf(view.name)} aria-current=${view === entry ? 'page' : undefined}>${view.title}<//></li>`)}
      </ul></nav>
      <p class="who"><span title=${`Role: ${admin.role}`}>${admin.name} · ${admin.role}</span>
        <button type="button" class="plain" onClick=${onLeave}>Sign out</button></p>
    </header>
    <${Mishap} />
    ${entry
      ? html`<${View} entry=${entry} route=${route} admin=${admin} />`
      : html`<main id="main"><h1>There is no such page</h1><p>Or your role, ${admin.role}, may not see it.</p></main>`}`;
}

function App() {
  const [state, setState] = useState({ admin: null, why: '', known: false, error: null });
  useEffect(() => {
    ask('GET', '/session').then(
      (admin) => setState({ admin, why: '', known: true, error: null }),
      (error) => setState({ admin: null, why: '', known: error.status === 401, error: error.status === 401 ? null : error }),
    );
    return onSignedOut((why) => setState((before) => ({ ...before, admin: null, known: true, why: before.admin ? why : before.why })));
  }, []);
  const leave = async () => {
    await ask('DELETE', '/session').catch(() => null);
    setState({ admin: null, why: 'You are signed out.', known: true, error: null });
    go('/console/', { replace: true });
  };
  if (state.error) return html`<main class="sign-in"><h1>${deployment}</h1><${Fault} error=${state.error} /></main>`;
  if (!state.known) return html`<p class="faint" role="status">Loading…</p>`;
  if (!state.admin) {
    return html`<${SignIn} why=${state.why} onDone=${(admin) => setState({ admin, why: '', known: true, error: null })} />`;
  }
  return html`<${Console} admin=${state.admin} onLeave=${leave} />`;
}

render(html`<${App} />`, document.getElementById('app'));
