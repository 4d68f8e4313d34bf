// A value that several parts of a page share, and a hook that draws its users again when it changes.
import { useEffect, useState } from "../vendored/preact-htm.js";

export function store(value) {
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const listener of [...listeners]) listener(value);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore(shared) {
  const [value, show] = useState(shared.get());
  useEffect(() => {
    show(shared.get());
    return shared.subscribe((next) => show(() => next));
  }, [shared]);
  return value;
}
