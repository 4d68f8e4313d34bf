// What is going on now: jobs, queues and orders to pause, then charts of the last hour or day.
import { html } from "../vendored/preact-htm.js";
import { count, duration, plural } from "../shared/words.js";
import { useStore } from "../shared/store.js";
import { StatisticsCharts } from "./charts.js";
import { overview } from "./live.js";
import { Empty, Heading } from "./parts.js";
import { Pauses, QueueTable } from "./queues.js";
import { link } from "./route.js";

export function Overview({ query }) {
  const now = useStore(overview);
  return html`
    <${Heading} title="Overview" note=${now && `${now.release} · ${now.database} · ${now.broker}`} />
    ${now ? html`<${Figures} now=${now} /><${Queues} now=${now} />` : html`<${Empty}>Loading …<//>`}
    <${StatisticsCharts} window=${query.window === "24h" ? "24h" : "1h"} />
  `;
}

const Queues = ({ now }) => html`
  <section aria-labelledby="queues-title">
    <h2 id="queues-title">Queues</h2>
    <${QueueTable} queues=${now.queues} />
    <${Pauses} pauses=${now.pauses} />
  </section>`;

function Figures({ now }) {
  const { jobs, workers, outbox } = now;
  const waiting = (jobs.pending ?? 0) + (jobs.queued ?? 0);
  const people = Object.values(workers).reduce((sum, number) => sum + number, 0);
  const figures = [
    ["Waiting", waiting, link("jobs", { filter: "status:queued" })],
    ["Processing", jobs.processing ?? 0, link("jobs", { filter: "status:processing" })],
    ["Completed", jobs.completed ?? 0, link("jobs", { filter: "status:completed" })],
    ["Failed", jobs.failed ?? 0, link("jobs", { filter: "status:failed" }), jobs.failed ? "bad" : ""],
    ["Workers", people, link("workers"), workers.failing ? "bad" : "", describe(workers)],
    [
      "Outbox",
      outbox.waiting,
      link("maintenance"),
      outbox.oldest_seconds > 30 ? "bad" : "",
      outbox.oldest_seconds ? `oldest ${duration(outbox.oldest_seconds)}` : "",
    ],
    ["Dead letters", now.dead_letters, link("dead-letters"), now.dead_letters ? "bad" : ""],
  ];
  return html`<ul class="figures" aria-label="Jobs and workers">
    ${figures.map(
      ([name, number, href, state, note]) => html`<li data-state=${state}>
        <a href=${href}><span class="name">${name}</span><span class="number">${count(number)}</span>
        <span class="note">${note}</span></a>
      </li>`,
    )}
  </ul>`;
}

const describe = (workers) =>
  ["working", "paused", "failing"]
    .filter((state) => workers[state])
    .map((state) => `${workers[state]} ${state}`)
    .join(", ") || (workers.idle ? plural(workers.idle, "idle", "idle") : "");
