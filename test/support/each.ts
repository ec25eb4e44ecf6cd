import { test } from 'node:test';

/**
 * Runs one body over the rows of a table, each as a test of its own: `title` is completed by the row's `name`.
 */
export function each<Row extends { readonly name: string }>(
  title: string,
  rows: readonly Row[],
  body: (row: Row) => void | Promise<void>,
): void {
  for (const row of rows) test(`${title}: ${row.name}`, () => body(row));
}
