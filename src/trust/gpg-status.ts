/** What gpgv says of a signature. */
export type GpgVerdict =
  | {
      readonly good: true;
      /** Fingerprints in capitals: of the key that signed, which may be a subkey, and of its primary key. */
      readonly key: string;
      readonly primaryKey: string;
      readonly madeAtSeconds: number;
    }
  | { readonly good: false; readonly why: string };

/** OpenPGP's numbers of hashes that nobody makes collisions of (RFC 4880, section 9.4; RFC 9580 adds SHA-3). */
const STRONG_HASHES = ['8', '9', '10', '11', '12', '14'];

/** A signature over a binary document. */
const BINARY_DOCUMENT = '00';

/** Lines that each spoil a signature, whatever else is said of it, and what to say. */
const SPOILERS: Readonly<Record<string, string>> = {
  BADSIG: 'it does not match what it signs',
  EXPSIG: 'it has expired',
  EXPKEYSIG: 'its key has expired',
  REVKEYSIG: 'its key was revoked',
  KEYREVOKED: 'its key was revoked',
  ERRSIG: 'it cannot be verified',
  NO_PUBKEY: 'its key is none of those that the policy names',
  NODATA: 'it is no signature',
  UNEXPECTED: 'it is no signature',
  DECRYPTION_FAILED: 'it is no signature',
  BEGIN_DECRYPTION: 'it is encrypted',
  FAILURE: 'it cannot be verified',
};

/** What comes last in {@link SPOILERS} says less than what comes with it. */
const VAGUE = ['ERRSIG', 'FAILURE', 'NODATA'];

/**
 * Reads what gpgv writes to its status descriptor (GnuPG's doc/DETAILS). Its exit status is 0 for a revoked key, too, and VALIDSIG
 * stands there for an expired one: one message, one signature and one GOODSIG have to be there, and nothing that spoils it.
 */
export function readGpgStatus(report: string): GpgVerdict {
  const lines = report
    .split('\n')
    .filter((line) => line.startsWith('[GNUPG:] '))
    .map((line) => line.slice('[GNUPG:] '.length).split(' '));
  const spoilers = lines.map(([word = '']) => word).filter((word) => word in SPOILERS);
  const telling = spoilers.find((word) => !VAGUE.includes(word)) ?? spoilers[0];
  if (telling !== undefined) return { good: false, why: SPOILERS[telling] ?? telling };
  const only = (word: string): readonly string[] | undefined => {
    const found = lines.filter(([first]) => first === word);
    return found.length === 1 ? found[0] : undefined;
  };
  const valid = only('VALIDSIG');
  if (only('PLAINTEXT') === undefined || only('NEWSIG') === undefined || valid === undefined)
    return { good: false, why: 'it is not one message with one signature' };
  if (only('GOODSIG') === undefined) return { good: false, why: 'it cannot be verified' };
  // VALIDSIG KEY DATE SECONDS EXPIRES VERSION RESERVED ALGORITHM HASH CLASS PRIMARY
  const [, key = '', , seconds = '', , , , , hash = '', kind = '', primaryKey = key] = valid;
  if (!STRONG_HASHES.includes(hash)) return { good: false, why: 'its hash algorithm is too weak' };
  if (kind !== BINARY_DOCUMENT)
    return { good: false, why: 'it signs no document as containers-signature(5) has it' };
  if (!/^[0-9A-F]{40,64}$/.test(key) || !/^[0-9A-F]{40,64}$/.test(primaryKey))
    return { good: false, why: 'its key has no fingerprint' };
  if (!/^\d+$/.test(seconds)) return { good: false, why: 'it does not say when it was made' };
  return { good: true, key, primaryKey, madeAtSeconds: Number(seconds) };
}
