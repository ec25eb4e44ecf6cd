import { readFileSync } from 'node:fs';

/** The version in package.json, which lies above `dist/src/config` in a checkout and in a package alike. */
export function programVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
