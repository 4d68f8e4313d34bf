// What runs by itself: the scheduler's rounds, and the outbox from which messages go to RabbitMQ.
import { html } from "../vendored/preact-htm.js";
import { get } from "../shared/api.js";
import { count, duration, secondsBetween } from "../shared/words.js";
import { Badge, Empty, Heading, Loaded, Table, When, useFresh } from "./parts.js";

export function Maintenance() {
  const rounds = useFresh((signal) => get("operator/scheduler", {}, signal), 5, []);
  const outbox = useFresh((signal) => get("operator/outbox", {}, signal), 5, []);
  return html`<${Heading} title="Maintenance" />
    <section aria-labelledby="rounds-title"><h2 id="rounds-title">Scheduler's rounds</h2>
      ${
        rounds.data?.late &&
        html`<p
          class="notice warn" role="status">The scheduler is late. Does <code>octavia scheduler</code> run?</p>`
      }
      <${Loaded} from=${rounds}>${(data) =>
        data.rounds.length
          ? html`<${Table}
              caption="Scheduler's rounds" columns=${ROUNDS} rows=${data.rounds}
              keyOf=${({ actor }) => actor} />`
          : html`<${Empty}>No round has been written down yet. Does <code>octavia scheduler</code> run?<//>`}<//></section>
    <section aria-labelledby="outbox-title"><h2 id="outbox-title">Outbox</h2>
      <${Loaded} from=${outbox}>${(data) =>
        data.queues.length
          ? html`<${Table} caption="Outbox" columns=${OUTBOX} rows=${data.queues} keyOf=${({ queue }) => queue} />`
          : html`<${Empty}>Nothing waits to be published.<//>`}<//></section>`;
}

function RoundState({ round }) {
  if (round.error) return html`<${Badge} state="failed" /> <span class="small breakable">${round.error}</span>`;
  if (!round.started_at) return html`<${Badge} state="queued">scheduled<//>`;
  return round.finished_at ? html`<${Badge} state="completed" />` : html`<${Badge} state="running" />`;
}

const told = (result) =>
  Object.entries(result ?? {})
    .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(", ");

const ROUNDS = [
  ["Work", ({ actor }) => html`<strong>${actor.replaceAll("_", " ")}</strong>`, "nowrap"],
  ["Due", ({ every }) => html`<code class="small nowrap">${every}</code>`],
  ["Scheduled", ({ scheduled_at }) => html`<${When} at=${scheduled_at} />`, "nowrap"],
  ["Finished", ({ finished_at }) => html`<${When} at=${finished_at} />`, "nowrap"],
  [
    "Took",
    ({ started_at, finished_at }) =>
      duration(started_at && finished_at ? secondsBetween(started_at, finished_at) : null),
    "number",
  ],
  [
    "Result",
    (round) => html`<${RoundState} round=${round} /> <span class="small muted breakable">${told(round.result)}</span>`,
  ],
];

const OUTBOX = [
  ["Queue", ({ queue }) => html`<span class="swatch" data-stage=${queue}></span><strong>${queue}</strong>`],
  ["Waiting", ({ waiting }) => count(waiting), "number"],
  ["Due", ({ due }) => count(due), "number"],
  ["Being published", ({ leased }) => count(leased), "number"],
  ["Oldest", ({ oldest_seconds }) => duration(oldest_seconds || null), "number"],
];
