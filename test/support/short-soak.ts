import { mkdirSync, writeFileSync } from 'node:fs';

/** Has berth watch updates on a host for a second only, for tests that are about something else: a `prepare` of hosts. */
export function shortSoak(tree: string): void {
  mkdirSync(`${tree}/etc/berth`);
  writeFileSync(`${tree}/etc/berth/berth.conf`, '[health]\nsoak = "1s"\n');
}
