import { OperationalError } from '../errors/operational-error.js';
import { quote } from '../base/escape-text.js';
import type { ResolvedValue, Values } from './values.js';

/**
 * The value of a variable.
 *
 * @throws {@link OperationalError} VARIABLE_MISSING; normally `resolveValues` has named all missing ones before
 */
export function getValue(values: Values, name: string): ResolvedValue {
  const value = values.get(name);
  if (value === undefined) {
    throw new OperationalError('VARIABLE_MISSING', `no value for variable ${quote(name)}`, {
      hint: `add --set ${name}=VALUE`,
    });
  }
  return value;
}
