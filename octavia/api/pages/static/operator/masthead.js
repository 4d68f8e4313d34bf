// The right end of the head, and what the page has to say of itself: the connection, rights, the theme.
import { html, useState } from "../vendored/preact-htm.js";
import { may, session, signOut } from "../shared/session.js";
import { useStore } from "../shared/store.js";
import { connection, overview } from "./live.js";

const NAMES = { live: "Live", connecting: "Connecting", lost: "Connection lost" };

export function SessionBar() {
  const who = useStore(session);
  const state = useStore(connection);
  const now = useStore(overview);
  return html`
    <span class="live" data-state=${state}>${NAMES[state]}</span>
    ${now?.console_url && html`<a class="quiet" href=${now.console_url} target="_blank" rel="noreferrer">RabbitMQ</a>`}
    <${ThemeButton} />
    <span
        class="who muted" title=${`Owner ${who.owner}${who.prefix ? `, key ${who.prefix}` : ""}`}>${who.name || who.owner}${may("operate:write") ? "" : " · read only"}</span>
    ${who.prefix && html`<button class="quiet" onClick=${signOut}>Sign out</button>`}
  `;
}

export function Notices() {
  const state = useStore(connection);
  const who = useStore(session);
  return html`
    <div role="status">
      ${
        state === "lost" &&
        html`<p class="notice warn">The connection to the service is lost. What you see may be old; the page tries again.</p>`
      }
    </div>
    ${
      who &&
      !may("operate") &&
      html`<p class="notice warn">
        This key lacks the scope <code>operate</code>: sign in with another one.
      </p>`
    }
  `;
}

function ThemeButton() {
  const root = document.documentElement;
  const dark = () =>
    (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const [isDark, show] = useState(dark());
  const toggle = () => {
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("octavia.theme", root.dataset.theme);
    show(!isDark);
    dispatchEvent(new Event("octavia:theme"));
  };
  return html`<button
      class="quiet icon" onClick=${toggle} aria-pressed=${String(isDark)} aria-label="Dark theme"
      title="Dark theme">
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path
        d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.5v11a5.5 5.5 0 0 1 0-11Z" fill="currentColor" /></svg>
  </button>`;
}
