import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { catalogue } from '../../../src/errors/catalogue.js';

const PACKAGING = new URL('../../../../packaging/', import.meta.url);

interface ManPageModule {
  readonly manPage: (
    text: string,
    about: { readonly title: string; readonly section: string; readonly volume: string },
  ) => string;
}

const { manPage } = (await import(new URL('man-page.mjs', PACKAGING).href)) as ManPageModule;

const render = (text: string): string =>
  manPage(text, { title: 'berth', section: '8', volume: 'berth 1' });

test('man(1) shows what can be typed as it is typed', () => {
  const roff = render(
    "# berth(8)\n\n## USE\n\nIt is --yes, 'here', sd_listen_fds(3): `berth list --no-trunc`.\n",
  );
  assert.match(roff, /^\.nr HY 0\n\.TH "berth" "8"[^\n]*\n\.nh\n\.ad l\n\.SH USE\n/m);
  assert.match(roff, /^It is --yes, .*here.*, sd_listen_fds\(3\): /m);
  assert.ok(roff.includes('\\fCberth list \\-\\-no\\-trunc\\fR'), roff);
  assert.doesNotMatch(roff, /\\\((?:en|em|oq|cq)/);
});

test('each page of the manual is rendered with its names whole', () => {
  const folder = new URL('man/', PACKAGING);
  const pages = readdirSync(folder).map((name) =>
    render(readFileSync(new URL(name, folder), 'utf8')),
  );
  assert.ok(pages.length >= 4);
  const all = pages.join('');
  for (const code of Object.keys(catalogue)) assert.ok(all.includes(`\n${code}\n`), code);
  // A dash made of an option's hyphens.
  assert.doesNotMatch(all, /[–]\w/);
});
