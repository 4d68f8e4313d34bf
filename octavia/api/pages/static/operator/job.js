// One job: what became of it and why, who did which part of it, and what can be done.
import { html, useState } from "../vendored/preact-htm.js";
import { ROOT, get } from "../shared/api.js";
import { NOTHING, duration, plural, secondsBetween } from "../shared/words.js";
import { ActionButtons } from "./actions.js";
import { quote } from "./filters.js";
import { JobState, languages, took } from "./jobs.js";
import { Badge, Heading, Loaded, Segments, Table, When, useFresh } from "./parts.js";
import { link } from "./route.js";
import { Timeline, spans } from "./timeline.js";

const ENDED = ["completed", "failed", "canceled"];

export function JobPage({ id }) {
  const [pause, adapt] = useState(2);
  const job = useFresh(
    async (signal) => {
      const found = await get(`operator/jobs/${encodeURIComponent(id)}`, {}, signal);
      adapt(ENDED.includes(found.status) ? 15 : 2);
      return found;
    },
    pause,
    [id, pause],
  );
  return html`<p class="crumbs"><a href=${link("jobs")}>Jobs</a></p>
    <${Loaded} from=${job}>${(data) => html`<${Details} job=${data} reload=${job.reload} />`}<//>`;
}

function Details({ job, reload }) {
  const runs = [...new Set(job.tasks.map(({ run }) => run))].sort((one, other) => one - other);
  const [chosen, choose] = useState(null);
  const run = runs.includes(chosen) ? chosen : runs.at(-1);
  const tasks = job.tasks.filter((task) => task.run === run);
  const only = ENDED.includes(job.status) ? ["retry", "delete"] : ["cancel", "prioritize", "delete"];
  return html`
    <${Heading} title=${job.name || "Text"}><${ActionButtons} on=${{ ids: [job.id] }} only=${only} done=${reload} /><//>
    <dl class="facts">
      <${Fact} name="Status"><${JobState} job=${job} /><//>
      <${Fact} name="Id"><code class="breakable">${job.id}</code><//>
      <${Fact} name="Owner"><a href=${link("jobs", { filter: `owner:${quote(job.owner)}` })}>${job.owner}</a><//>
      <${Fact} name="Type">${job.type} ${languages(job)}<//>
      <${Fact} name="Created"><${When} at=${job.created_at} /><//>
      <${Fact} name="Took">${duration(took(job))}<//>
      <${Fact} name="Log"><a href=${log(job)}>The job's own story</a><//>
      ${Object.entries(job.metadata).map(
        ([name, value]) => html`<${Fact} name=${name}><span class="breakable">${plain(value)}</span><//>`,
      )}
    </dl>
    ${
      job.error &&
      html`<div
          class="problem" role="note"><strong>${job.error.message}</strong> ${job.error.hint && html`<span>${job.error.hint}</span>`}
      <a href=${link("jobs", { filter: `code:${quote(job.error.code)}` })}><code>${job.error.code}</code></a></div>`
    }
    <section aria-labelledby="timeline-title">
      <div class="heading"><h2 id="timeline-title">Timeline</h2>
        <span class="muted">${plural(chunks(tasks), "chunk")}, ${plural(workers(tasks), "worker")}</span>
        <div class="row end">${
          runs.length > 1 &&
          html`<${Segments}
            label="Run" options=${runs.map((number) => [number, `Run ${number}`])} value=${run}
            choose=${choose} />`
        }</div>
      </div>
      <${Timeline} tasks=${tasks} />
      ${!job.tasks_complete && html`<p class="muted small">The job has more tasks than are shown here.</p>`}
    </section>
    <section aria-labelledby="attempts-title"><h2 id="attempts-title">Attempts</h2><${Attempts} tasks=${tasks} /></section>
  `;
}

const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

const chunks = (tasks) => new Set(tasks.map(({ chunk }) => chunk).filter((chunk) => chunk >= 0)).size;

const workers = (tasks) =>
  new Set(tasks.flatMap((task) => spans(task).map(({ worker }) => worker)).filter(Boolean)).size;

// The API's path without what it knows of a proxy: this page may know better.
const log = (job) => new URL(job.log_url.slice(job.log_url.indexOf("api/v1/")), ROOT).href;

const Fact = ({ name, children }) => html`<div><dt>${name}</dt><dd>${children}</dd></div>`;

// Success is the rule: only what differs from it stands out.
const Outcome = ({ of }) =>
  of === "completed"
    ? html`<span class="muted">completed</span>`
    : html`<${Badge} state=${of}>${of.replace("_", " ")}<//>`;

function Attempts({ tasks }) {
  const rows = tasks.flatMap((task) => spans(task).map((span) => ({ ...span, task })));
  rows.sort((one, other) => Date.parse(one.started_at) - Date.parse(other.started_at));
  if (!rows.length) return html`<p class="empty">None yet.</p>`;
  const columns = [
    ["Stage", ({ task }) => html`<span class="swatch" data-stage=${task.stage}></span>${task.stage}`],
    ["Chunk", ({ task }) => (task.chunk < 0 ? "all" : task.chunk), "number"],
    ["Attempt", ({ number }) => number, "number"],
    [
      "Worker",
      ({ worker }) =>
        worker
          ? html`<a class="breakable small" href=${link("jobs", { filter: `worker:${quote(worker)}` })}>${worker}</a>`
          : NOTHING,
    ],
    [
      "Waited",
      ({ queued_at, started_at }) => duration(queued_at ? secondsBetween(queued_at, started_at) : null),
      "number",
    ],
    ["Took", ({ started_at, ended_at }) => duration(secondsBetween(started_at, ended_at)), "number"],
    [
      "Outcome",
      ({ outcome, error }) =>
        html`<${Outcome} of=${outcome} /> ${
          error &&
          html`<span
            class="small" title=${error.code}>${error.message ?? error.code}</span>`
        }`,
    ],
  ];
  return html`<${Table}
      caption="Attempts in order" columns=${columns} rows=${rows}
      keyOf=${(row) => `${row.task.id}/${row.number}`} />`;
}
