import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { type BootedHost, bootHost } from '../support/booted-host.js';
import {
  configTemplate,
  type ExportsSketch,
  pushExports,
  SERVICE_TEMPLATE,
} from '../support/exports-image.js';
import {
  assertRefusedInJson,
  assertRefusedInWords,
  type Refusal,
  snapshotChanging,
  snapshotHost,
} from '../support/refused.js';
import type { CommandResult } from '../support/run-command.js';
import { type RealRegistry, startRegistry } from '../support/registry.js';
import { compareSnapshots, type TreeSnapshot } from '../support/tree-snapshot.js';

// What goes wrong before anything is changed, as a user meets it: one clear line, the right status, and the host exactly
// as before. The images differ from one that installs in one thing each, and that one is installed first.

const BERTH = ['node', '/opt/berth/dist/bin/berth.cjs'];

let registry: RealRegistry;
let host: BootedHost;
let pristine: TreeSnapshot;

before(async () => {
  registry = await startRegistry();
  host = await bootHost({ suite: 'bookworm', prepare: prepareUnits });
  await host.network.exposePort(registry.port);
  await pushExports(registry.target('good'));
  // The positive control, and what every refused command is compared with.
  const installed = await host.berth('install', image('good'));
  assert.equal(installed.status, 0, installed.stderr);
  pristine = await snapshotHost(host);
});

