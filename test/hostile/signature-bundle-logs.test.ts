import assert from 'node:assert/strict';

import type { ErrorCode } from '../../src/errors/catalogue.js';
import { assertFails } from '../support/assert-fails.js';
import { each } from '../support/each.js';
import { makeSigstoreKey, type SigstoreKey } from '../support/sigstore-attachments.js';
import {
  logStatement,
  makeBundle,
  signCheckpoint,
  signStatement,
  statementOf,
  type BundleEntry,
  type BundleEntryParts,
  type InclusionProof,
  type SignedStatement,
} from '../support/sigstore-bundles.js';
import { TrustDesk } from '../support/trust-desk.js';

/*
 * HOSTILE.md, B.9: what a transparency log says of a bundle. The naive verifier is content with an entry that has the right signature in
 * it, whoever says that the log has it.
 */

const signer = makeSigstoreKey();
const stranger = makeSigstoreKey();
const log = makeSigstoreKey();
const tiles = makeSigstoreKey('ed25519');
const now = (): number => Math.floor(Date.now() / 1000);

interface Parts {
  readonly signed: SignedStatement;
  readonly other: SignedStatement;
}

interface Row {
  readonly name: string;
  readonly entries: (parts: Parts) => readonly object[];
  readonly code?: ErrorCode;
  readonly says?: RegExp;
  /** Nothing says when it was made. */
  readonly isTimeless?: true;
  readonly naiveTakes?: true;
}

const entry = (
  { signed }: Parts,
  changes: Partial<BundleEntryParts> = {},
  by: SigstoreKey = log,
): BundleEntry => logStatement(by, { signed, signer: signer.publicKey, ...changes });

/** An entry of a log that signs its tree alone, with what it says of the tree changed. */
const inTree = (parts: Parts, change: (proof: InclusionProof) => object): readonly object[] => {
  const made = entry(parts, { proofs: ['tree'] });
  assert.ok(made.inclusionProof !== undefined);
  return [{ ...made, inclusionProof: { ...made.inclusionProof, ...change(made.inclusionProof) } }];
};
const refused = { code: 'SIGNATURE_INVALID' } as const;
const elsewhere = { ...refused, says: /does not stand in the tree/, naiveTakes: true } as const;
const unsigned = { ...refused, says: /none of the keys of the log/, naiveTakes: true } as const;
const none = { ...refused, says: /checkpoint of the log is none/, naiveTakes: true } as const;

