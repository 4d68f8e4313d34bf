// A job's way as a picture: a row for each chunk, a bar for each attempt in its stage's colour, waiting before it pale.
import { html, useEffect, useRef, useState } from "../vendored/preact-htm.js";
import { duration, secondsBetween } from "../shared/words.js";
import { STAGES } from "./parts.js";

const ROW = 20;
const BAR = 12;
const AXIS = 22;
const LABEL = 64;
const HELP = "Point at a bar, or move through them with the arrow keys, to see who did what.";

// The attempts of a task that have ended, then the one in hand.
export function spans(task) {
  const ended = (task.attempts ?? []).map((attempt) => ({ ...attempt }));
  if (task.status === "running" && task.started_at) {
    ended.push({
      number: task.attempt,
      worker: task.worker,
      queued_at: task.queued_at,
      started_at: task.started_at,
      ended_at: null,
      outcome: "running",
      error: null,
    });
  } else if (!ended.length && task.started_at && task.finished_at) {
    // Of a release that did not write attempts down.
    ended.push({
      number: task.attempt,
      worker: task.worker,
      queued_at: task.queued_at,
      started_at: task.started_at,
      ended_at: task.finished_at,
      outcome: task.status,
      error: task.error,
    });
  }
  return ended;
}

export function Timeline({ tasks }) {
  const place = useRef();
  const [width, fit] = useState(0);
  const [shown, show] = useState(null);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => fit(Math.floor(entry.contentRect.width)));
    observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  const bars = barsOf(tasks);
  return html`<div class="timeline" ref=${place}>
    ${
      bars.length === 0
        ? html`<p class="empty">No worker has begun with it yet.</p>`
        : width > 0 &&
          html`<${Picture}
        bars=${bars} width=${width} shown=${shown} show=${show} />`
    }
    <p class="readout small" aria-live="polite">${shown ? describe(shown) : bars.length ? HELP : ""}</p>
    <ul class="legend">${STAGES.filter((stage) => tasks.some((task) => task.stage === stage)).map(
      (stage) => html`<li><span
        class="swatch" data-stage=${stage}></span>${stage}</li>`,
    )}
      <li><span class="swatch waiting"></span>waiting</li><li><span class="swatch failed"></span>did not succeed</li></ul>
  </div>`;
}

function barsOf(tasks) {
  const bars = tasks.flatMap((task) =>
    spans(task).map((span) => ({ ...span, task, key: `${task.id}/${span.number}` })),
  );
  const queued = tasks
    .filter((task) => task.status === "queued" && task.queued_at)
    .map((task) => ({
      task,
      key: `${task.id}/next`,
      number: (task.attempt ?? 0) + 1,
      queued_at: task.queued_at,
      started_at: null,
      ended_at: null,
      outcome: "queued",
    }));
  return [...bars, ...queued].sort(
    (one, other) => Date.parse(one.started_at ?? one.queued_at) - Date.parse(other.started_at ?? other.queued_at),
  );
}

function Picture({ bars, width, shown, show }) {
  const rows = [...new Set(bars.map(({ task }) => task.chunk))].sort((one, other) => one - other);
  const from = Math.min(...bars.map((bar) => Date.parse(bar.queued_at ?? bar.started_at)));
  const to = Math.max(from + 1000, ...bars.map((bar) => (bar.ended_at ? Date.parse(bar.ended_at) : Date.now())));
  const x = (at) => LABEL + ((at - from) / (to - from)) * (width - LABEL - 4);
  const height = rows.length * ROW + AXIS;
  const focused = Math.max(
    0,
    bars.findIndex(({ key }) => key === shown?.key),
  );
  const keys = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.currentTarget.querySelectorAll(".bar")[Math.min(bars.length - 1, Math.max(0, focused + step))].focus();
  };
  return html`<svg
      width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} role="group"
      aria-label="Attempts by chunk over time" onKeyDown=${keys}>
    ${ticks((to - from) / 1000, width).map((second) => {
      const at = x(from + second * 1000);
      return html`<g><line class="tick" x1=${at} x2=${at} y1="0" y2=${height - AXIS} /><text
          x=${at} y=${height - 7} text-anchor=${second ? "middle" : "start"}>${tickName(second)}</text></g>`;
    })}
    ${rows.map(
      (chunk, row) => html`<text
        x="0" y=${row * ROW + ROW / 2 + 4}>${chunk < 0 ? "whole job" : `chunk ${chunk}`}</text>`,
    )}
    ${bars.map((bar, index) => {
      const y = rows.indexOf(bar.task.chunk) * ROW + (ROW - BAR) / 2;
      const start = bar.started_at ? Date.parse(bar.started_at) : to;
      const end = bar.ended_at ? Date.parse(bar.ended_at) : to;
      const queued = bar.queued_at ? Math.min(Date.parse(bar.queued_at), start) : start;
      return html`<g key=${bar.key} class="bar" data-stage=${bar.task.stage} data-outcome=${bar.outcome}
          tabindex=${index === focused ? 0 : -1} role="img"
          aria-label=${describe(bar)} onFocus=${() => show(bar)} onMouseEnter=${() => show(bar)}>
        <rect class="waiting" x=${x(queued)} y=${y + 3} width=${Math.max(0, x(start) - x(queued))} height=${BAR - 6} />
        ${
          bar.started_at &&
          html`<rect
            class="work" x=${x(start)} y=${y} width=${Math.max(2, x(end) - x(start))} height=${BAR} rx="2" />`
        }
      </g>`;
    })}
  </svg>`;
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];

function ticks(seconds, width) {
  const most = Math.max(2, Math.floor(width / 110));
  const step = STEPS.find((size) => seconds / size <= most) ?? Math.ceil(seconds / most / 86400) * 86400;
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, at) => at * step).filter(
    (second) => second === 0 || seconds - second > step * 0.25,
  );
}

const tickName = (second) => (second ? duration(second).replace(" 0 s", "").replace(".0", "") : "0");

function describe(bar) {
  const { task } = bar;
  const where = `${task.stage}, ${task.chunk < 0 ? "whole job" : `chunk ${task.chunk}`}, attempt ${bar.number}`;
  if (!bar.started_at) return `${where}: has waited ${duration(secondsBetween(bar.queued_at))} for a worker.`;
  const waited = bar.queued_at ? `waited ${duration(secondsBetween(bar.queued_at, bar.started_at))}, ` : "";
  const took = `${bar.ended_at ? "took" : "has run"} ${duration(secondsBetween(bar.started_at, bar.ended_at))}`;
  const why = bar.error ? ` ${bar.error.message ?? bar.error.code}` : "";
  return `${where}: ${waited}${took}, ${bar.outcome.replace("_", " ")}${bar.worker ? `, by ${bar.worker}` : ""}.${why}`;
}
