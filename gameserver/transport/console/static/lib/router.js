// Every view is a URL: /console/<view>/<rest>?<query>.

import { html, useEffect, useRef, useState } from './html.js';

const ROOT = '/console';
const listeners = new Set();
const staying = new Set();

// A part of an address that somebody has mistyped stays as it is.
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// Where the address leads now, which a component may not have been drawn with yet.
export function current() {
  const [view = '', ...rest] = location.pathname.slice(ROOT.length).split('/').filter(Boolean).map(decoded);
  return { view, rest, query: Object.fromEntries(new URLSearchParams(location.search)) };
}

// Whether the address still leads to this route.
export const isAt = (route) => JSON.stringify(current()) === JSON.stringify(route);

// The address of a view; what is null, undefined or '' in `query` is left out.
export function urlOf(view, rest = [], query = {}) {
  const path = [ROOT, view, ...rest.map(encodeURIComponent)].join('/');
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

export function go(url, { replace = false } = {}) {
  if (url === location.pathname + location.search) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', url);
  listeners.forEach((listener) => listener());
}

// `remain(state)` is called with the state of the entry to which Back or Forward has led, before a view is drawn for it.
// Returns what ends that.
export function stayBy(remain) {
  staying.add(remain);
  return () => staying.delete(remain);
}

// Where the console is: {view, rest, query}. The component is drawn anew when that changes.
export function useRoute() {
  const [route, setRoute] = useState(current);
  useEffect(() => {
    const changed = () => setRoute(current());
    const led = ({ state }) => {
      staying.forEach((remain) => remain(state));
      changed();
    };
    listeners.add(changed);
    addEventListener('popstate', led);
    return () => {
      listeners.delete(changed);
      removeEventListener('popstate', led);
    };
  }, []);
  return route;
}

// A link within the console; with a modifier key the browser does what it always does.
export function Link({ to, children, ...rest }) {
  const follow = (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return html`<a href=${to} onClick=${follow} ...${rest}>${children}</a>`;
}

// What holds links of which one is current: that one is scrolled into sight, as a phone doesn't show all at once.
export function useCurrentInSight(current) {
  const nav = useRef(null);
  useEffect(() => {
    const link = nav.current.querySelector('[aria-current]');
    if (link) nav.current.scrollLeft = link.offsetLeft - nav.current.offsetLeft - 40;
  }, [current]);
  return nav;
}

// Parts of a page: `tabs` are [name, title], `to(name)` is where one is.
export function Tabs({ label, tabs, current, to }) {
  const nav = useCurrentInSight(current);
  return html`<nav class="tabs" ref=${nav} aria-label=${label}>${tabs.map(([name, title]) => html`<${Link} key=${name}
    to=${to(name)} aria-current=${name === current ? 'page' : undefined}>${title}<//>`)}</nav>`;
}
