import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import { each } from '../support/each.js';

// What somebody meets who types berth's commands for the first time, also wrongly, and what scripts do to it.

const BERTH = 'node /opt/berth/dist/bin/berth.cjs';

let host: BootedHost;

before(async () => {
  host = await bootHost({ suite: 'bookworm' });
});

after(async () => {
  await host[Symbol.asyncDispose]();
});

// prettier-ignore
const mistakes = [
  { name: 'a command', args: ['instal', 'etcd'], says: /unknown command 'instal'.*install/ },
  { name: 'an option', args: ['install', '--naem', 'x', 'etcd'], says: /unknown option '--naem'.*--name/ },
  { name: 'a sub-command', args: ['images', 'lst'], says: /unknown command 'lst'.*list/ },
  { name: 'no image', args: ['install'], says: /missing required argument 'image'/ },
  { name: 'two images', args: ['install', 'a', 'b'], says: /too many arguments/ },
  { name: 'an option without its value', args: ['install', '--name'], says: /--name.*argument missing/ },
];

each('a mistyped command line is told in one line with status 64', mistakes, async (row) => {
  const inWords = await host.berth(...row.args);
  assert.equal(inWords.status, 64, inWords.stderr);
  assert.equal(inWords.stdout, '');
  assert.match(inWords.stderr, /^berth: .*\nhint: .*--help.*\n$/);
  assert.match(inWords.stderr, row.says);
  const inJson = await host.berth(...row.args, '--json');
  const document = JSON.parse(inJson.stderr) as { error: { code: string } };
  assert.deepEqual([inJson.status, document.error.code], [64, 'USAGE']);
});

test('the help of each command has an example that begins with berth', async () => {
  const whole = await host.berth('--help');
  assert.equal(whole.status, 0);
  const commands = [...whole.stdout.matchAll(/^ {2}([a-z]+)[ |]/gm)].map((match) => match[1] ?? '');
  assert.ok(commands.includes('install') && commands.length >= 12, commands.join(' '));
  for (const command of commands.filter((name) => !['help', 'berth'].includes(name))) {
    const help = await host.berth(command, '--help');
    assert.equal(help.status, 0, command);
    assert.match(help.stdout, /\nExamples:\n {2}berth \S/, command);
    assert.equal(help.stderr, '', command);
  }
});

// prettier-ignore
const surroundings = [
  { name: 'a reader that goes away', script: `${BERTH} --help | head -c 0; exit \${PIPESTATUS[0]}` },
  { name: 'a list into nothing', script: `${BERTH} list | true; exit \${PIPESTATUS[0]}` },
  { name: 'a closed standard input', script: `${BERTH} list <&-` },
  { name: 'a closed standard output', script: `${BERTH} list >&-` },
  { name: 'a closed standard error', script: `${BERTH} list 2>&-` },
  { name: 'a working directory that is gone', script: `mkdir /tmp/gone; cd /tmp/gone; rmdir /tmp/gone; ${BERTH} list` },
  { name: 'a umask of 777', script: `umask 777; ${BERTH} list` },
  { name: 'hostile settings for temporary files', script: `TMPDIR=/no/such ${BERTH} list` },
];

each('berth lists whatever it is started in', surroundings, async (row) => {
  const result = await host.run(['bash', '-c', row.script]);
  assert.equal(result.status, 0, `${result.stdout}\n${result.stderr}`);
  assert.equal(result.stderr, '');
});

test('what is wrong in a working directory that is gone is told in words', async () => {
  const script = `mkdir /tmp/gone2; cd /tmp/gone2; rmdir /tmp/gone2; ${BERTH} install 127.0.0.1:9/x`;
  const result = await host.run(['bash', '-c', script]);
  assert.equal(result.status, 75, result.stderr);
  assert.match(result.stderr, /^berth: cannot install 'x'\n/);
});

test('somebody who is not root is told so', async () => {
  for (const args of ['install etcd', 'uninstall etcd', 'pull 127.0.0.1:9/x', 'start etcd']) {
    const result = await host.run([
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      'sh',
      '-c',
      `${BERTH} ${args}`,
    ]);
    assert.ok([66, 77].includes(result.status), `${args}: ${result.status} ${result.stderr}`);
    assert.match(result.stderr, /^berth: /, args);
    assert.doesNotMatch(result.stderr, / {4}at /, args);
  }
});

test('nothing is coloured where it is not asked for or not wanted', async () => {
  const plain = await host.berth('list');
  const unwanted = await host.run(['sh', '-c', `NO_COLOR=1 ${BERTH} nosuch`]);
  assert.ok(!plain.stdout.includes('\u001b') && !unwanted.stderr.includes('\u001b'));
});
