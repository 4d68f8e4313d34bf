// Why jobs failed, most frequent reason first, with some jobs of each.
import { html } from "../vendored/preact-htm.js";
import { get } from "../shared/api.js";
import { count, plural, short } from "../shared/words.js";
import { ActionButtons } from "./actions.js";
import { quote } from "./filters.js";
import { Empty, Heading, Loaded, Segments, When, useFresh } from "./parts.js";
import { go, link } from "./route.js";

const WINDOWS = [
  ["1h", "Last hour"],
  ["24h", "Last day"],
];

export function Failures({ query }) {
  const window = query.window === "1h" ? "1h" : "24h";
  const failures = useFresh((signal) => get("operator/failures", { window }, signal), 10, [window]);
  const total = failures.data?.codes.reduce((sum, code) => sum + code.count, 0);
  return html`<${Heading} title="Failures" note=${failures.data && plural(total, "job")}>
      <${Segments}
          label="Period" options=${WINDOWS} value=${window}
          choose=${(value) => go("failures", { window: value }, { replace: true })} />
    <//>
    <${Loaded} from=${failures}>${({ codes }) =>
      codes.length === 0
        ? html`<${Empty}>No job has failed in this time.<//>`
        : html`<ul class="failures">${codes.map(
            (code) => html`<${Code}
            key=${code.code} of=${code} total=${total} reload=${failures.reload} />`,
          )}</ul>`}<//>`;
}

function Code({ of, total, reload }) {
  const filter = `status:failed code:${quote(of.code)}`;
  return html`<li class="card">
    <div class="heading"><h2><code>${of.code}</code></h2><span>${plural(of.count, "job")}</span>
      <div class="row end"><a class="button" href=${link("jobs", { filter })}>Show all</a><${ActionButtons}
          on=${{ filter }} only=${["retry"]} done=${reload} /></div></div>
    <meter
        min="0" max=${total} value=${of.count} aria-label=${`${count(of.count)} of ${count(total)} failures`}></meter>
    <ul class="lines">${of.samples.map(
      (sample) => html`<li><a href=${link(`jobs/${sample.job_id}`)}><code>${short(sample.job_id)}</code></a>
        <span class="breakable">${sample.message}</span>
        <span class="muted small">${sample.stage} · ${sample.owner} · <${When} at=${sample.finished_at} /></span></li>`,
    )}</ul>
  </li>`;
}
