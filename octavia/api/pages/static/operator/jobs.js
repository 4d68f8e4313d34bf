// The list of jobs: a filter that stands in the address, pages, a selection, and actions on it or on all that match.
import { html, useEffect, useState } from "../vendored/preact-htm.js";
import { get } from "../shared/api.js";
import { useStore } from "../shared/store.js";
import { NOTHING, count, duration, plural, secondsBetween, short } from "../shared/words.js";
import { ActionButtons } from "./actions.js";
import { FilterField } from "./filters.js";
import { overview } from "./live.js";
import { Badge, Empty, Heading, Loaded, Progress, Table, When, announce, useFresh } from "./parts.js";
import { go, link } from "./route.js";

const PAGE = 50;
const STATES = ["queued", "processing", "completed", "failed", "canceled"];

export function Jobs({ query }) {
  const filter = query.filter ?? "";
  const { cursor } = query;
  const jobs = useFresh((signal) => get("operator/jobs", { filter, limit: PAGE, cursor }, signal), 5, [filter, cursor]);
  const [selected, select] = useState(new Set());
  useEffect(() => select(new Set()), [filter]);
  const total = jobs.data?.total;
  useEffect(() => {
    if (!jobs.loading && jobs.data) announce(plural(total, "job matches", "jobs match"));
  }, [total, jobs.loading]);
  const wrong = ["unknown_filter_word", "invalid_filter"].includes(jobs.error?.code) ? jobs.error : null;
  const number = jobs.data && `${count(total)}${jobs.data.capped ? "+" : ""}`;
  const done = () => {
    select(new Set());
    jobs.reload();
  };
  return html`
    <${Heading} title="Jobs" note=${jobs.data && !wrong && `${number} match`} />
    <${FilterField} value=${filter} error=${wrong} apply=${(text) => go("jobs", { filter: text })} />
    <${States} filter=${filter} />
    <div class="toolbar" aria-label="Selected jobs" role="region">
      <span>${selected.size ? `${count(selected.size)} selected` : total ? `All ${number} that match` : "None"}</span>
      ${selected.size > 0 && html`<button class="quiet" onClick=${() => select(new Set())}>Select none</button>`}
      <${ActionButtons}
          on=${selected.size ? { ids: [...selected] } : { filter }}
          disabled=${Boolean(wrong) || (!selected.size && !total)} done=${done} />
    </div>
    ${
      wrong
        ? null
        : html`<${Loaded} from=${jobs}>${(
            data,
          ) => html`<${JobTable} jobs=${data.jobs} selected=${selected} select=${select} busy=${jobs.loading} />
      <nav class="row end" aria-label="Pages">
        ${cursor && html`<a class="button" href=${link("jobs", { filter })}>Newest</a>`}
        ${
          data.next_cursor &&
          html`<a
            class="button" href=${link("jobs", { filter, cursor: data.next_cursor })}>Older</a>`
        }
      </nav>`}<//>`
    }
  `;
}

// Replaces what the filter says of the status, and keeps the rest of it.
function States({ filter }) {
  const jobs = useStore(overview)?.jobs ?? {};
  const terms = filter.match(/(?:"(?:\\.|[^"\\])*"?|[^\s"])+/g) ?? [];
  const rest = terms.filter((term) => !term.startsWith("status:"));
  const now = terms.find((term) => term.startsWith("status:"))?.slice("status:".length) ?? "";
  const filtered = (name) => [...rest, name && `status:${name}`].filter(Boolean).join(" ");
  const number = (name) => (jobs[name] === undefined ? "" : html` <span class="muted">${count(jobs[name])}</span>`);
  const tab = (name, text) => html`<li>
    <a href=${link("jobs", { filter: filtered(name) })} aria-current=${now === name ? "true" : undefined}>
      ${text}${number(name)}</a>
  </li>`;
  return html`<ul class="tabs" aria-label="Status">${tab("", "All")}${STATES.map((name) => tab(name, name))}</ul>`;
}

function JobTable({ jobs, selected, select, busy }) {
  if (!jobs.length) return html`<${Empty}>No job matches.<//>`;
  const all = jobs.every(({ id }) => selected.has(id));
  const toggle = (ids, on) => {
    const next = new Set(selected);
    for (const id of ids) on ? next.add(id) : next.delete(id);
    select(next);
  };
  const columns = [
    [
      html`<input type="checkbox" aria-label="Select this page" checked=${all} onChange=${(event) =>
        toggle(
          jobs.map(({ id }) => id),
          event.target.checked,
        )} />`,
      (job) =>
        html`<input
            type="checkbox" aria-label=${`Select ${job.name || short(job.id)}`} checked=${selected.has(job.id)}
            onChange=${(event) => toggle([job.id], event.target.checked)} />`,
      "check",
    ],
    [
      "Job",
      (job) =>
        html`<a
            class="name" href=${link(`jobs/${job.id}`)}>${job.name || "Text"}</a> <code
                class="muted small" title=${job.id}>${short(job.id)}</code>`,
      "main",
    ],
    ["Owner", (job) => job.owner],
    ["Type", (job) => html`${job.type} <span class="muted small nowrap">${languages(job)}</span>`, "nowrap"],
    ["Status", (job) => html`<${JobState} job=${job} />`],
    [
      "Error",
      (job) =>
        job.error
          ? html`<code class="small" title=${job.error.message}>${job.error.code}</code>`
          : html`<span class="muted">${NOTHING}</span>`,
    ],
    ["Created", (job) => html`<${When} at=${job.created_at} />`, "nowrap"],
    ["Took", (job) => duration(took(job)), "number"],
  ];
  return html`<div aria-busy=${String(busy)}><${Table}
      caption="Jobs, newest first" columns=${columns} rows=${jobs} keyOf=${(job) => job.id}
      rowClass=${(job) => (selected.has(job.id) ? "selected" : "")} /></div>`;
}

export const languages = (job) => [job.source_language, job.target_language].filter(Boolean).join(" → ");

export const took = (job) => (job.started_at ? secondsBetween(job.started_at, job.finished_at) : null);

export const JobState = ({ job }) => html`<${Badge} state=${job.status} />
  ${
    job.status === "processing" &&
    html`<span class="small muted nowrap">${job.stage}</span> <${Progress}
      of=${job.progress ?? 0} label="Progress" />`
  }
  ${job.priority !== "normal" && html` <span class="small muted nowrap">${job.priority} priority</span>`}`;
