import { pushProbeService } from '../support/probe-image.js';
import { startRegistry } from '../support/registry.js';
import type { Bench, Figure } from './measure.js';
import { measureOnHost } from './on-host.js';

/** Services that say when they are ready, one and many, as systemd starts them. */
export const startBench: Bench = { name: 'start', peers: [], run: benchStart };

async function benchStart(): Promise<readonly Figure[]> {
  await using registry = await startRegistry();
  await pushProbeService(registry.target('ready'), { args: ['ready'], service: ['Type=notify'] });
  return await measureOnHost('start-guest.js', {
    args: [registry.reference('ready')],
    exposePort: registry.port,
  });
}
