// Filters above a list: what they ask is what the address says.

import { Line } from './dialog.js';
import { html, useState } from './html.js';

// Filters that a phone shows when it is asked to; `given` is how many of them are set. Elsewhere they are always seen.
export function Folded({ given, children }) {
  const [open, setOpen] = useState(false);
  return html`<button type="button" class="unfold" aria-expanded=${open} onClick=${() => setOpen(!open)}>
      Filters${given > 0 && ` (${given})`} <span aria-hidden="true">${open ? '▴' : '▾'}</span></button>
    <div class=${open ? 'folded open' : 'folded'}>${children}</div>`;
}

// A moment has a value at each digit of its year, and browsers tell of each as if the field had been left.
const isMoment = (field) => field.type === 'datetime-local';
const isUnderWay = (field) => isMoment(field) && field === document.activeElement;

// A field to type in, drawn as `as`: `set(text)` is called when it is left, and at Enter. `value` is what the address has;
// what is typed stays in place of it, however often the page is drawn meanwhile, until the address has another value.
export function Typed({ as = Line, value, set, ...rest }) {
  const [typed, setTyped] = useState(null);
  const shown = typed?.over === value ? typed.text : value;
  const keep = (event) => setTyped({ text: event.target.value, over: value });
  const leave = (event) => {
    setTyped(null);
    set(event.target.value);
  };
  const change = (event) => isUnderWay(event.target) || leave(event);
  const enter = (event) => event.key === 'Enter' && isUnderWay(event.target) && leave(event);
  const blur = (event) => typed && isMoment(event.target) && leave(event);
  return html`<${as} value=${shown} onInput=${keep} onChange=${change} onBlur=${blur} onKeyDown=${enter} ...${rest} />`;
}
