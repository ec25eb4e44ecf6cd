import type { ResolvedValue, Values } from '../../src/templates/values.js';

/** Values as `resolveValues` gives them; `EXEC_…` are berth's own unit text. */
export function valuesOf(
  texts: Readonly<Record<string, string | readonly string[] | boolean>>,
): Values {
  return new Map(
    Object.entries(texts).map(([name, value]): [string, ResolvedValue] => [
      name,
      {
        text: typeof value === 'object' ? value.join(',') : String(value),
        typed: value,
        source: 'set',
        secret: false,
        isUnitSyntax: name.startsWith('EXEC_'),
      },
    ]),
  );
}
