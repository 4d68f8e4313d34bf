// Lines over time, drawn by uPlot, which is loaded when the first chart is drawn.
import { html, useEffect, useRef, useState } from "../vendored/preact-htm.js";
import { get } from "../shared/api.js";
import { count, duration } from "../shared/words.js";
import { Loaded, STAGES, Segments, useFresh } from "./parts.js";
import { go } from "./route.js";

const WINDOWS = [
  ["1h", "Last hour"],
  ["24h", "Last day"],
];
const HEIGHT = 150;

export function StatisticsCharts({ window }) {
  const figures = useFresh((signal) => get("operator/statistics", { window }, signal), window === "1h" ? 15 : 60, [
    window,
  ]);
  const [stage, choose] = useState("transcribe");
  return html`<section aria-labelledby="charts-title">
    <div class="heading">
      <h2 id="charts-title">Over time</h2>
      <div class="row end"><${Segments}
          label="Period of the charts" options=${WINDOWS} value=${window}
          choose=${(value) => go("overview", { window: value === "1h" ? "" : value }, { replace: true })} /></div>
    </div>
    <${Loaded} from=${figures}>${(data) => html`<div class="charts">
      <${Chart} title="Waiting in queues" unit="tasks" data=${data} show=${count}
        lines=${Object.entries(data.queues).map(([name, { depth }]) => [name, depth, name])} />
      <${Chart} title="Tasks completed" unit=${`per ${step(data)}`} data=${data} show=${count}
        lines=${known(data).map((name) => [name, data.stages[name].completed, name])} />
      <${Chart} title="Duration of a task" unit="" data=${data} show=${duration}
        lines=${
          data.stages[stage]
            ? [
                ["p50", data.stages[stage].p50, stage],
                ["p95", data.stages[stage].p95, "failed"],
              ]
            : []
        }>
        <label class="inline"><span class="visually-hidden">Stage</span>
          <select value=${stage} onChange=${(event) => choose(event.target.value)}>
            ${STAGES.map((name) => html`<option value=${name} selected=${name === stage}>${name}</option>`)}
          </select></label>
      <//>
      <${Chart} title="Jobs ended" unit=${`per ${step(data)}`} data=${data} show=${count}
        lines=${["completed", "failed", "canceled"].map((name) => [name, data.jobs[name], name])} />
    </div>`}<//>
  </section>`;
}

const known = (data) => STAGES.filter((name) => data.stages[name]);
const step = (data) => (data.step_seconds === 60 ? "minute" : duration(data.step_seconds).replace(" 0 s", ""));

// `lines`: [name, values, what its colour stands for].
function Chart({ title, unit, data, lines, show, children }) {
  const place = useRef();
  const drawn = useRef({});
  const [pointed, point] = useState(null);
  const shape = lines.map(([name, , colour]) => `${name} ${colour}`).join();
  drawn.current.table = [data.times.map((at) => Date.parse(at) / 1000), ...lines.map(([, numbers]) => numbers)];

  useEffect(() => {
    let gone = false;
    const draw = async () => {
      const uPlot = await library();
      if (gone || !uPlot) return;
      drawn.current.plot?.destroy();
      drawn.current.plot = new uPlot(options(place.current, lines, show, point), drawn.current.table, place.current);
    };
    const fit = new ResizeObserver(([{ contentRect }]) => {
      drawn.current.plot?.setSize({ width: contentRect.width, height: HEIGHT });
    });
    fit.observe(place.current);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("octavia:theme", draw);
    dark.addEventListener("change", draw);
    drawn.current.draw = draw;
    return () => {
      gone = true;
      fit.disconnect();
      removeEventListener("octavia:theme", draw);
      dark.removeEventListener("change", draw);
      drawn.current.plot?.destroy();
      drawn.current.plot = null;
    };
  }, [shape]);
  useEffect(() => {
    const { plot, draw, table } = drawn.current;
    if (plot) plot.setData(table);
    else draw();
  }, [data, shape]);

  const newest = lines.map(([name, numbers]) => `${name} ${show(last(numbers))}`).join(", ") || "no data";
  return html`<figure class="chart" role="group" aria-label=${`${title}; newest: ${newest}`}>
    <figcaption><strong>${title}</strong> <span class="muted small">${unit}</span>${children}</figcaption>
    <div class="plot" ref=${place} aria-hidden="true"></div>
    <ul class="legend">
      ${lines.map(([name, numbers, colour]) => {
        const value = pointed === null ? last(numbers) : numbers[pointed];
        return html`<li><span
            class="swatch" data-stage=${colour}></span>${name} <span class="value">${show(value)}</span></li>`;
      })}
    </ul>
  </figure>`;
}

const last = (numbers) => numbers.findLast((number) => number !== null);

function options(place, lines, show, point) {
  // A canvas knows no variables: an element says what each means in the theme of now.
  const colour = (name) => {
    place.style.color = `var(--${name})`;
    return getComputedStyle(place).color;
  };
  const axis = {
    stroke: colour("muted"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  const label = (value) => (Number.isInteger(value) || show === duration ? show(value) : "");
  return {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
    axes: [
      { ...axis, values: "{HH}:{mm}", space: 60, size: 24 },
      { ...axis, values: (_, splits) => splits.map(label), size: 52, space: 32 },
    ],
    series: [
      {},
      ...lines.map(([name, , of]) => ({
        label: name,
        stroke: colour(`c-${of}`),
        width: 1.75,
        spanGaps: false,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [(plot) => point(plot.cursor.idx ?? null)] },
  };
}

let loading;

// Null if it cannot be loaded now: the next figures try again.
function library() {
  loading ??= new Promise((resolve) => {
    const file = (name) => new URL(`../vendored/${name}`, import.meta.url).href;
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: file("uPlot.min.css") });
    const script = Object.assign(document.createElement("script"), { src: file("uPlot.iife.min.js") });
    script.addEventListener("load", () => resolve(window.uPlot));
    script.addEventListener("error", () => {
      loading = null;
      resolve(null);
    });
    document.head.append(style, script);
  });
  return loading;
}
