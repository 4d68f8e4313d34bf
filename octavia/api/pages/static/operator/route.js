// The view and its choices stand behind the # of the address: it can be kept, shared and gone back to, and no server
// or proxy writes down what somebody looked for.
import { store } from "../shared/store.js";

export const route = store(parse());

export function link(view, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(given).toString();
  return `#/${view}${search ? `?${search}` : ""}`;
}

export function go(view, query, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", link(view, query));
  route.set(parse());
}

function parse() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/");
  return {
    view: view || "overview",
    id: rest.map(decode).join("/"),
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

addEventListener("popstate", () => route.set(parse()));
addEventListener("hashchange", () => route.set(parse()));
