// Numbers and times as people read them.
const whole = new Intl.NumberFormat("en");
const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export const NOTHING = "–";

export const count = (number) => (number === null || number === undefined ? NOTHING : whole.format(number));

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return NOTHING;
  if (seconds < 0.095) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const total = Math.round(seconds);
  const [days, hours, minutes] = [
    Math.floor(total / 86400),
    Math.floor(total / 3600) % 24,
    Math.floor(total / 60) % 60,
  ];
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${minutes} min ${total % 60} s`;
  if (total < 86400) return `${hours} h ${minutes} min`;
  return `${days} d ${hours} h`;
}

// Until now without an end; null without a beginning.
export const secondsBetween = (from, to) =>
  from ? ((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000 : null;

const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
];

export function ago(at) {
  if (!at) return NOTHING;
  const seconds = secondsBetween(at);
  if (seconds < 0) return `in ${duration(-seconds)}`;
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? ["s", 1];
  return seconds < 2 ? "now" : `${Math.floor(seconds / size)} ${unit} ago`;
}

export const exact = (at) => (at ? moment.format(new Date(at)) : "");

export function bytes(size) {
  if (size === null || size === undefined) return NOTHING;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  for (; size >= 1000 && step < units.length - 1; step++) size /= 1000;
  return `${size < 10 && step ? size.toFixed(1) : Math.round(size)} ${units[step]}`;
}

export const short = (id) => (id ? id.slice(-8) : NOTHING);
