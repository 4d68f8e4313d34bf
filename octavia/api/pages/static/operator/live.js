// The overview, sent by the server whenever it changes; and whether that connection holds.
import { address, get } from "../shared/api.js";
import { store } from "../shared/store.js";

export const overview = store(null);
export const connection = store("connecting");

const LONGEST_PAUSE = 15_000;
let pause = 500;
let source, timer;

export function watch() {
  source?.close();
  source = new EventSource(address("operator/events"));
  source.addEventListener("open", () => {
    pause = 500;
    connection.set("live");
  });
  source.addEventListener("overview", (event) => overview.set(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    connection.set("lost");
    source.close();
    later();
  });
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(resume, pause);
  pause = Math.min(pause * 2, LONGEST_PAUSE);
}

// An EventSource does not say why it ended. This request does, and asks for a key if the session has.
async function resume() {
  try {
    await refresh();
    watch();
  } catch {
    later();
  }
}

// After an action: what it changed must not wait for the next event.
export async function refresh() {
  overview.set(await get("operator/overview"));
}

addEventListener("offline", () => connection.set("lost"));
addEventListener("online", () => {
  pause = 500;
  watch();
});
