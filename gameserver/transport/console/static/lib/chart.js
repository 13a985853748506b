// Charts by uPlot, which is loaded with the first of them; every chart has the same figures as a table below it.

import { Fault } from './dialog.js';
import { html, useEffect, useRef, useState } from './html.js';
import { number, timeOfDay } from './format.js';

const UPLOT = '/console/vendor/uplot-1.6.32';
const ROWS = 200;
let loading = null;

function load() {
  loading ??= new Promise((resolve, reject) => {
    const sheet = document.createElement('link');
    sheet.rel = 'stylesheet';
    sheet.href = `${UPLOT}.css`;
    const script = document.createElement('script');
    script.src = `${UPLOT}.js`;
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => {
      loading = null; // the next chart, or whoever tries again, loads it anew
      sheet.remove();
      script.remove();
      reject(new Error("The charts' library didn't load."));
    };
    document.head.append(sheet, script);
  });
  return loading;
}

// A colour of style.css as a canvas takes it: only the computed value of a property knows light from dark.
function color(name) {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color: found } = getComputedStyle(probe);
  probe.remove();
  return found;
}

// What an axis takes for labels such as this one, which may have lines.
function roomOf(label) {
  const lines = label.split('\n');
  return { size: 14 + 16 * lines.length, space: 4 + 10 * Math.max(...lines.map((line) => line.length)) };
}

// `x` and each line's `values` have one length; `line.color` is a number of style.css's --c0…; `unit` stands at the axis.
// `time`: x is seconds since 1970. `bars`: columns in place of lines. `show(value)` writes a value, `showX(value)` one of x.
export function Chart({ title, x, lines, unit = '', time = false, bars = false, height = 160, show = number, showX = time ? timeOfDay : show }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [fault, setFault] = useState(null);
  const [turn, setTurn] = useState(0);
  const [dark, setDark] = useState(matchMedia('(prefers-color-scheme: dark)').matches);
  const names = lines.map((line) => line.label).join('\n');

  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)');
    const changed = () => setDark(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, []);

  useEffect(() => {
    let observer;
    let gone = false;
    load().then((Plot) => {
      if (gone) return;
      setFault(null);
      const axis = { stroke: color('--faint'), grid: { stroke: color('--rule'), width: 1 }, ticks: { show: false }, size: 30 };
      plot.current = new Plot({
        width: box.current.clientWidth,
        height,
        legend: { show: lines.length > 1 },
        cursor: { y: false },
        scales: { x: { time } },
        axes: [
          time ? { ...axis, ...roomOf(showX(x[0])), values: (_, values) => values.map(showX) } : axis,
          { ...axis, size: 56, values: (_, values) => values.map((value) => show(value)) },
        ],
        series: [time ? { value: (_, value) => (value === null ? '–' : showX(value)) } : {}, ...lines.map((line, at) => ({
          label: line.label,
          stroke: color(`--c${line.color ?? at}`),
          fill: bars ? color(`--c${line.color ?? at}`) : undefined,
          paths: bars ? Plot.paths.bars({ size: [0.8, 60] }) : undefined,
          width: bars ? 0 : 1.5,
          points: { show: false },
          value: (_, value) => (value === null ? '–' : show(value)),
        }))],
      }, [x, ...lines.map((line) => line.values)], box.current);
      observer = new ResizeObserver(() => plot.current.setSize({ width: box.current.clientWidth, height }));
      observer.observe(box.current);
    }, setFault);
    return () => {
      gone = true;
      observer?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [names, dark, bars, time, height, turn]);

  useEffect(() => plot.current?.setData([x, ...lines.map((line) => line.values)]), [x, lines]);

  const from = Math.max(0, x.length - ROWS);
  return html`<figure class="chart">
    <figcaption>${title}${unit && html` <span class="faint">${unit}</span>`}</figcaption>
    <div ref=${box} role="img" aria-label=${`${title}: the table below has its figures`}></div>
    <${Fault} error=${fault} again=${() => setTurn(turn + 1)} />
    <details><summary>As a table</summary>
      <div class="scroll" role="region" aria-label=${`${title} as a table`} tabindex="0"><table><thead><tr><th scope="col">${time ? 'time' : ''}</th>
        ${lines.map((line) => html`<th scope="col" class="n">${line.label}</th>`)}</tr></thead>
        <tbody>${x.slice(from).map((at, row) => html`<tr key=${at}>
          <td>${showX(at)}</td>
          ${lines.map((line) => html`<td class="n">${line.values[from + row] === null ? '–' : show(line.values[from + row])}</td>`)}
        </tr>`)}</tbody></table></div>
    </details>
  </figure>`;
}
