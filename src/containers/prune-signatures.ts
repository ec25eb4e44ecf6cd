import { KeptSignatures } from '../trust/kept-signatures.js';
import type { Host } from './host.js';

/** Removes what is kept of the signatures of images that the stores no longer have. */
export async function pruneSignatures(host: Host): Promise<void> {
  const images = await (await host.openStore()).listImages();
  const kept = new KeptSignatures(host.paths.onDisk(host.paths.signaturesDir));
  await kept.keepOnly(images.map(({ digest }) => digest));
}
