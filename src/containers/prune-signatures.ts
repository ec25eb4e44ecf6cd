import { KeptSignatures } from '../trust/kept-signatures.js';
import type { Host } from './host.js';

/** Removes what is kept of the signatures of images that the stores no longer have. */
export async function pruneSignatures(host: Host): Promise<void> {
  const store = await host.openStore();
  const kept = new KeptSignatures(host.paths.onDisk(host.paths.signaturesDir));
  await kept.keepOnly(async () => (await store.listImages()).map(({ digest }) => digest));
}