each<Row>(
  'S17 an entry of a log beside a bundle',
  [
    { name: 'is taken', entries: (parts) => [entry(parts)], naiveTakes: true },
    ...(['dsse 0.0.1', 'intoto 0.0.2', 'hashedrekord 0.0.1'] as const).map((kind): Row => ({
      name: `of the kind ${kind} is taken`,
      entries: (parts) => [entry(parts, { kind, proofs: ['promise'] })],
      naiveTakes: true,
    })),
    ...(['hashedrekord 0.0.2', 'dsse 0.0.2'] as const).map((kind): Row => ({
      name: `of the kind ${kind} is taken, and says no time`,
      entries: (parts) => [entry(parts, { kind, proofs: ['tree'] }, tiles)],
      isTimeless: true,
      naiveTakes: true,
    })),
    ...[
      [1, 0],
      [2, 1],
      [8, 7],
      [9, 8],
      [1000, 513],
    ].map(([size = 0, index = 0]): Row => ({
      name: `that is number ${index} of ${size} is taken`,
      entries: (parts) => [entry(parts, { proofs: ['tree'], size, index })],
      isTimeless: true,
      naiveTakes: true,
    })),
    {
      name: 'that is good after one that is not is taken',
      entries: (parts) => [entry(parts, {}, stranger), entry(parts)],
      naiveTakes: true,
    },
    { name: 'is missing', entries: () => [], ...refused, says: /no entry of the log/ },
    {
      name: 'comes with no proof',
      entries: (parts) => [entry(parts, { proofs: [] })],
      ...{ ...refused, says: /comes with no proof/, naiveTakes: true },
    },
    { name: 'of another log', entries: (parts) => [entry(parts, {}, stranger)], ...unsigned },
    {
      name: 'of another tree',
      entries: (parts) => [entry(parts, { proofs: ['tree'] }, stranger)],
      ...unsigned,
    },
    {
      name: 'whose time was changed',
      entries: (parts) => [{ ...entry(parts), integratedTime: '5' }],
      ...unsigned,
    },
    {
      name: 'that a log promises, with the tree of another one',
      entries: (parts) => {
        const { inclusionProof } = entry(parts, {}, stranger);
        return [{ ...entry(parts), inclusionProof }];
      },
      ...unsigned,
    },
    {
      name: 'that stands in a tree, with the promise of another log',
      entries: (parts) => {
        const { inclusionPromise } = entry(parts, {}, stranger);
        return [{ ...entry(parts), inclusionPromise }];
      },
      ...unsigned,
    },
    {
      name: 'of another document',
      entries: ({ signed, other }) => [
        entry({ signed: { ...other, signature: signed.signature }, other }),
      ],
      ...{ ...refused, says: /of another document/, naiveTakes: true },
    },
    {
      name: 'of another document, as a hash of all that was signed',
      entries: ({ signed, other }) => [
        entry(
          { signed: { ...other, signature: signed.signature }, other },
          { kind: 'hashedrekord 0.0.2' },
        ),
      ],
      ...{ ...refused, says: /of another document/, naiveTakes: true },
    },
    {
      name: 'of another signature by the same key',
      entries: ({ other }) => [entry({ signed: other, other })],
      ...{ ...refused, says: /of another signature/ },
    },
    {
      name: 'of another key',
      entries: (parts) => [entry(parts, { signer: stranger.publicKey })],
      ...{ ...refused, says: /of another key/, naiveTakes: true },
    },
    {
      name: 'S30 five years from now',
      entries: (parts) => [entry(parts, { at: now() + 5 * 365 * 86_400 })],
      ...{ ...refused, says: /future/, naiveTakes: true },
    },
    {
      name: 'S25 with a number that no date has',
      entries: (parts) => [entry(parts, { at: 2 ** 53 - 1 })],
      ...{ ...refused, says: /'.*integratedTime' is too large/, naiveTakes: true },
    },
    {
      name: 'with a number below nothing',
      entries: (parts) => [{ ...entry(parts), logIndex: '-5' }],
      ...{ ...refused, says: /logIndex' is not a whole number/, naiveTakes: true },
    },
    {
      name: 'with a way that lacks a step',
      entries: (parts) => inTree(parts, ({ hashes }) => ({ hashes: hashes.slice(1) })),
      ...elsewhere,
    },
    {
      name: 'with no way',
      entries: (parts) => inTree(parts, () => ({ hashes: [] })),
      ...elsewhere,
    },
    {
      name: 'with a way of one step too much',
      entries: (parts) => inTree(parts, ({ hashes }) => ({ hashes: [...hashes, hashes[0]] })),
      ...elsewhere,
    },
    {
      name: 'with a way without end',
      entries: (parts) =>
        inTree(parts, ({ hashes }) => ({ hashes: Array(1000).fill(hashes[0]) as string[] })),
      ...{ ...refused, says: /hashes' has more than 64 items/, naiveTakes: true },
    },
    {
      name: 'at another place',
      entries: (parts) => inTree(parts, () => ({ logIndex: '7' })),
      ...elsewhere,
    },
    {
      name: 'behind the end of the tree',
      entries: (parts) => inTree(parts, () => ({ logIndex: '11' })),
      ...elsewhere,
    },
    {
      name: 'in a tree of another size',
      entries: (parts) => inTree(parts, () => ({ treeSize: '12' })),
      ...{ ...refused, says: /of another tree/, naiveTakes: true },
    },
    {
      name: 'with another root',
      entries: (parts) => inTree(parts, ({ hashes }) => ({ rootHash: hashes[0] })),
      ...{ ...refused, says: /of another tree/, naiveTakes: true },
    },
    {
      name: 'with a checkpoint of a smaller tree',
      entries: (parts) =>
        inTree(parts, ({ rootHash }) => ({
          checkpoint: { envelope: signCheckpoint(log, `log.example\n5\n${rootHash}\n`) },
        })),
      ...{ ...refused, says: /of another tree/, naiveTakes: true },
    },
    {
      name: 'with a checkpoint that was signed under another name',
      entries: (parts) =>
        inTree(parts, ({ rootHash, treeSize }) => ({
          checkpoint: {
            envelope: signCheckpoint(log, `log.example\n${treeSize}\n${rootHash}\n`, 'another'),
          },
        })),
      ...unsigned,
    },
    {
      name: 'with a checkpoint whose log has several trees is taken',
      entries: (parts) =>
        inTree(parts, ({ rootHash, treeSize }) => ({
          checkpoint: {
            envelope: signCheckpoint(log, `log.example - 42\n${treeSize}\n${rootHash}\nmore\n`),
          },
        })),
      isTimeless: true,
      naiveTakes: true,
    },
    {
      name: 'with a checkpoint that was changed',
      entries: (parts) =>
        inTree(parts, ({ checkpoint: { envelope } }) => ({
          checkpoint: { envelope: envelope.replace('\n\n', '\nmore\n\n') },
        })),
      ...unsigned,
    },
    ...[
      '',
      'log.example\n',
      'log.example\nmany\nAA==\n\n',
      '\n\n',
      'log.example\n011\nAA==\n\n',
    ].map((envelope): Row => ({
      name: `with ${JSON.stringify(envelope)} in place of a checkpoint`,
      entries: (parts) => inTree(parts, () => ({ checkpoint: { envelope } })),
      ...none,
    })),
    {
      name: 'with a checkpoint of a megabyte',
      entries: (parts) => inTree(parts, () => ({ checkpoint: { envelope: 'a'.repeat(40_000) } })),
      ...{ ...refused, says: /too large/, naiveTakes: true },
    },
    {
      name: 'of a kind that is unknown',
      entries: (parts) => {
        const made = entry(parts);
        const text = Buffer.from(made.canonicalizedBody, 'base64').toString();
        const canonicalizedBody = Buffer.from(text.replace('dsse', 'rpm')).toString('base64');
        return [{ ...made, canonicalizedBody }];
      },
      ...unsigned,
    },
    {
      name: 'among nine',
      entries: (parts) => Array.from({ length: 9 }, () => entry(parts)),
      ...{ ...refused, says: /more than 8 items/, naiveTakes: true },
    },
    {
      name: 'with more than is known',
      entries: (parts) => [{ ...entry(parts), witness: 'log.example' }],
      ...{ ...refused, says: /witness' is unknown/, naiveTakes: true },
    },
  ],
  async ({ entries, code, says, isTimeless, naiveTakes }) => {
    using desk = TrustDesk.forBundles();
    desk.require({
      type: 'sigstoreSigned',
      keyPath: desk.write('key.pub', signer.publicKey),
      rekorPublicKeyPaths: [
        desk.write('log.pub', log.publicKey),
        desk.write('tiles.pub', tiles.publicKey),
      ],
    });
    const parts = {
      signed: signStatement(signer, statementOf(desk.digest)),
      other: signStatement(signer, statementOf(desk.digest, { predicate: { other: true } })),
    };
    const made = entries(parts);
    const source = desk.sourceWith([makeBundle(parts.signed, { entries: made })]);
    if (code === undefined) {
      const [accepted] = (await desk.check(desk.manifest, source)).signatures;
      if (isTimeless === true) assert.equal(accepted?.madeAtMs, undefined);
      else assert.ok(Math.abs((accepted?.madeAtMs ?? 0) - Date.now()) < 60_000);
    } else {
      const error = await assertFails(code, () => desk.check(desk.manifest, source));
      if (says !== undefined) assert.match(error.message, says);
    }
    assert.equal(naivelyLogged(made as readonly BundleEntry[], parts.signed), naiveTakes === true);
  },
);

function naivelyLogged(entries: readonly BundleEntry[], { signature }: SignedStatement): boolean {
  const once = signature.toString('base64');
  const twice = Buffer.from(once).toString('base64');
  return entries.some(({ canonicalizedBody }) => {
    const text = Buffer.from(canonicalizedBody, 'base64').toString();
    return text.includes(once) || text.includes(twice);
  });
}
