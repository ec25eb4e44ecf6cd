// warm-up.mjs USE FILE: runs a part of the program as the commands of a use do, on a folder of its own, and writes what V8
// compiled meanwhile to FILE.USE-VERSION (src/base/load-part.ts). It says nothing: what does not work here is only not in it.
import { createHash } from 'node:crypto';
import fs, {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import v8 from 'node:v8';
import { gzipSync } from 'node:zlib';

import { compiledPart, compilePart } from '../dist/src/base/load-part.js';
import { NO_DEPENDENCIES } from '../dist/src/containers/container-dependencies.js';
import { formatDeployment } from '../dist/src/containers/deployment.js';
import { DEFAULT_HEALTH_CHECK } from '../dist/src/containers/health-check.js';
import { Variant } from '../dist/src/systemd/wire/variant.js';
import { WireWriter } from '../dist/src/systemd/wire/wire-writer.js';
import { ArchiveWriter } from '../dist/src/tar/archive-writer.js';

const [use, file] = process.argv.slice(2);
const place = mkdtempSync(join(tmpdir(), 'berth-warm-up-'));
// V8 takes compiled code only under the flags that it was compiled under.
v8.setFlagsFromString = () => undefined;
const script = compilePart(file, use);
try {
  await { look, list, fetch, run }[use]();
  // V8 does not check it all: what a crash left of it must not be taken for it.
  const compiled = compiledPart(file, use);
  writeFileSync(`${compiled}.new`, script.createCachedData(), { flush: true });
  renameSync(`${compiled}.new`, compiled);
} finally {
  rmSync(place, { recursive: true, force: true });
}
process.exit(0);

function load() {
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(file), module, file);
  return module.exports;
}

async function look() {
  const berth = commandLine();
  await berth('list');
  await berth('list', '--json');
  await berth('images', 'list');
}