after(async () => {
  try {
    assert.deepEqual(compareSnapshots(pristine, await snapshotHost(host)), []);
  } finally {
    await host[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  }
});

/** Units of the distribution's packages, as they stand on most hosts. */
async function prepareUnits(tree: string): Promise<void> {
  const vendor = join(tree, 'usr/lib/systemd/system');
  await writeFile(
    join(vendor, 'ssh.service'),
    '[Service]\nExecStart=/bin/true\n[Install]\nAlias=sshd.service\n',
  );
  await symlink('/lib/systemd/system/ssh.service', join(tree, 'etc/systemd/system/sshd.service'));
  await symlink('/dev/null', join(tree, 'etc/systemd/system/hidden.service'));
  await mkdir(join(tree, 'etc/berth-test'));
  await writeFile(join(tree, 'etc/berth-test/there'), 'of the host\n');
}

function image(repository: string): string {
  return `${registry.host}/${repository}:latest`;
}

interface Row extends Refusal {
  readonly name: string;
  /** Pushed before; `good` is used without one. */
  readonly sketch?: ExportsSketch;
  /** After `install`; `IMAGE` stands for the reference. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const config = (changes: Readonly<Record<string, unknown>>): ExportsSketch => ({
  files: { 'config.json.template': configTemplate(changes) },
});
const service = (text: string): ExportsSketch => ({ files: { 'service.template': text } });
const inService = (line: string): ExportsSketch =>
  service(SERVICE_TEMPLATE.replace('Restart=no', line));

// prettier-ignore
const rows: readonly Row[] = [
  // What the user typed
  { name: 'an image that is not there', args: ['REGISTRY/nothing:1'], status: 66, code: 'REGISTRY_NOT_FOUND', says: /nothing/ },
  { name: 'a tag that is not there', args: ['REGISTRY/good:9'], status: 66, code: 'REGISTRY_NOT_FOUND', says: /good/ },
  { name: 'a connection that is refused', args: ['127.0.0.1:9/etcd'], status: 75, code: 'REGISTRY_UNREACHABLE', says: /127\.0\.0\.1:9.*refused/is },
  { name: 'a registry whose name does not exist', args: ['registry.invalid/etcd'], status: 75, code: 'REGISTRY_UNREACHABLE', says: /registry\.invalid/ },
  { name: 'a reference that is none', args: ['Etcd//x'], status: 64, code: 'REFERENCE_INVALID', says: /Etcd/ },
  { name: 'a name that is none (N03)', args: ['--name', '.x', 'IMAGE'], status: 64, code: 'NAME_INVALID', says: /\.x/ },
  { name: 'a name of a template instance (N07)', args: ['--name', 'x@y', 'IMAGE'], status: 64, code: 'NAME_INVALID', says: /x@y/ },
  { name: 'a name with a slash', args: ['--name', '../x', 'IMAGE'], status: 64, code: 'NAME_INVALID', says: /\.\.\/x/ },
  { name: 'a name that is too long (N08)', args: ['--name', 'n'.repeat(300), 'IMAGE'], status: 64, code: 'NAME_INVALID', says: /nnn/ },
  { name: 'a folder for --root that is not there', args: ['--root', '/no/such', 'IMAGE'], status: 64, code: 'USAGE', says: /\/no\/such/ },
  { name: 'a --root that is a file', args: ['--root', '/etc/passwd', 'IMAGE'], status: 64, code: 'USAGE', says: /\/etc\/passwd/ },
  { name: 'a values file that is not there', args: ['--values', '/no/such', 'IMAGE'], status: 64, code: 'USAGE', says: /\/no\/such/ },
  { name: 'a --set without a value', args: ['--set', 'A', 'IMAGE'], status: 64, code: 'USAGE', says: /NAME=VALUE/ },
  { name: 'a launcher that was not built', args: ['--name', 'x', 'IMAGE'], env: { BERTH_LAUNCHER: '/nonexistent' }, status: 69, code: 'LAUNCHER_MISSING', says: /\/nonexistent/ },
  { name: 'a runtime that is not there', args: ['--name', 'y', '--runtime', 'crun', 'IMAGE'], status: 69, code: 'PROGRAM_MISSING', says: /crun/ },
  { name: 'a rootfs that is not there', args: ['--name', 'y', '--rootfs', '/no/such', 'IMAGE'], status: 64, code: 'USAGE', says: /\/no\/such/ },

  // The name is taken
  { name: 'the same name with other values', args: ['--set', 'RUN_DIRECTORY=/run/x', 'IMAGE'], status: 73, code: 'CONTAINER_EXISTS', says: /other values/ },
  { name: 'the same name from another image', args: ['--name', 'good', 'IMAGE'], sketch: { comment: 'other' }, status: 73, code: 'CONTAINER_EXISTS', says: /another image/ },
  { name: 'the name of a vendor unit (N10)', args: ['--name', 'dbus', 'IMAGE'], status: 73, code: 'UNIT_EXISTS', says: /dbus\.service/ },
  { name: 'an alias of a vendor unit (N10)', args: ['--name', 'sshd', 'IMAGE'], status: 73, code: 'UNIT_EXISTS', says: /sshd\.service/ },
  { name: 'a vendor unit that is not enabled (N10)', args: ['--name', 'ssh', 'IMAGE'], status: 73, code: 'UNIT_EXISTS', says: /ssh\.service/ },
  { name: 'a vendor unit of systemd (N10)', args: ['--name', 'systemd-journald', 'IMAGE'], status: 73, code: 'UNIT_EXISTS', says: /systemd-journald\.service/ },
  { name: 'a masked unit (F32)', args: ['--name', 'hidden', 'IMAGE'], status: 73, code: 'UNIT_MASKED', says: /hidden\.service is masked/ },

  // Templates and values
  { name: 'a template that yields broken JSON', sketch: { files: { 'config.json.template': '{ "process": { "args": ["$NAME"] ' } }, status: 65, code: 'JSON_INVALID', says: /config\.json/ },
  { name: 'a fragment that breaks the JSON', sketch: { files: { 'config.json.template': configTemplate().replace('"mounts": [', '"mounts": [$MORE '), 'manifest.json': '{"version":"1.0","defaultValues":{"MORE":""}}' } }, args: ['--set', 'MORE={"destination":"/x"', 'IMAGE'], status: 64, code: 'VALUE_INVALID', says: /MORE/ },
  { name: 'P01 a value that adds a directive', sketch: { files: { 'service.template': SERVICE_TEMPLATE.replace('Test of $NAME', '$WHAT') } }, args: ['--set', 'WHAT=hi\nExecStartPre=/bin/touch /tmp/x', 'IMAGE'], status: 64, code: 'VALUE_INVALID', says: /WHAT/ },
  { name: 'P11 a placeholder that is none', sketch: inService('Environment=A=$1'), status: 65, code: 'TEMPLATE_INVALID', says: /service\.template/ },
  { name: 'P12 variables named like members of an object', sketch: inService('Environment=A=$constructor'), status: 64, code: 'VARIABLE_MISSING', says: /constructor/ },
  { name: 'missing variables, all named at once', sketch: { files: { 'service.template': SERVICE_TEMPLATE.replace('Test of $NAME', '$FIRST $SECOND'), 'config.json.template': configTemplate({ hostname: '$THIRD' }) } }, status: 64, code: 'VARIABLE_MISSING', says: /FIRST.*SECOND.*THIRD/s },
  { name: 'a unit without a command (P18)', sketch: service('[Unit]\nDescription=x\n[Service]\nType=simple\n'), status: 65, code: 'UNIT_INVALID', says: /ExecStart/ },
  { name: 'a unit that systemd-analyze verify rejects: no such type', sketch: inService('Type=bogus'), status: 65, code: 'UNIT_INVALID', says: /Type/ },
  { name: 'a unit that systemd-analyze verify rejects: a line before its sections', sketch: service(`ExecStart=/bin/true\n${SERVICE_TEMPLATE}`), status: 65, code: 'UNIT_INVALID', says: /before the first section/ },
  { name: 'P19 a unit that takes the name of another', sketch: service(`${SERVICE_TEMPLATE}Alias=dbus.service\n`), status: 65, code: 'UNIT_INVALID', says: /Alias/ },
  { name: 'P22 tmpfiles lines that write elsewhere', sketch: { files: { 'tmpfiles.template': 'L+ /etc/passwd - - - - /tmp/x\n' } }, status: 65, code: 'HOST_PATH_REFUSED', says: /\/etc\/passwd/ },

  // What stands in /exports
  { name: 'P14 a template that is a link', sketch: { files: { 'service.template': undefined }, entries: [{ path: 'exports/service.template', type: 'symlink', link: '/etc/shadow' }] }, status: 65, code: 'EXPORTS_INVALID', says: /service\.template.*symlink/ },
  { name: 'T26 a template that is a FIFO', sketch: { files: { 'service.template': undefined }, entries: [{ path: 'exports/service.template', type: 'fifo' }] }, status: 65, code: 'EXPORTS_INVALID', says: /service\.template.*fifo/ },
  { name: 'P16 a template that is a folder', sketch: { files: { 'service.template': undefined }, entries: [{ path: 'exports/service.template/' }] }, status: 65, code: 'EXPORTS_INVALID', says: /service\.template.*directory/ },
  { name: 'P16 a template with NUL', sketch: service(`${SERVICE_TEMPLATE}\0`), status: 65, code: 'TEMPLATE_INVALID', says: /service\.template/ },
  { name: 'T69 a hostfs that is a link', sketch: { entries: [{ path: 'exports/hostfs', type: 'symlink', link: '/etc' }] }, status: 65, code: 'EXPORTS_INVALID', says: /hostfs.*symlink/ },
  { name: 'M37 a manifest.json of another shape', sketch: { files: { 'manifest.json': '[]' } }, status: 65, code: 'EXPORTS_INVALID', says: /manifest\.json/ },

  // config.json
  { name: 'P26 a root elsewhere', sketch: config({ root: { path: '../..', readonly: true } }), status: 65, code: 'RUNTIME_CONFIG_INVALID', says: /root\.path/ },
  { name: 'P26 the root of the host', sketch: config({ root: { path: '/', readonly: true } }), status: 65, code: 'RUNTIME_CONFIG_INVALID', says: /root\.path/ },
  { name: 'P24 hooks', sketch: config({ hooks: { prestart: [{ path: '/bin/touch', args: ['touch', '/tmp/x'] }] } }), status: 65, code: 'RUNTIME_UNSUPPORTED', says: /hooks/ },
  { name: 'P28 a sysctl of the host', sketch: config({ linux: { sysctl: { 'kernel.core_pattern': '|/x' }, namespaces: [{ type: 'mount' }] } }), status: 65, code: 'RUNTIME_CONFIG_INVALID', says: /core_pattern/ },

  // Files for the host
  { name: 'H01 a file that is there and differs', sketch: { entries: [{ path: 'exports/hostfs/etc/berth-test/there', content: 'x' }] }, status: 73, code: 'HOST_FILE_EXISTS', says: /\/etc\/berth-test\/there/ },
  { name: 'H01 the accounts', sketch: { entries: [{ path: 'exports/hostfs/etc/passwd', content: 'x' }] }, status: 65, code: 'HOST_PATH_REFUSED', says: /\/etc\/passwd/ },
  ...[
    '/etc/ld.so.preload',
    '/etc/systemd/system/x.service',
    '/root/.ssh/authorized_keys',
    '/var/lib/berth/x',
  ].map((path): Row => ({
    name: `H02 ${path}`,
    sketch: { entries: [{ path: `exports/hostfs${path}`, content: 'x' }] },
    status: 65,
    code: 'HOST_PATH_REFUSED',
    says: new RegExp(path.replaceAll('.', '\\.')),
  })),
  { name: 'H03 a link to a guarded path', sketch: { entries: [{ path: 'exports/hostfs/etc/berth-test/l', type: 'symlink', link: '../shadow' }] }, status: 65, code: 'HOST_PATH_REFUSED', says: /\/etc\/shadow/ },
  { name: 'H07 a rename that climbs out', sketch: { files: { 'manifest.json': '{"version":"1.0","renameFiles":{"/etc/a":"../../etc/shadow"}}' }, entries: [{ path: 'exports/hostfs/etc/a', content: 'x' }] }, status: 65, code: 'HOST_PATH_REFUSED', says: /etc\/shadow/ },
];

/** What the host was like after the row before; a row that leaves something behind is the only one to fail. */
let latest: TreeSnapshot | undefined;

const shownInWords = new Set<string>();

for (const [index, row] of rows.entries()) {
  test(`refused with the host as before: ${row.name}`, async () => {
    const repository = row.sketch === undefined ? 'good' : `row-${index}`;
    if (row.sketch !== undefined) await pushExports(registry.target(repository), row.sketch);
    const args = (row.args ?? ['IMAGE']).map((arg) =>
      arg.replace('IMAGE', image(repository)).replace('REGISTRY', registry.host),
    );
    const earlier = latest ?? (await snapshotChanging(host));
    const install = async (...more: readonly string[]): Promise<CommandResult> =>
      host.run(
        [...BERTH, 'install', '--system', ...more, ...args],
        row.env === undefined ? {} : { env: row.env },
      );
    const inJson = await install('--json');
    // One of each code in words, too: they come from the same lines of code.
    const inWords = shownInWords.has(row.code) ? undefined : await install();
    shownInWords.add(row.code);
    latest = await snapshotChanging(host);
    assertRefusedInJson(inJson, row);
    if (inWords !== undefined) assertRefusedInWords(inWords, row);
    assert.deepEqual(compareSnapshots(earlier, latest), []);
  });
}

test('installing the same again says so and changes nothing', async () => {
  const earlier = await snapshotChanging(host);
  const again = await host.berth('install', image('good'));
  assert.deepEqual([again.status, again.stderr], [0, '']);
  assert.match(again.stdout, /good is installed already, nothing changed/);
  const inJson = await host.berth('install', '--json', image('good'));
  const document = JSON.parse(inJson.stdout) as { plan: { action: string } };
  assert.equal(document.plan.action, 'nothing');
  assert.deepEqual(compareSnapshots(earlier, await snapshotChanging(host)), []);
});

test('P08 a value with quotes stays inside its string', async () => {
  await pushExports(
    registry.target('quotes'),
    config({ process: { user: { uid: 0, gid: 0 }, args: ['/probe', '$WHAT'], cwd: '/' } }),
  );
  const value = 'x","privileged":true,"b":"';
  const installed = await host.berth('install', '--set', `WHAT=${value}`, image('quotes'));
  assert.equal(installed.status, 0, installed.stderr);
  const text = await host.sh('cat /var/lib/berth/quotes/config.json');
  const document = JSON.parse(text) as { process: { args: string[] } };
  assert.deepEqual(document.process.args, ['/probe', value]);
  assert.deepEqual(Object.keys(document), Object.keys(JSON.parse(configTemplate()) as object));
  assert.equal((await host.berth('uninstall', 'quotes')).status, 0);
});

test('C25 an unknown capability is named, and not given', async () => {
  const capabilities = { bounding: ['CAP_EVERYTHING', 'CAP_KILL'] };
  await pushExports(
    registry.target('capable'),
    config({ process: { user: { uid: 0, gid: 0 }, args: ['/probe'], cwd: '/', capabilities } }),
  );
  const plan = await host.berth('install', '--plan', image('capable'));
  assert.equal(plan.status, 0, plan.stderr);
  assert.match(plan.stdout, /CAP_EVERYTHING' is not known to Linux, ignoring/);
  assert.match(plan.stdout, /Capabilities\n {2}kill\n/);
});

test('P21 a program that a unit runs on the host is in the plan', async () => {
  await pushExports(registry.target('runs'), inService('ExecStartPre=+/bin/touch /run/x'));
  const plan = await host.berth('install', '--plan', image('runs'));
  assert.equal(plan.status, 0, plan.stderr);
  assert.match(plan.stdout, /ExecStartPre=\+\/bin\/touch|\/bin\/touch/);
});
