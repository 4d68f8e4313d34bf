// Requests to the API. Addresses follow from this module's own, so that any path of a proxy may be in front.

export const ROOT = new URL("../../../", import.meta.url);

export class Problem extends Error {
  constructor(status, { code = "", title = "", detail = "", hint = "", ...more } = {}) {
    super(detail || title || `The server answered ${status}.`);
    Object.assign(this, { status, code, hint, more });
  }
}

export function address(path, query = {}) {
  const url = new URL(`api/v1/${path}`, ROOT);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

let renew = () => Promise.reject(new Problem(401));

// Says what to do when a request finds no session: `ask` returns once there is one again.
export const whenSignedOut = (ask) => (renew = ask);

// Returns the JSON of an answer. A session that has ended is renewed first: the caller waits, and loses nothing.
export async function call(method, path, { query, body, signal } = {}) {
  for (;;) {
    const answer = await ask(method, address(path, query), body, signal);
    if (answer.status !== 401) return read(answer);
    await renew();
  }
}

export const get = (path, query, signal) => call("GET", path, { query, signal });
export const post = (path, body) => call("POST", path, { body });

export async function ask(method, url, body, signal) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  try {
    return await fetch(url, {
      method,
      headers,
      body: body && JSON.stringify(body),
      signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, {
      code: "unreachable",
      detail: "The service does not answer.",
      hint: "The page tries again.",
    });
  }
}

export async function read(answer) {
  if (!answer.ok) throw await problemOf(answer);
  return answer.status === 204 ? null : answer.json();
}

async function problemOf(answer) {
  return new Problem(answer.status, await answer.json().catch(() => ({})));
}