// As on a running host that has many containers: a systemd that is not there answers.
async function list() {
  const folders = ['state', 'run', 'units', 'units/multi-user.target.wants'];
  for (const folder of folders) mkdirSync(join(place, folder));
  for (let at = 0; at < 100; at++) {
    const name = `warm${at}`;
    mkdirSync(join(place, `state/${name}.0`));
    writeFileSync(join(place, `state/${name}.0/deployment.json`), formatDeployment(record(name)));
    symlinkSync(`${name}.0`, join(place, 'state', name));
  }
  const server = await serveBus(join(place, 'bus'));
  const { existsSync } = fs;
  fs.existsSync = (path) => path === '/run/systemd/system' || existsSync(path);
  syncBuiltinESMExports();
  const env = {
    BERTH_STATE_DIR: join(place, 'state'),
    BERTH_RUN_DIR: join(place, 'run'),
    DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${join(place, 'bus')}`,
  };
  Object.assign(process.env, env);
  const berth = commandLine([], env);
  for (const words of [[], [], ['--json'], ['--quiet']]) await berth('list', ...words);
  server.close();
}

async function fetch() {
  const berth = commandLine();
  const { server, publish } = await serveImages();
  const image = `127.0.0.1:${server.address().port}/warm:latest`;
  publish(await imageOf(['usr/bin/program', 'etc/program.conf']));
  await berth('install', '--plan', image);
  await berth('install', '--name', 'warm', image);
  await berth('update', 'warm');
  publish(await imageOf(['usr/bin/program', 'etc/program.conf'], ['etc/program.conf']));
  await berth('update', 'warm');
  await berth('uninstall', 'warm');
  server.close();
}

async function run() {
  const [root, bundle] = [join(place, 'state'), join(place, 'bundle')];
  mkdirSync(join(bundle, 'rootfs'), { recursive: true });
  // All that comes before a process, and nothing behind it: a launcher that ends at once.
  process.env.BERTH_LAUNCHER = '/bin/false';
  const global = ['--root', root, '--log', join(place, 'log'), '--cgroup-manager', 'disabled'];
  for (const words of [
    ['spec', '--bundle', bundle],
    ['create', '--bundle', bundle, 'warm'],
    ['run', '--bundle', bundle, 'warm'],
    ['state', 'warm'],
    ['start', 'warm'],
    ['kill', 'warm'],
    ['delete', 'warm'],
    ['list'],
  ]) {
    process.argv = [process.execPath, file, ...global, ...words];
    load();
    // It ends with nothing left to wait for, of which nobody is told.
    await sleep(50);
  }
}

function commandLine(common = ['--root', place], env = {}) {
  const { runCommandLine } = load();
  const sink = () => new Writable({ write: (chunk, encoding, done) => done() });
  return async (...words) => {
    const args = [...common, ...words];
    const streams = { stdout: sink(), stderr: sink() };
    await runCommandLine({ argv: ['', '', ...args], env, ...streams, on() {}, off() {} }, args);
  };
}

function record(name) {
  const image = { reference: 'warm:latest', storeName: 'warm:latest', digest: digestOf(name) };
  return {
    ...{ name, number: 0, image, values: {}, setValues: {}, runtime: 'berth', storage: 'embedded' },
    ...{ rootfs: 'checkout', files: [], units: [`${name}.service`], createdPaths: [] },
    ...{ foreignPaths: [], allowedHostPaths: [], dependencies: NO_DEPENDENCIES },
    permissions: {
      ...{ capabilities: [], hostMounts: [], sharedNamespaces: [], devices: [], hostPaths: [] },
      user: '',
    },
    ...{ health: DEFAULT_HEALTH_CHECK, labels: {}, secrets: [], warnings: [] },
    ...{ createdAt: new Date().toISOString(), version: '' },
  };
}

// Lets everybody in, and answers what 'list' asks, each question by the types of its answer.
async function serveBus(path) {
  const row = ['warm1.service', '', 'loaded', 'active', 'running', '', '/', 0, '', '/'];
  const answers = [
    ['Hello', 's', [':1.1']],
    ['ListUnitsByPatterns', 'a(ssssssouso)', [[row]]],
    ['Version', 'v', [new Variant('s', '257')]],
  ];
  const server = createSocketServer((socket) => {
    let asked = 0;
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      if (text.startsWith('\0AUTH')) socket.write('OK warm\r\n');
      const found = answers
        .map((answer) => ({ answer, at: text.indexOf(answer[0]) }))
        .filter(({ at }) => at >= 0);
      found.sort((one, other) => one.at - other.at);
      for (const { answer } of found) socket.write(encodeReply(++asked, answer[1], answer[2]));
    });
    socket.on('error', () => undefined);
  });
  await new Promise((done) => server.listen(path, done));
  return server;
}

function encodeReply(serial, signature, body) {
  const writer = new WireWriter();
  const fields = [
    [5, new Variant('u', serial)],
    [8, new Variant('g', signature)],
  ];
  writer.writeAll('yyyyuua(yv)', ['l'.charCodeAt(0), 2, 0, 1, 0, serial, fields]);
  writer.align(8);
  const bodyAt = writer.bytes.length;
  writer.writeAll(signature, body);
  writer.patch(4, writer.bytes.length - bodyAt);
  return writer.bytes;
}

// A registry of one image, whatever was published last.
async function serveImages() {
  let image;
  const server = createServer((request, response) => {
    const { manifest, mediaType, blobs } = image;
    const content = request.url.includes('/manifests/')
      ? manifest
      : blobs.get(request.url.split('/').at(-1));
    if (request.url !== '/v2/' && content === undefined) return void response.writeHead(404).end();
    response.writeHead(200, {
      'content-type': content === manifest ? mediaType : 'application/octet-stream',
      'content-length': content?.length ?? 0,
      ...(content === manifest ? { 'docker-content-digest': digestOf(manifest) } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : content);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { server, publish: (next) => void (image = next) };
}

// An image of layers that have files at some paths each.
async function imageOf(...layersOfPaths) {
  const archives = await Promise.all(
    layersOfPaths.map((paths, index) => archiveOf(paths, `layer ${index}\n`)),
  );
  const blobs = new Map();
  const put = (mediaType, content) => {
    const digest = digestOf(content);
    blobs.set(digest, content);
    return { mediaType, digest, size: content.length };
  };
  const type = 'application/vnd.oci.image';
  const config = put(
    `${type}.config.v1+json`,
    json({
      architecture: { x64: 'amd64' }[process.arch] ?? process.arch,
      os: 'linux',
      config: { Entrypoint: ['/usr/bin/program'], Env: ['PATH=/usr/bin'] },
      rootfs: { type: 'layers', diff_ids: archives.map(digestOf) },
    }),
  );
  const layers = archives.map((archive) => put(`${type}.layer.v1.tar+gzip`, gzipSync(archive)));
  const mediaType = `${type}.manifest.v1+json`;
  const manifest = json({ schemaVersion: 2, mediaType, config, layers });
  return { manifest, mediaType, blobs };
}

async function archiveOf(paths, text) {
  const pieces = [];
  const archive = new ArchiveWriter(async (bytes) => void pieces.push(Buffer.from(bytes)));
  const content = Buffer.from(text);
  for (const path of paths) await archive.addFile(path, content.length, [content]);
  await archive.end();
  return Buffer.concat(pieces);
}

function json(value) {
  return Buffer.from(JSON.stringify(value));
}

function digestOf(content) {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
