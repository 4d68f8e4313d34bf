// A modal dialog (the browser keeps the focus in it and gives it back), and an action with its progress and its error.
import { html, useEffect, useRef, useState } from "../vendored/preact-htm.js";

export function Dialog({ title, close, children, wide }) {
  const place = useRef();
  useEffect(() => {
    const dialog = place.current;
    if (!dialog.open) dialog.showModal();
    return () => dialog.close();
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    close();
  };
  return html`<dialog ref=${place} class=${wide ? "wide" : ""} aria-labelledby="dialog-title" onCancel=${cancel}>
    <h2 id="dialog-title">${title}</h2>
    ${children}
  </dialog>`;
}

// Runs once at a time. Errors are shown, not thrown.
export function useAction(work) {
  const [state, show] = useState({ busy: false, error: null });
  const alive = useRef(true);
  useEffect(() => () => (alive.current = false), []);
  const run = async (...given) => {
    if (state.busy) return;
    show({ busy: true, error: null });
    let error = null;
    try {
      await work(...given);
    } catch (problem) {
      error = problem;
    }
    if (alive.current) show({ busy: false, error });
  };
  const submit = (event) => {
    event.preventDefault();
    run();
  };
  return { ...state, run, submit };
}
