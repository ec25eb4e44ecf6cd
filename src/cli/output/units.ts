export { formatBytes } from '../../base/format-bytes.js';

/** How long ago a moment was: `3 minutes ago`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const steps: readonly [number, string][] = [
    [60, 'second'],
    [60, 'minute'],
    [24, 'hour'],
    [Number.POSITIVE_INFINITY, 'day'],
  ];
  let value = seconds;
  for (const [size, word] of steps) {
    if (value < size) return `${value} ${word}${value === 1 ? '' : 's'} ago`;
    value = Math.floor(value / size);
  }
  return `${value} days ago`;
}

/** A duration for people: `340 ms`, `2.3 s`, `1 min 20 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
