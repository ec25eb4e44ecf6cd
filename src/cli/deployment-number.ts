import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';

/**
 * The number of a deployment as it was typed.
 *
 * @throws {@link OperationalError} USAGE
 */
export function parseDeploymentNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new OperationalError('USAGE', `${quote(text)} is not the number of a deployment`, {
    hint: "'berth history NAME' shows the numbers",
  });
}
