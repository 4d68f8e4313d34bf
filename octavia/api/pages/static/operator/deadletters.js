// Messages that no worker could take: to look at, to queue again, or to throw away.
import { html, useState } from "../vendored/preact-htm.js";
import { get, post } from "../shared/api.js";
import { may } from "../shared/session.js";
import { useStore } from "../shared/store.js";
import { NOTHING, plural, short } from "../shared/words.js";
import { CountedDialog } from "./actions.js";
import { Dialog } from "./dialogs.js";
import { overview, refresh } from "./live.js";
import { Empty, Heading, Loaded, Table, When, announce, useFresh } from "./parts.js";
import { go, link } from "./route.js";

const VERBS = { requeue: ["Requeue", "queued again"], purge: ["Purge", "thrown away"] };

export function DeadLetters({ query }) {
  const { queue } = query;
  const now = useStore(overview);
  const letters = useFresh((signal) => get("operator/dead-letters", { queue, limit: 100 }, signal), 15, [
    queue,
    now?.dead_letters,
  ]);
  const queues = now?.queues ?? [];
  const [selected, select] = useState(new Set());
  const [opened, open] = useState(null);
  const [action, begin] = useState(null);
  const locked = !may("operate:write");
  const total = letters.data?.total ?? 0;
  const on = selected.size ? { ids: [...selected] } : { ...(queue && { queue }) };
  const done = () => {
    select(new Set());
    letters.reload();
    refresh().catch(() => {});
  };
  return html`<${Heading} title="Dead letters" note=${letters.data && plural(total, "message")} />
    <div class="toolbar" role="region" aria-label="Selected messages">
      <label class="inline">Queue <select
          value=${queue ?? ""}
          onChange=${(event) => (select(new Set()), go("dead-letters", { queue: event.target.value }))}>
        <option value="" selected=${!queue}>all</option>${queues.map(
          ({ name }) => html`<option
            value=${name} selected=${name === queue}>${name}</option>`,
        )}</select></label>
      <span>${selected.size ? `${selected.size} selected` : total ? `All ${total}` : ""}</span>
      <div class="row" role="group" aria-label="Actions">${Object.entries(VERBS).map(
        ([name, [verb]]) =>
          html`<button
              class=${name === "purge" ? "danger" : ""} disabled=${locked || !total}
              title=${locked ? "Your key lacks the scope operate:write." : undefined}
              onClick=${() => begin(name)}>${verb}</button>`,
      )}</div>
    </div>
    <${Loaded} from=${letters}>${(data) =>
      data.dead_letters.length
        ? html`<${LetterTable} letters=${data.dead_letters} selected=${selected} select=${select} open=${open} />`
        : html`<${Empty}>There are none.<//>`}<//>
    ${opened && html`<${Letter} id=${opened} close=${() => open(null)} />`}
    ${
      action &&
      html`<${CountedDialog} verb=${VERBS[action][0]} things=${["message", "messages"]} danger=${action === "purge"} close=${() => begin(null)}
      attempt=${(more) => send(action, { ...on, ...more })}
      told=${({ count }) => `${plural(count, "message")} ${VERBS[action][1]}.`}
      finish=${({ count }) => (announce(`${plural(count, "message")} ${VERBS[action][1]}.`), done())}>
      ${action === "purge" && html`<p>Messages that are thrown away cannot be had again.</p>`}
    <//>`
    }`;
}

async function send(action, order) {
  const answer = await post(`operator/dead-letters/${action}`, order);
  const told = (message) => (id) => ({ id, message });
  const left = answer.left.map(told("No worker of this release can read it."));
  return { ...answer, skipped: [...left, ...answer.missing.map(told("It is no longer there."))] };
}

function LetterTable({ letters, selected, select, open }) {
  const toggle = (id, on) => {
    const next = new Set(selected);
    on ? next.add(id) : next.delete(id);
    select(next);
  };
  const columns = [
    [
      html`<span class="visually-hidden">Selected</span>`,
      ({ id }) =>
        html`<input
            type="checkbox" aria-label=${`Select message ${short(String(id))}`} checked=${selected.has(id)}
            onChange=${(event) => toggle(id, event.target.checked)} />`,
      "check",
    ],
    ["Queue", ({ queue }) => html`<span class="swatch" data-stage=${queue}></span>${queue}`],
    ["Reason", ({ reason }) => html`<span class="breakable">${reason || NOTHING}</span>`, "main"],
    [
      "Job",
      ({ job_id }) => (job_id ? html`<a href=${link(`jobs/${job_id}`)}><code>${short(job_id)}</code></a>` : NOTHING),
    ],
    [
      "Stage",
      ({ actor, stage, chunk }) =>
        `${stage ?? actor ?? NOTHING}${chunk >= 0 && chunk !== null ? `, chunk ${chunk}` : ""}`,
    ],
    ["Since", ({ at }) => html`<${When} at=${at} />`, "nowrap"],
    [
      html`<span class="visually-hidden">Details</span>`,
      ({ id }) =>
        html`<button
            class="small" aria-label=${`Show message ${short(String(id))}`} onClick=${() => open(id)}>Show</button>`,
      "actions",
    ],
  ];
  return html`<${Table} caption="Dead letters" columns=${columns} rows=${letters} keyOf=${({ id }) => id} />`;
}

function Letter({ id, close }) {
  const letter = useFresh((signal) => get(`operator/dead-letters/${encodeURIComponent(id)}`, {}, signal), 60, [id]);
  return html`<${Dialog} title="Dead letter" close=${close} wide>
    <${Loaded} from=${letter}>${({ headers, body, body_is_whole, ...facts }) => html`
      <p class="breakable">${facts.reason}</p>
      <h3>Message</h3>
      <pre tabindex="0">${body}${!body_is_whole && " …"}</pre>
      <h3>Headers</h3>
      <pre tabindex="0">${JSON.stringify(headers, null, 2)}</pre>
    `}<//>
    <div class="row end"><button class="primary" autofocus onClick=${close}>Close</button></div>
  <//>`;
}
