import type { Deployment } from './deployment.js';

/** What stands in the place of a value that nobody may see. */
export const MASKED = '(secret)';

/** A named value that is not the same on both sides; undefined where only the other has it. */
export interface ValueDifference {
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** All values that a deployment was made with, but for those that are secret. */
export function valuesOf({
  setValues,
  values,
}: Pick<Deployment, 'setValues' | 'values'>): Readonly<Record<string, string>> {
  return { ...setValues, ...values };
}

/** Decided anew for every deployment: that they differ says nothing. */
const UNTOLD_VALUES = new Set(['IMAGE_ID']);

/** Says which values differ, sorted by name; those of `secrets` are masked. */
export function compareValues(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  secrets: ReadonlySet<string>,
): readonly ValueDifference[] {
  const shown = (name: string, values: Readonly<Record<string, string>>): string | undefined => {
    if (!Object.hasOwn(values, name)) return undefined;
    return secrets.has(name) ? MASKED : values[name];
  };
  const value = (values: Readonly<Record<string, string>>, name: string): string | undefined =>
    Object.hasOwn(values, name) ? values[name] : undefined;
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .sort()
    .filter((name) => !UNTOLD_VALUES.has(name) && value(before, name) !== value(after, name))
    .map((name) => ({ name, before: shown(name, before), after: shown(name, after) }));
}
