// warm-up.mjs USE FILE: runs a part of the program as the commands of a use do, on a folder of its own, and writes what V8
// compiled meanwhile to FILE.USE-VERSION (src/base/load-part.ts). It says nothing: what does not work here is only not in it.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import v8 from 'node:v8';
import { gzipSync } from 'node:zlib';

import { compiledPart, compilePart } from '../dist/src/base/load-part.js';
import { ArchiveWriter } from '../dist/src/tar/archive-writer.js';

const [use, file] = process.argv.slice(2);
const place = mkdtempSync(join(tmpdir(), 'berth-warm-up-'));
// V8 takes compiled code only under the flags that it was compiled under.
v8.setFlagsFromString = () => undefined;
const script = compilePart(file, use);
try {
  await { look, fetch, run }[use]();
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

async function fetch() {
  const berth = commandLine();
  const server = await serveImage();
  const image = `127.0.0.1:${server.address().port}/warm:latest`;
  await berth('install', '--plan', image);
  await berth('install', '--name', 'warm', image);
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

function commandLine() {
  const { runCommandLine } = load();
  const sink = () => new Writable({ write: (chunk, encoding, done) => done() });
  return async (...words) => {
    const args = ['--root', place, ...words];
    const streams = { stdout: sink(), stderr: sink() };
    await runCommandLine({ argv: ['', '', ...args], env: {}, ...streams, on() {}, off() {} }, args);
  };
}

async function serveImage() {
  const pieces = [];
  const archive = new ArchiveWriter(async (bytes) => void pieces.push(Buffer.from(bytes)));
  for (const path of ['usr/bin/program', 'etc/program.conf']) {
    await archive.addFile(path, 6, [Buffer.from('warm\n\n')]);
  }
  await archive.end();
  const layer = Buffer.concat(pieces);
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
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    }),
  );
  const layers = [put(`${type}.layer.v1.tar+gzip`, gzipSync(layer))];
  const mediaType = `${type}.manifest.v1+json`;
  const manifest = json({ schemaVersion: 2, mediaType, config, layers });
  const server = createServer((request, response) => {
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
  return server;
}

function json(value) {
  return Buffer.from(JSON.stringify(value));
}

function digestOf(content) {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
