// What operators have done: who, when, what, and to how many.
import { html } from "../vendored/preact-htm.js";
import { get } from "../shared/api.js";
import { count } from "../shared/words.js";
import { Empty, Heading, Loaded, Table, When, useFresh } from "./parts.js";
import { link } from "./route.js";

export function Audit({ query }) {
  const { cursor } = query;
  const actions = useFresh((signal) => get("operator/actions", { cursor }, signal), 10, [cursor]);
  return html`<${Heading} title="Actions" note="What operators have done, newest first" />
    <${Loaded} from=${actions}>${(data) =>
      data.actions.length
        ? html`<${Table} caption="Actions" columns=${COLUMNS} rows=${data.actions} keyOf=${({ id }) => id} />
            <nav class="row end" aria-label="Pages">${
              cursor &&
              html`<a
                class="button" href=${link("actions")}>Newest</a>`
            }
              ${
                data.next_cursor &&
                html`<a
                  class="button" href=${link("actions", { cursor: data.next_cursor })}>Older</a>`
              }</nav>`
        : html`<${Empty}>Nobody has done anything yet.<//>`}<//>`;
}

const COLUMNS = [
  ["When", ({ at }) => html`<${When} at=${at} />`, "nowrap"],
  ["Who", ({ by }) => html`<span class="breakable">${by}</span>`],
  ["Action", ({ action }) => html`<strong>${action.replaceAll("_", " ")}</strong>`],
  ["On", ({ target }) => html`<code class="breakable small">${target}</code>`, "main"],
  ["Changed", ({ count: number }) => count(number), "number"],
];
