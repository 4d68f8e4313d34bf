// Who is signed in, and the dialog that asks for a key: when there is none, and when a session has ended mid-way.
import { Problem, address, ask, read, whenSignedOut } from "./api.js";
import { store } from "./store.js";

export const session = store(null);

const dialog = document.getElementById("sign-in");
const form = dialog.querySelector("form");
const reason = document.getElementById("sign-in-reason");
const failure = form.querySelector(".error-text");
const button = form.querySelector("button");
const FIRST = reason.textContent;

let waiting = null;

export const may = (scope) => Boolean(session.get()?.scopes.includes(scope));

// Resolves once somebody has signed in; all requests that wait share one dialog.
export function signIn() {
  waiting ??= new Promise((resolve) => {
    const ended = session.get() !== null;
    reason.textContent = ended ? "Your session has ended. What you were doing is kept: sign in to go on." : FIRST;
    failure.textContent = "";
    dialog.addEventListener("close", () => resolve(), { once: true });
    dialog.showModal();
  }).finally(() => (waiting = null));
  return waiting;
}

export async function begin() {
  for (;;) {
    const answer = await ask("GET", address("session"));
    if (answer.ok) return session.set(await answer.json());
    if (answer.status !== 401) throw await read(answer).catch((error) => error);
    await signIn();
  }
}

export async function signOut() {
  await ask("DELETE", address("session"));
  location.reload();
}

whenSignedOut(signIn);

// The page behind it cannot be used without a session, so Escape does not close it.
dialog.addEventListener("cancel", (event) => event.preventDefault());
dialog.addEventListener("keydown", (event) => event.key === "Escape" && event.preventDefault());

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  failure.textContent = "";
  button.disabled = true;
  try {
    await read(await ask("POST", address("session"), { key: form.elements.key.value.trim() }));
    session.set(await read(await ask("GET", address("session"))));
    form.reset();
    dialog.close();
  } catch (error) {
    const known = error instanceof Problem;
    failure.textContent = known ? `${error.message} ${error.hint}`.trim() : "The answer cannot be read.";
    form.elements.key.select();
  } finally {
    button.disabled = false;
  }
});
