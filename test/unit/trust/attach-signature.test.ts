import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OperationalError } from '../../../src/errors/operational-error.js';
import { digestOf } from '../../../src/oci/digest.js';
import type { ImageDestination } from '../../../src/transport/image-destination.js';
import type { ImageSource } from '../../../src/transport/image-source.js';
import { attachSignature } from '../../../src/trust/attach-signature.js';
import { assertFails } from '../../support/assert-fails.js';

/* A tag that several write to: a registry takes what comes last, whatever it was made of. */

const TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const ANNOTATION = 'dev.cosignproject.cosign/signature';
const NAME = 'docker://registry.example/etcd:sha256-0.sig';

interface Manifest {
  readonly layers: readonly { readonly annotations: Readonly<Record<string, string>> }[];
  readonly annotations?: unknown;
}

class Tag {
  bytes: Uint8Array | undefined;
  writes = 0;
  afterWrite: () => void = () => undefined;

  get manifest(): Manifest {
    return JSON.parse(Buffer.from(this.bytes ?? []).toString()) as Manifest;
  }

  get signatures(): readonly (string | undefined)[] {
    return this.manifest.layers.map(({ annotations }) => annotations[ANNOTATION]);
  }

  write(signatures: readonly string[], more: object = {}): void {
    const layers = signatures.map((signature) => ({
      mediaType: TYPE,
      digest: digestOf(Buffer.from(signature)),
      size: signature.length,
      annotations: { [ANNOTATION]: signature, theirs: '1' },
    }));
    this.bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, layers, ...more }));
  }

  async attach(signature: string): Promise<void> {
    const from = {
      name: NAME,
      readManifest: () =>
        this.bytes === undefined
          ? Promise.reject(new OperationalError('REGISTRY_NOT_FOUND', 'there is none'))
          : Promise.resolve({
              bytes: this.bytes,
              mediaType: undefined,
              digest: digestOf(this.bytes),
            }),
    } as unknown as ImageSource;
    let made: Uint8Array | undefined;
    const to = {
      name: NAME,
      hasBlob: () => Promise.resolve(true),
      putManifest: ({ bytes }: { readonly bytes: Uint8Array }) => {
        made = bytes;
        return Promise.resolve();
      },
      commit: () => {
        this.writes += 1;
        this.bytes = made;
        this.afterWrite();
        return Promise.resolve();
      },
    } as unknown as ImageDestination;
    const payload = Buffer.from(signature);
    await attachSignature({ from, to }, { payload, signature }, new AbortController().signal);
  }
}

test('attachSignature() adds to what is there, which stays as it stands', async () => {
  const tag = new Tag();
  await tag.attach('one');
  assert.deepEqual(tag.signatures, ['one']);
  const beside = { annotations: { a: 'b' }, artifactType: 'application/x' };
  tag.write(['one', 'two'], beside);
  await tag.attach('three');
  assert.deepEqual(tag.signatures, ['one', 'two', 'three']);
  const { layers, ...rest } = tag.manifest;
  assert.equal(layers[1]?.annotations['theirs'], '1');
  const { annotations, artifactType } = rest as Record<string, unknown>;
  assert.deepEqual({ annotations, artifactType }, beside);
});

test('attachSignature() writes again where somebody who signed at once has written over it', async () => {
  const tag = new Tag();
  let first = true;
  tag.afterWrite = () => {
    if (first) tag.write(['theirs']);
    first = false;
  };
  await tag.attach('ours');
  assert.deepEqual(tag.signatures, ['theirs', 'ours']);
  assert.equal(tag.writes, 2);
});

test('attachSignature() of several at once loses none', async () => {
  const tag = new Tag();
  const all = ['a', 'b', 'c', 'd'];
  await Promise.all(all.map((signature) => tag.attach(signature)));
  assert.deepEqual([...tag.signatures].sort(), all);
});

test('attachSignature() gives up where its signature never stays, and says so', async () => {
  const tag = new Tag();
  tag.afterWrite = () => {
    tag.write(['theirs']);
  };
  const error = await assertFails('BUSY', () => tag.attach('ours'));
  assert.match(error.message, /written over 6 times/);
  assert.equal(tag.writes, 6);
});
