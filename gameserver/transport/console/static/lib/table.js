// A table of any length: only the rows that are seen are drawn, and the next page is asked for before its end is reached.
//
// Keyboard: arrows, Page Up and Down, Home and End move the row that has the focus; Enter opens it.

import { Fault } from './dialog.js';
import { html, useEffect, useLayoutEffect, useRef, useState } from './html.js';

const ROW = 36; // pixels, as style.css has it
const AROUND = 8; // rows drawn above and below what is seen
const KEYS = { ArrowDown: 1, ArrowUp: -1 };

// `columns`: [{key, title, cell(row, isCurrent), className, sort}], where the Tab key leads to the current row; `pages` is what `usePages` gives; `rowKey(row)` names a row;
// `onOpen(row)` is called for Enter and a click; `label` says what it shows; `sorted` {by, order}, `onSort(by)`.
export function Table({ columns, pages, rowKey, onOpen, label, sorted, onSort, empty = 'Nothing fits.' }) {
  const { entries, more, loading, error, reached, stopped } = pages;
  const box = useRef(null);
  const [scroll, setScroll] = useState({ top: 0, height: 600 });
  const [focused, setFocused] = useState(0);
  const moved = useRef(false);

  useLayoutEffect(() => {
    const element = box.current;
    const see = () => setScroll({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(see);
    observer.observe(element);
    element.addEventListener('scroll', see, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', see);
    };
  }, []);

  const first = Math.max(0, Math.floor(scroll.top / ROW) - AROUND);
  const last = Math.min(entries.length, Math.ceil((scroll.top + scroll.height) / ROW) + AROUND);
  useEffect(() => {
    if (more && !loading && !error && !stopped && last >= entries.length - AROUND) pages.next();
  }, [more, loading, error, stopped, last, entries.length]);

  useLayoutEffect(() => {
    if (!moved.current) return;
    moved.current = false;
    box.current.querySelector(`[data-at="${focused}"]`)?.focus({ preventScroll: true });
  });

  const focus = (at) => {
    const to = Math.max(0, Math.min(entries.length - 1, at));
    const element = box.current;
    const top = to * ROW;
    const head = element.querySelector('thead').offsetHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    if (top + ROW + head > element.scrollTop + element.clientHeight) element.scrollTop = top + ROW + head - element.clientHeight;
    moved.current = true;
    setFocused(to);
    setScroll({ top: element.scrollTop, height: element.clientHeight });
  };

  const onKeyDown = (event) => {
    if (!event.target.matches('tr[data-at]')) return;
    const page = Math.max(1, Math.floor(scroll.height / ROW) - 2);
    const steps = { ...KEYS, PageDown: page, PageUp: -page };
    if (event.key in steps) focus(focused + steps[event.key]);
    else if (event.key === 'Home') focus(0);
    else if (event.key === 'End') focus(entries.length - 1);
    else if (event.key === 'Enter' && onOpen && entries[focused]) onOpen(entries[focused]);
    else return;
    event.preventDefault();
  };

  const current = Math.max(first, Math.min(focused, last - 1)); // a row that is drawn, so that the Tab key leads to one
  const rows = entries.slice(first, last).map((row, number) => {
    const at = first + number;
    const click = (event) => event.target.closest('a, button') || getSelection().toString() || onOpen?.(row);
    return html`<tr key=${rowKey(row)} data-at=${at} aria-rowindex=${at + 2} tabindex=${at === current ? 0 : -1}
        class=${onOpen ? 'opens' : ''} onFocus=${() => setFocused(at)} onClick=${click}>
      ${columns.map((column) => html`<td key=${column.key} class=${column.className ?? ''}>${column.cell(row, at === current)}</td>`)}
    </tr>`;
  });
  const space = (count) => count > 0 && html`<tr aria-hidden="true" class="space"><td colspan=${columns.length}
    style=${{ height: `${count * ROW}px` }}></td></tr>`;
  const heading = (column) => {
    const by = column.sort && sorted?.by === column.sort ? sorted.order : null;
    const direction = { asc: 'ascending', desc: 'descending' }[by];
    return html`<th key=${column.key} scope="col" class=${column.className ?? ''} aria-sort=${direction}>
      ${column.sort && onSort
        ? html`<button type="button" class="sort" onClick=${() => onSort(column.sort)}>${column.title}
            <span aria-hidden="true">${by ? (by === 'asc' ? ' ▲' : ' ▼') : ''}</span></button>`
        : column.title}
    </th>`;
  };
  return html`<div class="table" ref=${box} onKeyDown=${onKeyDown} role="region" aria-label=${label} tabindex="-1">
    <table aria-rowcount=${more ? -1 : entries.length + 1} aria-busy=${loading}>
      <caption class="unseen">${label}</caption>
      <thead><tr>${columns.map(heading)}</tr></thead>
      <tbody>${space(first)}${rows}${space(entries.length - last)}</tbody>
    </table>
    ${error && html`<${Fault} error=${error} again=${more ? pages.next : pages.reload} />`}
    ${!loading && !error && !more && !entries.length && html`<p class="faint">${empty}</p>`}
    ${loading && html`<p class="faint" role="status">Loading…</p>`}
    ${reached && html`<p class="faint">Looked back to ${reached}, and nothing${entries.length ? ' more' : ''} fits so far.
      <button type="button" onClick=${loading ? pages.stop : pages.next}>${loading ? 'Stop' : 'Look further'}</button></p>`}
  </div>`;
}
