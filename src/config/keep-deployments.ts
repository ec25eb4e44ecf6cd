import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/** The present deployment and the one before: what going back by one step needs. */
const DEFAULT_KEPT = 2;

/** Each may be as large as its image, and what shares blocks today need not tomorrow. */
const MAX_KEPT = 100;

/**
 * How many deployments of a container are kept, pinned ones not counted: `BERTH_KEEP_DEPLOYMENTS`, else 2.
 *
 * @throws {@link OperationalError} CONFIG_INVALID
 */
export function keptDeployments(env: Readonly<Record<string, string | undefined>>): number {
  const text = env['BERTH_KEEP_DEPLOYMENTS'];
  if (text === undefined || text === '') return DEFAULT_KEPT;
  const number = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= MAX_KEPT) return number;
  throw new OperationalError(
    'CONFIG_INVALID',
    `BERTH_KEEP_DEPLOYMENTS is not a number from 1 to ${MAX_KEPT}: ${quote(text)}`,
  );
}
