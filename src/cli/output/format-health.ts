import type { HealthCheck } from '../../containers/health-check.js';
import { formatDuration } from './units.js';

/** How it is found out whether a container is well, in a line for people; not escaped. */
export function formatHealth(check: HealthCheck): string {
  const { command, intervalMs, timeoutMs, retries } = check;
  if (command === undefined) return 'by its service being active: the image says nothing more';
  const times = `every ${formatDuration(intervalMs)}, at most ${formatDuration(timeoutMs)}`;
  return `by ${command.join(' ')}, ${times}; unwell after ${retries} failures in a row`;
}
