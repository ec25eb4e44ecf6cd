import { readFileSync } from 'node:fs';

import { ownFile } from '../base/own-files.js';

/** The version in package.json. */
export function programVersion(): string {
  const text = readFileSync(ownFile('package.json'), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
