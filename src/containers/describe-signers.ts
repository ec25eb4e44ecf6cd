import { escapeText } from '../base/escape-text.js';
import type { TrustRecord } from '../trust/image-trust.js';

/** Who signed an image, a line each, safe to show: `KEY as NAME (SCOPE of the policy)`. */
export function describeSigners(trust: TrustRecord | undefined): readonly string[] {
  return (trust?.signatures ?? []).map(({ key, identity }) =>
    escapeText(`${key} as ${identity} (${trust?.scope ?? ''})`, 400),
  );
}
