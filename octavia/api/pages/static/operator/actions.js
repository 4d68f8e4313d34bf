// Actions on jobs: first a dry run that counts, then a dialog that asks, then the action on just that many.
import { html, useEffect, useState } from "../vendored/preact-htm.js";
import { post } from "../shared/api.js";
import { may } from "../shared/session.js";
import { plural, short } from "../shared/words.js";
import { Dialog, useAction } from "./dialogs.js";
import { refresh } from "./live.js";
import { ProblemBox, announce } from "./parts.js";
import { link } from "./route.js";

const VERBS = { retry: "Retry", cancel: "Cancel", delete: "Delete", prioritize: "Set the priority of" };
const DONE = { retry: "queued again", cancel: "canceled", delete: "deleted", prioritize: "changed" };
const LOCKED = "Your key lacks the scope operate:write.";

// `on`: {ids} or {filter}, as the API takes them.
export function ActionButtons({ on, disabled, done, only = Object.keys(VERBS) }) {
  const [action, begin] = useState(null);
  const locked = !may("operate:write");
  return html`<div class="row" role="group" aria-label="Actions">
    ${only.map(
      (
        name,
      ) => html`<button class=${name === "delete" ? "danger" : ""} disabled=${disabled || locked} title=${locked ? LOCKED : undefined}
        onClick=${() => begin(name)}>${name === "prioritize" ? "Priority" : VERBS[name]}</button>`,
    )}
    ${locked && html`<span class="muted small">${LOCKED}</span>`}
    ${action && html`<${ActionDialog} action=${action} on=${on} done=${done} close=${() => begin(null)} />`}
  </div>`;
}

function ActionDialog({ action, on, close, done }) {
  const [priority, choose] = useState("high");
  const order = { action, ...on, ...(action === "prioritize" && { priority }) };
  return html`<${CountedDialog} verb=${VERBS[action]} things=${["job", "jobs"]} danger=${action === "delete"} close=${close}
    attempt=${(more) => post("operator/actions", { ...order, ...more })}
    finish=${(result) => {
      announce(`${plural(result.count, "job")} ${DONE[action]}.`);
      refresh().catch(() => {});
      done?.(result);
    }}
    told=${(result) => `${plural(result.count, "job")} ${DONE[action]}.`}
    inputs=${[priority]}>
    ${
      action === "prioritize" &&
      html`<label class="field">Priority
      <select value=${priority} onChange=${(event) => choose(event.target.value)}>
        ${["high", "normal", "low"].map((name) => html`<option selected=${name === priority}>${name}</option>`)}
      </select></label>`
    }
  <//>`;
}

// Asks the server how many it would be, shows that, and sends the number along: the server refuses if it has changed.
export function CountedDialog({
  verb,
  things: [one, many],
  danger,
  attempt,
  finish,
  told,
  inputs = [],
  close,
  children,
}) {
  const [dry, count] = useState(null);
  const [changed, warn] = useState(null);
  const [result, show] = useState(null);
  const [done, progress] = useState(0);
  const look = useAction(async () => count(await attempt({ dry_run: true })));
  useEffect(() => {
    look.run();
  }, [JSON.stringify(inputs)]);
  const confirm = useAction(async () => {
    try {
      const answer = await inParts(attempt, dry.count, progress);
      finish(answer);
      if (skipped(answer)) show(answer);
      else close();
    } catch (problem) {
      if (problem.code !== "count_changed") throw problem;
      warn(dry.count);
      count(await attempt({ dry_run: true }));
    }
  });
  if (result) {
    return html`<${Dialog} title=${told(result)} close=${close}>
      <${Skipped} of=${result} /><div class="row end"><button
          class="primary" autofocus onClick=${close}>Close</button></div>
    <//>`;
  }
  const none = dry !== null && dry.count === 0;
  const title = dry === null ? `${verb} …` : `${verb} ${plural(dry.count, one, many)}?`;
  return html`<${Dialog} title=${title} close=${close}>
    <form class="stack" onSubmit=${confirm.submit}>
      ${
        changed !== null &&
        dry !== null &&
        html`<p
          class="notice warn" role="alert">
          The number has changed: it was ${changed}, and now is ${dry.count}. ${done ? `${done} of them were done already.` : "Nothing was done yet."}
        </p>`
      }
      ${none && html`<p>There is none that this can be done to.</p>`}
      ${children}
      ${dry && html`<${Sample} of=${dry} /><${Skipped} of=${dry} />`}
      <${ProblemBox} error=${look.error ?? confirm.error} />
      <div class="row end">
        <button type="button" onClick=${close}>Back</button>
        <button class=${danger ? "primary danger" : "primary"} disabled=${!dry || none || look.busy || confirm.busy}>
          ${confirm.busy ? `Working … ${done || ""}` : dry ? `${verb} ${plural(dry.count, one, many)}` : verb}</button>
      </div>
    </form>
  <//>`;
}

// The server does so many at once, and says how many remain.
async function inParts(attempt, expected, progress) {
  const whole = { count: 0, skipped: [] };
  for (let left = expected, step; left > 0; left = step.count ? (step.remaining ?? 0) : 0) {
    step = await attempt({ dry_run: false, expected: left });
    whole.count += step.count;
    whole.skipped.push(...step.skipped);
    progress(whole.count);
  }
  return whole;
}

const skipped = (answer) => (Array.isArray(answer.skipped) ? answer.skipped.length : (answer.skipped ?? 0));

const Sample = ({ of }) =>
  of.sample?.length > 0 &&
  html`<p class="muted small">Among them ${of.sample.slice(0, 5).map(
    (id, at) => html`${at ? ", " : ""}<a
      href=${link(`jobs/${id}`)} target="_blank"><code>${short(String(id))}</code></a>`,
  )}.</p>`;

function Skipped({ of }) {
  const number = skipped(of);
  if (!number) return null;
  const reasons = Array.isArray(of.skipped) ? of.skipped.slice(0, 10) : [];
  return html`<p>${plural(number, "other")} left as ${number === 1 ? "it is" : "they are"}${reasons.length ? ":" : "."}</p>
    ${
      reasons.length > 0 &&
      html`<ul class="small">
      ${reasons.map(({ id, message, code }) => html`<li><code>${short(String(id))}</code> ${message ?? code}</li>`)}
    </ul>`
    }`;
}
