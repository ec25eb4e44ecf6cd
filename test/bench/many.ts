import { pushProbeService } from '../support/probe-image.js';
import { startRegistry } from '../support/registry.js';
import type { Bench, Figure } from './measure.js';
import { measureOnHost } from './on-host.js';

/** What a host with a thousand containers costs that with one does not: listing them, and installing one more. */
export const manyBench: Bench = { name: 'many', isLong: true, peers: [], run: benchMany };

async function benchMany(): Promise<readonly Figure[]> {
  await using registry = await startRegistry();
  await pushProbeService(registry.target('many'), { args: ['ready'], service: ['Type=notify'] });
  return await measureOnHost('many-guest.js', {
    args: [registry.reference('many')],
    exposePort: registry.port,
  });
}
