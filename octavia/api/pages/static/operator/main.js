// Starts the page: asks who is signed in, follows the address, and draws the view that it names.
import { html, render, useEffect, useErrorBoundary } from "../vendored/preact-htm.js";
import { begin, session } from "../shared/session.js";
import { useStore } from "../shared/store.js";
import { Audit } from "./audit.js";
import { DeadLetters } from "./deadletters.js";
import { Failures } from "./failures.js";
import { JobPage } from "./job.js";
import { Jobs } from "./jobs.js";
import { overview, refresh, watch } from "./live.js";
import { Maintenance } from "./maintenance.js";
import { Notices, SessionBar } from "./masthead.js";
import { Overview } from "./overview.js";
import { ProblemBox } from "./parts.js";
import { route } from "./route.js";
import { Workers } from "./workers.js";

const VIEWS = {
  overview: ["Overview", Overview],
  jobs: ["Jobs", Jobs],
  workers: ["Workers", Workers],
  failures: ["Failures", Failures],
  "dead-letters": ["Dead letters", DeadLetters],
  maintenance: ["Maintenance", Maintenance],
  actions: ["Actions", Audit],
};

const main = document.getElementById("main");

function Page() {
  const { view, id, query } = useStore(route);
  const who = useStore(session);
  const [title, View] = VIEWS[view] ?? ["Not found", null];
  useEffect(() => {
    document.title = `${id || title} · Octavia operator`;
    for (const anchor of document.querySelectorAll("#views a")) {
      if (anchor.hash === `#/${view}`) anchor.setAttribute("aria-current", "page");
      else anchor.removeAttribute("aria-current");
    }
  }, [view, id]);
  if (!View) return html`<p class="empty">There is no view of this name. <a href="#/overview">Overview</a></p>`;
  const key = `${view}/${id}/${who.owner}`;
  return html`<${Guarded} key=${key}>${
    view === "jobs" && id
      ? html`<${JobPage} id=${id} />`
      : html`<${View}
      query=${query} />`
  }<//>`;
}

// A mistake of ours in one view must not take the others along.
function Guarded({ children }) {
  const [error] = useErrorBoundary();
  return error
    ? html`<${ProblemBox} error=${{ message: "This view cannot be drawn.", hint: String(error) }} />`
    : children;
}

async function start() {
  render(html`<${Notices} />`, document.getElementById("notices"));
  // Asked for at once: the first draw waits for both answers, not for one after the other.
  refresh().catch(() => {});
  try {
    await begin();
  } catch (error) {
    render(html`<${ProblemBox} error=${error} />`, main);
    setTimeout(start, 3000);
    return;
  }
  render(html`<${SessionBar} />`, document.getElementById("session"));
  render(html`<${Page} />`, main);
  watch();
  overview.subscribe((now) => {
    const failed = now?.dead_letters ? ` (${now.dead_letters})` : "";
    const anchor = document.querySelector('#views a[href="#/dead-letters"]');
    anchor.textContent = `Dead letters${failed}`;
  });
}

// A link within the page moves on as a new page would: to its beginning, for the eye and for the keyboard.
addEventListener("hashchange", (event) => {
  if (new URL(event.oldURL).hash.split("?")[0] !== location.hash.split("?")[0]) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

start();
