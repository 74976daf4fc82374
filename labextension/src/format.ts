import type { TranslationBundle } from '@jupyterlab/translation';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes in decimal units, with at most three digits: `999 B`, `1.5 MB`, `300 GB`. */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) {
    return '';
  }
  let value = bytes;
  let unit = 0;
  // 999.5 would be rounded to 1000 of the smaller unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, '')} ${UNITS[unit]}`;
}

/** A moment as a short distance from now: `just now`, `12 s ago`, `3 min ago`, else the date. */
export function formatAgo(
  time: string | null,
  trans: TranslationBundle,
  now: number = Date.now()
): string {
  if (!time) {
    return '';
  }
  // A clock a little behind the server's must not say 'in the future'.
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (seconds < 5) {
    return trans.__('just now');
  }
  if (seconds < 60) {
    return trans.__('%1 s ago', seconds);
  }
  if (seconds < 3600) {
    return trans.__('%1 min ago', Math.floor(seconds / 60));
  }
  if (seconds < 86400) {
    return trans.__('%1 h ago', Math.floor(seconds / 3600));
  }
  return formatDate(time, now);
}

/** A date for a narrow column: the time of day today, else the day. */
export function formatDate(time: string | null, now: number = Date.now()): string {
  if (!time) {
    return '';
  }
  const date = new Date(time);
  const today = new Date(now);
  if (date.toDateString() === today.toDateString()) {
    return date.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
  }
  return date.toLocaleDateString(undefined, {
    day: 'numeric',
    month: 'short',
    year: date.getFullYear() === today.getFullYear() ? undefined : 'numeric'
  });
}

/** A duration to come: `8 s`, `4 min`, `2 h`. */
export function formatDuration(seconds: number, trans: TranslationBundle): string {
  if (seconds < 60) {
    return trans.__('%1 s', Math.ceil(seconds));
  }
  if (seconds < 3600) {
    return trans.__('%1 min', Math.ceil(seconds / 60));
  }
  return trans.__('%1 h', Math.ceil(seconds / 3600));
}

/** A moment to the second, as short as it can be said: today the time alone. */
export function formatMoment(time: string, now: number = Date.now()): string {
  const date = new Date(time);
  const clock = date.toLocaleTimeString(undefined, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit'
  });
  const today = date.toDateString() === new Date(now).toDateString();
  return today ? clock : `${formatDate(time, now)}, ${clock}`;
}
