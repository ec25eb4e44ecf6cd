import assert from 'node:assert/strict';
import { after, before } from 'node:test';

import { parseTemplate } from '../../src/templates/parse-template.js';
import { renderTmpfiles } from '../../src/templates/render-tmpfiles.js';
import { renderUnit } from '../../src/templates/render-unit.js';
import { knownSections, directivesOf } from '../../src/systemd/directives.js';
import { bootHost, type BootedHost } from '../support/booted-host.js';
import { each } from '../support/each.js';
import { suites, systemdVersion } from '../support/suites.js';
import { valuesOf } from '../support/template-values.js';

// What systemd itself makes of rendered values, and which directives it knows.

const rows = suites.map((suite) => ({ name: suite, suite }));
const hosts = new Map<string, BootedHost>();

before(async () => {
  for (const suite of suites) hosts.set(suite, await bootHost({ suite }));
});

after(async () => {
  for (const host of hosts.values()) await host[Symbol.asyncDispose]();
});

function hostOf(suite: string): BootedHost {
  const host = hosts.get(suite);
  assert.ok(host !== undefined);
  return host;
}

const VALUES = [
  'plain',
  'a b  c',
  `quotes " and '`,
  '$HOME ${HOME} $$',
  '%n %% %Q %',
  'back\\slash \\x41 \\',
  '; second',
  ';',
  '# [Service]',
  '-+!@:|x',
  'a=b',
  'é→😀',
  '~/*?{}[]',
];

const TEMPLATE = `[Service]
Type=oneshot
Environment=FIRST=$V "SECOND=$V" 'THIRD=$V'
ExecStart=/bin/sh -c 'printf "%%s\\n" "$$FIRST" "$$SECOND" "$$THIRD" "$$@" >/run/values' sh $V "$V" '$V' x$V
`;

each('P03 P04 values reach a program through systemd as they were', rows, async ({ suite }) => {
  const host = hostOf(suite);
  for (const value of VALUES) {
    const unit = renderUnit(parseTemplate('service.template', TEMPLATE), valuesOf({ V: value }));
    await writeFileOnHost(host, '/etc/systemd/system/values.service', unit);
    await host.sh('systemctl daemon-reload; systemctl start values.service');
    const got = (await host.runOk(['cat', '/run/values'])).split('\n').slice(0, -1);
    const want = [value, value, value, value, value, value, `x${value}`];
    assert.deepEqual(got, want, unit);
  }
});

each('values reach systemd-tmpfiles as they were', rows, async ({ suite }) => {
  const host = hostOf(suite);
  for (const value of VALUES.filter((one) => !one.includes('/') && !one.includes('\\'))) {
    const template = parseTemplate('tmpfiles.template', 'f /run/made/$V 0640 - - - $V\n');
    await writeFileOnHost(
      host,
      '/etc/tmpfiles.d/v.conf',
      renderTmpfiles(template, valuesOf({ V: value })),
    );
    await host.sh('rm -rf /run/made; systemd-tmpfiles --create /etc/tmpfiles.d/v.conf');
    assert.equal(await host.sh('ls -N /run/made'), `${value}\n`);
    assert.equal(await host.sh('cat /run/made/*'), value);
  }
});

each('the table of directives has all that systemd has', rows, async ({ suite }) => {
  const host = hostOf(suite);
  const dump = await host.runOk([
    suite === 'bookworm' ? '/lib/systemd/systemd' : '/usr/lib/systemd/systemd',
    '--dump-configuration-items',
  ]);
  let section = '';
  let count = 0;
  for (const line of dump.split('\n')) {
    const header = /^\[(.*)\]$/.exec(line)?.[1];
    if (header !== undefined) {
      section = header;
      assert.ok(knownSections().includes(section), section);
    }
    const key = /^([A-Za-z0-9]+)=/.exec(line)?.[1];
    if (key === undefined) continue;
    count += 1;
    const directive = directivesOf(section)?.get(key);
    assert.ok(directive !== undefined, `[${section}] ${key}= is not in the table`);
    assert.ok(directive.since <= systemdVersion[suite], `[${section}] ${key}= is older`);
  }
  assert.ok(count > 1_000, `expected the whole list, got ${count}`);
});

async function writeFileOnHost(host: BootedHost, path: string, text: string): Promise<void> {
  await host.runOk(['tee', path], { input: text });
}
