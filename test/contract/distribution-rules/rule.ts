import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';

import { askHttp, type HttpAnswer, type HttpQuestion } from '../../support/ask-http.js';

/*
 * What distribution-spec v1.1 demands of a registry, rule by rule, as the specification's own conformance program asks it
 * (opencontainers/distribution-spec, conformance/): pulling, pushing, content discovery, content management. Each rule has a
 * repository of its own, and asks in plain HTTP.
 */

/** One thing that a registry has to do. */
export interface DistributionRule {
  readonly name: string;
  /** Fails where the registry does something else. */
  readonly check: (bed: RegistryBed) => Promise<void>;
}

export const types = {
  bytes: 'application/octet-stream',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  foreignLayer: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
  example: 'application/vnd.example.thing',
} as const;

/** The algorithms of digests that a registry has to know. */
export type Algorithm = 'sha256' | 'sha512';

/** A digest as it stands in addresses. */
export function digestOf(bytes: Uint8Array, algorithm: Algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** What refers to a blob or manifest. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** A manifest that a registry has taken. */
export interface Pushed extends Descriptor {
  readonly bytes: Buffer;
  readonly answer: HttpAnswer;
}

/** A repository of a registry. */
export class RegistryBed {
  readonly #origin: string;
  readonly repository: string;

  constructor(origin: string, repository: string) {
    this.#origin = origin;
    this.repository = repository;
  }

  /** Another repository of the same registry. */
  beside(name: string): RegistryBed {
    return new RegistryBed(this.#origin, `${this.repository}/${name}`);
  }

  /** Asks below the repository (`/manifests/latest`), or where an answer said to go on. */
  ask(
    path: string,
    question: HttpQuestion = {},
    parameters: Readonly<Record<string, string>> = {},
  ): Promise<HttpAnswer> {
    const isOwn = /^\/(manifests|blobs|tags|referrers)\//.test(path);
    const url = new URL(isOwn ? `/v2/${this.repository}${path}` : path, this.#origin);
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return askHttp(url, question);
  }

  /** Begins an upload; the place where it goes on. */
  async startUpload(): Promise<string> {
    const started = await this.ask('/blobs/uploads/', { method: 'POST' });
    assert.equal(started.status, 202, 'an upload was not begun');
    return locationOf(started);
  }

  /** Puts a blob there, in the way that every registry has. */
  async pushBlob(content: Uint8Array, algorithm: Algorithm = 'sha256'): Promise<Descriptor> {
    const digest = digestOf(content, algorithm);
    const place = await this.startUpload();
    const done = await this.ask(place, putOf(content), { digest });
    assert.equal(done.status, 201, done.body.toString());
    return { mediaType: types.bytes, digest, size: content.length };
  }

  /** Puts a manifest or index there, under a tag or its digest. */
  async pushManifest(
    document: Readonly<Record<string, unknown>>,
    name?: string,
    algorithm: Algorithm = 'sha256',
  ): Promise<Pushed> {
    const bytes = Buffer.from(JSON.stringify(document, null, 2));
    const digest = digestOf(bytes, algorithm);
    const mediaType = String(document['mediaType']);
    const answer = await this.ask(`/manifests/${name ?? digest}`, {
      method: 'PUT',
      headers: { 'content-type': mediaType },
      body: bytes,
    });
    assert.equal(answer.status, 201, answer.body.toString());
    return { mediaType, digest, size: bytes.length, bytes, answer };
  }

  /** The manifest of an image whose blobs are there. Each differs from all others. */
  async makeImage(
    changes: Readonly<Record<string, unknown>> = {},
    algorithm: Algorithm = 'sha256',
  ): Promise<Readonly<Record<string, unknown>>> {
    const layer = await this.pushBlob(randomBytes(256), algorithm);
    const config = Buffer.from(JSON.stringify({ comment: randomBytes(8).toString('hex') }));
    return {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { ...(await this.pushBlob(config, algorithm)), mediaType: types.config },
      layers: [{ ...layer, mediaType: types.layer }],
      ...changes,
    };
  }

  /** Asserts that a blob or manifest is there, as it was given. */
  async assertThere(
    path: string,
    expected: { readonly bytes: Uint8Array; readonly accept?: string },
  ): Promise<HttpAnswer> {
    const headers = { accept: expected.accept ?? '*/*' };
    const got = await this.ask(path, { headers });
    assert.equal(got.status, 200, `${path}: ${got.body.toString()}`);
    assert.deepEqual(got.body, Buffer.from(expected.bytes), path);
    const head = await this.ask(path, { headers, method: 'HEAD' });
    assert.equal(head.status, 200, path);
    assert.equal(head.body.length, 0, 'an answer to HEAD has a body');
    assert.equal(head.headers['content-length'], String(expected.bytes.length), path);
    return got;
  }
}

/** A request that puts bytes somewhere. */
export function putOf(body: Uint8Array, method = 'PUT'): HttpQuestion {
  return { method, headers: { 'content-type': types.bytes }, body };
}

/** A request that puts a part of them. */
export function partOf(
  body: Uint8Array,
  {
    start,
    end,
    method = 'PATCH',
  }: { readonly start: number; readonly end: number; readonly method?: string },
): HttpQuestion {
  return {
    method,
    headers: { 'content-type': types.bytes, 'content-range': `${start}-${end - 1}` },
    body: body.subarray(start, end),
  };
}

/** Where an answer says to go on. */
export function locationOf(answer: HttpAnswer): string {
  const { location } = answer.headers;
  assert.ok(location !== undefined && location !== '', 'an answer has no Location');
  return location;
}

/** Asserts that an answer is a refusal in the specification's form, where it has a body at all. */
export function assertRefusal(
  answer: HttpAnswer,
  statuses: readonly number[],
  code?: RegExp,
): void {
  assert.ok(statuses.includes(answer.status), `status ${answer.status}: ${answer.body.toString()}`);
  if (code === undefined) return;
  const { errors } = JSON.parse(answer.body.toString()) as { errors: { code: string }[] };
  assert.match(errors[0]?.code ?? '', code);
  assert.match(errors[0]?.code ?? '', /^[A-Z_]+$/);
}
