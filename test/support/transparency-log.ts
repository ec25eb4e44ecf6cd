import { createHash, sign } from 'node:crypto';

import type { SigstoreKey } from './sigstore-attachments.js';

/** What an entry of the log speaks of. */
export interface LogEntry {
  readonly document: string;
  /** In base64. */
  readonly signature: string;
  /** In PEM. */
  readonly publicKey: string;
  /** In seconds; now unless given. */
  readonly at?: number;
  /** Changes the entry before it is signed. */
  readonly change?: (body: string) => string;
}

/** The bundle that rekor gives cosign for a signature: an entry and a signature over its canonical form. */
export function logSignature(log: SigstoreKey, entry: LogEntry): string {
  const { document, signature, publicKey, at = Math.floor(Date.now() / 1000), change } = entry;
  const body = JSON.stringify({
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: {
        hash: { algorithm: 'sha256', value: createHash('sha256').update(document).digest('hex') },
      },
      signature: {
        content: signature,
        publicKey: { content: Buffer.from(publicKey).toString('base64') },
      },
    },
  });
  const payload = {
    body: Buffer.from(change?.(body) ?? body).toString('base64'),
    integratedTime: at,
    logIndex: 8_949_589,
    logID: 'c0d23d6a',
  };
  const { integratedTime, logIndex, logID } = payload;
  const canonical = JSON.stringify({ body: payload.body, integratedTime, logID, logIndex });
  return JSON.stringify({
    SignedEntryTimestamp: sign('sha256', Buffer.from(canonical), log.privateKey).toString('base64'),
    Payload: payload,
  });
}
