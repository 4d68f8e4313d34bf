// The workers: where they run, what they have in hand, and whether they are still heard of.
import { html, useRef, useState } from "../vendored/preact-htm.js";
import { get } from "../shared/api.js";
import { may } from "../shared/session.js";
import { NOTHING, bytes, duration, plural, secondsBetween, short } from "../shared/words.js";
import { Badge, Empty, Heading, Loaded, Table, useFresh } from "./parts.js";
import { PauseDialog } from "./queues.js";
import { link } from "./route.js";

export function Workers() {
  const workers = useFresh((signal) => get("operator/workers", {}, signal), 2, []);
  return html`<${Heading} title="Workers" note=${workers.data && plural(workers.data.workers.length, "worker")} />
    <${Loaded} from=${workers}>${(data) => html`<${Hosts} workers=${data.workers} />`}<//>`;
}

// A worker that ends is listed no longer: here it stays for a while, so that nobody overlooks it.
const SHOWN_SECONDS = 60;

function useGone(workers) {
  const seen = useRef(new Map());
  const now = Date.now();
  for (const worker of workers) seen.current.set(worker.id, { worker, at: now });
  const listed = new Set(workers.map(({ id }) => id));
  for (const [id, { at }] of seen.current) if (now - at > SHOWN_SECONDS * 1000) seen.current.delete(id);
  const gone = [...seen.current].filter(([id]) => !listed.has(id));
  return gone.map(([, { worker, at }]) => ({
    ...worker,
    state: "gone",
    task: null,
    silent_seconds: worker.silent_seconds + (now - at) / 1000,
  }));
}

function Hosts({ workers: living }) {
  const [order, begin] = useState(null);
  const workers = [...living, ...useGone(living)];
  if (!workers.length) return html`<${Empty}>No worker runs. Start one with <code>octavia worker</code>.<//>`;
  const hosts = [...new Set(workers.map(({ host }) => host))].sort();
  const locked = !may("operate:write");
  return html`${hosts.map((host) => {
    const mine = workers.filter((worker) => worker.host === host);
    const button = (
      verb,
      mode,
    ) => html`<button class="small" disabled=${locked} title=${locked ? "Your key lacks the scope operate:write." : undefined}
      aria-label=${`${verb} ${host}`} onClick=${() => begin({ host, mode })}>${verb}</button>`;
    return html`<section key=${host} aria-label=${`Workers on ${host}`}>
      <div class="heading"><h2>${host}</h2><span class="muted">${plural(mine.filter(({ state }) => state !== "gone").length, "worker")}</span>
        <div class="row end">${button("Pause host", "pause")}${button("Drain host", "drain")}</div></div>
      <${Table} caption=${`Workers on ${host}`} columns=${COLUMNS} rows=${mine} keyOf=${({ id }) => id} />
    </section>`;
  })}
  ${order && html`<${PauseDialog} ...${order} close=${() => begin(null)} />`}`;
}

const COLUMNS = [
  [
    "Queues",
    ({ queues }) =>
      (Array.isArray(queues) ? queues : [queues]).map(
        (name) => html`<span class="nowrap"><span class="swatch" data-stage=${name}></span>${name}</span> `,
      ),
  ],
  ["Process", ({ pid }) => html`<code>${pid ?? NOTHING}</code>`, "number"],
  ["State", ({ state }) => html`<${Badge} state=${state} />`],
  ["In hand", (worker) => html`<${InHand} task=${worker.task} />`, "main"],
  ["For", ({ task }) => duration(task ? secondsBetween(task.since) : null), "number"],
  ["Memory", ({ memory_bytes }) => bytes(memory_bytes), "number"],
  [
    "Heard of",
    ({ silent_seconds }) =>
      silent_seconds === null ? NOTHING : silent_seconds < 2 ? "now" : `${duration(silent_seconds)} ago`,
    "number",
  ],
  ["Release", ({ release }) => release || NOTHING],
];

const InHand = ({ task }) =>
  task
    ? html`<a href=${link(`jobs/${task.job_id}`)}><code>${short(task.job_id)}</code></a> <span class="nowrap"><span
        class="swatch" data-stage=${task.stage}></span>${task.stage}</span>${" "}
        <span class="muted small nowrap">${task.chunk < 0 ? "" : `chunk ${task.chunk}, `}attempt ${task.attempt} · ${task.owner}</span>`
    : html`<span class="muted">${NOTHING}</span>`;
