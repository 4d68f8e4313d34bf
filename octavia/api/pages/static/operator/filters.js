// The field for a filter, with completion: words first, then the values of a word. Enter applies it.
import { html, useEffect, useRef, useState } from "../vendored/preact-htm.js";
import { get } from "../shared/api.js";

export function FilterField({ value, apply, error }) {
  const [text, type] = useState(value);
  const [offers, offer] = useState([]);
  const [chosen, choose] = useState(-1);
  const field = useRef();
  const latest = useRef(0);
  useEffect(() => type(value), [value]);

  const suggest = async () => {
    const turn = ++latest.current;
    const { token } = tokenAt(field.current);
    offer(going(token, offers));
    choose(-1);
    let found = [];
    try {
      found = completions(token, (await get("operator/filter-words", { prefix: token })).words);
    } catch {
      // Without completion the field still works, and its own request says what is wrong.
    }
    if (turn === latest.current && document.activeElement === field.current) {
      offer(found);
    }
  };
  const hide = () => {
    latest.current++;
    offer([]);
    choose(-1);
  };
  const submit = (event) => {
    event.preventDefault();
    hide();
    apply(text.trim());
  };
  const take = (word) => {
    const input = field.current;
    const { start, end } = tokenAt(input);
    const closed = /[:.]$/.test(word) ? word : `${word} `;
    const next = input.value.slice(0, start) + closed + input.value.slice(end).trimStart();
    type(next);
    input.value = next;
    input.setSelectionRange(start + closed.length, start + closed.length);
    input.focus();
    suggest();
  };
  const keys = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && offers.length) {
      event.preventDefault();
      choose((chosen + step + offers.length + (chosen < 0 && step < 0 ? 1 : 0)) % offers.length);
    } else if (event.key === "Enter" && chosen >= 0) {
      event.preventDefault();
      take(offers[chosen]);
    } else if (event.key === "Escape" && offers.length) {
      event.preventDefault();
      hide();
    }
  };
  return html`<form class="filter" role="search" onSubmit=${submit}>
    <label class="visually-hidden" for="filter">Filter</label>
    <input id="filter" ref=${field} type="text" value=${text} placeholder="owner:ann status:failed code:…" spellcheck="false"
      autocomplete="off" autocapitalize="off" role="combobox" aria-autocomplete="list" aria-controls="filter-offers"
      aria-expanded=${String(offers.length > 0)} aria-activedescendant=${chosen >= 0 ? `offer-${chosen}` : undefined}
      aria-invalid=${error ? "true" : undefined} aria-describedby=${error ? "filter-error" : undefined}
      onInput=${(event) => (type(event.target.value), suggest())} onFocus=${suggest} onBlur=${hide} onKeyDown=${keys} />
    <button class="primary">Filter</button>
    ${text && html`<button type="button" onClick=${() => (type(""), apply(""))}>Clear</button>`}
    <ul id="filter-offers" role="listbox" aria-label="Completions" class=${offers.length ? "offers" : "offers hidden"}>
      ${offers.map(
        (word, index) => html`<li id=${`offer-${index}`} role="option" aria-selected=${String(index === chosen)}
          onMouseDown=${(event) => (event.preventDefault(), take(word))}>${word}</li>`,
      )}
    </ul>
    ${error && html`<p id="filter-error" class="error-text" role="alert">${error.message} ${error.hint}</p>`}
  </form>`;
}

// The term that the cursor is in; quotes keep spaces together.
function tokenAt(input) {
  const before = input.value.slice(0, input.selectionStart ?? input.value.length);
  let start = 0;
  let quoted = false;
  for (let at = 0; at < before.length; at++) {
    if (before[at] === '"') quoted = !quoted;
    else if (before[at] === " " && !quoted) start = at + 1;
  }
  return { token: before.slice(start), start, end: before.length };
}

// A term is a word, a colon and values: -word:value,value. The last value is the one that is being typed.
function completions(token, words) {
  const minus = token.startsWith("-") ? "-" : "";
  const at = token.indexOf(":");
  const offers =
    at < 0
      ? words.map(({ word }) => `${minus}${word}${word.endsWith(".") ? "" : ":"}`)
      : words.flatMap(({ values }) =>
          values.map((value) => token.slice(0, Math.max(at, token.lastIndexOf(",")) + 1) + quote(value)),
        );
  return going(token, offers);
}

// Those that go on as what has been typed: answers may come late, and be about less.
const going = (token, offers) =>
  offers.filter((offer) => offer !== token && offer.toLowerCase().startsWith(token.toLowerCase()));

// A value as the filter language takes it.
export const quote = (value) => (/^[^\s":,\\]+$/.test(value) ? value : `"${value.replace(/[\\"]/g, "\\$&")}"`);
