// Small parts that every view uses, and the hook by which a view keeps its data fresh.
import { html, useEffect, useRef, useState } from "../vendored/preact-htm.js";
import { ago, exact } from "../shared/words.js";

// In the order of the pipeline.
export const STAGES = ["prepare", "detect", "transcribe", "translate", "synthesize", "assemble"];

// Loads now, when `inputs` change, and every `seconds` while the page can be seen. Old data stays until new is there.
export function useFresh(load, seconds, inputs) {
  const [state, show] = useState({ data: null, error: null, of: null });
  const again = useRef(() => {});
  const key = JSON.stringify(inputs);
  useEffect(() => {
    let timer, stop;
    const turn = async () => {
      clearTimeout(timer);
      stop?.abort();
      const mine = (stop = new AbortController());
      try {
        const data = await load(mine.signal);
        if (!mine.signal.aborted) show({ data, error: null, of: key });
      } catch (error) {
        if (mine.signal.aborted) return;
        show((before) => ({ ...before, error, of: key }));
      }
      timer = setTimeout(tick, seconds * 1000);
    };
    const tick = () => (document.hidden ? undefined : turn());
    again.current = turn;
    document.addEventListener("visibilitychange", tick);
    turn();
    return () => {
      clearTimeout(timer);
      stop?.abort();
      document.removeEventListener("visibilitychange", tick);
    };
  }, [key]);
  return { ...state, loading: state.of !== key, reload: () => again.current() };
}

export function announce(text) {
  const place = document.getElementById("announcer");
  if (place.textContent !== text) place.textContent = text;
}

export const Heading = ({ title, note, children }) => html`
  <div class="heading">
    <h1>${title}</h1>
    ${note && html`<span class="muted">${note}</span>`}
    <div class="row end">${children}</div>
  </div>`;

export const Badge = ({ state, children }) => html`<span class="badge" data-state=${state}>${children ?? state}</span>`;

export const When = ({ at }) => html`<time dateTime=${at ?? undefined} title=${exact(at)}>${ago(at)}</time>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

export const ProblemBox = ({ error }) =>
  error &&
  html`<div class="problem" role="alert">
    <strong>${error.message}</strong> ${error.hint && html`<span>${error.hint}</span>`}
    ${error.code && html`<code>${error.code}</code>`}
  </div>`;

// What a view shows of its data: the problem, if there is one, and what was loaded last.
export const Loaded = ({ from, children }) => html`
  <${ProblemBox} error=${from.error} />
  ${from.data ? children(from.data) : from.error ? null : html`<p class="empty">Loading …</p>`}`;

export const Segments = ({ label, options, value, choose }) => html`
  <div class="segments" role="group" aria-label=${label}>
    ${options.map(
      ([name, text]) =>
        html`<button
            type="button" aria-pressed=${String(name === value)} onClick=${() => choose(name)}>${text}</button>`,
    )}
  </div>`;

// A table that becomes a list of cards on narrow screens. `columns`: [heading, cell of a row, class].
export const Table = ({ caption, columns, rows, keyOf, rowClass }) => html`
  <table class="cards">
    <caption class="visually-hidden">${caption}</caption>
    <thead><tr>${columns.map(([name, , style]) => html`<th scope="col" class=${style}>${name}</th>`)}</tr></thead>
    <tbody>
      ${rows.map(
        (row) => html`<tr key=${keyOf(row)} class=${rowClass?.(row)}>
          ${columns.map(
            ([name, cell, style]) =>
              html`<td class=${style} data-label=${typeof name === "string" ? name : ""}>${cell(row)}</td>`,
          )}
        </tr>`,
      )}
    </tbody>
  </table>`;

export const Progress = ({ of, label }) =>
  html`<progress max="1" value=${of} aria-label=${label}>${Math.round(of * 100)} %</progress>`;
