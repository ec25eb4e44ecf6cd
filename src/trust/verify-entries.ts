import { OperationalError } from '../errors/operational-error.js';
import { readCheckpoint } from './checkpoint.js';
import type { InclusionProof, LogEntry } from './log-entry.js';
import { findEntryFault, STATEMENT_KINDS, type LoggedSignature } from './log-entry-body.js';
import { rootAbove } from './merkle-proof.js';
import type { PublicKey } from './public-keys.js';
import { isPromised, judgeTime, NOT_SIGNED, type LoggedAt } from './verify-rekor.js';

/** Whose entries count. */
interface LogRules {
  /** Of the log: any of them may have signed. */
  readonly logKeys: readonly PublicKey[];
  readonly nowMs: number;
}

/**
 * Verifies without asking anybody that a transparency log has taken a signed statement in: by what the log has signed of the entry itself
 * (older logs), of the tree that the entry stands in (newer ones), or of both; what is there has to be right. One good entry is enough.
 * A tree says no time.
 */
export function verifyEntries(
  entries: readonly LogEntry[],
  logged: LoggedSignature,
  rules: LogRules,
): LoggedAt {
  if (entries.length === 0) return { good: false, why: 'it has no entry of the log (rekor)' };
  const judged = entries.map((entry) => verifyEntry(entry, logged, rules));
  const good = judged.filter((one) => one.good);
  return good.find(({ atMs }) => atMs !== undefined) ?? good[0] ?? judged[0] ?? NONE;
}

const NONE: LoggedAt = { good: false, why: NOT_SIGNED };

function verifyEntry(
  { body, logIndex, logId, atSeconds, promise, proof }: LogEntry,
  logged: LoggedSignature,
  { logKeys, nowMs }: LogRules,
): LoggedAt {
  try {
    if (promise === undefined && proof === undefined)
      return { good: false, why: 'its entry of the log comes with no proof' };
    const entry = {
      body: body.toString('base64'),
      integratedTime: atSeconds,
      logID: logId,
      logIndex,
    };
    if (promise !== undefined && !isPromised(entry, promise, logKeys)) return NONE;
    const why =
      (proof === undefined ? undefined : findProofFault(body, proof, logKeys)) ??
      findEntryFault(body, logged, STATEMENT_KINDS);
    if (why !== undefined) return { good: false, why };
    return promise === undefined
      ? { good: true, atMs: undefined }
      : judgeTime(atSeconds * 1000, nowMs);
  } catch (error) {
    if (error instanceof OperationalError) return { good: false, why: error.message };
    throw error;
  }
}

function findProofFault(
  body: Buffer,
  { logIndex, treeSize, rootHash, hashes, checkpoint }: InclusionProof,
  logKeys: readonly PublicKey[],
): string | undefined {
  const signed = readCheckpoint(checkpoint, logKeys);
  if (typeof signed === 'string') return signed;
  if (signed.size !== treeSize || !signed.rootHash.equals(rootHash))
    return 'the checkpoint of the log is of another tree than its entry';
  const root = rootAbove(body, { index: logIndex, size: treeSize, hashes });
  return root?.equals(rootHash) === true
    ? undefined
    : 'its entry does not stand in the tree of the log';
}
