// The console's frame: who is signed in, the navigation, and the view that the address names.

import { ask, onSignedOut, signedIn } from './lib/api.js';
import { Boundary, Mishap } from './lib/boundary.js';
import { Fault } from './lib/dialog.js';
import { ZONE } from './lib/format.js';
import { keepFocus } from './lib/focus.js';
import { html, render, useEffect, useRef, useState } from './lib/html.js';
import { Link, go, urlOf, useCurrentInSight, useRoute } from './lib/router.js';
import { SignIn, SignInAgain } from './sign_in.js';
import { VIEWS, may } from './views/index.js';

const { environment, name: deployment } = document.documentElement.dataset;
const NOBODY = { admin: null, away: null, why: '', known: true, error: null };
const tabs = new BroadcastChannel('gameserver-console'); // tells the other tabs soon; the server's refusal is what holds

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
    ${loaded.entry === entry && error && html`<h1>This page can't be shown</h1>
      <${Fault} error=${{ message: `It didn't load: ${error.message}` }} again=${() => location.reload()} />`}
    ${loaded.entry === entry && Component && html`<${Boundary} key=${entry.name} route=${route}><${Component} route=${route} admin=${admin} /><//>`}
  </main>`;
}

// The button that ends the session; while the server hasn't said so, the page stays and says that.
function SignOut({ onDone }) {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState(null);
  const leave = async () => {
    setBusy(true);
    setFault(null);
    try {
      await ask('DELETE', '/session');
      onDone();
    } catch (error) {
      if (error.status === 401) onDone();
      else if (error.code !== 'other_operator') setFault(error);
      setBusy(false);
    }
  };
  return html`<button type="button" class="plain" disabled=${busy} onClick=${leave}>${busy ? 'Signing out…' : 'Sign out'}</button>
    ${fault && html`<span class="fault" role="alert">The session could not be ended, and may go on: sign out again. (${fault.message})</span>`}`;
}

function Console({ admin, onLeave }) {
  const route = useRoute();
  const seen = VIEWS.filter((view) => may(admin.role, view.role));
  const entry = seen.find((view) => view.name === route.view) ?? (route.view ? null : seen[0]);
  const nav = useCurrentInSight(entry);
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <header class="frame">
      <p class="deployment"><b>${deployment}</b> <span class="environment">${environment}</span>${' '}
        <span class="faint" title="All moments are shown, and read, in this zone of time: that of the browser.">${ZONE}</span></p>
      <nav ref=${nav} aria-label="Views"><ul>
        ${seen.filter((view) => !view.hidden).map((view) => html`<li key=${view.name}>
          <${Link} to=${urlOf(view.name)} aria-current=${view === entry ? 'page' : undefined}>${view.title}<//></li>`)}
      </ul></nav>
      <p class="who"><span title=${`Role: ${admin.role}`}>${admin.name} · ${admin.role}</span>
        <${SignOut} onDone=${onLeave} /></p>
    </header>
    <${Mishap} />
    ${entry
      ? html`<${View} entry=${entry} route=${route} admin=${admin} />`
      : html`<main id="main"><h1>There is no such page</h1><p>Or your role, ${admin.role}, may not see it.</p></main>`}`;
}

function App() {
  const [state, setState] = useState({ ...NOBODY, known: false });
  const { admin, away, why, known, error } = state;
  const enter = (who) => (signedIn(who.name) ? setState({ ...NOBODY, admin: who }) : location.reload());
  const entered = (who) => {
    enter(who);
    tabs.postMessage('signed in');
  };
  const left = () => {
    setState({ ...NOBODY, why: 'You are signed out.' });
    go('/console/', { replace: true });
    tabs.postMessage('signed out');
  };
  const begin = () => ask('GET', '/session').then(enter, (fault) => setState({ ...NOBODY, error: fault.status === 401 ? null : fault }));
  useEffect(() => {
    begin();
    return onSignedOut((end) => setState((before) => (before.admin ? { ...before, away: end } : before)));
  }, []);
  useEffect(() => {
    tabs.onmessage = admin && (() => ask('GET', '/session').then(enter, () => null));
  }, [admin]);
  if (!known) return html`<p class="faint" role="status">Loading…</p>`;
  if (!admin) return html`<${SignIn} why=${why} onDone=${entered}><${Fault} error=${error} again=${begin} /><//>`;
  return html`<div class=${away ? 'console away' : 'console'}><${Console} admin=${admin} onLeave=${left} /></div>
    ${away && html`<${SignInAgain} name=${admin.name} ...${away} onDone=${entered} />`}`;
}

keepFocus();
render(html`<${App} />`, document.getElementById('app'));
