/**
 * What a table has under a name that a stranger chose; undefined where it has nothing. Plain indexing would find
 * `constructor` and the like, which every object has.
 */
export function lookUp<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
