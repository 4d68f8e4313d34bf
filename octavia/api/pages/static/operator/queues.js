// The queues with what waits in them, and the orders to pause, drain and resume.
import { html, useState } from "../vendored/preact-htm.js";
import { call, post } from "../shared/api.js";
import { may } from "../shared/session.js";
import { count, duration } from "../shared/words.js";
import { Dialog, useAction } from "./dialogs.js";
import { refresh } from "./live.js";
import { Badge, ProblemBox, Table, When } from "./parts.js";
import { link } from "./route.js";

export function QueueTable({ queues }) {
  const [order, begin] = useState(null);
  const columns = [
    ["Queue", (queue) => html`<span class="swatch" data-stage=${queue.name}></span><strong>${queue.name}</strong>`],
    ["Waiting", (queue) => count(queue.depth), "number"],
    ["Running", (queue) => count(queue.running), "number"],
    ["Retrying", (queue) => count(queue.waiting_retry), "number wide"],
    ["Oldest", (queue) => duration(queue.oldest_seconds || null), "number"],
    [
      "Workers",
      (queue) =>
        html`<span data-bad=${queue.depth > 0 && queue.workers === 0 ? "" : undefined}>${count(queue.workers)}</span>`,
      "number",
    ],
    ["Unacked", (queue) => count(queue.unacked), "number wide"],
    [
      "Dead letters",
      (queue) =>
        queue.dead_letters
          ? html`<a href=${link("dead-letters", { queue: queue.name })}>${count(queue.dead_letters)}</a>`
          : count(queue.dead_letters),
      "number wide",
    ],
    ["State", (queue) => html`<${QueueState} queue=${queue} />`],
    [
      html`<span class="visually-hidden">Orders</span>`,
      (queue) => html`<${Orders} queue=${queue} begin=${begin} />`,
      "actions",
    ],
  ];
  return html`
    <${Table} caption="Queues" columns=${columns} rows=${queues} keyOf=${(queue) => queue.name} />
    ${order && html`<${PauseDialog} ...${order} close=${() => begin(null)} />`}
  `;
}

const DONE = { pause: "paused", drain: "drained" };
const DOING = { pause: "pausing", drain: "draining" };

function QueueState({ queue }) {
  if (queue.pause) {
    const { mode, standing, everywhere, hosts, orders } = queue.pause;
    const state = (standing || !everywhere ? DONE : DOING)[mode];
    const where = everywhere ? "" : ` on ${hosts.join(", ")}`;
    const why = orders.map(({ by, reason }) => [by, reason].filter(Boolean).join(" · ")).join("; ");
    return html`<${Badge} state=${DONE[mode]}>${state}${where}<//> <span class="muted small breakable">${why}</span>`;
  }
  if (queue.depth > 0 && queue.workers === 0) return html`<${Badge} state="failing">no worker<//>`;
  return html`<${Badge} state=${queue.running ? "working" : "idle"} />`;
}

function Orders({ queue, begin }) {
  const locked = may("operate:write") ? undefined : "Your key lacks the scope operate:write.";
  // Orders about all queues of a host are listed below the table, with buttons of their own.
  const own = (queue.pause?.orders ?? []).filter((order) => order.queue === queue.name);
  const resume = useAction(() => resumeWork(own));
  const button = (text, run) =>
    html`<button
      class="small"
      disabled=${Boolean(locked) || resume.busy}
      title=${locked}
      aria-label=${`${text} ${queue.name}`}
      onClick=${run}
    >
      ${text}
    </button>`;
  return html`<div class="row end">
    ${
      own.length
        ? button("Resume", resume.run)
        : html`${button("Pause", () => begin({ queue: queue.name, mode: "pause" }))}
          ${button("Drain", () => begin({ queue: queue.name, mode: "drain" }))}`
    }
    ${
      queue.console_url &&
      html`<a
        class="small"
        href=${queue.console_url}
        target="_blank"
        rel="noreferrer"
        aria-label=${`${queue.name} in RabbitMQ's console`}
        >Console</a
      >`
    }
    <${ProblemBox} error=${resume.error} />
  </div>`;
}

async function resumeWork(orders) {
  for (const { id } of orders) await call("DELETE", `operator/pauses/${id}`);
  await refresh();
}

const WORDS = {
  pause: ["Pause", "Workers finish the task in hand, keep their models loaded, and take no more until it is resumed."],
  drain: ["Drain", "Workers finish the task in hand and end. Others start when it is resumed."],
};

export function PauseDialog({ queue, host, mode, close }) {
  const [reason, type] = useState("");
  const [verb, text] = WORDS[mode];
  const order = useAction(async () => {
    await post("operator/pauses", { ...(queue && { queue }), ...(host && { host }), mode, reason });
    await refresh();
    close();
  });
  return html`<${Dialog} title=${`${verb} ${queue ?? `the workers of ${host}`}?`} close=${close}>
    <form class="stack" onSubmit=${order.submit}>
      <p class="muted">${text}</p>
      <label class="field">Reason (others see it)
        <input
            name="reason" maxlength="500" value=${reason} onInput=${(event) => type(event.target.value)}
            autofocus /></label>
      <${ProblemBox} error=${order.error} />
      <div class="row end"><button type="button" onClick=${close}>Cancel</button>
        <button class="primary" disabled=${order.busy}>${verb}</button></div>
    </form>
  <//>`;
}

// Orders that concern hosts have no row among the queues.
export function Pauses({ pauses }) {
  const hosts = pauses.filter(({ queue }) => !queue);
  const resume = useAction(resumeWork);
  if (!hosts.length) return null;
  return html`<ul class="lines">
    ${hosts.map(
      (pause) => html`<li><${Badge} state=${DONE[pause.mode]} />
        <span>${pause.queue || "All queues"} on ${pause.host || "every host"}, ordered by ${pause.by} <${When}
            at=${pause.created_at} />
        ${pause.reason && `: ${pause.reason}`}</span>
        <button
            class="small" disabled=${!may("operate:write") || resume.busy} onClick=${() => resume.run([pause])}>Resume</button></li>`,
    )}
    <${ProblemBox} error=${resume.error} />
  </ul>`;
}
