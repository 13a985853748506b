// Draws the charts of the page with uPlot, in the colours of the page; the figures are in the element #figures.
"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = [], fits = [];
  // A page of A4 between its margins.
  const PAPER = { width: 680, height: 190 };
  let onPaper = false;
  let style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue("--" + name).trim();

  const number = (value) => {
    if (value == null) return "–";
    const size = Math.abs(value);
    if (size >= 10000) return Math.round(value / 1000) + "k";
    if (size >= 1000) return (value / 1000).toFixed(1).replace(".0", "") + "k";
    if (size === 0 || size >= 100 || Number.isInteger(value)) return String(Math.round(value));
    return String(Number(value.toPrecision(size < 1 ? 2 : 3)));
  };
  const exact = (value) =>
    value == null ? "–" : value.toLocaleString("en", { maximumSignificantDigits: 4 });
  // 1 nine is 90 per cent, 2 are 99 per cent.
  const percentile = (nines) =>
    nines % 1 ? (100 * (1 - 10 ** -nines)).toFixed(Math.max(1, Math.ceil(nines) - 1)) + " %"
              : Number((100 * (1 - 10 ** -nines)).toFixed(Math.max(0, nines - 2))) + " %";
  const clock = (seconds) => {
    const whole = Math.round(seconds), minutes = Math.floor(whole / 60);
    return minutes ? minutes + ":" + String(whole % 60).padStart(2, "0") : whole + " s";
  };

  // The faults of the run, behind the lines: a band from begin to end, and its number on top.
  const bands = (events) => (plot) => {
    const pen = plot.ctx, box = plot.bbox, scale = devicePixelRatio || 1;
    pen.save();
    pen.beginPath();
    pen.rect(box.left, box.top - 18 * scale, box.width, box.height + 18 * scale);
    pen.clip();
    let free = -Infinity;
    for (const event of events) {
      const from = plot.valToPos(event.at, "x", true);
      const to = Math.max(plot.valToPos(event.until, "x", true), from + scale);
      pen.fillStyle = color("band");
      pen.fillRect(from, box.top, to - from, box.height);
      pen.fillStyle = color(event.skipped ? "faint" : "mark");
      pen.fillRect(from, box.top, 1.25 * scale, box.height);
      if (from > free) {
        pen.font = "600 " + 11 * scale + "px system-ui, sans-serif";
        pen.textBaseline = "bottom";
        pen.fillText(event.number, from, box.top - 2 * scale);
        free = from + pen.measureText(event.number).width + 3 * scale;
      }
    }
    pen.restore();
  };

  const line = (found) => ({
    label: found.label,
    stroke: () => color("c" + (found.color % 8)),
    width: found.style === "dash" ? 1.25 : 1.6,
    dash: found.style === "dash" ? [5, 4] : undefined,
    fill: found.style === "area" ? () => color("c" + (found.color % 8)) + "22" : undefined,
    points: { show: found.values.length < 3 },
    spanGaps: false,
    value: (_, value) => exact(value),
  });

  const axis = (more) => ({
    stroke: () => color("faint"), font: "12px system-ui, sans-serif",
    grid: { stroke: () => color("grid"), width: 1 }, ticks: { stroke: () => color("grid"), width: 1, size: 4 }, ...more,
  });

  const limits = (chart) => {
    const all = chart.lines.flatMap((each) => each.values).filter((value) => value > 0);
    return all.length ? [Math.min(...all), Math.max(...all)] : [1, 10];
  };

  const draw = (place, chart) => {
    const [least, most] = limits(chart);
    const time = !chart.nines;
    const options = {
      width: Math.max(260, place.clientWidth), height: place.clientWidth < 520 ? 210 : 250,
      padding: [chart.events.length ? 18 : 8, 16, 0, 0],
      scales: {
        x: { time: false },
        y: chart.log ? { distr: 3, range: [10 ** Math.floor(Math.log10(least)), 10 ** Math.ceil(Math.log10(most * 1.001))] }
                     : { range: (_, low, high) => [0, Math.max(high, 1e-9) * 1.08] },
      },
      axes: [
        axis({ values: (_, ticks) => ticks.map(time ? clock : percentile), space: 56, size: 30, ...(time ? {} : { incrs: [1] }) }),
        axis({ values: (_, ticks) => ticks.map((tick) => (tick == null ? "" : number(tick))), size: 48 }),
      ],
      series: [{ label: time ? "second" : "percentile", value: (_, value) => (value == null ? "–" : time ? clock(value) : percentile(value)) },
               ...chart.lines.map(line)],
      cursor: time ? { sync: { key: chart.group }, focus: { prox: 24 } } : { focus: { prox: 24 } },
      focus: { alpha: 0.35 },
      hooks: chart.events.length ? { drawClear: [bands(chart.events)] } : {},
    };
    return new uPlot(options, [chart.x, ...chart.lines.map((each) => each.values)], place);
  };

  for (const chart of figures.charts) {
    const place = document.getElementById("chart-" + chart.key);
    if (!place) continue;
    const plot = draw(place, chart);
    drawn.push(plot);
    const fit = () => {
      const width = Math.max(260, place.clientWidth);
      if (!onPaper && width !== plot.width) plot.setSize({ width, height: width < 520 ? 210 : 250 });
    };
    fits.push(fit);
    new ResizeObserver(fit).observe(place);
  }

  const redraw = () => {
    style = getComputedStyle(document.documentElement);
    for (const plot of drawn) plot.redraw(false, true);
  };
  dark.addEventListener("change", redraw);
  // On paper everything is light, charts are as wide as the page, and tables are open.
  let opened = [];
  addEventListener("beforeprint", () => {
    onPaper = true;
    document.documentElement.classList.add("paper");
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const each of opened) each.open = true;
    for (const plot of drawn) plot.setSize(PAPER);
    redraw();
  });
  addEventListener("afterprint", () => {
    onPaper = false;
    document.documentElement.classList.remove("paper");
    for (const each of opened) each.open = false;
    for (const fit of fits) fit();
    redraw();
  });
})();
